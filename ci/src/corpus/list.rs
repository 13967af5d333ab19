//! What the corpus consists of: `ci/corpus/versions.toml` and `ci/corpus/expectations.toml`.
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Everything that is known about the corpus.
#[derive(Default)]
pub struct Lists {
    /// What can be installed.
    pub versions: Vec<Version>,
    /// What must be found.
    pub defects: Vec<Defect>,
    /// What a FAIL beside the defects is; from a file of the caller's.
    pub explained: Vec<Explained>,
}

/// One version of one server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// `aedes-1.2.0`: also the name of its folder and target.
    pub name: String,
    /// File in `ci/corpus/targets`, without `.toml`.
    pub target: String,
    /// `aedes@1.2.0`.
    #[serde(default)]
    pub npm: Option<String>,
    /// What pip installs.
    #[serde(default)]
    pub pypi: Vec<String>,
    /// Pythons that it runs on, the best first.
    #[serde(default)]
    pub python: Vec<String>,
    /// `rumqttd@0.20.0`, without its default features.
    #[serde(default, rename = "crate")]
    pub krate: Option<String>,
    /// Builds it with what the registry has today, where its own lock file is too old for the compiler.
    #[serde(default)]
    pub unlocked: bool,
    /// A package of Debian's.
    #[serde(default)]
    pub debian: Option<String>,
    /// And its suite.
    #[serde(default)]
    pub suite: Option<String>,
}

/// One known defect, and who must find it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defect {
    /// Name.
    pub id: String,
    /// What is wrong, in a line.
    pub what: String,
    /// Id of the scenario.
    pub scenario: String,
    /// Cases that must find it; a `*` stands for anything.
    #[serde(default = "any")]
    pub case: String,
    /// The rule that must break; empty: any.
    #[serde(default)]
    pub rule: String,
    /// Version that has it.
    pub on: String,
    /// Version that has it no more.
    pub fixed: String,
}

/// What a FAIL beside the known defects is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explained {
    /// Version; a `*` stands for anything, here and below.
    pub on: String,
    /// Id of the scenario.
    pub scenario: String,
    /// Case.
    #[serde(default = "any")]
    pub case: String,
    /// Why the FAIL is right.
    pub why: String,
}

fn any() -> String {
    "*".to_owned()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    version: Vec<Version>,
    #[serde(default)]
    defect: Vec<Defect>,
    #[serde(default)]
    explained: Vec<Explained>,
}

impl Lists {
    /// Reads both files of `folder` and checks that they fit together.
    pub fn read(folder: &Path) -> Result<Lists, String> {
        let versions: File = toml_file(&folder.join("versions.toml"))?;
        let expectations: File = toml_file(&folder.join("expectations.toml"))?;
        let lists = Lists { versions: versions.version, defects: expectations.defect, explained: Vec::new() };
        for defect in &lists.defects {
            for name in [&defect.on, &defect.fixed] {
                if !lists.versions.iter().any(|version| version.name == *name) {
                    return Err(format!("expectations.toml: {}: there is no version {name}", defect.id));
                }
            }
        }
        Ok(lists)
    }

    /// Adds the caller's explanations.
    pub fn explain(&mut self, file: &Path) -> Result<(), String> {
        let file: File = toml_file(file)?;
        self.explained = file.explained;
        Ok(())
    }

    /// Keeps the defects that one of `names` begins, by their own name or a version's. No names: all.
    pub fn keep(&mut self, names: &[String]) -> Result<(), String> {
        let named = |defect: &Defect, name: &String| {
            [&defect.id, &defect.on, &defect.fixed, &defect.scenario].iter().any(|it| it.starts_with(name.as_str()))
        };
        for name in names {
            if !self.defects.iter().any(|defect| named(defect, name)) {
                return Err(format!("no defect, version or scenario begins with {name}"));
            }
        }
        self.defects.retain(|defect| names.is_empty() || names.iter().any(|name| named(defect, name)));
        Ok(())
    }

    /// Names of the versions that the defects speak of.
    pub fn wanted(&self) -> BTreeSet<&str> {
        self.defects.iter().flat_map(|defect| [defect.on.as_str(), defect.fixed.as_str()]).collect()
    }

    /// Scenarios to run against a version, each once.
    pub fn scenarios(&self, version: &str) -> Vec<String> {
        let of = self.defects.iter().filter(|defect| defect.on == version || defect.fixed == version);
        of.map(|defect| defect.scenario.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// One line for each defect.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for d in &self.defects {
            let _ = writeln!(text, "{:36} {:18} -> {:18} {} {}: {}", d.id, d.on, d.fixed, d.scenario, d.case, d.what);
        }
        text
    }
}

fn toml_file<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("read {}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.to_string().trim()))
}

/// Whether `text` is what `pattern` says, where `*` stands for anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(tail, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("*", "") && matches("*", "a") && matches("qos-*", "qos-3") && matches("*3*", "a3b"));
        assert!(!matches("qos-*", "a qos-3") && !matches("qos", "qos-3") && !matches("*4*", "a3b"));
    }

    #[test]
    fn the_lists_fit_together_and_every_scenario_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ci lies in the workspace");
        let lists = Lists::read(&root.join("ci/corpus")).expect("the lists are in the repository");
        for version in &lists.versions {
            let target = root.join(format!("ci/corpus/targets/{}.toml", version.target));
            assert!(target.exists(), "{}: no {}", version.name, target.display());
        }
        for defect in &lists.defects {
            let scenario = root.join(format!("scenarios/{}.toml", defect.scenario));
            assert!(scenario.exists(), "{}: no {}", defect.id, scenario.display());
        }
    }
}
