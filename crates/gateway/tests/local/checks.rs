//! What is checked, one function each.

use std::{fs, panic::AssertUnwindSafe, process::ExitCode};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{models, serve};

/// Runs every check and says how it went, in the words of Rust's own tests.
pub async fn all() -> ExitCode {
    let gateway = Gateway {
        address: serve().await,
        client: reqwest::Client::new(),
    };
    let mut failed = 0;
    let mut passed = 0;
    macro_rules! check {
        ($($name:ident)*) => {$(
            let done = AssertUnwindSafe($name(&gateway)).catch_unwind().await;
            println!("test {} ... {}", stringify!($name), if done.is_ok() { "ok" } else { "FAILED" });
            if done.is_ok() { passed += 1 } else { failed += 1 }
        )*};
    }
    check! {
        chats_answer_as_the_reference_does
        streamed_chats_give_the_same_text
        completions_answer_as_the_reference_does
        likely_first_tokens_are_those_of_the_reference
        ollama_chats_answer_as_the_reference_does
        vectors_are_those_of_the_reference
        a_text_has_the_same_vector_alone_and_among_others
        digits_are_read_through_the_open_inference_protocol
        a_text_beyond_the_context_is_refused_or_cut
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Gateway {
    address: String,
    client: reqwest::Client,
}

impl Gateway {
    async fn text(&self, path: &str, body: &Value) -> (u16, String) {
        let request = self
            .client
            .post(format!("{}{path}", self.address))
            .json(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn json(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.text(path, body).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

fn reference(name: &str, part: &str) -> Vec<Value> {
    let file = fs::read(models().join("packages").join(name).join("reference.json")).unwrap();
    let reference: Value = serde_json::from_slice(&file).unwrap();
    reference[part].as_array().unwrap().clone()
}

async fn chats_answer_as_the_reference_does(gateway: &Gateway) {
    for chat in reference("tiny-chat", "chats") {
        let body = json!({ "model": "tiny-chat", "messages": chat["messages"] });
        let answer = gateway.json("/v1/chat/completions", &body).await;
        let choice = &answer["choices"][0];
        assert_eq!(choice["message"]["content"], chat["answer"]);
        assert_eq!(choice["finish_reason"], "stop");
        let length = |key: &str| chat[key].as_array().unwrap().len();
        assert_eq!(answer["usage"]["prompt_tokens"], length("prompt_ids"));
        // The token that stops is neither shown nor paid for.
        assert_eq!(
            answer["usage"]["completion_tokens"],
            length("answer_ids") - 1
        );
    }
}

async fn streamed_chats_give_the_same_text(gateway: &Gateway) {
    for chat in reference("tiny-chat", "chats") {
        let body = json!({ "model": "tiny-chat", "messages": chat["messages"], "stream": true });
        let (status, text) = gateway.text("/v1/chat/completions", &body).await;
        assert_eq!(status, 200, "{text}");
        let mut events: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        assert_eq!(events.pop(), Some("[DONE]"));
        let shown: String = events
            .iter()
            .map(|event| serde_json::from_str::<Value>(event).unwrap())
            .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect();
        assert_eq!(shown, chat["answer"]);
    }
}

async fn completions_answer_as_the_reference_does(gateway: &Gateway) {
    for completion in reference("tiny-chat", "completions") {
        let body =
            json!({ "model": "tiny-chat", "prompt": completion["prompt"], "max_tokens": 256 });
        let answer = gateway.json("/v1/completions", &body).await;
        assert_eq!(answer["choices"][0]["text"], completion["answer"]);
        let ids =
            json!({ "model": "tiny-chat", "prompt": completion["prompt_ids"], "max_tokens": 256 });
        let by_ids = gateway.json("/v1/completions", &ids).await;
        assert_eq!(by_ids["choices"][0]["text"], completion["answer"]);
    }
}

async fn likely_first_tokens_are_those_of_the_reference(gateway: &Gateway) {
    for chat in reference("tiny-chat", "chats") {
        let body = json!({ "model": "tiny-chat", "messages": chat["messages"], "max_tokens": 1, "logprobs": true,
            "top_logprobs": 5 });
        let answer = gateway.json("/v1/chat/completions", &body).await;
        let content = answer["choices"][0]["logprobs"]["content"]
            .as_array()
            .unwrap();
        let shown = content[0]["top_logprobs"].as_array().unwrap();
        let wanted = chat["first_logprobs"].as_array().unwrap();
        assert_eq!(shown.len(), 5);
        for (shown, wanted) in shown.iter().zip(wanted) {
            let difference = shown["logprob"].as_f64().unwrap() - wanted[1].as_f64().unwrap();
            assert!(difference.abs() < 1e-2, "{shown} is not {wanted}");
        }
    }
}

async fn ollama_chats_answer_as_the_reference_does(gateway: &Gateway) {
    for chat in reference("tiny-chat", "chats") {
        let body = json!({ "model": "tiny-chat:latest", "messages": chat["messages"],
            "options": { "repeat_penalty": 1.0 } });
        let (status, text) = gateway.text("/api/chat", &body).await;
        assert_eq!(status, 200, "{text}");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let shown: String = lines
            .iter()
            .filter_map(|line| line["message"]["content"].as_str())
            .collect();
        assert_eq!(shown, chat["answer"]);
        let last = lines.last().unwrap();
        assert_eq!(
            (&last["done"], &last["done_reason"]),
            (&json!(true), &json!("stop"))
        );
        assert_eq!(
            last["prompt_eval_count"],
            chat["prompt_ids"].as_array().unwrap().len()
        );
    }
}

async fn vectors_are_those_of_the_reference(gateway: &Gateway) {
    let texts = reference("tiny-embed", "texts");
    let input: Vec<&Value> = texts.iter().map(|text| &text["text"]).collect();
    let body = json!({ "model": "tiny-embed", "input": input });
    let answer = gateway.json("/v1/embeddings", &body).await;
    let by_ollama = gateway.json("/api/embed", &body).await;
    let tokens: usize = texts
        .iter()
        .map(|text| text["ids"].as_array().unwrap().len())
        .sum();
    assert_eq!(answer["usage"]["prompt_tokens"], tokens);
    for (index, text) in texts.iter().enumerate() {
        near(
            &answer["data"][index]["embedding"],
            &text["normalized"],
            2e-5,
        );
        near(&by_ollama["embeddings"][index], &text["normalized"], 2e-5);
    }
}

async fn a_text_has_the_same_vector_alone_and_among_others(gateway: &Gateway) {
    let texts = reference("tiny-embed", "texts");
    for text in &texts {
        let body = json!({ "model": "tiny-embed", "input": text["ids"] });
        let answer = gateway.json("/v1/embeddings", &body).await;
        near(&answer["data"][0]["embedding"], &text["normalized"], 2e-5);
        let body = json!({ "model": "tiny-embed", "prompt": text["text"] });
        let answer = gateway.json("/api/embeddings", &body).await;
        near(&answer["embedding"], &text["normalized"], 2e-5);
    }
}

async fn digits_are_read_through_the_open_inference_protocol(gateway: &Gateway) {
    let file = fs::read(models().join("digits/sample-3.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let image = tensors.tensor("image").unwrap();
    let (pixels, _) = image.data().as_chunks::<4>();
    let pixels: Vec<f32> = pixels
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let body = json!({ "id": "7", "inputs": [
        { "name": "image", "shape": image.shape(), "datatype": "FP32", "data": pixels } ] });
    let answer = gateway.json("/v2/models/digits/infer", &body).await;
    let label = answer["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "label");
    assert_eq!(label.unwrap()["data"], json!([3]));
    assert_eq!(
        (&answer["id"], &answer["model_name"]),
        (&json!("7"), &json!("digits"))
    );
}

async fn a_text_beyond_the_context_is_refused_or_cut(gateway: &Gateway) {
    let long = "What is the opposite of hot? ".repeat(200);
    let body = json!({ "model": "tiny-embed", "input": long });
    let (status, text) = gateway.text("/v1/embeddings", &body).await;
    assert_eq!(status, 400, "{text}");
    assert!(
        text.contains("context_length_exceeded") && text.contains("at most 64"),
        "{text}"
    );
    let answer = gateway.json("/api/embed", &body).await;
    assert_eq!(answer["prompt_eval_count"], 64);
    let chat = json!({ "model": "tiny-chat", "messages": [{ "role": "user", "content": long }] });
    let (status, text) = gateway.text("/v1/chat/completions", &chat).await;
    assert_eq!(status, 400, "{text}");
    // Of a chat the oldest messages go, and the last one is answered.
    let messages = json!([{ "role": "user", "content": long }, { "role": "assistant", "content": "cold" },
        { "role": "user", "content": "What is 7 + 5?" }]);
    let body = json!({ "model": "tiny-chat", "messages": messages, "stream": false });
    let answer = gateway.json("/api/chat", &body).await;
    assert!(
        answer["prompt_eval_count"].as_u64().unwrap() < 60,
        "{answer}"
    );
    let body = json!({ "model": "tiny-chat", "messages": messages, "truncate": false });
    assert_eq!(gateway.text("/api/chat", &body).await.0, 400);
}

fn near(found: &Value, wanted: &Value, most: f64) {
    let (found, wanted) = (found.as_array().unwrap(), wanted.as_array().unwrap());
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        let difference = found.as_f64().unwrap() - wanted.as_f64().unwrap();
        assert!(difference.abs() < most, "{found} is not {wanted}");
    }
}
