use assay_client::protocol::SessionData;

use super::{
    super::{
        Ask, Refused, Seen,
        tests::{NOW, SESSION, account, ask, open, pays, policy},
    },
    *,
};

#[test]
fn settlement_waits_for_a_reason() {
    let mut channel = open(u64::MAX);
    let chore = |channel: &Channel, ending| channel.chore(NOW, &policy(), ending);
    channel.pay(pays(999_999, i64::MAX));
    assert_eq!(chore(&channel, false), None);
    assert_eq!(chore(&channel, true), Some(Chore::Settle));
    let later = UnixSeconds(NOW.0 + 3_600);
    assert_eq!(channel.chore(later, &policy(), false), Some(Chore::Settle));
    channel.pay(pays(1_000_000, i64::MAX));
    assert_eq!(chore(&channel, false), Some(Chore::Settle));
    channel.settle(1_000_000);
    assert_eq!(chore(&channel, true), None);
    channel.pay(pays(1_100_000, NOW.0 + 300));
    assert_eq!(chore(&channel, false), Some(Chore::Settle), "it ends soon");
    let ended = UnixSeconds(NOW.0 + 300);
    assert_eq!(channel.chore(ended, &policy(), true), None, "too late");
}

#[test]
fn what_a_settlement_costs_is_not_spent_on_less() {
    let mut channel = open(u64::MAX);
    let chore = |channel: &Channel| channel.chore(NOW, &policy(), true);
    // 5 percent are the market's, and the close is to be paid for too.
    channel.pay(pays(15_789, i64::MAX));
    assert_eq!(chore(&channel), None);
    channel.pay(pays(15_791, i64::MAX));
    assert_eq!(chore(&channel), Some(Chore::Settle));
    channel.settle(15_791);
    channel.pay(pays(15_791 + 10_526, i64::MAX));
    assert_eq!(chore(&channel), None);
    channel.pay(pays(15_791 + 10_528, i64::MAX));
    assert_eq!(chore(&channel), Some(Chore::Settle));
}

#[test]
fn session_that_brought_less_than_its_close_costs_is_left_to_its_requester() {
    for (settled, chore) in [(0, None), (5_263, None), (5_265, Some(Chore::Close))] {
        let closing = SessionData {
            status: SessionStatus::CloseRequested as u8,
            settled,
            ..account(1_000_000)
        };
        let mut channel = Channel::new(SESSION, closing, None, None, NOW);
        channel.see(Some(&closing), 1_000);
        assert_eq!(channel.chore(NOW, &policy(), true), chore, "{settled}");
        let idle = UnixSeconds(NOW.0 + 3_600);
        assert_eq!(channel.is_at_rest(idle, &policy()), chore.is_none());
    }
}

#[test]
fn session_that_is_to_close_is_settled_then_closed_and_takes_nothing_more() {
    let mut channel = open(1_000_000);
    channel.pay(pays(50_000, i64::MAX));
    let closing = SessionData {
        status: SessionStatus::CloseRequested as u8,
        ..account(1_000_000)
    };
    assert_eq!(
        channel.see(Some(&closing), 1_000),
        Seen::Changed { settled: 0 }
    );
    let taken = channel.begin(&ask(1, 0), NOW, &policy()).unwrap_err();
    assert_eq!(taken, Refused::Closing);
    let chore = |channel: &Channel| channel.chore(NOW, &policy(), false);
    assert_eq!(chore(&channel), Some(Chore::Settle));
    channel.send(NOW);
    assert_eq!(chore(&channel), None, "it is being sent");
    channel.sent(true, NOW);
    assert_eq!(channel.settle(50_000), 50_000);
    let settled = SessionData {
        settled: 50_000,
        ..closing
    };
    assert_eq!(chore(&channel), None, "one reading showed the request");
    assert_eq!(channel.see(Some(&settled), 1_001), Seen::Same);
    assert_eq!(chore(&channel), Some(Chore::Close));
    // A node that is behind undoes nothing, and is waited for.
    let behind = SessionData {
        status: SessionStatus::Open as u8,
        ..settled
    };
    assert_eq!(channel.see(Some(&behind), 7), Seen::Same);
    let taken = channel.begin(&ask(1, 0), NOW, &policy()).unwrap_err();
    assert_eq!(taken, Refused::Closing);
    assert_eq!(chore(&channel), None);
    channel.see(Some(&settled), 1_002);
    assert_eq!(chore(&channel), Some(Chore::Close));
}

#[test]
fn failed_settlement_is_tried_again_later_and_later() {
    let mut channel = open(u64::MAX);
    channel.pay(pays(5_000_000, i64::MAX));
    let at = |secs| UnixSeconds(NOW.0 + secs);
    let due = |channel: &Channel, secs| channel.chore(at(secs), &policy(), false).is_some();
    channel.send(NOW);
    channel.sent(false, at(0));
    assert!(!due(&channel, 9) && due(&channel, 10));
    channel.send(NOW);
    channel.sent(false, at(10));
    assert!(!due(&channel, 29) && due(&channel, 30));
    channel.send(NOW);
    channel.sent(true, at(30));
    assert!(due(&channel, 30));
}

#[test]
fn session_that_owes_is_settled_before_it_is_believed_to_be_gone() {
    let mut channel = open(1_000_000);
    channel.pay(pays(50_000, i64::MAX));
    assert_eq!(channel.chore(NOW, &policy(), false), None);
    for slot in [151, 152, 153, 301] {
        assert_eq!(channel.see(None, slot), Seen::Same, "{slot}");
        let chore = channel.chore(NOW, &policy(), false);
        assert_eq!(chore, Some(Chore::Settle));
    }
    // A lone endpoint may be wrong for longer, and nobody closes before the grace time.
    let over = 301 + 3 * u64::from(account(1).grace_secs);
    assert_eq!(channel.see(None, 302), Seen::Same);
    assert_eq!(channel.see(None, over), Seen::Same);
    assert_eq!(channel.see(None, over + 1), Seen::Gone);
}

#[test]
fn clock_that_is_set_back_stops_nothing() {
    let mut channel = open(u64::MAX);
    channel.pay(pays(900_000, i64::MAX));
    channel.send(NOW);
    channel.sent(false, NOW);
    let set_back = |secs| UnixSeconds(NOW.0 - secs);
    let chore = |secs| channel.chore(set_back(secs), &policy(), true);
    assert_eq!(chore(0), None, "the pause is 10 s");
    assert_eq!(chore(1), Some(Chore::Settle));
    let idle = |secs| channel.chore(set_back(secs), &policy(), false);
    assert_eq!(idle(3_599), None);
    assert_eq!(idle(3_600), Some(Chore::Settle));
}

#[test]
fn voucher_that_readings_show_as_settled_is_tried_before_the_close() {
    let closing = SessionData {
        status: SessionStatus::CloseRequested as u8,
        settled: 50_000,
        ..account(50_000)
    };
    let mut channel = Channel::new(SESSION, closing, Some(pays(50_000, NOW.0 + 600)), None, NOW);
    channel.see(Some(&closing), 1_000);
    let chore = |channel: &Channel, secs| {
        let now = UnixSeconds(NOW.0 + secs);
        channel.chore(now, &policy(), false)
    };
    assert_eq!(chore(&channel, 0), Some(Chore::Settle));
    assert_eq!(chore(&channel, 600), Some(Chore::Close), "it has ended");
    channel.prove(50_000);
    assert_eq!(chore(&channel, 0), Some(Chore::Close));
}

#[test]
fn close_waits_until_the_program_takes_it() {
    let closing = SessionData {
        status: SessionStatus::CloseRequested as u8,
        settled: 50_000,
        ..account(50_000)
    };
    let mut channel = Channel::new(SESSION, closing, None, None, NOW);
    let mut chore = |slot| {
        channel.see(Some(&closing), slot);
        channel.chore(NOW, &policy(), true)
    };
    assert_eq!((chore(0), chore(150)), (None, None));
    assert_eq!(chore(151), Some(Chore::Close));
}

#[test]
fn session_that_owes_nothing_rests_once_it_is_idle() {
    let mut channel = open(u64::MAX);
    let idle = UnixSeconds(NOW.0 + 3_600);
    assert!(!channel.is_at_rest(NOW, &policy()));
    assert!(channel.is_at_rest(idle, &policy()));
    channel.pay(pays(20_000, i64::MAX));
    assert!(!channel.is_at_rest(idle, &policy()), "it is to be settled");
    channel.settle(20_000);
    assert!(channel.is_at_rest(idle, &policy()));
}

#[test]
fn no_more_is_served_than_the_value_at_risk_while_settlements_fail() {
    let at = |secs| UnixSeconds(NOW.0 + secs);
    let serve = |channel: &mut Channel, payment: Payment, secs| {
        let asked = Ask {
            payment,
            ..ask(1, 0)
        };
        let begun = channel.begin(&asked, at(secs), &policy()).map(drop);
        channel.release();
        begun
    };
    let stuck = |lamports| Err(Refused::Unsettled { lamports });
    let mut channel = open(u64::MAX);
    let first = pays(1_000_000, i64::MAX);
    channel.pay(first);
    // A chain that stands still: the transaction neither lands nor expires.
    channel.send(at(0));
    assert_eq!(serve(&mut channel, first, 60), Ok(()));
    assert_eq!(serve(&mut channel, first, 61), stuck(1_000_000));
    channel.sent(false, at(61));
    assert_eq!(serve(&mut channel, first, 61), stuck(1_000_000));
    channel.settle(1_000_000);
    assert_eq!(serve(&mut channel, first, 61), Ok(()));
    // Less is at risk, until its voucher is about to end and no better one comes.
    let short = pays(1_999_999, at(700).0);
    channel.pay(short);
    assert_eq!(serve(&mut channel, short, 399), Ok(()));
    assert_eq!(serve(&mut channel, short, 400), stuck(999_999));
    let long = pays(2_000_000, at(9_000).0);
    assert_eq!(serve(&mut channel, long, 400), Ok(()));
    channel.pay(long);
    assert_eq!(serve(&mut channel, first, 400), stuck(1_000_000));
    // What has ended is lost already; whoever makes it good is served.
    let good = pays(2_000_000, i64::MAX);
    assert_eq!(serve(&mut channel, good, 8_999), stuck(1_000_000));
    assert_eq!(serve(&mut channel, good, 9_000), Ok(()));
    channel.sent(true, at(9_000));
    assert_eq!(serve(&mut channel, first, 9_000), Ok(()));
}
