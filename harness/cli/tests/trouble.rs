//! Trouble: one clear line, the documented exit code, nothing lost.
mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{code, expect_code, proofhouse, results, run, stderr};

/// Runs these words; the exit code, and a text that the one line on standard error must hold.
#[track_caller]
fn check(folder: &Path, words: &[&str], wanted: i32, says: &str) {
    let out = run(folder, words);
    expect_code(&out, wanted);
    let said = stderr(&out);
    assert!(said.contains(says), "{words:?} must say {says:?}, said:\n{said}");
    assert!(!said.contains("bug in Proofhouse"), "{said}");
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn usage_is_two_and_says_what_was_meant() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    check(t, &["run", "--tagret", "reference"], 2, "--target");
    check(t, &["run", "--target", "mosquito"], 2, "did you mean \"mosquitto\"?");
    check(
        t,
        &["run", "--target", "reference", "--flaw", "keeps-both-session"],
        2,
        "did you mean \"keeps-both-sessions\"?",
    );
    check(t, &["run", "--target", "rumqttd", "--flaw", "keeps-both-sessions"], 2, "in-process targets only");
    check(t, &["run", "--target", "mqtt://example.org:1883"], 2, "write 127.0.0.1:1883");
    check(t, &["run", "--target", "mqtt://192.0.2.1:1883"], 2, "loopback");
    check(t, &["run", "--target", "http://127.0.0.1:80"], 2, "mqtt");
    check(t, &["run", "--shard", "5/4"], 2, "I/N");
    check(t, &["run", "--resume", "nowhere"], 2, "run.json");
}

#[test]
fn nothing_selected_is_four() {
    let temp = tempfile::tempdir().unwrap();
    check(temp.path(), &["run", "mqtt/mc-03-takeovr", "--target", "reference"], 4, "did you mean \"mqtt/mc-03");
    check(temp.path(), &["run", "MC-03", "--case", "9", "--target", "reference"], 4, "nothing is selected");
    check(temp.path(), &["explain", "closes-in-tim"], 4, "did you mean \"closes-in-time\"?");
}

#[test]
fn a_bad_file_is_three_with_its_line() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    write(t, "s/x.toml", "format = 1\ntitle = \"x\"\nlmit = \"5s\"\n");
    let said = "s/x.toml:3:1: unknown key \"lmit\"; did you mean \"limit\"?";
    check(t, &["run", "x", "--scenarios", "s", "--target", "reference"], 3, said);
    write(t, "s/x.toml", "format = 1\ntitle = \"x\n");
    check(t, &["run", "x", "--scenarios", "s", "--target", "reference"], 3, "s/x.toml:2");
    write(t, "t.toml", &shell("x", "{ after = \"1s\" }").replace("\"process\"", "\"proces\""));
    check(t, &["run", "MC-03", "--target", "t.toml"], 3, "t.toml:2");
    write(t, "t.toml", &shell("x", "{ log = \"ready (\" }"));
    check(t, &["run", "MC-03", "--target", "t.toml"], 3, "t.toml:6:17: log: no regular expression");
    write(t, "t.toml", &shell("x", "{ after = \"1s\" }").replace("127.0.0.1:", "[::1]:"));
    check(t, &["run", "MC-03", "--target", "t.toml"], 3, "t.toml:11:11: address: IPv6 is not spoken");
    check(t, &["run", "MC-03", "--target", "absent.toml"], 3, "absent.toml");
    check(t, &["judge", "nowhere"], 3, "journal.jsonl");
    check(t, &["replay", "nowhere"], 3, "finding.toml");
}

/// A target file that starts a shell command.
fn shell(command: &str, ready: &str) -> String {
    format!(
        "format = 1\nkind = \"process\"\n[process]\nprogram = \"/bin/sh\"\nargs = [\"-c\", '''{command}''']\nready = {ready}\n\
         [[endpoint]]\nname = \"plain\"\nprotocol = \"mqtt\"\nversions = [\"3.1.1\", \"5\"]\naddress = \"127.0.0.1:{{port}}\"\n"
    )
}

#[test]
fn a_target_that_does_not_start_is_five_and_shows_its_last_words() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    let tcp = "{ tcp = \"127.0.0.1:{port}\", within = \"1s\" }";
    write(t, "absent.toml", &shell("x", tcp).replace("/bin/sh", "no-such-broker"));
    check(t, &["run", "MC-03", "--target", "absent.toml", "--out", "r1"], 5, "no-such-broker");
    write(t, "dies.toml", &shell("echo cannot open its file >&2; exit 3", tcp));
    check(t, &["run", "MC-03", "--target", "dies.toml", "--out", "r2"], 5, "cannot open its file");
    write(t, "never.toml", &shell("sleep 30", tcp));
    check(t, &["run", "MC-03", "--target", "never.toml", "--out", "r3"], 5, "ready");
    check(t, &["run", "MC-03", "--target", "mqtt://127.0.0.1:1", "--out", "r4"], 5, "127.0.0.1:1");
    write(t, "folder.toml", &shell("x", tcp).replace("/bin/sh", "/bin"));
    check(t, &["run", "MC-03", "--target", "folder.toml", "--out", "r5"], 5, "\"/bin\" cannot be run");
}

#[test]
fn a_target_that_does_not_start_leaves_its_trials_not_run_and_the_others_alone() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    let dies = shell("echo cannot open its file >&2; exit 3", "{ tcp = \"127.0.0.1:{port}\", within = \"5s\" }");
    write(t, "dies.toml", &dies);
    write(t, "too.toml", &dies);
    let both = ["run", "MC-03", "--target", "dies.toml", "--target", "reference", "--out", "r", "-q"];
    check(t, &both, 6, "dies: the target ended with exit code 3 before it was ready");
    let trials = common::trials(&t.join("r"));
    let of = |word: &str| trials.iter().filter(|(_, verdict, _)| verdict == word).count();
    assert!(of("pass") > 0 && of("pass") == of("not_run") && of("pass") * 2 == trials.len(), "{trials:#?}");
    let told = trials.iter().find(|(_, verdict, _)| verdict == "not_run").expect("there is one");
    assert!(told.2.contains("cannot open its file"), "{told:?}");
    let none = ["run", "MC-03", "--target", "dies.toml", "--target", "too.toml", "--out", "none", "-q"];
    check(t, &none, 5, "too: the target ended with exit code 3");
    assert!(!t.join("none").exists(), "nothing was run");
}

#[test]
fn a_temporary_folder_that_is_not_there_is_named() {
    let temp = tempfile::tempdir().unwrap();
    write(temp.path(), "t.toml", &shell("sleep 9", "{ after = \"1s\" }"));
    let words = ["run", "MC-03", "--target", "t.toml"];
    let out = proofhouse().args(words).current_dir(temp.path()).env("TMPDIR", "/no/such/folder").output().unwrap();
    expect_code(&out, 8);
    assert!(stderr(&out).contains("in /no/such/folder (TMPDIR says where): No such file"), "{}", stderr(&out));
}

#[test]
fn a_limit_of_files_is_a_full_disk_and_the_run_goes_on_without_it() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    let binary = env!("CARGO_BIN_EXE_proofhouse");
    let script = format!("ulimit -f 200; exec {binary} run 'mqtt/m[bc]-*' --target reference --seeds 5 --out r -q");
    let out = std::process::Command::new("/bin/sh").args(["-c", &script]).current_dir(t).output().unwrap();
    expect_code(&out, 8);
    assert!(stderr(&out).contains("File too large"), "{}", stderr(&out));
    let out = run(t, &["run", "--resume", "r", "-q"]);
    assert!([0, 6].contains(&code(&out)), "{} {}", code(&out), stderr(&out));
    assert!(!common::trials(&t.join("r")).iter().any(|(_, verdict, _)| verdict == "not_run"));
}

#[test]
fn a_read_only_or_taken_output_folder_is_eight() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    write(t, "file", "not a folder");
    check(t, &["run", "MC-03", "--target", "reference", "--out", "file/r", "-q"], 8, "file/r");
    expect_code(&run(t, &["run", "MC-03", "--target", "reference", "--out", "r", "-q"]), 0);
    check(t, &["run", "MC-03", "--target", "reference", "--out", "r", "-q"], 8, "holds a run already");
    check(t, &["run", "MC-03", "--target", "reference", "--out", "/proc/r", "-q"], 8, "/proc/r");
}

#[test]
fn a_full_disk_is_eight_and_loses_nothing_found() {
    let temp = tempfile::tempdir().unwrap();
    let disk = temp.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&disk).status();
    if !mount.is_ok_and(|s| s.success()) {
        eprintln!(
            "skipped a_full_disk_is_eight_and_loses_nothing_found: needs the right to mount a tmpfs (run it as root)"
        );
        return;
    }
    let words = [
        "run",
        "MC-03",
        "MA-13",
        "ME-06",
        "--target",
        "reference",
        "--flaw",
        "keeps-both-sessions",
        "--out",
        "r",
        "-q",
    ];
    let out = run(&disk, &words);
    let journal = std::fs::read_to_string(disk.join("r/journal.jsonl"));
    let _ = std::process::Command::new("umount").arg("-l").arg(&disk).status();
    expect_code(&out, 8);
    assert!(stderr(&out).contains("No space left"), "{}", stderr(&out));
    assert!(
        journal.unwrap().lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok()),
        "the journal reads"
    );
}

#[test]
fn ctrl_c_writes_what_was_found_and_can_be_resumed() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    let words = [
        "run",
        "--target",
        "reference",
        "--flaw",
        "publish-before-connect",
        "--seeds",
        "60",
        "--jobs",
        "1",
        "-q",
        "--out",
        "r",
    ];
    let child = proofhouse().args(words).current_dir(t).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..500 {
        let text = std::fs::read_to_string(t.join("r/journal.jsonl")).unwrap_or_default();
        if text.lines().count() > 20 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // Twice at once, as timeout(1) does with a process and its group: that is one signal, not an impatient person.
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    let out = child.wait_with_output().unwrap();
    assert!(matches!(code(&out), 130 | 100), "{} {}", code(&out), stderr(&out));
    assert!(results(&t.join("r"))["trials"].as_array().unwrap().len() >= 20);
}

/// Serves every connection with `each` on a free port, for as long as the test lives.
fn hostile(each: impl Fn(std::net::TcpStream) + Send + Copy + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || each(stream));
        }
    });
    port
}

/// A few scenarios against a hostile server: nothing passes, nothing is a bug of ours.
#[track_caller]
fn survives(each: impl Fn(std::net::TcpStream) + Send + Copy + 'static) {
    let temp = tempfile::tempdir().unwrap();
    let url = format!("mqtt://127.0.0.1:{}", hostile(each));
    let out = run(
        temp.path(),
        &["run", "MC-03", "MA-13", "--case", "5*", "--target", &url, "--out", "r", "-q", "--replays", "1"],
    );
    assert!([6, 100].contains(&code(&out)), "{} {}", code(&out), stderr(&out));
    for trial in results(&temp.path().join("r"))["trials"].as_array().unwrap() {
        assert!(trial["verdict"] != "pass" && trial["verdict"] != "error", "{trial}");
    }
}

#[test]
fn a_mute_server_passes_nothing() {
    survives(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
}

#[test]
fn a_server_that_resets_or_closes_at_once_passes_nothing() {
    survives(|stream| {
        let _ = stream.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_server_that_sends_garbage_passes_nothing() {
    survives(|mut stream| {
        let noise: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let _ = stream.write_all(&noise);
        let _ = stream.read_to_end(&mut Vec::new());
    });
}

#[test]
fn a_server_that_sends_a_gigabyte_passes_nothing() {
    survives(|mut stream| {
        let block = vec![0x30; 1 << 20];
        for _ in 0..1024 {
            if stream.write_all(&block).is_err() {
                break;
            }
        }
    });
}

#[test]
fn a_server_that_says_yes_to_everything_passes_nothing() {
    // CONNACK 5, then a PUBACK for packet id 1, whatever comes.
    survives(|mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(&[0x20, 3, 0, 0, 0]);
        while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
            let _ = stream.write_all(&[0x40, 2, 0, 1, 0x90, 4, 0, 1, 0, 0]);
        }
    });
}

/// A run with a finding, whose standard output or error goes to this file.
fn said_to(
    folder: &Path,
    name: &str,
    words: &[&str],
    to: impl Fn(&mut std::process::Command),
) -> std::process::ExitStatus {
    let mut command = proofhouse();
    command.args(["run", "MC-03", "--target", "reference", "--out", name]).args(words).current_dir(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    to(&mut command);
    command.status().unwrap()
}

fn full() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn where_nobody_reads_what_is_said_everything_is_written_all_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    let flawed = ["--flaw", "keeps-both-sessions"];
    let code = |status: std::process::ExitStatus| status.code().unwrap_or(-1);
    // News is for people; a lost summary is 8, unless something weighs more.
    assert_eq!(
        code(said_to(t, "a", &[], |c| {
            c.stderr(full());
        })),
        0
    );
    assert_eq!(
        code(said_to(t, "b", &[], |c| {
            c.stdout(full());
        })),
        8
    );
    assert_eq!(
        code(said_to(t, "c", &flawed, |c| {
            c.stdout(full()).stderr(full());
        })),
        100
    );
    for name in ["a", "b", "c"] {
        assert!(t.join(name).join("report.html").exists(), "{name} has its documents");
        assert!(!results(&t.join(name))["trials"].as_array().unwrap().is_empty());
    }
}

#[test]
fn a_full_standard_output_is_no_bug_in_any_command() {
    let temp = tempfile::tempdir().unwrap();
    for words in [
        &["list", "scenarios"][..],
        &["explain", "no-crash"],
        &["schema", "results"],
        &["completions", "bash"],
        &["doctor"],
    ] {
        let out = proofhouse().args(words).current_dir(temp.path()).stdout(full()).output().unwrap();
        expect_code(&out, 8);
        assert!(stderr(&out).contains("cannot write to standard output"), "{words:?}: {}", stderr(&out));
        assert!(!stderr(&out).contains("bug in Proofhouse"), "{words:?}: {}", stderr(&out));
    }
}

#[test]
fn a_machine_without_threads_to_give_is_no_bug_and_what_did_not_run_can_be_resumed() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    // Enough for the program and few threads.
    let binary = env!("CARGO_BIN_EXE_proofhouse");
    let script = format!("ulimit -v 400000; exec {binary} run MC-03 --target reference --jobs 48 --out r -q");
    let out = std::process::Command::new("/bin/sh").args(["-c", &script]).current_dir(t).output().unwrap();
    assert!([0, 8, 130].contains(&code(&out)), "{} {}", code(&out), stderr(&out));
    assert!(!stderr(&out).contains("bug in Proofhouse"), "{}", stderr(&out));
}

#[test]
fn a_run_whose_guard_is_killed_ends_too_and_what_it_found_is_written() {
    let temp = tempfile::tempdir().unwrap();
    let t = temp.path();
    let binary = env!("CARGO_BIN_EXE_proofhouse");
    let script =
        format!("ulimit -v 4000000; exec {binary} run 'mqtt/*' --target reference --seeds 300 --out r -q --jobs 2");
    let mut guard = std::process::Command::new("/bin/sh").args(["-c", &script]).current_dir(t).spawn().unwrap();
    let appears = |name: &str| {
        (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            t.join(name).exists()
        })
    };
    assert!(appears("r/journal.jsonl"), "the run has begun");
    guard.kill().unwrap(); // SIGKILL: it can tell nobody
    guard.wait().unwrap();
    assert!(appears("r/results.json"), "the run has heard of it and ended");
    let journal = std::fs::read_to_string(t.join("r/journal.jsonl")).unwrap();
    assert!(journal.contains("\"interrupted\":true"), "it ended before it was over");
}
