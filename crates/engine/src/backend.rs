//! What runs models: a synchronous trait, so that a runtime needs no thread of its own choosing.

use serde::{Deserialize, Serialize};

use super::{error::RuntimeFault, info::ModelInfo, tensor::Tensor};

/// One model at a time. `load` replaces the model; `run` takes tensors in the model's input order
/// that [`ModelInfo::check_tensors`] accepted, and gives them in its output order.
pub trait Backend {
    fn load(&mut self, model: &[u8]) -> Result<ModelInfo, LoadError>;
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError>;
}

/// What a model made of a valid input. Either is an answer that a provider commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the model's output order.
    Outputs(Vec<Tensor>),
    Failed(ModelFailure),
}

/// The model itself fails on this input, on any correct runtime: an index out of range, a shape
/// that does not add up. The text is for people; it is no part of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("the model fails on this input: {message}")]
pub struct ModelFailure {
    pub message: String,
}

/// Why this worker does not run a model. Decided before a job is claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelRefused {
    #[error("the file is no ONNX model: {reason}; check that the right file was registered, whole")]
    NotOnnx { reason: String },
    #[error("the model has {size} bytes and this worker takes at most {limit}")]
    TooLarge { size: u64, limit: u64 },
    #[error(
        "the model needs {needs} bytes of memory and all engines together may hold {limit}; raise \
         `engine.memory_bytes` or leave the model out of `policy.models`"
    )]
    Memory { needs: u64, limit: u64 },
    #[error("tensor `{name}` lies outside the model file; save the model with all data inside it")]
    ExternalData { name: String },
    #[error("the model holds an EPContext node, compiled for one device; register the plain model")]
    Compiled,
    #[error(
        "operator `{operator}` of domain `{domain}` is none of ONNX's: it would need a library of somebody's \
         code, and no worker loads one; write it with ONNX's operators, or as a function of the model"
    )]
    Operator { domain: String, operator: String },
    #[error(
        "the model is written for version {found} of {what}, and {least} to {most} are served; convert it"
    )]
    Version {
        what: String,
        found: u64,
        least: u64,
        most: u64,
    },
    #[error(
        "the model has more than {most} {what}, which no worker takes; make it smaller, or split it"
    )]
    TooMany { what: String, most: u64 },
    #[error("the model has {what} more than {most} deep, which no worker takes; write it flatter")]
    TooDeep { what: String, most: usize },
    #[error("tensor `{name}` {reason}; write the model again with its own data")]
    Tensor { name: String, reason: String },
    #[error(
        "value `{name}` would be computed from constants and have more than {most} bytes, or bring all such \
         values above that; compute it from an input"
    )]
    Unfolds { name: String, most: u64 },
    #[error("value `{name}` needs itself to be computed; a graph has no circles, use a Loop")]
    Circle { name: String },
    #[error("`{name}` is defined twice; give every value and function a name of its own")]
    Twice { name: String },
    #[error("a function of the model calls itself, directly or by others; use a Loop")]
    Recursion,
    #[error(
        "the model carries training information, which nothing here runs; export it for inference"
    )]
    Training,
    #[error("input or output `{name}` has a name that tensor files reserve; rename it")]
    Name { name: String },
    #[error("input or output `{name}` is {found}, which Assay does not carry; use plain tensors")]
    Type { name: String, found: String },
    #[error(
        "the {provider} provider cannot run every node of the model, and none is run elsewhere in silence; serve the \
         model with `engine.provider = \"cpu\"`, or leave it out of `policy.models`"
    )]
    NotPlaced { provider: String },
    #[error("ONNX Runtime refuses the model: {reason}")]
    Unloadable { reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Refused(#[from] ModelRefused),
    #[error(transparent)]
    Fault(#[from] RuntimeFault),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Failed(#[from] ModelFailure),
    #[error(transparent)]
    Fault(#[from] RuntimeFault),
}
