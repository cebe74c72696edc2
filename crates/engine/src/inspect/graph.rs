//! One graph: its nodes, what they take and give, and what is fixed in it.

use std::collections::HashMap;

use super::{
    functions::{Body, Functions},
    limits::{GRAPH_DEPTH, Tally, What, too_deep},
    operators, shown,
    tensor::{Tensor, sparse},
    types::Port,
    unfold::Unfolded,
    wire::{Fields, Once},
};
use crate::backend::ModelRefused;

/// What is counted and known while a file is read.
pub struct Reading<'a> {
    pub tally: Tally,
    pub functions: Functions<'a>,
    pub unfolded: Unfolded,
}

pub struct Graph<'a> {
    pub inputs: Vec<Port<'a>>,
    pub outputs: Vec<Port<'a>>,
}

#[derive(Default)]
pub struct Node<'a> {
    pub operator: &'a str,
    pub domain: &'a str,
    pub overload: &'a str,
    pub name: &'a str,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    /// Of the attributes `value` and `shape`, if it has them.
    pub value: Option<Tensor<'a>>,
    pub shape: Option<Vec<i64>>,
}

/// Everything of a graph that names or fixes a value.
#[derive(Default)]
struct Scope<'a> {
    inputs: Vec<Port<'a>>,
    outputs: Vec<Port<'a>>,
    nodes: Vec<Node<'a>>,
    constants: Vec<Tensor<'a>>,
}

impl<'a> Reading<'a> {
    /// Reads a graph and everything in it. What its nodes are and call goes to `body`.
    pub fn graph(
        &mut self,
        bytes: &'a [u8],
        depth: usize,
        body: &mut Body,
    ) -> Result<Graph<'a>, ModelRefused> {
        if depth > GRAPH_DEPTH {
            return Err(too_deep("graphs in graphs", GRAPH_DEPTH));
        }
        self.tally.count(What::Graphs)?;
        let mut scope = Scope::default();
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                1 => {
                    let node = self.node(field.bytes()?, depth, body)?;
                    scope.nodes.push(node);
                }
                5 => scope
                    .constants
                    .push(Tensor::read(field.bytes()?, &mut self.tally)?),
                11 => scope
                    .inputs
                    .push(Port::read(field.bytes()?, &mut self.tally)?),
                12 => scope
                    .outputs
                    .push(Port::read(field.bytes()?, &mut self.tally)?),
                13 => {
                    Port::read(field.bytes()?, &mut self.tally)?;
                }
                15 => {
                    let (name, bytes) = sparse(field.bytes()?, &mut self.tally)?;
                    self.unfolded.add(name, bytes)?;
                }
                _ => {}
            }
        }
        let given = scope.inputs.iter().map(|port| port.name);
        let given = given.chain(scope.constants.iter().map(|constant| constant.name));
        check_order(&scope.nodes, given)?;
        self.unfolded.graph(&scope.nodes, &scope.constants)?;
        Ok(Graph {
            inputs: scope.inputs,
            outputs: scope.outputs,
        })
    }

    /// A function's nodes, which see its inputs only.
    pub fn function(&mut self, bytes: &'a [u8], body: &mut Body) -> Result<(), ModelRefused> {
        let mut inputs = Vec::new();
        let mut nodes = Vec::new();
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                4 => inputs.push(field.name()?),
                7 => nodes.push(self.node(field.bytes()?, 0, body)?),
                9 => operators::check_opset(field.bytes()?)?,
                11 => drop(self.attribute(field.bytes()?, 0, body)?),
                12 => {
                    Port::read(field.bytes()?, &mut self.tally)?;
                }
                _ => {}
            }
        }
        check_order(&nodes, inputs.into_iter())?;
        self.unfolded.graph(&nodes, &[])
    }

    fn node(
        &mut self,
        bytes: &'a [u8],
        depth: usize,
        body: &mut Body,
    ) -> Result<Node<'a>, ModelRefused> {
        self.tally.count(What::Nodes)?;
        let mut node = Node::default();
        let (mut operator, mut domain, mut overload, mut name) = (
            Once::default(),
            Once::default(),
            Once::default(),
            Once::default(),
        );
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                1 | 2 => {
                    self.tally.count(What::Edges)?;
                    let names = if field.number == 1 {
                        &mut node.inputs
                    } else {
                        &mut node.outputs
                    };
                    names.push(field.name()?);
                }
                3 => name.set(&field, field.name()?)?,
                4 => operator.set(&field, field.name()?)?,
                5 => match self.attribute(field.bytes()?, depth, body)? {
                    Attribute::Value(tensor) => node.value = Some(tensor),
                    Attribute::Shape(shape) => node.shape = Some(shape),
                    Attribute::Other => {}
                },
                7 => domain.set(&field, field.name()?)?,
                8 => overload.set(&field, field.name()?)?,
                _ => {}
            }
        }
        node.operator = operator.get().unwrap_or_default();
        node.domain = domain.get().unwrap_or_default();
        node.overload = overload.get().unwrap_or_default();
        node.name = name.get().unwrap_or_default();
        let called = self
            .functions
            .find(node.domain, node.operator, node.overload);
        if called.is_none() {
            operators::check(node.domain, node.operator)?;
        }
        body.add(called);
        Ok(node)
    }

    fn attribute(
        &mut self,
        bytes: &'a [u8],
        depth: usize,
        body: &mut Body,
    ) -> Result<Attribute<'a>, ModelRefused> {
        /// More integers than a shape has are no shape.
        const FEW: usize = 16;
        self.tally.count(What::Attributes)?;
        let (mut name, mut integer, mut graph) =
            (Once::default(), Once::default(), Once::default());
        let (mut tensor, mut sparse_tensor) = (Once::default(), Once::default());
        let mut value = None;
        let mut integers = Vec::new();
        let inner = depth.saturating_add(1);
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                1 => name.set(&field, field.name()?)?,
                3 => {
                    integer.set(&field, ())?;
                    integers.push(field.number()?);
                }
                5 => {
                    tensor.set(&field, ())?;
                    value = Some(Tensor::read(field.bytes()?, &mut self.tally)?);
                }
                6 => {
                    graph.set(&field, ())?;
                    self.graph(field.bytes()?, inner, body)?;
                }
                8 => drop(field.numbers(&mut integers, FEW)?),
                10 => drop(Tensor::read(field.bytes()?, &mut self.tally)?),
                11 => drop(self.graph(field.bytes()?, inner, body)?),
                22 | 23 => {
                    if field.number == 22 {
                        sparse_tensor.set(&field, ())?;
                    }
                    let (name, bytes) = sparse(field.bytes()?, &mut self.tally)?;
                    self.unfolded.add(name, bytes)?;
                }
                _ => {}
            }
        }
        let few = integers.len() <= FEW;
        let integers = integers.into_iter().map(u64::cast_signed);
        Ok(match (name.get().unwrap_or_default(), value) {
            ("value", Some(tensor)) => Attribute::Value(tensor),
            ("value_ints" | "value_int" | "shape", None) if few => {
                Attribute::Shape(integers.collect())
            }
            (_, Some(_) | None) => Attribute::Other,
        })
    }
}

enum Attribute<'a> {
    Value(Tensor<'a>),
    Shape(Vec<i64>),
    Other,
}

/// Each value is made once, and none needs itself. What inner graphs take from outside is left to
/// ONNX Runtime.
fn check_order<'a>(
    nodes: &[Node<'a>],
    given: impl Iterator<Item = &'a str>,
) -> Result<(), ModelRefused> {
    let mut makers: HashMap<&str, Option<usize>> = given.map(|name| (name, None)).collect();
    for (position, node) in nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|name| !name.is_empty()) {
            if makers.insert(output, Some(position)).is_some() {
                return Err(ModelRefused::Twice {
                    name: shown(output),
                });
            }
        }
    }
    // How many of a node's inputs are still to be made, and which nodes wait for it.
    let mut missing = vec![0_usize; nodes.len()];
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (position, node) in nodes.iter().enumerate() {
        for maker in node.inputs.iter().filter_map(|input| *makers.get(input)?) {
            if let (Some(count), Some(list)) = (missing.get_mut(position), waiting.get_mut(maker)) {
                *count = count.saturating_add(1);
                list.push(position);
            }
        }
    }
    let mut ready: Vec<usize> = (0..nodes.len())
        .filter(|node| missing.get(*node) == Some(&0))
        .collect();
    while let Some(done) = ready.pop() {
        for position in waiting
            .get_mut(done)
            .map(std::mem::take)
            .unwrap_or_default()
        {
            if let Some(count) = missing.get_mut(position) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.push(position);
                }
            }
        }
    }
    let stuck = nodes.iter().zip(&missing).find(|(_, count)| **count > 0);
    match stuck {
        None => Ok(()),
        Some((node, _)) => Err(ModelRefused::Circle {
            name: shown(node.outputs.first().copied().unwrap_or(node.name)),
        }),
    }
}
