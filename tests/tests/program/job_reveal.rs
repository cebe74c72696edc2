//! job_reveal: the primary's root, while the convened panel reveals, by whoever knows it.

use assay_client::{
    Event, address,
    event::of_logs,
    protocol::{Error, UnixSeconds, args::JobRevealArgs},
};
use assay_tests::{Call, Court, Job, OTHER_ROOT, ROOT, panel::salt};
use bytemuck::bytes_of;

/// A job whose first panel has committed.
fn revealing() -> (Court, Job) {
    let mut court = Court::new();
    let job = court.drawn();
    for auditor in court.seated(&job, 2) {
        court.world.do_panel_commit(&job, &auditor, ROOT);
    }
    (court, job)
}

fn with(call: Call, salt: [u8; 32], root: [u8; 32]) -> Call {
    call.arguments(bytes_of(&JobRevealArgs { salt, root }))
}

#[test]
fn job_reveal_by_anybody_shows_the_root() {
    let (mut court, job) = revealing();
    let stranger = court.world.wallet();
    let call = court.world.job_reveal(&job);
    let outcome = court.world.send_from(stranger, call).accepted();
    let data = court.world.job(&job.account);
    assert_eq!(data.root, ROOT);
    let events = of_logs(&outcome.logs);
    let [Event::JobRevealed(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((event.root, event.provider), (ROOT, court.primary.account));
}

#[test]
fn job_reveal_twice_fails() {
    let (mut court, job) = revealing();
    court.world.do_job_reveal(&job);
    let again = court.world.job_reveal(&job);
    court.world.send(again).refused(Error::JobAlreadyRevealed);
}

#[test]
fn job_reveal_of_anything_but_the_commitment_fails() {
    let (mut court, job) = revealing();
    let (call, salt) = (court.world.job_reveal(&job), salt(&court.primary.account));
    for (salt, root, error) in [
        (salt, OTHER_ROOT, Error::OpeningMismatch),
        ([1; 32], ROOT, Error::OpeningMismatch),
        (salt, [0; 32], Error::RootInvalid),
        (salt, [0xff; 32], Error::RootInvalid),
    ] {
        let call = with(call.clone(), salt, root);
        court.world.send(call).refused(error);
    }
}

/// Not even a primary that committed to it can say that the hints were unavailable: they are its own.
#[test]
fn job_reveal_of_an_unavailable_commitment_fails() {
    let (mut court, job) = revealing();
    let call = court.world.job_reveal(&job);
    let call = with(call, salt(&court.primary.account), [0xff; 32]);
    court.world.send(call).refused(Error::RootInvalid);
}

#[test]
fn job_reveal_outside_the_reveal_phase_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let panel = court.world.do_panel_open(&job);
    let world = &mut court.world;
    world
        .send(world.job_reveal(&job))
        .refused(Error::PanelNotRevealing);
    world.do_panel_join(&job, &court.auditors[0]);
    world.do_panel_join(&job, &court.auditors[1]);
    let data = world.panel(&panel);
    world.pass_deadline(UnixSeconds(data.join_deadline));
    world.do_panel_commit(&job, &court.auditors[0], ROOT);
    world
        .send(world.job_reveal(&job))
        .refused(Error::PanelNotRevealing);
    // Who commits late does so without knowing the root: the deadline ends the commitments.
    world.pass_to(UnixSeconds(data.commit_deadline));
    world
        .send(world.job_reveal(&job))
        .refused(Error::PanelNotRevealing);
    world.pass(1);
    world.clone().do_job_reveal(&job);
    world.pass_to(UnixSeconds(data.reveal_deadline));
    world.clone().do_job_reveal(&job);
    world.pass(1);
    world
        .send(world.job_reveal(&job))
        .refused(Error::PanelNotRevealing);
}

/// Nobody committed: there is nothing to compare with, and the root stays hidden for the second panel.
#[test]
fn job_reveal_to_a_panel_without_commitments_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    court.seated(&job, 2);
    let panel = court.world.panel(&court.world.panel_of(&job));
    let world = &mut court.world;
    world.pass_deadline(UnixSeconds(panel.commit_deadline));
    world
        .send(world.job_reveal(&job))
        .refused(Error::PanelNotRevealing);
}

#[test]
fn job_reveal_with_another_panel_fails() {
    let (mut court, job) = revealing();
    let other = court.dissented();
    court.world.do_panel_open(&other);
    let first = address::panel(&other.account, 1);
    let call = court.world.job_reveal(&job).put("panel", first);
    court.world.send(call).refused(Error::PanelJobMismatch);
    // Its own first panel, while the second one is at work.
    let call = court.world.job_reveal(&other).put("panel", first);
    court.world.send(call).refused(Error::PanelJobMismatch);
}

#[test]
fn job_reveal_of_a_job_that_waits_for_no_panel_fails() {
    let mut court = Court::new();
    let (settled, _) = court.confirmed();
    let call = court.world.job_reveal(&settled);
    court.world.send(call).refused(Error::JobNotConvened);
    let committed = court.committed(|_| {});
    let call = court.world.job_reveal(&settled);
    let call = call.put("job", committed.account);
    court.world.send(call).refused(Error::JobNotConvened);
}
