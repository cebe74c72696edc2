//! The binaries under test.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

/// A command that runs `assay`.
pub fn assay() -> Result<Command> {
    find("assay").map(Command::new)
}

/// A command that runs `assay-worker`.
pub fn worker() -> Result<Command> {
    find("assay-worker").map(Command::new)
}

/// Where the engine lies that rounds every model to int8.
pub fn cheap_engine() -> Result<PathBuf> {
    find("assay-cheap-engine")
}

/// The binary of this build: beside the running executable, or above it where that is a test.
fn find(name: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("the running executable has no path")?;
    let mut folder = own
        .parent()
        .context("the running executable lies in no folder")?;
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    let path = folder.join(name);
    if !path.is_file() {
        bail!("{} is not built; run `make build`", path.display());
    }
    Ok(path)
}
