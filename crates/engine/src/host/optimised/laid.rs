//! A graph that lies where its engine finds it.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use crate::shared::Shared;

#[derive(Clone, Debug)]
pub enum Laid {
    /// In the memory that is shared with the engine.
    Shared { memory: Arc<Shared>, length: u64 },
    /// Here, to go through the pipe.
    Here(Arc<Vec<u8>>),
}

impl Laid {
    /// Lays so many bytes of a file there, from where it is read next.
    pub fn from(file: &mut File, length: u64, memory: Option<Arc<Shared>>) -> io::Result<Self> {
        if let Some(memory) = memory {
            memory.give_file(file, length)?;
            return Ok(Self::Shared { memory, length });
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact(&mut bytes)?;
        Ok(Self::Here(Arc::new(bytes)))
    }

    /// Its digest behind what was digested before. Of what the engine is given, and not of the file.
    pub fn digest(&self, mut before: Sha256) -> io::Result<[u8; 32]> {
        match self {
            Self::Here(bytes) => before.update(bytes.as_slice()),
            Self::Shared { memory, length } => {
                memory.each_given(*length, |bytes| before.update(bytes))?;
            }
        }
        Ok(before.finalize().into())
    }
}
