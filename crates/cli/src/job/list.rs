use anyhow::Result;
use assay_chain::Found;
use assay_client::{
    filter,
    protocol::{Address, JobData, JobStatus},
};
use clap::Args;

use crate::{context::Context, output, view::JobView};

#[derive(Args, Debug)]
pub struct ListOptions {
    /// Jobs of everybody
    #[arg(long, conflicts_with = "requester")]
    all: bool,
    /// Jobs that this wallet pays for
    #[arg(long, value_name = "ADDRESS")]
    requester: Option<Address>,
    /// Jobs that this provider (or its authority) works on or worked on
    #[arg(long, value_name = "ADDRESS")]
    provider: Option<Address>,
    /// Jobs for this model: address, name or file
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Jobs in this status: open, claimed, committed, settled, faulted, cancelled, expired ..
    #[arg(long, value_parser = status)]
    status: Option<JobStatus>,
    /// At most this many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

fn status(text: &str) -> Result<JobStatus, String> {
    let names = || JobStatus::ALL.map(JobStatus::name).join(", ");
    JobStatus::ALL
        .into_iter()
        .find(|status| status.name() == text)
        .ok_or_else(|| format!("there is no status {text:?}; there are {}", names()))
}

pub async fn run(context: &Context, options: ListOptions) -> Result<()> {
    let mut conditions = Vec::new();
    // Whoever narrows by provider or model means everybody's jobs.
    let everybody = options.all || options.provider.is_some() || options.model.is_some();
    match options.requester {
        Some(requester) => conditions.push(filter::job_requester(&requester)),
        None if !everybody => conditions.push(filter::job_requester(&context.signer()?)),
        None => {}
    }
    if let Some(provider) = options.provider {
        conditions.push(filter::job_provider(
            &context.cluster.provider(&provider).await?.address,
        ));
    }
    if let Some(model) = &options.model {
        conditions.push(filter::job_model(&context.model(model).await?.address));
    }
    conditions.extend(options.status.map(filter::job_status));
    let mut jobs: Vec<Found<JobData>> = context.cluster.list(&conditions).await?;
    jobs.sort_by_key(|job| (std::cmp::Reverse(job.data.created_at), job.address));
    let found = jobs.len();
    jobs.truncate(options.limit);
    let now = context.cluster.clock().await?.time;
    let views: Vec<JobView> = jobs.iter().map(|job| JobView::new(job, now)).collect();
    if context.options.json {
        return output::json(&views);
    }
    if views.is_empty() {
        context.say("no jobs; --all shows everybody's, `assay job run` makes one");
        return Ok(());
    }
    output::line(output::table(
        &JobView::HEAD,
        views.iter().map(JobView::row).collect(),
    ))?;
    if found > options.limit {
        context.say(format_args!("{} more; see --limit", found - options.limit));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_named() {
        assert_eq!(status("settled"), Ok(JobStatus::Settled));
        assert!(status("done").unwrap_err().contains("settled"));
    }
}
