//! The small matrix of a scenario: versions x segments x rows, and what `{case.k}` stands for.
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::{Case, read};
use crate::document::{Keys, Located, Mistake, Node, Span};
use crate::protocol::CaseRow;
use crate::registry::Registry;
use crate::value::{Fields, Value};

/// Every case of a file, in the order of the file; one without a name where there is no matrix.
pub(super) fn matrix(tree: &Located, registry: &Registry) -> Result<Vec<Case>, Mistake> {
    let mut tree = tree.clone();
    let mut keys = Keys::of(&mut tree, "a scenario")?;
    let versions = axis(&mut keys, "version", "")?;
    let segments = axis(&mut keys, "segments", "whole")?;
    for (text, span) in &segments {
        read::segments(text, *span)?;
    }
    let rows = Rows::read(&mut keys, registry)?;
    let tree = &tree;
    known_versions(tree, &versions, registry)?;
    let mut cases = Vec::new();
    for (version, _) in &versions {
        let rows = rows.of(version);
        for (segment, _) in &segments {
            for row in &rows {
                let axes = [(versions.len() > 1).then_some(version), (segments.len() > 1).then_some(segment)];
                let named = Some(&row.name).filter(|name| !name.is_empty());
                let parts: Vec<&str> = axes.into_iter().flatten().chain(named).map(String::as_str).collect();
                cases.push(Case {
                    name: parts.join("/"),
                    version: version.clone(),
                    segments: segment.clone(),
                    fields: row.fields.clone(),
                });
            }
        }
    }
    unique(tree, &cases)?;
    Ok(cases)
}

fn axis(keys: &mut Keys<'_>, key: &str, default: &str) -> Result<Vec<(String, Span)>, Mistake> {
    let all = keys.texts(key)?;
    match keys.value(key) {
        None => Ok(vec![(default.to_string(), Span::default())]),
        Some(value) if all.is_empty() => {
            Err(Mistake::new(value.span, format!("{key}: an empty list is no case at all")))
        }
        Some(_) => Ok(all),
    }
}

fn known_versions(tree: &Located, versions: &[(String, Span)], registry: &Registry) -> Result<(), Mistake> {
    let fleets = tree.find("fleet").map_or(&[][..], Located::pairs);
    let spoken = fleets.iter().filter_map(|pair| pair.value.find("protocol")).chain(tree.find("protocol"));
    let spoken: Vec<&str> = spoken.filter_map(Located::text).collect();
    let mut protocols = registry.protocols.iter().filter(|protocol| spoken.contains(&protocol.name)).peekable();
    if protocols.peek().is_none() {
        // Every version would be unknown; whoever reads the protocol names the mistake.
        return Ok(());
    }
    let known: Vec<&str> = protocols.flat_map(|protocol| protocol.versions).copied().collect();
    match versions.iter().find(|(version, _)| !version.is_empty() && !known.contains(&version.as_str())) {
        Some((version, span)) => Err(Mistake::unknown(*span, "version", version, known)),
        None => Ok(()),
    }
}

fn unique(tree: &Located, cases: &[Case]) -> Result<(), Mistake> {
    let mut seen = BTreeSet::new();
    match cases.iter().find(|case| !seen.insert(&case.name)) {
        None => Ok(()),
        Some(case) => {
            let at = ["case", "cases", "version", "segments"].iter().find_map(|key| tree.find(key));
            let span = at.map_or(tree.span, |value| value.items().last().unwrap_or(value).span);
            Err(Mistake::new(span, format!("two cases are called {:?}", case.name)))
        }
    }
}

/// Where rows come from.
enum Rows {
    None,
    File(Vec<CaseRow>),
    List(fn(&str) -> Vec<CaseRow>),
}

impl Rows {
    fn read(keys: &mut Keys<'_>, registry: &Registry) -> Result<Rows, Mistake> {
        let list = keys.text("cases")?;
        let span = keys.span_of("cases");
        let rows = keys.list("case")?;
        match list {
            None if rows.is_empty() => Ok(Rows::None),
            None => rows.iter_mut().map(row).collect::<Result<_, _>>().map(Rows::File),
            Some(_) if !rows.is_empty() => Err(Mistake::new(span, "either cases or [[case]], not both")),
            Some(name) => {
                let known = registry.protocols.iter().flat_map(|protocol| protocol.case_lists).map(|list| list.name);
                let found =
                    registry.case_list(&name).ok_or_else(|| Mistake::unknown(span, "list of cases", &name, known))?;
                Ok(Rows::List(found.rows))
            }
        }
    }

    fn of(&self, version: &str) -> Vec<CaseRow> {
        match self {
            Rows::None => vec![CaseRow { name: String::new(), fields: Fields::default() }],
            Rows::File(rows) => rows.clone(),
            Rows::List(rows) => rows(version),
        }
    }
}

fn row(value: &mut Located) -> Result<CaseRow, Mistake> {
    let mut keys = Keys::of(value, "a case")?;
    let name = keys.text("name")?;
    let name = keys.need("name", name)?;
    match value.plain() {
        Value::Table(fields) if !name.is_empty() => Ok(CaseRow { name, fields }),
        _ => Err(Mistake::new(value.span, "a case has a name")),
    }
}

/// Makes the tree that of one case: matrix keys have their one value, `{case.k}` is filled in everywhere.
pub(super) fn choose(tree: &mut Located, case: &Case) -> Result<(), Mistake> {
    for (key, value) in [("version", &case.version), ("segments", &case.segments)] {
        if tree.find(key).is_some() {
            tree.set(key, &Value::from(value.as_str()));
        }
    }
    let rows = tree.remove("case");
    tree.remove("cases");
    let name = case.fields.text("name");
    let origin = rows.as_ref().and_then(|rows| {
        rows.items().iter().find(|row| name.is_some() && row.find("name").and_then(Located::text) == name)
    });
    let mut fill = Fill { case, origin, used: BTreeSet::new() };
    fill.tree(tree)?;
    let unused = origin.map_or(&[][..], Located::pairs).iter();
    match unused.clone().find(|pair| pair.key != "name" && !fill.used.contains(&pair.key)) {
        Some(pair) => Err(Mistake::unknown(pair.key_span, "key", &pair.key, &fill.used)),
        None => Ok(()),
    }
}

struct Fill<'c> {
    case: &'c Case,
    /// The row as it stands in the file, where it does: mistakes in a value are shown there.
    origin: Option<&'c Located>,
    used: BTreeSet<String>,
}

const OPEN: &str = "{case.";

impl Fill<'_> {
    fn tree(&mut self, value: &mut Located) -> Result<(), Mistake> {
        match &mut value.node {
            Node::Text(text) if text.contains(OPEN) => {
                let text = text.clone();
                *value = self.text(&text, value.span)?;
                Ok(())
            }
            Node::List(all) => all.iter_mut().try_for_each(|one| self.tree(one)),
            Node::Table(pairs) => pairs.iter_mut().try_for_each(|pair| self.tree(&mut pair.value)),
            _ => Ok(()),
        }
    }

    /// Text that is nothing but `{case.k}` becomes the value, of any type; within other text, words and numbers are filled in.
    fn text(&mut self, text: &str, span: Span) -> Result<Located, Mistake> {
        if let Some(key) = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix('}'))
            && !key.contains('{')
        {
            return self.value(key, span);
        }
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once(OPEN) {
            let (key, after) = after.split_once('}').ok_or_else(|| Mistake::new(span, "{case. without }"))?;
            filled.push_str(before);
            match self.value(key, span)?.node {
                Node::Text(text) => filled.push_str(&text),
                Node::Int(n) => filled.push_str(&n.to_string()),
                _ => return Err(Mistake::new(span, format!("{{case.{key}}} is no text: it stands alone"))),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(Located { span, node: Node::Text(filled) })
    }

    fn value(&mut self, key: &str, span: Span) -> Result<Located, Mistake> {
        self.used.insert(key.to_string());
        if let Some(found) = self.origin.and_then(|row| row.find(key)) {
            return Ok(found.clone());
        }
        match self.case.fields.find(key) {
            Some(value) => Ok(Located::at(span, value)),
            None => Err(Mistake::unknown(span, "value of the case", key, self.case.fields.iter().map(|(key, _)| key))),
        }
    }
}
