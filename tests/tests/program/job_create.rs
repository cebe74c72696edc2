//! job_create: escrow and rent come in, everything the job needs is copied, and no term beyond the market's limits passes.

use assay_client::{
    Event, address,
    event::of_logs,
    protocol::{
        Error, JobStatus, Lamports,
        job::check_open_slot,
        limits::{MAX_TERM_LAMPORTS, OPEN_SLOT_AGE},
        market::{MarketParams, PAUSE_JOBS, PAUSE_REGISTRATIONS, PAUSE_SESSIONS},
        terms::JobTerms,
        text,
    },
};
use assay_tests::{Job, Refusal, World};

mod audited;

fn world() -> (World, Job) {
    let mut world = World::new();
    let model = world.do_model_register();
    let job = world.new_job(&model);
    (world, job)
}

/// The same job, named after another slot.
fn at_slot(job: &Job, open_slot: u64) -> Job {
    let mut other = *job;
    other.args.open_slot = open_slot;
    other.account = address::job(&job.requester, open_slot, job.args.index);
    other
}

#[track_caller]
fn refused(change: impl FnOnce(&mut JobTerms), error: Error) {
    let (mut world, job) = world();
    let job = job.with_terms(change);
    world.send(world.job_create(&job)).refused(error);
    assert!(!world.exists(&job.account));
}

#[track_caller]
fn accepted(change: impl FnOnce(&mut JobTerms)) {
    let (mut world, job) = world();
    let job = job.with_terms(change);
    world.do_job_create_as(&job);
    assert_eq!(world.status(&job), JobStatus::Open);
}

#[test]
fn job_create_locks_the_escrow_and_copies_everything() {
    let (mut world, job) = world();
    world.pass(17);
    let before = world.balance(&job.requester);
    let outcome = world.do_job_create_as(&job);
    let rent = world.rent(752);
    let created = world.job(&job.account);
    let (terms, params) = (job.args.terms, MarketParams::LOCAL);
    assert_eq!(world.balance(&job.requester), before - rent - terms.ceiling);
    assert_eq!(world.balance(&job.account), rent + terms.ceiling);

    assert_eq!(
        (created.status(), created.sequence, created.bump),
        (Ok(JobStatus::Open), 1, 255)
    );
    assert_eq!(
        (created.requester, created.model),
        (job.requester, job.model)
    );
    assert_eq!(created.model_digest, world.model(&job.model).digest);
    assert_eq!(
        created.output_profile,
        world.model(&job.model).output_profile
    );
    assert_eq!(
        (created.input_digest, created.requester_secret_hash),
        (terms.input_digest, terms.requester_secret_hash)
    );
    assert_eq!(
        (created.open_slot, created.index),
        (job.args.open_slot, job.args.index)
    );
    assert_eq!(
        (created.ceiling, created.floor, created.collateral),
        (terms.ceiling, terms.floor, terms.collateral)
    );
    assert_eq!(
        (created.escrow, created.price, created.refund_due),
        (terms.ceiling, 0, 0)
    );
    assert_eq!(
        (created.ramp_secs, created.claim_secs),
        (terms.ramp_secs, terms.claim_secs)
    );
    assert_eq!(
        (created.compute_secs, created.challenge_secs),
        (terms.compute_secs, terms.challenge_secs)
    );
    assert_eq!(
        (created.input_bytes, created.output_limit),
        (terms.input_bytes, terms.output_limit)
    );
    assert_eq!(
        (created.fee_bps, created.ticket_stake),
        (params.fee_bps, params.ticket_stake)
    );
    assert_eq!(
        (created.panel_open_secs, created.panel_join_secs),
        (params.panel_open_secs, params.panel_join_secs)
    );
    assert_eq!(
        (created.panel_commit_secs, created.panel_reveal_secs),
        (params.panel_commit_secs, params.panel_reveal_secs)
    );
    assert_eq!(
        (created.created_at, created.opened_at),
        (world.now().0, world.now().0)
    );
    assert!(created.is_unaudited());

    let events = of_logs(&outcome.logs);
    let [Event::JobCreated(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.job, event.requester, event.model),
        (job.account, job.requester, job.model)
    );
    assert_eq!(
        (event.escrow, event.ceiling, event.audit_bps),
        (terms.ceiling, terms.ceiling, 0)
    );
    assert_eq!(
        (event.slot, event.time, event.sequence),
        (world.slot(), world.now().0, 1)
    );
}

#[test]
fn job_create_with_terms_at_their_bounds_is_accepted() {
    let params = MarketParams::LOCAL;
    accepted(|terms| (terms.ceiling, terms.floor, terms.collateral) = (1, 0, 1));
    accepted(|terms| {
        (terms.ceiling, terms.floor, terms.collateral) =
            (params.max_ceiling, params.max_ceiling, MAX_TERM_LAMPORTS)
    });
    accepted(|terms| (terms.ramp_secs, terms.claim_secs) = (0, params.min_claim_secs));
    accepted(|terms| {
        (terms.ramp_secs, terms.claim_secs) = (params.max_claim_secs, params.max_claim_secs)
    });
    accepted(|terms| {
        (terms.compute_secs, terms.challenge_secs) =
            (params.min_compute_secs, params.min_challenge_secs)
    });
    accepted(|terms| {
        (terms.compute_secs, terms.challenge_secs) =
            (params.max_compute_secs, params.max_challenge_secs)
    });
    accepted(|terms| {
        (terms.input_bytes, terms.output_limit) = (params.max_input_bytes, params.max_output_bytes)
    });
    accepted(|terms| (terms.input_uri, terms.input_uri_len) = ([b'~'; 96], 96));
}

#[test]
fn job_create_with_terms_beyond_their_bounds_fails() {
    let params = MarketParams::LOCAL;
    refused(
        |terms| (terms.ceiling, terms.floor) = (0, 0),
        Error::TermsCeilingInvalid,
    );
    refused(
        |terms| terms.ceiling = params.max_ceiling + 1,
        Error::TermsCeilingInvalid,
    );
    refused(
        |terms| terms.floor = terms.ceiling + 1,
        Error::TermsFloorInvalid,
    );
    refused(
        |terms| terms.ramp_secs = terms.claim_secs + 1,
        Error::TermsRampInvalid,
    );
    refused(
        |terms| (terms.ramp_secs, terms.claim_secs) = (0, params.min_claim_secs - 1),
        Error::TermsClaimWindowInvalid,
    );
    refused(
        |terms| terms.claim_secs = params.max_claim_secs + 1,
        Error::TermsClaimWindowInvalid,
    );
    refused(
        |terms| terms.compute_secs = params.min_compute_secs - 1,
        Error::TermsComputeWindowInvalid,
    );
    refused(
        |terms| terms.compute_secs = params.max_compute_secs + 1,
        Error::TermsComputeWindowInvalid,
    );
    refused(
        |terms| terms.challenge_secs = params.min_challenge_secs - 1,
        Error::TermsChallengeWindowInvalid,
    );
    refused(
        |terms| terms.challenge_secs = params.max_challenge_secs + 1,
        Error::TermsChallengeWindowInvalid,
    );
    refused(
        |terms| terms.collateral = MAX_TERM_LAMPORTS + 1,
        Error::TermsCollateralInvalid,
    );
    refused(|terms| terms.input_bytes = 0, Error::TermsBytesInvalid);
    refused(
        |terms| terms.input_bytes = params.max_input_bytes + 1,
        Error::TermsBytesInvalid,
    );
    refused(|terms| terms.output_limit = 0, Error::TermsBytesInvalid);
    refused(
        |terms| terms.output_limit = params.max_output_bytes + 1,
        Error::TermsBytesInvalid,
    );
    refused(|terms| terms.reserved[3] = 1, Error::TermsBytesInvalid);
    refused(
        |terms| terms.requester_secret_hash = [0; 32],
        Error::TermsSecretHashMissing,
    );
    refused(
        |terms| terms.input_digest = [0; 32],
        Error::TermsInputDigestMissing,
    );
    refused(|terms| terms.input_uri_len = 1, Error::TextInvalid);
    refused(|terms| terms.input_uri_len = 97, Error::TextInvalid);
    refused(
        |terms| (terms.input_uri, terms.input_uri_len) = (text::write("x").expect("fits").0, 0),
        Error::TextInvalid,
    );
}

#[test]
fn job_create_in_a_paused_market_fails() {
    let (mut world, job) = world();
    world.do_market_pause(PAUSE_JOBS);
    world
        .send(world.job_create(&job))
        .refused(Error::MarketPaused);
    world.do_market_pause(PAUSE_REGISTRATIONS | PAUSE_SESSIONS);
    world.do_job_create_as(&job);
}

#[test]
fn job_create_for_a_retired_model_fails() {
    let mut world = World::new();
    let model = world.do_model_register();
    let job = world.new_job(&model);
    world.do_model_retire(&model);
    world
        .send(world.job_create(&job))
        .refused(Error::ModelRetired);
}

#[test]
fn job_create_with_a_slot_too_old_or_in_the_future_fails() {
    let (mut world, job) = world();
    let open_slot = job.args.open_slot;
    let mut ahead = at_slot(&job, open_slot + 1);
    world
        .send(world.job_create(&ahead))
        .refused(Error::JobSlotInvalid);
    ahead = at_slot(&job, u64::MAX);
    world
        .send(world.job_create(&ahead))
        .refused(Error::JobSlotInvalid);
    let zero = at_slot(&job, 0);
    world
        .send(world.job_create(&zero))
        .refused(Error::JobSlotInvalid);

    world.pass_slots(OPEN_SLOT_AGE + 1);
    assert!(check_open_slot(open_slot, world.slot()).is_err());
    world
        .send(world.job_create(&job))
        .refused(Error::JobSlotInvalid);
    let oldest = at_slot(&job, open_slot + 1);
    world.do_job_create_as(&oldest);
}

#[test]
fn job_create_twice_at_one_address_fails() {
    let (mut world, job) = world();
    world.do_job_create_as(&job);
    let again = world.send(world.job_create(&job));
    assert!(!again.is_accepted());
    world.do_job_cancel(&job);
    let ended = world.send(world.job_create(&job));
    assert!(!ended.is_accepted(), "an ended job still holds its address");
}

#[test]
fn job_create_without_the_money_fails() {
    let (mut world, job) = world();
    let needed = world.rent(752) + job.args.terms.ceiling;
    world.fund(job.requester, needed - 1);
    world.send(world.job_create(&job)).refused(Refusal::TooPoor);
    world.fund(job.requester, world.rent(752) - 1);
    world.send(world.job_create(&job)).refused(Refusal::TooPoor);
    world.fund(job.requester, needed);
    world.do_job_create_as(&job);
    assert_eq!(
        world.balance(&job.requester),
        0,
        "a wallet may give everything it has"
    );
}

#[test]
fn job_create_with_cut_or_empty_arguments_fails() {
    let (mut world, job) = world();
    let call = world.job_create(&job);
    let whole = call.instruction.data[8..].to_vec();
    for length in [0, 1, 16, whole.len() - 1] {
        let cut = call.clone().arguments(&whole[..length]);
        assert!(
            !world.send(cut).is_accepted(),
            "{length} bytes of arguments"
        );
    }
}

#[test]
fn job_create_escrow_is_the_terms_escrow() {
    let (world, job) = world();
    assert_eq!(
        job.args.terms.escrow(),
        Ok(Lamports(job.args.terms.ceiling))
    );
    drop(world);
}
