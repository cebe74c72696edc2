//! The files that a requester keeps of a job: the outputs and the receipt.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use assay_client::{delivery::Outcome, protocol::Address};
use clap::Args;

use crate::delivery::Delivered;

#[derive(Args, Debug, Default)]
pub struct FileOptions {
    /// Where the outputs go; <job>.safetensors by default
    #[arg(short, long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Where the receipt goes; <job>.receipt.json by default
    #[arg(long, value_name = "PATH")]
    pub receipt: Option<PathBuf>,
}

/// Where one job's files go.
#[derive(Clone, Debug)]
pub struct Keep {
    pub outputs: PathBuf,
    pub receipt: PathBuf,
}

impl FileOptions {
    /// Holds that the files can be written, before anything is paid for them. Names by default contain the job's
    /// address, so they can only meet the same job's files.
    pub fn check(&self, overwrite: bool) -> Result<()> {
        if self.out.is_some() && self.out == self.receipt {
            bail!("--out and --receipt name the same file; give two");
        }
        for (path, option) in [(&self.out, "--out"), (&self.receipt, "--receipt")] {
            match path {
                Some(path) if path.is_file() && !overwrite => bail!(
                    "{} exists; give another with {option}, or --yes to overwrite it",
                    path.display()
                ),
                Some(path) => writable(path),
                None => writable(Path::new(&format!(".assay-{}", std::process::id()))),
            }
            .with_context(|| format!("nothing was sent; choose another place with {option}"))?;
        }
        Ok(())
    }

    /// The paths for a job.
    pub fn of(&self, job: &Address) -> Keep {
        let path = |given: &Option<PathBuf>, end: &str| {
            given
                .clone()
                .unwrap_or_else(|| format!("{job}.{end}").into())
        };
        Keep {
            outputs: path(&self.out, "safetensors"),
            receipt: path(&self.receipt, "receipt.json"),
        }
    }
}

impl Keep {
    /// Writes the outputs; a model error has none.
    pub fn write_outputs(&self, delivered: &Delivered) -> Result<()> {
        if delivered.delivery.outcome == Outcome::ModelError {
            return Ok(());
        }
        fs::write(&self.outputs, &delivered.outputs).with_context(|| {
            format!(
                "cannot write the outputs {}; choose another with --out",
                self.outputs.display()
            )
        })
    }
}

/// Opens the file as if to write it, and leaves everything as it was.
fn writable(path: &Path) -> Result<()> {
    let new = fs::symlink_metadata(path).is_err();
    let open = OpenOptions::new().append(true).create_new(new).open(path);
    open.with_context(|| format!("{} cannot be written", path.display()))?;
    if new {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(out: &Path) -> FileOptions {
        FileOptions {
            out: Some(out.to_owned()),
            receipt: Some(out.with_extension("receipt")),
        }
    }

    #[test]
    fn checking_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        options(&folder.path().join("new")).check(false).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn existing_files_are_kept_unless_agreed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old");
        fs::write(&path, "mine").unwrap();
        let refused = options(&path).check(false).unwrap_err();
        assert!(format!("{refused:#}").contains("--yes"), "{refused:#}");
        options(&path).check(true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn places_that_cannot_be_written_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such/folder");
        assert!(options(&missing).check(true).is_err());
        assert!(options(folder.path()).check(true).is_err());
        let same = FileOptions {
            out: Some("x".into()),
            receipt: Some("x".into()),
        };
        assert!(same.check(true).is_err());
    }

    #[test]
    fn names_by_default_are_the_jobs() {
        let job = Address::new_from_array([7; 32]);
        let keep = FileOptions::default().of(&job);
        assert_eq!(keep.outputs, PathBuf::from(format!("{job}.safetensors")));
        assert_eq!(keep.receipt, PathBuf::from(format!("{job}.receipt.json")));
    }
}
