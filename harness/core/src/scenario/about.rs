//! Facts about a scenario for reports.
use alloc::string::String;
use alloc::vec::Vec;

use crate::document::{Keys, Mistake};
use crate::plan::About;
use crate::severity::{FindingKind, Level};

pub(super) fn read(keys: &mut Keys<'_>) -> Result<About, Mistake> {
    Ok(About {
        attack: keys.text("attack")?.unwrap_or_default(),
        guidance: words(keys, "guidance")?,
        spec: spec(keys)?,
        level: keys.word("level", &Level::WORDS)?.unwrap_or_default(),
        cwe: cwe(keys)?,
        cvss: cvss(keys)?,
        kind: keys.word("kind", &FindingKind::WORDS)?,
    })
}

pub(super) fn words(keys: &mut Keys<'_>, key: &str) -> Result<Vec<String>, Mistake> {
    Ok(keys.texts(key)?.into_iter().map(|(text, _)| text).collect())
}

fn spec(keys: &mut Keys<'_>) -> Result<Vec<String>, Mistake> {
    let clause = |(text, span): (String, _)| {
        let whole = text.split_once(':').is_some_and(|(document, place)| !document.is_empty() && !place.is_empty());
        if whole {
            Ok(text)
        } else {
            Err(Mistake::new(span, "spec: a clause reads \"mqtt5:3.1.4-3\": document, colon, place"))
        }
    };
    keys.texts("spec")?.into_iter().map(clause).collect()
}

fn cwe(keys: &mut Keys<'_>) -> Result<Vec<u32>, Mistake> {
    let number = |value: &mut crate::document::Located| {
        let number = value.plain().as_int().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        number.ok_or_else(|| {
            Mistake::new(value.span, alloc::format!("cwe: expected a CWE number, found {}", value.what()))
        })
    };
    keys.list("cwe")?.iter_mut().map(number).collect()
}

fn cvss(keys: &mut Keys<'_>) -> Result<String, Mistake> {
    match keys.text("cvss")? {
        Some(vector) if !vector.starts_with("CVSS:4.0/") => {
            Err(Mistake::new(keys.span_of("cvss"), "cvss: a vector of version 4.0 begins with CVSS:4.0/"))
        }
        vector => Ok(vector.unwrap_or_default()),
    }
}
