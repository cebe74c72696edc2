//! Vectors of texts, of models with all kinds of ports.

use assay_client::session::Port;
use assay_gateway::{UpstreamError, api::Options};
use assay_package::Package;
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use super::{
    exports,
    kit::{Gateway, Runner, Scripted, offer, port},
};

/// A package with this manifest, if any.
fn embedding(manifest: Option<&str>) -> Package {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("embed");
    exports::write_embedding(&folder, b"embed");
    if let Some(manifest) = manifest {
        exports::write(&folder, "assay.json", manifest.as_bytes());
    }
    Package::open(&folder).unwrap()
}

/// Not brought to length 1, so that the vectors can be told apart.
const PLAIN: &str = r#"{ "format": 1, "normalize": false }"#;

async fn gateway(manifest: &str, inputs: Vec<Port>, run: Runner) -> Gateway {
    let upstream = Scripted {
        models: vec![offer(
            "embed",
            b"embed",
            inputs,
            vec![port("last_hidden_state", "F32", &[-1, -1, 2])],
        )],
        run,
        ..Scripted::default()
    };
    let options = Options {
        max_batch: 2,
        ..Options::default()
    };
    Gateway::with(upstream, vec![embedding(Some(manifest))], options).await
}

fn both(dtype: &str, batch: i64, length: i64) -> Vec<Port> {
    let port = |name| port(name, dtype, &[batch, length]);
    vec![
        port("input_ids"),
        port("attention_mask"),
        port("token_type_ids"),
    ]
}

fn integers(view: &TensorView<'_>) -> Vec<i64> {
    if view.dtype() == Dtype::I32 {
        let (values, _) = view.data().as_chunks::<4>();
        return values
            .iter()
            .map(|bytes| i32::from_le_bytes(*bytes).into())
            .collect();
    }
    let (values, _) = view.data().as_chunks::<8>();
    values
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes))
        .collect()
}

/// What is sent as `name`, and its shape.
fn sent(file: &[u8], name: &str) -> (Vec<i64>, Vec<usize>) {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let view = tensors.tensor(name).unwrap();
    (integers(&view), view.shape().to_vec())
}

fn answer(name: &str, shape: Vec<usize>, values: &[f32]) -> Result<Vec<u8>, UpstreamError> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
    Ok(safetensors::serialize([(name, view)], None).unwrap())
}

/// The state of each token is its number and 1, also of padding.
const STATES: Runner = |file| {
    let (ids, mut shape) = sent(file, "input_ids");
    shape.push(2);
    let values: Vec<f32> = ids
        .iter()
        .flat_map(|id| [f32::from(u8::try_from(*id).unwrap()), 1.0])
        .collect();
    answer("last_hidden_state", shape, &values)
};

async fn vectors(gateway: &Gateway, input: Value) -> Value {
    let (status, answer) = gateway
        .json(
            "/v1/embeddings",
            &json!({ "model": "embed", "input": input }),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["embedding"].clone())
        .collect()
}

// [CLS] is 2, [SEP] 3, red 4, green 5, blue 6, sky 7.

#[tokio::test]
async fn texts_go_together_in_padded_batches() {
    let gateway = gateway(PLAIN, both("I64", -1, -1), STATES).await;
    let found = vectors(&gateway, json!(["red", "red green blue", "sky"])).await;
    assert_eq!(found, json!([[3.0, 1.0], [4.0, 1.0], [4.0, 1.0]]));
    let runs = gateway.upstream.runs.lock().unwrap().clone();
    assert_eq!(runs.len(), 2);
    assert_eq!(
        sent(&runs[0], "input_ids"),
        (vec![2, 4, 3, 0, 0, 2, 4, 5, 6, 3], vec![2, 5])
    );
    assert_eq!(
        sent(&runs[0], "attention_mask").0,
        [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]
    );
    assert_eq!(sent(&runs[0], "token_type_ids").0, [0; 10]);
    assert_eq!(sent(&runs[1], "input_ids"), (vec![2, 7, 3], vec![1, 3]));
}

#[tokio::test]
async fn a_fixed_batch_and_length_are_filled_up() {
    let gateway = gateway(PLAIN, both("I32", 2, 5), STATES).await;
    let found = vectors(&gateway, json!(["red", "sky", "blue"])).await;
    assert_eq!(found.as_array().unwrap().len(), 3);
    let runs = gateway.upstream.runs.lock().unwrap().clone();
    assert_eq!(
        sent(&runs[1], "input_ids"),
        (vec![2, 6, 3, 0, 0, 0, 0, 0, 0, 0], vec![2, 5])
    );
    assert_eq!(
        sent(&runs[1], "attention_mask").0,
        [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    );
    // Five tokens fit, with the first and the last.
    let long = json!({ "model": "embed", "input": "red green blue sky" });
    assert_eq!(gateway.json("/v1/embeddings", &long).await.0, 400);
    assert_eq!(
        gateway.json("/api/embed", &long).await.1["prompt_eval_count"],
        5
    );
}

#[tokio::test]
async fn other_poolings_take_other_tokens() {
    let red = |manifest| async move {
        let gateway = gateway(manifest, both("I64", -1, -1), STATES).await;
        vectors(&gateway, json!(["red", "red green"])).await
    };
    let cls = red(r#"{ "format": 1, "normalize": false, "pooling": "cls" }"#).await;
    assert_eq!(cls, json!([[2.0, 1.0], [2.0, 1.0]]));
    let last = red(r#"{ "format": 1, "normalize": false, "pooling": "last" }"#).await;
    assert_eq!(last, json!([[3.0, 1.0], [3.0, 1.0]]));
}

#[tokio::test]
async fn vectors_have_length_one_unless_the_package_says_no() {
    let gateway = gateway(r#"{ "format": 1 }"#, both("I64", -1, -1), STATES).await;
    let found = vectors(&gateway, json!("red")).await;
    let length: f64 = found[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_f64().unwrap().powi(2))
        .sum();
    assert!((length - 1.0).abs() < 1e-6, "{length}");
}

#[tokio::test]
async fn a_models_own_vector_of_the_text_is_taken_as_it_is() {
    let run: Runner = |_| answer("sentence_embedding", vec![1, 3], &[7.0, 8.0, 9.0]);
    let gateway = gateway(PLAIN, both("I64", -1, -1), run).await;
    assert_eq!(
        vectors(&gateway, json!("red")).await,
        json!([[7.0, 8.0, 9.0]])
    );
}

#[tokio::test]
async fn half_floats_and_positions_work() {
    let mut ports = both("I64", -1, -1);
    ports.push(port("position_ids", "I64", &[-1, -1]));
    let run: Runner = |file| {
        assert_eq!(sent(file, "position_ids").0, [0, 1, 2, 0, 1, 2]);
        let bytes: Vec<u8> = [1.5, -2.0, 0.5, 4.0]
            .into_iter()
            .flat_map(|value| f16::from_f32(value).to_le_bytes())
            .collect();
        let view = TensorView::new(Dtype::F16, vec![2, 2], &bytes).unwrap();
        Ok(safetensors::serialize([("sentence_embedding", view)], None).unwrap())
    };
    let gateway = gateway(PLAIN, ports, run).await;
    assert_eq!(
        vectors(&gateway, json!(["red", "sky"])).await,
        json!([[1.5, -2.0], [0.5, 4.0]])
    );
}

#[tokio::test]
async fn outputs_that_hold_no_vectors_are_an_error() {
    for run in [
        (|_: &[u8]| answer("last_hidden_state", vec![1, 2, 2], &[0.0; 4])) as Runner,
        |_| answer("last_hidden_state", vec![2], &[0.0; 2]),
        |_| answer("sentence_embedding", vec![2, 1], &[0.0; 2]),
    ] {
        let gateway = gateway(PLAIN, both("I64", -1, -1), run).await;
        let body = json!({ "model": "embed", "input": ["red", "sky", "blue"] });
        let (status, answer) = gateway.json("/v1/embeddings", &body).await;
        assert_eq!(status, 502, "{answer}");
    }
}

#[tokio::test]
async fn inputs_that_no_text_gives_are_refused() {
    let mut ports = both("I64", -1, -1);
    ports.push(port("pixel_values", "F32", &[-1, 3]));
    let gateway = gateway(PLAIN, ports, STATES).await;
    let body = json!({ "model": "embed", "input": "red" });
    let (status, answer) = gateway.json("/v1/embeddings", &body).await;
    assert!(
        status == 400 && answer.to_string().contains("pixel_values"),
        "{answer}"
    );
    for input in [
        json!([]),
        json!([9_999]),
        json!([[]]),
        json!(5),
        json!([1.5]),
    ] {
        let (status, answer) = gateway
            .json(
                "/v1/embeddings",
                &json!({ "model": "embed", "input": input }),
            )
            .await;
        assert_eq!(status, 400, "{input}: {answer}");
    }
    assert!(gateway.upstream.runs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn base64_holds_the_same_floats() {
    let gateway = gateway(PLAIN, both("I64", -1, -1), STATES).await;
    let body = json!({ "model": "embed", "input": "red", "encoding_format": "base64" });
    let (_, answer) = gateway.json("/v1/embeddings", &body).await;
    // 3.0 and 1.0.
    assert_eq!(answer["data"][0]["embedding"], "AABAQAAAgD8=");
}
