//! The chain stands still for an hour, on the public market's windows, in each phase: deadlines run on.

use assay_client::protocol::{JobStatus, UnixSeconds, market::MarketParams, verdict::SeatOutcome};
use assay_tests::{ROOT, SOL};

use super::{Trial, court_of, ends};

use SeatOutcome::Equal;

const OUTAGE: u32 = 3_600;

/// An open job whose windows pass is the requester's again; a claimed one costs its provider the late slash.
/// Limit: the slash of a claim is not forgiven for a halt longer than its compute window.
#[test]
fn outage_before_the_commitment_costs_the_late_slash() {
    let mut court = court_of(MarketParams::PUBLIC);
    let (primary, model) = (court.primary, court.model);
    let world = &mut court.world;
    let job = world.do_claimed_job(&model, &primary);
    world.pass(OUTAGE);
    world.do_job_expire(&job);
    world.do_job_cancel(&job);
    assert_eq!(world.provider(&primary.account).stake, 100 * SOL - SOL / 10);
}

/// An acknowledged job outlives the challenge window by a day.
#[test]
fn outage_before_finalize_costs_nothing() {
    let mut court = court_of(MarketParams::PUBLIC);
    let job = court.committed(|_| {});
    let trial = Trial::of(&court, job);
    court.world.pass(OUTAGE);
    court.world.do_job_finalize(&job, &court.primary);
    let bench = court.judged(&job, &[Equal, Equal], true);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));
}

/// Two hours to open a panel: a halt of one leaves the audit. Limit: one that outlasts the window ends it for the
/// primary, and a cheating one is paid.
#[test]
fn outage_while_the_panel_waits_to_be_opened_loses_the_audit_only_beyond_two_hours() {
    let mut court = court_of(MarketParams::PUBLIC);
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    court.world.pass(OUTAGE);
    let mut late = court.clone();
    // The hash is long gone; eight slots later there is another.
    court.world.do_panel_retarget(&job);
    let bench = court.judged(&job, &[Equal, Equal], true);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));

    late.world.pass(OUTAGE + 1);
    late.world.do_panel_resolve(&job);
    assert_eq!(trial.ends(&late, &[]), ends(345, 55, [], 0));
}

/// Whoever sat before the halt judges; with nobody seated the primary is paid.
#[test]
fn outage_while_auditors_join_leaves_those_who_have() {
    for seated in [0, 1] {
        let mut court = court_of(MarketParams::PUBLIC);
        let trial = Trial::drawn(&mut court);
        let job = trial.job;
        court.world.do_panel_open(&job);
        let bench = court.bench(&job, seated);
        for auditor in &bench {
            court.world.do_panel_join(&job, auditor);
        }
        // The bond of a seat is gone if the halt outlasts the commit window, too: here it ends before.
        let panel = court.world.panel(&court.world.panel_of(&job));
        court.world.pass_to(UnixSeconds(panel.commit_deadline));
        for auditor in &bench {
            court.world.do_panel_commit(&job, auditor, ROOT);
            court.world.do_panel_reveal(&job, auditor, ROOT);
            court.world.do_job_reveal(&job);
        }
        court.world.do_panel_resolve(&job);
        let ended = trial.ends(&court, &bench);
        if seated == 0 {
            assert_eq!(ended, ends(345, 55, [], 0));
        } else {
            assert_eq!(ended, ends(195, 55, [150], 0));
        }
    }
}

/// Two hours beside the compute window: auditors commit when the chain is back.
#[test]
fn outage_while_auditors_commit_costs_nothing() {
    let mut court = court_of(MarketParams::PUBLIC);
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let bench = court.seated(&job, 2);
    court.world.pass(OUTAGE);
    for auditor in &bench {
        court.world.do_panel_commit(&job, auditor, ROOT);
    }
    for auditor in &bench {
        court.world.do_panel_reveal(&job, auditor, ROOT);
    }
    court.world.do_job_reveal(&job);
    court.world.do_panel_resolve(&job);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));
}

/// Limit: a longer halt takes the bonds of auditors that could not commit. The job is judged by level 2, and the
/// primary is not harmed.
#[test]
fn outage_beyond_the_commit_window_costs_auditors_their_bonds() {
    let mut court = court_of(MarketParams::PUBLIC);
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let first = court.seated(&job, 2);
    court.world.pass(3 * OUTAGE);
    court.world.do_panel_resolve(&job);
    assert_eq!(court.world.status(&job), JobStatus::Appealing);
    let second = court.judged(&job, &[Equal, Equal, Equal], true);
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(345, 55, [-750, -750, 150, 150, 150], 1_050)
    );
}

/// A day is enough to reveal in, for auditors and primary alike.
#[test]
fn outage_while_roots_are_revealed_costs_nothing() {
    let mut court = court_of(MarketParams::PUBLIC);
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let bench = court.seated(&job, 2);
    for auditor in &bench {
        court.world.do_panel_commit(&job, auditor, ROOT);
    }
    court.world.pass(OUTAGE);
    for auditor in &bench {
        court.world.do_panel_reveal(&job, auditor, ROOT);
    }
    court.world.pass(OUTAGE);
    court.world.do_job_reveal(&job);
    court.world.do_panel_resolve(&job);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));
}
