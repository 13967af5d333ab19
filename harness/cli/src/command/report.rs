//! `proofhouse report`: the documents of a run, again, from what its folder holds.
use proofhouse_live::run::folder::Folder;

use crate::args::Report;
use crate::asked::Asked;
use crate::documents;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::registry::registry;
use crate::say::say;

/// Runs the command.
pub fn run(args: &Report) -> Result<ExitCode, Failure> {
    let registry = registry();
    let mut asked = Asked::read(&args.run, ExitCode::BadFile)?;
    asked.count_anew(args.fail_on, args.baseline.as_deref())?;
    let (run, _) = documents::gather(&args.run, &asked, &registry)?;
    let out = Folder::at(&args.run);
    for file in documents::write(&out, &run, &args.format, &registry)? {
        say!("{}", file.display());
    }
    Ok(ExitCode::Fine)
}
