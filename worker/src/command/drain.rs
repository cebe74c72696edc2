//! `assay-worker drain` and `resume`: no new work, or work again, without stopping the worker.

use std::time::Duration;

use super::{Ended, block_on, print_json, ps::span};
use crate::{
    config::Config,
    control::{
        client::{Client, ClientError},
        snapshot::Snapshot,
    },
};

/// Between two looks at a worker that is waited for.
const LOOK: Duration = Duration::from_secs(1);

pub fn drain(config: &Config, wait: bool, json: bool) -> Result<(), Ended> {
    let snapshot = block_on(async {
        let client = Client::find(config)?;
        let mut snapshot = client.drain(true).await?;
        if wait {
            eprintln!("no new work is taken; waiting for what is under way");
            snapshot = idle(&client, snapshot).await?;
        }
        Ok(snapshot)
    })?;
    tell(&snapshot, json, said(&snapshot))
}

pub fn resume(config: &Config, json: bool) -> Result<(), Ended> {
    let snapshot = block_on(async { Ok(Client::find(config)?.drain(false).await?) })?;
    let said = match snapshot.standing.reasons.as_slice() {
        [] => "new work is taken again".to_owned(),
        reasons => {
            let reasons: Vec<&str> = reasons
                .iter()
                .map(|reason| reason.detail.as_str())
                .collect();
            format!(
                "not drained any more, and still no new work: {}",
                reasons.join("; ")
            )
        }
    };
    tell(&snapshot, json, said)
}

fn tell(snapshot: &Snapshot, json: bool, said: String) -> Result<(), Ended> {
    if json {
        return Ok(print_json(snapshot)?);
    }
    eprintln!("{said}");
    Ok(())
}

/// Until nothing is at stake any more, saying what is waited for each time that it changes.
async fn idle(client: &Client, mut snapshot: Snapshot) -> Result<Snapshot, ClientError> {
    let mut said = String::new();
    while !snapshot.standing.idle {
        let now = under_way(&snapshot);
        if now != said {
            eprintln!("  {now}");
            said = now;
        }
        tokio::time::sleep(LOOK).await;
        snapshot = client.snapshot().await?;
    }
    Ok(snapshot)
}

fn said(snapshot: &Snapshot) -> String {
    if snapshot.standing.idle {
        return "no new work is taken and nothing is under way: the worker may be stopped"
            .to_owned();
    }
    format!(
        "no new work is taken; under way: {}. `assay-worker drain --wait` waits for it",
        under_way(snapshot)
    )
}

/// Jobs, audits and sessions, and when the last of the jobs must be done.
fn under_way(snapshot: &Snapshot) -> String {
    let jobs: Vec<_> = snapshot.jobs.iter().filter(|job| job.ours).collect();
    let last = jobs.iter().filter_map(|job| job.deadline).max();
    let until = last.zip(snapshot.chain_time);
    let until = until.map_or_else(String::new, |(last, now)| {
        format!(", the last deadline in {}", span(last.saturating_sub(now)))
    });
    let sessions = snapshot.sessions.unwrap_or_default();
    let sessions = [
        (sessions.requests, "requests of sessions"),
        (sessions.unsettled, "lamports of sessions to settle"),
        (sessions.settlements, "settlements of sessions"),
    ];
    let sessions = sessions.into_iter().filter(|(count, _)| *count > 0);
    let sessions: Vec<_> = sessions
        .map(|(count, what)| format!(", {count} {what}"))
        .collect();
    format!(
        "{} jobs{until}, {} audits{}",
        jobs.len(),
        snapshot.audits.len(),
        sessions.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::snapshot::{Job, SessionsLeft};

    #[test]
    fn what_is_under_way_is_our_own_alone() {
        let job = |ours, deadline| Job {
            ours,
            deadline: Some(deadline),
            ..Job::default()
        };
        let mut snapshot = Snapshot {
            chain_time: Some(100),
            jobs: vec![job(true, 130), job(true, 160), job(false, 900)],
            ..Snapshot::default()
        };
        assert_eq!(
            under_way(&snapshot),
            "2 jobs, the last deadline in 1 min 0 s, 0 audits"
        );
        assert!(said(&snapshot).contains("--wait"));
        snapshot.sessions = Some(SessionsLeft {
            requests: 2,
            unsettled: 50_000,
            settlements: 0,
        });
        assert!(
            under_way(&snapshot).ends_with(
                "0 audits, 2 requests of sessions, 50000 lamports of sessions to settle"
            )
        );
        snapshot.standing.idle = true;
        assert!(said(&snapshot).ends_with("may be stopped"));
    }
}
