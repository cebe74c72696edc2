//! How worker and gateway open their SQLite files and call them from asynchronous code.
//!
//! This crate exists to forbid any knowledge of what is kept: no accounts, keys or money. Nothing else opens such a file
//! for writing, so each is its owner's alone, has a layout that is checked, and is written in its own thread.

mod file;
mod thread;

use std::{io, path::PathBuf};

pub use file::{Durability, Layout, open, open_read_only, private};
pub use thread::Thread;

/// Why a file does not answer. Meant to follow its name: "the journal failed: ..".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed: {0}; check that the disk has space and is writable")]
    Sqlite(#[from] rusqlite::Error),
    #[error("cannot be opened at {}: {source}; check the path and its owner", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("has layout {found} and this program knows {known}; run the newer one that wrote it")]
    Newer { found: i64, known: i64 },
    #[error("lost its thread; start the program again")]
    Gone,
}

/// Integers as SQLite keeps them: 64 bits with a sign. Larger ones keep their bits.
pub const fn stored(value: u64) -> i64 {
    value.cast_signed()
}

/// What [`stored`] made of it.
pub const fn loaded(value: i64) -> u64 {
    value.cast_unsigned()
}
