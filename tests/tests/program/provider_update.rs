//! The authority changes operator, endpoint and class; nothing else moves.

use assay_client::protocol::{Address, Error, args::ProviderArgs};
use assay_tests::World;

use super::provider_register::malformed;

#[test]
fn provider_update_replaces_the_configuration_only() {
    let mut world = World::new();
    let provider = world.do_provider();
    let mut expected = world.provider(&provider.account);
    world.pass(60);
    let args = ProviderArgs {
        operator: world.wallet(),
        runtime_class: [8; 32],
        endpoint: [0; 96],
        endpoint_len: 0,
    };
    world.do_provider_update(&provider, args);
    expected.operator = args.operator;
    expected.runtime_class = args.runtime_class;
    expected.endpoint = args.endpoint;
    expected.endpoint_len = 0;
    expected.aged_at = world.now().0;
    expected.sequence += 1;
    assert_eq!(world.provider(&provider.account), expected);
}

#[test]
fn provider_update_of_the_same_class_keeps_the_age() {
    let mut world = World::new();
    let provider = world.do_provider();
    let aged_at = world.provider(&provider.account).aged_at;
    world.pass(60);
    let args = ProviderArgs {
        operator: world.wallet(),
        ..provider.args()
    };
    world.do_provider_update(&provider, args);
    assert_eq!(world.provider(&provider.account).aged_at, aged_at);
}

#[test]
fn provider_update_hands_live_jobs_to_the_new_operator() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_claimed_job(&model, &provider);
    let next = world.wallet();
    world.do_provider_update(
        &provider,
        ProviderArgs {
            operator: next,
            ..provider.args()
        },
    );
    world
        .send(world.job_commit(&job, &provider))
        .refused(Error::ProviderOperatorMismatch);
    let provider = assay_tests::Provider {
        operator: next,
        ..provider
    };
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
}

#[test]
fn provider_update_by_anyone_else_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let stranger = world.wallet();
    for signer in [stranger, provider.operator, world.authority, provider.payer] {
        let call = world
            .provider_update(&provider, provider.args())
            .put("authority", signer);
        world.send(call).refused(Error::ProviderAuthorityMismatch);
    }
}

#[test]
fn provider_update_without_an_operator_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let args = ProviderArgs {
        operator: Address::default(),
        ..provider.args()
    };
    world
        .send(world.provider_update(&provider, args))
        .refused(Error::ProviderOperatorMissing);
}

#[test]
fn provider_update_with_a_malformed_endpoint_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    for args in malformed(&provider) {
        world
            .send(world.provider_update(&provider, args))
            .refused(Error::TextInvalid);
    }
}
