//! How likely tokens were, in the two forms of OpenAI's API.

use assay_client::session::Token;
use assay_package::Tokens;
use serde_json::{Map, Value, json};

/// The form of chats.
pub fn of_chat(tokens: &Tokens, shown: &[Token], top: u8) -> Value {
    let content = shown.iter().map(|token| {
        let mut entry = one(tokens, token.id, token.logprob);
        let likely = token.likely.iter().take(usize::from(top));
        let likely: Vec<Value> = likely
            .map(|likely| Value::Object(one(tokens, likely.id, Some(likely.logprob))))
            .collect();
        entry.insert("top_logprobs".to_owned(), likely.into());
        Value::Object(entry)
    });
    json!({ "content": content.collect::<Vec<_>>(), "refusal": null })
}

fn one(tokens: &Tokens, id: u32, logprob: Option<f32>) -> Map<String, Value> {
    let bytes = tokens.bytes(id);
    let mut entry = Map::new();
    entry.insert("token".to_owned(), String::from_utf8_lossy(&bytes).into());
    entry.insert("logprob".to_owned(), json!(logprob));
    entry.insert("bytes".to_owned(), json!(bytes));
    entry
}

/// The form of completions; `offset` counts the letters before these tokens, and goes on.
pub fn of_completion(tokens: &Tokens, shown: &[Token], top: u8, offset: &mut usize) -> Value {
    let text = |id: u32| {
        let bytes = tokens.bytes(id);
        match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let bytes = error.into_bytes();
                let hex: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
                format!("bytes:{hex}")
            }
        }
    };
    let texts: Vec<String> = shown.iter().map(|token| text(token.id)).collect();
    let offsets: Vec<usize> = texts
        .iter()
        .map(|text| {
            let start = *offset;
            *offset += text.chars().count();
            start
        })
        .collect();
    let likely = |token: &Token| -> Map<String, Value> {
        let likely = token.likely.iter().take(usize::from(top));
        likely
            .map(|likely| (text(likely.id), json!(likely.logprob)))
            .collect()
    };
    json!({
        "tokens": texts,
        "token_logprobs": shown.iter().map(|token| token.logprob).collect::<Vec<_>>(),
        "top_logprobs": shown.iter().map(likely).collect::<Vec<_>>(),
        "text_offset": offsets,
    })
}
