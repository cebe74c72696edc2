//! `assay job run` and `assay job watch`.

mod advice;

use assay_chain::Found;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use assay_client::{
    delivery::Outcome,
    protocol::{Address, JobData, JobStatus},
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
    testimony::{self, Kept, Known},
};
use crate::{
    Ending, context::Context, onnx::Model, output, plain::plain, transaction::Sent, view::JobView,
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
money came back, less what auditors earned), 4 the delivery did not verify or
never came.";

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
    let Some(job) = context.cluster.find::<JobData>(&options.job).await? else {
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
            context.cluster.url()
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
            ended.clock.time,
        );
        let ending = ending(&ended, own);
        let audit = AuditView::new(
            &self.job,
            &ended.job,
            &ended.panels,
            ended.resolved.as_ref(),
            ended.clock.time,
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
        if own && !ended.held {
            let kept = self.testimony(&ended).await?;
            if let Some(report) = report.as_object_mut() {
                report.insert("auditor_outputs".into(), serde_json::to_value(kept)?);
            }
        }
        self.advise(&ended, own);
        if self.context.options.json {
            output::json(&report)?;
        }
        Ok(ending)
    }

    /// Keeps what an auditor computed, where the provider's own result is missing or was found wrong.
    async fn testimony(&self, ended: &Ended) -> Result<Option<Kept>> {
        let delivered = ended.result.as_ref().map(|(delivered, _)| delivered);
        let names = delivered.map_or_else(
            || {
                let outputs = self.model.map(|model| model.outputs.iter());
                outputs.map(|outputs| outputs.map(|output| output.name.clone()).collect())
            },
            |delivered| {
                let outputs = delivered.delivery.outputs.iter();
                Some(outputs.map(|output| output.name.clone()).collect())
            },
        );
        let known = Known {
            hints: delivered.map(|delivered| delivered.hints.clone()),
            order: names,
        };
        let wallet = self.context.wallet()?;
        let about = (&self.job, &ended.job, &ended.panels);
        let Some(found) = testimony::fetch(self.context, &wallet, about, &known).await else {
            return Ok(None);
        };
        let file = self.keep.outputs.with_extension("auditor.safetensors");
        std::fs::write(&file, &found.outputs)
            .with_context(|| format!("cannot write {}", file.display()))?;
        self.context.say(format_args!(
            "what the auditor {} computed is in {} ({})",
            found.provider,
            file.display(),
            if found.verified {
                "they give the root that it revealed on chain"
            } else {
                "not checked: hints or the outputs' order are not known here"
            }
        ));
        Ok(Some(Kept {
            file,
            provider: found.provider.to_string(),
            level: found.level,
            verified: found.verified,
        }))
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
        let cluster = self.context.cluster.url();
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
        self.context.say(format_args!(
            "computed by {runtime}; {}",
            advice::audited(ended)
        ));
        if !failed {
            self.context
                .say(format_args!("outputs in {}", outputs.display()));
        }
        self.context
            .say(format_args!("receipt in {}", receipt.display()));
        Ok(())
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
