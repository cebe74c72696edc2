//! Whether a session's receipts, the vouchers given for them and what the chain has settled agree.

use assay_client::session::Receipt;
use serde::Serialize;

use crate::store::{ReceiptRow, SessionRow};

/// What checking a session's books found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Receipts.
    pub requests: u64,
    /// Lamports: the sum of the receipts' prices.
    pub charged: u64,
    /// Lamports of the highest voucher given.
    pub paid: u64,
    /// Lamports that the chain has settled.
    pub settled: u64,
    /// Everything that does not hold; empty if all does.
    pub faults: Vec<String>,
}

/// Checks a session's receipts, in their order: every signature, every number, every sum and the chain of digests;
/// then that no voucher was over anything else than such a sum, or a deposit below it, and that nothing was settled beyond
/// the vouchers.
pub fn check(session: &SessionRow, receipts: &[ReceiptRow]) -> Books {
    let mut books = Books {
        paid: session.paid,
        settled: session.settled,
        ..Books::default()
    };
    let mut previous: Option<&Receipt> = None;
    let mut was_due = session.paid == 0;
    for row in receipts {
        let receipt = &row.signed.receipt;
        let number = receipt.sequence;
        if receipt.session != session.address {
            books.fault(number, &"it is of another session");
        }
        if let Err(error) = receipt.follows(previous) {
            books.fault(number, &error);
        }
        if let Err(error) = row.signed.check_signature(&row.operator) {
            books.fault(number, &error);
        }
        was_due |= receipt.cumulative == session.paid;
        books.requests = books.requests.saturating_add(1);
        books.charged = books.charged.saturating_add(receipt.price);
        previous = Some(receipt);
    }
    // A close pays what the deposit covers, should more be owed.
    let is_all = session.paid == session.deposit
        && previous.is_some_and(|last| last.cumulative > session.paid);
    if !was_due && !is_all {
        books.faults.push(format!(
            "a voucher over {} lamports was given, which no receipt adds up to",
            session.paid
        ));
    }
    if session.settled > session.paid {
        books.faults.push(format!(
            "{} lamports are settled on chain, more than the {} that were signed for",
            session.settled, session.paid
        ));
    }
    books
}

impl Books {
    fn fault(&mut self, number: u64, why: &dyn std::fmt::Display) {
        self.faults.push(format!("receipt {number}: {why}"));
    }
}
