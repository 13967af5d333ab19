//! `proofhouse schema`: JSON Schema (draft 2020-12) of our files, for editors and for whoever reads results.
mod of_files;
mod of_results;

use crate::args::{Schema, SchemaOf};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::registry::registry;
use crate::say::say;

/// Runs the command.
pub fn run(args: &Schema) -> Result<ExitCode, Failure> {
    let registry = registry();
    let schema = match args.of {
        SchemaOf::Scenario => of_files::scenario(&registry),
        SchemaOf::Target => of_files::target(&registry),
        SchemaOf::Results => of_results::results(),
    };
    let text = serde_json::to_string_pretty(&schema).expect("a tree of JSON is always JSON");
    say!("{text}");
    Ok(ExitCode::Fine)
}

/// What every schema says.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

#[cfg(test)]
mod tests;
