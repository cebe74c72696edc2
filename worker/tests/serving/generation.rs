//! Answers of small language models, against what they were trained to say.

use std::fs;

use assay_client::session::{Finish, Sampling};
use assay_worker::serving::{Piece, Serve, ServeError};
use futures_util::{StreamExt, future::join};
use serde::Deserialize;

use crate::{
    bench::{Bench, Crossed, ids, request},
    kit::models,
};

const PLAIN: &str = "packages/tiny-chat/model.onnx";
const CACHED: &str = "packages/tiny-chat-cached/model.onnx";
/// `<|im_end|>`
const END: u32 = 2;

#[derive(Deserialize)]
struct Reference {
    chats: Vec<Case>,
    completions: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt_ids: Vec<u32>,
    /// With the stop token.
    answer_ids: Vec<u32>,
    first_logprobs: Vec<(u32, f32)>,
}

fn cases() -> Vec<Case> {
    let file = models().join("packages/tiny-chat/reference.json");
    let Reference { chats, completions } =
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    chats.into_iter().chain(completions).collect()
}

fn sampled(seed: u64) -> Sampling {
    Sampling {
        temperature: 1.5,
        top_p: 0.99,
        seed,
        ..Sampling::default()
    }
}

#[tokio::test]
async fn greedy_answers_are_those_that_were_taught_with_and_without_a_cache() {
    let bench = Bench::new(&[PLAIN, CACHED], |_| ()).await;
    for case in cases() {
        let (end, taught) = case.answer_ids.split_last().unwrap();
        assert_eq!(*end, END);
        for file in [PLAIN, CACHED] {
            let mut asked = request(&case.prompt_ids, 200);
            asked.stop_tokens = vec![END];
            asked.logprobs = 5;
            let (pieces, error) = bench.generate(file, asked).await;
            assert_eq!(error, None);
            assert_eq!(ids(&pieces), taught, "{file}");
            assert_eq!(pieces.last(), Some(&Piece::Done(Finish::Stop)));
            let Some(Piece::Token(first)) = pieces.first() else {
                panic!("{pieces:?}");
            };
            for (found, (id, logprob)) in first.likely.iter().zip(&case.first_logprobs) {
                assert_eq!(found.id, *id);
                assert!((found.logprob - logprob).abs() < 0.01, "{found:?}");
            }
            assert_eq!(first.likely.len(), 5);
            assert_eq!(first.logprob, Some(first.likely[0].logprob));
        }
    }
}

#[tokio::test]
async fn same_seed_gives_the_same_answer_and_another_seed_another_whoever_else_asks() {
    let bench = Bench::new(&[CACHED], |config| config.engines = 2).await;
    let asked = |seed| {
        let mut asked = request(&[0, 1, 88, 86, 277], 24);
        asked.sampling = sampled(seed);
        asked
    };
    let alone = bench.generate(CACHED, asked(1)).await.0;
    let (same, other) = join(
        bench.generate(CACHED, asked(1)),
        bench.generate(CACHED, asked(2)),
    )
    .await;
    assert_eq!(same, (alone, None));
    assert_ne!(ids(&same.0), ids(&other.0));
    assert_eq!(same.0.last(), Some(&Piece::Done(Finish::Length)));
    assert_eq!(same.0.len(), 25);
}

#[tokio::test]
async fn steps_of_answers_take_turns() {
    let bench = Bench::new(&[CACHED], |_| ()).await;
    let case = &cases()[0];
    let digest = bench.model(CACHED);
    let ask = || bench.serving.generate(digest, request(&case.prompt_ids, 8));
    let (mut one, mut other) = (ask().await.unwrap(), ask().await.unwrap());
    let mut order = Vec::new();
    let mut finished = 0;
    while finished < 2 {
        let (who, piece) = tokio::select! {
            Some(piece) = one.next() => (1, piece),
            Some(piece) = other.next() => (2, piece),
        };
        match piece.unwrap() {
            Piece::Token(_) => order.push(who),
            Piece::Done(_) => finished += 1,
        }
    }
    assert_eq!(order.len(), 16);
    // Neither is done before the other has begun to go on.
    let first_half: Vec<_> = order[..12].to_vec();
    assert!(first_half.contains(&1) && first_half.contains(&2));
}

#[tokio::test]
async fn answer_that_is_given_up_stops_and_the_next_one_is_whole() {
    let bench = Bench::new(&[CACHED], |_| ()).await;
    let case = &cases()[0];
    let digest = bench.model(CACHED);
    let engines = bench.engines();
    let stream = bench
        .serving
        .generate(digest, request(&case.prompt_ids, 200));
    let mut stream = stream.await.unwrap();
    for _ in 0..2 {
        stream.next().await.unwrap().unwrap();
    }
    drop(stream);
    let runs = bench.runs();
    let mut asked = request(&case.prompt_ids, 200);
    asked.stop_tokens = vec![END];
    let (pieces, error) = bench.generate(CACHED, asked).await;
    assert_eq!(error, None);
    assert_eq!(ids(&pieces).len() + 1, case.answer_ids.len());
    assert_eq!(bench.runs() - runs, case.answer_ids.len());
    assert_eq!(bench.engines(), engines);
}

#[tokio::test]
async fn answers_end_at_the_limit_and_prompts_that_cannot_be_answered_are_refused() {
    let bench = Bench::new(&[PLAIN], |config| config.max_tokens = 10).await;
    let (pieces, error) = bench.generate(PLAIN, request(&[0, 1, 88], 100)).await;
    assert_eq!((ids(&pieces).len(), error), (7, None));
    assert_eq!(pieces.last(), Some(&Piece::Done(Finish::Length)));
    let before = bench.runs();
    for tokens in [&[][..], &[512], &[1; 10]] {
        let (pieces, error) = bench.generate(PLAIN, request(tokens, 5)).await;
        assert!(pieces.is_empty());
        assert!(
            matches!(error, Some(ServeError::InputMismatch(_))),
            "{error:?}"
        );
    }
    assert_eq!(bench.runs(), before, "nothing was run for them");
}

#[tokio::test]
async fn answer_beyond_what_the_model_has_room_for_is_its_failure() {
    let bench = Bench::new(&[CACHED], |config| config.max_tokens = 400).await;
    // 256 positions; the metadata does not say so.
    let (pieces, error) = bench.generate(CACHED, request(&[7; 250], 50)).await;
    assert_eq!(ids(&pieces).len(), 7);
    assert!(
        matches!(error, Some(ServeError::ModelFailed(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn answers_end_where_the_operator_says_that_the_model_has_no_more_room() {
    let bench = Bench::new(&[CACHED], |config| {
        config.max_tokens = 400;
        config.longest.insert(config.models[0], 256);
    });
    let bench = bench.await;
    let (pieces, error) = bench.generate(CACHED, request(&[7; 250], 50)).await;
    assert_eq!((ids(&pieces).len(), error), (6, None));
    assert_eq!(pieces.last(), Some(&Piece::Done(Finish::Length)));
    let before = bench.runs();
    let (_, error) = bench.generate(CACHED, request(&[7; 256], 1)).await;
    assert!(matches!(error, Some(ServeError::InputMismatch(_))));
    assert_eq!(bench.runs(), before);
}

#[tokio::test]
async fn bytes_that_cross_for_a_step_do_not_grow_with_what_is_kept() {
    let bench = Bench::new(&[CACHED], |_| ()).await;
    let (pieces, error) = bench
        .generate(CACHED, request(&[0, 1, 88, 86, 277], 40))
        .await;
    assert_eq!((ids(&pieces).len(), error), (40, None));
    let crossed = |step: usize| Crossed {
        goes_on: step > 0,
        // Tokens and their positions, and the mask of all tokens, eight bytes each.
        given: if step == 0 {
            8 * 3 * 5
        } else {
            8 + 8 + 8 * (5 + step)
        },
        // The logits of the last token.
        taken: 4 * 512,
    };
    assert_eq!(bench.steps(), (0..40).map(crossed).collect::<Vec<_>>());
}

#[tokio::test]
async fn answer_is_the_same_when_its_engine_dies_on_the_way() {
    let bench = Bench::new(&[CACHED], |_| ()).await;
    let mut asked = request(&[0, 1, 88, 86, 277], 24);
    asked.sampling = sampled(1);
    let whole = bench.generate(CACHED, asked.clone()).await;
    let stream = bench.serving.generate(bench.model(CACHED), asked);
    let mut stream = stream.await.unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = stream.next().await {
        pieces.push(piece.unwrap());
        if pieces.len() == 9 {
            bench.kill_engines();
        }
    }
    assert_eq!((pieces, None), whole);
    let again = |step: &&Crossed| !step.goes_on;
    assert_eq!(
        bench.steps().iter().filter(again).count(),
        3,
        "begun, begun, begun again"
    );
}

#[tokio::test]
async fn generation_that_there_is_no_memory_for_is_turned_away_before_anything_runs() {
    let bench = Bench::new(&[CACHED], |config| config.max_tokens = usize::MAX).await;
    let before = bench.runs();
    // A kibibyte for each token.
    let (pieces, error) = bench.generate(CACHED, request(&[7], u32::MAX)).await;
    assert!(pieces.is_empty());
    assert!(matches!(error, Some(ServeError::Busy { .. })), "{error:?}");
    assert_eq!(bench.runs(), before);
    let (pieces, error) = bench.generate(CACHED, request(&[7], 3)).await;
    assert_eq!((ids(&pieces).len(), error), (3, None));
}
