//! OpenAI's API.

use std::sync::atomic::Ordering;

use assay_client::session::{Finish, Sampling};
use assay_gateway::{UpstreamError, api::Options};
use serde_json::{Value, json};

use super::kit::{Gateway, Scripted, busy, decoder, decoder_offer, events, offer, said, token};

fn chat(more: &Value) -> Value {
    let mut request = json!({ "model": "chat", "messages": [{ "role": "user", "content": "Hi" }] });
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request
}

const PATH: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_request_reaches_the_decoder_with_everything_filled_in() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    let (status, answer) = gateway.json(PATH, &chat(&json!({}))).await;
    assert_eq!(status, 200, "{answer}");
    let asked = gateway.asked();
    let prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    let tokens = decoder().tokens().unwrap().encode(prompt, false).unwrap();
    assert_eq!(asked.tokens, tokens);
    // The export says do_sample: false and 128 tokens of context.
    assert_eq!(asked.sampling, Sampling::default());
    assert_eq!(asked.max_tokens, 128 - u32::try_from(tokens.len()).unwrap());
    assert_eq!(asked.stop_tokens, [257, 259]);
    assert_eq!(asked.logprobs, 0);

    let full = chat(
        &json!({ "temperature": 0.5, "top_p": 0.9, "seed": 7, "presence_penalty": 0.1, "top_k": 4,
        "frequency_penalty": -0.2, "logit_bias": { "65": -100, "66": 2.5 }, "max_completion_tokens": 9,
        "min_p": 0.05, "repetition_penalty": 1.2, "logprobs": true, "top_logprobs": 3, "n": 1, "user": "me",
        "response_format": { "type": "text" }, "tools": [], "store": false }),
    );
    let (status, answer) = gateway.json(PATH, &full).await;
    assert_eq!(status, 200, "{answer}");
    let asked = gateway.asked();
    let wanted = Sampling {
        temperature: 0.5,
        top_k: 4,
        top_p: 0.9,
        min_p: 0.05,
        repeat_penalty: 1.2,
        repeat_last: 0,
        presence_penalty: 0.1,
        frequency_penalty: -0.2,
        logit_bias: vec![(65, -100.0), (66, 2.5)],
        seed: 7,
    };
    assert_eq!(
        (asked.sampling, asked.max_tokens, asked.logprobs),
        (wanted, 9, 3)
    );
}

#[tokio::test]
async fn unseeded_sampling_is_another_each_time() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    let mut seeds = Vec::new();
    for _ in 0..2 {
        gateway
            .json(PATH, &chat(&json!({ "temperature": 1 })))
            .await;
        seeds.push(gateway.asked().sampling.seed);
    }
    assert_ne!(seeds[0], seeds[1]);
}

#[tokio::test]
async fn an_answer_has_openais_shape() {
    let gateway = Gateway::saying(said("Hello", Finish::Length)).await;
    let (_, mut answer) = gateway.json(PATH, &chat(&json!({}))).await;
    let prompt = gateway.asked().tokens.len();
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(answer["created"].as_i64().unwrap() > 1_700_000_000);
    answer["id"].take();
    answer["created"].take();
    assert_eq!(
        answer,
        json!({
            "id": null, "object": "chat.completion", "created": null, "model": "chat", "system_fingerprint": null,
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hello", "refusal": null },
                "logprobs": null, "finish_reason": "length" }],
            "usage": { "prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5 },
        })
    );
}

#[tokio::test]
async fn a_letter_of_several_tokens_is_streamed_whole() {
    let gateway = Gateway::saying(said("a🦀b", Finish::Stop)).await;
    let body = chat(&json!({ "stream": true, "logprobs": true }));
    let (_, text) = gateway.text(PATH, &body).await;
    let events = events(&text);
    let chunks: Vec<Value> = events
        .iter()
        .filter(|event| *event != "[DONE]")
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    let delta = |chunk: &Value| {
        chunk["choices"][0]["delta"]["content"]
            .as_str()
            .map(str::to_owned)
    };
    let deltas: Vec<String> = chunks.iter().filter_map(delta).collect();
    assert_eq!(deltas, ["", "a", "🦀", "b"]);
    let content = chunks[2]["choices"][0]["logprobs"]["content"]
        .as_array()
        .unwrap();
    let bytes: Vec<&Value> = content.iter().map(|token| &token["bytes"]).collect();
    assert_eq!(
        bytes,
        [
            &json!([0xf0]),
            &json!([0x9f]),
            &json!([0xa6]),
            &json!([0x80])
        ]
    );
    assert_eq!(events.last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn a_stop_ends_the_answer_and_what_is_asked_for() {
    for stream in [false, true] {
        let upstream = Scripted {
            models: vec![decoder_offer()],
            pieces: "one\nUser: two"
                .bytes()
                .map(|byte| Ok(token(u32::from(byte))))
                .collect(),
            endless: true,
            ..Scripted::default()
        };
        let gateway = Gateway::over(upstream, vec![decoder()]).await;
        let body = chat(
            &json!({ "stop": ["\nUser:"], "stream": stream, "logprobs": true,
            "stream_options": { "include_usage": true } }),
        );
        let (_, text) = gateway.text(PATH, &body).await;
        assert!(gateway.upstream.dropped.load(Ordering::SeqCst));
        // Nine tokens came until the stop was whole; the three of the text are shown.
        let last = if stream {
            events(&text).iter().rev().nth(1).unwrap().clone()
        } else {
            text.clone()
        };
        let last: Value = serde_json::from_str(&last).unwrap();
        assert_eq!(last["usage"]["completion_tokens"], 9, "{text}");
        assert_eq!(text.matches("\"logprob\":").count(), 3, "{text}");
        assert!(
            text.contains("\"finish_reason\":\"stop\"") && !text.contains("User"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_only_looked_like_a_stop_is_shown_in_the_end() {
    let gateway = Gateway::saying(said("one\nUse", Finish::Stop)).await;
    let (_, answer) = gateway
        .json(PATH, &chat(&json!({ "stop": "\nUser:" })))
        .await;
    assert_eq!(answer["choices"][0]["message"]["content"], "one\nUse");
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error_and_not_in_done() {
    let mut pieces = said("one", Finish::Stop);
    pieces.pop();
    let broken = Gateway::saying(pieces.clone()).await;
    pieces.push(Err(busy()));
    let failed = Gateway::saying(pieces).await;
    for (gateway, part) in [(broken, "broke off"), (failed, "everybody is busy")] {
        let (status, text) = gateway.text(PATH, &chat(&json!({ "stream": true }))).await;
        let events = events(&text);
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(status, 200);
        assert!(
            last["error"]["message"].as_str().unwrap().contains(part),
            "{text}"
        );
        let (status, answer) = gateway.json(PATH, &chat(&json!({}))).await;
        assert!(status >= 429 && answer["error"]["message"].as_str().unwrap().contains(part));
    }
}

#[tokio::test]
async fn failures_before_the_answer_have_their_status() {
    for (error, status, code) in [
        (
            UpstreamError::ModelUnknown("why".to_owned()),
            404,
            json!("model_not_found"),
        ),
        (
            UpstreamError::Unprocessable("why".to_owned()),
            400,
            Value::Null,
        ),
        (
            UpstreamError::Payment("why".to_owned()),
            402,
            json!("insufficient_quota"),
        ),
        (
            UpstreamError::Unavailable("why".to_owned()),
            503,
            Value::Null,
        ),
        (busy(), 429, json!("rate_limit_exceeded")),
    ] {
        let gateway = Gateway::saying(vec![Err(error)]).await;
        for stream in [false, true] {
            let request = gateway.post(PATH).json(&chat(&json!({ "stream": stream })));
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(
                response.headers().contains_key("retry-after"),
                status == 429
            );
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["error"]["code"], code);
        }
    }
}

#[tokio::test]
async fn what_is_not_built_or_known_is_refused_and_nothing_is_asked() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    for (more, param) in [
        (json!({ "tools": [{}] }), "tools"),
        (
            json!({ "response_format": { "type": "json_schema" } }),
            "response_format",
        ),
        (json!({ "n": 2 }), "n"),
        (json!({ "audio": {} }), "audio"),
        (json!({ "reasoning_effort": "low" }), "reasoning_effort"),
        (json!({ "temprature": 1 }), "temprature"),
        (json!({ "temperature": 2.5 }), "temperature"),
        (json!({ "top_p": -1 }), "top_p"),
        (json!({ "logit_bias": { "9999": 1 } }), "logit_bias"),
        (json!({ "logit_bias": { "65": 101 } }), "logit_bias"),
        (json!({ "top_logprobs": 2 }), "top_logprobs"),
        (json!({ "max_tokens": 0 }), "max_tokens"),
        (
            json!({ "messages": [{ "role": "tool", "content": "x" }] }),
            "messages[0]",
        ),
        (json!({ "messages": [{ "role": "user" }] }), "messages[0]"),
        (
            json!({ "messages": [{ "role": "user", "content": "a", "tool_calls": [1] }] }),
            "messages[0]",
        ),
        (json!({ "model": "none" }), "model"),
    ] {
        let (status, answer) = gateway.json(PATH, &chat(&more)).await;
        assert!((400..=404).contains(&status), "{more}: {answer}");
        assert_eq!(answer["error"]["param"], param, "{more}: {answer}");
    }
    for body in [
        json!({ "model": "chat" }),
        json!("text"),
        chat(&json!({ "temperature": "hot" })),
    ] {
        assert_eq!(gateway.json(PATH, &body).await.0, 400, "{body}");
    }
    assert!(gateway.upstream.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_model_without_a_package_takes_no_text() {
    let upstream = Scripted {
        models: vec![offer("bare", b"bare", Vec::new(), Vec::new())],
        ..Scripted::default()
    };
    let gateway = Gateway::over(upstream, vec![decoder()]).await;
    let (status, answer) = gateway.json(PATH, &chat(&json!({ "model": "bare" }))).await;
    assert_eq!(status, 400);
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("--package"),
        "{answer}"
    );
    // And a package whose model nobody offers is told from one that nobody knows.
    let (status, answer) = gateway.json(PATH, &chat(&json!({}))).await;
    assert_eq!(status, 404);
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("nobody offers"),
        "{answer}"
    );
}

#[tokio::test]
async fn answers_are_bounded_where_nothing_says_how_long_they_may_be() {
    let upstream = Scripted {
        models: vec![decoder_offer()],
        pieces: said("a", Finish::Stop),
        ..Scripted::default()
    };
    let options = Options {
        max_answer_tokens: 10,
        ..Options::default()
    };
    let gateway = Gateway::with(upstream, vec![decoder()], options).await;
    gateway.json(PATH, &chat(&json!({}))).await;
    assert_eq!(gateway.asked().max_tokens, 10);
    gateway
        .json(PATH, &chat(&json!({ "max_tokens": 1_000 })))
        .await;
    assert!(gateway.asked().max_tokens > 10 && gateway.asked().max_tokens < 128);
    gateway
        .json(
            "/v1/completions",
            &json!({ "model": "chat", "prompt": "a" }),
        )
        .await;
    assert_eq!(gateway.asked().max_tokens, 16);
}

#[tokio::test]
async fn several_prompts_at_once_are_refused() {
    let gateway = Gateway::saying(said("a", Finish::Stop)).await;
    let ask = async |prompt: Value| {
        gateway
            .json(
                "/v1/completions",
                &json!({ "model": "chat", "prompt": prompt }),
            )
            .await
            .0
    };
    assert_eq!(ask(json!(["a", "b"])).await, 400);
    assert_eq!(ask(json!([[1], [2]])).await, 400);
    assert_eq!(ask(json!([])).await, 400);
    assert_eq!(ask(json!([9_999])).await, 400);
    assert_eq!(ask(json!(["a"])).await, 200);
    assert_eq!(ask(json!([[1]])).await, 200);
}
