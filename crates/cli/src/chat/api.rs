//! The gateway, as `assay chat` asks it: OpenAI's chat, streamed.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::{Client, RequestBuilder, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A gateway that is there at all answers sooner.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of one event, at most; each holds a few tokens.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    role: &'static str,
    content: String,
}

impl Message {
    pub fn new(role: &'static str, content: &str) -> Self {
        Self {
            role,
            content: content.to_owned(),
        }
    }
}

/// How to answer; what is none is left to the package.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub max_tokens: Option<u32>,
    pub temperature: Option<f32>,
    pub seed: Option<u64>,
}

/// An answer, or as much of it as has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    /// `stop` or `length`, once it is whole.
    pub finish: Option<String>,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
}

impl Answer {
    pub fn add(&mut self, piece: Self) {
        self.text.push_str(&piece.text);
        self.finish = piece.finish.or(self.finish.take());
        self.prompt_tokens = piece.prompt_tokens.or(self.prompt_tokens);
        self.completion_tokens = piece.completion_tokens.or(self.completion_tokens);
    }
}

/// A gateway.
pub struct Api {
    client: Client,
    gateway: String,
    key: Option<String>,
    model: String,
    settings: Settings,
}

impl Api {
    pub fn connect(gateway: &str, key: Option<&str>, settings: Settings) -> Result<Self> {
        Ok(Self {
            client: Client::builder().connect_timeout(CONNECT).build()?,
            gateway: gateway.trim_end_matches('/').to_owned(),
            key: key.map(str::to_owned),
            model: String::new(),
            settings,
        })
    }

    pub fn of(self, model: String) -> Self {
        Self { model, ..self }
    }

    pub fn model(&self) -> &str {
        &self.model
    }

    /// The one model that can be talked to.
    pub async fn only_chat_model(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            id: String,
            kind: Option<String>,
        }
        let request = self.client.get(format!("{}/v1/models", self.gateway));
        let list: List = self.send(request).await?.json().await?;
        let decoders = list.data.into_iter();
        let mut decoders = decoders.filter(|model| model.kind.as_deref() == Some("decoder"));
        let first = decoders.next().context(
            "the gateway has no chat model: start it with --package, and see that a provider offers the package's model",
        )?;
        let others: Vec<String> = decoders.map(|model| model.id).collect();
        if others.is_empty() {
            return Ok(first.id);
        }
        bail!(
            "the gateway has several chat models; choose with --package: {}, {}",
            first.id,
            others.join(", ")
        )
    }

    /// Asks for the next message.
    pub async fn ask(&self, said: &[Message]) -> Result<Coming> {
        let mut body = json!({
            "model": self.model,
            "messages": said,
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        let settings = [
            ("max_completion_tokens", json!(self.settings.max_tokens)),
            ("temperature", json!(self.settings.temperature)),
            ("seed", json!(self.settings.seed)),
        ];
        if let Value::Object(fields) = &mut body {
            let given = settings.into_iter().filter(|(_, value)| !value.is_null());
            fields.extend(given.map(|(key, value)| (key.to_owned(), value)));
        }
        let url = format!("{}/v1/chat/completions", self.gateway);
        let response = self.send(self.client.post(url).json(&body)).await?;
        Ok(Coming {
            response,
            bytes: Vec::new(),
        })
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Response> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.with_context(|| {
            format!(
                "no gateway answers at {}; start one with `assay gateway`, or say where it is with --gateway",
                self.gateway
            )
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let message = serde_json::from_str(&text)
            .ok()
            .and_then(|body| message(&body));
        bail!(
            "the gateway refuses ({status}): {}",
            message.unwrap_or(text)
        )
    }
}

/// The text of an error in OpenAI's shape.
fn message(body: &Value) -> Option<String> {
    Some(body.get("error")?.get("message")?.as_str()?.to_owned())
}

/// An answer on its way.
pub struct Coming {
    response: Response,
    /// What has come and is no whole line yet.
    bytes: Vec<u8>,
}

impl Coming {
    /// The next piece; none after the last.
    pub async fn next(&mut self) -> Result<Option<Answer>> {
        loop {
            while let Some(line) = take_line(&mut self.bytes) {
                let Some(data) = line.strip_prefix("data: ") else {
                    continue;
                };
                return if data == "[DONE]" {
                    Ok(None)
                } else {
                    piece(data).map(Some)
                };
            }
            if self.bytes.len() > MAX_EVENT_BYTES {
                bail!("the gateway sends lines without end");
            }
            let chunk = self
                .response
                .chunk()
                .await
                .context("the connection to the gateway broke off")?;
            match chunk {
                Some(chunk) => self.bytes.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

fn take_line(bytes: &mut Vec<u8>) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line: Vec<u8> = bytes.drain(..=end).collect();
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn piece(data: &str) -> Result<Answer> {
    let event: Value = serde_json::from_str(data).context("the gateway sends what is no JSON")?;
    if event.get("error").is_some() {
        let text = message(&event).unwrap_or_else(|| data.to_owned());
        return Err(anyhow!("the answer failed: {text}"));
    }
    let choice = event.get("choices").and_then(|choices| choices.get(0));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let used = |key: &str| event.get("usage")?.get(key)?.as_u64();
    Ok(Answer {
        text: text(choice.and_then(|choice| choice.get("delta")?.get("content")))
            .unwrap_or_default(),
        finish: text(choice.and_then(|choice| choice.get("finish_reason"))),
        prompt_tokens: used("prompt_tokens"),
        completion_tokens: used("completion_tokens"),
    })
}

#[cfg(test)]
mod tests;
