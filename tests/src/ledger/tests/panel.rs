//! Audits tampered with.

use std::collections::BTreeMap;

use assay_client::{
    program::INCINERATOR,
    protocol::{Address, JobData, JobStatus, PanelData, ProviderData, verdict::SeatOutcome},
};

use super::{
    super::{State, panel::count_seats},
    Record, STRANGER,
};
use crate::{Court, Job, ROOT, World};

use SeatOutcome::{Different, Equal};

fn record(court: &Court, call: impl FnOnce(&World) -> crate::Call) -> Record {
    Record::of(&court.world, call(&court.world))
}

/// A drawn job with an open panel.
fn open() -> (Court, Job) {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.do_panel_open(&job);
    (court, job)
}

/// A verdict about to be spoken, and the job's panel.
fn verdict(outcomes: &[SeatOutcome], primary: bool) -> (Record, Court, Job, Address) {
    let mut court = Court::new();
    let job = court.drawn();
    court.played(&job, outcomes, primary);
    let panel = court.world.panel_of(&job);
    let record = record(&court, |world| world.panel_resolve(&job));
    (record, court, job, panel)
}

#[test]
fn true_audits_pass() {
    for (outcomes, primary) in [
        ([Equal, Equal], true),
        ([Equal, Different], true),
        ([Equal, Different], false),
    ] {
        verdict(&outcomes, primary).0.enter(true).unwrap();
    }
}

#[test]
fn a_panel_with_another_seed_or_deadline_is_noticed() {
    let changes: [fn(&mut PanelData); 4] = [
        |panel| panel.seed[0] ^= 1,
        |panel| panel.join_deadline += 1,
        |panel| panel.size += 1,
        |panel| panel.bond -= 1,
    ];
    for change in changes {
        let mut court = Court::new();
        let job = court.drawn();
        court.world.pass_slots(20);
        let mut record = record(&court, |world| world.panel_open(&job));
        record.enter(true).unwrap();
        let panel = court.world.panel_of(&job);
        record.edit(panel, change);
        record.violates(3);
    }
}

#[test]
fn an_uncounted_panel_is_noticed() {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.pass_slots(20);
    let mut record = record(&court, |world| world.panel_open(&job));
    record.edit(job.account, |job: &mut JobData| job.live_panels = 0);
    record.violates(2);
}

#[test]
fn a_seat_with_another_score_is_noticed() {
    let (court, job) = open();
    let mut record = record(&court, |world| world.panel_join(&job, &court.auditors[0]));
    record.enter(true).unwrap();
    record.edit(court.world.panel_of(&job), |panel: &mut PanelData| {
        panel.seats[0].score -= 1;
    });
    record.violates(3);
}

#[test]
fn a_seat_for_somebody_else_is_noticed() {
    let (court, job) = open();
    let mut record = record(&court, |world| world.panel_join(&job, &court.auditors[0]));
    let panel = court.world.panel_of(&job);
    record.edit(panel, |panel: &mut PanelData| {
        panel.seats[0].provider = court.primary.account;
    });
    record.violates(7);
}

#[test]
fn a_late_join_is_noticed() {
    let (court, job) = open();
    let mut record = record(&court, |world| world.panel_join(&job, &court.auditors[0]));
    record.world.pass(11);
    record.violates(3);
}

#[test]
fn a_bond_that_was_not_paid_is_noticed() {
    let (court, job) = open();
    let panel = court.world.panel_of(&job);
    let auditor = court.auditors[0].account;
    let join = || record(&court, |world| world.panel_join(&job, &court.auditors[0]));
    let mut short = join();
    short.shift(panel, auditor, 1);
    short.violates(1);
    let mut unbooked = join();
    unbooked.edit(panel, |panel: &mut PanelData| panel.bonds -= 1);
    unbooked.violates(1);
    let mut uncounted = join();
    uncounted.edit(auditor, |auditor: &mut ProviderData| auditor.live_seats = 0);
    uncounted.violates(2);
    let mut cheap = join();
    cheap.edit(auditor, |auditor: &mut ProviderData| auditor.stake += 1);
    cheap.shift(STRANGER, auditor, 0);
    cheap.violates(1);
}

#[test]
fn a_root_that_was_not_committed_to_is_noticed() {
    let (mut court, job) = open();
    let auditor = court.auditors[0];
    court.world.do_panel_join(&job, &auditor);
    court.world.pass(11);
    court.world.do_panel_commit(&job, &auditor, ROOT);
    let panel = court.world.panel_of(&job);
    let mut seat = record(&court, |world| world.panel_reveal(&job, &auditor, ROOT));
    seat.enter(true).unwrap();
    seat.edit(panel, |panel: &mut PanelData| panel.seats[0].digest[0] ^= 1);
    seat.violates(6);
    let mut primary = record(&court, |world| world.job_reveal(&job));
    primary.enter(true).unwrap();
    primary.edit(job.account, |job: &mut JobData| job.root[0] ^= 1);
    primary.violates(3);
}

#[test]
fn a_verdict_before_its_time_is_noticed() {
    let mut court = Court::new();
    let job = court.drawn();
    court.played(&job, &[Equal, SeatOutcome::Joined], true);
    let mut record = record(&court, |world| world.panel_resolve(&job));
    record.enter(true).unwrap();
    record.early = 1;
    let found = record.enter(true).unwrap_err();
    assert!(
        found.starts_with("invariant 3 violated: a verdict at "),
        "{found}"
    );
}

#[test]
fn another_verdict_than_the_tables_is_noticed() {
    let (mut record, _, job, _) = verdict(&[Equal, Equal], true);
    record.edit(job.account, |job: &mut JobData| {
        job.status = JobStatus::Faulted as u8;
    });
    record.violates(4);
}

#[test]
fn a_payout_of_another_size_is_noticed() {
    let (mut record, court, job, panel) = verdict(&[Equal, Equal], true);
    record.edit(panel, |panel: &mut PanelData| {
        panel.seats[0].payout += 1;
        panel.bonds += 1;
    });
    record.shift(job.requester, panel, 1);
    record.violates(4);
    let (mut record, ..) = verdict(&[Equal, Equal], true);
    record.edit(panel, |panel: &mut PanelData| {
        panel.seats[0].payout += 1;
        panel.seats[1].payout -= 1;
    });
    record.violates(4);
    assert_eq!(court.world.ledger().burned, 0);
}

#[test]
fn a_slash_of_the_primary_that_was_not_burned_is_noticed() {
    let (mut record, court, job, _) = verdict(&[Equal, Different], false);
    record.shift(INCINERATOR, job.requester, 1);
    record.violates(4);
    let (mut record, ..) = verdict(&[Equal, Different], false);
    let primary = court.primary.account;
    record.edit(primary, |primary: &mut ProviderData| {
        primary.stake -= 1;
        primary.total_slashed += 1;
    });
    record.shift(primary, INCINERATOR, 1);
    record.violates(4);
}

#[test]
fn a_seat_settled_for_somebody_else_is_noticed() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    let panel = court.world.panel_of(&job);
    let settle = || record(&court, |world| world.seat_settle(&job, 1, &bench[0]));
    settle().enter(true).unwrap();
    let mut stolen = settle();
    stolen.shift(bench[0].account, STRANGER, 1);
    stolen.violates(1);
    let mut earned = settle();
    earned.edit(bench[0].account, |auditor: &mut ProviderData| {
        auditor.stake -= 1;
        auditor.earnings += 1;
    });
    earned.violates(7);
    let mut twice = settle();
    twice.edit(panel, |panel: &mut PanelData| panel.seats[0].state = 3);
    twice.violates(1);
}

#[test]
fn a_panel_closed_to_somebody_else_is_noticed() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    for auditor in &bench {
        court.world.do_seat_settle(&job, 1, auditor);
    }
    let mut record = record(&court, |world| world.panel_close(&job, 1));
    record.enter(true).unwrap();
    record.shift(crate::panel::OPENER, STRANGER, 1);
    record.violates(4);
}

#[test]
fn whoever_sits_twice_or_on_its_own_job_is_noticed() {
    let mut court = Court::new();
    let job = court.drawn();
    court.seated(&job, 2);
    let account = court.world.panel_of(&job);
    let held = |provider: Address| {
        let held = court.world.ledger().held();
        let mut held: BTreeMap<_, _> = held.map(|(at, held)| (*at, held.clone())).collect();
        if let Some(State::Panel(panel)) = held.get_mut(&account).map(|held| &mut held.state) {
            panel.seats[1].provider = provider;
        }
        count_seats(&held).is_ok()
    };
    assert!(held(court.auditors[1].account));
    assert!(!held(court.auditors[0].account));
    assert!(!held(court.primary.account));
}
