//! Documents: written by `run`, written again by `report`, read by other programs.
mod common;

use std::path::Path;
use std::process::Command;

use common::{expect_code, finding_folders, run, stderr, stdout};

const DOCUMENTS: [&str; 5] = ["results.json", "report.html", "report.md", "junit.xml", "results.sarif"];

/// A run with findings that count, in simulation.
fn found(folder: &Path, more: &[&str]) -> std::process::Output {
    let words = ["run", "MC-03", "MA-13", "--target", "reference", "--flaw", "keeps-both-sessions", "--out", "r", "-q"];
    run(folder, &[&words[..], more].concat())
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn report_writes_the_same_bytes_again() {
    let temp = tempfile::tempdir().unwrap();
    expect_code(&found(temp.path(), &[]), 100);
    let folder = temp.path().join("r");
    let mut files: Vec<_> = DOCUMENTS.iter().map(|name| folder.join(name)).collect();
    files.extend(finding_folders(&folder).iter().map(|finding| finding.join("capture.pcapng")));
    assert!(files.len() > DOCUMENTS.len(), "there are findings");
    let before: Vec<Vec<u8>> = files.iter().map(|file| read(file)).collect();
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let out = run(temp.path(), &["report", "r"]);
    expect_code(&out, 0);
    for (file, before) in files.iter().zip(before) {
        assert!(read(file) == before, "{} differs", file.display());
        let name = file.file_name().unwrap().to_string_lossy();
        assert!(stdout(&out).contains(&*name), "{}", stdout(&out));
    }
}

#[test]
fn only_the_documents_asked_for_are_written() {
    let temp = tempfile::tempdir().unwrap();
    expect_code(&found(temp.path(), &["--format", "html,junit", "--format", "sarif"]), 100);
    let there = |name: &str| temp.path().join("r").join(name).exists();
    assert_eq!(DOCUMENTS.map(there), [true, true, false, true, true]);
    assert!(finding_folders(&temp.path().join("r")).iter().all(|finding| !finding.join("capture.pcapng").exists()));
    let wrong = run(temp.path(), &["report", "r", "--format", "pdf"]);
    expect_code(&wrong, 2);
    assert!(stderr(&wrong).contains("html"), "{}", stderr(&wrong));
}

#[test]
fn what_counts_is_kept_with_the_run_and_can_be_said_anew() {
    let temp = tempfile::tempdir().unwrap();
    expect_code(&found(temp.path(), &["--fail-on", "never"]), 0);
    let page = || String::from_utf8(read(&temp.path().join("r/report.html"))).unwrap();
    assert!(page().contains("Does not move the exit code") && page().contains("Exit code <b>0</b>"));
    expect_code(&run(temp.path(), &["report", "r"]), 0);
    assert!(page().contains("Exit code <b>0</b>"), "as the run was asked");
    expect_code(&run(temp.path(), &["report", "r", "--fail-on", "must"]), 0);
    assert!(page().contains("Exit code <b>100</b>") && !page().contains("Does not move"));
}

#[test]
fn a_document_that_cannot_be_written_is_eight() {
    let temp = tempfile::tempdir().unwrap();
    expect_code(&found(temp.path(), &[]), 100);
    let page = temp.path().join("r/report.html");
    std::fs::remove_file(&page).unwrap();
    std::fs::create_dir_all(page.join("in the way")).unwrap();
    let out = run(temp.path(), &["report", "r"]);
    expect_code(&out, 8);
    assert!(stderr(&out).contains("report.html"), "{}", stderr(&out));
    expect_code(&run(temp.path(), &["report", "nowhere"]), 3);
}

#[test]
fn json_on_standard_output_is_results_json() {
    let temp = tempfile::tempdir().unwrap();
    let out = found(temp.path(), &["--print", "json"]);
    assert_eq!(out.stdout, read(&temp.path().join("r/results.json")));
}

#[test]
fn wireshark_reads_the_captures_as_reproduce_md_says() {
    if !Command::new("tshark").arg("--version").output().is_ok_and(|out| out.status.success()) {
        eprintln!("skipped wireshark_reads_the_captures_as_reproduce_md_says: needs tshark (apt-get install tshark)");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    expect_code(&found(temp.path(), &[]), 100);
    for finding in finding_folders(&temp.path().join("r")) {
        let text = String::from_utf8(read(&finding.join("reproduce.md"))).unwrap();
        let line = text.lines().find(|line| line.starts_with("tshark ")).expect("reproduce.md has the command");
        let decode: Vec<&str> = line.split_whitespace().skip(3).collect();
        let capture = finding.join("capture.pcapng");
        let ask = |more: &[&str]| {
            let mut command = Command::new("tshark");
            command.args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"]).arg(&capture);
            let out = command.args(&decode).args(more).output().expect("tshark runs");
            assert!(out.status.success(), "{}", stderr(&out));
            stdout(&out).lines().count()
        };
        assert!(ask(&["-Y", "mqtt.msgtype == 1"]) > 0, "{line} shows a CONNECT");
        assert!(ask(&["-Y", "frame.comment contains VIOLATION"]) > 0);
        for trouble in
            ["_ws.malformed", "tcp.checksum.status == Bad", "ip.checksum.status == Bad", "tcp.analysis.lost_segment"]
        {
            assert_eq!(ask(&["-Y", trouble]), 0, "{trouble} in {}", capture.display());
        }
        assert!(ask(&["-Y", "tcp.flags.syn == 1"]) >= 2);
    }
}
