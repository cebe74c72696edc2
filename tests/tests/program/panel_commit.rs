//! panel_commit: a seated auditor fixes its result, between the join window and the commit deadline.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{Error, UnixSeconds, args::PanelCommitArgs, panel::SeatState},
};
use assay_tests::{Call, Court, Job, Provider, ROOT};
use bytemuck::bytes_of;

fn seated() -> (Court, Job, Vec<Provider>) {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 2);
    (court, job, bench)
}

fn with(call: Call, commitment: [u8; 32], seat: u8) -> Call {
    call.arguments(bytes_of(&PanelCommitArgs { commitment, seat }))
}

#[test]
fn panel_commit_stores_the_commitment() {
    let (mut court, job, bench) = seated();
    let commitment = court.world.auditor_commitment(&job, &bench[1], ROOT);
    let outcome = court.world.do_panel_commit(&job, &bench[1], ROOT);
    let panel = court.world.panel(&court.world.panel_of(&job));
    let seat = panel.seats[1];
    assert_eq!(
        (seat.digest, seat.state()),
        (commitment, Ok(SeatState::Committed))
    );
    assert_eq!((panel.committed, panel.revealed), (1, 0));
    let events = of_logs(&outcome.logs);
    let [Event::PanelCommitted(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((event.seat, event.commitment), (1, commitment));
}

#[test]
fn panel_commit_in_the_join_window_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let panel = court.world.do_panel_open(&job);
    let auditor = court.auditors[0];
    let world = &mut court.world;
    world.do_panel_join(&job, &auditor);
    let deadline = world.panel(&panel).join_deadline;
    world
        .send(world.panel_commit(&job, &auditor, ROOT))
        .refused(Error::PanelNotCommitting);
    world.pass_to(UnixSeconds(deadline));
    world
        .send(world.panel_commit(&job, &auditor, ROOT))
        .refused(Error::PanelNotCommitting);
    world.pass(1);
    world.do_panel_commit(&job, &auditor, ROOT);
}

#[test]
fn panel_commit_after_its_deadline_fails() {
    let (mut court, job, bench) = seated();
    let world = &mut court.world;
    let deadline = world.panel(&world.panel_of(&job)).commit_deadline;
    world.pass_to(UnixSeconds(deadline));
    world.clone().do_panel_commit(&job, &bench[0], ROOT);
    world.pass(1);
    world
        .send(world.panel_commit(&job, &bench[0], ROOT))
        .refused(Error::PanelNotCommitting);
}

#[test]
fn panel_commit_twice_fails() {
    let (mut court, job, bench) = seated();
    court.world.do_panel_commit(&job, &bench[0], ROOT);
    let again = court.world.panel_commit(&job, &bench[0], ROOT);
    court
        .world
        .send(again.clone())
        .refused(Error::SeatNotJoined);
    // With the last commitment the phase is over.
    court.world.do_panel_commit(&job, &bench[1], ROOT);
    court.world.send(again).refused(Error::PanelNotCommitting);
}

#[test]
fn panel_commit_of_nothing_fails() {
    let (mut court, job, bench) = seated();
    let call = court.world.panel_commit(&job, &bench[0], ROOT);
    court
        .world
        .send(with(call, [0; 32], 0))
        .refused(Error::SeatCommitmentMissing);
}

#[test]
fn panel_commit_to_a_seat_that_is_not_its_own_fails() {
    let (mut court, job, bench) = seated();
    let call = court.world.panel_commit(&job, &bench[0], ROOT);
    for (seat, error) in [
        (1, Error::SeatProviderMismatch),
        (2, Error::SeatProviderMismatch),
        (4, Error::SeatProviderMismatch),
        (5, Error::SeatIndexInvalid),
        (255, Error::SeatIndexInvalid),
    ] {
        court
            .world
            .send(with(call.clone(), [7; 32], seat))
            .refused(error);
    }
    let outsider = court.auditors[5];
    let call = court.world.panel_commit(&job, &outsider, ROOT);
    court.world.send(call).refused(Error::SeatProviderMismatch);
}

#[test]
fn panel_commit_by_anyone_but_the_operator_fails() {
    let (mut court, job, bench) = seated();
    for stranger in [bench[0].authority, bench[1].operator] {
        let call = court.world.panel_commit(&job, &bench[0], ROOT);
        court
            .world
            .send(call.put("operator", stranger))
            .refused(Error::ProviderOperatorMismatch);
    }
}

#[test]
fn panel_commit_to_a_panel_that_has_spoken_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 2);
    let late = court.world.panel_commit(&job, &bench[0], ROOT);
    let panel = court.world.panel(&court.world.panel_of(&job));
    court
        .world
        .pass_deadline(UnixSeconds(panel.commit_deadline));
    court.world.do_panel_resolve(&job);
    // Silent at level 1: the second panel judges, and the first one's seats stay as they are.
    court.world.send(late.clone()).refused(Error::PanelNotLive);
    let deadline = court.world.job(&job.account).panel_open_deadline().unwrap();
    court.world.pass_deadline(deadline);
    court.world.do_panel_resolve(&job);
    court.world.send(late).refused(Error::PanelNotLive);
}
