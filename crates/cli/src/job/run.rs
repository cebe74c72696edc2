//! `assay job run` and `assay job watch`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use assay_client::{
    delivery::Outcome,
    protocol::{Address, JobData, JobStatus, verdict::Verdict},
};
use clap::Args;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{
    audit::AuditView,
    create::{JobOptions, Plan},
    fate::fate,
    follow::{Ended, Follower},
    keep::{FileOptions, Keep},
    quote::Quote,
    receipt::Receipt,
    results::Results,
};
use crate::{
    Ending, chain::Found, context::Context, onnx::Model, output, plain::plain, transaction::Sent,
    view::JobView,
};

// Wrapped here: lines that clap wraps once more end up long and short by turns.
pub const EXAMPLES: &str = "\
Examples:
  assay job run -m models/digits.onnx -i models/digits/sample-3.png -p 0.001
  assay job run -m digits --model-file models/digits.onnx \\
    -i image=digit.npy -p 0.001 --ramp 30s
  assay job run -m digits -i x.safetensors -p 0.01 --yes --json | jq .labels

The price starts at --min-price and rises to --max-price; the first provider
that takes the job fixes it. The result is checked against the provider's
commitment on chain and written before it is acknowledged; the acknowledgement
lets the provider settle at once. Without it the provider is paid after the
challenge window, and an audited job is audited then.

A job is unaudited unless --audit says with which chance others re-execute it:
the check alone shows that you got what the provider committed to, not that it
computed honestly. `assay verify` re-runs a result on this machine; with
--no-acknowledge there is time for that, and for `assay job dispute`.

Exit codes: 0 settled, 1 failed, 2 wrong usage, 3 ended without settling (the
money came back), 4 the delivery did not verify or never came.";

#[derive(Args, Debug)]
pub struct RunOptions {
    #[command(flatten)]
    job: JobOptions,
    /// Verify and keep the result, but do not acknowledge it: leaves the challenge window for a check and a dispute
    #[arg(long)]
    no_acknowledge: bool,
    #[command(flatten, next_help_heading = "Files")]
    files: FileOptions,
}

#[derive(Args, Debug)]
pub struct WatchOptions {
    job: Address,
    /// The model's file; names the labels
    #[arg(long, value_name = "PATH")]
    model_file: Option<PathBuf>,
    /// Verify and keep the result, but do not acknowledge it
    #[arg(long)]
    no_acknowledge: bool,
    #[command(flatten, next_help_heading = "Files")]
    files: FileOptions,
}

pub async fn run(context: &Context, options: RunOptions) -> Result<Ending> {
    options.files.check(context.options.yes)?;
    let plan = Plan::new(context, &options.job).await?;
    let quote = Quote::new(context, &plan).await?;
    quote.show(context)?;
    context.confirm("Pay for this inference?")?;
    let wallet = context.wallet()?;
    let created = plan.create(context).await?;
    let session = Session {
        context,
        job: created.job,
        model: plan.file.as_ref(),
        keep: options.files.of(&created.job),
        hold: options.no_acknowledge,
        quote: Some(serde_json::to_value(&quote)?),
        sent: vec![created.sent],
    };
    session.finish(Some(wallet)).await
}

pub async fn watch(context: &Context, options: WatchOptions) -> Result<Ending> {
    let model = options.model_file.as_deref().map(Model::open).transpose()?;
    let Some(job) = context.find::<JobData>(&options.job).await? else {
        return Err(missing(context, &options.job).await);
    };
    // Somebody else's job can be watched too, but only its requester gets the result.
    let own = context
        .wallet()
        .ok()
        .filter(|wallet| wallet.pubkey() == job.requester);
    if own.is_none() {
        context.say("not a job of this wallet: its result goes to its requester only");
    } else {
        options.files.check(context.options.yes)?;
    }
    let session = Session {
        context,
        job: options.job,
        model: model.as_ref(),
        keep: options.files.of(&options.job),
        hold: options.no_acknowledge,
        quote: None,
        sent: Vec::new(),
    };
    session.finish(own).await
}

/// Why there is no job to watch: it may have ended and been closed.
async fn missing(context: &Context, job: &Address) -> anyhow::Error {
    match fate(context, job).await {
        Ok(Some(fate)) => anyhow!(
            "the job {job} is {} and its account closed; its result can no longer be checked against the chain",
            fate.status.name()
        ),
        Ok(None) | Err(_) => anyhow!(
            "there is no job at {job} on {}; check the address and --url",
            context.rpc.url()
        ),
    }
}

/// One job from its creation to what is printed.
struct Session<'a> {
    context: &'a Context,
    job: Address,
    model: Option<&'a Model>,
    keep: Keep,
    hold: bool,
    quote: Option<Value>,
    sent: Vec<Sent>,
}

impl Session<'_> {
    async fn finish(mut self, wallet: Option<Keypair>) -> Result<Ending> {
        let own = wallet.is_some();
        let follower = Follower::new(
            self.context,
            self.job,
            wallet,
            self.keep.clone(),
            self.hold,
            std::mem::take(&mut self.sent),
        );
        let ended = tokio::select! {
            ended = follower.follow() => ended.with_context(|| self.goes_on())?,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; {}", self.goes_on()),
        };
        let view = JobView::new(
            &Found {
                address: self.job,
                data: ended.job,
            },
            ended.clock.now,
        );
        let ending = ending(&ended, own);
        let audit = AuditView::new(
            &self.job,
            &ended.job,
            &ended.panels,
            ended.resolved.as_ref(),
            ended.clock.now,
        );
        let mut report = json!({
            "job": view,
            "ending": if ended.held { "held" } else { ending.name() },
            "audit": audit,
            "quote": self.quote,
            "acknowledged": ended.acknowledged,
            "closed": ended.closed,
            "transactions": ended.sent,
        });
        for line in audit
            .iter()
            .filter(|_| !ended.held)
            .flat_map(AuditView::lines)
        {
            self.context.say(line);
        }
        self.results(&ended, (&view, audit.as_ref()), &mut report)?;
        self.advise(&ended, own);
        if self.context.options.json {
            output::json(&report)?;
        }
        Ok(ending)
    }

    fn goes_on(&self) -> String {
        format!(
            "the job goes on without this tool: `assay job watch {}` takes it up again",
            self.job
        )
    }

    /// Prints and keeps what was delivered and verified.
    fn results(
        &self,
        ended: &Ended,
        (view, audit): (&JobView, Option<&AuditView>),
        report: &mut Value,
    ) -> Result<()> {
        let Some((delivered, verified)) = &ended.result else {
            return Ok(());
        };
        let delivery = &delivered.delivery;
        let labels = self.model.and_then(|model| model.labels.as_ref());
        let results = Results::read(delivery, &delivered.outputs, labels)?;
        let Keep { outputs, receipt } = &self.keep;
        let failed = delivery.outcome == Outcome::ModelError;
        // The outputs were written when they were verified; the receipt now tells the end, too.
        let cluster = self.context.rpc.url();
        Receipt::new(
            cluster,
            (&ended.job, view),
            (delivery, verified),
            ended.acknowledged,
            audit,
            &ended.sent,
        )
        .write(&self.keep)?;
        if self.context.options.json {
            if let Some(report) = report.as_object_mut() {
                report.insert("outcome".into(), serde_json::to_value(delivery.outcome)?);
                report.insert(
                    "message".into(),
                    json!(delivery.message.as_deref().map(plain)),
                );
                report.insert("outputs".into(), serde_json::to_value(&results.outputs)?);
                report.insert("labels".into(), serde_json::to_value(&results.labels)?);
                report.insert("outputs_file".into(), json!((!failed).then_some(outputs)));
                report.insert("receipt_file".into(), json!(receipt));
            }
            return Ok(());
        }
        if failed {
            let message = plain(delivery.message.as_deref().unwrap_or("no message"));
            self.context.say(format_args!(
                "the model failed on this input, which is a result too and is paid for: {message}"
            ));
        }
        self.warn_of_verdict(ended);
        for line in results.lines() {
            output::line(line)?;
        }
        let runtime = format!("{} in {} ms", plain(&delivery.runtime), delivery.compute_ms);
        self.context
            .say(format_args!("computed by {runtime}; {}", audited(ended)));
        if !failed {
            self.context
                .say(format_args!("outputs in {}", outputs.display()));
        }
        self.context
            .say(format_args!("receipt in {}", receipt.display()));
        Ok(())
    }

    /// A result that auditors did not find is no result to rely on, though it is what was delivered.
    fn warn_of_verdict(&self, ended: &Ended) {
        let verdict = Verdict::from_byte(ended.job.verdict);
        let warning = match (ended.job.status(), verdict) {
            (Ok(JobStatus::Faulted), Some(Verdict::Overturned)) => {
                "DO NOT RELY ON THIS RESULT: most auditors found another one."
            }
            (Ok(JobStatus::Faulted), _) => {
                "DO NOT RELY ON THIS RESULT: its provider did not stand by it and was slashed."
            }
            (Ok(JobStatus::Unresolved), _) => {
                "DOUBTFUL RESULT: an auditor found another one, and the second panel could not decide."
            }
            _ => return,
        };
        self.context.say(warning);
    }

    /// What the person should know or do now.
    fn advise(&self, ended: &Ended, own: bool) {
        let (job, provider) = (self.job, ended.job.provider);
        let status = ended.job.status().ok();
        if let Some(mismatch) = &ended.mismatch {
            let way_out = if ended.job.is_unaudited() {
                "The job is unaudited: the provider can still settle after the challenge window."
                    .to_owned()
            } else {
                format!(
                    "`assay job dispute {job}` has auditors decide, within the challenge window."
                )
            };
            self.context.say(format_args!(
                "NOT VERIFIED: {}.\nThe result was not acknowledged. {way_out} Keep this output and avoid the provider \
                 {provider}.",
                plain(&mismatch.to_string()),
            ));
        } else if ended.held {
            self.context.say(format_args!(
                "not acknowledged. Check it with `assay verify`; then `assay job watch {job}` acknowledges it, or `assay \
                 job dispute {job}` objects"
            ));
        } else if own && ended.result.is_none() && status == Some(JobStatus::Settled) {
            let committed = ended.job.commitment != [0; 32];
            self.context.say(if committed {
                format!(
                    "NOTHING WAS DELIVERED: the provider {provider} was paid without handing over a result; avoid this \
                     provider, and dispute within the challenge window next time."
                )
            } else {
                "the job settled and its account is closed already; its result was neither fetched nor checked here"
                    .to_owned()
            });
        } else if ended.closed {
            self.context
                .say("the job's account is closed already, its rent went back to its requester");
        } else if own && status.is_some_and(JobStatus::is_terminal) {
            self.context.say(format_args!(
                "the rent comes back with `assay job {} {job}`, a minute after creation",
                if ended.job.live_panels > 0 {
                    "advance"
                } else {
                    "close"
                }
            ));
        }
    }
}

/// Whether anybody but the provider ran the inference.
fn audited(ended: &Ended) -> &'static str {
    let job = &ended.job;
    if job.is_unaudited() {
        return "unaudited";
    }
    match (job.level, job.status().is_ok_and(JobStatus::is_terminal)) {
        (0, true) => "not drawn for audit",
        (0, false) => "may be audited",
        (_, true) => "audited",
        (_, false) => "being audited",
    }
}

fn ending(ended: &Ended, own: bool) -> Ending {
    let settled = ended.job.status() == Ok(JobStatus::Settled);
    if ended.held {
        Ending::Done
    } else if ended.mismatch.is_some() || (own && settled && ended.result.is_none()) {
        Ending::Unverified
    } else if settled {
        Ending::Done
    } else {
        Ending::Unsettled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_needs_no_second_wrapping() {
        let widest = EXAMPLES.lines().map(str::len).max();
        assert!(widest <= Some(78), "{widest:?}");
    }
}
