//! The form of a file: `"ASOM1\0\0\0" | length of the head u64le | head | graph | sha256 of all before`.
//! The head, in JSON, says whose graph it is.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Key, OptimisedError, count};
use crate::{
    host::{engine::Optimised, ps::Hex},
    info::ModelInfo,
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

/// What a file holds, if it is whole and was written for this key.
pub fn read(key: &Key, mut file: Vec<u8>) -> Result<Optimised, OptimisedError> {
    let spoiled = OptimisedError::Spoiled;
    let short = || spoiled("it is cut short");
    let (body, digest) = file.split_last_chunk::<32>().ok_or_else(short)?;
    if <[u8; 32]>::from(Sha256::digest(body)) != *digest {
        return Err(spoiled("its digest is another"));
    }
    let end = body.len();
    let (magic, rest) = body.split_first_chunk().ok_or_else(short)?;
    if *magic != MAGIC {
        return Err(spoiled("it has another form"));
    }
    let (length, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
    let (head, _) = rest.split_at_checked(length).ok_or_else(short)?;
    let head: Head = serde_json::from_slice(head).map_err(|_| spoiled("its head is no head"))?;
    let (model, facts) = (Hex(&key.model).to_string(), Hex(&key.facts).to_string());
    if (head.model, head.facts) != (model, facts) {
        return Err(spoiled(
            "it is another model's, or was made by another runtime",
        ));
    }
    let start = MAGIC.len().saturating_add(8).saturating_add(length);
    file.truncate(end);
    file.drain(..start);
    Ok(Optimised {
        info: head.info,
        sample: head.sample,
        graph: file,
    })
}
