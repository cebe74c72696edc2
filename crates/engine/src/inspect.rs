//! Looks at a model file before ONNX Runtime sees it.
//!
//! The messages below are onnx.proto cut down to the path by which a tensor can point to another
//! file; weights are skipped unread. ONNX Runtime checks such paths too, but has had to fix that
//! check again and again, and an inference job has no other files that it could mean.

use prost::Message;

use super::backend::ModelRefused;

/// What the file says that ONNX Runtime does not pass on.
pub struct Inspected {
    /// Inputs and outputs that do not even say how many dimensions they have.
    pub unranked: Vec<String>,
}

pub fn inspect(bytes: &[u8], limit: u64) -> Result<Inspected, ModelRefused> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(ModelRefused::TooLarge { size, limit });
    }
    let model = ModelProto::decode(bytes).map_err(|error| ModelRefused::NotOnnx {
        reason: error.to_string(),
    })?;
    let Some(graph) = &model.graph else {
        return Err(ModelRefused::NotOnnx {
            reason: "it holds no graph".into(),
        });
    };
    check_graph(graph)?;
    for function in &model.functions {
        check_nodes(&function.node)?;
        check_attributes(&function.attribute_proto)?;
    }
    for training in &model.training_info {
        for graph in [&training.initialization, &training.algorithm]
            .into_iter()
            .flatten()
        {
            check_graph(graph)?;
        }
    }
    check_ports(graph)?;
    let ports = graph.input.iter().chain(&graph.output);
    let unranked = ports
        .filter(|port| !port.is_ranked())
        .map(|port| port.name.clone())
        .collect();
    Ok(Inspected { unranked })
}

/// `__metadata__` is the one name that a safetensors file cannot give to a tensor, and an empty
/// one stands for "left out" in ONNX.
fn check_ports(graph: &GraphProto) -> Result<(), ModelRefused> {
    for port in graph.input.iter().chain(&graph.output) {
        if port.name == "__metadata__" || port.name.is_empty() {
            return Err(ModelRefused::Name {
                name: port.name.clone(),
            });
        }
        if port
            .r#type
            .as_ref()
            .is_some_and(|of| of.sparse_tensor_type.is_some())
        {
            let found = "a sparse tensor".into();
            return Err(ModelRefused::Type {
                name: port.name.clone(),
                found,
            });
        }
    }
    Ok(())
}

fn check_graph(graph: &GraphProto) -> Result<(), ModelRefused> {
    graph.initializer.iter().try_for_each(check_tensor)?;
    graph.sparse_initializer.iter().try_for_each(check_sparse)?;
    check_nodes(&graph.node)
}

fn check_nodes(nodes: &[NodeProto]) -> Result<(), ModelRefused> {
    for node in nodes {
        // A compiled blob for one vendor's device, which may also name a file.
        if node.op_type == "EPContext" {
            return Err(ModelRefused::Compiled);
        }
        check_attributes(&node.attribute)?;
    }
    Ok(())
}

fn check_attributes(attributes: &[AttributeProto]) -> Result<(), ModelRefused> {
    for attribute in attributes {
        attribute
            .t
            .iter()
            .chain(&attribute.tensors)
            .try_for_each(check_tensor)?;
        let sparse = attribute
            .sparse_tensor
            .iter()
            .chain(&attribute.sparse_tensors);
        sparse.into_iter().try_for_each(check_sparse)?;
        attribute
            .g
            .as_deref()
            .into_iter()
            .chain(&attribute.graphs)
            .try_for_each(check_graph)?;
    }
    Ok(())
}

fn check_sparse(sparse: &SparseTensorProto) -> Result<(), ModelRefused> {
    sparse
        .values
        .iter()
        .chain(&sparse.indices)
        .try_for_each(check_tensor)
}

fn check_tensor(tensor: &TensorProto) -> Result<(), ModelRefused> {
    const INSIDE: i32 = 0;
    if tensor.data_location.unwrap_or(INSIDE) != INSIDE || !tensor.external_data.is_empty() {
        return Err(ModelRefused::ExternalData {
            name: tensor.name.clone(),
        });
    }
    Ok(())
}

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "20")]
    training_info: Vec<TrainingInfoProto>,
    #[prost(message, repeated, tag = "25")]
    functions: Vec<FunctionProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TrainingInfoProto {
    #[prost(message, optional, tag = "1")]
    initialization: Option<GraphProto>,
    #[prost(message, optional, tag = "2")]
    algorithm: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct FunctionProto {
    #[prost(message, repeated, tag = "7")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "11")]
    attribute_proto: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "15")]
    sparse_initializer: Vec<SparseTensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(message, optional, tag = "5")]
    t: Option<TensorProto>,
    #[prost(message, optional, boxed, tag = "6")]
    g: Option<Box<GraphProto>>,
    #[prost(message, repeated, tag = "10")]
    tensors: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<GraphProto>,
    #[prost(message, optional, tag = "22")]
    sparse_tensor: Option<SparseTensorProto>,
    #[prost(message, repeated, tag = "23")]
    sparse_tensors: Vec<SparseTensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct SparseTensorProto {
    #[prost(message, optional, tag = "1")]
    values: Option<TensorProto>,
    #[prost(message, optional, tag = "2")]
    indices: Option<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(string, tag = "8")]
    name: String,
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<StringStringEntryProto>,
    #[prost(int32, optional, tag = "14")]
    data_location: Option<i32>,
}

/// Key and value of an external tensor; that there is one is all that matters.
#[derive(Clone, PartialEq, Message)]
struct StringStringEntryProto {}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

impl ValueInfoProto {
    fn is_ranked(&self) -> bool {
        let of = self.r#type.as_ref();
        of.and_then(|of| of.tensor_type.as_ref())
            .is_some_and(|tensor| tensor.shape.is_some())
    }
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
    #[prost(message, optional, tag = "8")]
    sparse_tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShapeProto>,
}

/// Its dimensions are read through ONNX Runtime; here only its presence counts.
#[derive(Clone, PartialEq, Message)]
struct TensorShapeProto {}
