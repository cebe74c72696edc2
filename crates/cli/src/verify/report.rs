//! The verdict, for people and as JSON.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Verified,
    compare::{OutputReport, Worst},
    judge::Verdict,
};
use crate::{context::Context, output, plain::plain};

const HEAD: [&str; 7] = [
    "OUTPUT",
    "COMPARES",
    "VALUES",
    "DIFFER",
    "REFUSED",
    "WORST DEVIATION",
    "WHERE",
];

pub fn json(verified: &Verified) -> Value {
    let Verified {
        receipt,
        judgement,
        runtime,
        dispute,
    } = verified;
    let delivery = &receipt.delivery;
    json!({
        "verdict": judgement.verdict,
        "job": receipt.job.to_string(),
        "provider": delivery.provider.to_string(),
        "root": hex::encode(delivery.root),
        "commitment": hex::encode(delivery.commitment),
        "notes": judgement.notes.iter().map(|note| plain(note)).collect::<Vec<_>>(),
        "outputs": judgement.outputs,
        "runtime_here": runtime,
        "runtime_there": plain(&delivery.runtime),
        "dispute": dispute,
    })
}

/// `disputes`: whether a dispute follows.
pub fn print(context: &Context, verified: &Verified, disputes: bool) -> Result<()> {
    let Verified {
        receipt,
        judgement,
        runtime,
        ..
    } = verified;
    output::line(judgement.verdict.name())?;
    if !judgement.outputs.is_empty() {
        output::line(output::table(
            &HEAD,
            judgement.outputs.iter().map(row).collect(),
        ))?;
    }
    for mismatch in judgement.outputs.iter().filter_map(|o| o.mismatch.as_ref()) {
        output::line(mismatch)?;
    }
    for note in &judgement.notes {
        context.say(plain(note));
    }
    context.say(format_args!(
        "here {runtime}; there {}",
        plain(&receipt.delivery.runtime)
    ));
    context.say(format_args!(
        "the receipt opens the commitment {:.16}.. of {}; whether that is on chain, `assay job show {}` tells while \
         the job's account lives",
        hex::encode(receipt.delivery.commitment),
        receipt.delivery.provider,
        receipt.job
    ));
    if judgement.verdict == Verdict::Fraud && !disputes {
        context.say(
            "one machine's word against another's: an audit asks several; --dispute calls for one where the job still \
             allows it",
        );
    }
    Ok(())
}

fn row(report: &OutputReport) -> Vec<String> {
    vec![
        report.name.clone(),
        report.compares.clone(),
        report.values.to_string(),
        report.differ.to_string(),
        report.refused.to_string(),
        report.worst.as_ref().map_or_else(
            || "-".to_owned(),
            |worst| match (worst.absolute, worst.steps) {
                (Some(absolute), Some(steps)) => {
                    format!("{absolute:.3e}, {} steps", steps_text(steps))
                }
                (Some(absolute), None) => format!("{absolute:.3e}"),
                (None, _) => "not a finite number".to_owned(),
            },
        ),
        report.worst.as_ref().map_or_else(|| "-".to_owned(), place),
    ]
}

/// Small parts of a step matter less than that they are small.
fn steps_text(steps: f64) -> String {
    if (0.001..1e6).contains(&steps) {
        format!("{steps:.3}")
    } else {
        format!("{steps:.1e}")
    }
}

fn place(worst: &Worst) -> String {
    format!(
        "{:?}: delivered {}, here {}",
        worst.at, worst.delivered, worst.here
    )
}
