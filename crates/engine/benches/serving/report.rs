//! The table: each bound, what was measured, and whether it holds.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use assay_engine::{Cpu, Memory};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Met,
    Missed,
    /// There is no bound: for comparison.
    Beside,
    /// What it takes is not there.
    NotMeasured,
}

impl Verdict {
    pub fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::Beside => "",
            Self::NotMeasured => "not measured",
        }
    }
}

pub struct Row {
    pub what: String,
    pub bound: String,
    /// As a ratio where it is one.
    pub value: String,
    pub absolute: String,
    pub verdict: Verdict,
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds rows, and shows them at once.
    pub fn add(&mut self, rows: impl IntoIterator<Item = Row>) {
        for row in rows {
            eprintln!(
                "  {}: {} [{}] ({}) {}",
                row.what,
                row.value,
                row.bound,
                row.absolute,
                row.verdict.words()
            );
            self.rows.push(row);
        }
    }

    pub fn missed(&self) -> usize {
        let missed = |row: &&Row| row.verdict == Verdict::Missed;
        self.rows.iter().filter(missed).count()
    }

    /// Markdown: the machine, then the table.
    pub fn text(&self, runtime: &str) -> String {
        let mut text = format!("{}\n\n", machine(runtime));
        text.push_str("| what | bound | measured | absolute | |\n|---|---|---|---|---|\n");
        for row in &self.rows {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                row.what,
                row.bound,
                row.value,
                row.absolute,
                row.verdict.words()
            );
        }
        text
    }
}

fn machine(runtime: &str) -> String {
    let (cpu, memory) = (Cpu::look(), Memory::look());
    let system = rustix::system::uname();
    format!(
        "{}, {} threads ({}), {:.0} GiB, {} {}; {runtime}.",
        cpu.model.unwrap_or_else(|| "unknown processor".into()),
        cpu.threads,
        cpu.instruction_sets.join(" "),
        memory.total_bytes as f64 / f64::from(1 << 30),
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
    )
}

/// Puts the text between the marks of this name in a file.
pub fn write(path: &Path, name: &str, text: &str) -> Result<()> {
    let (begin, end) = (
        format!("<!-- {name}: begin -->"),
        format!("<!-- {name}: end -->"),
    );
    let old =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let (before, rest) = old
        .split_once(&begin)
        .context("the file has no mark to begin at")?;
    let (_, after) = rest
        .split_once(&end)
        .context("the file has no mark to end at")?;
    ensure!(
        !after.contains(&begin),
        "the file has two places to write to"
    );
    fs::write(path, format!("{before}{begin}\n{text}{end}{after}"))
        .with_context(|| format!("{} cannot be written", path.display()))
}
