//! What the books say, against what happened to an account.

use std::collections::BTreeSet;

use assay_protocol::{Lamports, UnixSeconds};

use super::*;
use crate::{
    command::wrap::COLUMNS,
    core::{Action, AuditStep, Report},
};

mod energy;
mod pruning;
mod world;

use world::{DAY, World, busy, job};

fn by(by: Grouping) -> args::Earnings {
    args::Earnings {
        by,
        ..args::Earnings::default()
    }
}

#[test]
fn net_of_all_jobs_is_what_changed_on_chain() {
    let world = busy();
    for by in [
        Grouping::Job,
        Grouping::Day,
        Grouping::Week,
        Grouping::Month,
        Grouping::Model,
    ] {
        let flags = args::Earnings {
            by,
            ..args::Earnings::default()
        };
        let earnings = world.earnings(&flags);
        assert_eq!(earnings.total.result.net, world.changed, "{by:?}");
        let lines = earnings.jobs.iter().map(|job| job.result.net);
        let groups = earnings.groups.iter().map(|group| group.result.net);
        assert_eq!(lines.chain(groups).sum::<i64>(), world.changed, "{by:?}");
        let total = &earnings.total;
        assert_eq!((total.of.unknown, total.amounts.unconfirmed), (0, 0));
    }
}

#[test]
fn parts_of_each_job_are_told_apart() {
    let world = busy();
    let flags = args::Earnings {
        by: Grouping::Job,
        watts: Some("72".into()),
        ..args::Earnings::default()
    };
    let earnings = world.earnings(&flags);
    let found = |number: u8| {
        let name = job(number).to_string();
        earnings.jobs.iter().find(|job| job.of.job == name).unwrap()
    };
    let paid = found(1);
    let amounts = &paid.amounts;
    assert_eq!(
        (amounts.price, amounts.market_share, amounts.earned),
        (900_000, 18_000, 882_000)
    );
    assert_eq!(
        (amounts.transactions, amounts.fees, amounts.compute_ms),
        (3, 15_150, 1_500)
    );
    assert_eq!(paid.result.energy_mwh, Some(30), "1.5 s at 72 W");
    assert_eq!(
        (paid.result.energy_from, amounts.measured_ms),
        (Some("configured"), 0)
    );
    let late = found(2);
    assert_eq!(
        (late.result.energy_mwh, late.result.energy_from),
        (None, None)
    );
    assert_eq!((late.of.role, late.result.net), ("bystander", -5_050));
    let slashed = [3, 4, 5].map(|number| found(number).amounts.slashed);
    assert_eq!(slashed, [250_000, 1_000_000, 20_000_000]);
    let gone = found(6);
    assert_eq!(
        (gone.of.state.as_str(), gone.amounts.earned),
        ("gone", 882_000)
    );
    let (seat, amounts) = (&found(7).of, &found(7).amounts);
    assert_eq!(
        (seat.role, amounts.audits_earned, amounts.bonds_lost),
        ("auditor", 1_000_000, 0)
    );
    assert_eq!(
        (amounts.rent, amounts.compute_ms),
        (0, 700),
        "the panel gave its rent back"
    );
    assert_eq!((found(8).of.ended, found(8).result.net), (false, -5_050));
    let total = &earnings.total.of;
    assert_eq!(
        (total.jobs, total.settled, total.lost, total.faulted),
        (6, 2, 2, 1)
    );
    assert!(
        earnings
            .text()
            .lines()
            .all(|line| line.chars().count() <= COLUMNS)
    );
}

#[test]
fn lamports_are_whole_in_csv_and_rows_add_up() {
    let world = busy();
    let flags = args::Earnings {
        since: Some("2026-11-28".into()),
        until: Some("2026-11-29".into()),
        ..args::Earnings::default()
    };
    let earnings = world.earnings(&flags);
    assert_eq!(earnings.groups.len(), 1);
    assert_eq!(earnings.groups[0].of.group, "2026-11-28");
    assert_eq!(earnings.total.amounts.slashed, 21_250_000);
    let csv = earnings.csv().unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let net = header.iter().position(|name| name == "net").unwrap();
    let json = serde_json::to_value(&earnings.groups[0]).unwrap();
    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(|key| &**key).collect();
    assert_eq!(header.iter().collect::<BTreeSet<_>>(), keys, "as in JSON");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let sum: i64 = rows
        .iter()
        .map(|row| row[net].parse::<i64>().unwrap())
        .sum();
    assert_eq!(sum, earnings.total.result.net);
    assert!(
        earnings
            .text()
            .lines()
            .all(|line| line.chars().count() <= COLUMNS)
    );
}

#[test]
fn rent_is_out_until_the_audit_has_ended() {
    let mut world = World::new();
    world.transact(1, Action::Audit(AuditStep::Open), true, 5_000_000);
    let earnings = world.earnings(&args::Earnings::default());
    assert_eq!(
        (earnings.total.amounts.rent, earnings.total.result.net),
        (5_000_000, world.changed)
    );
}

#[test]
fn end_that_nobody_saw_is_said() {
    let mut world = World::new();
    world.claim(1);
    world
        .store
        .report_gone(&job(1), 0, UnixSeconds(world.now))
        .unwrap();
    let earnings = world.earnings(&args::Earnings::default());
    assert_eq!(
        (earnings.total.of.unknown, earnings.total.result.net),
        (1, -5_050)
    );
    assert!(
        earnings.text().contains("! 1 jobs ended unseen"),
        "{}",
        earnings.text()
    );
}
