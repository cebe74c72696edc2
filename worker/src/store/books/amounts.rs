//! What jobs brought and cost, one by one or added up.

use serde::Serialize;

/// Amounts in lamports, of one attempt at a job or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amounts {
    /// Of jobs of ours that were paid, in whole.
    pub price: u64,
    /// The market's part of it.
    pub market_share: u64,
    /// What jobs brought to the earnings, verdicts' bonuses included.
    pub earned: i64,
    /// What they took of the stake.
    pub slashed: i64,
    /// What seats brought to the earnings.
    pub audits_earned: i64,
    /// What seats took of the stake.
    pub bonds_lost: i64,
    /// In which something was done for them; one that several jobs share counts for each of them, and so does its
    /// missing record, but of its fees and rent each has a part.
    pub transactions: u64,
    /// The priority fees included.
    pub fees: u64,
    pub priority_fees: u64,
    /// Lent and not come back.
    pub rent: i64,
    /// Transactions whose cost the chain's own record has not confirmed: fees are as signed, rent is
    /// not known.
    pub unconfirmed: u64,
    pub compute_ms: u64,
    /// Of that, what energy counters measured.
    pub measured_ms: u64,
}

impl Amounts {
    /// What changed of stake, earnings and the operator's balance together.
    pub fn net(&self) -> i64 {
        let fees = i64::try_from(self.fees).unwrap_or(i64::MAX);
        [self.slashed, self.bonds_lost, fees, self.rent]
            .iter()
            .fold(
                self.earned.saturating_add(self.audits_earned),
                |sum, cost| sum.saturating_sub(*cost),
            )
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, amount) in [
            (&mut self.price, other.price),
            (&mut self.market_share, other.market_share),
            (&mut self.transactions, other.transactions),
            (&mut self.fees, other.fees),
            (&mut self.priority_fees, other.priority_fees),
            (&mut self.unconfirmed, other.unconfirmed),
            (&mut self.compute_ms, other.compute_ms),
            (&mut self.measured_ms, other.measured_ms),
        ] {
            *sum = sum.saturating_add(amount);
        }
        for (sum, amount) in [
            (&mut self.earned, other.earned),
            (&mut self.slashed, other.slashed),
            (&mut self.audits_earned, other.audits_earned),
            (&mut self.bonds_lost, other.bonds_lost),
            (&mut self.rent, other.rent),
        ] {
            *sum = sum.saturating_add(amount);
        }
    }
}
