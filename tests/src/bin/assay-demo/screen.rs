//! What a person sees: at most 80 columns, colours and passing lines only on a terminal.

use std::{
    cell::Cell,
    io::{IsTerminal as _, Write as _, stdout},
};

use assay_tests::e2e::Landed;

const BOLD: &str = "1";
const DIM: &str = "2";
const CYAN: &str = "36";
const YELLOW: &str = "33";
const GREEN: &str = "32";
const RED: &str = "31";

pub struct Screen {
    terminal: bool,
    colours: bool,
    steps: Cell<u32>,
}

impl Screen {
    pub fn new() -> Self {
        let terminal = stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none();
        Self {
            terminal,
            colours,
            steps: Cell::new(0),
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub fn line(&self, text: &str) {
        // A reader that went away, as `head` does, is no reason to stop.
        let _ = writeln!(stdout(), "{}", text.trim_end());
    }

    pub fn title(&self, text: &str) {
        self.line(&self.paint(BOLD, text));
    }

    pub fn quiet(&self, text: &str) {
        self.line(&self.paint(DIM, text));
    }

    /// Begins a numbered step.
    pub fn step(&self, text: &str) {
        self.steps.set(self.steps.get() + 1);
        let number = self.paint(CYAN, &self.steps.get().to_string());
        self.line("");
        self.line(&format!("{number}  {}", self.paint(BOLD, text)));
    }

    pub fn fact(&self, name: &str, value: &str) {
        let name = self.paint(DIM, &format!("{name:<10}"));
        self.line(&format!("   {name} {value}"));
    }

    /// A transaction with what it cost and who paid for it.
    pub fn transaction(&self, name: &str, landed: &Landed, payer: &str) {
        let signature = self.paint(DIM, &short(&landed.signature, 10));
        self.sent(name, &[landed], &format!("{payer:<9}  {signature}"));
    }

    /// Several transactions of one kind, with what they cost together.
    pub fn transactions(&self, name: &str, landed: &[&Landed], payers: &str) {
        self.sent(&format!("{name} × {}", landed.len()), landed, payers);
    }

    fn sent(&self, name: &str, landed: &[&Landed], more: &str) {
        let units: u64 = landed.iter().map(|landed| landed.compute_units).sum();
        let fees: u64 = landed.iter().map(|landed| landed.fee).sum();
        let cost = format!("{:>6} CU  fee {:>6}", grouped(units), grouped(fees));
        let sent = self.paint(GREEN, "✓");
        self.line(&format!("   {sent} {name:<21} {cost}  {more}"));
    }

    pub fn bad(&self, text: &str) -> String {
        self.paint(RED, text)
    }

    pub fn good(&self, text: &str) -> String {
        self.paint(GREEN, text)
    }

    pub fn warn(&self, text: &str) -> String {
        self.paint(YELLOW, text)
    }

    pub fn strong(&self, text: &str) -> String {
        self.paint(BOLD, text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint(DIM, text)
    }

    /// A line that the next one replaces; a file gets none of them.
    pub fn passing(&self, text: &str) {
        if self.terminal {
            let _ = write!(stdout(), "\r\x1b[K   {}", self.paint(DIM, text));
            let _ = stdout().flush();
        }
    }

    /// Removes the passing line.
    pub fn clear(&self) {
        if self.terminal {
            let _ = write!(stdout(), "\r\x1b[K");
        }
    }
}

/// A number with a comma at every thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A change: with its sign, 0 without.
pub fn signed(before: u64, after: u64) -> String {
    let sign = match after.cmp(&before) {
        std::cmp::Ordering::Less => "-",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "+",
    };
    format!("{sign}{}", grouped(after.abs_diff(before)))
}

/// The beginning of a long text.
pub fn short(text: &str, length: usize) -> String {
    if text.len() <= length {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(length).collect::<String>())
}

/// A bar of `width` cells, filled in part.
pub fn bar(part: u64, whole: u64, width: usize) -> String {
    let filled =
        usize::try_from(part.min(whole) * 1_000 / whole.max(1)).unwrap_or(0) * width / 1_000;
    format!("▕{}{}▏", "█".repeat(filled), " ".repeat(width - filled))
}
