//! `assay model calibrate`: measures how far honest runs of a model differ, and chooses how its outputs compare.
//!
//! | module | does |
//! |---|---|
//! | `inputs` | reads inputs, or draws them |
//! | `variation`, `lab`, `batch` | the honest ways to run a model |
//! | `forge`, `wire`, `attack` | the dishonest ones |
//! | `measure`, `choose` | how far results are apart, and the step for it |
//! | `verdict` | what audits would say, and whether the profile separates |
//! | `report`, `picture` | for people, for scripts, for the documentation |

mod attack;
mod batch;
mod choose;
mod forge;
mod inputs;
mod lab;
mod machine;
mod measure;
mod options;
mod picture;
mod random;
mod report;
mod variation;
mod verdict;
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use assay_client::protocol::OutputProfile;
use assay_engine::{EngineError, Model, ModelInfo, Outcome, RuntimeFault};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{context::Context, engine, model::parse_profile, onnx, output};
use attack::Attack;
use batch::Batching;
use inputs::Sample;
use lab::Lab;
use machine::Machine;
use report::{AttackRow, FORMAT, OutputRow, ProfileFile, Report, VariationRow};
use variation::Variation;
use verdict::{Honest, Verdict};

pub use options::{CalibrateOptions, EXAMPLES};
pub use report::ProfileFile as CalibratedProfile;

pub async fn run(context: &Context, options: &CalibrateOptions) -> Result<()> {
    let bytes = fs::read(&options.file).with_context(|| {
        format!(
            "cannot read the model {}; check the path",
            options.file.display()
        )
    })?;
    let file = onnx::Model::read(&bytes)
        .with_context(|| format!("{} is not usable", options.file.display()))?;
    let lab = Lab::new(engine::config(&options.engine), !options.native)?;
    let model = Model::new(bytes.clone());
    let (info, runtime) = lab.open(&model).await?;
    let (samples, inputs) = samples(options, &lab, &model, &file, &info).await?;

    let batching = Batching::of(&info);
    let mut bench = Bench::new(&lab, batching.is_some(), options);
    let variations = lab.variations(batching.is_some(), options.quick);
    let (variations, honest) = bench
        .honest(&lab, variations, &model, &samples, batching.as_ref())
        .await?;
    let measured = choose::measure(&honest.distinct());
    let mut attacks = attack::forged(&lab, &bytes, &samples, &honest.base(), |name| {
        bench.progress.set_message(format!("attack: {name}"));
        bench.progress.inc(1);
    })
    .await?;
    attacks.extend(attack::dressed(&honest.base()));
    bench.progress.finish_and_clear();

    let chosen = choose::profile(&measured, options.safety, options.exact)?;
    let profile = match &options.profile {
        Some(text) => parse_profile(text, measured.len())?,
        None => chosen,
    };
    let needed = choose::needed(&profile, &chosen);
    let rejected = verdict::honest_rejects(&honest, &profile)?;
    let judge = |attack: Attack| {
        let verdict = verdict::judge(&honest, &attack, &profile, &measured)?;
        Ok((attack, verdict))
    };
    let judged: Vec<(Attack, Verdict)> = attacks.into_iter().map(judge).collect::<Result<_>>()?;
    let refusals = verdict::refusals(&profile, needed, &measured, rejected, &judged);
    let report = Report {
        file: ProfileFile {
            format: FORMAT.into(),
            model: hex::encode(file.digest.0),
            profile: choose::text(&profile),
        },
        name: file_name(&options.file),
        accepted: refusals.is_empty(),
        refusals: report::refused(&refusals),
        remarks: verdict::remarks(&judged),
        safety: options.safety,
        machine: Machine::here(runtime_name(options, &runtime)),
        command: command(),
        inputs,
        samples: samples.len(),
        outputs: OutputRow::of(&measured, &profile),
        variations: rows(&variations, &honest, &profile, &measured),
        skipped: bench.skipped,
        honest_pairs: rejected.pairs,
        honest_rejected: rejected.hits,
        attacks: judged
            .iter()
            .map(|(attack, verdict)| AttackRow::of(attack, verdict))
            .collect(),
    };
    finish(context, options, &report)
}

fn finish(context: &Context, options: &CalibrateOptions, report: &Report) -> Result<()> {
    let folder = &options.out;
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let stem = options.file.file_stem().map_or_else(
        || "model".into(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let write = |extension: &str, text: &str| -> Result<PathBuf> {
        let path = folder.join(format!("{stem}.{extension}"));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    };
    let picture = write(
        "svg",
        &picture::svg(
            &format!("{}, profile {}", report.name, report.file.profile),
            &report.strips(),
        ),
    )?;
    let markdown = write("md", &report.markdown(&file_name(&picture)))?;
    let json = serde_json::to_string_pretty(report)? + "\n";
    let written = report.accepted.then(|| write("json", &json)).transpose()?;
    if context.options.json {
        output::json(report)?;
    } else {
        output::line(report.text())?;
    }
    context.say(format_args!(
        "report: {}, picture: {}",
        markdown.display(),
        picture.display()
    ));
    let Some(profile) = written else {
        bail!(
            "the profile {} does not separate honest results from others: {}",
            report.file.profile,
            report.refusals.join("; ")
        );
    };
    context.say(format_args!(
        "register: assay model register {} --profile-from {}",
        options.file.display(),
        profile.display()
    ));
    Ok(())
}

/// The inputs, and how they came about.
async fn samples(
    options: &CalibrateOptions,
    lab: &Lab,
    model: &Model,
    file: &onnx::Model,
    info: &ModelInfo,
) -> Result<(Vec<Sample>, String)> {
    if !options.inputs.is_empty() {
        let samples = inputs::read(&options.inputs, file, info)?;
        let text = format!("{} given", samples.len());
        return Ok((samples, text));
    }
    let mut reason = String::new();
    for bound in inputs::BOUNDS {
        let samples = inputs::generate(info, file, options.runs.into(), bound, &options.dimension)?;
        let outcomes = lab
            .run(&lab.base(), model, &samples, None)
            .await?
            .unwrap_or_default();
        match outcomes.iter().find_map(inputs::failure) {
            None => {
                let text = format!(
                    "{} drawn with a fixed seed: floats standard normal, integers below {bound}",
                    samples.len()
                );
                return Ok((samples, text));
            }
            Some(message) => reason = message.to_owned(),
        }
    }
    bail!(
        "the model fails on every input that was drawn for it ({reason}); give real ones with --inputs"
    )
}

/// What a calibration notes while it goes on.
struct Bench {
    progress: ProgressBar,
    skipped: Vec<String>,
}

impl Bench {
    /// Notes at once what cannot be varied here.
    fn new(lab: &Lab, batching: bool, options: &CalibrateOptions) -> Self {
        let mut skipped = Vec::new();
        if !batching {
            skipped.push(
                "place in a batch: inputs and outputs have no free batch dimension".to_owned(),
            );
        }
        if lab.emulator.is_none() {
            let reason = if options.native {
                "--native was given"
            } else {
                "QEMU's user emulation (qemu-x86_64) is not installed"
            };
            skipped.push(format!(
                "other instruction sets: ONNX Runtime has no switch for them, and {reason}"
            ));
        }
        Self {
            progress: progress(),
            skipped,
        }
    }

    /// Runs every variation; those that cannot be run are noted.
    async fn honest(
        &mut self,
        lab: &Lab,
        variations: Vec<Variation>,
        model: &Model,
        samples: &[Sample],
        batching: Option<&Batching>,
    ) -> Result<(Vec<Variation>, Honest)> {
        let (mut done, mut runs): (Vec<_>, Vec<Vec<Outcome>>) = (Vec::new(), Vec::new());
        for variation in variations {
            self.progress.set_message(variation.name.clone());
            match lab.run(&variation, model, samples, batching).await {
                Ok(Some(outcomes)) => {
                    if let Some(message) = outcomes.iter().find_map(inputs::failure)
                        && done.is_empty()
                    {
                        bail!("the model fails on an input ({message}); leave that input out");
                    }
                    done.push(variation);
                    runs.push(outcomes);
                }
                Ok(None) => self.skipped.push(format!(
                    "{}: the inputs do not fit into one batch",
                    variation.name
                )),
                Err(error) if !done.is_empty() => {
                    let reason = if absent(&error) {
                        "not present, or not in this ONNX Runtime".to_owned()
                    } else {
                        format!("{error:#}")
                    };
                    self.skipped.push(format!("{}: {reason}", variation.name));
                }
                Err(error) => return Err(error),
            }
            self.progress.inc(1);
        }
        Ok((done, Honest::new(runs)))
    }
}

/// Whether a run failed because its device is not there.
fn absent(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(EngineError::Runtime(
            RuntimeFault::ProviderUnavailable { .. }
        ))
    )
}

fn rows(
    variations: &[Variation],
    honest: &Honest,
    profile: &OutputProfile,
    measured: &[choose::Measured],
) -> Vec<VariationRow> {
    let spread = honest.spread(variations.len(), measured.len());
    let row = |(variation, worst): (&Variation, Vec<f64>)| VariationRow {
        name: variation.name.clone(),
        family: variation.family().name(),
        steps: verdict::distance(&worst, profile, measured).steps,
        worst,
    };
    variations.iter().zip(spread).map(row).collect()
}

fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} {wide_msg}");
    let bar = ProgressBar::new_spinner();
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The library's file name carries its version, which its own description lacks.
fn runtime_name(options: &CalibrateOptions, runtime: &str) -> String {
    let library = options.engine.runtime.as_deref().map(file_name);
    match library {
        Some(name) if !name.is_empty() => format!("{name}; {runtime}"),
        Some(_) | None => runtime.to_owned(),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The command, as it can be typed again.
fn command() -> String {
    let arguments = std::env::args().skip(1).map(|argument| {
        if argument.contains(char::is_whitespace) {
            format!("'{argument}'")
        } else {
            argument
        }
    });
    let mut words = vec!["assay".to_owned()];
    words.extend(arguments);
    words.join(" ")
}

#[cfg(test)]
mod tests;
