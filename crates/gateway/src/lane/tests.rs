use assay_client::{
    protocol::{Address, Digest},
    session::{Receipt, ReceiptError, SignedReceipt, Standing},
};
use proptest::prelude::*;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Asked, Cannot, Claim, Doubt, Lane, Resolved};

const SESSION: Address = Address::new_from_array([1; 32]);
const MODEL: Digest = Digest([2; 32]);
const ANSWER: Digest = Digest([3; 32]);
const DEPOSIT: u64 = 1_000_000;

fn operator() -> Keypair {
    Keypair::new_from_array([7; 32])
}

fn lane() -> Lane {
    Lane::new(SESSION, operator().pubkey(), None, None)
}

fn request(number: u64) -> Digest {
    Receipt::request_digest("run", &number.to_le_bytes())
}

fn asked(number: u64) -> Asked {
    Asked {
        model: MODEL,
        request: request(number),
    }
}

/// The receipt that an honest provider gives.
fn honest(doubt: &Doubt, price: u64, previous: Option<&SignedReceipt>) -> Receipt {
    Receipt {
        session: SESSION,
        sequence: doubt.sequence,
        model: doubt.asked.model,
        request: doubt.asked.request,
        response: ANSWER,
        price,
        cumulative: previous.map_or(0, |last| last.receipt.cumulative) + price,
        previous: previous.map_or(Digest([0; 32]), |last| last.receipt.digest()),
    }
}

fn sign(receipt: Receipt) -> SignedReceipt {
    receipt.sign(&operator()).unwrap()
}

fn standing(receipt: Option<SignedReceipt>) -> Standing {
    Standing {
        sequence: receipt.map_or(0, |signed| signed.receipt.sequence),
        due: receipt.map_or(0, |signed| signed.receipt.cumulative),
        paid: 0,
        receipt,
    }
}

#[test]
fn each_request_is_paid_for_with_the_next_one() {
    let mut lane = lane();
    let mut last = None;
    for number in 1..=3 {
        assert_eq!(lane.due(), (number - 1) * 40);
        let doubt = lane.ask(asked(number), 50, DEPOSIT).unwrap();
        assert_eq!(doubt.sequence, number);
        assert_eq!(lane.ask(asked(9), 50, DEPOSIT), Err(Cannot::InDoubt));
        let signed = sign(honest(&doubt, 40, last.as_ref()));
        assert_eq!(lane.accept(&signed, &doubt.asked, &ANSWER, 50), Ok(40));
        last = Some(signed);
    }
    assert_eq!((lane.sequence(), lane.due()), (3, 120));
}

#[test]
fn deposit_must_cover_what_is_due_and_the_request() {
    let mut lane = lane();
    let doubt = lane.ask(asked(1), 60, 100).unwrap();
    let signed = sign(honest(&doubt, 60, None));
    lane.accept(&signed, &doubt.asked, &ANSWER, 60).unwrap();
    assert_eq!(
        lane.ask(asked(2), 60, 100),
        Err(Cannot::Deposit { missing: 20 })
    );
    assert!(lane.ask(asked(2), 40, 100).is_ok());
}

#[test]
fn answer_must_not_cost_more_than_what_came() {
    let mut lane = lane();
    let doubt = lane.ask(asked(1), 100, DEPOSIT).unwrap();
    let signed = sign(honest(&doubt, 41, None));
    assert_eq!(
        lane.accept(&signed, &doubt.asked, &ANSWER, 40),
        Err(ReceiptError::Price {
            price: 41,
            limit: 40
        })
    );
}

#[test]
fn receipt_in_the_standing_is_paid_once_it_is_taken() {
    let mut lane = lane();
    let doubt = lane.ask(asked(1), 50, DEPOSIT).unwrap();
    let signed = sign(honest(&doubt, 40, None));
    assert_eq!(
        lane.resolve(&standing(Some(signed))),
        Ok(Resolved::Claimed(Box::new(signed)))
    );
    assert_eq!((lane.sequence(), lane.due()), (0, 0));
    lane.take(&signed);
    assert_eq!((lane.sequence(), lane.due()), (1, 40));
    assert_eq!(lane.resolve(&standing(Some(signed))), Ok(Resolved::Free));
}

#[test]
fn answer_to_the_request_before_is_none_to_this_one() {
    let mut lane = lane();
    let first = lane.ask(asked(1), 50, DEPOSIT).unwrap();
    assert_eq!(lane.resolve(&standing(None)), Ok(Resolved::Free));
    let second = lane.ask(asked(2), 50, DEPOSIT).unwrap();
    let signed = sign(honest(&first, 40, None));
    assert_eq!(
        lane.accept(&signed, &second.asked, &ANSWER, 50),
        Err(ReceiptError::Differs("request"))
    );
    // Asked for again, it is what it says.
    assert_eq!(lane.accept(&signed, &first.asked, &ANSWER, 50), Ok(40));
}

#[test]
fn request_that_never_arrived_is_free() {
    let mut lane = lane();
    lane.ask(asked(1), 50, DEPOSIT).unwrap();
    assert_eq!(lane.resolve(&standing(None)), Ok(Resolved::Free));
    assert_eq!((lane.sequence(), lane.due()), (0, 0));
    assert!(lane.ask(asked(2), 50, DEPOSIT).is_ok());
}

#[test]
fn request_broken_off_may_be_charged_late_instead_of_the_one_after_it() {
    let mut lane = lane();
    let first = lane.ask(asked(1), 50, DEPOSIT).unwrap();
    // The provider has not noticed the end of the first one yet.
    assert_eq!(lane.resolve(&standing(None)), Ok(Resolved::Free));
    lane.ask(asked(2), 50, DEPOSIT).unwrap();
    let signed = sign(honest(&first, 30, None));
    assert_eq!(
        lane.resolve(&standing(Some(signed))),
        Ok(Resolved::Claimed(Box::new(signed)))
    );
    lane.take(&signed);
    // The second one was not begun: it is asked again under the next number.
    let second = lane.ask(asked(2), 50, DEPOSIT).unwrap();
    assert_eq!((second.sequence, lane.due()), (2, 30));
}

#[test]
fn same_input_for_another_model_is_another_request() {
    let mut lane = lane();
    let first = lane.ask(asked(1), 50, DEPOSIT).unwrap();
    assert_eq!(lane.resolve(&standing(None)), Ok(Resolved::Free));
    let other = Asked {
        model: Digest([9; 32]),
        ..first.asked
    };
    lane.ask(other, 20, DEPOSIT).unwrap();
    let signed = sign(honest(&first, 40, None));
    assert_eq!(
        lane.resolve(&standing(Some(signed))),
        Ok(Resolved::Claimed(Box::new(signed))),
        "at the price of the first"
    );
    let for_the_other = lane.accept(&signed, &other, &ANSWER, 50);
    assert_eq!(for_the_other, Err(ReceiptError::Differs("model")));
}

#[test]
fn standing_that_claims_anything_else_is_not_believed() {
    let ask = || {
        let mut lane = lane();
        let doubt = lane.ask(asked(1), 50, DEPOSIT).unwrap();
        (lane, doubt)
    };
    let (mut other, doubt) = ask();
    let foreign = sign(Receipt {
        request: request(8),
        ..honest(&doubt, 40, None)
    });
    assert_eq!(
        other.resolve(&standing(Some(foreign))),
        Err(Claim::Receipt(ReceiptError::Differs("request")))
    );
    let (mut dear, doubt) = ask();
    let costly = sign(honest(&doubt, 51, None));
    assert!(matches!(
        dear.resolve(&standing(Some(costly))),
        Err(Claim::Receipt(ReceiptError::Price { .. }))
    ));
    let (mut count, doubt) = ask();
    let far = sign(Receipt {
        sequence: 3,
        ..honest(&doubt, 40, None)
    });
    assert_eq!(
        count.resolve(&standing(Some(far))),
        Err(Claim::Count { found: 3, known: 0 })
    );
    let (mut due, doubt) = ask();
    let claim = Standing {
        due: 41,
        ..standing(Some(sign(honest(&doubt, 40, None))))
    };
    assert_eq!(
        due.resolve(&claim),
        Err(Claim::Due {
            found: 41,
            known: 40
        })
    );
    let (mut behind, doubt) = ask();
    behind
        .accept(&sign(honest(&doubt, 40, None)), &doubt.asked, &ANSWER, 50)
        .unwrap();
    assert_eq!(
        behind.resolve(&standing(None)),
        Err(Claim::Count { found: 0, known: 1 })
    );
}

/// What a provider does with one request.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Honest,
    Refuse,
    /// Charges, and the answer is lost; the standing tells.
    Lose,
    /// Keeps the voucher and says nothing, as if the request had not come.
    Deny,
    Price,
    Request,
    Answer,
    Sum,
    Fork,
    Number,
    Key,
    /// Says in its standing that more is due.
    Due,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => Just(Deed::Honest),
        1 => prop::sample::select(vec![
            Deed::Refuse, Deed::Lose, Deed::Deny, Deed::Price, Deed::Request, Deed::Answer,
            Deed::Sum, Deed::Fork, Deed::Number, Deed::Key, Deed::Due,
        ]),
    ]
}

fn forged(deed: Deed, doubt: &Doubt, price: u64, last: Option<&SignedReceipt>) -> SignedReceipt {
    let good = honest(doubt, price, last);
    let bad = match deed {
        Deed::Price => honest(doubt, doubt.max_price + 1, last),
        Deed::Request => Receipt {
            request: request(u64::MAX),
            ..good
        },
        Deed::Answer => Receipt {
            response: Digest([9; 32]),
            ..good
        },
        Deed::Sum => Receipt {
            cumulative: good.cumulative + 1,
            ..good
        },
        Deed::Fork => Receipt {
            previous: Digest([9; 32]),
            ..good
        },
        Deed::Number => Receipt {
            sequence: good.sequence + 1,
            ..good
        },
        Deed::Honest | Deed::Refuse | Deed::Lose | Deed::Deny | Deed::Key | Deed::Due => good,
    };
    if matches!(deed, Deed::Key) {
        bad.sign(&Keypair::new_from_array([8; 32])).unwrap()
    } else {
        sign(bad)
    }
}

proptest! {
    /// Whatever a provider does, the vouchers that it holds add up to answers that came or were agreed to, and it
    /// gains the price of at most one request that was not answered.
    #[test]
    fn lying_provider_gains_at_most_one_request(
        deeds in prop::collection::vec((deed(), 1_u64..1_000, 0_u64..1_000), 1..40),
    ) {
        let mut lane = lane();
        let (mut last, mut voucher, mut answered, mut unanswered) = (None, 0, 0, 0);
        let mut dearest = 0;
        for (number, (deed, price, room)) in (1..).zip(deeds) {
            let max_price = price + room;
            dearest = dearest.max(max_price);
            // The voucher goes out with the request, whatever comes of it.
            let due = lane.due();
            let doubt = lane.ask(asked(number), max_price, DEPOSIT).unwrap();
            prop_assert!(due >= voucher);
            voucher = due;
            prop_assert!(voucher <= answered + unanswered);
            let signed = forged(deed, &doubt, price, last.as_ref());
            let told = match deed {
                Deed::Refuse => { lane.refused(); continue }
                Deed::Deny => lane.resolve(&standing(last)).map(|_| ()).map_err(|_| ()),
                Deed::Lose => {
                    let resolved = lane.resolve(&standing(Some(signed))).unwrap();
                    prop_assert_eq!(resolved, Resolved::Claimed(Box::new(signed)));
                    lane.take(&signed);
                    unanswered = price;
                    last = Some(signed);
                    // A lost answer is asked for again or given up with the provider; here it is given up.
                    Err(())
                }
                Deed::Due => {
                    let more = Standing { due: lane.due() + price + 1, ..standing(Some(signed)) };
                    lane.resolve(&more).map(|_| ()).map_err(|_| ())
                }
                Deed::Honest => {
                    answered += lane.accept(&signed, &doubt.asked, &ANSWER, max_price).unwrap();
                    last = Some(signed);
                    Ok(())
                }
                Deed::Price | Deed::Request | Deed::Answer | Deed::Sum | Deed::Fork | Deed::Number
                | Deed::Key => lane.accept(&signed, &doubt.asked, &ANSWER, max_price).map(|_| ()).map_err(|_| ()),
            };
            if matches!(deed, Deed::Honest | Deed::Deny) {
                prop_assert_eq!(told, Ok(()));
            } else {
                prop_assert_eq!(told, Err(()), "{:?} went through", deed);
                break;
            }
        }
        // The last voucher that can ever be signed.
        prop_assert!(lane.due() <= answered + unanswered);
        prop_assert!(unanswered <= dearest);
    }
}
