//! Inputs on which a model fails, or that have no plain number for an answer, are answered and paid for too.

use anyhow::Result;
use assay_client::{
    delivery::Outcome,
    outputs::canonical,
    protocol::{Digest, JobStatus, commitment::error_root},
};
use assay_tests::e2e::{Delivered, Model, Settings, digits};
use safetensors::Dtype;

use crate::{parties::Parties, present};

fn little(words: &[f32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Runs one job of the model to its end and returns what was delivered, and the root that was checked.
fn run(model: &Model, input: Vec<u8>) -> Result<(Delivered, Digest)> {
    let stage = present();
    let parties = Parties::new(stage, model)?;
    let Parties {
        provider,
        requester,
        ..
    } = &parties;
    let _worker = parties.worker(&Settings::default())?;
    let order = parties.order(input);
    let placed = requester.place(stage, &provider.http(), &order)?;
    stage.wait_job(&placed.job, JobStatus::Committed)?;
    let (delivered, verified) = requester.receive(stage, &provider.http(), &placed.job)?;
    requester.acknowledge(&provider.http(), &placed.job)?;
    stage.wait_job(&placed.job, JobStatus::Settled)?;
    parties.assert_paid_once(&placed.job, &order, placed.landed.fee)?;
    Ok((delivered, verified.root))
}

#[test]
fn model_that_fails_on_its_input_is_answered_and_settles() -> Result<()> {
    let values = little(&[1.0, 2.0, 3.0, 4.0]);
    let input = digits::file(&[
        ("values", Dtype::F32, vec![4], values),
        ("index", Dtype::I64, vec![1], 7_i64.to_le_bytes().to_vec()),
    ])?;
    let (delivered, root) = run(&Model::odd("gather_index", 1)?, input)?;
    assert_eq!(delivered.delivery.outcome, Outcome::ModelError);
    assert_eq!(root, error_root());
    assert!(delivered.outputs.is_empty() && delivered.hints.is_empty());
    let message = delivered.delivery.message.expect("what the runtime said");
    assert!(
        message.contains("bounds") || message.contains("range"),
        "{message}"
    );
    Ok(())
}

#[test]
fn outputs_without_plain_numbers_are_answered_canonically() -> Result<()> {
    let x = little(&[-1.0, 0.0, -0.0, 1.0]);
    let input = digits::file(&[("x", Dtype::F32, vec![4], x)])?;
    let model = Model::odd("specials", 3)?;
    let (delivered, root) = run(&model, input)?;
    assert_eq!(delivered.delivery.outcome, Outcome::Outputs);
    assert!(digits::floats(&delivered.outputs, "log")?[0].is_nan());

    // Any NaN stands for every NaN, and zero has one sign.
    let another_nan = f32::from_bits(0xffc1_2345);
    let (up, down) = (f32::INFINITY, f32::NEG_INFINITY);
    let expected = digits::file(&[
        (
            "log",
            Dtype::F32,
            vec![4],
            little(&[another_nan, down, down, -0.0]),
        ),
        (
            "reciprocal",
            Dtype::F32,
            vec![4],
            little(&[-1.0, up, down, 1.0]),
        ),
        ("nothing", Dtype::F32, vec![4], little(&[0.0; 4])),
    ])?;
    let order = ["log", "reciprocal", "nothing"];
    assert_eq!(canonical(&expected, &order, &model.profile)?.root, root);
    Ok(())
}
