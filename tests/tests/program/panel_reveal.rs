//! panel_reveal: an auditor's root, once everybody has committed, by whoever knows it.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{Error, UnixSeconds, args::PanelRevealArgs, panel::SeatState},
};
use assay_tests::{Call, Court, Job, OTHER_ROOT, Provider, ROOT, panel::salt};
use bytemuck::bytes_of;

fn revealing() -> (Court, Job, Vec<Provider>) {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 2);
    for auditor in &bench {
        court.world.do_panel_commit(&job, auditor, ROOT);
    }
    (court, job, bench)
}

fn with(call: Call, args: PanelRevealArgs) -> Call {
    call.arguments(bytes_of(&args))
}

#[test]
fn panel_reveal_by_anybody_shows_the_root() {
    let (mut court, job, bench) = revealing();
    let stranger = court.world.wallet();
    let call = court.world.panel_reveal(&job, &bench[1], ROOT);
    let outcome = court.world.send_from(stranger, call).accepted();
    let panel = court.world.panel(&court.world.panel_of(&job));
    let seat = panel.seats[1];
    assert_eq!((seat.digest, seat.state()), (ROOT, Ok(SeatState::Revealed)));
    assert_eq!((panel.committed, panel.revealed), (2, 1));
    let events = of_logs(&outcome.logs);
    let [Event::PanelRevealed(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.seat, event.root, event.provider),
        (1, ROOT, bench[1].account)
    );
}

#[test]
fn panel_reveal_of_anything_but_the_commitment_fails() {
    let (mut court, job, bench) = revealing();
    let call = court.world.panel_reveal(&job, &bench[0], ROOT);
    let right = PanelRevealArgs {
        salt: salt(&bench[0].account),
        root: ROOT,
        seat: 0,
    };
    for (args, error) in [
        (
            PanelRevealArgs {
                root: OTHER_ROOT,
                ..right
            },
            Error::OpeningMismatch,
        ),
        (
            PanelRevealArgs {
                root: [0xff; 32],
                ..right
            },
            Error::OpeningMismatch,
        ),
        (
            PanelRevealArgs {
                salt: [1; 32],
                ..right
            },
            Error::OpeningMismatch,
        ),
        (PanelRevealArgs { seat: 1, ..right }, Error::OpeningMismatch),
        (
            PanelRevealArgs {
                root: [0; 32],
                ..right
            },
            Error::RootInvalid,
        ),
        (
            PanelRevealArgs { seat: 2, ..right },
            Error::SeatNotCommitted,
        ),
        (
            PanelRevealArgs { seat: 5, ..right },
            Error::SeatIndexInvalid,
        ),
    ] {
        let call = with(call.clone(), args);
        court.world.send(call).refused(error);
    }
}

/// A commitment to the zero root can never be opened.
#[test]
fn panel_reveal_of_a_zero_root_fails_even_if_committed_to() {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 1);
    court.world.do_panel_commit(&job, &bench[0], [0; 32]);
    let call = court.world.panel_reveal(&job, &bench[0], [0; 32]);
    court.world.send(call).refused(Error::RootInvalid);
}

#[test]
fn panel_reveal_twice_fails() {
    let (mut court, job, bench) = revealing();
    court.world.do_panel_reveal(&job, &bench[0], ROOT);
    let again = court.world.panel_reveal(&job, &bench[0], ROOT);
    court.world.send(again).refused(Error::SeatNotCommitted);
}

#[test]
fn panel_reveal_before_everybody_committed_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 2);
    let world = &mut court.world;
    world.do_panel_commit(&job, &bench[0], ROOT);
    let call = world.panel_reveal(&job, &bench[0], ROOT);
    world.send(call.clone()).refused(Error::PanelNotRevealing);
    let deadline = world.panel(&world.panel_of(&job)).commit_deadline;
    world.pass_to(UnixSeconds(deadline));
    world.send(call.clone()).refused(Error::PanelNotRevealing);
    world.pass(1);
    world.send(call).accepted();
    // The other one never committed and has nothing to show.
    world
        .send(world.panel_reveal(&job, &bench[1], ROOT))
        .refused(Error::SeatNotCommitted);
}

#[test]
fn panel_reveal_after_its_deadline_fails() {
    let (mut court, job, bench) = revealing();
    let world = &mut court.world;
    let deadline = world.panel(&world.panel_of(&job)).reveal_deadline;
    world.pass_to(UnixSeconds(deadline));
    world.clone().do_panel_reveal(&job, &bench[0], ROOT);
    world.pass(1);
    world
        .send(world.panel_reveal(&job, &bench[0], ROOT))
        .refused(Error::PanelNotRevealing);
}

#[test]
fn panel_reveal_on_another_job_or_level_fails() {
    let (mut court, job, bench) = revealing();
    let other = court.drawn();
    let call = court.world.panel_reveal(&job, &bench[0], ROOT);
    court
        .world
        .send(call.put("job", other.account))
        .refused(Error::PanelJobMismatch);
    // Level 1 committed and was silent: its reveal comes too late once level 2 is convened.
    let panel = court.world.panel(&court.world.panel_of(&job));
    let late = court.world.panel_reveal(&job, &bench[0], ROOT);
    court.world.do_job_reveal(&job);
    court
        .world
        .pass_deadline(UnixSeconds(panel.reveal_deadline));
    court.world.do_panel_resolve(&job);
    court.world.send(late).refused(Error::PanelJobMismatch);
}

#[test]
fn panel_reveal_on_a_panel_that_has_spoken_fails() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    let call = court.world.panel_reveal(&job, &bench[0], ROOT);
    court.world.send(call).refused(Error::PanelNotLive);
}
