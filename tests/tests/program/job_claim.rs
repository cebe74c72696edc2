//! job_claim: the price of the moment, and a collateral that backs nothing else.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{
        BasisPoints, Error, JobStatus, Lamports, UnixSeconds,
        amount::{ramp_price, split_price},
    },
};
use assay_tests::{Job, Model, Provider, SOL, World};

fn world() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    (world, provider, model)
}

/// An open job with this collateral, its ceiling no higher.
fn backed_by(world: &mut World, model: &Model, collateral: u64) -> Job {
    let job = world.new_job(model).with_terms(|terms| {
        (terms.collateral, terms.ceiling, terms.floor) = (collateral, collateral.min(SOL / 10), 0);
    });
    world.do_job_create_as(&job);
    job
}

#[test]
fn job_claim_reserves_the_collateral_and_fixes_the_price() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass(15);
    let outcome = world.do_job_claim(&job, &provider);
    let (claimed, holder) = (world.job(&job.account), world.provider(&provider.account));
    let price = SOL / 100 + (SOL / 10 - SOL / 100) / 4;
    assert_eq!(
        (claimed.status(), claimed.price),
        (Ok(JobStatus::Claimed), price)
    );
    assert_eq!(
        (claimed.provider, claimed.generation),
        (provider.account, holder.generation)
    );
    assert_eq!(
        (claimed.claimed_at, claimed.attempt, claimed.ramp_used),
        (world.now().0, 0, 15)
    );
    assert_eq!(
        (holder.reserved, holder.live_jobs, holder.stake),
        (SOL, 1, 10 * SOL)
    );
    let events = of_logs(&outcome.logs);
    let [Event::JobClaimed(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((event.job, event.provider), (job.account, provider.account));
    assert_eq!(
        (event.price, event.reserved, event.attempt, event.sequence),
        (price, SOL, 0, 2)
    );
}

#[test]
fn job_claim_price_follows_the_ramp_at_every_second() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    let terms = job.args.terms;
    for second in 0..=terms.claim_secs {
        let mut then = world.clone();
        then.pass(second);
        then.do_job_claim(&job, &provider);
        let expected = ramp_price(
            Lamports(terms.floor),
            Lamports(terms.ceiling),
            second,
            terms.ramp_secs,
        );
        let price = then.job(&job.account).price;
        assert_eq!(Ok(Lamports(price)), expected, "after {second} s");
        then.do_job_commit(&job, &provider);
        then.do_job_finalize(&job, &provider);
        let split = split_price(Lamports(price), BasisPoints(200)).expect("2 % is a rate");
        let paid = then.provider(&provider.account);
        assert_eq!(
            (paid.earnings, paid.fees_due),
            (split.earned.0, split.fee.0)
        );
    }
    world.pass(terms.claim_secs + 1);
    world
        .send(world.job_claim(&job, &provider))
        .refused(Error::JobClaimDeadlinePassed);
}

#[test]
fn job_claim_without_a_ramp_pays_the_ceiling_at_once() {
    let (mut world, provider, model) = world();
    let job = world
        .new_job(&model)
        .with_terms(|terms| terms.ramp_secs = 0);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    assert_eq!(world.job(&job.account).price, job.args.terms.ceiling);
}

#[test]
fn job_claim_price_does_not_rise_while_claimed_nor_fall_back() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass(30);
    world.do_job_claim(&job, &provider);
    let first = world.job(&job.account).price;
    world.pass(200);
    world.do_job_release(&job, &provider);
    world.do_job_claim(&job, &provider);
    assert_eq!(world.job(&job.account).price, first);
}

#[test]
fn job_claim_below_the_minimum_price_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass(15);
    let price = world
        .job(&job.account)
        .price_at(world.now())
        .expect("the ramp is valid")
        .0;
    let with = |minimum: u64| {
        world
            .job_claim(&job, &provider)
            .arguments(&minimum.to_le_bytes())
    };
    let (above, exact) = (with(price + 1), with(price));
    world.send(above).refused(Error::JobPriceBelowMinimum);
    world.send(exact).accepted();
}

#[test]
fn job_claim_by_anyone_but_the_operator_fails() {
    let (mut world, provider, model) = world();
    let other = world.do_provider();
    let job = world.do_job_create(&model);
    for stranger in [
        provider.authority,
        job.requester,
        other.operator,
        world.authority,
    ] {
        let call = world.job_claim(&job, &provider).put("operator", stranger);
        world.send(call).refused(Error::ProviderOperatorMismatch);
    }
}

#[test]
fn job_claim_of_a_reserved_job_by_another_fails() {
    let (mut world, provider, model) = world();
    let other = world.do_provider();
    let job = world
        .new_job(&model)
        .with_terms(|terms| terms.exclusive_provider = provider.account);
    world.do_job_create_as(&job);
    world
        .send(world.job_claim(&job, &other))
        .refused(Error::ProviderNotInvited);
    world.do_job_claim(&job, &provider);
}

#[test]
fn job_claim_with_another_runtime_class_fails() {
    let (mut world, provider, model) = world();
    let job = world
        .new_job(&model)
        .with_terms(|terms| terms.runtime_class = [8; 32]);
    world.do_job_create_as(&job);
    world
        .send(world.job_claim(&job, &provider))
        .refused(Error::ProviderClassMismatch);
    let mut args = provider.args();
    args.runtime_class = [8; 32];
    world.do_provider_update(&provider, args);
    world.do_job_claim(&job, &provider);
}

#[test]
fn job_claim_of_a_job_that_is_not_open_fails() {
    let (mut world, provider, model) = world();
    let other = world.do_provider();
    let job = world.do_claimed_job(&model, &provider);
    world
        .send(world.job_claim(&job, &provider))
        .refused(Error::JobNotOpen);
    world
        .send(world.job_claim(&job, &other))
        .refused(Error::JobNotOpen);
    world.do_job_commit(&job, &provider);
    world
        .send(world.job_claim(&job, &other))
        .refused(Error::JobNotOpen);
    world.do_job_finalize(&job, &provider);
    world
        .send(world.job_claim(&job, &other))
        .refused(Error::JobNotOpen);
    let cancelled = world.do_job_create(&model);
    world.do_job_cancel(&cancelled);
    world
        .send(world.job_claim(&cancelled, &other))
        .refused(Error::JobNotOpen);
}

#[test]
fn one_stake_never_backs_two_jobs() {
    let (mut world, provider, model) = world();
    let most = backed_by(&mut world, &model, 10 * SOL);
    let least = backed_by(&mut world, &model, 1);
    let too_much = backed_by(&mut world, &model, 10 * SOL + 1);
    world
        .send(world.job_claim(&too_much, &provider))
        .refused(Error::ProviderStakeInsufficient);
    world.do_job_claim(&most, &provider);
    world
        .send(world.job_claim(&least, &provider))
        .refused(Error::ProviderStakeInsufficient);
    world
        .send([world.job_claim(&least, &provider)])
        .refused(Error::ProviderStakeInsufficient);
    world.do_job_release(&most, &provider);
    world.do_job_claim(&least, &provider);
}

#[test]
fn job_claim_of_two_jobs_in_one_transaction_shares_the_stake() {
    let (mut world, provider, model) = world();
    let (one, two) = (
        backed_by(&mut world, &model, 6 * SOL),
        backed_by(&mut world, &model, 5 * SOL),
    );
    let both = [
        world.job_claim(&one, &provider),
        world.job_claim(&two, &provider),
    ];
    world
        .send(Vec::from(both))
        .refused(Error::ProviderStakeInsufficient);
    assert_eq!(world.provider(&provider.account).reserved, 0);
}

#[test]
fn unbonding_stake_backs_no_job() {
    let (mut world, provider, model) = world();
    let job = backed_by(&mut world, &model, 6 * SOL);
    world.do_stake_unbond(&provider, 5 * SOL);
    world
        .send(world.job_claim(&job, &provider))
        .refused(Error::ProviderStakeInsufficient);
    world.do_stake_deposit(&provider, SOL);
    world.do_job_claim(&job, &provider);
    world
        .send(world.stake_unbond(&provider, 1))
        .refused(Error::ProviderStakeInsufficient);
}

#[test]
fn job_claim_without_stake_fails() {
    let (mut world, _, model) = world();
    let provider = world.do_provider_register();
    let job = backed_by(&mut world, &model, 1);
    world
        .send(world.job_claim(&job, &provider))
        .refused(Error::ProviderStakeInsufficient);
}

#[test]
fn job_claim_and_commit_share_a_transaction() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    let both = [
        world.job_claim(&job, &provider),
        world.job_commit(&job, &provider),
    ];
    world.send(Vec::from(both)).accepted();
    assert_eq!(world.status(&job), JobStatus::Committed);
}

#[test]
fn job_claim_at_the_deadline_is_the_last_one() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    let deadline = world
        .job(&job.account)
        .claim_deadline()
        .expect("the clock fits");
    world.pass_to(deadline);
    let mut late = world.clone();
    world.do_job_claim(&job, &provider);
    late.pass_to(UnixSeconds(deadline.0 + 1));
    late.send(late.job_claim(&job, &provider))
        .refused(Error::JobClaimDeadlinePassed);
    late.do_job_expire(&job);
}
