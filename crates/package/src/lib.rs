//! Model packages: a folder with a model, its tokenizer and its configuration, as exports to ONNX have them, and a
//! manifest of defaults; pinned by one digest.
//!
//! This crate exists to forbid sockets and money to what turns text into tokens and back.
//!
//! | module | does |
//! |---|---|
//! | `package` | opens a package and says what is in it |
//! | `files` | the files that count, in a folder or a tar archive, and the digest over them |
//! | `config` | what Hugging Face's configuration files say |
//! | `manifest`, `modelfile` | our own defaults, and the text that people write them in |
//! | `create` | makes a package from a Modelfile |
//! | `chat` | messages to a prompt |
//! | `tokens` | text to tokens and back |
//! | `stream` | text of an answer as its tokens come, and where it stops |
//! | `pooling` | vectors of tokens to the vector of a text |

mod chat;
mod config;
mod create;
mod error;
mod files;
mod manifest;
mod modelfile;
mod package;
mod pooling;
mod stream;
mod tokens;

#[cfg(test)]
#[path = "../tests/kit/exports.rs"]
mod exports;

pub use chat::{ChatTemplate, Message, Rendering};
pub use create::{Draft, create};
pub use error::{ModelfileError, PackageError, TextError};
pub use files::{COUNTED, ModelFile, digest_of};
pub use manifest::{Kind, MANIFEST, Manifest, Parameters, Pooling};
pub use modelfile::Modelfile;
pub use package::Package;
pub use pooling::{normalise, pool};
pub use stream::{Detokenizer, Shown, Stops};
pub use tokens::{Encoded, Tokens};
