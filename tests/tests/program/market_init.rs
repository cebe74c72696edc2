//! Only the upgrade authority makes a market, once, with parameters within their bounds.

use assay_client::{
    address,
    instruction::MarketInit,
    protocol::{
        Error, MarketData, TreasuryData,
        limits::{MAX_FEE_BPS, MAX_TERM_LAMPORTS, MAX_UNBOND_SECS, MAX_WINDOW_SECS},
        market::MarketParams,
    },
};
use assay_tests::{Call, Refusal, World, chain};
use solana_instruction::Instruction;

#[test]
fn market_init_by_upgrade_authority_creates_market_and_treasury() {
    let mut world = World::without_market();
    world.do_market_init(MarketParams::PUBLIC);
    let market = world.market();
    let expected = MarketData::new(world.authority, market.bump, MarketParams::PUBLIC);
    assert_eq!(market, expected);
    let treasury = world.treasury();
    assert_eq!(treasury, TreasuryData::new(treasury.bump));
}

#[test]
fn market_init_paid_by_another_wallet_takes_the_rent_from_it() {
    let mut world = World::without_market();
    let (payer, authority) = (world.wallet(), world.authority);
    let before = (world.balance(&payer), world.balance(&authority));
    let init = MarketInit {
        payer,
        upgrade_authority: authority,
        params: MarketParams::LOCAL,
    };
    world.send(init).accepted();
    let rent = world.balance(&address::market()) + world.balance(&address::treasury());
    assert_eq!(world.balance(&payer), before.0 - rent);
    assert_eq!(world.balance(&authority), before.1);
}

#[test]
fn market_init_by_anyone_else_fails() {
    let mut world = World::without_market();
    let stranger = world.wallet();
    let init = MarketInit {
        payer: stranger,
        upgrade_authority: stranger,
        params: MarketParams::LOCAL,
    };
    world
        .send(init)
        .refused(Error::MarketUpgradeAuthorityMismatch);
}

#[test]
fn market_init_of_an_immutable_program_fails() {
    let mut world = World::without_market();
    let mut data = world.account(&address::program_data()).unwrap();
    chain::name_upgrade_authority(&mut data, None);
    world.put_account(address::program_data(), data);
    let init = world.market_init(MarketParams::LOCAL);
    world
        .send(init)
        .refused(Error::MarketUpgradeAuthorityMismatch);
}

#[test]
fn market_init_after_the_upgrade_authority_moved_needs_the_new_one() {
    let mut world = World::without_market();
    let next = world.wallet();
    let mut data = world.account(&address::program_data()).unwrap();
    chain::name_upgrade_authority(&mut data, Some(next));
    world.put_account(address::program_data(), data);
    world
        .send(world.market_init(MarketParams::LOCAL))
        .refused(Error::MarketUpgradeAuthorityMismatch);
    world.authority = next;
    world.do_market_init(MarketParams::LOCAL);
    assert_eq!(world.market().authority, next);
}

#[test]
fn market_init_with_program_data_of_another_program_fails() {
    let mut world = World::without_market();
    let (attacker, program) = (world.wallet(), world.key());
    let (data_address, _) = assay_client::protocol::Address::find_program_address(
        &[program.as_ref()],
        &assay_client::program::UPGRADEABLE_LOADER,
    );
    let mut data = world.account(&address::program_data()).unwrap();
    chain::name_upgrade_authority(&mut data, Some(attacker));
    world.put_account(data_address, data);
    let init = MarketInit {
        payer: attacker,
        upgrade_authority: attacker,
        params: MarketParams::LOCAL,
    };
    let call = Call::from(init).put("program_data", data_address);
    world
        .send(call)
        .refused(Error::MarketUpgradeAuthorityMismatch);
}

#[test]
fn market_init_twice_fails() {
    let mut world = World::new();
    let again = world.market_init(MarketParams::PUBLIC);
    world.send(again).refused(Refusal::InUse);
}

#[test]
fn market_init_with_a_parameter_out_of_bounds_fails() {
    let mut world = World::without_market();
    for params in out_of_bounds() {
        world
            .send(world.market_init(params))
            .refused(Error::MarketParamsInvalid);
    }
}

#[test]
fn market_init_with_every_parameter_at_its_bound_is_accepted() {
    for params in at_bounds() {
        World::without_market().do_market_init(params);
    }
}

#[test]
fn market_init_in_a_durable_nonce_transaction_fails() {
    let mut world = World::without_market();
    let nonce = world.do_nonce(world.authority);
    let init = world.market_init(MarketParams::LOCAL).instruction;
    let batch: [Instruction; 2] = [world.nonce_advance(&nonce), init.clone()];
    world.send(batch).refused(Error::DurableNonceRefused);
    world.send(init).accepted();
}

#[test]
fn market_init_from_an_empty_wallet_fails() {
    let mut world = World::without_market();
    let payer = world.key();
    let init = MarketInit {
        payer,
        upgrade_authority: world.authority,
        params: MarketParams::LOCAL,
    };
    world.send(init).refused(Refusal::TooPoor);
}

/// One parameter too far each.
pub fn out_of_bounds() -> Vec<MarketParams> {
    let good = MarketParams::PUBLIC;
    vec![
        MarketParams {
            min_stake: 0,
            ..good
        },
        MarketParams {
            min_stake: MAX_TERM_LAMPORTS + 1,
            ..good
        },
        MarketParams {
            ticket_stake: 0,
            ..good
        },
        MarketParams {
            ticket_stake: MAX_TERM_LAMPORTS + 1,
            ..good
        },
        MarketParams {
            max_ceiling: 0,
            ..good
        },
        MarketParams {
            max_ceiling: MAX_TERM_LAMPORTS + 1,
            ..good
        },
        MarketParams {
            deterrence_bps: 9_999,
            ..good
        },
        MarketParams {
            deterrence_bps: 1_000_001,
            ..good
        },
        MarketParams {
            stake_age_secs: MAX_WINDOW_SECS + 1,
            ..good
        },
        MarketParams {
            unbond_secs: MAX_UNBOND_SECS + 1,
            ..good
        },
        MarketParams {
            unbond_secs: u32::try_from(good.longest_job_secs()).unwrap(),
            ..good
        },
        MarketParams {
            min_claim_secs: 0,
            ..good
        },
        MarketParams {
            min_claim_secs: good.max_claim_secs + 1,
            ..good
        },
        MarketParams {
            max_claim_secs: MAX_WINDOW_SECS + 1,
            unbond_secs: MAX_UNBOND_SECS,
            ..good
        },
        MarketParams {
            min_compute_secs: 0,
            ..good
        },
        MarketParams {
            min_compute_secs: good.max_compute_secs + 1,
            ..good
        },
        MarketParams {
            max_compute_secs: MAX_WINDOW_SECS + 1,
            unbond_secs: MAX_UNBOND_SECS,
            ..good
        },
        MarketParams {
            min_challenge_secs: 0,
            ..good
        },
        MarketParams {
            min_challenge_secs: good.max_challenge_secs + 1,
            ..good
        },
        MarketParams {
            max_challenge_secs: MAX_WINDOW_SECS + 1,
            unbond_secs: MAX_UNBOND_SECS,
            ..good
        },
        MarketParams {
            panel_open_secs: 0,
            ..good
        },
        MarketParams {
            panel_open_secs: MAX_WINDOW_SECS + 1,
            unbond_secs: MAX_UNBOND_SECS,
            ..good
        },
        MarketParams {
            panel_join_secs: 0,
            ..good
        },
        MarketParams {
            panel_commit_secs: 0,
            ..good
        },
        MarketParams {
            panel_reveal_secs: 0,
            ..good
        },
        MarketParams {
            max_input_bytes: 0,
            ..good
        },
        MarketParams {
            max_output_bytes: 0,
            ..good
        },
        MarketParams {
            fee_bps: MAX_FEE_BPS + 1,
            ..good
        },
        MarketParams {
            reserved: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ..good
        },
    ]
}

/// Parameters at the edge of what is allowed.
fn at_bounds() -> [MarketParams; 3] {
    let good = MarketParams::PUBLIC;
    let longest = u32::try_from(good.longest_job_secs()).unwrap();
    [
        MarketParams {
            min_stake: 1,
            ticket_stake: 1,
            max_ceiling: 1,
            deterrence_bps: 10_000,
            stake_age_secs: 0,
            min_claim_secs: 1,
            min_compute_secs: 1,
            min_challenge_secs: 1,
            max_input_bytes: 1,
            max_output_bytes: 1,
            fee_bps: 0,
            ..good
        },
        MarketParams {
            min_stake: MAX_TERM_LAMPORTS,
            ticket_stake: MAX_TERM_LAMPORTS,
            max_ceiling: MAX_TERM_LAMPORTS,
            deterrence_bps: 1_000_000,
            stake_age_secs: MAX_WINDOW_SECS,
            max_claim_secs: MAX_WINDOW_SECS,
            unbond_secs: MAX_UNBOND_SECS,
            max_input_bytes: u32::MAX,
            max_output_bytes: u32::MAX,
            fee_bps: MAX_FEE_BPS,
            ..good
        },
        MarketParams {
            unbond_secs: longest + 1,
            ..good
        },
    ]
}
