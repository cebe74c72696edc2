//! One line a check, and its fix below.

use serde::Serialize;

use crate::command::{
    print,
    wrap::{COLUMNS, wrap},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Good,
    /// A person may want to act.
    Notice,
    /// The worker does not work, or loses money, until it is mended.
    Broken,
    /// Not looked at.
    Skipped,
}

impl State {
    fn sign(self) -> char {
        match self {
            Self::Good => '\u{2713}',
            Self::Notice => '!',
            Self::Broken => '\u{2717}',
            Self::Skipped => '-',
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub section: &'static str,
    pub name: String,
    pub state: State,
    pub finding: String,
    /// The command or setting that mends it.
    pub fix: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub checks: Vec<Check>,
    /// How many of each.
    pub good: usize,
    pub notices: usize,
    pub broken: usize,
    pub skipped: usize,
    #[serde(skip)]
    section: &'static str,
    /// Whether each line is printed as soon as it is known.
    #[serde(skip)]
    live: bool,
}

impl Report {
    pub fn new(live: bool) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            checks: Vec::new(),
            good: 0,
            notices: 0,
            broken: 0,
            skipped: 0,
            section: "",
            live,
        }
    }

    pub fn section(&mut self, name: &'static str) {
        if self.live {
            let gap = if self.section.is_empty() { "" } else { "\n" };
            // A reader that has gone away ends nothing.
            let _ = print(&format!("{gap}{name}\n"));
        }
        self.section = name;
    }

    pub fn good(&mut self, name: impl Into<String>, finding: impl Into<String>) {
        self.good += 1;
        self.add(State::Good, name, finding.into(), None);
    }

    pub fn notice(
        &mut self,
        name: impl Into<String>,
        finding: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.notices += 1;
        self.add(State::Notice, name, finding.into(), Some(fix.into()));
    }

    pub fn broken(
        &mut self,
        name: impl Into<String>,
        finding: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.broken += 1;
        self.add(State::Broken, name, finding.into(), Some(fix.into()));
    }

    pub fn skipped(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.skipped += 1;
        self.add(State::Skipped, name, why.into(), None);
    }

    /// An error's text says what to do after the last semicolon, by this project's custom.
    pub fn failed(&mut self, name: impl Into<String>, error: &dyn std::error::Error) {
        let text = error.to_string();
        let (finding, fix) = match text.rsplit_once("; ") {
            Some((finding, fix)) => (finding.to_owned(), fix.to_owned()),
            None => (text, "see above".to_owned()),
        };
        self.broken(name, finding, fix);
    }

    pub fn is_broken(&self) -> bool {
        self.broken > 0
    }

    pub fn print_summary(&self) {
        let counted = self.checks.len();
        let _ = print(&format!(
            "\n{counted} checks: {} good, {} worth a look, {} broken, {} not made\n",
            self.good, self.notices, self.broken, self.skipped
        ));
    }

    fn add(&mut self, state: State, name: impl Into<String>, finding: String, fix: Option<String>) {
        let check = Check {
            section: self.section,
            name: name.into(),
            state,
            finding,
            fix,
        };
        if self.live {
            let _ = print(&check.text());
        }
        self.checks.push(check);
    }
}

/// Columns of a name, and where what follows it begins.
const NAME: usize = 14;
const INDENT: usize = 4 + NAME + 1;

impl Check {
    /// Two spaces, the sign, the name in a column of its own, and the rest beside it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut lead = format!("  {} {:<NAME$} ", self.state.sign(), self.name);
        for line in wrap(&self.finding, COLUMNS - INDENT) {
            text.push_str(&lead);
            text.push_str(&line);
            text.push('\n');
            lead = " ".repeat(INDENT);
        }
        if let Some(fix) = &self.fix {
            let mut mark = "fix: ";
            for line in fix.lines().flat_map(foldable) {
                text.push_str(&format!("{}{mark}{line}\n", " ".repeat(INDENT)));
                mark = "     ";
            }
        }
        text
    }
}

/// Prose is wrapped; a command is kept whole, so that it can be copied.
fn foldable(line: &str) -> Vec<String> {
    const COMMANDS: [&str; 4] = ["assay", "assay-worker", "chmod", "timedatectl"];
    match line.split_whitespace().next() {
        Some(word) if COMMANDS.contains(&word) => vec![line.to_owned()],
        Some(_) | None => wrap(line, COLUMNS - INDENT - "fix: ".len()),
    }
}
