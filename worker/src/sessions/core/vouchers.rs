//! Which vouchers are taken, and which of them is kept.

use super::{Channel, Payment, Refused};

impl Channel {
    /// Notes a voucher that is kept.
    pub fn pay(&mut self, payment: Payment) {
        if self.is_better(&payment) {
            self.payment = Some(payment);
        }
    }

    /// Whether this voucher pays what is due, and loses nothing of the one before.
    pub(super) fn require_paid(&self, payment: &Payment, due: u64) -> Result<(), Refused> {
        let paid = payment.voucher.cumulative;
        if paid < due {
            return Err(Refused::Unpaid { paid, due });
        }
        // One above the deposit cannot be settled, and would take the place of one that can.
        let deposit = self.account.deposit.min(self.sure_deposit);
        if paid > deposit {
            let needed = paid;
            return Err(Refused::Deposit { deposit, needed });
        }
        match self.outlasting(payment) {
            Some(ends) if paid > self.paid() => Err(Refused::Shorter { ends }),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn is_better(&self, payment: &Payment) -> bool {
        let worth = |payment: &Payment| (payment.voucher.cumulative, payment.voucher.expires_at);
        let is_worth_more = self
            .payment
            .is_none_or(|best| worth(payment) > worth(&best));
        is_worth_more && self.outlasting(payment).is_none()
    }

    /// The end of the best voucher, where it is still to be settled and later than this one's.
    fn outlasting(&self, payment: &Payment) -> Option<i64> {
        let ends = self.payment?.voucher.expires_at;
        (self.covers_its_fees() && payment.voucher.expires_at < ends).then_some(ends)
    }
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::SessionData;

    use super::{
        super::{
            Ask,
            tests::{NOW, account, ask, open, pays, policy},
        },
        *,
    };

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
    fn voucher_that_ends_sooner_takes_no_place_of_one_that_is_to_be_settled() {
        let mut channel = open(1_000_000);
        channel.pay(pays(50_000, i64::MAX));
        let shorter = Ask {
            payment: pays(50_001, NOW.0 + 3_600),
            ..ask(1, 0)
        };
        let refused = Refused::Shorter { ends: i64::MAX };
        let begun = |channel: &mut Channel| channel.begin(&shorter, NOW, &policy()).map(drop);
        assert_eq!(begun(&mut channel), Err(refused));
        channel.pay(shorter.payment);
        assert_eq!(channel.payment(), Some(&pays(50_000, i64::MAX)));
        channel.settle(50_000);
        assert_eq!(begun(&mut channel), Ok(()));
        channel.pay(shorter.payment);
        assert_eq!(channel.payment(), Some(&shorter.payment));
    }

    #[test]
    fn voucher_above_a_deposit_that_one_reading_shows_is_not_taken() {
        let raised = |deposit| SessionData {
            sequence: 9,
            ..account(deposit)
        };
        let mut channel = open(50_000);
        channel.pay(pays(50_000, i64::MAX));
        let begun = |channel: &mut Channel| {
            let begun = channel.begin(&ask(1, 50_001), NOW, &policy()).map(drop);
            channel.release();
            begun
        };
        let refused = Err(Refused::Deposit {
            deposit: 50_000,
            needed: 50_001,
        });
        for slot in [1_000, 1_000] {
            channel.see(Some(&raised(60_000)), slot);
            assert_eq!(begun(&mut channel), refused);
        }
        // Another node knows nothing of it.
        channel.see(Some(&account(50_000)), 1_001);
        assert_eq!(begun(&mut channel), refused);
        channel.see(Some(&raised(60_000)), 1_002);
        assert_eq!(begun(&mut channel), Ok(()));
    }
}
