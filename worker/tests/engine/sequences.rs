//! Runs that follow from one another: what engines keep between them, and until when.

use assay_engine::{
    Carry, EngineConfig, EngineError, Host, Outcome, Sequence, Step, Tensor, to_safetensors,
};

use crate::kit::{LONG, floats, host_with, integers, model, outputs};

const DECODER: &str = "packages/tiny-chat-cached/model.onnx";

/// The first step of a prompt of three tokens.
fn prompt() -> Vec<u8> {
    let mut inputs: Vec<Tensor> = carries(0)
        .iter()
        .map(|carry| floats(&carry.input, &carry.shape, &[]))
        .collect();
    inputs.extend([
        integers("input_ids", &[1, 3], &[0, 1, 88]),
        integers("attention_mask", &[1, 3], &[1; 3]),
        integers("position_ids", &[1, 3], &[0, 1, 2]),
    ]);
    to_safetensors(&inputs).unwrap()
}

/// The step after it.
fn fourth() -> Vec<u8> {
    let inputs = [
        integers("input_ids", &[1, 1], &[86]),
        integers("attention_mask", &[1, 4], &[1; 4]),
        integers("position_ids", &[1, 1], &[3]),
    ];
    to_safetensors(&inputs).unwrap()
}

fn carries(length: usize) -> Vec<Carry> {
    let of = |layer: usize, part: &str| Carry {
        output: format!("present.{layer}.{part}"),
        input: format!("past_key_values.{layer}.{part}"),
        shape: vec![1, 4, length, 16],
    };
    let layers = (0..2).flat_map(|layer| [of(layer, "key"), of(layer, "value")]);
    layers.collect()
}

fn step(length: usize, goes_on: bool) -> Step {
    Step {
        goes_on,
        carries: carries(length),
        last: vec!["logits".into()],
    }
}

async fn run(
    (host, sequence): (&Host, &Sequence),
    input: Vec<u8>,
    step: Step,
) -> Result<Option<Outcome>, EngineError> {
    let model = model(DECODER);
    host.run_step(&model, (sequence, step), &input, LONG).await
}

fn small() -> EngineConfig {
    EngineConfig {
        spare: false,
        ..EngineConfig::default()
    }
}

#[tokio::test]
async fn step_gives_only_the_last_logits_and_goes_on_where_its_values_are() {
    let host = host_with(small());
    let sequence = host.sequence(1 << 20).unwrap();
    let at = (&host, &sequence);
    let lost = run(at, fourth(), step(4, true)).await;
    assert_eq!(lost.unwrap(), None, "nothing was begun");
    for (input, step) in [(prompt(), step(3, false)), (fourth(), step(4, true))] {
        let outputs = outputs(run(at, input, step).await.unwrap().unwrap());
        let [logits] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        let found = (&*logits.name, &*logits.shape);
        assert_eq!(found, ("logits", &[1, 1, 512][..]));
    }
}

#[tokio::test]
async fn values_of_another_shape_than_foreseen_are_the_models_failure_and_are_not_kept() {
    let host = host_with(small());
    let sequence = host.sequence(1 << 20).unwrap();
    let at = (&host, &sequence);
    let ran = run(at, prompt(), step(2, false)).await;
    let Some(Outcome::Failed(failure)) = ran.unwrap() else {
        panic!("kept")
    };
    let reason = "has shape [1, 4, 3, 16]";
    assert!(failure.message.contains(reason), "{failure}");
    let ran = run(at, fourth(), step(4, true)).await;
    assert!(matches!(ran, Err(EngineError::Runtime(_))), "{ran:?}");
    let ran = run(at, prompt(), step(3, false)).await;
    assert!(ran.unwrap().is_some(), "it begins on another engine");
}

#[tokio::test]
async fn memory_of_a_sequence_is_another_ones_once_it_is_dropped() {
    let config = EngineConfig {
        memory_bytes: 1 << 30,
        ..small()
    };
    let host = host_with(config);
    // Room for a run is left.
    let most = (1 << 30) - (48 << 20);
    let sequence = host.sequence(most).unwrap();
    assert!(host.sequence(1).is_none());
    drop(sequence);
    assert!(host.sequence(most).is_some());
}
