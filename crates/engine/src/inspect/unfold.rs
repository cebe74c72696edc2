//! What a few bytes become before anything is run: ONNX Runtime computes what follows from constants
//! alone when it loads a model. Where the file itself tells the size, it counts.

use std::collections::HashMap;

use super::{
    graph::Node,
    limits::UNFOLDED_BYTES,
    shown,
    tensor::{Kind, Tensor},
};
use crate::backend::ModelRefused;

#[derive(Default)]
pub struct Unfolded(u64);

impl Unfolded {
    /// Counts a constant that is computed, or spread, when the model is loaded.
    pub fn add(&mut self, name: &str, bytes: u64) -> Result<(), ModelRefused> {
        self.0 = self.0.saturating_add(bytes);
        check(name, self.0)
    }

    /// Adds what a graph's nodes make of constant shapes.
    pub fn graph<'a>(
        &mut self,
        nodes: &[Node<'a>],
        constants: &[Tensor<'a>],
    ) -> Result<(), ModelRefused> {
        let mut shapes: HashMap<&str, &[i64]> = HashMap::new();
        for constant in constants {
            if let Some(values) = &constant.values {
                shapes.insert(constant.name, values);
            }
        }
        for node in nodes.iter().filter(|node| node.operator == "Constant") {
            let tensor = node
                .value
                .as_ref()
                .and_then(|value| value.values.as_deref());
            if let (Some(values), Some(output)) =
                (tensor.or(node.shape.as_deref()), node.outputs.first())
            {
                shapes.insert(output, values);
            }
        }
        for node in nodes {
            let shape = |input: usize| {
                shapes
                    .get(*node.inputs.get(input)?)
                    .map(|shape| elements(shape))
            };
            let name = node.outputs.first().copied().unwrap_or(node.name);
            match node.operator {
                "ConstantOfShape" => {
                    let kind = node.value.as_ref().map_or(Kind(1), |value| value.kind);
                    self.add(name, kind.bytes(shape(0).unwrap_or_default()))?;
                }
                // At least a byte each; that they are computed at once, only ONNX Runtime knows.
                "Expand" | "Tile" => check(name, shape(1).unwrap_or_default())?,
                "Resize" => check(name, shape(3).unwrap_or_default())?,
                "RandomNormal" | "RandomUniform" => {
                    check(
                        name,
                        node.shape.as_deref().map_or(0, elements).saturating_mul(2),
                    )?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn check(name: &str, bytes: u64) -> Result<(), ModelRefused> {
    if bytes > UNFOLDED_BYTES {
        return Err(ModelRefused::Unfolds {
            name: shown(name),
            most: UNFOLDED_BYTES,
        });
    }
    Ok(())
}

/// Of a shape; what is below zero or beyond counting is nothing that is made.
fn elements(shape: &[i64]) -> u64 {
    let sides = shape.iter().map(|side| u64::try_from(*side).unwrap_or(0));
    sides.fold(1, u64::saturating_mul)
}
