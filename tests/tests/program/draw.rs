//! job_finalize on audited terms: what the draw decides, and that nobody gets around it.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{Error, JobStatus, UnixSeconds},
};
use assay_tests::{Court, Job, SOL, WORKER_SECRET};
use sha2::{Digest, Sha256};

/// The protocol's draw, from its text.
fn is_drawn(job: &Job, attempt: u8, rate: u16) -> bool {
    let mut hasher = Sha256::new();
    for part in [
        b"assay/draw/1".as_slice(),
        job.account.as_ref(),
        &[attempt],
        &WORKER_SECRET,
        &job.secret,
    ] {
        hasher.update(part);
    }
    let seed: [u8; 32] = hasher.finalize().into();
    let point = u64::from(u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]]));
    (point * 10_000) >> 32 < u64::from(rate)
}

#[test]
fn acknowledged_job_goes_where_the_draw_sends_it() {
    let mut court = Court::new();
    let (mut audited, mut settled) = (0, 0);
    for _ in 0..24 {
        let job = court.committed(|terms| terms.audit_bps = 3_000);
        court.world.do_job_finalize(&job, &court.primary);
        let expected = if is_drawn(&job, 0, 3_000) {
            audited += 1;
            JobStatus::Auditing
        } else {
            settled += 1;
            JobStatus::Settled
        };
        assert_eq!(court.world.status(&job), expected);
    }
    assert!(
        audited > 0 && settled > 0,
        "{audited} audited, {settled} settled"
    );
}

#[test]
fn drawn_job_keeps_its_money_and_convenes_level_1() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let accounts = [job.account, job.requester, court.primary.account];
    let before = accounts.map(|account| court.world.balance(&account));
    let reserved = court.world.provider(&court.primary.account).reserved;
    let outcome = court.world.do_job_finalize(&job, &court.primary);
    let world = &court.world;
    assert_eq!(accounts.map(|account| world.balance(&account)), before);
    assert_eq!(world.provider(&court.primary.account).reserved, reserved);
    let data = world.job(&job.account);
    assert_eq!((data.status(), data.level), (Ok(JobStatus::Auditing), 1));
    assert_eq!(
        (data.target_slot, data.convened_at),
        (world.slot() + 8, world.now().0)
    );
    assert_eq!((data.root, data.verdict), ([0; 32], 0));
    let events = of_logs(&outcome.logs);
    let [Event::JobAudited(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.provider, event.acknowledged),
        (court.primary.account, 1)
    );
}

#[test]
fn spared_job_returns_the_audit_fees_at_once() {
    let mut court = Court::new();
    let job = loop {
        let job = court.committed(|terms| terms.audit_bps = 1_000);
        if !is_drawn(&job, 0, 1_000) {
            break job;
        }
    };
    let wallet = court.world.balance(&job.requester);
    court.world.do_job_finalize(&job, &court.primary);
    // E - P, with E = 0.1 + 2 x 0.15 and P = 0.055 SOL.
    assert_eq!(
        court.world.balance(&job.requester),
        wallet + 345 * SOL / 1_000
    );
    assert_eq!(court.world.status(&job), JobStatus::Settled);
}

/// Withholding the acknowledgement buys no draw, and withholding it from an honest provider keeps nobody from an end.
#[test]
fn unacknowledged_job_is_always_audited() {
    for _ in 0..8 {
        let mut court = Court::new();
        let job = court.committed(|terms| terms.audit_bps = 700);
        let world = &mut court.world;
        world.pass(job.args.terms.challenge_secs);
        world
            .send(world.job_finalize_alone(&job, &court.primary))
            .refused(Error::JobChallengeWindowOpen);
        world.pass(1);
        let outcome = world
            .send(world.job_finalize_alone(&job, &court.primary))
            .accepted();
        assert_eq!(world.status(&job), JobStatus::Auditing);
        let events = of_logs(&outcome.logs);
        let [Event::JobAudited(event)] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(event.acknowledged, 0);
    }
}

/// Once audited, always audited: no second draw.
#[test]
fn drawn_job_cannot_be_finalized_again() {
    let mut court = Court::new();
    let job = court.drawn();
    let again = court.world.job_finalize(&job, &court.primary);
    court.world.send(again).refused(Error::JobNotCommitted);
    let disputed = court.disputed();
    let again = court.world.job_finalize(&disputed, &court.primary);
    court.world.send(again).refused(Error::JobNotCommitted);
}

/// A provider that sees the draw go against it cannot wait for something better than the whole slash: unlike an
/// unaudited job, an audited one cannot be finalized past its deadline.
#[test]
fn audited_job_is_not_finalized_past_its_deadline() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let world = &mut court.world;
    let deadline = world.job(&job.account).finalize_deadline().unwrap();
    world.pass_to(deadline);
    world.clone().do_job_finalize(&job, &court.primary);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass(1);
    world
        .send(world.job_finalize(&job, &court.primary))
        .refused(Error::JobFinalizeDeadlinePassed);
    let wallet = world.balance(&job.requester);
    world.do_job_expire(&job);
    assert_eq!(world.status(&job), JobStatus::Faulted);
    assert_eq!(world.balance(&job.requester), wallet + 400 * SOL / 1_000);
    let primary = world.provider(&court.primary.account);
    assert_eq!(primary.total_slashed, job.args.terms.collateral);
}

/// Time alone ends no audit: its cranks are the panels'.
#[test]
fn job_expire_of_a_job_before_a_panel_fails() {
    for bring in [Court::drawn, Court::disputed, Court::dissented] {
        let mut court = Court::new();
        let job = bring(&mut court);
        let world = &mut court.world;
        world.pass_to(UnixSeconds(world.now().0 + 10_000_000));
        world
            .send(world.job_expire(&job))
            .refused(Error::JobNotExpirable);
        world
            .send(world.job_close(&job))
            .refused(Error::JobNotTerminal);
        world
            .send(world.job_cancel(&job))
            .refused(Error::JobNotOpen);
    }
}

/// While panels judge, the job is nobody's to claim, release or commit to.
#[test]
fn job_before_a_panel_takes_no_other_step() {
    for bring in [Court::drawn, Court::disputed, Court::dissented] {
        let mut court = Court::new();
        let job = bring(&mut court);
        let (world, primary) = (&mut court.world, court.primary);
        world
            .send(world.job_claim(&job, &court.auditors[0]))
            .refused(Error::JobNotOpen);
        world
            .send(world.job_release(&job, &primary))
            .refused(Error::JobNotClaimed);
        world
            .send(world.job_commit(&job, &primary))
            .refused(Error::JobNotClaimed);
    }
}
