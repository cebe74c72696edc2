//! Ollama's API.

use assay_client::session::{Finish, Sampling};
use serde_json::{Value, json};

use super::kit::{Gateway, Scripted, busy, decoder, decoder_offer, said};

fn generate(more: &Value) -> Value {
    let mut request = json!({ "model": "chat:latest", "prompt": "Hi", "stream": false });
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request
}

#[tokio::test]
async fn options_reach_the_decoder() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    gateway.json("/api/generate", &generate(&json!({}))).await;
    // The export says do_sample: false, and nothing of the rest.
    let wanted = Sampling {
        top_k: 40,
        top_p: 0.9,
        repeat_penalty: 1.1,
        ..Sampling::default()
    };
    assert_eq!(gateway.asked().sampling, wanted);
    let options = json!({ "temperature": 0.5, "top_k": 3, "top_p": 0.8, "min_p": 0.1, "repeat_penalty": 1.3,
        "repeat_last_n": 7, "presence_penalty": 0.1, "frequency_penalty": 0.2, "seed": 5, "num_predict": 4,
        "num_ctx": 100, "stop": ["x"], "num_gpu": 1, "mirostat": 0 });
    let (status, answer) = gateway
        .json("/api/generate", &generate(&json!({ "options": options })))
        .await;
    assert_eq!(status, 200, "{answer}");
    let asked = gateway.asked();
    let wanted = Sampling {
        temperature: 0.5,
        top_k: 3,
        top_p: 0.8,
        min_p: 0.1,
        repeat_penalty: 1.3,
        repeat_last: 7,
        presence_penalty: 0.1,
        frequency_penalty: 0.2,
        logit_bias: Vec::new(),
        seed: 5,
    };
    assert_eq!((asked.sampling, asked.max_tokens), (wanted, 4));
    for (last, penalty, back) in [(0, 1.0, 0), (-1, 1.1, 0)] {
        let options = json!({ "repeat_last_n": last, "num_predict": -1 });
        gateway
            .json("/api/generate", &generate(&json!({ "options": options })))
            .await;
        let asked = gateway.asked();
        assert_eq!(
            (asked.sampling.repeat_penalty, asked.sampling.repeat_last),
            (penalty, back)
        );
        assert_eq!(
            usize::try_from(asked.max_tokens).unwrap(),
            128 - asked.tokens.len()
        );
    }
}

#[tokio::test]
async fn a_prompt_goes_through_the_template_unless_it_is_raw() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    let package = decoder();
    for (more, prompt) in [
        (
            json!({}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            json!({ "system": "Be brief." }),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
        ),
        (json!({ "raw": true }), "Hi"),
        (json!({ "template": "[{{ messages[0].content }}]" }), "[Hi]"),
    ] {
        let (status, answer) = gateway.json("/api/generate", &generate(&more)).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            gateway.asked().tokens,
            package.tokens().unwrap().encode(prompt, false).unwrap()
        );
    }
    let (status, answer) = gateway
        .json(
            "/api/generate",
            &generate(&json!({ "raw": true, "system": "x" })),
        )
        .await;
    assert_eq!(status, 400, "{answer}");
}

/// Ollama's own client writes the fields that it has nothing for, too.
#[tokio::test]
async fn empty_fields_leave_the_packages_system_message_in_place() {
    let mut package = decoder();
    package.system = Some("Be brief.".to_owned());
    let tokens = package.tokens().unwrap().clone();
    let upstream = Scripted {
        models: vec![decoder_offer()],
        pieces: said("Hello", Finish::Stop),
        ..Scripted::default()
    };
    let gateway = Gateway::over(upstream, vec![package]).await;
    let empty =
        json!({ "system": "", "template": "", "suffix": "", "context": null, "options": null });
    for more in [json!({}), empty] {
        let (status, answer) = gateway.json("/api/generate", &generate(&more)).await;
        assert_eq!(status, 200, "{answer}");
        let prompt = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(
            gateway.asked().tokens,
            tokens.encode(prompt, false).unwrap()
        );
    }
}

#[tokio::test]
async fn a_context_goes_before_the_next_prompt() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    let (_, answer) = gateway.json("/api/generate", &generate(&json!({}))).await;
    let mut context = gateway.asked().tokens;
    context.extend(b"Hello".map(u32::from));
    assert_eq!(answer["context"], json!(context));
    gateway
        .json(
            "/api/generate",
            &generate(&json!({ "context": context, "options": { "num_ctx": 500 } })),
        )
        .await;
    assert_eq!(&gateway.asked().tokens[..context.len()], context);
    let (status, _) = gateway
        .json("/api/generate", &generate(&json!({ "context": [9_999] })))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn lines_come_as_they_are_said_and_the_last_one_counts() {
    let gateway = Gateway::saying(said("a🦀", Finish::Length)).await;
    let body = json!({ "model": "chat", "messages": [{ "role": "user", "content": "Hi" }] });
    let response = gateway.post("/api/chat").json(&body).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let shown: Vec<&Value> = lines
        .iter()
        .map(|line| &line["message"]["content"])
        .collect();
    assert_eq!(shown, ["a", "🦀", ""]);
    let last = &lines[2];
    assert_eq!(last["done_reason"], "length");
    assert_eq!(last["eval_count"], 5);
    assert_eq!(last["prompt_eval_count"], gateway.asked().tokens.len());
    let time = |key: &str| last[key].as_u64().unwrap();
    assert!(time("prompt_eval_duration") + time("eval_duration") <= time("total_duration"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_in_an_error() {
    let mut pieces = said("one", Finish::Stop);
    pieces.pop();
    pieces.push(Err(busy()));
    let gateway = Gateway::saying(pieces).await;
    let (_, text) = gateway
        .text("/api/generate", &generate(&json!({ "stream": true })))
        .await;
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last, json!({ "error": "everybody is busy" }));
    let (status, answer) = gateway.json("/api/generate", &generate(&json!({}))).await;
    assert_eq!(
        (status, &answer["error"]),
        (503, &json!("everybody is busy"))
    );
}

#[tokio::test]
async fn without_a_prompt_nothing_is_asked() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    for (path, more, reason) in [
        ("/api/generate", json!({ "prompt": "" }), "load"),
        (
            "/api/generate",
            json!({ "prompt": "", "keep_alive": 0 }),
            "unload",
        ),
    ] {
        let (_, answer) = gateway.json(path, &generate(&more)).await;
        assert_eq!(
            (&answer["done_reason"], &answer["response"]),
            (&json!(reason), &json!(""))
        );
    }
    let (_, answer) = gateway
        .json("/api/chat", &json!({ "model": "chat", "messages": [] }))
        .await;
    assert_eq!(answer["done_reason"], "load");
    assert!(gateway.upstream.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_built_or_known_is_refused_and_nothing_is_asked() {
    let gateway = Gateway::saying(said("Hello", Finish::Stop)).await;
    for (more, part) in [
        (json!({ "format": "json" }), "format"),
        (json!({ "think": "high" }), "think"),
        (json!({ "images": ["a"] }), "images"),
        (json!({ "temprature": 1 }), "temprature"),
        (json!({ "options": { "mirostat": 2 } }), "options.mirostat"),
        (json!({ "options": { "tfs_z": 0.5 } }), "options.tfs_z"),
        (
            json!({ "options": { "temperatur": 1 } }),
            "options.temperatur",
        ),
        (json!({ "options": { "top_p": 2 } }), "from 0 to 1"),
        (json!({ "options": { "num_ctx": 0 } }), "options.num_ctx"),
        (json!({ "options": { "num_ctx": 8 } }), "at most 8"),
        (json!({ "template": "{% for %}" }), "template"),
        (json!({ "top_logprobs": 21 }), "top_logprobs"),
    ] {
        let (status, answer) = gateway.json("/api/generate", &generate(&more)).await;
        let error = answer["error"].as_str().unwrap();
        assert!(
            status == 400 && error.contains(part),
            "{more}: {status} {error}"
        );
    }
    assert!(gateway.upstream.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_model_is_shown_with_its_defaults() {
    let gateway = Gateway::saying(Vec::new()).await;
    let (status, shown) = gateway.json("/api/show", &json!({ "name": "chat" })).await;
    assert_eq!(status, 200, "{shown}");
    assert!(
        shown["parameters"]
            .as_str()
            .unwrap()
            .contains("temperature")
    );
    assert_eq!(shown["capabilities"], json!(["completion"]));
    assert_eq!(shown["model_info"]["tiny.context_length"], 128);
    assert!(
        shown["modelfile"]
            .as_str()
            .unwrap()
            .contains("NAME chat\nPARAMETER temperature")
    );
}
