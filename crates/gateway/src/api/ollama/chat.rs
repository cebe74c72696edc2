//! Chats.

use std::time::Instant;

use assay_package::{Message, Package};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    HABITS, Refused,
    generate::nothing,
    options, refuse_others,
    stream::{Place, Writer, top},
};
use crate::api::{
    Api,
    ask::{Wish, context, decoder},
    body::Whole,
    failure::Failure,
};

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    #[serde(default)]
    messages: Vec<Said>,
    stream: Option<bool>,
    options: Option<Map<String, Value>>,
    keep_alive: Option<Value>,
    logprobs: Option<bool>,
    top_logprobs: Option<u8>,
    /// Whether the oldest messages may be left out where all of them are too long.
    truncate: Option<bool>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Said {
    role: String,
    #[serde(default)]
    content: String,
    #[serde(flatten)]
    others: Map<String, Value>,
}

pub async fn chat(State(api): State<Api>, body: Whole) -> Result<Response, Refused> {
    let began = Instant::now();
    let request: Request = body.json()?;
    refuse_others(&request.others)?;
    let offered = api.tagged(&request.model).await?;
    let package = decoder(&offered)?.clone();
    if request.messages.is_empty() {
        let mut line = nothing(&request.model, request.keep_alive.as_ref());
        line.insert(
            "message".to_owned(),
            json!({ "role": "assistant", "content": "" }),
        );
        return Ok(Json(line).into_response());
    }
    let messages = request.messages.into_iter().map(Said::message);
    let messages: Vec<Message> = messages.collect::<Result<_, _>>()?;
    let top = top(request.logprobs.unwrap_or(false), request.top_logprobs)?;
    let wish = Wish {
        logprobs: top.map_or(0, |top| top.max(1)),
        ..options::wish(request.options)?
    };
    let room = context(&offered, &package, &wish).filter(|_| request.truncate != Some(false));
    let prompt = prompt(&api, &package, messages, room).await?;
    let ask = api.ask(&offered, prompt, wish, HABITS)?;
    let tokens = package.tokens()?.clone();
    let writer = Writer::new(request.model, Place::Message, tokens, top, began);
    let answer = writer.answer(&api, ask, request.stream.unwrap_or(true));
    Ok(answer.await?)
}

impl Said {
    fn message(self) -> Result<Message, Failure> {
        for (field, value) in &self.others {
            let nothing = value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_str().is_some_and(str::is_empty);
            if !nothing {
                let text = format!("messages: {field} is not built, only text is");
                return Err(Failure::unsupported("messages", text));
            }
        }
        match self.role.as_str() {
            "system" | "user" | "assistant" => Ok(Message {
                role: self.role,
                content: self.content,
            }),
            "tool" => Err(Failure::unsupported(
                "messages",
                "messages: tools are not built",
            )),
            other => Err(Failure::invalid(format!(
                "messages: there is no role {other:?}"
            ))),
        }
    }
}

/// The prompt's tokens; as in Ollama, the oldest messages that are not the system's go where there is no room for all.
async fn prompt(
    api: &Api,
    package: &Package,
    mut messages: Vec<Message>,
    room: Option<u32>,
) -> Result<Vec<u32>, Failure> {
    let tokens = package.tokens()?;
    loop {
        let prompt = api.renderer.render(package.prompt(&messages)?).await?;
        let prompt = tokens.encode(&prompt, false)?;
        let fits =
            room.is_none_or(|room| u32::try_from(prompt.len()).is_ok_and(|size| size < room));
        let last = messages.len().saturating_sub(1);
        let oldest = messages.iter().position(|message| message.role != "system");
        match oldest.filter(|oldest| !fits && *oldest < last) {
            None => return Ok(prompt),
            Some(oldest) => {
                messages.remove(oldest);
            }
        }
    }
}
