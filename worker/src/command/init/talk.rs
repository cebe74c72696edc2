//! Questions: answered by a flag, at a terminal, or by their default.

use std::io::IsTerminal;

use dialoguer::Input;

use crate::command::{
    Ended,
    wrap::{COLUMNS, wrap},
};

/// Who answers what no flag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// A person.
    Terminal,
    /// The defaults.
    Defaults,
}

/// One thing to know.
pub struct Question<'a> {
    /// Its flag, without the dashes; also what it is called.
    pub flag: &'a str,
    pub prompt: &'a str,
    /// What to think of, at a terminal only.
    pub explanation: &'a str,
    pub default: String,
}

impl Talk {
    pub fn new(yes: bool) -> Self {
        if !yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            Self::Terminal
        } else {
            Self::Defaults
        }
    }

    /// The flag's value, or the person's, or the default, once `check` accepts it. A person is told
    /// the reason and asked again.
    pub fn ask<T>(
        self,
        question: &Question<'_>,
        flag: Option<String>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Ended> {
        let name = question.flag;
        if let Some(text) = flag {
            return check(text.trim())
                .map_err(|reason| Ended::usage(format!("--{name} {text}: {reason}")));
        }
        let default = question.default.clone();
        if self == Self::Defaults {
            let shown = if default.is_empty() { "none" } else { &default };
            eprintln!("assumed: {} {shown}  (--{name})", question.prompt);
            return check(&default)
                .map_err(|reason| Ended::usage(format!("--{name} {default:?}: {reason}")));
        }
        eprintln!("\n{}", wrap(question.explanation, COLUMNS).join("\n"));
        let mut input = Input::<String>::new()
            .with_prompt(question.prompt)
            .validate_with(|text: &String| check(text.trim()).map(|_| ()));
        input = if default.is_empty() {
            input.allow_empty(true)
        } else {
            input.default(default)
        };
        let text = input.interact().map_err(|error| {
            Ended::Failed(anyhow::anyhow!("no answer: {error}; nothing was written"))
        })?;
        check(text.trim()).map_err(Ended::Usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(default: &str) -> Question<'static> {
        Question {
            flag: "watts",
            prompt: "Watts",
            explanation: "",
            default: default.to_owned(),
        }
    }

    #[test]
    fn flag_wins_over_the_default_and_is_checked() {
        let check = |text: &str| text.parse::<u32>().map_err(|error| error.to_string());
        let ask = |flag: Option<&str>| {
            Talk::Defaults.ask(&question("65"), flag.map(str::to_owned), check)
        };
        assert_eq!(ask(None).unwrap(), 65);
        assert_eq!(ask(Some(" 70 ")).unwrap(), 70);
        let Err(Ended::Usage(reason)) = ask(Some("much")) else {
            panic!("a bad flag is wrong usage")
        };
        assert!(reason.starts_with("--watts much: "), "{reason}");
    }
}
