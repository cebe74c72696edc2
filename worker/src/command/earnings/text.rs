//! Earnings for people: 80 columns.

use std::fmt::Write;

use super::{
    Earnings,
    days::{day, minute},
    sums::{Group, Job, Line},
};
use crate::command::{
    amount::{decimal, signed_sol, sol},
    wrap::{COLUMNS, wrap},
};

/// How many of the latest groups or jobs are shown; the total counts all.
const SHOWN: usize = 40;

impl Earnings {
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let left_out = self.jobs.len().max(self.groups.len()).saturating_sub(SHOWN);
        if left_out > 0 {
            writeln!(
                out,
                "... {left_out} earlier ones; all are in --csv and --json\n"
            )?;
        }
        for job in self.jobs.iter().skip(left_out) {
            write_job(out, job)?;
        }
        if !self.groups.is_empty() {
            writeln!(
                out,
                "{:<10} {:>4} {:>12} {:>12} {:>12} {:>12} {:>12}",
                self.by, "jobs", "earned", "audits", "lost", "fees", "net SOL"
            )?;
        }
        for sums in self.groups.iter().skip(left_out) {
            write_sums(out, sums)?;
        }
        self.write_total(out)
    }

    fn write_total(&self, out: &mut String) -> std::fmt::Result {
        let total = &self.total;
        let span = match (self.since, self.until) {
            (None, None) => "since the journal began".to_owned(),
            (Some(since), None) => format!("since {}", day(since)),
            (None, Some(until)) => format!("before {}", day(until)),
            (Some(since), Some(until)) => format!("from {} until {}", day(since), day(until)),
        };
        if !self.jobs.is_empty() || !self.groups.is_empty() {
            writeln!(out)?;
        }
        writeln!(out, "{span}")?;
        writeln!(
            out,
            "  {} jobs: {} paid, {} lost, {} faulted; {} audits",
            total.of.jobs, total.of.settled, total.of.lost, total.of.faulted, total.of.audits
        )?;
        for (what, lamports) in [
            (
                "prices of paid jobs, the market's share included",
                signed(total.amounts.price),
            ),
            ("earned by jobs", total.amounts.earned),
            ("earned by audits", total.amounts.audits_earned),
            ("slashed", -total.amounts.slashed),
            ("bonds lost", -total.amounts.bonds_lost),
            ("transaction fees", -signed(total.amounts.fees)),
            ("rent that has not come back", -total.amounts.rent),
            (
                "net: change of stake, earnings and the operator's balance",
                total.result.net,
            ),
        ] {
            writeln!(out, "  {what:<57} {:>18}", signed_sol(lamports))?;
        }
        self.write_notes(out)
    }

    fn write_notes(&self, out: &mut String) -> std::fmt::Result {
        let total = &self.total;
        let mut notes = Vec::new();
        notes.push(self.energy());
        notes.extend(self.sessions.as_ref().map(super::SessionSums::text));
        if total.of.unknown > 0 {
            notes.push(format!(
                "! {} jobs ended unseen, or before this worker wrote down what losing them costs: only their fees \
                 are counted.",
                total.of.unknown
            ));
        }
        if total.amounts.unconfirmed > 0 {
            notes.push(format!(
                "! Of {} transactions the chain's record was not read yet: their fees are as signed, and their rent \
                 is not counted.",
                total.amounts.unconfirmed
            ));
        }
        for note in notes {
            for line in wrap(&note, COLUMNS - 2) {
                writeln!(out, "  {line}")?;
            }
        }
        Ok(())
    }
}

impl Earnings {
    fn energy(&self) -> String {
        let total = &self.total;
        let seconds = decimal(total.amounts.compute_ms.saturating_mul(1_000));
        let measured = decimal(total.amounts.measured_ms.saturating_mul(1_000));
        let energy = decimal(total.result.energy_mwh.unwrap_or(0));
        let said = self.microwatts.zip(self.watts_from);
        match (total.result.energy_from, said) {
            (Some("measured"), _) if total.amounts.measured_ms == total.amounts.compute_ms => {
                format!(
                    "Computing took {seconds} s and {energy} kWh, as this machine's energy counters measured."
                )
            }
            (Some("measured"), _) => format!(
                "Computing took {seconds} s. Energy counters measured {measured} s of it: {energy} kWh. Set \
                 earnings.watts, or give --watts, for an estimate of the rest."
            ),
            (Some("both"), Some((microwatts, from))) => format!(
                "Computing took {seconds} s, about {energy} kWh: {measured} s of it measured by energy counters, the \
                 rest at {} W ({from}).",
                decimal(microwatts)
            ),
            (Some(_), Some((microwatts, from))) => format!(
                "Computing took {seconds} s, about {energy} kWh at {} W ({from}).",
                decimal(microwatts)
            ),
            (None, Some(_)) => format!("Computing took {seconds} s."),
            _ => format!(
                "Computing took {seconds} s. Set earnings.watts, or give --watts, for an estimate of the energy."
            ),
        }
    }
}

fn write_sums(out: &mut String, sums: &Line<Group>) -> std::fmt::Result {
    let name = &sums.of.group;
    if name.len() > 10 {
        writeln!(out, "{name}")?;
    }
    writeln!(
        out,
        "{:<10} {:>4} {:>12} {:>12} {:>12} {:>12} {:>12}",
        if name.len() > 10 { "" } else { name },
        sums.of.jobs,
        bare(sums.amounts.earned),
        bare(sums.amounts.audits_earned),
        bare(-(sums.amounts.slashed.saturating_add(sums.amounts.bonds_lost))),
        bare(-signed(sums.amounts.fees)),
        bare(sums.result.net)
    )
}

fn write_job(out: &mut String, job: &Line<Job>) -> std::fmt::Result {
    writeln!(
        out,
        "{}  {:<9}  {:<15} {:>34}",
        minute(job.of.at),
        job.of.role,
        job.of.state,
        signed_sol(job.result.net)
    )?;
    writeln!(out, "  {}  attempt {}", job.of.job, job.of.attempt)?;
    let mut parts = Vec::new();
    for (what, lamports) in [
        ("price", signed(job.amounts.price)),
        ("earned", job.amounts.earned),
        ("audits", job.amounts.audits_earned),
        ("slashed", job.amounts.slashed),
        ("bonds lost", job.amounts.bonds_lost),
        ("fees", signed(job.amounts.fees)),
        ("rent", job.amounts.rent),
    ] {
        if lamports != 0 {
            parts.push(format!("{what} {}", bare(lamports)));
        }
    }
    if job.amounts.compute_ms > 0 {
        parts.push(format!(
            "{} s",
            decimal(job.amounts.compute_ms.saturating_mul(1_000))
        ));
    }
    if let (Some(energy), Some(from)) = (job.result.energy_mwh, job.result.energy_from) {
        parts.push(format!(
            "{} Wh {from}",
            decimal(energy.saturating_mul(1_000))
        ));
    }
    if job.of.unknown {
        parts.push("how it ended was not seen".to_owned());
    }
    for line in wrap(&parts.join("; "), COLUMNS - 2) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// SOL without its name and without a plus.
fn bare(lamports: i64) -> String {
    let sign = if lamports < 0 { "-" } else { "" };
    let text = sol(lamports.unsigned_abs());
    format!("{sign}{}", text.trim_end_matches(" SOL"))
}

fn signed(lamports: u64) -> i64 {
    i64::try_from(lamports).unwrap_or(i64::MAX)
}
