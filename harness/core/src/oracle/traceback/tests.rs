use alloc::format;

use super::*;

fn read(text: &str) -> Vec<Traceback> {
    let lines: Vec<Line<'_>> = text.lines().enumerate().map(|(n, line)| (EntryId(n as u32), line)).collect();
    all(&lines)
}

/// The one stack trace in a text: its place, and whether nobody caught it.
#[track_caller]
fn check(text: &str, place: &str, uncaught: bool) {
    let all = read(text);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((all[0].place("mqtt/x").as_str(), all[0].uncaught), (place, uncaught));
}

const PYTHON: &str = r#"ERROR:broker:client 7f3a: bad packet
Traceback (most recent call last):
  File "/opt/broker/server.py", line 40, in serve
    await self.handle(packet)
  File "/opt/broker/handler.py", line 12, in on_connect
    return USERS[name]
           ~~~~~^^^^^^
  File "/usr/lib/python3.12/collections/__init__.py", line 9, in __getitem__
    raise KeyError(key)
KeyError: 'client-81723'
INFO:broker:next"#;

#[test]
fn a_python_traceback_is_its_type_and_innermost_own_frame() {
    check(PYTHON, "KeyError at handler.py:12 (on_connect)", false);
}

#[test]
fn what_differs_from_run_to_run_is_not_in_the_place() {
    let again = PYTHON.replace("client-81723", "someone else").replace("/opt/", "/tmp/b7x/").replace("7f3a", "99");
    assert_eq!(read(PYTHON)[0].place("a"), read(&again)[0].place("a"));
}

#[test]
fn two_failures_are_two_places_though_the_first_line_is_alike() {
    let other_type = PYTHON.replace("KeyError:", "ValueError:");
    let other_frame = PYTHON.replace("line 12, in on_connect", "line 31, in on_publish");
    let places = [PYTHON, &other_type, &other_frame].map(|text| read(text)[0].place("a"));
    assert!(places[0] != places[1] && places[0] != places[2] && places[1] != places[2], "{places:?}");
}

#[test]
fn a_task_that_died_says_so() {
    let task = format!("Task exception was never retrieved\nfuture: <Task finished name='Task-7'>\n{PYTHON}");
    assert!(read(&task.replace("ERROR:broker:client 7f3a: bad packet\n", ""))[0].uncaught);
    check(
        &format!("Exception in thread Thread-1 (run):\n{}", &PYTHON[37..]),
        "KeyError at handler.py:12 (on_connect)",
        true,
    );
}

#[test]
fn a_task_that_ended_with_its_peer_is_no_failure() {
    let gone = PYTHON.replace("KeyError: 'client-81723'", "ConnectionResetError: [Errno 104]");
    let task = format!("Task exception was never retrieved\n{}", &gone[37..]);
    assert!(read(&task).iter().all(|trace| !trace.uncaught), "{:?}", read(&task));
}

#[test]
fn of_chained_exceptions_the_one_that_came_out_counts() {
    let second = PYTHON.replace("KeyError", "broker.errors.Refused").replace("line 12", "line 15");
    let second = &second[37..];
    let text =
        format!("{}\n\nDuring handling of the above exception, another exception occurred:\n\n{second}", &PYTHON[37..]);
    check(&text, "broker.errors.Refused at handler.py:15 (on_connect)", false);
}

#[test]
fn a_target_that_a_package_manager_installed_has_its_code_there() {
    let text = r#"Traceback (most recent call last):
  File "/usr/local/bin/amqtt", line 8, in <module>
    sys.exit(main())
  File "/usr/lib/python3/site-packages/amqtt/broker.py", line 77, in handle
    raise ValueError(x)
ValueError: 5"#;
    check(text, "ValueError at broker.py:77 (handle)", false);
}

#[test]
fn lines_of_other_streams_between_the_frames_are_passed_over() {
    let text = PYTHON.replace("    return USERS", "12:00:01 INFO accepted 127.0.0.1\n    return USERS");
    check(&text, "KeyError at handler.py:12 (on_connect)", false);
}

#[test]
fn a_rust_panic_is_its_place_in_both_spellings() {
    let place = "panic at handler.rs:12";
    check("thread 'worker-7' (81) panicked at src/handler.rs:12:5:\nindex 9 out of bounds", place, true);
    check("thread 'worker-7' panicked at 'index 9: len 3', src/handler.rs:12:5", place, true);
    // The main thread's ends the process, or was caught.
    check("thread 'main' panicked at /home/a/b/src/handler.rs:12:5:\nx", place, false);
}

#[test]
fn a_panic_in_a_library_is_the_frame_that_called_it() {
    let text = "thread 'a' panicked at /home/u/.cargo/registry/src/x/bytes-1.0/src/buf.rs:9:1:\ncannot advance\nstack backtrace:\n   \
                0: rust_begin_unwind\n             at /rustc/abc/library/std/src/panicking.rs:5:5\n   1: core::panicking::panic_fmt\n             \
                at /rustc/abc/library/core/src/panicking.rs:75:14\n   2: broker::decode::h0123456789abcdef\n             at ./src/decode.rs:44:9\nnote: x";
    check(text, "panic at decode.rs:44 (broker::decode)", true);
}

#[test]
fn a_go_panic_is_the_innermost_own_function() {
    let text = "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 81 [running]:\n\
                runtime.gopanic({0x5a, 0xc0})\n\t/usr/local/go/src/runtime/panic.go:914 +0x21f\n\
                main.(*Server).handle(0xc000120, {0xc1, 0x2})\n\t/srv/app/server.go:77 +0x1d4\nmain.main()\n\t/srv/app/main.go:9 +0x1\n";
    let place = "at server.go:77 (main.(*Server).handle)";
    // Whoever lives on after it has recovered; what cannot be recovered from is called otherwise.
    check(text, &format!("panic {place}"), false);
    let fatal = text.replacen(
        "panic: runtime error: index out of range [5] with length 3",
        "fatal error: all goroutines are asleep",
        1,
    );
    check(&fatal, &format!("fatal error {place}"), true);
    // Words of a log that are no panic.
    assert_eq!(
        read("panic: button pressed"),
        [Traceback { kind: "panic".into(), frame: None, uncaught: false, entries: [EntryId(0); 2] }]
    );
}

#[test]
fn node_the_jvm_and_dotnet_print_arrows() {
    let node = "node:events:497\n      throw er; // Unhandled 'error' event\n      ^\n\nTypeError: Cannot read properties of undefined\n    \
                at Parser.next (node:internal/streams:12:3)\n    at onPacket (/opt/app/lib/broker.js:12:9)\n    at Socket.emit (node:events:5:2)\n\nNode.js v20";
    check(node, "TypeError at broker.js:12 (onPacket)", true);
    let jvm = "Exception in thread \"nio-7\" java.lang.IllegalStateException: id 81\n\tat java.base/java.util.List.get(List.java:9)\n\t\
               at com.hive.Handler.read(Handler.java:12)\nCaused by: java.lang.NullPointerException\n\tat com.hive.Codec.take(Codec.java:33)\n\t... 7 more";
    check(jvm, "java.lang.NullPointerException at Codec.java:33 (com.hive.Codec.take)", true);
    let logged =
        "12:00 ERROR c.h.Handler - refused java.io.IOException: bad\n\tat com.hive.Handler.read(Handler.java:12)";
    check(logged, "java.io.IOException at Handler.java:12 (com.hive.Handler.read)", false);
    let dotnet = "Unhandled exception. System.FormatException: x\n   at System.Int32.Parse(String s)\n   at Broker.Codec.Read(Span`1 b) in /src/Codec.cs:line 12";
    check(dotnet, "System.FormatException at Codec.cs:12 (Broker.Codec.Read)", true);
}

#[test]
fn a_sanitizer_report_is_its_kind_and_the_first_own_frame() {
    let text = "==81==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000 at pc 0x4 bp 0x7\nREAD of size 1 at 0x602000 thread T0\n    \
                #0 0x4a in __interceptor_memcpy (/usr/bin/b+0x4a)\n    #1 0x5b in parse(char const*) /src/mqtt/parse.cc:12:3\n    #2 0x6c in main /src/main.cc:9\n\n\
                freed by thread T0 here:\n    #0 0x1 in free (/usr/bin/b+0x1)\nSUMMARY: AddressSanitizer: heap-use-after-free";
    let all = read(text);
    assert_eq!(all[0].place("x"), "AddressSanitizer heap-use-after-free at parse.cc:12 (parse)");
    let all = read("src/a.c:12:9: runtime error: signed integer overflow: 2147483647 + 81");
    assert_eq!((all.len(), all[0].place("x").as_str()), (1, "undefined behaviour at a.c:12"));
}

#[test]
fn an_assertion_is_its_place() {
    check("broker: loop.c:12: on_read: Assertion `n < 81' failed.", "assertion at loop.c:12 (on_read)", true);
}

#[test]
fn erlang_and_elixir_tell_where_a_process_died() {
    let erlang = "** Reason for termination = \n** {badmatch,<<81>>},[{lists,map,2,[{file,\"gen_server.erl\"},{line,9}]},\
                  {broker,read,1,[{file,\"/a/src/broker.erl\"},{line,12}]}]\n";
    check(erlang, "crash report at broker.erl:12", true);
    let elixir = "** (KeyError) key :id not found in: %{n: 81}\n    (app 0.1.0) lib/broker.ex:12: Broker.read/1";
    check(elixir, "KeyError at broker.ex:12", true);
}

#[test]
fn without_a_frame_failures_of_two_stimuli_stay_apart() {
    let all = read("terminate called after throwing an instance of 'std::out_of_range'\n  what():  vector 81");
    assert_eq!(all[0].place("mqtt/a [5]"), "std::out_of_range after mqtt/a [5]");
    assert_ne!(all[0].place("mqtt/a [5]"), all[0].place("mqtt/b [5]"));
}

proptest::proptest! {
    #[test]
    fn no_log_is_too_odd_to_be_read(text in "(Traceback \\(most recent call last\\):|  File \"|panicked at |panic: |goroutine |at |Sanitizer: |#1 in |[a-zé:/.()',\"0-9 \n\t]{0,9}){0,40}") {
        for trace in read(&text) {
            proptest::prop_assert!(trace.entries[0] <= trace.entries[1]);
        }
    }
}
