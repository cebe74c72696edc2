//! How much may be spent: a limit over everything that a gateway pays and locks while it runs.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

pub mod opening;

/// What a gateway has spent since it started. Lamports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spending {
    /// Requests with a receipt.
    pub requests: u64,
    /// The sum of their prices.
    pub spent: u64,
    /// What requests under way or in doubt may cost, at most.
    pub reserved: u64,
    /// Deposited in sessions since the start, less what came back of those that were closed.
    pub deposited: u64,
    /// The limit of `spent` and `reserved` together, and of `deposited`.
    pub limit: u64,
}

/// The limit, shared by everything that spends.
#[derive(Debug)]
pub struct Limit {
    state: Mutex<Spending>,
}

/// Room for the price of one request, given back when dropped.
#[derive(Debug)]
pub struct Hold {
    limit: Arc<Limit>,
    amount: u64,
}

/// The limit does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the spending limit of {limit} lamports is reached: {used} are spent or under way and {wanted} more would be needed; \
     start the gateway with a higher --max-spend"
)]
pub struct Exhausted {
    pub limit: u64,
    pub used: u64,
    pub wanted: u64,
}

impl Limit {
    /// Nothing spent yet.
    pub fn new(limit: u64) -> Arc<Self> {
        let state = Spending {
            limit,
            ..Spending::default()
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// What was spent so far.
    pub fn spending(&self) -> Spending {
        self.with(|state| *state)
    }

    /// Makes room for the price of a request.
    ///
    /// # Errors
    /// When the limit would be passed.
    pub fn reserve(self: &Arc<Self>, amount: u64) -> Result<Hold, Exhausted> {
        self.with(|state| {
            let used = state.spent.saturating_add(state.reserved);
            if used.saturating_add(amount) > state.limit {
                return Err(Exhausted {
                    limit: state.limit,
                    used,
                    wanted: amount,
                });
            }
            state.reserved = state.reserved.saturating_add(amount);
            Ok(())
        })?;
        Ok(Hold {
            limit: Arc::clone(self),
            amount,
        })
    }

    /// The same for a request of an earlier run, which is under way already whatever the limit.
    pub fn take_over(self: &Arc<Self>, amount: u64) -> Hold {
        self.with(|state| state.reserved = state.reserved.saturating_add(amount));
        Hold {
            limit: Arc::clone(self),
            amount,
        }
    }

    /// Notes a deposit of up to `wanted` and at least `least` lamports; returns how much it may be.
    ///
    /// # Errors
    /// When less than `least` may still be deposited.
    pub fn deposit(&self, wanted: u64, least: u64) -> Result<u64, Exhausted> {
        self.with(|state| {
            let amount = wanted.min(state.limit.saturating_sub(state.deposited));
            if amount < least || amount == 0 {
                return Err(Exhausted {
                    limit: state.limit,
                    used: state.deposited,
                    wanted: least,
                });
            }
            state.deposited = state.deposited.saturating_add(amount);
            Ok(amount)
        })
    }

    /// So much of a deposit was not made, or came back.
    pub fn undeposit(&self, amount: u64) {
        self.with(|state| state.deposited = state.deposited.saturating_sub(amount));
    }

    fn with<T>(&self, work: impl FnOnce(&mut Spending) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hold {
    /// The request cost this much.
    pub fn spend(self, price: u64) {
        self.limit.with(|state| {
            state.requests = state.requests.saturating_add(1);
            state.spent = state.spent.saturating_add(price);
        });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.limit
            .with(|state| state.reserved = state.reserved.saturating_sub(self.amount));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_under_way_count_towards_the_limit() {
        let limit = Limit::new(100);
        let first = limit.reserve(60).unwrap();
        let refused = limit.reserve(41).unwrap_err();
        assert_eq!((refused.used, refused.wanted), (60, 41));
        first.spend(50);
        let second = limit.reserve(50).unwrap();
        assert!(limit.reserve(1).is_err());
        drop(second);
        let spending = limit.spending();
        assert_eq!((spending.spent, spending.reserved), (50, 0));
        assert_eq!(spending.requests, 1);
    }

    #[test]
    fn deposits_shrink_to_what_the_limit_leaves() {
        let limit = Limit::new(100);
        assert_eq!(limit.deposit(70, 10), Ok(70));
        assert_eq!(limit.deposit(70, 10), Ok(30));
        assert!(limit.deposit(70, 1).is_err());
        limit.undeposit(30);
        assert!(limit.deposit(70, 31).is_err());
        assert_eq!(limit.deposit(20, 20), Ok(20));
    }
}
