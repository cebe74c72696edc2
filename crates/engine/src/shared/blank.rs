//! Memory that the engine writes an optimised model into, and that the host reads once.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use rustix::fs::{SealFlags, fcntl_add_seals};

use super::linux::{file, fixed, open};

/// The engine's side: nothing yet.
#[derive(Debug)]
pub struct Blank {
    pub file: OwnedFd,
    /// Bytes that may be written.
    pub limit: u64,
}

impl Blank {
    pub fn open(limit: u64) -> io::Result<Self> {
        let file = file("assay-optimised")?;
        Ok(Self { file, limit })
    }

    /// The file's number in this process.
    pub fn number(&self) -> i32 {
        self.file.as_raw_fd()
    }
}

/// The host's side.
#[derive(Debug)]
pub struct Written {
    file: File,
    limit: u64,
}

impl Written {
    /// As [`Shared::take`](super::Shared::take), before the process has seen a model.
    pub fn take(process: u32, number: i32, limit: u64) -> io::Result<Self> {
        let file = open(process, number)?;
        Ok(Self { file, limit })
    }

    /// A copy of what the engine has written, if these are not more bytes than `most` and the limit.
    pub fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let (length, most) = (self.file.metadata()?.len(), most.min(self.limit));
        if length > most {
            let reason = format!("{length} bytes, at most {most} allowed");
            return Err(io::Error::other(reason));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

impl Drop for Written {
    /// From now on the memory is empty and stays so, also for an engine that has kept its descriptor.
    fn drop(&mut self) {
        // In this order: a write that waits meanwhile must not fill it again. Fails only where it was
        // done before.
        let _: io::Result<()> = fcntl_add_seals(&self.file, SealFlags::GROW)
            .map_err(io::Error::from)
            .and_then(|()| self.file.set_len(0))
            .and_then(|()| Ok(fcntl_add_seals(&self.file, fixed())?));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(limit: u64) -> (File, Written) {
        let blank = Blank::open(limit).unwrap();
        let written = Written::take(std::process::id(), blank.number(), limit).unwrap();
        (File::from(blank.file), written)
    }

    #[test]
    fn what_is_written_is_read_and_nothing_is_written_afterwards() {
        let (file, written) = pair(100);
        file.write_all_at(b"a graph", 0).unwrap();
        assert_eq!(written.read(1_000).unwrap(), b"a graph");
        drop(written);
        assert_eq!(file.metadata().unwrap().len(), 0, "its memory is free");
        file.write_all_at(b"more", 0).unwrap_err();
        file.set_len(1).unwrap_err();
    }

    #[test]
    fn more_than_was_allowed_is_not_read() {
        let (file, written) = pair(7);
        file.write_all_at(b"a graph", 0).unwrap();
        assert_eq!(written.read(1_000).unwrap().len(), 7);
        file.write_all_at(b"!", 7).unwrap();
        let error = written.read(1_000).unwrap_err();
        assert!(error.to_string().contains("at most 7"), "{error}");
        let error = written.read(6).unwrap_err();
        assert!(error.to_string().contains("at most 6"), "{error}");
    }
}
