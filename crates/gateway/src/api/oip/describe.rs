//! What the server and its models are.

use assay_client::session::Port;
use axum::Json;
use serde_json::{Value, json};

use super::{VERSION, types};
use crate::api::models::Offered;

pub async fn server() -> Json<Value> {
    Json(json!({
        "name": "assay",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data", "model_configuration", "model_repository"],
    }))
}

pub fn model(offered: &Offered, name: &str) -> Value {
    let port = |port: &Port| json!({ "name": port.name, "datatype": types::of_port(&port.dtype), "shape": shape(port) });
    let model = &offered.listed.model;
    json!({
        "name": name,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": model.inputs.iter().map(port).collect::<Vec<_>>(),
        "outputs": model.outputs.iter().map(port).collect::<Vec<_>>(),
    })
}

/// Of Triton's configuration, what there is to say. Requests are batched by providers, beneath the model's shapes.
pub fn config(offered: &Offered, name: &str) -> Value {
    let port = |port: &Port| {
        let dtype = match types::of_port(&port.dtype) {
            "BYTES" => "STRING",
            other => other,
        };
        json!({ "name": port.name, "data_type": format!("TYPE_{dtype}"), "dims": shape(port) })
    };
    let model = &offered.listed.model;
    json!({
        "name": name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": model.inputs.iter().map(port).collect::<Vec<_>>(),
        "output": model.outputs.iter().map(port).collect::<Vec<_>>(),
    })
}

fn shape(port: &Port) -> &[i64] {
    port.shape.as_deref().unwrap_or_default()
}
