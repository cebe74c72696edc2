//! Functions that a model defines itself. ONNX Runtime puts each in the place of its calls, so forty
//! small functions that each call the next one twice are a graph of a million million nodes.

use std::collections::HashMap;

use super::{
    limits::{CALL_DEPTH, UNFOLDED_NODES, too_deep, too_many},
    shown,
    wire::{Fields, Once},
};
use crate::backend::ModelRefused;

/// The functions of a file by domain, name and overload.
#[derive(Default)]
pub struct Functions<'a> {
    numbers: HashMap<(&'a str, &'a str, &'a str), usize>,
}

/// What a graph or a function is made of: its nodes, those of inner graphs included, and calls.
#[derive(Default)]
pub struct Body {
    nodes: u64,
    calls: Vec<usize>,
}

impl Body {
    pub fn add(&mut self, called: Option<usize>) {
        match called {
            Some(function) => self.calls.push(function),
            None => self.nodes = self.nodes.saturating_add(1),
        }
    }
}

impl<'a> Functions<'a> {
    /// Takes the next function's name, before any body is read.
    pub fn add(&mut self, bytes: &'a [u8]) -> Result<(), ModelRefused> {
        let (mut name, mut domain, mut overload) =
            (Once::default(), Once::default(), Once::default());
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                1 => name.set(&field, field.name()?)?,
                10 => domain.set(&field, field.name()?)?,
                13 => overload.set(&field, field.name()?)?,
                _ => {}
            }
        }
        let text = |once: &Once<&'a str>| once.get().unwrap_or_default();
        let number = self.numbers.len();
        let key = (text(&domain), text(&name), text(&overload));
        if self.numbers.insert(key, number).is_some() {
            return Err(ModelRefused::Twice { name: shown(key.1) });
        }
        Ok(())
    }

    pub fn find(&self, domain: &'a str, name: &'a str, overload: &'a str) -> Option<usize> {
        self.numbers.get(&(domain, name, overload)).copied()
    }
}

/// Whether the graph stays bearable with each call replaced by what it calls.
pub fn check_unfolded(graph: &Body, functions: &[Body]) -> Result<(), ModelRefused> {
    let mut sizes = vec![Size::Unknown; functions.len()];
    let nodes = unfolded(graph, functions, &mut sizes, CALL_DEPTH)?;
    if nodes > UNFOLDED_NODES {
        return Err(too_many(
            "nodes, each function put in the place of its calls,",
            UNFOLDED_NODES,
        ));
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Size {
    Unknown,
    /// Being counted: who comes here again has gone in a circle.
    Open,
    Nodes(u64),
}

/// Each function is counted once; `depth` bounds the recursion.
fn unfolded(
    body: &Body,
    functions: &[Body],
    sizes: &mut [Size],
    depth: usize,
) -> Result<u64, ModelRefused> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| too_deep("functions that call functions", CALL_DEPTH))?;
    let mut total = body.nodes;
    for called in &body.calls {
        let nodes = match sizes.get(*called) {
            Some(Size::Nodes(nodes)) => *nodes,
            Some(Size::Open) => return Err(ModelRefused::Recursion),
            Some(Size::Unknown) | None => {
                let Some(function) = functions.get(*called) else {
                    continue;
                };
                mark(sizes, *called, Size::Open);
                let nodes = unfolded(function, functions, sizes, depth)?;
                mark(sizes, *called, Size::Nodes(nodes));
                nodes
            }
        };
        total = total.saturating_add(nodes);
    }
    Ok(total)
}

fn mark(sizes: &mut [Size], function: usize, size: Size) {
    if let Some(place) = sizes.get_mut(function) {
        *place = size;
    }
}
