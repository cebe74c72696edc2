//! Model packages: a folder with a model, its tokenizer and its configuration, as exports to ONNX have them, and a
//! manifest of defaults; pinned by one digest.
//!
//! This crate exists to forbid sockets and money to what turns text into tokens and back.
