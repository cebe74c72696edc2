//! What is sent for sessions, and what it brings.

use assay_client::{
    account, discriminator,
    protocol::{Address, UnixSeconds, Voucher, voucher::VOUCHER_BYTES},
};
use serde_json::{Value, json};

use super::{kit::DEPOSIT, *};
use crate::{
    chain::fake,
    sessions::{core::tests::NOW, income},
    store::Store,
};

/// Carries out settlements and closes, as the program does.
fn land(world: &mut fake::World, bytes: &[u8]) {
    let signature = bs58::encode(&bytes[1..65]).into_string();
    let state = |error: Value| json!({ "slot": 7, "confirmations": 1, "err": error, "confirmationStatus": "confirmed" });
    let mut error = Value::Null;
    if let Some(voucher) = voucher(bytes) {
        let held = world.accounts.get_mut(&voucher.session).unwrap();
        let mut data: SessionData = account::decode(&held.data).unwrap();
        match data.settle(&voucher, NOW) {
            Ok(_) => held.data = account::encode(&data),
            Err(_) => error = json!({ "InstructionError": [2, { "Custom": 6_000_190 }] }),
        }
    }
    if has(bytes, "session_close") {
        let named = |address: &Address| bytes.windows(32).any(|window| window == address.as_ref());
        let session = *world
            .accounts
            .keys()
            .find(|address| **address != assay_client::PROGRAM_ID && named(address))
            .unwrap();
        world.accounts.remove(&session);
    }
    world.statuses.insert(signature, state(error));
}

fn voucher(bytes: &[u8]) -> Option<Voucher> {
    bytes.windows(VOUCHER_BYTES).find_map(Voucher::from_bytes)
}

fn has(bytes: &[u8], instruction: &str) -> bool {
    let name = discriminator::instruction(instruction);
    bytes.windows(name.len()).any(|window| window == name)
}

/// A world in which so much was paid for and answered.
async fn paid(lamports: u64) -> World {
    let world = World::start().await;
    world.node.world().land = Some(land);
    assert_eq!(world.call(&Call::run(1, 0, b"x")).await.status(), 200);
    assert_eq!(
        world.call(&Call::run(2, lamports, b"y")).await.status(),
        200
    );
    world
}

fn sent(world: &World) -> usize {
    world.node.world().sent.len()
}

#[tokio::test]
async fn value_at_risk_is_settled_once_and_noted() {
    let world = paid(999_999).await;
    world.settle().await;
    assert_eq!(sent(&world), 0);
    assert_eq!(
        world.call(&Call::run(3, 1_000_000, b"z")).await.status(),
        200
    );
    world.settle().await;
    let bytes = world.node.world().sent[0].clone();
    assert!(has(&bytes, "session_settle"));
    assert_eq!(world.account(&SESSION).unwrap().settled, 1_000_000);
    world.settle().await;
    world.sessions.look().await;
    world.settle().await;
    assert_eq!(sent(&world), 1, "one voucher is settled once");
    let income = income(&world.file(), UnixSeconds(0)).unwrap();
    assert_eq!(income.len(), 1);
    assert_eq!((income[0].gross, income[0].net), (1_000_000, 950_000));
    let journal = Store::open(&world.folder.path().join("journal.sqlite")).unwrap();
    let costs = journal.costs(UnixSeconds(0)).unwrap();
    let [cost] = costs.as_slice() else {
        panic!("one transaction was paid for");
    };
    assert_eq!((cost.job, cost.step.as_str()), (SESSION, "session_settle"));
    assert_eq!(cost.fee, 10_000, "the voucher's signature is paid for too");
    assert!(journal.books().unwrap().is_empty(), "it is no job");
}

#[tokio::test]
async fn session_that_is_to_close_is_settled_closed_and_forgotten() {
    let world = paid(50_000).await;
    world.settle().await;
    assert_eq!(sent(&world), 0);
    let requested = |account: &mut SessionData| {
        account.status = SessionStatus::CloseRequested as u8;
    };
    world.change(&SESSION, requested);
    world.sessions.look().await;
    world.settle().await;
    assert_eq!(world.account(&SESSION).unwrap().settled, 50_000);
    world.settle().await;
    assert!(world.account(&SESSION).is_none());
    assert_eq!(sent(&world), 2);
    for slot in [1_000, 1_150] {
        world.node.world().slot = slot;
        world.sessions.look().await;
        world.settle().await;
        assert_eq!(sent(&world), 2, "nothing more is to be sent");
        let kept = world.sessions.lock().contains_key(&SESSION);
        assert!(kept, "the chain may take the close back");
    }
    world.node.world().slot = 1_151;
    world.sessions.look().await;
    assert!(world.sessions.lock().is_empty());
    let world = world.restarted().await;
    assert!(
        world.sessions.lock().is_empty(),
        "the file has forgotten it"
    );
    assert_eq!(income(&world.file(), UnixSeconds(0)).unwrap().len(), 1);
}

#[tokio::test]
async fn close_that_the_program_would_refuse_is_not_tried() {
    let world = paid(50_000).await;
    world.change(&SESSION, |account| {
        account.status = SessionStatus::CloseRequested as u8;
        account.settled = 50_000;
        account.open_slot = 900;
    });
    world.sessions.look().await;
    world.settle().await;
    assert_eq!(world.node.count("simulateTransaction"), 0);
    world.node.world().slot = 1_051;
    world.sessions.look().await;
    world.settle().await;
    assert!(world.account(&SESSION).is_none());
    assert_eq!(sent(&world), 1);
}

#[tokio::test]
async fn worker_that_ends_settles_what_is_worth_it() {
    let world = paid(50_000).await;
    world.sessions.end(kit::PATIENCE).await;
    assert_eq!(world.account(&SESSION).unwrap().settled, 50_000);
}

#[tokio::test]
async fn restart_takes_up_vouchers_and_sends_nothing_before_the_chain_was_read() {
    let world = paid(50_000).await;
    world.node.world().land = None;
    let world = world.restarted().await;
    world.node.world().land = Some(land);
    world.change(&SESSION, |account| {
        account.status = SessionStatus::CloseRequested as u8;
        // Settled by the worker that died, which did not see it.
        account.settled = 50_000;
    });
    world.settle().await;
    assert_eq!(sent(&world), 0);
    world.sessions.look().await;
    let income = income(&world.file(), UnixSeconds(0)).unwrap();
    assert_eq!(income[0].gross, 50_000);
    world.settle().await;
    assert!(
        world.account(&SESSION).is_none(),
        "there was nothing to settle"
    );
    assert_eq!(sent(&world), 1);
}

#[tokio::test]
async fn nothing_is_sent_before_what_was_under_way_is_known() {
    let world = paid(2_000_000).await;
    let ready = &world.sessions.ground.shared.ready;
    ready.store(false, std::sync::atomic::Ordering::SeqCst);
    world.settle().await;
    assert_eq!(sent(&world), 0);
    ready.store(true, std::sync::atomic::Ordering::SeqCst);
    world.settle().await;
    assert_eq!(sent(&world), 1);
}

#[tokio::test]
async fn settlement_that_would_fail_is_not_sent_and_not_tried_at_once() {
    let world = paid(2_000_000).await;
    world.node.world().refuse =
        Some(|_, _| Some(json!({ "InstructionError": [3, { "Custom": 1 }] })));
    world.settle().await;
    world.settle().await;
    assert_eq!(sent(&world), 0);
    assert_eq!(world.node.count("simulateTransaction"), 1);
    assert_eq!(world.account(&SESSION).unwrap().deposit, DEPOSIT);
}

#[tokio::test]
async fn settlement_that_never_was_is_no_income_and_is_made_good() {
    let world = paid(50_000).await;
    let incomes = || income(&world.file(), UnixSeconds(0)).unwrap();
    for (slot, settled) in [(1_000, 50_000), (1_001, 0)] {
        world.change(&SESSION, |account| account.settled = settled);
        world.node.world().slot = slot;
        world.sessions.look().await;
        assert_eq!(incomes().len(), 1, "one reading takes nothing back");
    }
    world.node.world().slot = 1_152;
    world.sessions.look().await;
    assert_eq!(incomes(), []);
    world.sessions.end(kit::PATIENCE).await;
    assert_eq!(world.account(&SESSION).unwrap().settled, 50_000);
    assert_eq!(incomes()[0].gross, 50_000);
}
