use std::collections::BTreeMap;

use assay_client::session::Sampling;
use assay_engine::{DType, Dimension, ModelInfo, TensorInfo};

use super::*;

/// A decoder of five tokens, without a cache.
fn decoder(room: Option<usize>) -> Decoder {
    let port = |name: &str, dtype, shape| TensorInfo {
        name: name.into(),
        dtype,
        shape: Some(shape),
    };
    let said = room.map(|room| ("n_positions".to_owned(), room.to_string()));
    let info = ModelInfo {
        inputs: vec![port("input_ids", DType::I64, vec![Dimension::Any; 2])],
        outputs: vec![port(
            "logits",
            DType::F32,
            vec![Dimension::Any, Dimension::Any, Dimension::Fixed(5)],
        )],
        metadata: BTreeMap::from_iter(said),
    };
    Decoder::of(&info).unwrap()
}

fn request(tokens: &[u32], max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        tokens: tokens.into(),
        max_tokens,
        stop_tokens: vec![],
        sampling: Sampling::default(),
        logprobs: 0,
    }
}

/// Logits that make this token the likeliest.
fn saying(token: usize) -> Vec<Tensor> {
    let values = (0..5).map(|id| if id == token { 1.0_f32 } else { 0.0 });
    vec![Tensor {
        name: "logits".into(),
        dtype: DType::F32,
        shape: vec![1, 1, 5],
        data: values.flat_map(f32::to_le_bytes).collect(),
    }]
}

fn told(step: &Step) -> (Option<u32>, Option<Finish>) {
    (step.token.as_ref().map(|token| token.id), step.finish)
}

#[test]
fn answer_grows_by_what_was_chosen_until_its_length() {
    let mut generation = Generation::begin(decoder(None), request(&[1, 2], 2), 100).unwrap();
    assert_eq!(generation.next_inputs()[0].shape, [1, 2]);
    assert_eq!(told(&generation.take(&saying(4)).unwrap()), (Some(4), None));
    let inputs = generation.next_inputs();
    assert_eq!(inputs[0].shape, [1, 3]);
    assert_eq!(inputs[0].data[16], 4);
    let step = generation.take(&saying(0)).unwrap();
    assert_eq!(told(&step), (Some(0), Some(Finish::Length)));
}

#[test]
fn stop_token_ends_the_answer_and_is_no_part_of_it() {
    let mut request = request(&[1], 5);
    request.stop_tokens = vec![9, 3];
    let mut generation = Generation::begin(decoder(None), request, 100).unwrap();
    assert_eq!(told(&generation.take(&saying(2)).unwrap()), (Some(2), None));
    let step = generation.take(&saying(3)).unwrap();
    assert_eq!(told(&step), (None, Some(Finish::Stop)));
    assert_eq!(generation.tokens, [1, 2]);
}

#[test]
fn answer_ends_where_the_limit_or_the_model_does() {
    for (room, limit) in [(None, 3), (Some(3), 100), (Some(100), 3)] {
        let begun = Generation::begin(decoder(room), request(&[1, 1], 50), limit);
        let step = begun.unwrap().take(&saying(0)).unwrap();
        assert_eq!(told(&step), (Some(0), Some(Finish::Length)));
    }
}

#[test]
fn requests_that_cannot_be_answered_are_refused_before_anything_runs() {
    let refused = |request| match Generation::begin(decoder(Some(8)), request, 4) {
        Err(ServeError::InputMismatch(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("begun"),
    };
    assert!(refused(request(&[], 1)).contains("prompt is empty"));
    assert!(refused(request(&[1], 0)).contains("max_tokens"));
    assert!(refused(request(&[1, 5], 1)).contains("token 5"));
    assert!(refused(request(&[1, u32::MAX], 1)).contains("token 4294967295"));
    assert!(refused(request(&[1; 4], 1)).contains("4 tokens"));
    let mut odd = request(&[1], 1);
    odd.sampling.temperature = -1.0;
    assert!(refused(odd).contains("temperature"));
    let mut odd = request(&[1], 1);
    odd.sampling.logit_bias = vec![(5, 1.0)];
    assert!(refused(odd).contains("logit_bias"));
    let mut odd = request(&[1], 1);
    odd.logprobs = 21;
    assert!(refused(odd).contains("logprobs"));
}

#[test]
fn logits_that_are_no_numbers_are_the_models_failure() {
    let mut generation = Generation::begin(decoder(None), request(&[1], 5), 100).unwrap();
    let mut odd = saying(1);
    odd[0].data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(
        generation.take(&odd),
        Err(ServeError::ModelFailed(_))
    ));
    assert!(matches!(
        generation.take(&[]),
        Err(ServeError::ModelFailed(_))
    ));
}
