//! A settlement that another program calls: the proof is the outermost instruction directly before that program's.

use assay_client::protocol::Error;
use assay_tests::{
    Refusal, SOL,
    proxy::through_proxy,
    session::{session_key, signed},
};
use solana_instruction::Instruction;

use super::world;

/// A settlement taken apart: the proof, and the instruction that it is for.
fn parts(call: assay_tests::Call) -> [Instruction; 2] {
    [call.ahead.unwrap(), call.instruction]
}

#[test]
fn settlement_called_by_a_program_behind_its_proof_pays() {
    let (mut world, provider, session) = world();
    let [proof, settle] = parts(world.session_settle(&session, SOL / 2));
    let called = through_proxy(&[settle]);
    world.send(vec![proof, called]).accepted();
    let settled = world.session(&session.account).settled;
    assert_eq!(settled, SOL / 2);
    assert!(world.provider(&provider.account).earnings > 0);
}

/// The index of the current instruction is the outermost one's: what stands before it decides, wherever the caller
/// puts the settlement among its own calls.
#[test]
fn called_settlement_without_a_proof_before_its_caller_fails() {
    let (mut world, _, session) = world();
    let [proof, settle] = parts(world.session_settle(&session, 1_000));
    let other = world.session_close_request(&session).instruction;
    let called = through_proxy(&[settle.clone()]);
    let batches = [
        vec![called.clone()],
        vec![called.clone(), proof.clone()],
        vec![proof.clone(), other.clone(), called.clone()],
        // Directly before the settlement among the calls, and not before the caller.
        vec![proof.clone(), called.clone(), called.clone()],
        vec![proof, through_proxy(&[other]), called],
    ];
    for batch in batches {
        world.send(batch).refused(Error::VoucherMissing);
    }
}

/// The settlement finds the proof of the caller's neighbour, also when something else was called in between; a second
/// one finds the same and gains nothing by it.
#[test]
fn one_proof_pays_once_however_often_the_settlement_is_called() {
    let (mut world, provider, session) = world();
    let sibling = world.new_session_of(session.requester, &provider);
    world.send(world.session_open(&sibling)).accepted();
    let [proof, settle] = parts(world.session_settle(&session, 1_000));
    let twice = through_proxy(&[settle.clone(), settle.clone()]);
    world
        .send(vec![proof.clone(), twice])
        .refused(Error::VoucherNotAbove);
    let [_, foreign] = parts(world.session_settle(&sibling, 1_000));
    let both = through_proxy(&[settle.clone(), foreign]);
    world
        .send(vec![proof.clone(), both])
        .refused(Error::VoucherSessionMismatch);
    let request = world.session_close_request(&session).instruction;
    world
        .send(vec![proof, through_proxy(&[request, settle])])
        .accepted();
}

/// What a caller says to the signature check by a call of its own, no transaction carries: the runtime has nothing to
/// run there, and the settlement does not see it.
#[test]
fn proof_that_only_a_call_makes_is_none() {
    let (mut world, _, session) = world();
    let [proof, settle] = parts(world.session_settle(&session, 1_000));
    let outcome = world.send(through_proxy(&[proof.clone(), settle.clone()]));
    outcome.refused(Refusal::Other("UnsupportedProgramId".into()));
    let outcome = world.send(vec![through_proxy(&[proof]), settle]);
    outcome.refused(Refusal::Other("UnsupportedProgramId".into()));
}

/// A proof of another key stands where the precompile's indexes, read from within the call, would point.
#[test]
fn indexes_of_a_proof_are_not_read_from_within_the_call() {
    let (mut world, _, session) = world();
    let mallory = solana_keypair::Keypair::new_from_array([0x4d; 32]);
    let real = signed(&session.voucher(1), &mallory);
    let mut shown = signed(&session.voucher(SOL), &mallory);
    shown.data[16..48].copy_from_slice(session.args.session_key.as_ref());
    for at in [4, 8, 14] {
        shown.data[at..at + 2].copy_from_slice(&[0, 0]);
    }
    let [_, settle] = parts(world.session_settle(&session, SOL));
    let called = through_proxy(&[settle.clone()]);
    world
        .send(vec![real, shown, called])
        .refused(Error::VoucherProofInvalid);
    let foreign = signed(&session.voucher(SOL), &mallory);
    world
        .send(vec![foreign, through_proxy(&[settle.clone()])])
        .refused(Error::VoucherKeyMismatch);
    let sound = signed(&session.voucher(SOL), &session_key(&session.requester));
    world.send(vec![sound, through_proxy(&[settle])]).accepted();
}

/// A caller settles and closes in one instruction: who may close is asked as ever.
#[test]
fn caller_settles_and_closes_with_the_signatures_it_has() {
    let (mut world, provider, session) = world();
    world.pass_session_slot(&session);
    let [proof, settle] = parts(world.session_settle(&session, SOL / 4));
    let close = world.session_close(&session, &provider).instruction;
    let mut unsigned = through_proxy(&[settle.clone(), close.clone()]);
    for meta in &mut unsigned.accounts {
        meta.is_signer = false;
    }
    world
        .send(vec![proof.clone(), unsigned])
        .refused(Refusal::NotSigner);
    let before = world.balance(&session.requester);
    world
        .send(vec![proof, through_proxy(&[settle, close])])
        .accepted();
    assert!(!world.exists(&session.account));
    let back = world.balance(&session.requester) - before;
    assert_eq!(back, SOL - SOL / 4 + world.rent(224));
}
