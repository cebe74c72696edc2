//! `assay job`: pay for inferences and watch them.

mod advance;
mod audit;
mod auditors;
mod create;
pub mod dispute;
mod fate;
mod follow;
mod handover;
mod honesty;
mod keep;
mod list;
mod place;
mod progress;
mod quote;
mod receipt;
mod results;
mod run;
mod steps;
mod terms;
mod testimony;

use anyhow::{Result, bail};
use assay_chain::Found;
use assay_client::{
    instruction::{JobCancel, JobClose, JobExpire},
    protocol::{Address, JobData, JobStatus, limits::OPEN_SLOT_AGE},
};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use crate::{
    Ending,
    amount::Amount,
    context::Context,
    output,
    view::{JobView, PanelView},
};

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Pay for one inference: quote, create, wait, verify, acknowledge, receipt
    #[command(after_help = run::EXAMPLES)]
    Run(run::RunOptions),
    /// Create a job and return at once; `job watch` goes on from there
    Create(create::CreateOptions),
    /// Follow a job to its end; verifies and acknowledges the result of your own
    Watch(run::WatchOptions),
    /// Show one job
    Show { job: Address },
    /// List jobs: yours by default, the newest first
    List(list::ListOptions),
    /// Take an open job back, with a full refund
    Cancel { job: Address },
    /// Object to a result before it is settled, for a bond: five drawn auditors decide
    Dispute { job: Address },
    /// Do whatever time or the job's state allows: expire it, open, resolve and close its panels, pay seats, close
    /// it; anyone may
    Advance { job: Address },
    /// End or re-open a job whose deadline has passed; anyone may
    Expire { job: Address },
    /// Close ended jobs: the rent goes back to the requester. About a minute after creation at the earliest
    Close {
        /// The jobs; all of yours that can be closed by default
        jobs: Vec<Address>,
    },
}

pub async fn run(context: &Context, command: JobCommand) -> Result<Ending> {
    match command {
        JobCommand::Run(options) => return run::run(context, options).await,
        JobCommand::Watch(options) => return run::watch(context, options).await,
        JobCommand::Create(options) => create::run(context, options).await?,
        JobCommand::Show { job } => show(context, &job).await?,
        JobCommand::List(options) => list::run(context, options).await?,
        JobCommand::Cancel { job } => cancel(context, job).await?,
        JobCommand::Dispute { job } => dispute::run(context, job).await?,
        JobCommand::Advance { job } => advance::run(context, job).await?,
        JobCommand::Expire { job } => expire(context, job).await?,
        JobCommand::Close { jobs } => close(context, jobs).await?,
    }
    Ok(Ending::Done)
}

/// A job with its panels, the first level's first.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    job: JobView,
    panels: Vec<PanelView>,
}

async fn show(context: &Context, job: &Address) -> Result<()> {
    let (data, panels, clock) = context.cluster.with_panels(job).await?;
    let Some(data) = data else {
        bail!(
            "there is no job at {job} on {}; check the address and --url, or whether it was closed",
            context.cluster.url()
        );
    };
    let now = clock.time;
    let found = Found {
        address: *job,
        data,
    };
    let view = |panel| PanelView::new(job, panel, &data, now);
    let shown = Shown {
        job: JobView::new(&found, now),
        panels: panels.iter().flatten().map(view).collect(),
    };
    if context.options.json {
        return output::json(&shown);
    }
    let facts = shown.job.facts(now);
    let rows = facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    let panels = shown.panels.iter().flat_map(PanelView::facts);
    let rows: Vec<(String, String)> = rows.chain(panels).collect();
    let rows: Vec<(&str, String)> = rows
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    output::line(output::facts(&rows))
}

async fn cancel(context: &Context, job: Address) -> Result<()> {
    let data: JobData = context.cluster.get(&job).await?;
    let cancel = JobCancel {
        requester: context.signer()?,
        job,
    }
    .instruction();
    if context.submit("job cancel", &job, &[cancel]).await? {
        context.say(format_args!(
            "cancelled; {} came back, the rent follows with `assay job close`",
            Amount(data.escrow)
        ));
    }
    Ok(())
}

async fn expire(context: &Context, job: Address) -> Result<()> {
    let data: JobData = context.cluster.get(&job).await?;
    if context
        .submit("job expire", &job, &[expire_instruction(job, &data)])
        .await?
    {
        let after: JobData = context.cluster.get(&job).await?;
        let status = after.status().map_or("unknown", JobStatus::name);
        context.say(format_args!("the job is {status} now"));
    }
    Ok(())
}

/// The crank for a job; its provider goes along where it has one.
fn expire_instruction(job: Address, data: &JobData) -> solana_instruction::Instruction {
    let provider = (data.provider != Address::default()).then_some(data.provider);
    JobExpire {
        job,
        requester: data.requester,
        provider,
    }
    .instruction()
}

async fn close(context: &Context, jobs: Vec<Address>) -> Result<()> {
    let slot = context.cluster.clock().await?.slot;
    let named = !jobs.is_empty();
    let found = if named {
        let mut found = Vec::new();
        for address in jobs {
            found.push(Found {
                address,
                data: context.cluster.get(&address).await?,
            });
        }
        found
    } else {
        let mine = assay_client::filter::job_requester(&context.signer()?);
        context.cluster.list::<JobData>(&[mine]).await?
    };
    let mut closed = Vec::new();
    let mut too_young = 0_u32;
    for job in found {
        let requester = job.data.requester;
        // What was named is tried in any case, so that the program's own reason shows.
        if !named && job.data.require_closable(slot).is_err() {
            let ended = job.data.status().is_ok_and(JobStatus::is_terminal);
            too_young +=
                u32::from(ended && slot.saturating_sub(job.data.open_slot) <= OPEN_SLOT_AGE);
            continue;
        }
        let close = JobClose {
            job: job.address,
            requester,
        }
        .instruction();
        if let Some(sent) = context.send("job close", &[close]).await? {
            closed.push(json!({ "address": job.address.to_string(), "transaction": sent }));
        }
    }
    if !context.options.unsigned {
        context.say(format_args!(
            "{} jobs closed; their rent went back to their requesters",
            closed.len()
        ));
    }
    if too_young > 0 {
        context.say(format_args!(
            "{too_young} more can be closed about a minute after they were created"
        ));
    }
    if context.options.json && !context.options.unsigned {
        output::json(&closed)?;
    }
    Ok(())
}
