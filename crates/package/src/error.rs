//! What goes wrong with packages.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a package cannot be opened or made.
#[derive(Debug, Error)]
pub enum PackageError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} holds no model: a package has model.onnx or onnx/model.onnx")]
    NoModel { path: PathBuf },
    #[error(
        "{path} is a link out of the package; copy the folder with its links followed (cp -rL) if that is meant"
    )]
    Outside { path: PathBuf },
    #[error("{path} is larger than {limit} bytes; a file of this kind never is")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{file} cannot be understood: {reason}")]
    Invalid { file: String, reason: String },
    #[error("{path} exists already; remove it or name another output")]
    Exists { path: PathBuf },
    #[error("{path}: {source}")]
    Modelfile {
        path: PathBuf,
        source: ModelfileError,
    },
}

/// What is wrong with a Modelfile, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct ModelfileError {
    /// From 1.
    pub line: usize,
    pub reason: String,
}

/// Why a text cannot be made of tokens, or the other way around. Texts are for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum TextError {
    #[error("the package has no tokenizer.json, so it takes tensors and no text")]
    NoTokenizer,
    #[error(
        "the package has no chat template; ask for a completion, or add TEMPLATE to its Modelfile"
    )]
    NoTemplate,
    #[error(
        "{file} cannot be understood: the chat template is no Jinja that is understood: {reason}"
    )]
    Template { file: String, reason: String },
    #[error("the chat template refuses these messages: {0}")]
    Refused(String),
    #[error("the tokenizer fails: {0}")]
    Tokenizer(String),
}
