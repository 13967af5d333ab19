//! Topic names and topic filters: which are legal, and which filter matches which name \[MQTT5 §4.7.2\].

use super::rules::Rule;
use super::strings::{fits, no_nul};
use super::{Reason, ReasonCode, Version, scan};

const EMPTY_NAME: Rule = Rule::protocol("MQTT3 4.7.3-1", "MQTT5 4.7.3-1", "an empty topic name");
const EMPTY_FILTER: Rule = Rule::malformed("MQTT3 4.7.3-1", "MQTT5 4.7.3-1", "an empty topic filter");
const HASH: Rule = invalid("MQTT3 4.7.1-2", "MQTT5 4.7.1-1", "'#' is not the whole last level of the filter");
const PLUS: Rule = invalid("MQTT3 4.7.1-3", "MQTT5 4.7.1-2", "'+' shares its level of the filter");
const NO_SHARE_NAME: Rule = invalid("MQTT3 4.7.3-1", "MQTT5 4.8.2-1", "an empty share name");
const BAD_SHARE: Rule =
    invalid("MQTT3 4.7.3-1", "MQTT5 4.8.2-2", "a share name with a wildcard, or without a filter after it");

/// A wildcard in a topic name that is not that of a PUBLISH.
pub(crate) const WILDCARD: Rule = Rule::malformed("MQTT3 4.7.1-1", "MQTT5 4.7.0-1", "a wildcard in a topic name")
    .answer(ReasonCode::TOPIC_NAME_INVALID);

const fn invalid(v3: &'static str, v5: &'static str, what: &'static str) -> Rule {
    Rule::malformed(v3, v5, what).answer(ReasonCode::TOPIC_FILTER_INVALID)
}

/// Whether a string is a topic name.
///
/// # Errors
/// Empty, a wildcard, U+0000, or more than 65,535 bytes \[MQTT5 4.7.3-1, 4.7.0-1, 1.5.4-2, 4.7.3-3\].
pub fn valid_name(version: Version, name: &str) -> Result<(), Reason> {
    EMPTY_NAME.require(!name.is_empty(), version)?;
    fits(version, name.as_bytes())?;
    no_nul_no_wildcard(version, name, WILDCARD)
}

/// Whether a string is a topic filter; in MQTT 5 `$share/{name}/{filter}` has a form of its own.
///
/// # Errors
/// Empty, a wildcard out of place, a broken share, U+0000, or more than 65,535 bytes
/// \[MQTT5 4.7.3-1, 4.7.1-1, 4.7.1-2, 4.8.2-1, 4.8.2-2, 1.5.4-2, 4.7.3-3\].
pub fn valid_filter(version: Version, filter: &str) -> Result<(), Reason> {
    fits(version, filter.as_bytes())?;
    no_nul(version, filter)?;
    EMPTY_FILTER.require(!filter.is_empty(), version)?;
    match filter.strip_prefix("$share/") {
        Some(shared) if version == Version::V5 => valid_share(shared),
        _ => wildcards_in_place(version, filter),
    }
}

/// Whether a filter matches a topic name. A filter that begins with a wildcard matches no name that begins with `$`
/// \[MQTT3 4.7.2-1, MQTT5 4.7.2-1\]; nothing is folded or normalised \[MQTT3 4.7.3-4, MQTT5 4.7.3-4\].
///
/// For a shared subscription, hand in the part after the share name: [`Filter::for_matching`](super::Filter::for_matching).
#[must_use]
pub fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut wanted, mut found) = (filter.split('/'), name.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            // "a/#" also matches "a" itself.
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(same)) if level == same => {}
            _ => return false,
        }
    }
}

/// One pass for all that a topic name may not contain.
#[inline]
pub(crate) fn no_nul_no_wildcard(version: Version, name: &str, wildcard: Rule) -> Result<(), Reason> {
    if !scan::has_nul_or_wildcard(name.as_bytes()) {
        return Ok(());
    }
    no_nul(version, name)?;
    Err(wildcard.refuse(version))
}

/// What follows `$share/`: a name without wildcards, then `/` and a filter.
fn valid_share(shared: &str) -> Result<(), Reason> {
    let (name, filter) = shared.split_once('/').unwrap_or((shared, ""));
    NO_SHARE_NAME.require(!name.is_empty(), Version::V5)?;
    BAD_SHARE.require(!name.contains(['+', '#']) && !filter.is_empty(), Version::V5)?;
    wildcards_in_place(Version::V5, filter)
}

fn wildcards_in_place(version: Version, filter: &str) -> Result<(), Reason> {
    let bytes = filter.as_bytes();
    let mut before = b'/';
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'#' {
            HASH.require(before == b'/' && at + 1 == bytes.len(), version)?;
        } else if byte == b'+' {
            PLUS.require(before == b'/' && matches!(bytes.get(at + 1), None | Some(b'/')), version)?;
        }
        before = byte;
    }
    Ok(())
}
