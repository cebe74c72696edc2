//! `assay verify`: re-runs a job on this machine and compares the result with what the provider committed to.

mod compare;
mod evidence;
mod judge;
mod report;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use assay_client::{
    outputs::digest,
    protocol::{Address, JobData},
};
use assay_engine::{EngineError, Limits, Model, ModelFailure, Outcome, RuntimeFault};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::{
    Ending,
    amount::Span,
    context::Context,
    engine::{self, EngineOptions},
    explain,
    input::{self, InputFile},
    job, onnx, output,
    plain::plain,
    transaction::Sent,
};
use evidence::{Evidence, Files, Receipt};
use judge::{Judgement, Verdict, judge};

// Wrapped here: lines that clap wraps once more end up long and short by turns.
pub const EXAMPLES: &str = "\
Examples:
  assay verify JOB.receipt.json --model digits.onnx --input sample-3.png
  assay verify JOB.receipt.json -m digits.onnx -i x.safetensors --dispute

Without --dispute nothing but the files is needed: no chain, no provider. The receipt must open
the commitment that it names, the files must be the receipt's, and then the
model is run here. The verdict is the one that an auditor would vote for:

  match             the same root, nothing deviates by more than 1/128 step
  within tolerance  deviations, all of them within the model's profile
  fraud             at least one value deviates by more than that

Exit codes: 0 match or within tolerance, 1 fraud, 2 cannot tell (other files,
a receipt that does not agree with itself, no ONNX Runtime).";

#[derive(Args, Debug)]
pub struct VerifyOptions {
    /// The receipt that `assay job run` or `assay job watch` wrote
    receipt: PathBuf,
    /// The model's .onnx file
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    /// The input, as it was given to `assay job run`
    #[arg(short, long, required = true, value_name = "[NAME=]FILE")]
    input: Vec<InputFile>,
    /// The outputs that were delivered; <job>.safetensors beside the receipt by default
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// The hints file, where the outputs are lost
    #[arg(long, value_name = "FILE")]
    hints: Option<PathBuf>,
    /// The model's comparison profile, for receipts that do not name it: `exact` or an exponent for each output
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    profile: Option<String>,
    /// How long the model may run
    #[arg(long, default_value = "10m", value_name = "TIME")]
    time_limit: Span,
    /// If the verdict is fraud, dispute the job while it can be: locks a bond, asks first
    #[arg(long)]
    dispute: bool,
    #[command(flatten)]
    engine: EngineOptions,
}

/// Everything a verdict rests on.
pub struct Verified {
    pub receipt: Receipt,
    pub judgement: Judgement,
    /// What ran the model here.
    pub runtime: String,
    /// What came of --dispute.
    pub dispute: Option<Disputed>,
}

/// What came of a dispute that was asked for.
#[derive(Debug, Serialize)]
pub struct Disputed {
    pub filed: bool,
    /// Why it was not filed.
    pub reason: Option<String>,
    pub transaction: Option<Sent>,
}

impl Disputed {
    fn say(&self, context: &Context, job: &Address) {
        match &self.reason {
            Some(reason) => context.say(format_args!("not disputed: {}", plain(reason))),
            None => context.say(format_args!("disputed; `assay job watch {job}` follows it")),
        }
    }
}

pub async fn run(context: &Context, options: VerifyOptions) -> Result<Ending> {
    match verify(context, &options).await {
        Ok(mut verified) => {
            // The verdict first: a dispute shows its own facts, and asks.
            if !context.options.json {
                report::print(context, &verified, options.dispute)?;
            }
            if options.dispute {
                let disputed = dispute(context, &verified).await;
                disputed.say(context, &verified.receipt.job);
                verified.dispute = Some(disputed);
            }
            if context.options.json {
                output::json(&report::json(&verified))?;
            }
            Ok(match verified.judgement.verdict {
                Verdict::Match | Verdict::WithinTolerance => Ending::Done,
                Verdict::Fraud => Ending::Fraud,
            })
        }
        // Not being able to tell is an answer of its own: it must not look like fraud to a script.
        Err(error) => {
            if context.options.json {
                let reason = format!("{error:#}");
                output::json(&json!({ "verdict": "cannot_tell", "reason": reason }))?;
            }
            context.say("cannot tell:");
            explain::report(&error);
            Ok(Ending::CannotTell)
        }
    }
}

async fn verify(context: &Context, options: &VerifyOptions) -> Result<Verified> {
    let receipt = Receipt::read(&options.receipt, options.profile.as_deref())?;
    let outputs = outputs_file(options, &receipt)?;
    let hints = options.hints.as_deref().map(read).transpose()?;
    let evidence = Evidence::new(&receipt, Files { outputs, hints })?;

    let model = read(&options.model)?;
    let found = digest(&model);
    if found.0 != receipt.model_digest {
        bail!(
            "{} is another model: its sha256 is {}, the job's model's {}",
            options.model.display(),
            hex::encode(found.0),
            hex::encode(receipt.model_digest)
        );
    }
    let described = onnx::Model::read(&model)
        .with_context(|| format!("{} is not usable", options.model.display()))?;
    let input = input::prepare(&options.input, Some(&described))?;
    if input.digest.0 != receipt.input_digest {
        bail!(
            "the input is another one: its sha256 is {}, the job's input's {}; a picture or .npy file gives the same \
             bytes only with the version of this tool that the job was created with",
            hex::encode(input.digest.0),
            hex::encode(receipt.input_digest)
        );
    }
    context.say("running the model on this machine");
    let (own, runtime) = run_here(options, &receipt, model, &input.bytes).await?;
    let judgement = judge(&receipt, &evidence, &own)?;
    Ok(Verified {
        receipt,
        judgement,
        runtime,
        dispute: None,
    })
}

/// Files a dispute where the verdict calls for one and the job still allows it.
async fn dispute(context: &Context, verified: &Verified) -> Disputed {
    match try_dispute(context, verified).await {
        Ok(transaction) => Disputed {
            filed: transaction.is_some(),
            reason: transaction
                .is_none()
                .then(|| "the transaction was only printed, unsigned".to_owned()),
            transaction,
        },
        Err(error) => Disputed {
            filed: false,
            reason: Some(format!("{error:#}")),
            transaction: None,
        },
    }
}

async fn try_dispute(context: &Context, verified: &Verified) -> Result<Option<Sent>> {
    let verdict = verified.judgement.verdict;
    if verdict != Verdict::Fraud {
        bail!("there is nothing to dispute: {}", verdict.name());
    }
    let receipt = &verified.receipt;
    let job: JobData = context.cluster.get(&receipt.job).await?;
    if job.commitment != receipt.delivery.commitment {
        bail!(
            "the job's commitment on chain is not the receipt's; this is another attempt's, or another cluster"
        );
    }
    job::dispute::file(context, &receipt.job).await
}

/// The delivered outputs: those named, else the file that `job run` wrote beside the receipt.
fn outputs_file(options: &VerifyOptions, receipt: &Receipt) -> Result<Option<Vec<u8>>> {
    if let Some(path) = &options.outputs {
        return read(path).map(Some);
    }
    let beside = options.receipt.with_file_name(&receipt.outputs_file);
    match fs::read(&beside) {
        // A file of that name from elsewhere is none of the job's; it is as good as missing.
        Ok(bytes) if digest(&bytes).0 == receipt.delivery.outputs_digest => Ok(Some(bytes)),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// The model's own answer here, under the limits that the worker had.
async fn run_here(
    options: &VerifyOptions,
    receipt: &Receipt,
    model: Vec<u8>,
    input: &[u8],
) -> Result<(Outcome, String)> {
    let limit = u64::from(receipt.output_limit);
    let mut config = engine::config(&options.engine);
    config.limits = Limits {
        model_bytes: config
            .limits
            .model_bytes
            .max(u64::try_from(model.len()).unwrap_or(u64::MAX)),
        input_bytes: config
            .limits
            .input_bytes
            .max(u64::try_from(input.len()).unwrap_or(u64::MAX)),
        output_bytes: config.limits.output_bytes.max(limit),
        ..config.limits
    };
    let host = engine::host_with(config)?;
    let probe = host.probe().await?;
    for missing in &probe.confinement.missing {
        eprintln!("warning: the model's sandbox has {missing}");
    }
    let runtime = probe.runtime.to_string();
    let time = Duration::from_secs(u64::from(options.time_limit.0));
    let outcome = match host.run(&Model::new(model), input, time).await {
        Err(EngineError::Runtime(RuntimeFault::OutputTooLarge { .. })) => too_large(limit),
        other => other?,
    };
    // Outputs that the job does not accept are the canonical error, as they are for the worker.
    let size = match outcome.answer(&receipt.profile)?.outputs {
        Some(file) => u64::try_from(file.len()).unwrap_or(u64::MAX),
        None => 0,
    };
    let outcome = if size > limit {
        too_large(limit)
    } else {
        outcome
    };
    Ok((outcome, runtime))
}

fn too_large(limit: u64) -> Outcome {
    Outcome::Failed(ModelFailure {
        message: format!("the outputs exceed the job's limit of {limit} bytes"),
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}; check the path", path.display()))
}

#[cfg(test)]
mod tests;
