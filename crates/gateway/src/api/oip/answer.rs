//! An answer: JSON, and the bytes of binary tensors after it.

use assay_client::session::Port;
use axum::{
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    VERSION, data, packing,
    request::{LENGTH_HEADER, Wanted},
    types,
};
use crate::api::{failure::Failure, tensors::Tensor};

/// An answer to be written.
pub struct Answer<'a> {
    /// As the client called it.
    pub model: &'a str,
    pub id: Option<&'a str>,
    /// The outputs, and whether each goes as bytes.
    pub outputs: Vec<(&'a Tensor, bool)>,
}

/// The outputs that were asked for; a model of whose outputs nothing is known gives all.
pub fn chosen<'a>(
    outputs: &'a [Tensor],
    wanted: &[Wanted],
    ports: &[Port],
) -> Result<Vec<(&'a Tensor, bool)>, Failure> {
    if ports.is_empty() {
        return Ok(outputs.iter().map(|output| (output, false)).collect());
    }
    let find = |wanted: &Wanted| {
        let found = outputs.iter().find(|output| output.name == wanted.name);
        let missing = || Failure::broken(format!("the answer lacks the output {:?}", wanted.name));
        Ok((found.ok_or_else(missing)?, wanted.binary))
    };
    wanted.iter().map(find).collect()
}

impl Answer<'_> {
    pub fn response(&self, headers: &HeaderMap) -> Result<Response, Failure> {
        let mut outputs = Vec::new();
        let mut binary: Vec<u8> = Vec::new();
        for (tensor, as_bytes) in &self.outputs {
            let Tensor {
                name,
                dtype,
                shape,
                data,
            } = tensor;
            let datatype = types::triton(*dtype).ok_or_else(|| {
                Failure::broken(format!(
                    "the output {name:?} has an element type that the protocol lacks"
                ))
            })?;
            let mut output = json!({ "name": name, "datatype": datatype, "shape": shape });
            let (key, value) = if *as_bytes {
                binary.extend_from_slice(data);
                ("parameters", json!({ "binary_data_size": data.len() }))
            } else {
                let values = data::write(data, *dtype).ok_or_else(|| {
                    Failure::invalid(format!(
                        "the output {name:?} holds NaN or infinity, which JSON has no word for; ask for it as binary \
                         data"
                    ))
                })?;
                ("data", values)
            };
            if let Value::Object(fields) = &mut output {
                fields.insert(key.to_owned(), value);
            }
            outputs.push(output);
        }
        let mut answer = json!({
            "model_name": self.model,
            "model_version": VERSION,
            "outputs": outputs,
        });
        if let (Value::Object(fields), Some(id)) = (&mut answer, self.id) {
            fields.insert("id".to_owned(), id.into());
        }
        let mut body = answer.to_string().into_bytes();
        let length = body.len();
        let mixed = self.outputs.iter().any(|(_, as_bytes)| *as_bytes);
        body.extend(binary);
        let (packed, body) = packing::pack(headers, body)
            .map_err(|error| Failure::broken(format!("the answer cannot be packed: {error}")))?;
        let mut response = body.into_response();
        let headers = response.headers_mut();
        let kind = if mixed {
            headers.insert(LENGTH_HEADER, length.into());
            "application/octet-stream"
        } else {
            "application/json"
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(packed) = packed {
            headers.insert(CONTENT_ENCODING, packed);
        }
        Ok(response)
    }
}
