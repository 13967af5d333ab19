//! Which filter matches which name.

use crate::codec::topic::matches;

#[track_caller]
fn check(filter: &str, matched: &[&str], missed: &[&str]) {
    for name in matched {
        assert!(matches(filter, name), "{filter} matches {name}");
    }
    for name in missed {
        assert!(!matches(filter, name), "{filter} does not match {name}");
    }
}

#[test]
fn a_plain_filter_matches_itself() {
    check("a/b", &["a/b"], &["a", "a/b/", "/a/b", "a/b/c", "A/b", "a/bc"]);
    check("/", &["/"], &["//", "a", "a/"]);
    check("caf\u{E9}", &["caf\u{E9}"], &["cafe\u{301}"]);
}

#[test]
fn a_plus_matches_one_level_also_an_empty_one() {
    check("a/+", &["a/b", "a/"], &["a", "a/b/c", "b/a"]);
    check("+", &["a", "\u{E9}"], &["/a", "a/b", "a/"]);
    check("+/+", &["/a", "a/", "/", "a/b"], &["a", "a/b/c"]);
    check("/+", &["/a", "/"], &["a", "/a/b"]);
    check("a/+/c", &["a/b/c", "a//c"], &["a/c", "a/b/b/c", "a/b/cc"]);
}

#[test]
fn a_hash_matches_the_parent_and_all_below() {
    check("a/#", &["a", "a/", "a/b", "a/b/c"], &["ab", "b", "/a", "b/a"]);
    check("#", &["a", "/", "a/b/c", "/a"], &[]);
    check("+/#", &["a", "a/b", "/", "/a/b"], &[]);
    check("a/+/#", &["a/b", "a/b/c", "a/"], &["a", "b/a"]);
}

#[test]
fn a_leading_wildcard_does_not_match_a_leading_dollar() {
    check("#", &["a/$x"], &["$SYS", "$SYS/x", "$"]);
    check("+/x", &["a/x"], &["$SYS/x"]);
    check("+", &["a"], &["$SYS"]);
    check("$SYS/#", &["$SYS", "$SYS/x"], &["SYS/x"]);
    check("$SYS/+", &["$SYS/x"], &["$SYS/x/y"]);
    check("a/+", &["a/$x"], &[]);
}
