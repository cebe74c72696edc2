//! A stranger's lamports at an address that is yet to be used hold nothing up: providers and models in their own
//! modules, the rest here.

use assay_client::{
    address,
    protocol::{JobStatus, market::MarketParams},
};
use assay_tests::{SOL, World};

/// Less than the rent, some account's rent, and more than any account's.
const GIFTS: [u64; 3] = [890_880, 2_000_000, 5 * SOL];

#[test]
fn market_and_treasury_at_pre_funded_addresses_are_created() {
    for gift in GIFTS {
        let mut world = World::without_market();
        let stranger = world.wallet();
        world.do_transfer(stranger, address::market(), gift);
        world.do_transfer(stranger, address::treasury(), gift);
        world.do_market_init(MarketParams::LOCAL);
        assert_eq!(world.treasury().collected, 0);
        assert!(world.balance(&address::market()) >= gift);
    }
}

#[test]
fn job_at_a_pre_funded_address_is_created_and_ends() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let stranger = world.wallet();
    for gift in GIFTS {
        let job = world.new_job(&model);
        world.do_transfer(stranger, job.account, gift);
        world.do_job_create_as(&job);
        assert_eq!(world.job(&job.account).escrow, job.args.terms.ceiling);
        world.do_job_claim(&job, &provider);
        world.do_transfer(stranger, job.account, gift);
        world.do_job_commit(&job, &provider);
        world.do_job_finalize(&job, &provider);
        assert_eq!(world.status(&job), JobStatus::Settled);
        let (held, before) = (world.balance(&job.account), world.balance(&job.requester));
        world.pass_open_slot(&job);
        world.do_job_close(&job);
        assert_eq!(
            world.balance(&job.requester),
            before + held,
            "gifts go with the rent"
        );
    }
}

#[test]
fn provider_that_was_given_lamports_counts_none_of_them() {
    let mut world = World::new();
    let provider = world.do_provider();
    let stranger = world.wallet();
    let before = world.provider(&provider.account);
    world.do_transfer(stranger, provider.account, 7 * SOL);
    assert_eq!(world.provider(&provider.account), before);
}
