//! One session as its provider keeps it: what was paid, what was answered, and what comes next.
//!
//! Nothing here reads a clock, a disk or the chain. What it says is to be kept is written down before it is acted upon.

use std::ops::Range;

use assay_client::{
    protocol::{Address, Digest, SessionData, UnixSeconds},
    session::{Payment, PaymentError, Receipt, SignedReceipt, Standing, Usage},
};

mod chores;
mod lost;
mod refused;
mod sight;
mod vouchers;

#[cfg(test)]
mod random;
#[cfg(test)]
pub(crate) mod tests;

pub use chores::{Chore, Left, SettlePolicy};
pub use lost::{LostRun, LostRuns};
pub use refused::Refused;
pub use sight::Seen;

/// Times that an answer which is not in memory any more is computed again, since it is paid for once.
const REPEATS: u8 = 2;

/// What a session must be to be served.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Our account.
    pub provider: Address,
    /// Of our account.
    pub generation: u64,
    pub min_grace_secs: u32,
    /// Vouchers that end sooner than this are not taken.
    pub min_voucher_secs: u32,
}

impl Terms {
    /// Whether this account is a session that is served here.
    ///
    /// # Errors
    /// [`Refused::Unknown`] for another provider's, [`Refused::Grace`].
    pub fn fit(&self, data: &SessionData) -> Result<(), Refused> {
        if !self.settles(data) {
            return Err(Refused::Unknown);
        }
        if data.grace_secs < self.min_grace_secs {
            return Err(Refused::Grace {
                found: data.grace_secs,
                least: self.min_grace_secs,
            });
        }
        Ok(())
    }

    /// Whether its vouchers can be settled to our account.
    pub fn settles(&self, data: &SessionData) -> bool {
        data.provider == self.provider && data.generation == self.generation
    }

    /// Checks a voucher's session, end and signature.
    ///
    /// # Errors
    /// Those of [`Payment::check`].
    pub fn check(
        &self,
        payment: &Payment,
        session: &Address,
        session_key: &Address,
        now: UnixSeconds,
    ) -> Result<(), PaymentError> {
        let needed = now.0.saturating_add(i64::from(self.min_voucher_secs));
        payment.check(session, session_key, UnixSeconds(needed))
    }
}

/// What a request says of itself before its body.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub sequence: u64,
    pub model: Digest,
    /// Checked with [`Terms::check`].
    pub payment: Payment,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub ask: Ask,
    /// It was answered before.
    pub is_retry: bool,
}

/// An answer and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub receipt: SignedReceipt,
    pub usage: Usage,
}

/// What goes with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// To be signed and kept.
    New(Receipt),
    /// The same answer as before.
    Known(SignedReceipt),
}

/// A session.
#[derive(Clone, Debug)]
pub struct Channel {
    session: Address,
    account: SessionData,
    /// The best voucher.
    payment: Option<Payment>,
    last: Option<Answered>,
    under_way: bool,
    /// Times that the last answer was computed again.
    repeats: u8,
    /// Of the last request, or of the start.
    used_at: UnixSeconds,
    /// Of the newest reading; 0 if there was none since the start.
    slot: u64,
    /// Of the first reading that showed no account, of those since it was last seen.
    missing_since: Option<u64>,
    /// Of the earliest reading that took back what was known, of those since one agreed with it.
    doubted_since: Option<u64>,
    /// Of the reading that changed the account; none once another has agreed with it.
    changed_at: Option<u64>,
    /// Lamports of the deposit that readings at two slots agree on.
    sure_deposit: u64,
    /// Lamports that a settlement of ours has settled, or was refused for as settled.
    proven: u64,
    /// A settlement or a close is being sent.
    sending_since: Option<UnixSeconds>,
    /// A close has landed. Until readings have missed the account for long enough, the chain may take it back.
    closed: bool,
    /// Of those, in a row.
    failures: u32,
    /// Unix seconds from the last of them to the next try.
    pause: Range<i64>,
}

impl Channel {
    /// A session as it was read, or as it was kept.
    pub fn new(
        session: Address,
        account: SessionData,
        payment: Option<Payment>,
        last: Option<Answered>,
        now: UnixSeconds,
    ) -> Self {
        Self {
            session,
            account,
            payment,
            last,
            under_way: false,
            repeats: 0,
            used_at: now,
            slot: 0,
            missing_since: None,
            doubted_since: None,
            changed_at: None,
            sure_deposit: account.deposit,
            proven: 0,
            sending_since: None,
            closed: false,
            failures: 0,
            pause: 0..0,
        }
    }

    pub fn account(&self) -> &SessionData {
        &self.account
    }

    pub fn session_key(&self) -> Address {
        self.account.session_key
    }

    pub fn payment(&self) -> Option<&Payment> {
        self.payment.as_ref()
    }

    pub fn last(&self) -> Option<&Answered> {
        self.last.as_ref()
    }

    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    pub fn used_at(&self) -> UnixSeconds {
        self.used_at
    }

    /// Requests answered so far.
    pub fn sequence(&self) -> u64 {
        self.last.map_or(0, |last| last.receipt.receipt.sequence)
    }

    /// Lamports of all answers.
    pub fn due(&self) -> u64 {
        self.last.map_or(0, |last| last.receipt.receipt.cumulative)
    }

    /// Lamports of the best voucher.
    pub fn paid(&self) -> u64 {
        self.payment.map_or(0, |payment| payment.voucher.cumulative)
    }

    pub fn standing(&self) -> Standing {
        Standing {
            sequence: self.sequence(),
            due: self.due(),
            paid: self.paid(),
            receipt: self.last.map(|last| last.receipt),
        }
    }

    /// Begins a request: it is the only one until [`Channel::release`].
    ///
    /// # Errors
    /// Why it is not taken; then nothing has changed.
    pub fn begin(
        &mut self,
        ask: &Ask,
        now: UnixSeconds,
        policy: &SettlePolicy,
    ) -> Result<Begun, Refused> {
        self.require_served()?;
        if self.is_stuck(&ask.payment, now, policy) {
            let lamports = self.unsettled();
            return Err(Refused::Unsettled { lamports });
        }
        self.take(ask, now)
    }

    /// The same for an answer that is in memory. It was charged for, so it is given even where nothing more is served.
    ///
    /// # Errors
    /// Those of [`Channel::begin`].
    pub fn take(&mut self, ask: &Ask, now: UnixSeconds) -> Result<Begun, Refused> {
        if self.under_way {
            return Err(Refused::UnderWay);
        }
        let (next, found) = (self.sequence().saturating_add(1), ask.sequence);
        let retried = self
            .last
            .filter(|last| last.receipt.receipt.sequence == found);
        let due = match retried {
            Some(last) if last.receipt.receipt.model == ask.model => before(&last.receipt.receipt),
            Some(_) => return Err(Refused::OtherRequest { sequence: found }),
            None if found == next => self.due(),
            None => return Err(Refused::Sequence { found, next }),
        };
        self.require_paid(&ask.payment, due)?;
        self.under_way = true;
        self.used_at = now;
        Ok(Begun {
            ask: *ask,
            is_retry: retried.is_some(),
        })
    }

    /// Judges a request by its body: `most` is what it may cost, `limit` what it says that it may. Returns the voucher
    /// if it is better than the one before: to be kept before the request is served.
    ///
    /// # Errors
    /// Why it is not served.
    pub fn admit(
        &self,
        begun: &Begun,
        request: &Digest,
        most: Option<u64>,
        limit: Option<u64>,
    ) -> Result<Option<Payment>, Refused> {
        let sequence = begun.ask.sequence;
        if begun.is_retry {
            if self.last.map(|last| last.receipt.receipt.request) != Some(*request) {
                return Err(Refused::OtherRequest { sequence });
            }
        } else {
            let (price, limit) = (most.unwrap_or(u64::MAX), limit.unwrap_or(u64::MAX));
            if price > limit {
                return Err(Refused::Price { price, limit });
            }
            let (deposit, needed) = (self.account.deposit, self.due().saturating_add(price));
            if needed > deposit {
                return Err(Refused::Deposit { deposit, needed });
            }
        }
        Ok(Some(begun.ask.payment).filter(|payment| self.is_better(payment)))
    }

    /// Counts that the last answer is computed again.
    ///
    /// # Errors
    /// [`Refused::Repeated`] once it was computed too often.
    pub fn repeat(&mut self) -> Result<(), Refused> {
        if self.repeats >= REPEATS {
            let sequence = self.sequence();
            return Err(Refused::Repeated { sequence });
        }
        self.repeats = self.repeats.saturating_add(1);
        Ok(())
    }

    /// What goes with an answer. A retry never costs more than before.
    pub fn answer(&self, begun: &Begun, request: Digest, response: Digest, price: u64) -> Proof {
        let (session, sequence, model) = (self.session, begun.ask.sequence, begun.ask.model);
        let last = self.last.map(|last| last.receipt);
        if begun.is_retry
            && let Some(known) = last
        {
            let former = known.receipt;
            if former.response == response {
                return Proof::Known(known);
            }
            let price = price.min(former.price);
            return Proof::New(Receipt {
                response,
                price,
                cumulative: before(&former).saturating_add(price),
                ..former
            });
        }
        Proof::New(Receipt {
            session,
            sequence,
            model,
            request,
            response,
            price,
            cumulative: self.due().saturating_add(price),
            previous: last.map_or(Digest([0; 32]), |last| last.receipt.digest()),
        })
    }

    /// Notes an answer that is kept.
    pub fn finish(&mut self, answered: Answered, now: UnixSeconds) {
        if answered.receipt.receipt.sequence != self.sequence() {
            self.repeats = 0;
        }
        self.last = Some(answered);
        self.used_at = now;
    }

    /// The request under way has ended, whether it was answered or not.
    pub fn release(&mut self) {
        self.under_way = false;
    }
}

/// What was due before this answer.
fn before(receipt: &Receipt) -> u64 {
    receipt.cumulative.saturating_sub(receipt.price)
}
