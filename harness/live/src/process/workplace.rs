//! What a target is given before it starts: a fresh folder, its files, ports, and the words that stand for them.
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use proofhouse_core::target::{Endpoint, ProcessSpec};

use crate::error::RunError;
use crate::options::LiveOptions;
use crate::port::Port;

/// A target's folder, ports and templates. The folder goes when this goes.
#[derive(Debug)]
pub struct Workplace {
    dir: PathBuf,
    words: BTreeMap<String, String>,
    ports: Vec<Port>,
}

impl Workplace {
    /// Makes the folder, finds a free port for each endpoint, and writes the files.
    ///
    /// # Errors
    /// What the file system says, or that there is no free port.
    pub fn new(spec: &ProcessSpec, endpoints: &[Endpoint], options: &LiveOptions) -> Result<Workplace, RunError> {
        // Who removes the folder if we cannot must know of it before it is there.
        options.supervisor()?;
        let parent = std::env::temp_dir();
        let doing = || format!("make a folder for the target in {} (TMPDIR says where)", parent.display());
        let dir = fresh_dir().map_err(RunError::io(doing()))?;
        // From here on, an error drops the workplace and with it the folder.
        let mut place = Workplace { dir, words: BTreeMap::new(), ports: Vec::new() };
        place.word("dir", place.dir.display().to_string());
        place.word("self", options.own_program.display().to_string());
        for (n, endpoint) in endpoints.iter().enumerate() {
            let port = Port::claim().map_err(RunError::io("find a free port on 127.0.0.1"))?;
            place.word(&format!("port.{}", endpoint.name), port.number().to_string());
            if n == 0 {
                place.word("port", port.number().to_string());
            }
            place.ports.push(port);
        }
        for (name, _) in &spec.files {
            place.word(name, place.dir.join(name).display().to_string());
        }
        for (name, text) in &spec.files {
            let path = place.dir.join(name);
            write(&path, &place.fill(text)).map_err(RunError::io(format!("write {}", path.display())))?;
        }
        Ok(place)
    }

    /// The words of a target that runs elsewhere: none.
    #[must_use]
    pub fn elsewhere() -> Workplace {
        Workplace { dir: PathBuf::new(), words: BTreeMap::new(), ports: Vec::new() }
    }

    /// `text` with `{port}`, `{port.NAME}`, `{dir}`, `{self}` and the names of files filled in. Other braces stay.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        fill(text, |word| self.words.get(word).map(String::as_str))
    }

    /// As [`Workplace::fill`], with more words, which go first.
    #[must_use]
    pub fn fill_with(&self, text: &str, more: &[(&str, &str)]) -> String {
        fill(text, |word| {
            let own = more.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
            own.or_else(|| self.words.get(word).map(String::as_str))
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ports, one for each endpoint.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.ports.iter().map(Port::number).collect()
    }

    fn word(&mut self, name: &str, value: String) {
        self.words.insert(name.to_string(), value);
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if !self.dir.as_os_str().is_empty() {
            // What cannot be removed is left in the system's temporary folder, where it belongs.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// One pass over `text`: what a word stands for is not filled in again.
fn fill<'a>(text: &str, word: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, at) = rest.split_at(open);
        filled.push_str(before);
        let value = at.find('}').and_then(|close| word(&at[1..close]).map(|value| (value, close + 1)));
        let (value, len) = value.unwrap_or(("{", 1));
        filled.push_str(value);
        rest = &at[len..];
    }
    filled + rest
}

/// Writes a file that a target which drops its rights can still read.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(0o644))
}

/// Start of the name of every folder made here: the supervisor removes nothing else.
pub(crate) const DIR_PREFIX: &str = "proofhouse-target-";

/// Where the folders of this process are, and how their names begin: what the supervisor is told before there is any.
pub(crate) fn folders() -> (PathBuf, String) {
    // A process elsewhere may have our number and see the same folder: a container, or one before a reboot.
    static TOKEN: OnceLock<u64> = OnceLock::new();
    let token = TOKEN.get_or_init(|| RandomState::new().hash_one(std::process::id()));
    (std::env::temp_dir(), format!("{DIR_PREFIX}{}-{token:x}-", std::process::id()))
}

fn fresh_dir() -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (parent, prefix) = folders();
    loop {
        let dir = parent.join(format!("{prefix}{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        match fs::create_dir(&dir) {
            // An earlier process of the same id left one behind.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made?;
                fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
                return Ok(dir);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_are_filled_in_once_and_other_braces_stay() {
        let words = |word: &str| match word {
            "port" => Some("1883"),
            "odd" => Some("{port}"),
            _ => None,
        };
        for (text, filled) in [
            ("listener {port} on", "listener 1883 on"),
            ("{\"a\": {port}}", "{\"a\": 1883}"),
            ("{odd}", "{port}"),
            ("{nothing} {", "{nothing} {"),
            ("", ""),
        ] {
            assert_eq!(fill(text, words), filled, "{text:?}");
        }
    }
}
