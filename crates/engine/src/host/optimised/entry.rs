//! The form of a file: `"ASOM1\0\0\0" | length of the head u64le | head | graph | sha256 of all before`.
//! The head, in JSON, says whose graph it is.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Key, Laid, OptimisedError, count};
use crate::{
    host::{engine::Optimised, ps::Hex},
    info::ModelInfo,
    shared::Shared,
};

const MAGIC: [u8; 8] = *b"ASOM1\0\0\0";

#[derive(Serialize, Deserialize)]
struct Head {
    /// Hex.
    model: String,
    facts: String,
    info: ModelInfo,
    sample: String,
}

/// What comes before the graph, and what comes after it.
pub fn write(key: &Key, optimised: &Optimised) -> Result<(Vec<u8>, [u8; 32]), OptimisedError> {
    let head = Head {
        model: Hex(&key.model).to_string(),
        facts: Hex(&key.facts).to_string(),
        info: optimised.info.clone(),
        sample: optimised.sample.clone(),
    };
    let head = serde_json::to_vec(&head)
        .map_err(|_| OptimisedError::Spoiled("what was said of it has no text"))?;
    let mut before = MAGIC.to_vec();
    before.extend(count(head.len()).to_le_bytes());
    before.extend(head);
    let digest = Sha256::new().chain_update(&before);
    let digest = digest.chain_update(&optimised.graph).finalize();
    Ok((before, digest.into()))
}

/// What is kept of a model, its graph laid where an engine finds it. To be used only once its seal was
/// looked at.
#[derive(Debug)]
pub struct Entry {
    /// What was said of the model.
    pub info: ModelInfo,
    /// Digest in hex of what it gave on a sample.
    pub sample: String,
    pub graph: Laid,
    pub seal: Seal,
}

/// By which a file is known to be what was written.
#[derive(Clone, Debug)]
pub struct Seal {
    /// Of all that comes before the graph.
    before: Sha256,
    digest: [u8; 32],
}

impl Seal {
    /// Whether all was written with this graph in it.
    pub fn holds(self, graph: &Laid) -> io::Result<bool> {
        Ok(graph.digest(self.before)? == self.digest)
    }
}

/// Why a file is not read.
#[derive(Debug)]
pub enum Unread {
    Io(io::Error),
    Spoiled(&'static str),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return CUT;
        }
        Self::Io(error)
    }
}

const CUT: Unread = Unread::Spoiled("it is cut short");

/// Lays what a file holds before an engine, if it was written for this key.
pub fn read(key: &Key, file: &mut File, memory: Option<Arc<Shared>>) -> Result<Entry, Unread> {
    let (mut magic, mut length) = ([0; 8], [0; 8]);
    let mut left = file.metadata()?.len();
    file.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(Unread::Spoiled("it has another form"));
    }
    file.read_exact(&mut length)?;
    let mut before = Sha256::new().chain_update(magic).chain_update(length);
    let length = u64::from_le_bytes(length);
    // Nothing is taken from the memory for a length that the file does not have.
    left = left.checked_sub(16 + 32).ok_or(CUT)?;
    left = left.checked_sub(length).ok_or(CUT)?;
    let mut head = vec![0; usize::try_from(length).map_err(|_| CUT)?];
    file.read_exact(&mut head)?;
    before.update(&head);
    let head: Head =
        serde_json::from_slice(&head).map_err(|_| Unread::Spoiled("its head is no head"))?;
    let (model, facts) = (Hex(&key.model).to_string(), Hex(&key.facts).to_string());
    if (head.model, head.facts) != (model, facts) {
        let reason = "it is another model's, or was made by another runtime";
        return Err(Unread::Spoiled(reason));
    }
    let graph = Laid::from(file, left, memory)?;
    let mut digest = [0; 32];
    file.read_exact(&mut digest)?;
    Ok(Entry {
        info: head.info,
        sample: head.sample,
        graph,
        seal: Seal { before, digest },
    })
}
