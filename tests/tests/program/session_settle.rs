//! session_settle: a proven voucher pays its provider once, and nothing else pays at all.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{Address, Error, Voucher, limits::OPEN_SLOT_AGE, voucher::PROOF_BYTES},
};
use assay_tests::{
    Call, Provider, Refusal, SOL, Session, World,
    session::{session_key, signed},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;

mod called;

fn world() -> (World, Provider, Session) {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    (world, provider, session)
}

/// The settlement with another instruction before it.
fn behind(world: &World, session: &Session, change: impl FnOnce(&mut Instruction)) -> Call {
    let mut call = world.session_settle(session, 1_000);
    change(call.ahead.as_mut().unwrap());
    call
}

#[test]
fn session_settle_pays_what_is_new() {
    let (mut world, provider, session) = world();
    let fee_bps = u64::from(world.market().params.fee_bps);
    let (mut earned, mut fees, mut settled) = (0, 0, 0);
    for cumulative in [1, 9_999, 10_000, 123_456_789, SOL] {
        let outcome = world.do_session_settle(&session, cumulative);
        let price = cumulative - settled;
        let fee = price * fee_bps / 10_000;
        (earned, fees, settled) = (earned + price - fee, fees + fee, cumulative);
        let data = world.provider(&provider.account);
        assert_eq!((data.earnings, data.fees_due), (earned, fees));
        assert_eq!(data.total_earned, earned);
        assert_eq!(data.jobs_settled, 0);
        let events = of_logs(&outcome.logs);
        let [Event::SessionSettled(event)] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(
            (event.cumulative, event.price, event.fee, event.earnings),
            (cumulative, price, fee, earned)
        );
    }
    assert_eq!(world.balance(&session.account), world.rent(224));
}

#[test]
fn voucher_of_a_lower_or_equal_sum_pays_nothing() {
    let (mut world, _, session) = world();
    world.do_session_settle(&session, 1_000);
    for cumulative in [0, 1, 999, 1_000] {
        world
            .send(world.session_settle(&session, cumulative))
            .refused(Error::VoucherNotAbove);
    }
    world.do_session_settle(&session, 1_001);
}

#[test]
fn voucher_above_the_deposit_pays_nothing_until_it_is_topped_up() {
    let (mut world, _, session) = world();
    for cumulative in [SOL + 1, u64::MAX] {
        world
            .send(world.session_settle(&session, cumulative))
            .refused(Error::VoucherAboveDeposit);
    }
    world.do_session_top_up(&session, 1);
    world.do_session_settle(&session, SOL + 1);
}

#[test]
fn voucher_is_good_up_to_its_last_second() {
    let (mut world, _, session) = world();
    let last = world.now().0 + 10;
    let voucher = |cumulative, expires_at| Voucher {
        expires_at,
        ..session.voucher(cumulative)
    };
    for expires_at in [i64::MIN, -1, 0, world.now().0 - 1] {
        let call = world.session_settle_with(&session, &voucher(1, expires_at));
        world.send(call).refused(Error::VoucherExpired);
    }
    world.pass(10);
    let call = world.session_settle_with(&session, &voucher(1, last));
    world.send(call).accepted();
    world.pass(1);
    let call = world.session_settle_with(&session, &voucher(2, last));
    world.send(call).refused(Error::VoucherExpired);
}

/// Whatever the precompile itself lets through, the program refuses; what it does not, never gets here.
#[test]
fn every_other_header_byte_is_refused() {
    let (mut world, _, session) = world();
    for place in 0..16 {
        for byte in 0..=u8::MAX {
            let call = behind(&world, &session, |ahead| ahead.data[place] = byte);
            if call == world.session_settle(&session, 1_000) {
                continue;
            }
            let outcome = world.send(call);
            let by_program = Err(Refusal::Fact(Error::VoucherProofInvalid));
            let by_precompile = outcome.logs.iter().all(|line| !line.contains("AsyWn5"));
            assert!(
                outcome.result == by_program || (outcome.result.is_err() && by_precompile),
                "byte {place} as {byte}: {:?}",
                outcome.result
            );
        }
    }
    world.do_session_settle(&session, 1_000);
}

/// The padding is the one header byte that the precompile does not read: the program's refusal is its own.
#[test]
fn header_that_the_precompile_accepts_is_refused_by_the_program() {
    let (mut world, _, session) = world();
    let call = behind(&world, &session, |ahead| ahead.data[1] = 1);
    world.send(call).refused(Error::VoucherProofInvalid);
    // The proof's own index in place of "this instruction": the same bytes, another way to name them.
    for at in [4, 8, 14] {
        let call = behind(&world, &session, |ahead| {
            ahead.data[at..at + 2].copy_from_slice(&[0, 0]);
        });
        world.send(call).refused(Error::VoucherProofInvalid);
    }
}

/// A genuine signature of somebody else's in another instruction, and ours only for show.
#[test]
fn offsets_into_another_instruction_are_refused() {
    let (mut world, _, session) = world();
    let mallory = Keypair::new_from_array([0x4d; 32]);
    let real = signed(&session.voucher(1), &mallory);
    let mut shown = signed(&session.voucher(SOL), &mallory);
    shown.data[16..48].copy_from_slice(session.args.session_key.as_ref());
    for at in [4, 8, 14] {
        shown.data[at..at + 2].copy_from_slice(&[0, 0]);
    }
    let mut settle = world.session_settle(&session, SOL);
    settle.ahead = None;
    let batch = vec![real, shown, settle.instruction];
    world.send(batch).refused(Error::VoucherProofInvalid);
}

#[test]
fn two_signatures_or_none_are_refused() {
    let (mut world, _, session) = world();
    let call = behind(&world, &session, |ahead| {
        // A second set of offsets, equal to the first, with everything moved behind it.
        let mut offsets = ahead.data[2..16].to_vec();
        for at in [0, 4, 8] {
            let moved = u16::from_le_bytes([offsets[at], offsets[at + 1]]) + 14;
            offsets[at..at + 2].copy_from_slice(&moved.to_le_bytes());
        }
        let rest = ahead.data.split_off(16);
        ahead.data = [&[2, 0], &offsets[..], &offsets, &rest].concat();
    });
    world.send(call).refused(Error::VoucherProofInvalid);
    let call = behind(&world, &session, |ahead| ahead.data = vec![0, 0]);
    world.send(call).refused(Error::VoucherProofInvalid);
}

#[test]
fn proof_of_another_length_is_refused() {
    let (mut world, _, session) = world();
    let call = behind(&world, &session, |ahead| ahead.data.push(0));
    world.send(call).refused(Error::VoucherProofInvalid);
    // A longer and a shorter message, really signed.
    for length in [49_usize, 51] {
        let key = session_key(&session.requester);
        let mut message = session.voucher(1_000).to_bytes().to_vec();
        message.resize(length, 0);
        let call = behind(&world, &session, |ahead| {
            use solana_signer::Signer;
            ahead.data.truncate(112);
            ahead.data[48..112].copy_from_slice(key.sign_message(&message).as_ref());
            ahead.data[12..14].copy_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
            ahead.data.extend_from_slice(&message);
        });
        world.send(call).refused(Error::VoucherProofInvalid);
    }
}

#[test]
fn settle_without_a_proof_directly_before_it_fails() {
    let (mut world, _, session) = world();
    let full = world.session_settle(&session, 1_000);
    let (settle, proof) = (full.instruction.clone(), full.ahead.unwrap());
    world.send(settle.clone()).refused(Error::VoucherMissing);
    world
        .send(vec![settle.clone(), proof.clone()])
        .refused(Error::VoucherMissing);
    let other = world.session_close_request(&session).instruction;
    world
        .send(vec![proof.clone(), other, settle.clone()])
        .refused(Error::VoucherMissing);
    // One proof serves one settlement: the second has a settlement before it.
    world
        .send(vec![proof.clone(), settle.clone(), settle.clone()])
        .refused(Error::VoucherMissing);
    world
        .send(vec![proof.clone(), settle.clone(), proof.clone(), settle])
        .refused(Error::VoucherNotAbove);
}

/// Another program's instruction with the very bytes of a proof: nothing has checked them.
#[test]
fn proof_of_another_program_is_refused() {
    let (mut world, _, session) = world();
    let call = behind(&world, &session, |ahead| {
        ahead.program_id = solana_sdk_ids::compute_budget::ID;
        ahead.data = vec![2, 0, 0, 4, 0];
    });
    assert_eq!(
        world.send(call).result,
        Err(Refusal::Fact(Error::VoucherMissing))
    );
}

#[test]
fn spoofed_instructions_sysvar_is_refused() {
    let (mut world, _, session) = world();
    let at = world.key();
    // A forged sysvar: one instruction of the Ed25519 program, then this one as the current.
    let proof = world.session_settle(&session, SOL).ahead.unwrap();
    let mut data = vec![2, 0, 6, 0, 0, 0, 0, 0];
    data.extend_from_slice(proof.program_id.as_ref());
    data.extend_from_slice(&u16::try_from(PROOF_BYTES).unwrap().to_le_bytes());
    data.extend_from_slice(&proof.data);
    data.extend_from_slice(&[1, 0]);
    let lamports = world.rent(data.len());
    let forged = solana_account::Account {
        lamports,
        data,
        owner: solana_sdk_ids::sysvar::ID,
        ..Default::default()
    };
    world.put_account(at, forged);
    let mut call = world.session_settle(&session, SOL).put("instructions", at);
    call.ahead = None;
    world
        .send(call)
        .refused(Refusal::Other("InvalidArgument".into()));
}

#[test]
fn unsigned_changed_or_foreign_voucher_is_refused() {
    let (mut world, provider, session) = world();
    // Changed after signing: the precompile itself refuses.
    for place in [16, 48, 111, 112, 113, 114, 146, 154, 161] {
        let outcome = world.send(behind(&world, &session, |ahead| ahead.data[place] ^= 1));
        assert!(outcome.result.is_err(), "byte {place}");
    }
    let mallory = Keypair::new_from_array([0x4d; 32]);
    let voucher = session.voucher(1_000);
    let call = behind(&world, &session, |ahead| {
        *ahead = signed(&voucher, &mallory)
    });
    world.send(call).refused(Error::VoucherKeyMismatch);
    let other = world.do_session_open(&provider);
    let key = session_key(&session.requester);
    let foreign = other.voucher(1_000);
    let call = behind(&world, &session, |ahead| *ahead = signed(&foreign, &key));
    world.send(call).refused(Error::VoucherSessionMismatch);
    let zero = Voucher {
        session: Address::default(),
        ..voucher
    };
    let call = behind(&world, &session, |ahead| *ahead = signed(&zero, &key));
    world.send(call).refused(Error::VoucherSessionMismatch);
}

/// The same key may stand behind many sessions: a voucher still pays in one of them only.
#[test]
fn voucher_of_a_session_with_the_same_key_pays_in_its_own_only() {
    let (mut world, provider, session) = world();
    let sibling = world.new_session_of(session.requester, &provider);
    world.send(world.session_open(&sibling)).accepted();
    let voucher = session.voucher(5_000);
    let call = world.session_settle_with(&sibling, &voucher);
    world.send(call).refused(Error::VoucherSessionMismatch);
    let call = world.session_settle_with(&session, &voucher);
    world.send(call).accepted();
}

#[test]
fn another_provider_cannot_take_the_money() {
    let (mut world, _, session) = world();
    let other = world.do_provider();
    let call = world
        .session_settle(&session, 1_000)
        .put("provider", other.account);
    world.send(call).refused(Error::SessionProviderMismatch);
}

/// A new account at the same address inherits nothing; the requester gets everything back after the grace time.
#[test]
fn provider_registered_anew_inherits_no_voucher() {
    let (mut world, provider, session) = world();
    let stake = world.provider(&provider.account).stake;
    world.do_stake_unbond(&provider, stake);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, provider.authority);
    world.do_provider_deregister(&provider);
    world
        .send(world.session_settle(&session, 1_000))
        .refused(Refusal::TooSmall);
    world.pass_slots(1);
    world.send(world.provider_register(&provider)).accepted();
    world
        .send(world.session_settle(&session, 1_000))
        .refused(Error::SessionProviderMismatch);
    world
        .send(world.session_close(&session, &provider))
        .refused(Error::SessionProviderMismatch);
    world.do_session_close_request(&session);
    world.pass_grace(&session, true);
    let (before, stranger) = (world.balance(&session.requester), world.wallet());
    world
        .send(world.session_close_by(&session, stranger))
        .accepted();
    let held = SOL + world.rent(224);
    assert_eq!(world.balance(&session.requester), before + held);
}

/// A late settlement counts until the account is gone; afterwards no account of that address can be made for it.
#[test]
fn voucher_cannot_be_replayed_after_close_and_re_open() {
    let (mut world, provider, session) = world();
    world.do_session_close_request(&session);
    world.pass_grace(&session, true);
    world.do_session_settle(&session, 1_000);
    let stranger = world.wallet();
    world
        .send(world.session_close_by(&session, stranger))
        .accepted();
    world
        .send(world.session_settle(&session, 2_000))
        .refused(Refusal::TooSmall);
    world
        .send(world.session_open(&session))
        .refused(Error::JobSlotInvalid);
    // The same requester, provider and key again: another address, for which the old voucher says nothing.
    let again = world.new_session_of(session.requester, &provider);
    world.send(world.session_open(&again)).accepted();
    assert_ne!(again.account, session.account);
    let call = world.session_settle_with(&again, &session.voucher(2_000));
    world.send(call).refused(Error::VoucherSessionMismatch);
}

#[test]
fn close_and_re_open_in_one_transaction_fails() {
    let (mut world, provider, session) = world();
    world.pass_slots(OPEN_SLOT_AGE + 1);
    let both = vec![
        world.session_close(&session, &provider),
        world.session_open(&session),
    ];
    world.send(both).refused(Error::JobSlotInvalid);
    assert!(world.exists(&session.account));
}
