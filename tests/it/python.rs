//! Python environments for the tests: somebody else's tools, installed below the build folder by the first test that asks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};

/// The folder of the programs of an environment that holds just this package.
pub(crate) fn environment(name: &'static str, package: &str) -> PathBuf {
    static INSTALLED: Mutex<BTreeMap<&str, std::result::Result<PathBuf, String>>> =
        Mutex::new(BTreeMap::new());
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = installed
        .entry(name)
        .or_insert_with(|| install(name, package).map_err(|error| format!("{error:#}")))
        .clone();
    drop(installed);
    folder.unwrap_or_else(|error| {
        panic!("{package} needs python3 with its venv module (Debian: python3-venv), and PyPI once: {error}")
    })
}

/// A program with nothing of this process's environment.
pub(crate) fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

fn install(name: &str, package: &str) -> Result<PathBuf> {
    let target = dn_tests::programs()?.parent().context("the build folder")?;
    let folder = target.join(name);
    let programs = folder.join("bin");
    let mark = folder.join("installed");
    // Another test run may be at it; the lock goes with the file.
    let lock = File::create(target.join(format!("{name}.lock")))?;
    lock.lock()?;
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == package) {
        return Ok(programs);
    }
    let mut venv = Command::new("python3");
    succeed(venv.args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(programs.join("python"));
    succeed(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]))?;
    fs::write(mark, package)?;
    Ok(programs)
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said).trim());
    Ok(())
}
