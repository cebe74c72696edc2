//! Several finalizes in one transaction, as a worker sends those that are due together.

use std::collections::BTreeMap;

use assay_client::budget::Budget;
use solana_instruction::Instruction;

use super::{job::market, sent, wide};
use crate::{Job, Model, Provider, World};

/// So many at once. Six, each for another requester, fill a packet.
const COUNTS: [usize; 4] = [1, 2, 4, 6];

/// What a transaction with several finalizes costs, with the instructions that ask for its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchCost {
    pub transaction_bytes: u64,
    pub compute_units: u64,
    /// Without a priority fee.
    pub fee_lamports: u64,
}

/// By the number of jobs, each of another requester.
pub(super) fn finalizes() -> BTreeMap<u64, BatchCost> {
    let (mut world, provider, model) = market();
    let measured = COUNTS.map(|count| {
        let jobs: Vec<Job> = (0..count)
            .map(|_| committed(&mut world, &provider, &model))
            .collect();
        let mut batch: Vec<Instruction> = Budget::generous(0).instructions();
        batch.extend(
            jobs.iter()
                .map(|job| world.job_finalize(job, &provider).instruction),
        );
        let outcome = sent(&mut world, provider.operator, batch);
        let cost = BatchCost {
            transaction_bytes: wide(outcome.bytes),
            compute_units: outcome.compute_units,
            fee_lamports: outcome.fee,
        };
        (wide(count), cost)
    });
    BTreeMap::from(measured)
}

fn committed(world: &mut World, provider: &Provider, model: &Model) -> Job {
    let job = world.new_job(model);
    world.do_job_create_as(&job);
    world.pass(30);
    world.do_job_claim(&job, provider);
    world.do_job_commit(&job, provider);
    job
}
