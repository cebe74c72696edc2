//! A provider comes to be without stake, one for each authority.

use assay_client::{
    address,
    instruction::ProviderRegister,
    protocol::{
        Address, Error, ProviderData, args::ProviderArgs, limits::ENDPOINT_BYTES,
        provider::Registration,
    },
};
use assay_tests::{Provider, Refusal, SOL, World};

#[test]
fn provider_register_creates_an_empty_provider() {
    let mut world = World::new();
    let provider = world.new_provider();
    let before = (
        world.balance(&provider.payer),
        world.balance(&provider.authority),
    );
    world.send(world.provider_register(&provider)).accepted();
    let (data, args) = (world.provider(&provider.account), provider.args());
    let at = Registration {
        authority: provider.authority,
        rent_payer: provider.payer,
        bump: data.bump,
        generation: world.slot(),
        now: world.now(),
    };
    let expected = ProviderData {
        operator: args.operator,
        runtime_class: args.runtime_class,
        endpoint: args.endpoint,
        endpoint_len: args.endpoint_len,
        sequence: 1,
        ..ProviderData::new(&at, &world.market().params)
    };
    assert_eq!(
        (data.unbond_secs, data.aged_at),
        (world.market().params.unbond_secs, at.now.0)
    );
    assert_eq!(data, expected);
    let rent = world.balance(&provider.account);
    assert_eq!(rent, world.rent(8 + size_of::<ProviderData>()));
    assert_eq!(world.balance(&provider.payer), before.0 - rent);
    assert_eq!(world.balance(&provider.authority), before.1);
}

#[test]
fn provider_register_paid_by_its_authority_is_accepted() {
    let mut world = World::new();
    let (authority, operator) = (world.wallet(), world.wallet());
    let provider = Provider::of(authority, operator);
    world.send(world.provider_register(&provider)).accepted();
    assert_eq!(world.provider(&provider.account).rent_payer, authority);
}

#[test]
fn provider_register_with_one_key_for_everything_is_accepted() {
    let mut world = World::new();
    let key = world.wallet();
    let provider = Provider::of(key, key);
    world.send(world.provider_register(&provider)).accepted();
    world.do_stake_deposit(&provider, SOL);
    let model = world.do_model_register();
    let job = world.new_job_of(key, &model);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    world.do_earnings_withdraw(&provider, key);
}

#[test]
fn provider_register_starts_the_age_of_its_stake_whatever_its_class() {
    let mut world = World::new();
    let provider = world.new_provider();
    let args = ProviderArgs {
        runtime_class: [0; 32],
        ..provider.args()
    };
    let Provider {
        payer, authority, ..
    } = provider;
    world
        .send(ProviderRegister {
            payer,
            authority,
            args,
        })
        .accepted();
    assert_eq!(world.provider(&provider.account).aged_at, world.now().0);
}

#[test]
fn provider_register_twice_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    world
        .send(world.provider_register(&provider))
        .refused(Refusal::InUse);
}

#[test]
fn provider_register_without_an_operator_fails() {
    let mut world = World::new();
    let provider = Provider {
        operator: Address::default(),
        ..world.new_provider()
    };
    world
        .send(world.provider_register(&provider))
        .refused(Error::ProviderOperatorMissing);
}

#[test]
fn provider_register_with_a_malformed_endpoint_fails() {
    let mut world = World::new();
    let provider = world.new_provider();
    for args in malformed(&provider) {
        let Provider {
            payer, authority, ..
        } = provider;
        world
            .send(ProviderRegister {
                payer,
                authority,
                args,
            })
            .refused(Error::TextInvalid);
    }
    assert!(!world.exists(&provider.account));
}

#[test]
fn provider_register_while_paused_fails() {
    let mut world = World::new();
    let provider = world.new_provider();
    world.do_market_pause(2);
    world
        .send(world.provider_register(&provider))
        .refused(Error::MarketPaused);
}

#[test]
fn provider_register_without_a_market_fails() {
    let mut world = World::without_market();
    let provider = world.new_provider();
    world
        .send(world.provider_register(&provider))
        .refused(Refusal::NoAccount);
}

#[test]
fn provider_register_from_an_empty_wallet_fails() {
    let mut world = World::new();
    let provider = Provider {
        payer: world.key(),
        ..world.new_provider()
    };
    world
        .send(world.provider_register(&provider))
        .refused(Refusal::TooPoor);
}

#[test]
fn provider_register_at_a_pre_funded_address_is_accepted() {
    let mut world = World::new();
    let stranger = world.wallet();
    for gift in [1_000_000, world.rent(0), 5 * SOL] {
        let provider = world.new_provider();
        world.do_transfer(stranger, provider.account, gift);
        world.send(world.provider_register(&provider)).accepted();
        assert_eq!(provider.account, address::provider(&provider.authority));
    }
}

/// Endpoints that are no printable ASCII without spaces, padded with zeros.
pub fn malformed(provider: &Provider) -> Vec<ProviderArgs> {
    let good = provider.args();
    let with = |position: usize, byte: u8| {
        let mut args = good;
        args.endpoint[position] = byte;
        args
    };
    vec![
        with(3, b' '),
        with(3, 0x7f),
        with(3, 0),
        with(3, 0xc3),
        with(ENDPOINT_BYTES - 1, b'x'),
        ProviderArgs {
            endpoint_len: good.endpoint_len + 1,
            ..good
        },
        ProviderArgs {
            endpoint_len: good.endpoint_len - 1,
            ..good
        },
        ProviderArgs {
            endpoint_len: 97,
            ..good
        },
        ProviderArgs {
            endpoint_len: u8::MAX,
            ..good
        },
    ]
}
