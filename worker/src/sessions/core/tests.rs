use assay_client::protocol::{SessionStatus, Voucher};
use bytemuck::Zeroable;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::*;

pub const SESSION: Address = Address::new_from_array([1; 32]);
pub const PROVIDER: Address = Address::new_from_array([2; 32]);
pub const MODEL: Digest = Digest([3; 32]);
pub const NOW: UnixSeconds = UnixSeconds(1_000_000);
const DAY: u32 = 86_400;

pub fn key() -> Keypair {
    Keypair::new_from_array([7; 32])
}

pub fn operator() -> Keypair {
    Keypair::new_from_array([8; 32])
}

pub fn account(deposit: u64) -> SessionData {
    SessionData {
        status: SessionStatus::Open as u8,
        provider: PROVIDER,
        session_key: key().pubkey(),
        deposit,
        generation: 4,
        grace_secs: DAY,
        fee_bps: 500,
        ..SessionData::zeroed()
    }
}

pub fn terms() -> Terms {
    Terms {
        provider: PROVIDER,
        generation: 4,
        min_grace_secs: DAY,
        min_voucher_secs: 600,
    }
}

pub fn policy() -> SettlePolicy {
    SettlePolicy {
        value_at_risk: 1_000_000,
        margin_secs: 300,
        idle_secs: 3_600,
    }
}

pub fn pays(cumulative: u64, expires_at: i64) -> Payment {
    let voucher = Voucher {
        session: SESSION,
        cumulative,
        expires_at,
    };
    Payment::sign(voucher, &key()).unwrap()
}

pub fn ask(sequence: u64, cumulative: u64) -> Ask {
    Ask {
        sequence,
        model: MODEL,
        payment: pays(cumulative, i64::MAX),
    }
}

fn open(deposit: u64) -> Channel {
    Channel::new(SESSION, account(deposit), None, None, NOW)
}

/// Has it answered for this price.
pub fn serve(channel: &mut Channel, ask: &Ask, body: u8, price: u64) -> Result<Receipt, Refused> {
    let begun = channel.begin(ask, NOW)?;
    let request = Digest([body; 32]);
    let admitted = channel.admit(&begun, &request, Some(price), None);
    let answered = admitted.map(|better| {
        if let Some(payment) = better {
            channel.pay(payment);
        }
        match channel.answer(&begun, request, Digest([body; 32]), price) {
            Proof::New(receipt) => {
                let receipt = receipt.sign(&operator()).unwrap();
                let usage = Usage::default();
                channel.finish(Answered { receipt, usage }, NOW);
                receipt.receipt
            }
            Proof::Known(receipt) => receipt.receipt,
        }
    });
    channel.release();
    answered
}

#[test]
fn session_of_another_provider_generation_or_grace_is_refused() {
    assert_eq!(terms().fit(&account(1)), Ok(()));
    let other = SessionData {
        provider: SESSION,
        ..account(1)
    };
    assert_eq!(terms().fit(&other), Err(Refused::Unknown));
    let old = SessionData {
        generation: 3,
        ..account(1)
    };
    assert_eq!(terms().fit(&old), Err(Refused::Unknown));
    let short = SessionData {
        grace_secs: DAY - 1,
        ..account(1)
    };
    assert!(matches!(terms().fit(&short), Err(Refused::Grace { .. })));
}

#[test]
fn voucher_of_another_session_key_or_about_to_end_is_invalid() {
    let check = |payment: &Payment, key: &Address| terms().check(payment, &SESSION, key, NOW);
    let good = pays(5, NOW.0 + 600);
    assert_eq!(check(&good, &key().pubkey()), Ok(()));
    assert_eq!(check(&good, &SESSION), Err(PaymentError::Signature));
    let late = pays(5, NOW.0 + 599);
    let ended = check(&late, &key().pubkey());
    assert!(matches!(ended, Err(PaymentError::Expired { .. })));
    let elsewhere = terms().check(&good, &PROVIDER, &key().pubkey(), NOW);
    assert_eq!(elsewhere, Err(PaymentError::Session));
}

#[test]
fn voucher_below_the_due_is_refused() {
    let mut channel = open(1_000);
    serve(&mut channel, &ask(1, 0), 1, 40).unwrap();
    let low = channel.begin(&ask(2, 39), NOW);
    assert_eq!(low.unwrap_err(), Refused::Unpaid { paid: 39, due: 40 });
    let second = serve(&mut channel, &ask(2, 40), 2, 5).unwrap();
    assert_eq!((second.sequence, second.cumulative), (2, 45));
    assert_eq!(channel.standing().paid, 40);
}

#[test]
fn deposit_must_cover_what_is_due_and_the_request() {
    let mut channel = open(100);
    serve(&mut channel, &ask(1, 0), 1, 60).unwrap();
    let dear = serve(&mut channel, &ask(2, 60), 2, 41);
    let needed = Refused::Deposit {
        deposit: 100,
        needed: 101,
    };
    assert_eq!(dear.unwrap_err(), needed);
    assert!(!channel.is_under_way());
    let over = channel.begin(&ask(2, 101), NOW).unwrap_err();
    assert_eq!(over, needed);
    channel.see(Some(&account(101)), 7);
    serve(&mut channel, &ask(2, 60), 2, 41).unwrap();
}

#[test]
fn request_above_its_own_limit_or_beyond_all_numbers_is_refused() {
    let mut channel = open(1_000);
    let begun = channel.begin(&ask(1, 0), NOW).unwrap();
    let admit = |most, limit| channel.admit(&begun, &Digest([1; 32]), most, limit);
    let (price, limit) = (10, 9);
    assert_eq!(
        admit(Some(10), Some(9)),
        Err(Refused::Price { price, limit })
    );
    assert!(admit(Some(10), Some(10)).is_ok());
    assert!(matches!(admit(None, None), Err(Refused::Deposit { .. })));
}

#[test]
fn only_the_next_request_is_taken_and_one_at_a_time() {
    let mut channel = open(1_000);
    let refused = |sequence, next| {
        Err(Refused::Sequence {
            found: sequence,
            next,
        })
    };
    for (sequence, next) in [(0, 1), (2, 1)] {
        let taken = channel.begin(&ask(sequence, 0), NOW).map(drop);
        assert_eq!(taken, refused(sequence, next));
    }
    channel.begin(&ask(1, 0), NOW).unwrap();
    let second = channel.begin(&ask(1, 0), NOW);
    assert_eq!(second.unwrap_err(), Refused::UnderWay);
    channel.release();
    channel.begin(&ask(1, 0), NOW).unwrap();
}

#[test]
fn retry_is_free_has_the_same_receipt_and_another_body_is_refused() {
    let mut channel = open(1_000);
    serve(&mut channel, &ask(1, 0), 1, 40).unwrap();
    let second = serve(&mut channel, &ask(2, 40), 2, 7).unwrap();
    // With the voucher of the first time.
    let again = serve(&mut channel, &ask(2, 40), 2, 900).unwrap();
    assert_eq!(again, second);
    assert_eq!((channel.sequence(), channel.due()), (2, 47));
    let other = serve(&mut channel, &ask(2, 40), 3, 7).unwrap_err();
    assert_eq!(other, Refused::OtherRequest { sequence: 2 });
    let other_model = Ask {
        model: Digest([9; 32]),
        ..ask(2, 40)
    };
    let other = channel.begin(&other_model, NOW).unwrap_err();
    assert_eq!(other, Refused::OtherRequest { sequence: 2 });
    let unpaid = channel.begin(&ask(2, 39), NOW).unwrap_err();
    assert_eq!(unpaid, Refused::Unpaid { paid: 39, due: 40 });
}

#[test]
fn retry_that_gives_another_answer_replaces_the_receipt_and_never_costs_more() {
    let mut channel = open(1_000);
    let first = serve(&mut channel, &ask(1, 0), 1, 40).unwrap();
    let begun = channel.begin(&ask(1, 0), NOW).unwrap();
    let answer = |price| match channel.answer(&begun, first.request, Digest([5; 32]), price) {
        Proof::New(receipt) => receipt,
        Proof::Known(_) => panic!("another answer has another receipt"),
    };
    assert_eq!((answer(90).price, answer(90).cumulative), (40, 40));
    assert_eq!((answer(30).price, answer(30).cumulative), (30, 30));
    assert_eq!(answer(30).follows(None), Ok(()));
}

#[test]
fn best_voucher_is_kept_whatever_comes_after_it() {
    let mut channel = open(1_000);
    channel.pay(pays(50, 2_000_000));
    channel.pay(pays(50, 1_500_000));
    channel.pay(pays(49, i64::MAX));
    assert_eq!(channel.payment(), Some(&pays(50, 2_000_000)));
    channel.pay(pays(50, i64::MAX));
    channel.pay(pays(51, 1_500_000));
    assert_eq!(channel.payment(), Some(&pays(51, 1_500_000)));
}

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
    // 5 percent are the market's.
    channel.pay(pays(10_526, i64::MAX));
    assert_eq!(channel.chore(NOW, &policy(), true), None);
    channel.pay(pays(10_528, i64::MAX));
    assert_eq!(channel.chore(NOW, &policy(), true), Some(Chore::Settle));
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
    let taken = channel.begin(&ask(1, 0), NOW).unwrap_err();
    assert_eq!(taken, Refused::Closing);
    let chore = |channel: &Channel| channel.chore(NOW, &policy(), false);
    assert_eq!(chore(&channel), Some(Chore::Settle));
    channel.send();
    assert_eq!(chore(&channel), None, "it is being sent");
    channel.sent(true, NOW);
    assert_eq!(channel.settle(50_000), 50_000);
    assert_eq!(chore(&channel), Some(Chore::Close));
    // A node that is behind undoes nothing.
    assert_eq!(channel.see(Some(&account(1_000_000)), 7), Seen::Same);
    assert_eq!(chore(&channel), Some(Chore::Close));
}

#[test]
fn failed_settlement_is_tried_again_later_and_later() {
    let mut channel = open(u64::MAX);
    channel.pay(pays(5_000_000, i64::MAX));
    let at = |secs| UnixSeconds(NOW.0 + secs);
    let due = |channel: &Channel, secs| channel.chore(at(secs), &policy(), false).is_some();
    channel.send();
    channel.sent(false, at(0));
    assert!(!due(&channel, 9) && due(&channel, 10));
    channel.send();
    channel.sent(false, at(10));
    assert!(!due(&channel, 29) && due(&channel, 30));
    assert!(due(&channel, -541), "the clock was set back");
    channel.send();
    channel.sent(true, at(30));
    assert!(due(&channel, 30));
}

#[test]
fn session_is_gone_only_when_it_may_be_and_readings_miss_it_for_a_minute() {
    let mut channel = open(1_000);
    // Too young to be closed by anybody.
    assert!((0..9).all(|_| channel.see(None, 150) == Seen::Same));
    serve(&mut channel, &ask(1, 0), 1, 40).unwrap();
    assert_eq!(channel.see(None, 151), Seen::Same);
    assert_eq!(
        channel.begin(&ask(2, 40), NOW).unwrap_err(),
        Refused::Unknown
    );
    channel.see(Some(&account(1_000)), 152);
    channel.begin(&ask(2, 40), NOW).unwrap();
    assert!((153..310).all(|slot| channel.see(None, slot) == Seen::Same));
    channel.release();
    assert_eq!(channel.see(None, 310), Seen::Gone);
    channel.see(Some(&account(1_000)), 311);
    assert!((312..=462).all(|slot| channel.see(None, slot) == Seen::Same));
    assert_eq!(channel.see(None, 463), Seen::Gone);
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
    assert_eq!(channel.see(None, 302), Seen::Gone);
}

#[test]
fn close_waits_until_the_program_takes_it() {
    let mut channel = open(1_000);
    let closing = SessionData {
        status: SessionStatus::CloseRequested as u8,
        ..account(1_000)
    };
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
fn session_of_lost_books_is_not_served_again_from_nothing() {
    let settled = SessionData {
        settled: 700,
        ..account(1_000)
    };
    let mut channel = Channel::new(SESSION, settled, None, None, NOW);
    let refused = serve(&mut channel, &ask(1, 0), 1, 100);
    assert_eq!(
        refused,
        Err(Refused::Forgotten {
            settled: 700,
            known: 0
        })
    );
    // A requester that paid ahead is served on.
    let mut ahead = Channel::new(SESSION, settled, Some(pays(700, i64::MAX)), None, NOW);
    serve(&mut ahead, &ask(1, 700), 1, 100).unwrap();
}
