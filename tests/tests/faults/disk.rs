//! The disk of the journal and of the file of sessions: it fails, takes long, and is torn by crashes and power cuts.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use assay_tests::sim::Dice;
use assay_worker::store::{Disk, StoreError};
use futures_util::future::BoxFuture;

use super::{
    link::{Life, Place},
    plan::within,
};

/// What goes wrong with one call of the journal.
#[derive(Clone, Copy, Debug)]
pub enum Mishap {
    /// It fails, and nothing was done.
    Before,
    /// It was done, and is said to have failed.
    After,
    /// It takes so many milliseconds.
    Slow(u64),
}

impl Mishap {
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "fails before the call",
            Self::After => "fails after the call",
            Self::Slow(_) => "is slow",
        }
    }
}

/// Under one file of one life. Connections are named through the crate, which re-exports none.
pub struct SimDisk {
    life: Life,
    /// The log of the file.
    path: PathBuf,
    file: File,
    /// Of the call under way: bytes of the log before it, and whether it is to fail after it.
    call: Mutex<(u64, bool)>,
}

#[derive(Clone, Copy, Debug)]
pub enum File {
    Journal,
    Sessions,
}

impl SimDisk {
    pub fn new(life: Life, file: File) -> Self {
        let path = match file {
            File::Journal => life.link.journal(),
            File::Sessions => life.link.sessions_file(),
        };
        Self {
            path: log_of(&path),
            file,
            life,
            call: Mutex::default(),
        }
    }

    async fn begin(&self) -> Result<(), StoreError> {
        let before = match self.file {
            File::Journal => Place::DiskBefore,
            File::Sessions => Place::SessionsBefore,
        };
        self.life.pass(before).await;
        let mishap = self.life.link.disk_mishap();
        if let Some(Mishap::Slow(ms)) = mishap {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            self.life.pass(before).await;
        }
        // Nobody else runs between here and the call.
        let fails = matches!(mishap, Some(Mishap::After));
        *self.call.lock().expect("held for moments") = (length(&self.path), fails);
        match mishap {
            Some(Mishap::Before) => Err(StoreError::Sqlite(assay_sqlite::Error::Gone)),
            Some(Mishap::After | Mishap::Slow(_)) | None => Ok(()),
        }
    }

    async fn finish(&self) -> Result<(), StoreError> {
        let (before, fails) = *self.call.lock().expect("held for moments");
        let after = match self.file {
            File::Journal => Place::DiskAfter(before),
            File::Sessions => Place::SessionsAfter(before),
        };
        self.life.pass(after).await;
        if fails {
            Err(StoreError::Sqlite(assay_sqlite::Error::Gone))
        } else {
            Ok(())
        }
    }
}

impl Disk for SimDisk {
    fn before<'a>(
        &'a self,
        _: &'a Mutex<rusqlite::Connection>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.begin())
    }

    fn after<'a>(
        &'a self,
        _: &'a Mutex<rusqlite::Connection>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.finish())
    }
}

/// Bytes of a file's log; 0 where there is none.
pub fn log_length(file: &Path) -> u64 {
    length(&log_of(file))
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Copies a file as a crash leaves it: what its log has behind `from`, from a call that had not returned or not synced,
/// may be there, in part, or spoilt. Returns what became of it.
pub fn keep(file: &Path, copy: &Path, torn: Option<(u64, &mut Dice)>) -> &'static str {
    let copied = |from: &Path, to: &Path| {
        if from.exists() {
            fs::copy(from, to).expect("the temporary folder can be written");
        }
    };
    copied(file, copy);
    let log = log_of(copy);
    copied(&log_of(file), &log);
    let Some((from, dice)) = torn else {
        return "whole";
    };
    let written = length(&log);
    if written <= from {
        // Nothing was written, or the log was begun anew.
        return "nothing to tear";
    }
    let left = within(dice, from, written);
    let file = OpenOptions::new().write(true).open(&log);
    let mut file = file.expect("the copy is ours");
    file.set_len(left).expect("the copy is ours");
    if left == from || dice.below(3) > 0 {
        return "cut";
    }
    let spoilt = within(dice, from, left - 1);
    file.seek(SeekFrom::Start(spoilt)).expect("within the file");
    let bytes = dice.bytes();
    let count = usize::try_from(left - spoilt)
        .unwrap_or(bytes.len())
        .min(bytes.len());
    file.write_all(&bytes[..count]).expect("the copy is ours");
    "spoilt"
}
