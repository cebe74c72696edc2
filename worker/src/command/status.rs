//! `assay-worker status`: the provider on chain beside the journal.

use std::fmt::Write;

use anyhow::Context;
use assay_client::{
    address,
    protocol::{Address, UnixSeconds, panel::Phase, text},
};
use serde::Serialize;

use super::{Ended, amount::sol, block_on, print, print_json};
use crate::{
    chain::{Chain, RpcChain},
    config::Config,
    store::{AuditRow, JobRow, Store, Totals},
};

/// Everything that is shown; amounts in lamports, times in unix seconds.
#[derive(Debug, Serialize)]
pub struct Status {
    pub authority: String,
    pub provider: String,
    pub registered: bool,
    pub operator: Option<String>,
    pub operator_lamports: Option<u64>,
    pub endpoint: Option<String>,
    pub stake: Option<u64>,
    pub reserved: Option<u64>,
    pub free_stake: Option<u64>,
    pub unbonding: Option<u64>,
    pub earnings: Option<u64>,
    pub live_jobs: Option<u32>,
    /// Panel seats that are not settled yet, and what became of the others.
    pub live_seats: Option<u32>,
    pub audits_paid: Option<u32>,
    pub audits_lost: Option<u32>,
    /// What this worker's journal adds up to.
    pub journal: JournalTotals,
    pub jobs: Vec<JobLine>,
    /// Audits of the journal that have not ended.
    pub audits: Vec<AuditLine>,
}

#[derive(Debug, Default, Serialize)]
pub struct JournalTotals {
    pub live: u64,
    pub settled: u64,
    pub lost: u64,
    pub faulted: u64,
    pub earned: u64,
    pub fees: u64,
}

#[derive(Debug, Serialize)]
pub struct JobLine {
    pub job: String,
    pub attempt: u8,
    pub phase: String,
    pub price: u64,
    pub earned: u64,
    pub requester: String,
    pub claimed_at: i64,
    pub changed_at: i64,
}

/// One audit; `assay-worker disputes` tells more.
#[derive(Debug, Serialize)]
pub struct AuditLine {
    pub job: String,
    pub status: &'static str,
    pub role: &'static str,
    pub level: u8,
    /// State of our seat on the convened panel.
    pub seat: Option<&'static str>,
    /// Of the panel's present phase.
    pub deadline: Option<i64>,
}

/// Prints it, for people or as JSON.
pub fn show(config: &Config, json: bool, jobs: u32) -> Result<(), Ended> {
    let status = block_on(read(config, jobs))?;
    if json {
        print_json(&status)?;
    } else {
        print(&status.text())?;
    }
    Ok(())
}

pub async fn read(config: &Config, jobs: u32) -> anyhow::Result<Status> {
    let authority = config.authority()?;
    let provider = address::provider(&authority);
    let chain = RpcChain::new(&config.chain.endpoints())?;
    let account = chain
        .provider(&provider)
        .await
        .context("the chain cannot be asked; check chain.rpc")?;
    let operator = account.map(|account| account.operator);
    let operator_lamports = match operator {
        Some(operator) => Some(chain.balance(&operator).await?),
        None => None,
    };
    let (totals, rows, audits) = journal(config, jobs)?;
    Ok(Status {
        authority: authority.to_string(),
        provider: provider.to_string(),
        registered: account.is_some(),
        operator: operator.map(|operator| operator.to_string()),
        operator_lamports,
        endpoint: account
            .map(|account| text::read(&account.endpoint, account.endpoint_len).to_owned()),
        stake: account.map(|account| account.stake),
        reserved: account.map(|account| account.reserved),
        free_stake: account.and_then(|account| Some(account.free_stake().ok()?.0)),
        unbonding: account.map(|account| account.unbonding),
        earnings: account.map(|account| account.earnings),
        live_jobs: account.map(|account| account.live_jobs),
        live_seats: account.map(|account| account.live_seats),
        audits_paid: account.map(|account| account.audits_paid),
        audits_lost: account.map(|account| account.audits_lost),
        journal: JournalTotals {
            live: totals.live,
            settled: totals.settled,
            lost: totals.lost,
            faulted: totals.faulted,
            earned: totals.earned,
            fees: totals.fees,
        },
        jobs: rows.into_iter().map(line).collect(),
        audits: audits
            .iter()
            .filter(|row| !row.evidence.ended)
            .map(|row| audit(row, &provider))
            .collect(),
    })
}

/// A worker that never ran has no journal, and that is a state like any other.
type Rows = (Totals, Vec<JobRow>, Vec<AuditRow>);

fn journal(config: &Config, jobs: u32) -> anyhow::Result<Rows> {
    let path = config.journal();
    if !path.exists() {
        return Ok((Totals::default(), Vec::new(), Vec::new()));
    }
    let store = Store::open_read_only(&path)?;
    let audits = store.audits(None, jobs)?;
    Ok((store.totals()?, store.latest_jobs(jobs)?, audits))
}

fn audit(row: &AuditRow, me: &Address) -> AuditLine {
    let job = &row.evidence.job;
    let [first, second] = &row.evidence.panels;
    let panel = if job.level == 1 { first } else { second };
    let now = UnixSeconds(crate::wall_clock());
    let seats = panel.iter().flat_map(|panel| &panel.seats);
    let mut ours = seats.filter(|seat| seat.provider == *me);
    let seat = ours.find_map(|seat| Some(seat.state().ok()?.name()));
    let deadline = panel
        .as_ref()
        .and_then(|panel| match panel.phase(now, job.is_revealed()) {
            Phase::Join => Some(panel.join_deadline),
            Phase::Commit => Some(panel.commit_deadline),
            Phase::Reveal => Some(panel.reveal_deadline),
            Phase::Over => None,
        });
    AuditLine {
        job: row.job.to_string(),
        status: job.status().map_or("unknown", |status| status.name()),
        role: if job.provider == *me {
            "primary"
        } else {
            "auditor"
        },
        level: job.level,
        seat,
        deadline,
    }
}

fn line(row: JobRow) -> JobLine {
    JobLine {
        job: row.job.to_string(),
        attempt: row.attempt,
        phase: row.phase,
        price: row.price,
        earned: row.earned,
        requester: row.requester.to_string(),
        claimed_at: row.claimed_at,
        changed_at: row.changed_at,
    }
}

impl Status {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "provider    {}", self.provider)?;
        writeln!(out, "authority   {}", self.authority)?;
        if !self.registered {
            writeln!(out, "not registered; see `assay provider register --help`")?;
        }
        if let (Some(operator), Some(lamports)) = (&self.operator, self.operator_lamports) {
            writeln!(out, "operator    {operator}  {} for fees", sol(lamports))?;
        }
        if let Some(endpoint) = &self.endpoint {
            writeln!(out, "endpoint    {endpoint}")?;
        }
        if let (Some(stake), Some(free), Some(reserved), Some(unbonding)) =
            (self.stake, self.free_stake, self.reserved, self.unbonding)
        {
            writeln!(
                out,
                "stake       {}  ({} free, {} reserved, {} unbonding)",
                sol(stake),
                sol(free),
                sol(reserved),
                sol(unbonding)
            )?;
        }
        if let (Some(earnings), Some(live)) = (self.earnings, self.live_jobs) {
            writeln!(out, "earnings    {} to withdraw", sol(earnings))?;
            writeln!(
                out,
                "live jobs   {live} on chain, {} in the journal",
                self.journal.live
            )?;
        }
        if let (Some(live), Some(paid), Some(lost)) =
            (self.live_seats, self.audits_paid, self.audits_lost)
        {
            writeln!(
                out,
                "seats       {live} live, {paid} paid, {lost} lost a bond or a part of it"
            )?;
        }
        let journal = &self.journal;
        writeln!(
            out,
            "journal     {} settled, {} lost, {} faulted; {} earned, {} paid in fees",
            journal.settled,
            journal.lost,
            journal.faulted,
            sol(journal.earned),
            sol(journal.fees)
        )?;
        self.write_work(out)
    }

    /// The last jobs, and the audits that have not ended.
    fn write_work(&self, out: &mut String) -> std::fmt::Result {
        if !self.jobs.is_empty() {
            writeln!(
                out,
                "\n{:<44}  {:<10}  {:>16}  {:>16}",
                "last jobs", "state", "price", "earned"
            )?;
        }
        for job in &self.jobs {
            writeln!(
                out,
                "{:<44}  {:<10}  {:>16}  {:>16}",
                job.job,
                job.phase,
                sol(job.price),
                sol(job.earned)
            )?;
        }
        if !self.audits.is_empty() {
            writeln!(out, "\n{:<44}  {:<10}  level  seat", "audits", "role")?;
        }
        for audit in &self.audits {
            writeln!(
                out,
                "{:<44}  {:<10}  {:<5}  {}",
                audit.job,
                audit.role,
                audit.level,
                audit.seat.unwrap_or("-")
            )?;
        }
        Ok(())
    }
}
