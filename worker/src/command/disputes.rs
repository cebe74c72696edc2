//! `assay-worker disputes`: what the journal keeps of audits, and what each verdict would bring.

use std::fmt::Write;

use anyhow::Context;
use assay_client::{
    address,
    protocol::{
        Address, JobData, PanelData, UnixSeconds,
        panel::{PanelStatus, Phase, SeatState, UNAVAILABLE},
        verdict::Verdict,
    },
};
use serde::Serialize;

use super::{
    Ended,
    amount::{signed_sol, sol},
    print, print_json,
};
use crate::{
    config::Config,
    core::audit::{Outlook, outcome, outlooks},
    store::{AuditRow, SeatRow, Store},
    wall_clock,
};

/// Everything that is shown; amounts in lamports, times in unix seconds.
#[derive(Debug, Serialize)]
pub struct Disputes {
    pub provider: String,
    pub disputes: Vec<Dispute>,
}

/// One job under judgement, or after it.
#[derive(Debug, Serialize)]
pub struct Dispute {
    pub job: String,
    pub status: &'static str,
    /// primary, auditor, or bystander.
    pub role: &'static str,
    pub level: u8,
    pub acknowledged: bool,
    pub disputed: bool,
    /// Nothing is left to do for it.
    pub ended: bool,
    pub last_verdict: Option<&'static str>,
    pub price: u64,
    pub collateral: u64,
    pub audit_fee: u64,
    /// What the journal says that we computed.
    pub our_roots: Vec<Root>,
    /// Shown on chain; none before.
    pub primary_root: Option<String>,
    pub panels: Vec<PanelView>,
    /// How it ended for us.
    pub outcome: Option<Possible>,
    /// How it may still end.
    pub possible: Vec<Possible>,
    pub seen_at: i64,
}

#[derive(Debug, Serialize)]
pub struct Root {
    /// 0 for the primary's.
    pub level: u8,
    pub root: String,
    /// The hints could not be had.
    pub unavailable: bool,
}

#[derive(Debug, Serialize)]
pub struct PanelView {
    pub level: u8,
    pub phase: &'static str,
    pub join_deadline: i64,
    pub commit_deadline: i64,
    pub reveal_deadline: i64,
    pub bond: u64,
    pub seats: Vec<SeatView>,
}

#[derive(Debug, Serialize)]
pub struct SeatView {
    pub provider: String,
    pub ours: bool,
    pub state: &'static str,
    pub root: Option<String>,
    /// Whether the root is the primary's, once both are known.
    pub agrees: Option<bool>,
    /// Fixed by the verdict.
    pub payout: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct Possible {
    pub if_what: &'static str,
    pub verdict: &'static str,
    pub status: &'static str,
    /// What it brings or costs us.
    pub ours: i64,
}

/// Prints them, for people or as JSON.
pub fn show(config: &Config, job: Option<&str>, json: bool, count: u32) -> Result<(), Ended> {
    let job = job.map(str::parse).transpose();
    let job: Option<Address> =
        job.map_err(|_| Ended::usage("this is no address; give the job's, in base58"))?;
    let disputes = read(config, job.as_ref(), count)?;
    if json {
        print_json(&disputes)?;
    } else {
        print(&disputes.text())?;
    }
    Ok(())
}

/// One job's audit, or the latest ones.
pub fn read(config: &Config, job: Option<&Address>, count: u32) -> anyhow::Result<Disputes> {
    let provider = address::provider(&config.authority()?);
    let path = config.journal();
    anyhow::ensure!(
        path.exists(),
        "there is no journal at {}; the worker has never run with this configuration",
        path.display()
    );
    let store = Store::open_read_only(&path)
        .context("the journal is of an earlier worker; start this one once")?;
    let mut disputes = Vec::new();
    for row in store.audits(job, count)? {
        let seats = store.seats(&row.job)?;
        let primary = store.result(&row.job, row.evidence.job.attempt)?;
        let primary = primary.map(|result| result.root.0);
        disputes.push(view(
            &row,
            &seats,
            primary,
            &provider,
            UnixSeconds(wall_clock()),
        ));
    }
    Ok(Disputes {
        provider: provider.to_string(),
        disputes,
    })
}

fn view(
    row: &AuditRow,
    seats: &[SeatRow],
    primary: Option<[u8; 32]>,
    me: &Address,
    now: UnixSeconds,
) -> Dispute {
    let job = &*row.evidence.job;
    let panels = [1_u8, 2]
        .iter()
        .zip(&row.evidence.panels)
        .filter_map(|(level, panel)| Some(panel_view(*level, panel.as_deref()?, job, me, now)))
        .collect::<Vec<_>>();
    let seated = panels
        .iter()
        .any(|panel| panel.seats.iter().any(|seat| seat.ours));
    let root = |level: u8, root: [u8; 32]| Root {
        level,
        root: hex::encode(root),
        unavailable: root == UNAVAILABLE,
    };
    let mut our_roots: Vec<Root> = seats
        .iter()
        .map(|seat| root(seat.result.level, seat.result.root.0))
        .collect();
    if let Some(primary) = primary {
        our_roots.insert(0, root(0, primary));
    }
    let terminal = job.status().is_ok_and(|status| status.is_terminal());
    let possible = if terminal {
        Vec::new()
    } else {
        outlooks(&row.evidence, me, now)
    };
    Dispute {
        job: row.job.to_string(),
        status: job.status().map_or("unknown", |status| status.name()),
        role: if job.provider == *me {
            "primary"
        } else if seated {
            "auditor"
        } else {
            "bystander"
        },
        level: job.level,
        acknowledged: job.flags & assay_client::protocol::job::JOB_ACKNOWLEDGED != 0,
        disputed: job.level == 2 && !job.has_panel(1),
        ended: row.evidence.ended,
        last_verdict: Verdict::from_byte(job.verdict).map(Verdict::name),
        price: job.price,
        collateral: job.collateral,
        audit_fee: job.audit_fee,
        our_roots,
        primary_root: job.is_revealed().then(|| hex::encode(job.root)),
        panels,
        outcome: outcome(&row.evidence, me).map(possibility),
        possible: possible.into_iter().map(possibility).collect(),
        seen_at: row.changed_at,
    }
}

fn possibility(outlook: Outlook) -> Possible {
    Possible {
        if_what: outlook.if_what,
        verdict: outlook.verdict.name(),
        status: outlook.status.name(),
        ours: outlook.ours,
    }
}

fn panel_view(
    level: u8,
    panel: &PanelData,
    job: &JobData,
    me: &Address,
    now: UnixSeconds,
) -> PanelView {
    let resolved = panel.status == PanelStatus::Resolved as u8;
    let phase = match panel.status() {
        Ok(PanelStatus::Live) => match panel.phase(now, job.is_revealed()) {
            Phase::Join => "join",
            Phase::Commit => "commit",
            Phase::Reveal => "reveal",
            Phase::Over => "over",
        },
        Ok(status) => status.name(),
        Err(_) => "unknown",
    };
    let taken = panel
        .seats
        .iter()
        .filter(|seat| seat.state != SeatState::Empty as u8);
    let seats = taken.map(|seat| {
        let state = seat.state();
        // A settled seat that never revealed holds its commitment; only the chain's history tells.
        let root = (state == Ok(SeatState::Revealed)).then_some(seat.digest);
        SeatView {
            provider: seat.provider.to_string(),
            ours: seat.provider == *me,
            state: state.map_or("unknown", |state| state.name()),
            root: root.map(hex::encode),
            agrees: root
                .filter(|_| job.is_revealed())
                .map(|root| root == job.root),
            payout: resolved.then_some(seat.payout),
        }
    });
    PanelView {
        level,
        phase,
        join_deadline: panel.join_deadline,
        commit_deadline: panel.commit_deadline,
        reveal_deadline: panel.reveal_deadline,
        bond: panel.bond,
        seats: seats.collect(),
    }
}

impl Disputes {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if self.disputes.is_empty() {
            return "no audits in this journal\n".to_owned();
        }
        let now = wall_clock();
        for dispute in &self.disputes {
            // Writing to a String cannot fail.
            let _ = dispute.write(&mut out, now);
        }
        out
    }
}

impl Dispute {
    fn write(&self, out: &mut String, now: i64) -> std::fmt::Result {
        writeln!(out, "job {}  {}, {}", self.job, self.role, self.status)?;
        let why = if self.disputed {
            "disputed by its requester"
        } else if self.acknowledged {
            "drawn for audit"
        } else {
            "not acknowledged, so audited"
        };
        writeln!(
            out,
            "  {why}; price {}, collateral {}, audit fee {}",
            sol(self.price),
            sol(self.collateral),
            sol(self.audit_fee)
        )?;
        for root in &self.our_roots {
            let whose = match root.level {
                0 => "our result".to_owned(),
                level => format!("our seat, level {level}"),
            };
            let meaning = if root.unavailable {
                "  (hints unavailable)"
            } else {
                ""
            };
            writeln!(out, "  {whose:<22} {}{meaning}", root.root)?;
        }
        match &self.primary_root {
            Some(root) => writeln!(out, "  {:<22} {root}", "primary's, revealed")?,
            None => writeln!(out, "  {:<22} not revealed", "primary's")?,
        }
        for panel in &self.panels {
            panel.write(out, now)?;
        }
        if let Some(verdict) = self.last_verdict {
            writeln!(out, "  last verdict: {verdict}")?;
        }
        if let Some(outcome) = &self.outcome {
            writeln!(
                out,
                "  ended {}: {} for us",
                outcome.status,
                signed_sol(outcome.ours)
            )?;
        }
        for possible in &self.possible {
            writeln!(
                out,
                "  {:>20}  {} -> {}: {}",
                signed_sol(possible.ours),
                possible.if_what,
                possible.status,
                possible.verdict
            )?;
        }
        writeln!(out)
    }
}

impl PanelView {
    fn write(&self, out: &mut String, now: i64) -> std::fmt::Result {
        let deadline = match self.phase {
            "join" => Some(self.join_deadline),
            "commit" => Some(self.commit_deadline),
            "reveal" => Some(self.reveal_deadline),
            _ => None,
        };
        let until = deadline.map_or(String::new(), |deadline| {
            format!(", {} s left", deadline.saturating_sub(now))
        });
        writeln!(
            out,
            "  panel of level {}: {}{until}; a seat's bond is {}",
            self.level,
            self.phase,
            sol(self.bond)
        )?;
        for seat in &self.seats {
            let whose = if seat.ours { "  (ours)" } else { "" };
            let root = match (&seat.root, seat.agrees) {
                (None, _) => "",
                (Some(_), None) => "  root shown",
                (Some(_), Some(true)) => "  agrees with the primary",
                (Some(_), Some(false)) => "  differs from the primary",
            };
            let payout = seat
                .payout
                .map_or(String::new(), |payout| format!("  paid {}", sol(payout)));
            writeln!(
                out,
                "    {}  {}{root}{payout}{whose}",
                seat.provider, seat.state
            )?;
        }
        Ok(())
    }
}
