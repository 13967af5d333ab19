//! Every mistake has its place, and a word for the person who made it.
use super::*;

fn error(text: &str) -> String {
    match Scenario::load("stub/x", "x.toml", text, &registry()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("this loads:\n{text}"),
    }
}

/// `PLAIN` with one thing replaced is refused with this message.
fn refuses(from: &str, to: &str, expect: &str) {
    assert!(PLAIN.contains(from), "{from:?} is not in the plain scenario");
    let message = error(&PLAIN.replacen(from, to, 1));
    assert!(message.contains(expect), "expected {expect:?} in:\n{message}");
}

/// `PLAIN` with something at its end is refused with this message.
fn refuses_with(more: &str, expect: &str) {
    let message = error(&alloc::format!("{PLAIN}{more}"));
    assert!(message.contains(expect), "expected {expect:?} in:\n{message}");
}

#[test]
fn a_message_has_file_line_column_the_line_and_what_was_meant() {
    let golden = "x.toml:8:1: unknown key \"behavior\"; did you mean \"behaviour\"?\n  behavior = \"script\"\n  ^";
    assert_eq!(error(&PLAIN.replace("behaviour", "behavior")), golden);
    let golden = concat!(
        "x.toml:12:91: within: unknown unit \"parsecs\"; use ns, us, ms, s, m or h\n",
        "    { do = \"expect\", any = [{ closed = true }, { type = \"bye\", reason = [1, 2] }], within = \"1parsecs\" },\n",
        "                                                                                            ^"
    );
    assert_eq!(error(&PLAIN.replace("within = \"1s\"", "within = \"1parsecs\"")), golden);
}

#[test]
fn keys_that_nothing_knows_are_refused_everywhere() {
    refuses("limit    =", "limt    =", "x.toml:5:1: unknown key \"limt\"; did you mean \"limit\"?");
    refuses("title    = \"x\"", "title = \"x\"\nfoo = 1", "unknown key \"foo\"");
    refuses("behaviour =", "evry = \"1s\"\nbehaviour =", "x.toml:8:1: unknown key \"evry\"");
    refuses("part = \"control\"", "prat = \"control\"", "unknown key \"prat\"; did you mean \"part\"?");
    refuses("hex = \"00 ff\"", "hex = \"00\", topic = \"a\"", "unknown key \"topic\"");
    refuses("of     =", "off     =", "unknown key \"off\"; did you mean \"of\"?");
    refuses_with("at_most = 1\n", "unknown key \"at_most\"");
    refuses_with("[network]\ndely = \"1s\"\n", "unknown key \"dely\"; did you mean \"delay\"?");
    refuses_with("[party.a]\nmay = { pub = [\"x\"] }\n", "unknown key \"pub\"");
    refuses_with(
        "[control]\nwithout = [\"foe.sent\"]\nexpect = { at = \"foe\", type = \"bye\" }\nx = 1\n",
        "unknown key \"x\"",
    );
}

#[test]
fn every_name_must_be_known() {
    refuses("\"script\"", "\"scrpt\"", "unknown behaviour \"scrpt\"; did you mean \"script\"?");
    refuses("\"hello\"", "\"helo\"", "unknown step \"helo\"; did you mean \"hello\"?");
    refuses("do = \"hello\"", "do = \"revoke\"", "unknown step \"revoke\"");
    refuses("\"stub-closes\"", "\"stub-close\"", "unknown oracle \"stub-close\"; did you mean \"stub-closes\"?");
    refuses("of     = \"foe\"", "of = \"fo\"", "unknown fleet \"fo\"; did you mean \"foe\"?");
    refuses("\"stub\"", "\"stubb\"", "unknown protocol \"stubb\"; did you mean \"stub\"?");
    refuses("\"2\"", "\"3\"", "unknown version \"3\"; known: 1, 2");
    refuses("\"2\"", "[\"1\", \"3\"]", "x.toml:4:18: unknown version \"3\"");
    refuses("behaviour =", "as = \"ownr\"\nbehaviour =", "unknown party \"ownr\"");
    refuses("do = \"hello\",", "do = \"hello\", as = \"ownr\",", "unknown party \"ownr\"");
    refuses(
        "do = \"expect\",",
        "do = \"expect\", after = \"foe.snt\",",
        "unknown mark \"foe.snt\"; did you mean \"foe.sent\"?",
    );
    refuses("type = \"bye\"", "type = \"bye\", canary = \"c\"", "unknown canary \"c\"");
    refuses("mark = \"sent\"", "canary = \"$foe.x\", frame = { a = \"$foe.x\" }", "unknown bound value \"foe.x\"");
    refuses("part = \"control\"", "part = \"contrl\"", "unknown part \"contrl\"; did you mean \"control\"?");
    refuses("format   = 1", "format = 1\nlevel = \"mist\"", "unknown level \"mist\"; did you mean \"must\"?");
    refuses(
        "format   = 1",
        "format = 1\nneeds = [\"sessins\"]",
        "unknown capability \"sessins\"; did you mean \"sessions\"?",
    );
    refuses(
        "format   = 1",
        "format = 1\ncases = \"stub.matrx\"",
        "unknown list of cases \"stub.matrx\"; did you mean \"stub.matrix\"?",
    );
    refuses_with(
        "[twin]\nnever-close = \"stub-closes\"\n",
        "unknown flaw \"never-close\"; did you mean \"never-closes\"?",
    );
    refuses_with("[twin]\nnever-closes = \"stub-clos\"\n", "unknown oracle \"stub-clos\"");
    refuses_with("[twin]\nnever-closes = \"stub-policy\"\n", "stub-policy cannot catch this");
    refuses_with("[[expect]]\noracle = \"stub-once\"\ncanary = \"c\"\n", "unknown canary \"c\"");
    refuses_with(
        "[control]\nwithout = [\"foe.x\"]\nexpect = { closed = true, at = \"foe\" }\n",
        "unknown mark \"foe.x\"",
    );
}

#[test]
fn every_wrong_type_says_what_belongs_there() {
    refuses("limit    = \"20s\"", "limit = 20", "limit: expected a duration such as \"250ms\", found 20");
    refuses("title    = \"x\"", "title = 5", "title: expected text, found 5");
    refuses("format   = 1", "format = \"1\"", "format: expected a whole number, found text \"1\"");
    refuses("format   = 1", "format = 2", "format 2 is unknown to this build, which reads 1");
    refuses("format   = 1\n", "", "missing key \"format\"");
    refuses("behaviour =", "count = 0\nbehaviour =", "count: 0 is outside 1 to 4294967295");
    refuses("behaviour =", "count = \"9..3\"\nbehaviour =", "the range \"9..3\" is empty");
    refuses("behaviour =", "count = \"1~3\"\nbehaviour =", "nothing is drawn at every use here; write a..b");
    refuses("behaviour =", "source = \"10.0.0.1\"\nbehaviour =", "not in 127.0.0.0/8");
    refuses("behaviour =", "source = \"eech\"\nbehaviour =", "unknown source \"eech\"; did you mean \"each\"?");
    refuses("behaviour =", "source = \"each\"\ncount = 2000000\nbehaviour =", "1048576 addresses");
    refuses("behaviour =", "only = [3]\nbehaviour =", "stay below 1, found 3");
    refuses("behaviour =", "only = []\nbehaviour =", "names nobody");
    refuses("behaviour =", "step_ = 1\nnetwork = 5\nbehaviour =", "network is a table, found 5");
    refuses("do = \"hello\",", "do = \"hello\", level = \"x\",", "expected a whole number or a range");
    refuses("do = \"hello\",", "do = \"hello\", keep = \"5\",", "keep: \"5\" has no unit");
    refuses("do = \"hello\",", "do = \"hello\", clean = 1,", "clean: expected true or false, found 1");
    refuses("do = \"hello\",", "do = \"hello\", share = \"101%\",", "expected a share from \"0%\" to \"100%\"");
    refuses(
        "do = \"hello\",",
        "do = \"hello\", pace = \"1/10s\",",
        "pace: expected bytes in a period such as \"1B/10s\"",
    );
    refuses("hex = \"00 ff\"", "hex = \"0g\"", "hex: 'g' is not a hex digit");
    refuses("hex = \"00 ff\"", "hex = \"000\"", "hex: 3 hex digits: one is missing");
    refuses("{ closed = true }", "{ closed = false }", "closed = false says nothing");
    refuses("{ closed = true }", "{ }", "would be met by anything");
    refuses("{ closed = true }", "{ closed = true, type = \"bye\" }", "closed, a silence or a packet");
    refuses("{ closed = true }", "{ silence = \"2s\" }", "a silence of 2s cannot be seen within 1s");
    refuses("[1, 2]", "[]", "reason: an empty list is never met");
    refuses("reason = 0", "reason = { a = 1 }", "unknown key \"a\"; known: at_least, at_most, not");
    refuses("[fleet.foe]", "[fleet.\"f.o\"]", "\"f.o\" is no name");
    refuses("title    = \"x\"", "title = \"x\"\ncvss = \"CVSS:3.1/AV:N\"", "version 4.0");
    refuses("title    = \"x\"", "title = \"x\"\nspec = [\"3.1\"]", "a clause reads");
    refuses("title    = \"x\"", "title = \"x\"\ncwe = [\"CWE-1\"]", "expected a CWE number");
    refuses("title    = \"x\"", "title = \"x\"\nsegments = \"2\"", "expected \"whole\" or a size");
    refuses_with("[network]\nloss = 0.1\n", "loss: expected a share such as \"99%\", found 0.1");
}

#[test]
fn a_protocol_refuses_its_own_steps_at_their_key() {
    refuses("do = \"hello\",", "do = \"hello\", level = 10,", "x.toml:10:27: a level ends at 9");
    refuses("hex = \"00 ff\"", "frame = { a = 1, type = \"nonsense\" }", "x.toml:11:42: no such type of frame");
}

#[test]
fn a_scenario_has_a_control_and_a_stimulus() {
    refuses(", part = \"control\"", "", "no step is part = \"control\"");
    refuses(", part = \"stimulus\"", "", "no step is part = \"stimulus\"");
    load(
        &PLAIN
            .replace(
                "do = \"hello\", expect = { type = \"welcome\", reason = 0 }, part = \"control\"",
                "do = \"hello\"",
            )
            .replace(
                "[[expect]]",
                "[control]\nwithout = [\"foe.sent\"]\nexpect = { type = \"x\", at = \"foe\" }\n[[expect]]",
            ),
    );
    load(
        &PLAIN
            .replace(", part = \"control\"", "")
            .replace("[[expect]]", "[fleet.other]\nbehaviour = \"chatter\"\npart = \"control\"\n[[expect]]"),
    );
}

#[test]
fn an_expectation_that_nobody_reads_is_refused() {
    refuses("oracle = \"stub-closes\"", "oracle = \"stub-policy\"", "no oracle reads what becomes of this step");
    refuses("of     = \"foe\"", "of = \"witness\"", "no oracle reads");
    let stimulus = PLAIN.replace("part = \"stimulus\"", "part = \"stimulus\", expect = { type = \"x\" }");
    let stimulus = stimulus.replace(
        "  { do = \"expect\", any = [{ closed = true }, { type = \"bye\", reason = [1, 2] }], within = \"1s\" },\n",
        "",
    );
    load(&stimulus);
    assert!(error(&stimulus.replace("stub-closes", "stub-policy")).contains("no oracle reads"));
    // The answer of a preparing step is a precondition: nobody need judge it.
    load(&stimulus.replace(", expect = { type = \"x\" }", "").replace("stub-closes", "stub-policy"));
}

#[test]
fn an_oracle_that_needs_everything_refuses_a_record_of_edges() {
    let edges = PLAIN.replace("limit", "record = \"edges\"\nlimit");
    load(&edges);
    let message = error(&alloc::format!("{edges}[[expect]]\noracle = \"stub-policy\"\n"));
    assert!(message.contains("stub-policy needs every message"), "{message}");
}

#[test]
fn a_mark_is_set_once() {
    refuses("within = \"1s\"", "within = \"1s\", mark = \"sent\"", "x.toml:12:104: two steps set the mark foe.sent");
}

#[test]
fn steps_that_wait_for_each_other_are_refused() {
    refuses("do = \"hello\",", "do = \"hello\", after = \"foe.sent\",", "wait for each other for ever");
    let two = |after: &str| {
        alloc::format!(
            "[fleet.other]\nbehaviour = \"script\"\nstep = [ {{ do = \"hello\", {after}mark = \"x\" }} ]\n[[expect]]"
        )
    };
    let waits = PLAIN.replace("do = \"send\"", "after = \"other.x\", do = \"send\"");
    load(&waits.replace("[[expect]]", &two("")));
    let message = error(&waits.replace("[[expect]]", &two("after = \"foe.sent\", ")));
    assert!(
        message.contains("x.toml:11:13: these steps wait for each other for ever: foe.sent <- other.x"),
        "{message}"
    );
}

#[test]
fn a_bound_value_is_bound_before_it_is_used() {
    let bound = PLAIN.replace("reason = 0 }", "reason = 0, bind = { id = \"n.id\" } }");
    load(&bound.replace("hex = \"00 ff\"", "frame = { id = \"$foe.n.id\" }"));
    let other = |after: &str| {
        let step = alloc::format!("step = [ {{ {after}do = \"say\", packet_id = \"$foe.n.id\" }} ]");
        bound
            .replace("part = \"control\"", "part = \"control\", mark = \"in\"")
            .replace("[[expect]]", &alloc::format!("[fleet.other]\nbehaviour = \"script\"\n{step}\n[[expect]]"))
    };
    load(&other("after = \"foe.in\", "));
    assert!(error(&other("")).contains("$foe.n.id is not bound yet"));
    refuses(
        "do = \"hello\", expect",
        "do = \"hello\", bind = { a = \"b\" }, exp_ = 1, x",
        "bind keeps fields of an answer",
    );
}

#[test]
fn text_that_begins_with_a_dollar_and_names_no_fleet_is_text() {
    let plan =
        plan(&PLAIN.replace("{ do = \"hello\",", "{ do = \"say\", topic = \"$SYS/a.b\" },\n  { do = \"hello\","));
    assert_eq!(plan.fleets[0].steps[0].fields.text("topic"), Some("$SYS/a.b"));
    assert!(plan.fleets[0].steps[0].uses.is_empty());
}

#[test]
fn a_stream_has_no_datagrams_to_lose_their_order() {
    refuses_with("[network]\nreorder = \"5%\"\n", "x.toml:19:11: reorder acts on datagrams");
    refuses("behaviour =", "network = { corrupt = \"1%\" }\nbehaviour =", "corrupt acts on datagrams");
    refuses_with("[network]\nloss = \"60%\"\nduplicate = \"50%\"\n", "more than 100% together");
}

#[test]
fn a_datagram_is_never_cut() {
    let grams = |text: &str| error(&text.replace("protocol = \"stub\"", "protocol = \"gram\""));
    assert!(grams(&format!("{PLAIN}[network]\nsplit = 4\n")).contains("split acts on streams"));
    assert!(grams(&format!("segments = \"1B\"\n{PLAIN}")).contains("sends datagrams, which arrive whole"));
}

#[test]
fn cases_are_complete_and_every_value_is_used() {
    let rows =
        |hex: &str| alloc::format!("[[case]]\nname = \"a\"\nhex = \"00\"\n[[case]]\nname = \"b\"\n{hex}\n[fleet.foe]");
    let with = |hex: &str| PLAIN.replace("hex = \"00 ff\"", "hex = \"{case.hex}\"").replace("[fleet.foe]", &rows(hex));
    load(&with("hex = \"01\""));
    assert!(error(&with("hexx = \"01\"")).contains("unknown value of the case \"hex\"; did you mean \"hexx\"?"));
    assert!(error(&with("hex = \"01\"\nnote = \"x\"")).contains("x.toml:13:1: unknown key \"note\""));
    assert!(error(&with("hex = \"0x\"")).contains("x.toml:12:7: hex: 'x' is not a hex digit"), "the value is at fault");
    assert!(error(&with("hex = [1]\n")).contains("expected text, found a list"));
    assert!(error(&with("hex = \"01\"").replace("\"b\"", "\"a\"")).contains("two cases are called \"a\""));
    assert!(error(&PLAIN.replace("00 ff", "00 {case.x}")).contains("unknown value of the case \"x\""));
    assert!(error(&PLAIN.replace("\"2\"", "[]")).contains("an empty list is no case at all"));
}

#[test]
fn an_administrator_speaks_of_known_parties_and_whole_rights() {
    let admin = |step: &str| {
        PLAIN.replace(
            "[[expect]]",
            &alloc::format!("[fleet.admin]\nbehaviour = \"admin\"\nstep = [ {step} ]\n[[expect]]"),
        )
    };
    load(&admin("{ do = \"revoke\", party = \"foe\", grant = \"subscribe a/#\" }"));
    assert!(
        error(&admin("{ do = \"revoke\", party = \"fo\", grant = \"subscribe a/#\" }"))
            .contains("unknown party \"fo\"")
    );
    let revoked = |right: &str| admin(&alloc::format!("{{ do = \"revoke\", party = \"foe\", grant = \"{right}\" }}"));
    assert!(error(&revoked("subscrib a/#")).contains("unknown right \"subscrib\"; did you mean \"subscribe\"?"));
    assert!(error(&revoked("subscribe ")).contains("a right reads \"publish FILTER\" or \"subscribe FILTER\""));
    assert!(error(&admin("{ do = \"hello\" }")).contains("unknown step \"hello\""));
    assert!(error(&admin("{ do = \"remove\" }")).contains("missing key \"party\""));
}

#[test]
fn a_syntax_mistake_is_a_mistake_of_the_file() {
    assert!(error("format = 1\ntitle = \n").starts_with("x.toml:2:"));
}
