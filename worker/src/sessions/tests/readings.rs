//! What the chain is asked, and what its answers change.

use super::*;

#[tokio::test]
async fn session_that_is_closing_or_gone_is_refused() {
    let world = World::start().await;
    assert_eq!(world.call(&Call::run(1, 0, b"x")).await.status(), 200);
    world.change(&SESSION, |account| {
        account.status = SessionStatus::CloseRequested as u8
    });
    world.sessions.look().await;
    let closing = world.call(&Call::run(2, kit::RUN, b"y")).await;
    assert_eq!(refusal(closing).await, refused(410, code::SESSION_CLOSING));
}

#[tokio::test]
async fn deposit_that_was_topped_up_is_seen_at_once() {
    let world = World::start().await;
    let session = world.open(21);
    world.change(&session, |account| account.deposit = kit::RUN);
    let first = Call {
        session,
        ..Call::run(1, 0, b"x")
    };
    assert_eq!(world.call(&first).await.status(), 200);
    let second = Call {
        session,
        ..Call::run(2, kit::RUN, b"y")
    };
    let small = world.call(&second).await;
    assert_eq!(refusal(small).await, refused(402, code::DEPOSIT_TOO_SMALL));
    assert_eq!(world.standing_of(&session).await.paid, 0, "it is not taken");
    world.change(&session, |account| account.deposit = 2 * kit::RUN);
    world.age(&session);
    assert_eq!(world.call(&second).await.status(), 200);
    // A voucher above what was deposited is taken once two readings agree.
    world.change(&session, |account| account.deposit = 4 * kit::RUN);
    let third = Call {
        session,
        ..Call::run(3, 3 * kit::RUN, b"z")
    };
    for (slot, status) in [(1_001, 402), (1_002, 200)] {
        world.node.world().slot = slot;
        world.age(&session);
        assert_eq!(world.call(&third).await.status(), status);
    }
}

#[tokio::test]
async fn strangers_do_not_have_the_chain_asked_again_and_again() {
    let world = World::start().await;
    let before = world.lookups();
    let unknown = |session| Call {
        session,
        ..Call::run(1, 0, b"x")
    };
    for _ in 0..2 {
        let answer = world.call(&unknown(kit::NOBODY)).await;
        assert_eq!(refusal(answer).await, refused(404, code::SESSION_UNKNOWN));
    }
    assert_eq!(world.lookups(), before + 1);
    // One after the other, for there are two places.
    let mut answers = Vec::new();
    for number in 100..=250 {
        let asked = world.builder(&unknown(kit::key(number)));
        let answer = asked.header(kit::CLIENT, "192.0.2.7").send().await;
        answers.push(answer.unwrap().status().as_u16());
    }
    assert!(answers.contains(&503), "only so many are looked up");
    assert!(answers.contains(&429), "and only so many for one client");
    assert!(world.sessions.lock().is_empty());
    assert_eq!(
        world.lookups() - before,
        1 + answers.iter().filter(|status| **status == 404).count()
    );
}

#[tokio::test]
async fn session_of_another_provider_is_unknown() {
    let world = World::start().await;
    let session = world.open(21);
    world.change(&session, |account: &mut SessionData| {
        account.provider = kit::NOBODY
    });
    let call = Call {
        session,
        ..Call::run(1, 0, b"x")
    };
    let answer = world.call(&call).await;
    assert_eq!(refusal(answer).await, refused(404, code::SESSION_UNKNOWN));
}

#[tokio::test]
async fn worker_without_sessions_asks_the_chain_nothing_and_with_them_once() {
    let world = World::start().await;
    let before = world.lookups();
    world.sessions.look().await;
    assert_eq!(world.lookups(), before);
    let sessions = [21, 22, 23].map(|number| world.open(number));
    for session in sessions {
        let call = Call {
            session,
            ..Call::run(1, 0, b"x")
        };
        assert_eq!(world.call(&call).await.status(), 200);
    }
    let before = world.lookups();
    world.sessions.look().await;
    assert_eq!(world.lookups(), before + 1);
}

#[tokio::test]
async fn session_with_our_former_account_is_not_served_after_a_restart() {
    let world = World::start().await;
    assert_eq!(world.call(&Call::run(1, 0, b"x")).await.status(), 200);
    // We registered anew: no voucher of this session can be settled any more.
    let world = world.restarted_as(5).await;
    let answer = world.call(&Call::run(2, kit::RUN, b"y")).await;
    assert_eq!(refusal(answer).await, refused(404, code::SESSION_UNKNOWN));
    assert_eq!(world.model.runs(), 0);
}
