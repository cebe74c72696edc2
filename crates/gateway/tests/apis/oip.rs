//! The Open Inference Protocol.

use std::io::Write as _;

use assay_gateway::{UpstreamError, api::Options};
use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use super::kit::{Gateway, Runner, Scripted, busy, offer, port};

/// Names of types, the protocol's and the files', and two elements as JSON and as bytes.
fn types() -> Vec<(&'static str, &'static str, Value, Vec<u8>)> {
    fn bytes<const N: usize>(elements: [[u8; N]; 2]) -> Vec<u8> {
        elements.concat()
    }
    vec![
        ("BOOL", "BOOL", json!([true, false]), vec![1, 0]),
        ("UINT8", "U8", json!([255, 1]), vec![255, 1]),
        (
            "UINT16",
            "U16",
            json!([65_535, 1]),
            bytes([65_535_u16, 1].map(u16::to_le_bytes)),
        ),
        (
            "UINT32",
            "U32",
            json!([u32::MAX, 1]),
            bytes([u32::MAX, 1].map(u32::to_le_bytes)),
        ),
        (
            "UINT64",
            "U64",
            json!([u64::MAX, 1]),
            bytes([u64::MAX, 1].map(u64::to_le_bytes)),
        ),
        (
            "INT8",
            "I8",
            json!([-128, 1]),
            bytes([-128_i8, 1].map(i8::to_le_bytes)),
        ),
        (
            "INT16",
            "I16",
            json!([-32_768, 1]),
            bytes([-32_768_i16, 1].map(i16::to_le_bytes)),
        ),
        (
            "INT32",
            "I32",
            json!([i32::MIN, 1]),
            bytes([i32::MIN, 1].map(i32::to_le_bytes)),
        ),
        (
            "INT64",
            "I64",
            json!([i64::MIN, 1]),
            bytes([i64::MIN, 1].map(i64::to_le_bytes)),
        ),
        (
            "FP16",
            "F16",
            json!([-1.5, 0.25]),
            vec![0x00, 0xbe, 0x00, 0x34],
        ),
        (
            "BF16",
            "BF16",
            json!([-1.5, 0.25]),
            vec![0xc0, 0xbf, 0x80, 0x3e],
        ),
        (
            "FP32",
            "F32",
            json!([-1.5, 0.25]),
            bytes([-1.5_f32, 0.25].map(f32::to_le_bytes)),
        ),
        (
            "FP64",
            "F64",
            json!([-1.5, 0.1]),
            bytes([-1.5_f64, 0.1].map(f64::to_le_bytes)),
        ),
    ]
}

/// Gives each input back as the output `y`.
const MIRROR: Runner = |file| {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let x = tensors.tensor("x").unwrap();
    Ok(safetensors::serialize([("y", x)], None).unwrap())
};

async fn mirror(dtype: &str, run: Runner) -> Gateway {
    let model = offer(
        "mirror",
        b"mirror",
        vec![port("x", dtype, &[-1, 2])],
        vec![port("y", dtype, &[-1, 2])],
    );
    let upstream = Scripted {
        models: vec![model],
        run,
        ..Scripted::default()
    };
    let options = Options {
        max_body_bytes: 4_096,
        ..Options::default()
    };
    Gateway::with(upstream, Vec::new(), options).await
}

fn input(datatype: &str, data: &Value) -> Value {
    json!({ "inputs": [{ "name": "x", "shape": [1, 2], "datatype": datatype, "data": data }] })
}

#[tokio::test]
async fn every_type_goes_as_json_and_comes_as_json() {
    for (name, dtype, values, bytes) in types() {
        let gateway = mirror(dtype, MIRROR).await;
        let (status, answer) = gateway
            .json("/v2/models/mirror/infer", &input(name, &values))
            .await;
        assert_eq!(status, 200, "{answer}");
        let wanted = json!({ "model_name": "mirror", "model_version": "1",
            "outputs": [{ "name": "y", "datatype": name, "shape": [1, 2], "data": values }] });
        assert_eq!(answer, wanted);
        let sent = gateway.upstream.runs.lock().unwrap().pop().unwrap();
        let sent = SafeTensors::deserialize(&sent).unwrap();
        assert_eq!(sent.tensor("x").unwrap().data(), bytes, "{name}");
        let nested = gateway
            .json("/v2/models/mirror/infer", &input(name, &json!([values])))
            .await;
        assert_eq!(nested.1, wanted);
    }
}

#[tokio::test]
async fn every_type_goes_as_bytes_and_comes_as_bytes() {
    for (name, dtype, _, bytes) in types() {
        let gateway = mirror(dtype, MIRROR).await;
        let head = json!({ "parameters": { "binary_data_output": true }, "inputs": [{ "name": "x", "shape": [1, 2],
            "datatype": name, "parameters": { "binary_data_size": bytes.len() } }] });
        let head = head.to_string();
        let body = [head.as_bytes(), &bytes].concat();
        let request = gateway.post("/v2/models/mirror/versions/1/infer");
        let request = request.header("Inference-Header-Content-Length", head.len());
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let length = response.headers()["inference-header-content-length"]
            .to_str()
            .unwrap();
        let length: usize = length.parse().unwrap();
        let answer = response.bytes().await.unwrap();
        assert_eq!(&answer[length..], bytes);
        let head: Value = serde_json::from_slice(&answer[..length]).unwrap();
        assert_eq!(
            head["outputs"][0]["parameters"]["binary_data_size"],
            bytes.len()
        );
        assert_eq!(head["outputs"][0]["data"], Value::Null);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_paid() {
    let gateway = mirror("F32", MIRROR).await;
    let x = |more: Value| {
        let mut x = json!({ "name": "x", "shape": [1, 2], "datatype": "FP32" });
        x.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "inputs": [x] })
    };
    let good = json!([1, 2]);
    let with = |key: &str, value: Value| {
        let mut request = input("FP32", &good);
        request[key] = value;
        request
    };
    for (request, part) in [
        (x(json!({})), "has no data"),
        (x(json!({ "data": [1] })), "there are 1 elements"),
        (x(json!({ "data": [1, 2, 3] })), "more than the 2 elements"),
        (x(json!({ "data": [1, "2"] })), "\"2\" is no element"),
        (x(json!({ "data": [1, null] })), "null is no element"),
        (
            x(json!({ "data": [], "shape": [0, 3] })),
            "has the shape [0, 3]",
        ),
        (x(json!({ "data": [], "shape": [2] })), "has the shape [2]"),
        (
            x(json!({ "data": [], "shape": [u64::MAX, 2] })),
            "beyond all memory",
        ),
        (
            x(json!({ "data": good, "datatype": "BYTES" })),
            "\"BYTES\" is not served",
        ),
        (
            x(json!({ "data": good, "datatype": "INT32" })),
            "the model takes FP32",
        ),
        (
            x(json!({ "data": good, "name": "z" })),
            "there is no input \"z\"",
        ),
        (
            x(json!({ "parameters": { "binary_data_size": 8 } })),
            "0 bytes are left",
        ),
        (
            x(json!({ "data": good, "parameters": { "binary_data_size": 8 } })),
            "it must have one",
        ),
        (
            x(json!({ "data": good, "parameters": { "shared_memory_region": "a" } })),
            "shared memory",
        ),
        (json!({ "inputs": [] }), "the input \"x\" is missing"),
        (
            json!({ "inputs": [input("FP32", &good)["inputs"][0], input("FP32", &good)["inputs"][0]] }),
            "twice",
        ),
        (
            with("outputs", json!([{ "name": "z" }])),
            "there is no output \"z\"",
        ),
        (
            with(
                "outputs",
                json!([{ "name": "y", "parameters": { "classification": 1 } }]),
            ),
            "classification",
        ),
        (
            with("parameters", json!({ "sequence_id": 7 })),
            "sequences are not served",
        ),
        (json!([]), "cannot be understood"),
    ] {
        let (status, answer) = gateway.json("/v2/models/mirror/infer", &request).await;
        let error = answer["error"].as_str().unwrap();
        assert!(
            status == 400 && error.contains(part),
            "{request}: {status} {error}"
        );
    }
    let lengths = [
        ("9999", "up to the body"),
        ("x", "must be a number"),
        ("2", "the input \"x\" is missing"),
    ];
    for (length, part) in lengths {
        let request = gateway.post("/v2/models/mirror/infer");
        let request = request.header("Inference-Header-Content-Length", length);
        let response = request.body("{\"inputs\": []}").send().await.unwrap();
        assert_eq!(response.status(), 400);
        let text = response.text().await.unwrap();
        assert!(
            text.contains(part) || text.contains("cannot be understood"),
            "{text}"
        );
    }
    assert!(gateway.upstream.runs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bytes_that_belong_to_no_input_are_refused() {
    let gateway = mirror("F32", MIRROR).await;
    let head = input("FP32", &json!([1, 2])).to_string();
    let request = gateway.post("/v2/models/mirror/infer");
    let request = request.header("Inference-Header-Content-Length", head.len());
    let response = request.body(format!("{head}more")).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(
        response
            .text()
            .await
            .unwrap()
            .contains("4 bytes after the JSON")
    );
}

#[tokio::test]
async fn a_body_is_bounded_packed_and_unpacked() {
    let gateway = mirror("F32", MIRROR).await;
    let path = "/v2/models/mirror/infer";
    let plain = gateway
        .post(path)
        .body(vec![b' '; 5_000])
        .send()
        .await
        .unwrap();
    assert_eq!(plain.status(), 413);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; 1_000_000]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 4_096);
    let packed = gateway
        .post(path)
        .header("Content-Encoding", "gzip")
        .body(bomb);
    let response = packed.send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert!(
        response
            .text()
            .await
            .unwrap()
            .contains("unpacks to more than 4096")
    );
    for (way, part) in [
        ("gzip", "cannot be unpacked"),
        ("br", "gzip, deflate and identity"),
    ] {
        let packed = gateway
            .post(path)
            .header("Content-Encoding", way)
            .body("plain");
        let text = packed.send().await.unwrap().text().await.unwrap();
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn numbers_without_json_must_be_asked_for_as_bytes() {
    let gateway = mirror("F32", |_| {
        let bytes = [f32::NAN, f32::INFINITY].map(f32::to_le_bytes).concat();
        let view = TensorView::new(safetensors::Dtype::F32, vec![1, 2], &bytes).unwrap();
        Ok(safetensors::serialize([("y", view)], None).unwrap())
    })
    .await;
    let mut request = input("FP32", &json!([1, 2]));
    let (status, answer) = gateway.json("/v2/models/mirror/infer", &request).await;
    assert_eq!(status, 400);
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("ask for it as binary")
    );
    request["outputs"] = json!([{ "name": "y", "parameters": { "binary_data": true } }]);
    let response = gateway
        .post("/v2/models/mirror/infer")
        .json(&request)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn failures_have_their_status_and_say_when_to_ask_again() {
    let cases: [(Runner, u16); 5] = [
        (|_| Err(UpstreamError::ModelUnknown("why".to_owned())), 404),
        (|_| Err(UpstreamError::Unprocessable("why".to_owned())), 400),
        (|_| Err(UpstreamError::Payment("why".to_owned())), 402),
        (|_| Err(UpstreamError::Unavailable("why".to_owned())), 503),
        (|_| Ok(b"no tensors".to_vec()), 502),
    ];
    for (run, status) in cases {
        let gateway = mirror("F32", run).await;
        let answer = gateway
            .json("/v2/models/mirror/infer", &input("FP32", &json!([1, 2])))
            .await;
        assert_eq!(answer.0, status, "{}", answer.1);
        assert!(answer.1["error"].is_string());
    }
    let gateway = mirror("F32", |_| Err(busy())).await;
    let request = gateway
        .post("/v2/models/mirror/infer")
        .json(&input("FP32", &json!([1, 2])));
    let response = request.send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (503, &"3".parse().unwrap())
    );
}
