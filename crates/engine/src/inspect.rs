//! Looks at a model file before ONNX Runtime sees it.
//!
//! A model's file is written by a stranger and read by a library whose checks are mended every few
//! weeks. What is refused here never reaches that library: references to other files and to other
//! people's libraries, constants that are not in the file, graphs that nest, call or unfold without
//! end. Weights are skipped unread; time and memory are bounded by the size of the file.
//!
//! What is counted twice here, or not known to be harmless, is refused: a reader that is stricter
//! than the next one cannot be told another story than it.
//!
//! | module | does |
//! |---|---|
//! | `wire` | protobuf, read in place |
//! | `graph` | nodes and their attributes; order and names of values |
//! | `tensor` | constants are in the file and as large as they say |
//! | `types` | inputs, outputs and what is said of other values |
//! | `operators` | domains and versions |
//! | `functions` | calls, and what they unfold to |
//! | `unfold` | what is computed from constants |
//! | `limits` | how much of each |

use super::backend::ModelRefused;
use functions::{Body, Functions, check_unfolded};
use graph::{Graph, Reading};
use limits::{IR_VERSION, METADATA_BYTES, PORTS, Tally, What, too_many};
pub use limits::{NAME_BYTES, RANK};
use unfold::Unfolded;
use wire::{Fields, Once};

mod functions;
mod graph;
mod limits;
mod operators;
mod tensor;
mod types;
mod unfold;
mod wire;

/// What the file says that ONNX Runtime does not pass on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Inputs and outputs that do not even say how many dimensions they have.
    pub unranked: Vec<String>,
}

/// Judges a model file of at most `limit` bytes. Takes any bytes, ends in a time that grows with
/// their number, and never panics: what is fuzzed.
pub fn inspect(bytes: &[u8], limit: u64) -> Result<Inspected, ModelRefused> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(ModelRefused::TooLarge { size, limit });
    }
    let file = File::read(bytes)?;
    let mut reading = Reading {
        tally: Tally::default(),
        functions: Functions::default(),
        unfolded: Unfolded::default(),
    };
    for function in &file.functions {
        reading.tally.count(What::Functions)?;
        reading.functions.add(function)?;
    }
    let mut main = Body::default();
    let graph = reading.graph(file.graph, 0, &mut main)?;
    let mut bodies = Vec::with_capacity(file.functions.len());
    for function in &file.functions {
        let mut body = Body::default();
        reading.function(function, &mut body)?;
        bodies.push(body);
    }
    check_unfolded(&main, &bodies)?;
    check_ports(&graph)?;
    let ports = graph.inputs.iter().chain(&graph.outputs);
    let unranked = ports
        .filter(|port| !port.ranked)
        .map(|port| port.name.to_owned())
        .collect();
    Ok(Inspected { unranked })
}

/// The parts of a file that matter.
struct File<'a> {
    graph: &'a [u8],
    functions: Vec<&'a [u8]>,
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ModelRefused> {
        let (mut version, mut graph) = (Once::default(), Once::default());
        let mut functions = Vec::new();
        let mut metadata = 0_u64;
        for field in Fields(bytes) {
            let field = field?;
            match field.number {
                1 => version.set(&field, field.number()?)?,
                7 => graph.set(&field, field.bytes()?)?,
                8 => operators::check_opset(field.bytes()?)?,
                14 => {
                    let pair = field.bytes()?;
                    check_text(pair)?;
                    metadata =
                        metadata.saturating_add(u64::try_from(pair.len()).unwrap_or(u64::MAX));
                }
                20 => return Err(ModelRefused::Training),
                25 => functions.push(field.bytes()?),
                _ => {}
            }
        }
        let Some(graph) = graph.get() else {
            return Err(ModelRefused::NotOnnx {
                reason: "it holds no graph".into(),
            });
        };
        operators::check_version("ONNX files", version.get().unwrap_or_default(), IR_VERSION)?;
        if metadata > METADATA_BYTES {
            return Err(too_many("bytes of metadata", METADATA_BYTES));
        }
        Ok(Self { graph, functions })
    }
}

/// Both halves of a pair of metadata are handed on as text.
fn check_text(pair: &[u8]) -> Result<(), ModelRefused> {
    for field in Fields(pair) {
        let field = field?;
        if matches!(field.number, 1 | 2) && std::str::from_utf8(field.bytes()?).is_err() {
            return Err(wire::Malformed::Name.into());
        }
    }
    Ok(())
}

/// `__metadata__` is the one name that a safetensors file cannot give to a tensor, and an empty
/// one stands for "left out" in ONNX.
fn check_ports(graph: &Graph<'_>) -> Result<(), ModelRefused> {
    let ports = graph.inputs.len().saturating_add(graph.outputs.len());
    if u64::try_from(ports).unwrap_or(u64::MAX) > PORTS {
        return Err(too_many("inputs and outputs", PORTS));
    }
    for port in graph.inputs.iter().chain(&graph.outputs) {
        let name = shown(port.name);
        if port.name == "__metadata__" || port.name.is_empty() {
            return Err(ModelRefused::Name { name });
        }
        if port.sparse {
            let found = "a sparse tensor".into();
            return Err(ModelRefused::Type { name, found });
        }
    }
    Ok(())
}

/// A stranger's name as it may stand in a log: short, and without what moves a terminal's cursor.
pub fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    plain(name, LONGEST)
}

/// The same of a longer text that may hold such a name.
pub fn plain(text: &str, longest: usize) -> String {
    text.chars()
        .take(longest)
        .flat_map(char::escape_debug)
        .collect()
}
