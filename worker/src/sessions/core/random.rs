//! Random requesters, nodes and restarts: each side risks the price of one request, whatever they do.

use std::collections::BTreeMap;

use assay_client::protocol::{Error, SessionStatus};
use proptest::prelude::*;

use super::{
    tests::{MODEL, NOW, SESSION, account, operator, pays, policy, terms},
    *,
};

#[derive(Clone, Debug)]
enum Step {
    /// A request with a voucher so much above or below what is due, and one of two bodies.
    Request {
        ahead: i64,
        off: i64,
        body: bool,
        price: u64,
        end: End,
    },
    Settle,
    TopUp(u64),
    RequestClose,
    Reading,
    /// A node that shows nothing.
    Missing,
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Answered,
    /// Nothing was shown.
    Aborted,
    /// The process dies before the receipt is kept, or after.
    Killed,
    KilledAfter,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![
        6 => Just(End::Answered), 1 => Just(End::Aborted), 1 => Just(End::Killed),
        1 => Just(End::KilledAfter),
    ];
    let off = prop_oneof![4 => Just(0_i64), 1 => -60_i64..60, 1 => Just(100_000)];
    let ahead = prop_oneof![6 => Just(1_i64), 3 => Just(0), 1 => -1_i64..3];
    let request = (ahead, off, any::<bool>(), 0_u64..50_000, end).prop_map(
        |(ahead, off, body, price, end)| Step::Request {
            ahead,
            off,
            body,
            price,
            end,
        },
    );
    let step = prop_oneof![
        12 => request,
        2 => Just(Step::Settle),
        1 => (1_u64..100_000).prop_map(Step::TopUp),
        1 => Just(Step::RequestClose),
        2 => Just(Step::Reading),
        1 => Just(Step::Missing),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

struct World {
    chain: SessionData,
    /// Of the last reading.
    slot: u64,
    channel: Channel,
    /// What the disk has.
    payment: Option<Payment>,
    last: Option<Answered>,
    /// The newest receipt of each request, as signed.
    receipts: BTreeMap<u64, Receipt>,
    /// Of what was given to the requester, by request: the highest price ever asked.
    asked: BTreeMap<u64, u64>,
}

impl World {
    fn new() -> Self {
        let chain = account(200_000);
        Self {
            chain,
            slot: 1_000,
            channel: Channel::new(SESSION, chain, None, None, NOW),
            payment: None,
            last: None,
            receipts: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    fn restart(&mut self) {
        // The account as it was at first, as if nothing newer had been kept.
        let old = account(200_000);
        self.channel = Channel::new(SESSION, old, self.payment, self.last, NOW);
        self.read();
    }

    fn read(&mut self) {
        self.slot += 1;
        self.channel.see(Some(&self.chain), self.slot);
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Request {
                ahead,
                off,
                body,
                price,
                end,
            } => self.request((*ahead, *off), *body, *price, *end),
            Step::Settle => self.settle(),
            Step::TopUp(amount) => {
                let _ = self.chain.add(assay_client::protocol::Lamports(*amount));
            }
            Step::RequestClose => {
                let _ = self.chain.request_close(NOW);
            }
            Step::Reading => self.read(),
            Step::Missing => {
                self.channel.see(None, self.slot);
                self.read();
            }
            Step::Restart => self.restart(),
        }
    }

    fn request(&mut self, (ahead, off): (i64, i64), body: bool, price: u64, end: End) {
        let sequence = self.channel.sequence().saturating_add_signed(ahead);
        let payment = pays(self.channel.due().saturating_add_signed(off), i64::MAX);
        let key = self.channel.session_key();
        terms().check(&payment, &SESSION, &key, NOW).unwrap();
        let ask = Ask {
            sequence,
            model: MODEL,
            payment,
        };
        let (paid, due) = (self.channel.paid(), self.channel.due());
        let Ok(begun) = self.channel.begin(&ask, NOW, &policy()) else {
            assert!(!self.channel.is_under_way());
            return;
        };
        assert_ne!(
            self.channel.account().status,
            SessionStatus::CloseRequested as u8
        );
        let second = self.channel.begin(&ask, NOW, &policy());
        assert_eq!(second.unwrap_err(), Refused::UnderWay);
        let request = Digest([u8::from(body); 32]);
        let Ok(better) = self.channel.admit(&begun, &request, Some(price), None) else {
            self.channel.release();
            return;
        };
        if let Some(payment) = better {
            self.payment = Some(payment);
            self.channel.pay(payment);
        }
        assert!(self.channel.paid() >= paid);
        if !begun.is_retry {
            assert!(self.channel.paid() >= due, "what came before is paid");
        }
        match end {
            End::Aborted => self.channel.release(),
            End::Killed => self.restart(),
            End::Answered | End::KilledAfter => {
                self.answer(&begun, request, price);
                if matches!(end, End::KilledAfter) {
                    self.restart();
                } else {
                    self.channel.release();
                }
            }
        }
    }

    fn answer(&mut self, begun: &Begun, request: Digest, price: u64) {
        let before = self.channel.due();
        // Prices tell answers apart.
        let mut response = [1; 32];
        response[..8].copy_from_slice(&price.to_le_bytes());
        let receipt = match self.channel.answer(begun, request, Digest(response), price) {
            Proof::Known(receipt) => receipt,
            Proof::New(receipt) => receipt.sign(&operator()).unwrap(),
        };
        let usage = Usage::default();
        let answered = Answered { receipt, usage };
        self.last = Some(answered);
        self.channel.finish(answered, NOW);
        let receipt = receipt.receipt;
        let previous = self.receipts.get(&receipt.sequence.saturating_sub(1));
        receipt.follows(previous).unwrap();
        if begun.is_retry {
            assert!(self.channel.due() <= before, "a retry is free");
        }
        let asked = self.asked.entry(receipt.sequence).or_insert(receipt.price);
        assert!(receipt.price <= *asked);
        self.receipts.insert(receipt.sequence, receipt);
    }

    fn settle(&mut self) {
        let Some(chore) = self.channel.chore(NOW, &policy(), true) else {
            return;
        };
        self.channel.send(NOW);
        let landed = match (chore, self.channel.payment()) {
            (Chore::Settle, Some(payment)) => {
                let cumulative = payment.voucher.cumulative;
                match self.chain.settle(&payment.voucher, NOW) {
                    Ok(_) => {
                        self.channel.settle(cumulative);
                    }
                    // Whatever was taken can be settled.
                    Err(error) => {
                        assert_eq!(error, Error::VoucherNotAbove);
                        self.channel.prove(cumulative);
                    }
                }
                true
            }
            (Chore::Settle, None) => false,
            (Chore::Close, _) => {
                let lost = self.channel.paid().saturating_sub(self.chain.settled);
                assert!(lost < 10_600, "{lost} are worth a settlement");
                assert_ne!(self.chain.status, SessionStatus::Open as u8);
                false
            }
        };
        self.channel.sent(landed, NOW);
    }

    fn check(&self) {
        let sum: u64 = self.receipts.values().map(|receipt| receipt.price).sum();
        assert_eq!(self.channel.due(), sum, "each request is charged once");
        let last = self.last.map_or(0, |last| last.receipt.receipt.price);
        let risked = sum.saturating_sub(self.channel.paid());
        assert!(risked <= last, "{risked} of {last}");
        assert!(self.channel.paid() <= self.chain.deposit);
        assert!(self.chain.settled <= self.channel.paid());
        assert_eq!(self.payment, self.channel.payment().copied());
    }
}

proptest! {
    #[test]
    fn each_side_risks_one_request_and_receipts_chain(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.check();
        }
    }
}
