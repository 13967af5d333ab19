//! `proofhouse report`: the documents of a run, again, from its journal.
use proofhouse_live::run::folder::Folder;
use proofhouse_live::run::journal::Journal;
use proofhouse_live::run::resume::fold;

use crate::args::Report;
use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// Runs the command.
pub fn run(args: &Report) -> Result<ExitCode, Failure> {
    let records = Journal::read(&args.run).map_err(|e| Failure::new(ExitCode::BadFile, e.to_string()))?;
    let name = args.run.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let results = fold(&name.unwrap_or_default(), &records);
    let out = Folder::at(&args.run);
    for (file, text) in [("results.json", results.to_json()), ("report.md", proofhouse_report::markdown(&results))] {
        out.write(file, text.as_bytes())?;
        anstream::println!("{}", args.run.join(file).display());
    }
    Ok(ExitCode::Fine)
}
