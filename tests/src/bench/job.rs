//! A job's instructions by each of their ways, and a whole unaudited job.

use assay_client::protocol::limits::FINALIZE_GRACE_SECS;

use super::{Gauge, model, provider, sent};
use crate::{Job, Model, Outcome, Provider, SOL, World};

/// What one unaudited job costs from its creation to its closing, claim and commit in one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCost {
    pub transactions: u64,
    pub compute_units: u64,
    /// Without priority fees.
    pub base_fee_lamports: u64,
    /// What the requester lends while the job lives, beside the escrow.
    pub rent_float_lamports: u64,
}

/// A market with a staked provider and a model.
pub(super) fn market() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (provider(&mut world), model(&mut world));
    world.send(world.provider_register(&provider)).accepted();
    world.do_stake_deposit(&provider, 100 * SOL);
    world.send(world.model_register(&model)).accepted();
    (world, provider, model)
}

pub(super) fn measure(gauge: &mut Gauge) {
    let (mut world, provider, model) = market();
    settled(gauge, &mut world, &provider, &model);
    lost(gauge, &mut world, &provider, &model);
    let job = created(gauge, &mut world, &model);
    let call = world.job_cancel(&job);
    gauge.note(&mut world, job.requester, call);
    closed(gauge, &mut world, &job);
}

fn created(gauge: &mut Gauge, world: &mut World, model: &Model) -> Job {
    let job = world.new_job(model);
    let call = world.job_create(&job);
    gauge.note(world, job.requester, call);
    job
}

fn claimed(gauge: &mut Gauge, world: &mut World, job: &Job, provider: &Provider) {
    // In the middle of the ramp, so that the price is computed and a rest goes back.
    world.pass(30);
    let call = world.job_claim(job, provider);
    gauge.note(world, provider.operator, call);
}

fn committed(gauge: &mut Gauge, world: &mut World, job: &Job, provider: &Provider) {
    claimed(gauge, world, job, provider);
    let call = world.job_commit(job, provider);
    gauge.note(world, provider.operator, call);
}

fn closed(gauge: &mut Gauge, world: &mut World, job: &Job) {
    world.pass_open_slot(job);
    let call = world.job_close(job);
    gauge.note(world, job.requester, call);
}

fn settled(gauge: &mut Gauge, world: &mut World, provider: &Provider, model: &Model) {
    for acknowledged in [true, false] {
        let job = created(gauge, world, model);
        committed(gauge, world, &job, provider);
        let call = if acknowledged {
            world.job_finalize(&job, provider)
        } else {
            world.pass(job.args.terms.challenge_secs + 1);
            world.job_finalize_alone(&job, provider)
        };
        gauge.note(world, provider.operator, call);
        closed(gauge, world, &job);
    }
}

/// Every way to lose a job: released, late, abandoned after the commit, never claimed.
fn lost(gauge: &mut Gauge, world: &mut World, provider: &Provider, model: &Model) {
    for late in [false, true] {
        let job = created(gauge, world, model);
        for _ in 0..3 {
            claimed(gauge, world, &job, provider);
            let (payer, call) = if late {
                world.pass(job.args.terms.compute_secs + 1);
                (job.requester, world.job_expire(&job))
            } else {
                (provider.operator, world.job_release(&job, provider))
            };
            gauge.note(world, payer, call);
        }
        closed(gauge, world, &job);
    }
    let job = created(gauge, world, model);
    committed(gauge, world, &job, provider);
    world.pass(job.args.terms.challenge_secs + FINALIZE_GRACE_SECS + 1);
    let call = world.job_expire(&job);
    gauge.note(world, job.requester, call);
    let job = created(gauge, world, model);
    world.pass(job.args.terms.claim_secs + 1);
    let call = world.job_expire(&job);
    gauge.note(world, job.requester, call);
}

pub(super) fn whole() -> JobCost {
    let (mut world, provider, model) = market();
    let job = world.new_job(&model);
    let mut cost = JobCost::default();
    let mut add = |outcome: &Outcome| {
        cost.transactions += 1;
        cost.compute_units += outcome.compute_units;
        cost.base_fee_lamports += outcome.fee;
    };
    let create = world.job_create(&job);
    add(&sent(&mut world, job.requester, create));
    world.pass(30);
    let work = [
        world.job_claim(&job, &provider),
        world.job_commit(&job, &provider),
    ];
    add(&sent(&mut world, provider.operator, Vec::from(work)));
    let finalize = world.job_finalize(&job, &provider);
    add(&sent(&mut world, provider.operator, finalize));
    let rent_float_lamports = world.balance(&job.account);
    world.pass_open_slot(&job);
    let close = world.job_close(&job);
    add(&sent(&mut world, job.requester, close));
    JobCost {
        rent_float_lamports,
        ..cost
    }
}
