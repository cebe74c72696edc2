//! Models served to sessions: real models and engines, many requests at once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

#[path = "serving/bench.rs"]
mod bench;
#[path = "serving/generation.rs"]
mod generation;
#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "engine/kit.rs"]
mod kit;

use std::fs;

use assay_engine::{Tensor, alike, from_safetensors};
use assay_protocol::Digest;
use assay_worker::serving::{Serve, ServeError};
use futures_util::future::join_all;

use bench::{Bench, request};
use kit::{host, integers, model, models, outputs};

const DIGITS: &str = "digits.onnx";
const EMBEDDING: &str = "calibration/embedding.onnx";
const TOGETHER: usize = 32;

fn digit(number: usize) -> Vec<Tensor> {
    let file = models().join(format!("digits/sample-{number}.safetensors"));
    from_safetensors(&fs::read(file).unwrap()).unwrap()
}

fn tokens(values: &[i64]) -> Vec<Tensor> {
    vec![integers("tokens", &[1, 12], values)]
}

/// What the model gives for an input on engines of jobs.
async fn alone(file: &str, input: &[Tensor]) -> Vec<Tensor> {
    let outcome = kit::run(&host(), &model(file), input).await.unwrap();
    let mut outputs = outputs(outcome);
    outputs.sort_by(|one, other| one.name.cmp(&other.name));
    outputs
}

#[tokio::test]
async fn answers_of_shared_runs_are_those_of_runs_alone() {
    let bench = Bench::new(&[DIGITS], |_| ()).await;
    let mut expected = Vec::new();
    for number in 0..6 {
        expected.push(alone(DIGITS, &digit(number)).await);
    }
    bench.settle(DIGITS, [&digit(0), &digit(1)]).await;
    let before = bench.runs();
    for _ in 0..3 {
        let asked = (0..TOGETHER).map(async |number| bench.run(DIGITS, &digit(number % 6)).await);
        for (number, answer) in join_all(asked).await.into_iter().enumerate() {
            let (answer, expected) = (answer.unwrap(), &expected[number % 6]);
            assert!(alike(&answer, expected), "{answer:?} for {expected:?}");
        }
    }
    // At most one alone, and then 31 in runs of 16.
    let runs = bench.runs() - before;
    assert!(
        runs <= 3 * 3 + 2,
        "{runs} runs for {} requests",
        3 * TOGETHER
    );
}

#[tokio::test]
async fn requests_are_run_one_by_one_where_runs_are_not_shared() {
    let bench = Bench::new(&[DIGITS], |config| config.batch_size = 1).await;
    bench.settle(DIGITS, [&digit(0), &digit(1)]).await;
    let before = bench.runs();
    let asked = (0..6).map(async |number| bench.run(DIGITS, &digit(number)).await);
    for answer in join_all(asked).await {
        answer.unwrap();
    }
    assert_eq!(bench.runs() - before, 6);
}

#[tokio::test]
async fn input_that_a_model_fails_on_fails_nobody_elses_request() {
    let bench = Bench::new(&[EMBEDDING], |_| ()).await;
    let good = tokens(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let expected = alone(EMBEDDING, &good).await;
    bench.settle(EMBEDDING, [&tokens(&[3; 12]), &good]).await;
    let before = bench.runs();
    let bad = tokens(&[1_000_000; 12]);
    let inputs = [&good, &good, &bad, &good, &good];
    let asked = inputs.map(|input| bench.run(EMBEDDING, input));
    let answers = join_all(asked).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(answer) if number != 2 => assert!(alike(&answer, &expected)),
            Err(ServeError::ModelFailed(_)) if number == 2 => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    // One alone; four together, which fails; those alone.
    assert_eq!(bench.runs() - before, 6);
}

#[tokio::test]
async fn more_than_may_wait_are_told_to_come_back() {
    let bench = Bench::new(&[DIGITS], |config| config.queue = 2).await;
    let asked = (0..8).map(async |_| bench.run(DIGITS, &digit(1)).await);
    let answers = join_all(asked).await;
    let (taken, turned): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((taken.len(), turned.len()), (3, 5));
    for answer in turned {
        let Err(ServeError::Busy {
            retry_after_secs, ..
        }) = answer
        else {
            panic!("{answer:?}");
        };
        assert!((1..=60).contains(&retry_after_secs));
    }
    bench.run(DIGITS, &digit(1)).await.unwrap();
}

#[tokio::test]
async fn request_that_is_given_up_ends_no_engine() {
    let bench = Bench::new(&[DIGITS], |_| ()).await;
    let before = bench.engines();
    for _ in 0..3 {
        let one = digit(1);
        let mut asked = Box::pin(bench.run(DIGITS, &one));
        // Into the queue and to the engine, but not to an answer.
        assert!(futures_util::poll!(&mut asked).is_pending());
        tokio::task::yield_now().await;
    }
    bench.run(DIGITS, &digit(1)).await.unwrap();
    assert_eq!(bench.engines(), before);
    assert_eq!(bench.serving.waiting(bench.model(DIGITS)).await, 0);
}

#[tokio::test]
async fn nothing_but_the_configured_models_is_served() {
    let bench = Bench::new(&[DIGITS], |_| ()).await;
    let other = Digest([7; 32]);
    let refused = bench.serving.info(other).await;
    assert!(matches!(refused, Err(ServeError::Unknown(_))));
    let info = bench.serving.info(bench.model(DIGITS)).await.unwrap();
    assert!(!bench.serving.generates(&info));
    let refused = bench.generate(DIGITS, request(&[1], 1)).await;
    assert!(matches!(refused.1, Some(ServeError::InputMismatch(_))));
    let refused = bench.run(DIGITS, &tokens(&[0; 12])).await;
    assert!(matches!(refused, Err(ServeError::InputMismatch(_))));
    let missing = Bench::new(&[DIGITS], |config| config.models = vec![other]).await;
    let refused = missing.serving.info(other).await;
    let Err(ServeError::Unavailable(text)) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains("models pull"), "{text}");
}
