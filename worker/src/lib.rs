//! The worker of an Assay provider.

pub mod engine;
