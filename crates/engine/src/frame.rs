//! What crosses the pipe between host and engine.
//!
//! A frame is `"ASE1" | header length u32le | body length u64le | header | body`: a JSON header
//! that says what it is, and a body of model or tensor bytes, empty where these lie in shared memory.
//! Lengths are checked before anything is read, because the far end may be a model that has taken
//! over its process. Tensors lie one behind another as [`Layout`](super::shared::Layout) says.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    backend::{ModelFailure, ModelRefused},
    carry::Carrying,
    config::EngineConfig,
    error::RuntimeFault,
    info::ModelInfo,
    placement::Placement,
    runtime::Runtime,
    sandbox::{Attempt, Confinement},
    settings::Mode,
    shared::Sizes,
};

const MAGIC: [u8; 4] = *b"ASE1";
/// Bytes before the header.
pub const PREAMBLE: usize = 16;
/// A header holds names and a model's metadata; a megabyte of them is no honest model.
const MAX_HEADER: u32 = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Before everything else, where memory can be shared.
    Share { sizes: Sizes },
    /// Then this, and once.
    Start {
        config: EngineConfig,
        #[serde(default)]
        mode: Mode,
    },
    /// The model, of so many bytes if they lie in shared memory, else in the body; its optimised graph
    /// is wanted, too.
    Load {
        shared: Option<u64>,
        #[serde(default)]
        keep: bool,
    },
    /// The optimised graph of a model that was loaded before, likewise, and what was said of it then.
    LoadOptimised {
        shared: Option<u64>,
        info: ModelInfo,
    },
    /// The shapes of the inputs that are given, in the model's order; their elements likewise.
    Run {
        shapes: Vec<Vec<usize>>,
        shared: bool,
        /// How long it may look for the next request in a loop once it has answered; 0 for not at all.
        #[serde(default)]
        linger_micros: u64,
        /// If it is one of a sequence.
        #[serde(default)]
        carrying: Option<Carrying>,
    },
    /// Drops what is kept for a sequence, if anything is.
    Forget { sequence: u64 },
    /// Body: a model, which ONNX Runtime is given without a look at it. To try the sandbox with.
    LoadUnchecked,
    /// Tries to get out of the sandbox, to show that it holds.
    Attempt { attempt: Attempt },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The numbers of the files that hold what is given and what is made, until the next request.
    Sharing {
        numbers: [i32; 2],
        /// The file to which an optimised graph is written, until the model is loaded.
        #[serde(default)]
        blank: Option<i32>,
    },
    /// Everything is to go through the pipe.
    NotSharing {
        reason: String,
    },
    Started {
        runtime: Runtime,
        confinement: Confinement,
    },
    Loaded {
        info: ModelInfo,
        placement: Placement,
        /// Digest in hex of what a sample gave; none if none was run.
        #[serde(default)]
        sample: Option<String>,
        #[serde(default)]
        kept: Kept,
    },
    /// The shapes of the outputs that are given, in the model's order; their elements as those of the inputs.
    Outputs {
        shapes: Vec<Vec<usize>>,
        shared: bool,
    },
    Failed {
        failure: ModelFailure,
    },
    Refused {
        refused: ModelRefused,
    },
    Fault {
        fault: RuntimeFault,
    },
    Forgotten,
    /// What the system said to the attempt; nothing if it let it pass.
    Attempted {
        denied: Option<String>,
    },
}

/// What became of the wish for the optimised graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kept", rename_all = "snake_case")]
pub enum Kept {
    #[default]
    NotAsked,
    /// It is in the file.
    Written,
    Not {
        reason: String,
    },
}

impl Response {
    /// Bytes of a header like this. Only a model's names and metadata are long, and the shapes of many
    /// outputs; other words come from who knows whom, and go into logs and journals.
    pub fn longest(&self) -> usize {
        const WORDS: usize = 16 << 10;
        match self {
            Self::Loaded { .. } | Self::Outputs { .. } => usize::MAX,
            Self::Sharing { .. }
            | Self::NotSharing { .. }
            | Self::Started { .. }
            | Self::Failed { .. }
            | Self::Refused { .. }
            | Self::Fault { .. }
            | Self::Forgotten
            | Self::Attempted { .. } => WORDS,
        }
    }
}

/// The lengths that a preamble announces, if they are within bounds.
pub fn lengths(preamble: &[u8; PREAMBLE], max_body: u64) -> Result<(u64, u64), String> {
    let [a, b, c, d, h0, h1, h2, h3, body @ ..] = *preamble;
    if [a, b, c, d] != MAGIC {
        return Err(format!(
            "a frame began with {:?}",
            [a, b, c, d].escape_ascii().to_string()
        ));
    }
    let (header, body) = (
        u32::from_le_bytes([h0, h1, h2, h3]),
        u64::from_le_bytes(body),
    );
    if header > MAX_HEADER {
        return Err(format!(
            "a header of {header} bytes, at most {MAX_HEADER} allowed"
        ));
    }
    if body > max_body {
        return Err(format!(
            "a body of {body} bytes, at most {max_body} allowed"
        ));
    }
    Ok((header.into(), body))
}

/// Preamble and header, to be followed by the body.
pub fn head<T: Serialize>(header: &T, body: &[u8]) -> io::Result<Vec<u8>> {
    let header = serde_json::to_vec(header)?;
    let length = u32::try_from(header.len())
        .ok()
        .filter(|length| *length <= MAX_HEADER);
    let length = length.ok_or_else(|| io::Error::other("a header longer than a frame allows"))?;
    let body = u64::try_from(body.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(PREAMBLE.saturating_add(header.len()));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&body.to_le_bytes());
    bytes.extend_from_slice(&header);
    Ok(bytes)
}

/// Writes a frame.
pub fn write<T: Serialize>(to: &mut impl Write, header: &T, body: &[u8]) -> io::Result<()> {
    to.write_all(&head(header, body)?)?;
    to.write_all(body)?;
    to.flush()
}

/// Reads a frame; None where the pipe ends between frames.
pub fn read<T: DeserializeOwned>(
    from: &mut impl Read,
    max_body: u64,
) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut preamble = [0; PREAMBLE];
    match from.read(&mut preamble)? {
        0 => return Ok(None),
        some => from.read_exact(preamble.get_mut(some..).unwrap_or_default())?,
    }
    let (header, body) = lengths(&preamble, max_body).map_err(io::Error::other)?;
    let header = take(from, header)?;
    Ok(Some((serde_json::from_slice(&header)?, take(from, body)?)))
}

/// Grows with what arrives, so that an announced length alone costs no memory.
fn take(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).ok() == Some(length) {
        return Ok(bytes);
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_pipe_one_after_another() {
        let mut pipe = Vec::new();
        let start = Request::Start {
            config: EngineConfig::default(),
            mode: Mode::Fast,
        };
        write(&mut pipe, &start, b"").unwrap();
        let load = Request::Load {
            shared: None,
            keep: false,
        };
        write(&mut pipe, &load, b"tensors").unwrap();
        let mut from = pipe.as_slice();
        assert_eq!(read(&mut from, 7).unwrap(), Some((start, vec![])));
        assert_eq!(
            read(&mut from, 7).unwrap(),
            Some((load, b"tensors".to_vec()))
        );
        assert_eq!(read::<Request>(&mut from, 7).unwrap(), None);
    }

    #[test]
    fn bad_frames_are_errors() {
        let mut good = Vec::new();
        write(&mut good, &Request::LoadUnchecked, b"tensors").unwrap();
        let refused = |bytes: &[u8], max_body: u64| {
            read::<Request>(&mut &bytes[..], max_body)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&good, 6).contains("a body of 7 bytes, at most 6 allowed"));
        assert!(refused(b"Hello, this is no frame", 9).contains("began with \"Hell\""));
        for end in 1..good.len() {
            refused(&good[..end], 7);
        }
        let mut long = good.clone();
        long[7] = 1;
        assert!(refused(&long, 7).contains("a header of 16777"));
        let mut unknown = Vec::new();
        write(&mut unknown, &serde_json::json!({"escape": {}}), b"").unwrap();
        assert!(refused(&unknown, 7).contains("unknown variant"));
    }
}
