//! job_dispute: the requester objects in the challenge window, for a bond of five audit fees.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{Error, JobStatus},
};
use assay_tests::{Court, Refusal, World};

#[test]
fn job_dispute_takes_the_bond_and_convenes_level_2() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let before = court.world.balance(&job.requester);
    let held = court.world.balance(&job.account);
    let outcome = court.world.do_job_dispute(&job);
    let world = &court.world;
    let bond = 5 * job.args.terms.audit_fee;
    assert_eq!(world.balance(&job.requester), before - bond);
    assert_eq!(world.balance(&job.account), held + bond);
    let data = world.job(&job.account);
    assert_eq!(data.status(), Ok(JobStatus::Appealing));
    assert_eq!((data.dispute_bond, data.level), (bond, 2));
    assert_eq!(
        (data.target_slot, data.convened_at),
        (world.slot() + 8, world.now().0)
    );
    let events = of_logs(&outcome.logs);
    let [Event::JobDisputed(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.bond, event.requester, event.target_slot),
        (bond, job.requester, world.slot() + 8)
    );
}

#[test]
fn job_dispute_after_the_challenge_window_fails() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let deadline = court.world.job(&job.account).challenge_deadline().unwrap();
    let world = &mut court.world;
    world.pass_to(deadline);
    world.clone().do_job_dispute(&job);
    world.pass(1);
    world
        .send(world.job_dispute(&job))
        .refused(Error::JobChallengeWindowPassed);
}

#[test]
fn job_dispute_of_an_unaudited_job_fails() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_committed_job(&model, &provider);
    world
        .send(world.job_dispute(&job))
        .refused(Error::JobUnaudited);
}

#[test]
fn job_dispute_in_any_other_status_fails() {
    let mut court = Court::new();
    let open = court.world.new_job(&court.model);
    let open = open.with_terms(|terms| *terms = World::audited_terms(&open.secret));
    court.world.do_job_create_as(&open);
    let claimed = court.world.new_job(&court.model);
    let claimed = claimed.with_terms(|terms| *terms = World::audited_terms(&claimed.secret));
    court.world.do_job_create_as(&claimed);
    court.world.do_job_claim(&claimed, &court.primary);
    for job in [open, claimed] {
        court
            .world
            .send(court.world.job_dispute(&job))
            .refused(Error::JobNotCommitted);
    }
    for bring in [Court::drawn, Court::disputed, Court::dissented] {
        let job = bring(&mut court);
        court
            .world
            .send(court.world.job_dispute(&job))
            .refused(Error::JobNotCommitted);
    }
    let (settled, _) = court.confirmed();
    court
        .world
        .send(court.world.job_dispute(&settled))
        .refused(Error::JobNotCommitted);
}

#[test]
fn job_dispute_by_anyone_but_the_requester_fails() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    for stranger in [court.primary.authority, court.auditors[0].operator] {
        let call = court.world.job_dispute(&job).put("requester", stranger);
        court.world.send(call).refused(Error::JobRequesterMismatch);
    }
    let unsigned = court.world.job_dispute(&job).unsigned("requester");
    court.world.send(unsigned).refused(Refusal::NotSigner);
}

#[test]
fn job_dispute_without_the_bond_fails() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let (world, bond) = (&mut court.world, 5 * job.args.terms.audit_fee);
    world.fund(job.requester, bond - 1);
    world
        .send(world.job_dispute(&job))
        .refused(Refusal::TooPoor);
    world.fund(job.requester, bond);
    world.do_job_dispute(&job);
    assert_eq!(world.balance(&job.requester), 0);
}
