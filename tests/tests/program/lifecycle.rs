//! One job from its creation to its closing, with every lamport.

use assay_client::protocol::JobStatus;
use assay_tests::{SOL, World};

#[test]
fn job_settled_pays_each_party_once() {
    let mut world = World::new();
    let provider = world.do_provider();
    let model = world.do_model_register();
    let job = world.do_job_create(&model);
    let before = world.balance(&job.requester);
    world.pass(30);
    world.do_job_claim(&job, &provider);
    assert_eq!(
        world.job(&job.account).price,
        55 * SOL / 1_000,
        "half of the ramp from 0.01 to 0.1"
    );
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    assert_eq!(world.status(&job), JobStatus::Settled);
    assert_eq!(world.balance(&job.requester), before + 45 * SOL / 1_000);
    let paid = world.provider(&provider.account);
    let fee = 55 * SOL / 1_000 / 50;
    assert_eq!(
        (paid.earnings, paid.fees_due),
        (55 * SOL / 1_000 - fee, fee)
    );
    assert_eq!(
        (paid.stake, paid.reserved, paid.jobs_settled),
        (10 * SOL, 0, 1)
    );

    world.do_earnings_withdraw(&provider, provider.payer);
    assert_eq!(world.treasury().collected, fee);
    let rent = world.balance(&job.account);
    world.pass_open_slot(&job);
    world.do_job_close(&job);
    assert!(!world.exists(&job.account));
    assert_eq!(
        world.balance(&job.requester),
        before + 45 * SOL / 1_000 + rent
    );
}
