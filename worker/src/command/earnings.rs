//! `assay-worker earnings`: what jobs, audits and sessions brought and cost, from the files of the worker alone.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use super::{Ended, amount::millionths, print, print_json};
use crate::{
    args::{self, Grouping},
    config::Config,
    store::Store,
    wall_clock,
};

mod days;
mod energy;
mod sessions;
mod sums;
mod text;

#[cfg(test)]
mod tests;

use days::Span;
use sessions::SessionSums;
use sums::{Group, Job, Line};

/// Everything that is shown; amounts in lamports, times in unix seconds.
#[derive(Debug, Serialize)]
pub struct Earnings {
    /// From then on, and before then.
    since: Option<i64>,
    until: Option<i64>,
    by: &'static str,
    /// Millionths of a watt, and where they are known from; none if nobody said.
    microwatts: Option<u64>,
    watts_from: Option<&'static str>,
    /// One line each, where jobs are asked for.
    jobs: Vec<Line<Job>>,
    /// Otherwise the sums of each day, week, month or model, in order.
    groups: Vec<Line<Group>>,
    total: Line<Group>,
    /// Apart from the total; none where nothing was settled or sent for sessions.
    sessions: Option<SessionSums>,
}

/// Prints them, for people, as CSV or as JSON.
pub fn show(config: &Config, flags: &args::Earnings) -> Result<(), Ended> {
    let earnings = read(config, flags)?;
    if flags.json {
        print_json(&earnings)?;
    } else if flags.csv {
        print(&earnings.csv()?)?;
    } else {
        print(&earnings.text())?;
    }
    Ok(())
}

fn read(config: &Config, flags: &args::Earnings) -> Result<Earnings, Ended> {
    let span = Span::read(flags.since.as_deref(), flags.until.as_deref(), wall_clock())
        .map_err(Ended::Usage)?;
    let (microwatts, watts_from) = watts(config, flags)?;
    let path = config.journal();
    if !path.exists() {
        return Err(Ended::Failed(anyhow::anyhow!(
            "there is no journal at {}; the worker has never run with this configuration",
            path.display()
        )));
    }
    let store = Store::open_read_only(&path).map_err(anyhow::Error::from)?;
    let books = store.books().context(
        "the journal cannot be added up; if it is of an earlier worker, start this one once",
    )?;
    let sessions = SessionSums::read(config, &store, &span)?;
    let booked = books.iter().filter(|booked| span.contains(booked.at));
    let mut jobs = Vec::new();
    let mut total = Line::<Group>::default();
    "total".clone_into(&mut total.of.group);
    let mut groups = BTreeMap::<String, Line<Group>>::new();
    for booked in booked {
        let job = Line::<Job>::new(booked, microwatts);
        total.add(booked, &job);
        let name = match flags.by {
            Grouping::Job => {
                jobs.push(job);
                continue;
            }
            Grouping::Day => days::day(job.of.at),
            Grouping::Week => days::week(job.of.at),
            Grouping::Month => days::month(job.of.at),
            Grouping::Model => job
                .of
                .model
                .clone()
                .unwrap_or_else(|| "not known".to_owned()),
        };
        groups.entry(name).or_default().add(booked, &job);
    }
    let groups = groups.into_iter().map(|(name, mut line)| {
        line.of.group = name;
        line
    });
    Ok(Earnings {
        since: span.since,
        until: span.until,
        by: days::name(flags.by),
        microwatts,
        watts_from,
        jobs,
        groups: groups.collect(),
        total,
        sessions,
    })
}

fn watts(
    config: &Config,
    flags: &args::Earnings,
) -> Result<(Option<u64>, Option<&'static str>), Ended> {
    if let Some(text) = &flags.watts {
        let watts = millionths(text)
            .ok_or_else(|| Ended::usage(format!("--watts {text}: write a number such as 65")))?;
        return Ok((Some(watts), Some("--watts")));
    }
    match config.earnings.watts {
        0 => Ok((None, None)),
        watts => Ok((
            Some(u64::from(watts).saturating_mul(1_000_000)),
            Some("earnings.watts"),
        )),
    }
}

impl Earnings {
    /// Whole lamports, one line a job or group, with a header.
    fn csv(&self) -> anyhow::Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for job in &self.jobs {
            writer.serialize(job.row())?;
        }
        for group in &self.groups {
            writer.serialize(group.row())?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }
}
