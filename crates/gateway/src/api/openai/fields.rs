//! Fields that chat and completions have in common, and those that are refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::api::{ask::Wish, failure::Failure, models::Offered};

/// Fields that change nothing of an answer here, whatever they say.
const WITHOUT_EFFECT: [&str; 6] = [
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "parallel_tool_calls",
];

/// Values that ask for nothing but what happens anyway.
fn asks_nothing(field: &str, value: &Value) -> bool {
    match (field, value) {
        (_, Value::Null) => true,
        ("tools" | "functions", Value::Array(list)) => list.is_empty(),
        ("tool_choice" | "function_call", Value::String(choice)) => choice == "none",
        ("service_tier", Value::String(tier)) => tier == "auto" || tier == "default",
        ("response_format", Value::Object(format)) => {
            format.get("type").and_then(Value::as_str) == Some("text")
        }
        ("modalities", Value::Array(list)) => list.iter().all(|one| one == "text"),
        ("store" | "echo", Value::Bool(flag)) => !flag,
        ("suffix", Value::String(text)) => text.is_empty(),
        ("n" | "best_of", Value::Number(number)) => number.as_u64() == Some(1),
        _ => WITHOUT_EFFECT.contains(&field),
    }
}

/// Why a field is refused that OpenAI knows.
fn reason(field: &str) -> Option<&'static str> {
    Some(match field {
        "tools" | "tool_choice" | "functions" | "function_call" => "tools are not built",
        "response_format" => "only {\"type\": \"text\"} is built, no JSON modes or schemas",
        "n" | "best_of" => "only 1 is built; ask several times",
        "modalities" | "audio" => "only text is built",
        "store" => "answers are not kept",
        "echo" | "suffix" => "it is not built",
        "reasoning_effort" | "verbosity" | "prediction" | "web_search_options" => "it is not built",
        "service_tier" => "only auto and default are known",
        _ => return None,
    })
}

/// Refuses what would change the answer and is not built, and what nobody knows.
pub fn refuse_others(others: &Map<String, Value>) -> Result<(), Failure> {
    let Some((field, _)) = others
        .iter()
        .find(|(field, value)| !asks_nothing(field, value))
    else {
        return Ok(());
    };
    Err(match reason(field) {
        Some(reason) => Failure::unsupported(field, format!("{field}: {reason}")),
        None => Failure::invalid(format!("there is no field {field:?}")).about(field),
    })
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    pub fn all(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: Option<bool>,
    /// Padding against eavesdroppers: accepted, and none is added.
    #[serde(default, rename = "include_obfuscation")]
    _include_obfuscation: Option<bool>,
}

/// How the next token is chosen, and when to stop. `top_k`, `min_p` and `repetition_penalty` are no fields of
/// OpenAI's, but of others that serve its API.
#[derive(Debug, Default, Deserialize)]
pub struct Choosing {
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i64>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    logit_bias: Option<BTreeMap<String, f32>>,
    seed: Option<i64>,
    stop: Option<Texts>,
}

impl Choosing {
    /// Checks the values.
    pub fn wish(self, offered: &Offered) -> Result<Wish, Failure> {
        let stop = self.stop.map(Texts::all);
        if stop.as_ref().is_some_and(|stops| stops.len() > 16) {
            return Err(Failure::invalid("stop: there may be at most 16 texts").about("stop"));
        }
        let repeat_penalty = within("repetition_penalty", self.repetition_penalty, 0.01, 100.0)?;
        Ok(Wish {
            temperature: within("temperature", self.temperature, 0.0, 2.0)?,
            top_p: within("top_p", self.top_p, 0.0, 1.0)?,
            min_p: within("min_p", self.min_p, 0.0, 1.0)?,
            // Below 0 is all, as others have it.
            top_k: self
                .top_k
                .map(|count| u32::try_from(count.max(0)).unwrap_or(u32::MAX)),
            repeat_penalty,
            repeat_last_n: repeat_penalty.map(|_| -1),
            presence_penalty: within("presence_penalty", self.presence_penalty, -2.0, 2.0)?
                .unwrap_or(0.0),
            frequency_penalty: within("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?
                .unwrap_or(0.0),
            logit_bias: biases(self.logit_bias.unwrap_or_default(), offered)?,
            seed: self.seed.map(i64::cast_unsigned),
            stop,
            ..Wish::default()
        })
    }
}

fn biases(given: BTreeMap<String, f32>, offered: &Offered) -> Result<Vec<(u32, f32)>, Failure> {
    let tokens = offered.package()?.tokens()?;
    let bias = |(token, bias): (String, f32)| {
        let known = token.parse().ok().filter(|id| tokens.knows(*id));
        let wrong = |text: String| Failure::invalid(text).about("logit_bias");
        let id = known.ok_or_else(|| {
            wrong(format!(
                "logit_bias: {token:?} is the number of no token of this model"
            ))
        })?;
        if (-100.0..=100.0).contains(&bias) {
            Ok((id, bias))
        } else {
            Err(wrong(format!("logit_bias: {bias} is not from -100 to 100")))
        }
    };
    given.into_iter().map(bias).collect()
}

fn within(field: &str, value: Option<f32>, from: f32, to: f32) -> Result<Option<f32>, Failure> {
    match value {
        Some(number) if !(from..=to).contains(&number) => Err(Failure::invalid(format!(
            "{field} is {number}; it must be from {from} to {to}"
        ))
        .about(field)),
        other => Ok(other),
    }
}

/// Tokens of an answer, at least 1.
pub fn limit(field: &str, value: Option<i64>) -> Result<Option<i32>, Failure> {
    match value {
        None => Ok(None),
        Some(number) if number < 1 => Err(Failure::invalid(format!(
            "{field} is {number}; it must be at least 1"
        ))
        .about(field)),
        Some(number) => Ok(Some(i32::try_from(number).unwrap_or(i32::MAX))),
    }
}
