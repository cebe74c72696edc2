//! Messages to a prompt, by the Jinja templates that Hugging Face's tokenizers carry.

use std::fmt::Write as _;

use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::{Deserialize, Serialize};

use crate::error::TextError;

/// Steps of a template, at most, so that none of a stranger goes on for ever; a chat of ten messages takes some hundred.
const FUEL: u64 = 10_000_000;

/// What was said in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`, or what else the template knows.
    pub role: String,
    pub content: String,
}

/// A chat template, as it was written: nothing looks into it before it is rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatTemplate {
    /// Where it came from.
    pub file: String,
    pub source: String,
    /// The first token's text, or none.
    pub bos: String,
    /// The last token's text, or none.
    pub eos: String,
}

impl ChatTemplate {
    /// The prompt for what was said, up to where the model's answer begins.
    pub fn prompt(&self, messages: Vec<Message>) -> Rendering {
        Rendering {
            template: self.clone(),
            messages: Some(messages),
        }
    }

    /// Whether it is Jinja; its text is empty.
    pub fn check(&self) -> Rendering {
        Rendering {
            template: self.clone(),
            messages: None,
        }
    }
}

/// What is to be made of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendering {
    template: ChatTemplate,
    /// None to read the template alone.
    messages: Option<Vec<Message>>,
}

impl Rendering {
    /// Its text. Steps are counted and memory is not: a template of a few lines takes all there is, when it is read or
    /// when it is rendered. So a process that has something to lose has another do this.
    ///
    /// # Errors
    /// When the template is no Jinja, refuses the messages or fails on them.
    pub fn render(&self) -> Result<String, TextError> {
        self.render_at(date)
    }

    /// `date` writes the time now by a format of strftime, for templates that tell the model the date.
    fn render_at(&self, date: fn(&str) -> Option<String>) -> Result<String, TextError> {
        let refused = |error: Error| {
            let text = error
                .detail()
                .map_or_else(|| error.to_string(), str::to_owned);
            TextError::Refused(text)
        };
        let ChatTemplate {
            file,
            source,
            bos,
            eos,
        } = &self.template;
        let source = without_marks(source);
        let environment = environment(date);
        let template =
            environment
                .template_from_str(&source)
                .map_err(|error| TextError::Template {
                    file: file.clone(),
                    reason: format!("{error:#}"),
                })?;
        let Some(messages) = &self.messages else {
            return Ok(String::new());
        };
        template
            .render(context! {
                messages,
                add_generation_prompt => true,
                bos_token => bos,
                eos_token => eos,
            })
            .map_err(refused)
    }
}

/// What templates find around them.
fn environment(date: fn(&str) -> Option<String>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, text))
    });
    environment.add_function("strftime_now", move |format: String| {
        date(&format).ok_or_else(|| {
            let text = format!("{format:?} is no date format");
            Error::new(ErrorKind::InvalidOperation, text)
        })
    });
    environment.add_filter("tojson", to_json);
    environment
}

/// The time now where this machine is.
fn date(format: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", chrono::Local::now().format(format)).ok()?;
    Some(text)
}

/// Marks for training mean nothing here, and are no Jinja.
fn without_marks(source: &str) -> String {
    let mut text = source.to_owned();
    for word in ["generation", "endgeneration"] {
        for open in ["{%", "{%-"] {
            for close in ["%}", "-%}"] {
                let comment = format!("{}{}", open.replace('%', "#"), close.replace('%', "#"));
                text = text.replace(&format!("{open} {word} {close}"), &comment);
            }
        }
    }
    text
}

/// As Python's `json.dumps` writes it, without the escapes for HTML that Jinja adds.
fn to_json(value: &Value, options: minijinja::value::Kwargs) -> Result<String, Error> {
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::BadSerialization, "this has no JSON").with_source(error)
    };
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    let mut bytes = Vec::new();
    match indent {
        None => {
            let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Spaced);
            value.serialize(&mut serializer).map_err(failed)?;
        }
        Some(width) => {
            let spaces = vec![b' '; width.min(16)];
            let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
            let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
            value.serialize(&mut serializer).map_err(failed)?;
        }
    }
    String::from_utf8(bytes)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// JSON on one line, with a space after each comma and colon.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests;
