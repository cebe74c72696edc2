//! One prompt, one answer.

use std::time::Instant;

use assay_package::{Message, Package};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    HABITS, Refused, options, refuse_others,
    stream::{Place, Writer, start, top},
};
use crate::api::{
    Api,
    ask::{Wish, decoder},
    body::Whole,
    failure::Failure,
};

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    #[serde(default)]
    prompt: String,
    system: Option<String>,
    template: Option<String>,
    /// Tokens of an earlier prompt and its answer.
    context: Option<Vec<u32>>,
    raw: Option<bool>,
    stream: Option<bool>,
    options: Option<Map<String, Value>>,
    keep_alive: Option<Value>,
    logprobs: Option<bool>,
    top_logprobs: Option<u8>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

pub async fn generate(State(api): State<Api>, body: Whole) -> Result<Response, Refused> {
    let began = Instant::now();
    let request: Request = body.json()?;
    refuse_others(&request.others)?;
    let offered = api.tagged(&request.model).await?;
    let package = decoder(&offered)?.clone();
    if request.prompt.is_empty() {
        let mut line = nothing(&request.model, request.keep_alive.as_ref());
        line.insert("response".to_owned(), "".into());
        return Ok(Json(line).into_response());
    }
    let top = top(request.logprobs.unwrap_or(false), request.top_logprobs)?;
    let wish = Wish {
        logprobs: top.map_or(0, |top| top.max(1)),
        ..options::wish(request.options.clone())?
    };
    let prompt = prompt(&api, &package, &request).await?;
    let ask = api.ask(&offered, prompt, wish, HABITS)?;
    let tokens = package.tokens()?.clone();
    let mut writer = Writer::new(request.model, Place::Response, tokens, top, began);
    writer.context = (request.raw != Some(true)).then(|| ask.request.tokens.clone());
    let answer = writer.answer(&api, ask, request.stream.unwrap_or(true));
    Ok(answer.await?)
}

async fn prompt(api: &Api, package: &Package, request: &Request) -> Result<Vec<u32>, Failure> {
    let tokens = package.tokens()?;
    let other = match &request.template {
        Some(source) if !source.is_empty() => Some(package.other_template(source.clone())),
        Some(_) | None => None,
    };
    let template = other.as_ref().or_else(|| package.template());
    let mut prompt = request.context.clone().unwrap_or_default();
    if let Some(unknown) = prompt.iter().find(|id| !tokens.knows(**id)) {
        let text = format!("context: there is no token {unknown} in this model's vocabulary");
        return Err(Failure::invalid(text));
    }
    match template.filter(|_| request.raw != Some(true)) {
        None => {
            if request.system.as_ref().is_some_and(|text| !text.is_empty()) {
                return Err(Failure::invalid(
                    "system: the model has no template that it could go into, or raw is on",
                ));
            }
            prompt.extend(tokens.encode(&request.prompt, prompt.is_empty())?);
        }
        Some(template) => {
            let said = |role: &str, content: &str| Message {
                role: role.to_owned(),
                content: content.to_owned(),
            };
            let mut messages: Vec<Message> = request
                .system
                .iter()
                // Ollama's own client sends an empty one where it has none.
                .filter(|text| !text.is_empty())
                .map(|text| said("system", text))
                .collect();
            messages.push(said("user", &request.prompt));
            // What was said before has had the package's system message.
            if prompt.is_empty() {
                messages = package.with_system(&messages);
            }
            let text = api.renderer.render(template.prompt(messages)).await?;
            prompt.extend(tokens.encode(&text, false)?);
        }
    }
    Ok(prompt)
}

/// The answer to a request without a prompt, which asks for a model to be loaded or unloaded: providers have it loaded
/// as they see fit.
pub fn nothing(model: &str, keep_alive: Option<&Value>) -> Map<String, Value> {
    let unload = keep_alive.is_some_and(|value| {
        value.as_f64() == Some(0.0) || matches!(value.as_str(), Some("0" | "0s"))
    });
    let reason = if unload { "unload" } else { "load" };
    let mut line = start(model);
    line.insert("done".to_owned(), true.into());
    line.insert("done_reason".to_owned(), reason.into());
    line
}
