//! Messages to a prompt, by the Jinja templates that Hugging Face's tokenizers carry.

use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::{Deserialize, Serialize};

use crate::error::{PackageError, TextError};

const NAME: &str = "chat";
/// Steps of a template, at most, so that none of a stranger goes on for ever; a chat of ten messages takes some hundred.
const FUEL: u64 = 10_000_000;

/// What was said in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`, or what else the template knows.
    pub role: String,
    pub content: String,
}

/// A template that has been understood.
#[derive(Debug)]
pub struct ChatTemplate {
    source: String,
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

/// The words that templates write around messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words<'a> {
    pub bos: Option<&'a str>,
    pub eos: Option<&'a str>,
}

impl ChatTemplate {
    /// Reads a template; `date` writes the time now by a format of strftime, for templates that tell the model the date.
    ///
    /// # Errors
    /// When it is no Jinja template; `file` is where it came from.
    pub fn parse(
        file: &str,
        source: &str,
        words: Words<'_>,
        date: fn(&str) -> Option<String>,
    ) -> Result<Self, PackageError> {
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
            .add_template_owned(NAME, without_marks(source))
            .map_err(|error| PackageError::Invalid {
                file: file.to_owned(),
                reason: format!("the chat template is no Jinja that is understood: {error:#}"),
            })?;
        let text = |word: Option<&str>| word.unwrap_or_default().to_owned();
        Ok(Self {
            source: source.to_owned(),
            environment,
            bos: text(words.bos),
            eos: text(words.eos),
        })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The prompt for what was said; with `answer` it ends where the model's answer begins.
    ///
    /// # Errors
    /// When the template refuses the messages or fails on them.
    pub fn render(&self, messages: &[Message], answer: bool) -> Result<String, TextError> {
        let refused = |error: Error| {
            let text = error
                .detail()
                .map_or_else(|| error.to_string(), str::to_owned);
            TextError::Refused(text)
        };
        let template = self.environment.get_template(NAME).map_err(refused)?;
        template
            .render(context! {
                messages,
                add_generation_prompt => answer,
                bos_token => self.bos,
                eos_token => self.eos,
            })
            .map_err(refused)
    }
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
