//! The cases that stand in scenario files of CoAP are what their names say: their bytes are built and read back, by a reader of its
//! own that knows where an option ends and nothing else.
mod rig;

use proofhouse_coap::frames;
use proofhouse_core::value::{Fields, Value, unhex};
use rig::{files, load, registry};

/// A datagram, taken apart as far as it can be.
#[derive(Debug, Default)]
struct Parts {
    version: u8,
    kind: u8,
    tkl: u8,
    code: u8,
    /// Number, length that it says, length that is there. Numbers are not cut to 16 bits.
    options: Vec<(u64, usize, usize)>,
    /// Why the options end early: a reserved nibble, or an extension that is not there.
    broken: Option<&'static str>,
    marker: bool,
    payload: usize,
}

fn parts(bytes: &[u8]) -> Parts {
    let mut parts = Parts {
        version: bytes[0] >> 6,
        kind: bytes[0] >> 4 & 3,
        tkl: bytes[0] & 15,
        code: bytes[1],
        ..Parts::default()
    };
    let mut rest = bytes.get(4 + usize::from(parts.tkl)..).unwrap_or_default();
    let mut number = 0;
    while let Some((first, after)) = rest.split_first() {
        if *first == 0xff {
            (parts.marker, parts.payload) = (true, after.len());
            break;
        }
        let mut at = after;
        let mut word = |nibble: u8| match (nibble, at) {
            (13, [byte, more @ ..]) => {
                at = more;
                Ok(u64::from(*byte) + 13)
            }
            (14, [high, low, more @ ..]) => {
                at = more;
                Ok(u64::from(u16::from_be_bytes([*high, *low])) + 269)
            }
            (13 | 14, _) => Err("extension"),
            (15, _) => Err("nibble"),
            (small, _) => Ok(u64::from(small)),
        };
        match (word(first >> 4), word(first & 15)) {
            (Ok(delta), Ok(says)) => {
                number += delta;
                let there = at.len().min(says as usize);
                parts.options.push((number, says as usize, there));
                rest = &at[there..];
            }
            (delta, says) => {
                parts.broken = delta.err().or(says.err());
                break;
            }
        }
    }
    parts
}

/// Every case of a scenario with its datagram.
fn cases(id: &str) -> Vec<(String, Parts)> {
    let registry = registry();
    let (id, file) = files(&["coap"]).into_iter().find(|(of, _)| of == id).unwrap_or_else(|| panic!("no {id}"));
    let scenario = load(&id, &file, &registry);
    scenario.cases.iter().map(|case| (case.name.clone(), parts(&datagram(&case.fields)))).collect()
}

fn datagram(case: &Fields) -> Vec<u8> {
    if let Some(hex) = case.text("hex") {
        return unhex(&hex.replace("{mid}", "0102")).expect("hex digits");
    }
    let Some(Value::Table(frame)) = case.find("frame") else { panic!("{case:?}: neither hex nor frame") };
    let mut frame = frame.clone();
    if frame.text("path").is_some_and(|path| path.starts_with('{')) {
        frame.set("path", "/x");
    }
    let mut bytes = Vec::new();
    frames::build(&frame, &mut bytes).unwrap_or_else(|e| panic!("{frame:?}: {e:?}"));
    bytes
}

const URI_PATH: u64 = 11;

fn numbers(parts: &Parts) -> Vec<u64> {
    parts.options.iter().map(|(number, ..)| *number).collect()
}

#[test]
fn an_option_number_is_as_large_as_its_case_says() {
    for (name, parts) in cases("coap/cd-03-option-number") {
        let numbers = numbers(&parts);
        assert_eq!(parts.kind, u8::from(name.ends_with("-non")), "{name}");
        match name.as_str() {
            "sum-over-65535" | "sum-over-65535-non" => {
                assert!(numbers[0] <= 65_535 && numbers[1] > 65_535, "{name}: {numbers:?}");
            }
            "number-over-65535" => assert!(numbers[0] > 65_535, "{numbers:?}"),
            "wraps-to-uri-path" => {
                assert!(numbers[0] <= 65_535, "{numbers:?}");
                assert_eq!(numbers[1], 65_536 + URI_PATH, "{numbers:?}");
                assert_eq!(parts.options[1], (65_536 + URI_PATH, 4, 4), "and its value is there");
            }
            "exactly-65535" => assert_eq!(numbers, [65_535]),
            "nibble-15" => assert_eq!(parts.broken, Some("nibble")),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn options_end_as_their_cases_say() {
    for (name, parts) in cases("coap/cd-02-option-bytes") {
        assert_eq!(parts.kind, u8::from(name.ends_with("-non")), "{name}");
        let last = parts.options.last().copied();
        match name.trim_end_matches("-non") {
            name if name.contains("without-its-byte") || name.ends_with("with-one-byte") => {
                assert_eq!(parts.broken, Some("extension"), "{name}");
            }
            name if name.contains("nibble-15") => assert_eq!(parts.broken, Some("nibble"), "{name}"),
            "length-beyond-the-end" => assert_eq!(last, Some((URI_PATH, 12, 1))),
            "length-65804" => assert_eq!(last, Some((URI_PATH, 65_804, 1))),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn versions_and_token_lengths_are_those_of_the_names() {
    for (name, parts) in cases("coap/cd-01-version-and-token") {
        let plain = name.trim_end_matches("-non");
        assert_eq!(parts.kind, u8::from(name.ends_with("-non")), "{name}");
        match (plain.strip_prefix("version-"), plain.strip_prefix("token-length-")) {
            (Some(n), _) => assert_eq!(parts.version.to_string(), n),
            (_, Some(n)) => assert_eq!((parts.tkl.to_string().as_str(), parts.version), (n, 1)),
            _ => panic!("{name}"),
        }
        assert_eq!(numbers(&parts), [URI_PATH], "{name}: nothing else is wrong");
    }
}

#[test]
fn a_marker_has_nothing_behind_it() {
    for (name, parts) in cases("coap/cd-05-payload-marker") {
        assert!(parts.marker && parts.payload == 0 && parts.broken.is_none(), "{name}: {parts:?}");
        assert_eq!(parts.options.is_empty(), name == "marker-behind-the-token", "{name}");
    }
}

#[test]
fn unknown_options_are_critical_or_elective_as_the_names_say() {
    for (name, parts) in cases("coap/cd-07-unknown-option") {
        let of = name.trim_end_matches("-non");
        let (kind, number) = of.split_once('-').expect("kind-number");
        let found = *numbers(&parts).last().expect("an option");
        assert_eq!(found.to_string(), number, "{name}");
        assert_eq!(found % 2 == 1, kind == "critical", "{name}");
    }
}

#[test]
fn options_are_repeated_or_ill_sized_as_the_names_say() {
    const KNOWN: [(&str, u64); 7] = [
        ("uri-host", 3),
        ("uri-port", 7),
        ("accept", 17),
        ("if-none-match", 5),
        ("if-match", 1),
        ("etag", 4),
        ("size1", 60),
    ];
    for (name, parts) in cases("coap/cd-08-repeated-and-length") {
        let of = name.trim_end_matches("-non");
        let (_, number) = KNOWN.iter().find(|(option, _)| of.starts_with(option)).unwrap_or_else(|| panic!("{name}"));
        let found: Vec<usize> = parts.options.iter().filter(|(n, ..)| n == number).map(|(.., there)| *there).collect();
        let rest = &of[KNOWN.iter().find(|(_, n)| n == number).map_or(0, |(option, _)| option.len())..];
        match rest.strip_prefix("-of-").and_then(|rest| rest.split('-').next()) {
            Some(bytes) => assert_eq!(found.iter().map(usize::to_string).collect::<Vec<_>>(), [bytes], "{name}"),
            None if rest == "-twice" => assert_eq!(found.len(), 2, "{name}"),
            None if rest == "-empty" => assert_eq!(found, [0], "{name}"),
            None => panic!("{name}"),
        }
    }
}

#[test]
fn messages_that_are_no_requests_are_of_the_types_and_codes_of_their_names() {
    for (name, parts) in cases("coap/cd-09-not-processed").into_iter().chain(cases("coap/cd-09-rejected")) {
        let (kind, code) = (parts.kind, parts.code);
        match name.as_str() {
            "empty-with-token" => assert!((kind, code) == (0, 0) && parts.tkl > 0),
            "empty-with-option" => assert!((kind, code) == (0, 0) && !parts.options.is_empty()),
            "empty-with-payload" => assert!((kind, code) == (0, 0) && parts.payload > 0),
            "empty-non-with-token" => assert!((kind, code) == (1, 0) && parts.tkl > 0),
            "get-in-ack" => assert_eq!((kind, code), (2, 1)),
            "get-in-rst" => assert_eq!((kind, code), (3, 1)),
            "rst-with-token" => assert!((kind, code) == (3, 0) && parts.tkl > 0),
            "reserved-class-non" => assert_eq!((kind, code >> 5), (1, 6)),
            "unmatched-response" => assert_eq!((kind, code), (0, 0x45)),
            class => {
                let wanted = class.strip_prefix("class-").expect("class-C.DD");
                assert_eq!((kind, format!("{}.{:02}", code >> 5, code & 31).as_str()), (0, wanted));
            }
        }
    }
}
