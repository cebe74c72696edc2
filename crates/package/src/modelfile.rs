//! The text that people write a package's defaults in.
//!
//! One instruction a line, its word in any case; `#` begins a comment line; a value in `"""` may go over lines. What is
//! not known is an error, never passed over.

use std::{path::PathBuf, str::FromStr};

use crate::{
    error::ModelfileError,
    manifest::{FORMAT, Manifest, Parameters, Pooling},
};

const KNOWN: &str = "FROM, NAME, PARAMETER, SYSTEM, TEMPLATE, LICENSE, POOLING and NORMALIZE";
const KNOWN_PARAMETERS: &str = "temperature, top_k, top_p, min_p, repeat_penalty, repeat_last_n, seed, num_predict, \
                                num_ctx and stop";

/// What a Modelfile says.
#[derive(Clone, Debug, PartialEq)]
pub struct Modelfile {
    /// The folder or .onnx file, as written.
    pub from: PathBuf,
    pub manifest: Manifest,
}

impl Modelfile {
    /// Reads the text.
    ///
    /// # Errors
    /// At the first line that is not understood, or when FROM is missing.
    pub fn parse(text: &str) -> Result<Self, ModelfileError> {
        let mut from = None;
        let mut manifest = Manifest {
            format: FORMAT,
            ..Manifest::default()
        };
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |reason: String| ModelfileError {
                line: index + 1,
                reason,
            };
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let upper = word.to_ascii_uppercase();
            let value = value(rest.trim(), || lines.next().map(|(_, line)| line)).map_err(at)?;
            if value.is_empty() {
                return Err(at(format!("{upper} needs a value")));
            }
            match upper.as_str() {
                "FROM" => once(&mut from, value.into(), "FROM"),
                "NAME" => name(value).and_then(|name| once(&mut manifest.name, name, "NAME")),
                "PARAMETER" => parameter(&mut manifest.parameters, &value),
                "SYSTEM" => once(&mut manifest.system, value, "SYSTEM"),
                "TEMPLATE" => template(value)
                    .and_then(|value| once(&mut manifest.template, value, "TEMPLATE")),
                "LICENSE" => once(&mut manifest.license, value, "LICENSE"),
                "POOLING" => {
                    pooling(&value).and_then(|value| once(&mut manifest.pooling, value, "POOLING"))
                }
                "NORMALIZE" => parsed(&value, "NORMALIZE", "true or false")
                    .and_then(|value| once(&mut manifest.normalize, value, "NORMALIZE")),
                _ => Err(format!("{word:?} is no instruction; known are {KNOWN}")),
            }
            .map_err(at)?;
        }
        let from = from.ok_or_else(|| ModelfileError {
            line: text.lines().count().max(1),
            reason: "FROM is missing: it names the folder of the model, or its .onnx file"
                .to_owned(),
        })?;
        Ok(Self { from, manifest })
    }
}

/// A value as it stands, in quotes, or in triple quotes over lines.
fn value<'a>(rest: &str, mut next: impl FnMut() -> Option<&'a str>) -> Result<String, String> {
    if let Some(open) = rest.strip_prefix(r#"""""#) {
        let mut text = open.to_owned();
        loop {
            if let Some(end) = text.find(r#"""""#) {
                if !text.split_at(end + 3).1.trim().is_empty() {
                    return Err(r#"there is text after the closing """"#.to_owned());
                }
                text.truncate(end);
                return Ok(text.strip_prefix('\n').map_or(text.clone(), str::to_owned));
            }
            text.push('\n');
            text.push_str(next().ok_or(r#"the closing """ is missing"#)?);
        }
    }
    Ok(unquoted(rest))
}

/// What is in quotes, with JSON's escapes where they are some.
fn unquoted(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| {
        text.strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text)
            .to_owned()
    })
}

fn once<T>(place: &mut Option<T>, value: T, word: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{word} is here a second time")),
    }
}

fn parsed<T: FromStr>(text: &str, what: &str, wanted: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{what} is {text:?}; it must be {wanted}"))
}

fn name(text: String) -> Result<String, String> {
    let fits = text.len() <= 64
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits {
        Ok(text)
    } else {
        Err(format!(
            "NAME is {text:?}; it must be at most 64 of a-z, A-Z, 0-9, `-`, `_` and `.`"
        ))
    }
}

fn template(text: String) -> Result<String, String> {
    if [
        "{{ .",
        "{{.",
        "{{- .",
        "{{ if ",
        "{{- if ",
        "{{ range ",
        "{{- range ",
    ]
    .iter()
    .any(|go| text.contains(go))
    {
        return Err(
            "TEMPLATE is a Go template; write a Jinja one over `messages`, or leave it out to use the tokenizer's"
                .to_owned(),
        );
    }
    Ok(text)
}

fn pooling(text: &str) -> Result<Pooling, String> {
    match text.to_ascii_lowercase().as_str() {
        "mean" => Ok(Pooling::Mean),
        "cls" => Ok(Pooling::Cls),
        "last" => Ok(Pooling::Last),
        "none" => Ok(Pooling::None),
        _ => Err(format!(
            "POOLING is {text:?}; it must be mean, cls, last or none"
        )),
    }
}

fn parameter(parameters: &mut Parameters, text: &str) -> Result<(), String> {
    let (key, value) = text
        .split_once(char::is_whitespace)
        .map(|(key, value)| (key, unquoted(value.trim())))
        .filter(|(_, value)| !value.is_empty())
        .ok_or_else(|| format!("PARAMETER needs a name and a value, as in `{text} 1`"))?;
    let value = value.as_str();
    match key {
        "temperature" => once(
            &mut parameters.temperature,
            real(key, value, 0.0, f32::MAX)?,
            key,
        ),
        "top_k" => once(&mut parameters.top_k, whole(key, value)?, key),
        "top_p" => once(&mut parameters.top_p, real(key, value, 0.0, 1.0)?, key),
        "min_p" => once(&mut parameters.min_p, real(key, value, 0.0, 1.0)?, key),
        "repeat_penalty" => once(
            &mut parameters.repeat_penalty,
            real(key, value, f32::MIN_POSITIVE, f32::MAX)?,
            key,
        ),
        "repeat_last_n" => once(
            &mut parameters.repeat_last_n,
            parsed::<i32>(value, key, "a whole number from -1")
                .and_then(|number| at_least(number, -1, key))?,
            key,
        ),
        "seed" => once(&mut parameters.seed, whole(key, value)?, key),
        "num_predict" => once(
            &mut parameters.num_predict,
            parsed(value, key, "a whole number")?,
            key,
        ),
        "num_ctx" => once(
            &mut parameters.num_ctx,
            whole(key, value).and_then(|number: u32| at_least(number, 1, key))?,
            key,
        ),
        "stop" => {
            parameters.stop.push(value.to_owned());
            Ok(())
        }
        _ => Err(format!(
            "{key:?} is no parameter; known are {KNOWN_PARAMETERS}"
        )),
    }
}

fn whole<T: FromStr>(key: &str, text: &str) -> Result<T, String> {
    parsed(text, key, "a whole number from 0")
}

fn at_least<T: PartialOrd + std::fmt::Display>(
    number: T,
    least: T,
    key: &str,
) -> Result<T, String> {
    if number < least {
        return Err(format!("{key} is {number}; it must be at least {least}"));
    }
    Ok(number)
}

fn real(key: &str, text: &str, from: f32, to: f32) -> Result<f32, String> {
    let number: f32 = parsed(text, key, "a number")?;
    if (from..=to).contains(&number) {
        Ok(number)
    } else if to < f32::MAX {
        Err(format!("{key} is {text}; it must be from {from} to {to}"))
    } else {
        Err(format!("{key} is {text}; it must not be below {from}"))
    }
}

#[cfg(test)]
mod tests;
