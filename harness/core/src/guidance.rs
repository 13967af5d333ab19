//! Rows of published security guidance that scenarios serve.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::document::{self, Keys, LoadError, Located, Mistake};

/// One recommendation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Our id: `AUTH-1`.
    pub id: String,
    /// Place in its table: `T1.1`.
    pub code: String,
    /// Principle that it stands under.
    pub principle: String,
    /// Short title.
    pub title: String,
    /// How it can be verified: `active`, `observed`, `declared`.
    pub modes: Vec<String>,
    /// How far a test on the wire decides it.
    pub wire: Wire,
}

/// How far a test that speaks a protocol can decide a recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// All of it.
    Yes,
    /// Some of it; the rest needs a document or a laboratory.
    Part,
    /// None of it: managed as evidence, never shown as tested.
    No,
}

/// Reads a catalogue: `[[row]]` tables, in their order.
///
/// # Errors
/// The first mistake, with its place.
pub fn rows(file: &str, text: &str) -> Result<Vec<Row>, LoadError> {
    let mut tree = document::parse(file, text)?;
    read(&mut tree).map_err(|mistake| mistake.locate(file, text))
}

fn read(tree: &mut Located) -> Result<Vec<Row>, Mistake> {
    let mut keys = Keys::of(tree, "a catalogue")?;
    crate::scenario::format(&mut keys)?;
    let mut rows: Vec<Row> = Vec::new();
    for value in keys.list("row")? {
        let row = row(Keys::of(value, "a row")?)?;
        if rows.iter().any(|other| other.id == row.id) {
            return Err(Mistake::new(value.span, format!("two rows are called {}", row.id)));
        }
        rows.push(row);
    }
    keys.finish()?;
    Ok(rows)
}

fn row(mut keys: Keys<'_>) -> Result<Row, Mistake> {
    let mut text = |key: &str| {
        let text = keys.text(key)?;
        keys.need(key, text)
    };
    let (id, code, principle, title) = (text("id")?, text("code")?, text("principle")?, text("title")?);
    let mut modes = Vec::new();
    for (mode, span) in keys.texts("modes")? {
        const MODES: [&str; 3] = ["active", "observed", "declared"];
        if !MODES.contains(&mode.as_str()) {
            return Err(Mistake::unknown(span, "mode", &mode, MODES));
        }
        modes.push(mode.to_string());
    }
    let wire = keys.word("wire", &[("yes", Wire::Yes), ("part", Wire::Part), ("no", Wire::No)])?;
    let wire = keys.need("wire", wire)?;
    keys.finish()?;
    Ok(Row { id, code, principle, title, modes, wire })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "format = 1\n[[row]]\nid = \"AUTH-1\"\ncode = \"T1.1\"\nprinciple = \"p\"\ntitle = \"t\"\nmodes = [\"active\", \"declared\"]\nwire = \"part\"\n";

    fn refuses(text: &str, expect: &str) {
        let message = rows("rows.toml", text).expect_err(text).to_string();
        assert!(message.contains(expect), "expected {expect:?} in:\n{message}");
    }

    #[test]
    fn a_row_says_how_far_the_wire_decides_it() {
        let rows = rows("rows.toml", ROWS).expect("loads");
        assert_eq!((rows.len(), rows[0].id.as_str(), rows[0].wire), (1, "AUTH-1", Wire::Part));
        assert_eq!(rows[0].modes, ["active", "declared"]);
    }

    #[test]
    fn ids_are_unique_and_words_are_known() {
        refuses(&format!("{ROWS}{}", &ROWS["format = 1\n".len()..]), "rows.toml:9:1: two rows are called AUTH-1");
        refuses(&ROWS.replace("\"part\"", "\"prt\""), "unknown wire \"prt\"; did you mean \"part\"?");
        refuses(&ROWS.replace("\"active\"", "\"acive\""), "unknown mode \"acive\"");
        refuses(&ROWS.replace("title", "titel"), "unknown key \"titel\"; did you mean \"title\"?");
    }

    #[test]
    fn the_catalogue_of_this_project_has_58_rows() {
        let text = include_str!("../../../scenarios/guidance/rows.toml");
        assert_eq!(rows("rows.toml", text).expect("loads").len(), 58);
    }
}
