//! The tables of docs/determinism.md.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use assay_engine::Hardware;

use crate::{
    Compared,
    jobs::Job,
    ways::{Roots, Setting, Way},
};

/// Between these lines the file is written anew.
const BEGIN: &str = "<!-- written by `make determinism` -->";
const END: &str = "<!-- end of what is written -->";

/// One model's runs.
pub struct Row {
    name: String,
    ways: BTreeMap<Way, Roots>,
}

impl Row {
    pub fn new(job: &Job) -> Self {
        let name = job.name.clone();
        Self {
            name,
            ways: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, way: Way, found: Roots) {
        self.ways.insert(way, found);
    }

    pub fn roots(&self) -> Roots {
        let mut all = Roots::new();
        for (root, count) in self.ways.values().flatten() {
            *all.entry(*root).or_default() += count;
        }
        all
    }

    pub fn runs(&self) -> u32 {
        self.roots().values().sum()
    }

    fn of(&self, way: Way) -> u32 {
        self.ways.get(&way).map_or(0, |roots| roots.values().sum())
    }
}

/// A line of the table.
impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "| {} |", self.name)?;
        for way in Way::ALL {
            write!(out, " {} |", self.of(way))?;
        }
        let roots = self.roots();
        write!(out, " {} | {} |", self.runs(), roots.len())?;
        let first = roots.keys().next();
        let head = first.map_or([0; 4], |root| [root.0[0], root.0[1], root.0[2], root.0[3]]);
        write!(out, " `{:08x}..` |", u32::from_be_bytes(head))
    }
}

pub struct Report<'a> {
    pub rows: &'a [Row],
    pub others: &'a [(Setting, Compared)],
}

impl Report<'_> {
    /// Writes the tables into a file that has a place for them.
    pub fn write(&self, file: &Path) {
        let text = fs::read_to_string(file).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let tables = self.tables();
        fs::write(file, format!("{before}{BEGIN}\n\n{tables}\n{END}{after}")).unwrap();
    }

    fn tables(&self) -> String {
        let hardware = Hardware::look(None);
        let model = hardware.cpu.model.unwrap_or_default();
        let threads = hardware.cpu.threads;
        let sets = hardware.cpu.instruction_sets.join(" ");
        let mut text = format!("{model}, {threads} threads; {sets}.\n\n| model |");
        for way in Way::ALL {
            write!(text, " {} |", way.name()).unwrap();
        }
        text.push_str(" runs | roots | root |\n|---|---|---|---|---|---|---|---|\n");
        for row in self.rows {
            writeln!(text, "{row}").unwrap();
        }
        let models = self.rows.len();
        write!(
            text,
            "\nThe same jobs under other settings, ten runs each, of {models}:\n\n\
             | setting | same root | another root | more than one root |\n|---|---|---|---|\n"
        )
        .unwrap();
        for (setting, compared) in self.others {
            let list = |names: &[String]| match names {
                [] => "none".to_owned(),
                names => names.join(", "),
            };
            let Compared { same, other, torn } = compared;
            let (other, torn) = (list(other), list(torn));
            writeln!(text, "| {} | {same} | {other} | {torn} |", setting.name).unwrap();
        }
        text
    }
}
