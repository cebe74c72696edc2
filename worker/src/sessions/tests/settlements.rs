//! What is sent for sessions, and what it brings.

use assay_client::{
    account, discriminator,
    protocol::{Address, UnixSeconds, Voucher, voucher::VOUCHER_BYTES},
};
use serde_json::{Value, json};

use super::{kit::DEPOSIT, *};
use crate::{
    chain::fake,
    core::Pause,
    sessions::{Left, core::tests::NOW, income},
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
            Err(_) => error = json!({ "InstructionError": [2, { "Custom": 6_195 }] }),
        }
    }
    if has(bytes, "session_close") {
        let named = |address: &Address| bytes.windows(32).any(|window| window == address.as_ref());
        let owned = |account: &fake::Account| account.owner == assay_client::PROGRAM_ID;
        let mut accounts = world.accounts.iter();
        let (session, _) = accounts
            .find(|(address, account)| owned(account) && named(address))
            .unwrap();
        let session = *session;
        world.accounts.remove(&session);
    }
    world.statuses.insert(signature, state(error));
}

/// Refuses in simulation what it would refuse to carry out.
fn refuse(world: &fake::World, bytes: &[u8]) -> Option<Value> {
    let voucher = voucher(bytes)?;
    let mut data: SessionData =
        account::decode(&world.accounts.get(&voucher.session)?.data).unwrap();
    let refused = data.settle(&voucher, NOW).is_err();
    refused.then(|| json!({ "InstructionError": [2, { "Custom": 6_195 }] }))
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
    world.node.world().refuse = Some(refuse);
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
async fn vouchers_are_left_until_they_are_settled_and_dust_is_not_waited_for() {
    let world = paid(999_999).await;
    let unsettled = Left {
        unsettled: 999_999,
        ..Left::default()
    };
    assert_eq!(world.sessions.left(), unsettled);
    let dust = paid(10_000).await;
    assert_eq!(dust.sessions.left(), Left::default());
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
async fn settlement_that_could_not_be_written_is_booked_once_it_can() {
    let world = paid(1_000_000).await;
    let incomes = || income(&world.file(), UnixSeconds(0)).unwrap();
    let file = world.spoil_file();
    world.settle().await;
    assert_eq!(world.account(&SESSION).unwrap().settled, 1_000_000);
    world.sessions.try_books().await;
    assert_eq!(incomes(), []);
    file.mend();
    world.sessions.try_books().await;
    assert_eq!(incomes()[0].gross, 1_000_000);
    world.sessions.look().await;
    world.sessions.try_books().await;
    assert_eq!(incomes().len(), 1);
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
    world.look_at(1_000).await;
    world.settle().await;
    assert_eq!(world.account(&SESSION).unwrap().settled, 50_000);
    for slot in [1_001, 1_002] {
        world.settle().await;
        assert_eq!(sent(&world), 1, "readings are to agree first");
        world.look_at(slot).await;
    }
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
    world.look_at(1_051).await;
    // It sees that there is nothing to settle, and closes.
    world.settle().await;
    world.settle().await;
    assert!(world.account(&SESSION).is_none());
    assert_eq!(sent(&world), 1);
}

#[tokio::test]
async fn closes_of_sessions_that_brought_nothing_cost_the_operator_nothing() {
    let world = World::start().await;
    world.node.world().land = Some(land);
    for number in 21..=25 {
        let session = world.open(number);
        world.change(&session, |account| {
            account.status = SessionStatus::CloseRequested as u8;
        });
        assert_eq!(world.standing_of(&session).await.sequence, 0);
    }
    world.sessions.look().await;
    world.settle().await;
    assert_eq!(sent(&world), 0);
}

#[tokio::test]
async fn nothing_is_sent_nor_served_while_the_operator_lacks_what_jobs_need() {
    let world = paid(2_000_000).await;
    world.pause(Pause::Funds);
    world.settle().await;
    assert_eq!(sent(&world), 0);
    let next = world.call(&Call::run(3, 2_000_000, b"z")).await;
    assert_eq!(refusal(next).await, refused(503, code::DRAINING));
    world.sessions.end(kit::PATIENCE).await;
    assert_eq!(sent(&world), 0);
}

#[tokio::test]
async fn requests_wait_while_what_is_owed_cannot_be_settled() {
    let world = paid(2_000_000).await;
    world.node.world().refuse =
        Some(|_, _| Some(json!({ "InstructionError": [3, { "Custom": 1 }] })));
    world.settle().await;
    let next = world.call(&Call::run(3, 2_000_000, b"z")).await;
    assert_eq!(next.headers()["retry-after"], "30");
    assert_eq!(refusal(next).await, refused(503, code::BUSY));
    // What was charged is given.
    let former = world.call(&Call::run(2, 2_000_000, b"y")).await;
    assert_eq!(former.status(), 200);
}

#[tokio::test]
async fn worker_that_ends_settles_what_is_worth_it() {
    let world = paid(50_000).await;
    world.sessions.end(kit::PATIENCE).await;
    assert_eq!(world.account(&SESSION).unwrap().settled, 50_000);
}

#[tokio::test]
async fn restart_takes_up_vouchers_and_sends_nothing_before_the_chain_was_read() {
    let world = paid(1_000_000).await.restarted().await;
    world.change(&SESSION, |account| {
        account.status = SessionStatus::CloseRequested as u8;
        // Settled by the worker that died, which did not see it.
        account.settled = 1_000_000;
    });
    world.settle().await;
    assert_eq!(world.node.count("simulateTransaction"), 0);
    world.look_at(1_000).await;
    let income = income(&world.file(), UnixSeconds(0)).unwrap();
    assert_eq!(income[0].gross, 1_000_000);
    world.look_at(1_001).await;
    world.settle().await;
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
async fn session_that_its_endpoint_loses_for_minutes_keeps_its_voucher() {
    let world = paid(50_000).await;
    let held = world.node.world().accounts.remove(&SESSION).unwrap();
    for slot in [1_000, 1_151, 9_000] {
        world.look_at(slot).await;
    }
    let world = world.restarted().await;
    world.look_at(9_001).await;
    world.node.world().accounts.insert(SESSION, held);
    world.look_at(9_002).await;
    world.sessions.end(kit::PATIENCE).await;
    assert_eq!(world.account(&SESSION).unwrap().settled, 50_000);
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
