//! One session as a lane for one request at a time: what is paid next, and which receipts are worth it.
//!
//! Decides and does nothing else. A voucher is always over the sum of the accepted receipts, never more; so a provider
//! that lies can gain the price of the one request that was under way, and that only if its receipt says what was
//! asked at a price that was agreed to. What its answer has to do with it is for the caller to see.

use assay_client::{
    protocol::{Address, Digest},
    session::{Receipt, ReceiptError, SignedReceipt, Standing, Terms},
};

pub mod wire;
pub mod worth;

#[cfg(test)]
mod tests;

/// What a request is about. Two models can be given the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// sha256 of the model's file.
    pub model: Digest,
    /// See [`assay_client::session::Receipt::request_digest`].
    pub request: Digest,
}

impl From<&Receipt> for Asked {
    fn from(receipt: &Receipt) -> Self {
        Self {
            model: receipt.model,
            request: receipt.request,
        }
    }
}

/// A request that was sent and whose receipt has not been accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub sequence: u64,
    pub asked: Asked,
    /// Lamports that were agreed to, at most.
    pub max_price: u64,
}

/// The state of a session with its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    session: Address,
    operator: Address,
    last: Option<SignedReceipt>,
    doubt: Option<Doubt>,
    /// A request of the next number that its provider said is free: it may not have seen its end yet, and charge it.
    earlier: Option<Doubt>,
}

/// Why no request can go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cannot {
    #[error("the request before this one has no receipt yet")]
    InDoubt,
    #[error("the deposit is {missing} lamports short")]
    Deposit { missing: u64 },
}

/// What came of the request in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It was not charged.
    Free,
    /// The provider says that it was, with this receipt, which fits but for the answer: [`Lane::take`] pays it.
    Claimed(Box<SignedReceipt>),
}

/// Why a provider's word on a session is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Claim {
    #[error("the provider counts {found} requests where {known} are known")]
    Count { found: u64, known: u64 },
    #[error("the provider's last receipt is not the one that was accepted")]
    Last,
    #[error("the provider asks for {found} lamports where its receipts say {known}")]
    Due { found: u64, known: u64 },
    #[error("{0}")]
    Receipt(#[from] ReceiptError),
}

impl Lane {
    /// A session as the ledger has it.
    pub const fn new(
        session: Address,
        operator: Address,
        last: Option<SignedReceipt>,
        doubt: Option<Doubt>,
    ) -> Self {
        Self {
            session,
            operator,
            last,
            doubt,
            earlier: None,
        }
    }

    /// The session's account.
    pub const fn session(&self) -> &Address {
        &self.session
    }

    /// Who signs its receipts.
    pub const fn operator(&self) -> &Address {
        &self.operator
    }

    /// Follows a change of the provider's operator on chain.
    pub const fn set_operator(&mut self, operator: Address) {
        self.operator = operator;
    }

    /// Requests with an accepted receipt.
    pub fn sequence(&self) -> u64 {
        self.last.map_or(0, |last| last.receipt.sequence)
    }

    /// Lamports of the next voucher: what the accepted receipts add up to.
    pub fn due(&self) -> u64 {
        self.last.map_or(0, |last| last.receipt.cumulative)
    }

    /// The request in doubt.
    pub const fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// This request, if it was sent and may still be charged.
    pub fn pending(&self, asked: &Asked) -> Option<&Doubt> {
        let doubts = [self.doubt.as_ref(), self.earlier.as_ref()];
        doubts
            .into_iter()
            .flatten()
            .find(|doubt| doubt.asked == *asked)
    }

    /// Lamports that `deposit` lacks for a request of this price.
    pub fn missing(&self, deposit: u64, max_price: u64) -> u64 {
        self.due().saturating_add(max_price).saturating_sub(deposit)
    }

    /// Begins the next request. It is in doubt until its receipt is accepted or it is known to be free.
    ///
    /// # Errors
    /// While another is in doubt, or when the deposit does not cover it.
    pub fn ask(&mut self, asked: Asked, max_price: u64, deposit: u64) -> Result<Doubt, Cannot> {
        if self.doubt.is_some() {
            return Err(Cannot::InDoubt);
        }
        let missing = self.missing(deposit, max_price);
        if missing > 0 {
            return Err(Cannot::Deposit { missing });
        }
        let doubt = Doubt {
            sequence: self.sequence().saturating_add(1),
            asked,
            max_price,
        };
        self.doubt = Some(doubt);
        Ok(doubt)
    }

    /// Takes the receipt of an answer that came whole to this request. `limit` is the price of what came, if it is below
    /// what was agreed to. Returns the price.
    ///
    /// # Errors
    /// The first thing about the receipt that does not hold. The lane must not be used any more then.
    pub fn accept(
        &mut self,
        signed: &SignedReceipt,
        asked: &Asked,
        response: &Digest,
        limit: u64,
    ) -> Result<u64, ReceiptError> {
        let Some(doubt) = self.pending(asked).copied() else {
            return Err(ReceiptError::Differs("request"));
        };
        self.check(signed, &doubt, response, limit)?;
        self.take(signed);
        Ok(signed.receipt.price)
    }

    /// The provider refused the request and does not charge it. Should it do so later, it is not believed.
    pub const fn refused(&mut self) {
        self.doubt = None;
    }

    /// Learns from the provider's own account what became of the request in doubt. Request, price, sum and signature of
    /// its claim are checked; the answer is not known here.
    ///
    /// # Errors
    /// When the provider claims anything but that one request. The lane must not be used any more then.
    pub fn resolve(&mut self, standing: &Standing) -> Result<Resolved, Claim> {
        let (found, known) = (standing.sequence, self.sequence());
        if found == known {
            self.expect_last(standing.receipt.as_ref())?;
            self.expect_due(standing, self.due())?;
            self.earlier = self.doubt.take().or(self.earlier);
            return Ok(Resolved::Free);
        }
        let (Some(signed), true) = (standing.receipt, Some(found) == known.checked_add(1)) else {
            return Err(Claim::Count { found, known });
        };
        let Some(doubt) = self.pending(&Asked::from(&signed.receipt)) else {
            return Err(Claim::Receipt(ReceiptError::Differs("request")));
        };
        self.check(&signed, doubt, &signed.receipt.response, doubt.max_price)?;
        self.expect_due(standing, signed.receipt.cumulative)?;
        Ok(Resolved::Claimed(Box::new(signed)))
    }

    /// Pays a receipt that [`Self::resolve`] found to fit.
    pub const fn take(&mut self, signed: &SignedReceipt) {
        self.last = Some(*signed);
        self.doubt = None;
        self.earlier = None;
    }

    /// A receipt computed again may differ in the answer; whoever has one keeps it.
    fn expect_last(&self, found: Option<&SignedReceipt>) -> Result<(), Claim> {
        let same = match (found, &self.last) {
            (None, None) => true,
            (Some(found), Some(last)) => {
                found.receipt.sequence == last.receipt.sequence
                    && found.receipt.request == last.receipt.request
                    && found.receipt.cumulative == last.receipt.cumulative
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        if same { Ok(()) } else { Err(Claim::Last) }
    }

    fn check(
        &self,
        signed: &SignedReceipt,
        doubt: &Doubt,
        response: &Digest,
        limit: u64,
    ) -> Result<(), ReceiptError> {
        signed.check(&Terms {
            session: &self.session,
            operator: &self.operator,
            model: &doubt.asked.model,
            request: &doubt.asked.request,
            response,
            max_price: doubt.max_price.min(limit),
            previous: self.last.as_ref().map(|last| &last.receipt),
        })
    }

    fn expect_due(&self, standing: &Standing, known: u64) -> Result<(), Claim> {
        let found = standing.due;
        if found == known {
            Ok(())
        } else {
            Err(Claim::Due { found, known })
        }
    }
}
