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

pub fn open(deposit: u64) -> Channel {
    Channel::new(SESSION, account(deposit), None, None, NOW)
}

/// Has it answered for this price.
pub fn serve(channel: &mut Channel, ask: &Ask, body: u8, price: u64) -> Result<Receipt, Refused> {
    let begun = channel.begin(ask, NOW, &policy())?;
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
    let low = channel.begin(&ask(2, 39), NOW, &policy());
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
    let over = channel.begin(&ask(2, 101), NOW, &policy()).unwrap_err();
    assert_eq!(over, needed);
    channel.see(Some(&account(101)), 7);
    serve(&mut channel, &ask(2, 60), 2, 41).unwrap();
}

#[test]
fn request_above_its_own_limit_or_beyond_all_numbers_is_refused() {
    let mut channel = open(1_000);
    let begun = channel.begin(&ask(1, 0), NOW, &policy()).unwrap();
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
        let taken = channel.begin(&ask(sequence, 0), NOW, &policy()).map(drop);
        assert_eq!(taken, refused(sequence, next));
    }
    channel.begin(&ask(1, 0), NOW, &policy()).unwrap();
    let second = channel.begin(&ask(1, 0), NOW, &policy());
    assert_eq!(second.unwrap_err(), Refused::UnderWay);
    channel.release();
    channel.begin(&ask(1, 0), NOW, &policy()).unwrap();
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
    let other = channel.begin(&other_model, NOW, &policy()).unwrap_err();
    assert_eq!(other, Refused::OtherRequest { sequence: 2 });
    let unpaid = channel.begin(&ask(2, 39), NOW, &policy()).unwrap_err();
    assert_eq!(unpaid, Refused::Unpaid { paid: 39, due: 40 });
}

#[test]
fn retry_that_gives_another_answer_replaces_the_receipt_and_never_costs_more() {
    let mut channel = open(1_000);
    let first = serve(&mut channel, &ask(1, 0), 1, 40).unwrap();
    let begun = channel.begin(&ask(1, 0), NOW, &policy()).unwrap();
    let answer = |price| match channel.answer(&begun, first.request, Digest([5; 32]), price) {
        Proof::New(receipt) => receipt,
        Proof::Known(_) => panic!("another answer has another receipt"),
    };
    assert_eq!((answer(90).price, answer(90).cumulative), (40, 40));
    assert_eq!((answer(30).price, answer(30).cumulative), (30, 30));
    assert_eq!(answer(30).follows(None), Ok(()));
}

#[test]
fn session_is_gone_only_when_it_may_be_and_readings_miss_it_for_a_minute() {
    let mut channel = open(1_000);
    // Too young to be closed by anybody.
    assert!((0..9).all(|_| channel.see(None, 150) == Seen::Same));
    serve(&mut channel, &ask(1, 0), 1, 40).unwrap();
    assert_eq!(channel.see(None, 151), Seen::Same);
    assert_eq!(
        channel.begin(&ask(2, 40), NOW, &policy()).unwrap_err(),
        Refused::Unknown
    );
    channel.see(Some(&account(1_000)), 152);
    channel.begin(&ask(2, 40), NOW, &policy()).unwrap();
    assert!((153..310).all(|slot| channel.see(None, slot) == Seen::Same));
    channel.release();
    assert_eq!(channel.see(None, 310), Seen::Gone);
    channel.see(Some(&account(1_000)), 311);
    assert!((312..=462).all(|slot| channel.see(None, slot) == Seen::Same));
    assert_eq!(channel.see(None, 463), Seen::Gone);
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
