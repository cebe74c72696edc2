//! How large a model may be in everything but its weights.
//!
//! Each limit is several times what the largest published models have, and small enough that the
//! check and ONNX Runtime's reading of the graph end in seconds.

use crate::backend::ModelRefused;

/// Of values, operators, domains and attributes.
pub const NAME_BYTES: usize = 4_096;
/// Graphs in graphs, as the bodies of loops and branches.
pub const GRAPH_DEPTH: usize = 16;
/// Sequences of sequences, and what else types are made of.
pub const TYPE_DEPTH: usize = 8;
/// Functions that call functions.
pub const CALL_DEPTH: usize = 64;
pub const RANK: usize = 64;
/// Nodes after each function has taken the place of its calls, which is how ONNX Runtime runs it.
pub const UNFOLDED_NODES: u64 = 500_000;
/// Bytes of what is computed from constants alone, as far as the file tells.
pub const UNFOLDED_BYTES: u64 = 8 << 30;
/// Inputs and outputs of the model.
pub const PORTS: u64 = 4_096;
/// `metadata_props`, which are handed to the worker.
pub const METADATA_BYTES: u64 = 1 << 20;

/// Oldest and newest versions of the format and of its operators that the conformance tests cover.
pub const IR_VERSION: (u64, u64) = (3, 13);
pub const OPSET: (u64, u64) = (1, 26);
pub const ML_OPSET: (u64, u64) = (1, 5);

/// What is counted over the whole file, functions and inner graphs included.
#[derive(Clone, Copy, Debug)]
pub enum What {
    Nodes,
    /// Names of a node's inputs and outputs.
    Edges,
    Attributes,
    Tensors,
    Graphs,
    Functions,
    /// Descriptions of values: their types and dimensions.
    Types,
}

impl What {
    const ALL: usize = 7;

    fn most(self) -> (u64, &'static str) {
        match self {
            Self::Nodes => (200_000, "nodes"),
            Self::Edges => (2_000_000, "inputs and outputs of nodes"),
            Self::Attributes => (1_000_000, "attributes"),
            Self::Tensors => (200_000, "constant tensors"),
            Self::Graphs => (10_000, "inner graphs"),
            Self::Functions => (4_096, "functions"),
            Self::Types => (2_000_000, "types and dimensions"),
        }
    }
}

#[derive(Debug, Default)]
pub struct Tally([u64; What::ALL]);

impl Tally {
    pub fn count(&mut self, what: What) -> Result<(), ModelRefused> {
        let (most, name) = what.most();
        if let Some(count) = self.0.get_mut(what as usize) {
            *count = count.saturating_add(1);
            if *count > most {
                return Err(too_many(name, most));
            }
        }
        Ok(())
    }
}

pub fn too_many(what: &str, most: u64) -> ModelRefused {
    let what = what.into();
    ModelRefused::TooMany { what, most }
}

pub fn too_deep(what: &str, most: usize) -> ModelRefused {
    let what = what.into();
    ModelRefused::TooDeep { what, most }
}
