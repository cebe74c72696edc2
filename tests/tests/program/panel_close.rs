//! panel_close: the rent goes back to who paid it, once every seat is settled, by anybody.

use assay_client::{
    Event, address,
    event::of_logs,
    protocol::{Error, verdict::SeatOutcome},
};
use assay_tests::{Court, Refusal, panel::OPENER};

#[test]
fn panel_close_returns_the_rent_and_lets_the_job_go() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    for auditor in &bench {
        court.world.do_seat_settle(&job, 1, auditor);
    }
    let world = &mut court.world;
    let (before, panel) = (world.balance(&OPENER), world.panel_of(&job));
    world.pass_open_slot(&job);
    world
        .send(world.job_close(&job))
        .refused(Error::JobPanelsLive);
    let outcome = world.do_panel_close(&job, 1);
    assert_eq!(world.balance(&OPENER), before + world.rent(656));
    assert!(!world.exists(&panel));
    assert_eq!(world.job(&job.account).live_panels, 0);
    let events = of_logs(&outcome.logs);
    let [Event::PanelClosed(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((event.panel, event.job), (panel, job.account));
    world.do_job_close(&job);
}

#[test]
fn panel_close_with_seats_unsettled_fails() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    let call = court.world.panel_close(&job, 1);
    for auditor in &bench {
        court
            .world
            .send(call.clone())
            .refused(Error::PanelSeatsUnsettled);
        court.world.do_seat_settle(&job, 1, auditor);
    }
    court.world.send(call).accepted();
}

/// A seat that lost everything has to be settled too: its provider still counts it.
#[test]
fn panel_close_with_a_worthless_seat_unsettled_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let silent = [SeatOutcome::Joined; 2];
    let bench = court.judged(&job, &silent, false);
    court.judged(&job, &[], false);
    let call = court.world.panel_close(&job, 1);
    court
        .world
        .send(call.clone())
        .refused(Error::PanelSeatsUnsettled);
    for auditor in &bench {
        court.world.do_seat_settle(&job, 1, auditor);
    }
    court.world.send(call).accepted();
}

#[test]
fn panel_close_before_the_verdict_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.do_panel_open(&job);
    let call = court.world.panel_close(&job, 1);
    court.world.send(call).refused(Error::PanelNotResolved);
    let job = court.dissented();
    let call = court.world.panel_close(&job, 1);
    court.world.send(call).refused(Error::PanelNotResolved);
}

#[test]
fn panel_close_to_anyone_but_the_rent_payer_or_with_another_job_fails() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    for auditor in &bench {
        court.world.do_seat_settle(&job, 1, auditor);
    }
    let (other, _) = court.confirmed();
    let call = court.world.panel_close(&job, 1);
    let world = &mut court.world;
    for stranger in [job.requester, bench[0].authority] {
        let call = call.clone().put("rent_payer", stranger);
        world.send(call).refused(Error::RentPayerMismatch);
    }
    world
        .send(call.clone().put("job", other.account))
        .refused(Error::PanelJobMismatch);
    world
        .send(call.put("panel", address::panel(&other.account, 1)))
        .refused(Error::PanelJobMismatch);
}

#[test]
fn panel_close_twice_fails() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    for auditor in &bench {
        court.world.do_seat_settle(&job, 1, auditor);
    }
    let call = court.world.panel_close(&job, 1);
    court.world.send(call.clone()).accepted();
    court.world.send(call).refused(Refusal::TooSmall);
}

/// Both panels of a job, in either order.
#[test]
fn panel_close_of_both_panels_in_either_order_is_accepted() {
    let mut court = Court::new();
    let job = court.dissented();
    let bench = court.judged(&job, &[SeatOutcome::Equal; 3], true);
    for auditor in &bench {
        court.world.do_seat_settle(&job, 2, auditor);
    }
    for auditor in &court.auditors[..2] {
        court.world.do_seat_settle(&job, 1, auditor);
    }
    for order in [[1, 2], [2, 1]] {
        let mut world = court.world.clone();
        for (left, level) in [1, 0].into_iter().zip(order) {
            world.do_panel_close(&job, level);
            assert_eq!(world.job(&job.account).live_panels, left);
        }
    }
}
