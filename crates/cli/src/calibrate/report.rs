//! What a calibration found: as JSON, as a table on the terminal, as Markdown.

use std::fmt::Write as _;

use assay_client::protocol::OutputProfile;
use assay_engine::type_name;
use serde::{Deserialize, Serialize};

use super::{
    attack::{self, Attack},
    choose::{self, Measured},
    machine::Machine,
    variation::Family,
    verdict::{Rate, Refusal, Verdict},
};
use crate::output;

/// Names the form of a profile file; another form gets another name.
pub const FORMAT: &str = "assay-profile/1";

/// The part of a report that `assay model register --profile-from` reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileFile {
    pub format: String,
    /// sha256 of the model's file, in hex.
    pub model: String,
    /// As `--profile` takes it.
    pub profile: String,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub file: ProfileFile,
    pub name: String,
    pub accepted: bool,
    /// Why the profile was refused.
    pub refusals: Vec<String>,
    /// What must be known of an accepted one.
    pub remarks: Vec<String>,
    pub safety: f64,
    pub machine: Machine,
    pub command: String,
    /// How the inputs came about.
    pub inputs: String,
    pub samples: usize,
    pub outputs: Vec<OutputRow>,
    pub variations: Vec<VariationRow>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
    pub honest_pairs: u64,
    pub honest_rejected: u64,
    pub attacks: Vec<AttackRow>,
}

#[derive(Debug, Serialize)]
pub struct OutputRow {
    pub name: String,
    pub r#type: &'static str,
    pub elements: usize,
    pub largest: f64,
    /// Largest |y - x| of all pairs of honest variations and all inputs.
    pub worst_honest: f64,
    /// What the step was chosen for: the worst, or two units in the last place of the largest value.
    pub expected: f64,
    /// `exact`, or the exponent.
    pub compares: String,
    pub step: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct VariationRow {
    pub name: String,
    pub family: &'static str,
    /// Largest deviation from the first variation, output by output.
    pub worst: Vec<f64>,
    /// The largest of them in steps; null where an exact output differs.
    pub steps: f64,
}

#[derive(Debug, Serialize)]
pub struct AttackRow {
    pub name: &'static str,
    pub detail: String,
    pub changed: usize,
    pub unchanged: usize,
    /// Smallest distance to an honest result: null where nothing changed, or an exact output did.
    pub least_deviation: Option<f64>,
    pub least_steps: Option<f64>,
    pub audits: u64,
    pub accepted: u64,
    /// Distances of all changed results in steps, for the picture.
    #[serde(skip)]
    pub distances: Vec<f64>,
}

impl OutputRow {
    pub fn of(measured: &[Measured], profile: &OutputProfile) -> Vec<Self> {
        let entries = choose::text(profile);
        let row = |(position, (output, entry)): (usize, (&Measured, &str))| Self {
            name: output.name.clone(),
            r#type: type_name(output.dtype),
            elements: output.elements,
            largest: output.magnitude,
            worst_honest: output.worst,
            expected: output.expected(),
            compares: entry.to_owned(),
            step: choose::step(profile, position, output.dtype),
        };
        let pairs = measured.iter().zip(entries.split(',')).enumerate();
        pairs.map(row).collect()
    }
}

impl AttackRow {
    pub fn of(attack: &Attack, verdict: &Verdict) -> Self {
        let nearest = verdict.nearest();
        let finite = |value: f64| value.is_finite().then_some(value);
        Self {
            name: attack.name,
            detail: attack.detail.clone(),
            changed: verdict.changed,
            unchanged: verdict.unchanged,
            least_deviation: nearest.and_then(|nearest| finite(nearest.absolute)),
            least_steps: nearest.and_then(|nearest| finite(nearest.steps)),
            audits: verdict.accepted.pairs,
            accepted: verdict.accepted.hits,
            distances: verdict
                .distances
                .iter()
                .map(|distance| distance.steps)
                .collect(),
        }
    }

    fn rate(&self) -> Rate {
        Rate {
            pairs: self.audits,
            hits: self.accepted,
        }
    }

    fn cells(&self) -> Vec<String> {
        let none = || if self.changed == 0 { "-" } else { "differs" }.to_owned();
        vec![
            self.name.to_owned(),
            self.detail.clone(),
            format!(
                "{} of {}",
                self.changed,
                self.changed.saturating_add(self.unchanged)
            ),
            self.least_deviation
                .map_or_else(none, |least| format!("{least:.1e}")),
            self.least_steps.map_or_else(none, steps),
            if self.changed == 0 {
                "-".to_owned()
            } else {
                format!("{:.1} %", self.rate().share() * 100.0)
            },
        ]
    }
}

const ATTACK_HEAD: [&str; 6] = [
    "attack",
    "what was done",
    "changed",
    "least deviation",
    "in steps",
    "audits passed",
];
const OUTPUT_HEAD: [&str; 7] = [
    "output",
    "type",
    "largest value",
    "worst honest",
    "compares",
    "step",
    "worst in steps",
];

fn steps(value: f64) -> String {
    if value == 0.0 {
        "0".into()
    } else if (0.01..10_000.0).contains(&value) {
        format!("{value:.3}")
    } else {
        format!("{value:.1e}")
    }
}

impl Report {
    fn output_rows(&self) -> Vec<Vec<String>> {
        let row = |output: &OutputRow| {
            vec![
                output.name.clone(),
                format!("{} x {}", output.r#type, output.elements),
                format!("{:.3e}", output.largest),
                format!("{:.2e}", output.worst_honest),
                output.compares.clone(),
                output
                    .step
                    .map_or_else(|| "-".into(), |step| format!("{step:.2e}")),
                output
                    .step
                    .map_or_else(|| "-".into(), |step| steps(output.worst_honest / step)),
            ]
        };
        self.outputs.iter().map(row).collect()
    }

    /// One row an attack; of those that leave a layer out, the ones nearest to an honest result.
    fn attack_rows(&self) -> Vec<Vec<String>> {
        const LAYERS: usize = 4;
        let (mut layers, others): (Vec<_>, Vec<_>) = self
            .attacks
            .iter()
            .partition(|attack| attack.name == attack::LAYER);
        let steps = |attack: &AttackRow| attack.least_steps.unwrap_or(f64::INFINITY);
        layers.sort_by(|a, b| steps(a).total_cmp(&steps(b)));
        let kept = layers.into_iter().take(LAYERS);
        others
            .into_iter()
            .chain(kept)
            .map(AttackRow::cells)
            .collect()
    }

    /// What can be said of the attack that passes most of its audits.
    fn weakest(&self) -> String {
        let by = |a: &&AttackRow, b: &&AttackRow| a.rate().share().total_cmp(&b.rate().share());
        let most = self.attacks.iter().max_by(by);
        most.filter(|attack| attack.accepted > 0).map_or_else(
            || "No attack passes a single audit.".to_owned(),
            |attack| {
                format!(
                    "The attack that passes most often, {} ({}), is caught by {:.1} % of its audits: on the other \
                     inputs its result lies within the tolerance of an honest one. Where the terms make cheating lose \
                     twice what it gains if every audit catches it, this one loses {:.2} times its gain.",
                    attack.name,
                    attack.detail,
                    (1.0 - attack.rate().share()) * 100.0,
                    attack.rate().loss()
                )
            },
        )
    }

    fn verdict(&self) -> String {
        if self.accepted {
            let (how, rest) = if self.remarks.is_empty() {
                ("separates", self.weakest())
            } else {
                (
                    "separates, with a reservation",
                    format!("But {}", self.remarks.join(" And ")),
                )
            };
            format!(
                "The profile `{}` {how}. Of {} audits of honest results by honest auditors, {} were rejected. {rest}",
                self.file.profile, self.honest_pairs, self.honest_rejected,
            )
        } else {
            let mut text = format!("The profile `{}` is refused:\n", self.file.profile);
            for refusal in &self.refusals {
                let _ = write!(text, "\n- {refusal}");
            }
            text
        }
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        format!(
            "{}\n\n{}\n\n{} honest variations, {} inputs\n{}",
            output::table(&OUTPUT_HEAD, self.output_rows()),
            output::table(&ATTACK_HEAD, self.attack_rows()),
            self.variations.len(),
            self.samples,
            self.verdict()
        )
    }

    /// For the documentation; `picture` is the file name beside it.
    pub fn markdown(&self, picture: &str) -> String {
        let mut text = format!("# Calibration of {}\n\n{}\n\n", self.name, self.verdict());
        let facts = [
            ("model (sha256)", format!("`{}`", self.file.model)),
            ("inputs", self.inputs.clone()),
            (
                "processor",
                format!("{}, {} cores", self.machine.processor, self.machine.cores),
            ),
            ("instruction sets", self.machine.instruction_sets.clone()),
            ("ONNX Runtime", self.machine.runtime.clone()),
            ("safety factor", format!("{}", self.safety)),
            ("command", format!("`{}`", self.command)),
        ];
        let rows = facts.map(|(name, value)| vec![name.to_owned(), value]);
        text += &markdown_table(&["what", "value"], &rows);
        let _ = writeln!(text, "\n![deviations in steps]({picture})\n\n## Outputs\n");
        text += &markdown_table(&OUTPUT_HEAD, &self.output_rows());
        let _ = writeln!(
            text,
            "\n\"Worst honest\" is the largest |y - x| over all pairs of variations and all inputs. A result is accepted \
             up to half a step and refused beyond it (between 0.496 and 0.504 steps either may happen)."
        );
        let _ = writeln!(text, "\n## Attacks\n");
        text += &markdown_table(&ATTACK_HEAD, &self.attack_rows());
        let _ = writeln!(
            text,
            "\nEach attack plays the primary with real root and hints, and every honest variation audits it. \
             \"Changed\" counts the inputs on which the attack's result is not one that an honest run gives too; the \
             least deviation is the distance to the nearest honest result."
        );
        self.variation_section(&mut text);
        text
    }

    fn variation_section(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n## Honest variations\n\n{} audits of one variation by another, {} rejected. The deviations are those \
             from the first row.\n",
            self.honest_pairs, self.honest_rejected
        );
        let mut head = vec!["variation"];
        head.extend(self.outputs.iter().map(|output| output.name.as_str()));
        head.push("in steps");
        let row = |variation: &VariationRow| {
            let mut cells = vec![variation.name.clone()];
            cells.extend(variation.worst.iter().map(|worst| match worst {
                0.0 => "equal".to_owned(),
                worst => format!("{worst:.1e}"),
            }));
            cells.push(steps(variation.steps));
            cells
        };
        let rows: Vec<_> = self.variations.iter().map(row).collect();
        *text += &markdown_table(&head, &rows);
        if !self.skipped.is_empty() {
            let _ = writeln!(text, "\nNot measured:\n");
            for skipped in &self.skipped {
                let _ = writeln!(text, "- {skipped}");
            }
        }
    }

    /// The rows of the picture: a name and distances in steps.
    pub fn strips(&self) -> Vec<super::picture::Strip> {
        let mut strips = Vec::new();
        for family in Family::ALL {
            let of = self
                .variations
                .iter()
                .filter(|row| row.family == family.name());
            let steps: Vec<f64> = of.map(|row| row.steps).collect();
            if !steps.is_empty() {
                strips.push(super::picture::Strip {
                    name: family.name().to_owned(),
                    honest: true,
                    steps,
                });
            }
        }
        for attack in &self.attacks {
            match strips.iter_mut().find(|strip| strip.name == attack.name) {
                Some(strip) => strip.steps.extend(&attack.distances),
                None => strips.push(super::picture::Strip {
                    name: attack.name.to_owned(),
                    honest: false,
                    steps: attack.distances.clone(),
                }),
            }
        }
        strips
    }
}

/// The refusals, for people.
pub fn refused(refusals: &[Refusal]) -> Vec<String> {
    refusals.iter().map(ToString::to_string).collect()
}

fn markdown_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}
