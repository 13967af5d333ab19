//! Brings a version into its folder with the client of the registry that has it, and writes its target file.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::list::Version;

/// Where things are: the workspace, and the folder of the corpus.
pub struct Place<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// Everything installed and run is below.
    pub dir: &'a Path,
}

impl Place<'_> {
    /// Installs what is not there yet; `false` says on standard error what is missing.
    pub fn install(&self, version: &Version) -> bool {
        let result = self.bring(version).and_then(|()| self.target(version));
        if let Err(why) = &result {
            eprintln!("corpus: {} skipped: {why}", version.name);
        }
        result.is_ok()
    }

    fn bring(&self, version: &Version) -> Result<(), String> {
        let prefix = self.dir.join(&version.name);
        let done = prefix.join(".installed");
        if done.exists() {
            return Ok(());
        }
        eprintln!("corpus: installing {}", version.name);
        fs::create_dir_all(&prefix).map_err(|e| e.to_string())?;
        let brought = if let Some(package) = &version.npm {
            npm(&prefix, package).map(|()| pinned(package))
        } else if let Some(package) = version.pypi.first() {
            pip(&prefix, version).map(|()| pinned(package))
        } else if let Some(package) = &version.krate {
            cargo(&prefix, package, version.unlocked, &self.dir.join("build")).map(|()| pinned(package))
        } else if let (Some(package), Some(suite)) = (&version.debian, &version.suite) {
            debian(&prefix, package, suite)
        } else {
            Err("versions.toml does not say where it comes from".to_owned())
        };
        // The target file prints this: most programs take longer to say their version than to start.
        fs::write(done, brought?).map_err(|e| e.to_string())
    }

    fn target(&self, version: &Version) -> Result<(), String> {
        let from = self.root.join(format!("ci/corpus/targets/{}.toml", version.target));
        let text = fs::read_to_string(&from).map_err(|e| format!("{}: {e}", from.display()))?;
        let text = text
            .replace("{prefix}", &self.dir.join(&version.name).display().to_string())
            .replace("{servers}", &self.root.join("ci/corpus/servers").display().to_string());
        let folder = self.dir.join("targets");
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        fs::write(folder.join(format!("{}.toml", version.name)), text).map_err(|e| e.to_string())
    }
}

/// `1.2.0` of `aedes@1.2.0` and of `aedes==1.2.0`.
fn pinned(package: &str) -> String {
    package.rsplit(['@', '=']).next().unwrap_or(package).to_owned()
}

fn npm(prefix: &Path, package: &str) -> Result<(), String> {
    run(Command::new("node").arg("--version"))?;
    fs::write(prefix.join("package.json"), "{}").map_err(|e| e.to_string())?;
    let flags = ["--no-audit", "--no-fund", "--ignore-scripts"];
    run(Command::new("npm").arg("install").args(flags).arg(package).current_dir(prefix))
}

fn pip(prefix: &Path, version: &Version) -> Result<(), String> {
    let python = version.python.iter().find_map(|minor| python(minor));
    let python = python.ok_or_else(|| format!("no Python {}", version.python.join(" or ")))?;
    run(Command::new(python).args(["-m", "venv"]).arg(prefix))?;
    run(Command::new(prefix.join("bin/pip")).args(["install", "--quiet"]).args(&version.pypi))
}

/// A Python that works: on the path, or of pyenv.
fn python(minor: &str) -> Option<PathBuf> {
    let works = |program: &PathBuf| run(Command::new(program).args(["-c", "import venv"])).is_ok();
    let on_path = PathBuf::from(format!("python{minor}"));
    if works(&on_path) {
        return Some(on_path);
    }
    let said = Command::new("pyenv").arg("root").output().ok()?;
    let versions = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim()).join("versions");
    let folders = fs::read_dir(versions).ok()?.flatten();
    let wanted = format!("{minor}.");
    let mut of_pyenv = folders.filter(|f| f.file_name().to_string_lossy().starts_with(&wanted));
    of_pyenv.find_map(|folder| Some(folder.path().join("bin/python")).filter(works))
}

fn cargo(prefix: &Path, package: &str, unlocked: bool, build: &Path) -> Result<(), String> {
    let lock = if unlocked { None } else { Some("--locked") };
    let args = ["--no-default-features", "--quiet", package, "--root"];
    run(Command::new("cargo").arg("install").args(lock).args(args).arg(prefix).arg("--target-dir").arg(build))
}

/// Unpacks a package and all that it depends on, libc too, beside the system: nothing of the system is changed.
/// Returns the package's version.
fn debian(prefix: &Path, package: &str, suite: &str) -> Result<String, String> {
    let state = prefix.join("apt");
    for folder in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(state.join(folder)).map_err(|e| e.to_string())?;
    }
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let source = format!("deb [signed-by={keyring}] http://deb.debian.org/debian {suite} main\n");
    fs::write(state.join("sources.list"), source).map_err(|e| e.to_string())?;
    fs::write(state.join("status"), "").map_err(|e| e.to_string())?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        let options = [
            ("Dir::State", state.clone()),
            ("Dir::State::status", state.join("status")),
            ("Dir::Cache", state.clone()),
            ("Dir::Etc::sourcelist", state.join("sources.list")),
            ("Dir::Etc::sourceparts", "-".into()),
            ("APT::Install-Recommends", "false".into()),
            ("APT::Sandbox::User", "root".into()),
        ];
        for (name, value) in options {
            apt.arg("-o").arg(format!("{name}={}", value.display()));
        }
        apt
    };
    run(apt().args(["update", "--quiet"]))?;
    run(apt().args(["install", "--yes", "--quiet", "--download-only", package]))?;
    let mut version = String::new();
    for archive in fs::read_dir(state.join("archives")).map_err(|e| e.to_string())?.flatten() {
        let name = archive.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".deb") else { continue };
        run(Command::new("dpkg").arg("-x").arg(archive.path()).arg(prefix))?;
        if let Some(rest) = name.strip_prefix(&format!("{package}_")) {
            version = rest.split('_').next().unwrap_or_default().to_owned();
        }
    }
    // The names that programs ask for, where a package leaves them to this.
    run(Command::new("/sbin/ldconfig").arg("-n").args(libraries(prefix)))?;
    fs::remove_dir_all(state).map_err(|e| e.to_string())?;
    Ok(version)
}

/// `usr/lib/x86_64-linux-gnu` and the like below `prefix`.
fn libraries(prefix: &Path) -> Vec<PathBuf> {
    let folders = ["lib", "usr/lib"].into_iter().filter_map(|lib| fs::read_dir(prefix.join(lib)).ok()).flatten();
    let paths = folders.flatten().map(|folder| folder.path());
    paths.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect()
}

/// Runs a command without a word; if it fails, its name and the last line that it said.
fn run(command: &mut Command) -> Result<(), String> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let out = command.stdin(Stdio::null()).output().map_err(|e| format!("{name} does not start: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("said nothing").to_owned();
    Err(format!("{name}: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_was_asked_for() {
        assert_eq!([pinned("aedes@1.2.0"), pinned("amqtt==0.12.1")], ["1.2.0", "0.12.1"]);
    }

    #[test]
    fn a_missing_tool_is_named() {
        let why = run(&mut Command::new("no-such-tool-as-this")).expect_err("there is none");
        assert!(why.starts_with("no-such-tool-as-this does not start"), "{why}");
    }
}
