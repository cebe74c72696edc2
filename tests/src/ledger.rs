//! The invariants of the protocol, held against every transaction.
//!
//! The ledger keeps its own copy of every account of the program and sees each transaction's accounts before and
//! after. Its rules are written anew from the protocol's text, with 128-bit arithmetic and without the program's
//! methods, so that a wrong rule there does not excuse itself here.

mod deed;
mod events;
mod flows;
mod held;
mod job;
mod panel;
mod provider;
mod session;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use assay_client::{PROGRAM_ID, protocol::Address};
use solana_account::Account;

pub use deed::{Deed, Violation};
pub use held::{Held, State};

use deed::ensure;

/// What the program holds, as far as transactions have shown it.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    held: BTreeMap<Address, Held>,
    /// Jobs and sessions that were closed: none of their addresses may live again.
    closed: BTreeSet<Address>,
    /// Transactions held against the invariants so far.
    pub transactions: u64,
    /// Lamports burned by slashes.
    pub burned: u64,
    /// Jobs that ended, by status byte.
    pub ended: BTreeMap<u8, u64>,
}

/// One of the program's accounts across a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub address: Address,
    pub before: Option<&'a Held>,
    pub after: Option<&'a Held>,
    /// Lamports at the address, whoever owned the account.
    pub lamports: (u64, u64),
}

impl Change<'_> {
    /// Lamports gained, negative if lost.
    pub fn gain(&self) -> i128 {
        i128::from(self.lamports.1) - i128::from(self.lamports.0)
    }
}

impl Ledger {
    /// Whether the program holds an account at this address.
    pub fn holds(&self, address: &Address) -> bool {
        self.held.contains_key(address)
    }

    /// Every account the program holds.
    pub fn held(&self) -> impl Iterator<Item = (&Address, &Held)> {
        self.held.iter()
    }

    /// Checks a transaction's effects and takes them over.
    ///
    /// # Errors
    /// With the invariant that does not hold.
    pub fn enter(&mut self, deed: &Deed<'_>, rent: impl Fn(usize) -> u64) -> Result<(), Violation> {
        self.transactions += 1;
        deed.conserves()?;
        if !deed.accepted {
            return deed.changes_nothing();
        }
        let after: Vec<Option<Held>> = deed
            .after
            .iter()
            .map(|(_, account)| held(account, &rent))
            .collect::<Result<_, _>>()?;
        let changes: Vec<Change<'_>> = deed
            .before
            .iter()
            .zip(deed.after)
            .zip(&after)
            .map(|(((address, before), (_, account)), after)| Change {
                address: *address,
                before: self.held.get(address),
                after: after.as_ref(),
                lamports: (before.lamports, account.lamports),
            })
            .filter(|change| change.before.is_some() || change.after.is_some())
            .collect();
        for change in &changes {
            self.check_account(deed, change, &changes)?;
        }
        let judged = job::judgement(deed, &changes);
        flows::check(deed, &changes, judged.as_ref())?;
        if let Some(name) = deed.only_instruction() {
            job::check_step(deed, name, &changes, judged.as_ref())?;
        }
        provider::check_totals(deed, &changes)?;
        events::check(deed, &changes)?;
        self.burned += deed.burned();
        let taken: Vec<(Address, Option<Held>)> = changes
            .iter()
            .map(|change| (change.address, change.after.cloned()))
            .collect();
        self.take_over(&taken);
        provider::check_reserved(&self.held)
    }

    fn check_account(
        &self,
        deed: &Deed<'_>,
        change: &Change<'_>,
        changes: &[Change<'_>],
    ) -> Result<(), Violation> {
        if let Some(after) = change.after {
            held::check_address(change, after)?;
            held::check_backed(deed, change, after)?;
            held::check_sequence(deed, change, after)?;
            if let Some(panel) = after.panel() {
                panel::check_state(panel)?;
            }
        }
        match (
            change.before.map(|held| &held.state),
            change.after.map(|held| &held.state),
        ) {
            (None, Some(State::Job(after))) => {
                self.check_fresh(change)?;
                job::check_opened(deed, after)
            }
            (None, Some(State::Session(after))) => {
                self.check_fresh(change)?;
                session::check_opened(deed, (&change.address, after))
            }
            (Some(State::Session(before)), Some(State::Session(after))) => {
                session::check_change(deed, (&change.address, before, after))
            }
            (Some(State::Session(before)), None) => {
                session::check_closed(deed, &change.address, before)
            }
            (Some(State::Job(before)), Some(State::Job(after))) => {
                job::check_change(deed, before, after)
            }
            (Some(State::Job(before)), None) => job::check_closed(deed, before),
            (None, Some(State::Provider(after))) => provider::check_registered(deed, after),
            (Some(State::Provider(before)), Some(State::Provider(after))) => {
                provider::check_change(deed, (&change.address, before, after), changes)
            }
            (Some(State::Provider(before)), None) => provider::check_deregistered(deed, before),
            (None, Some(State::Panel(after))) => panel::check_opened(deed, after, changes),
            (Some(State::Panel(before)), Some(State::Panel(after))) => {
                panel::check_change(deed, before, after, changes)
            }
            (Some(State::Panel(before)), None) => panel::check_closed(deed, before),
            (Some(before), Some(after)) => held::check_kind(before, after),
            (Some(State::Market(_) | State::Treasury(_)), None) => {
                ensure(false, 3, || format!("{} was closed", change.address))
            }
            (_, None) | (None, _) => Ok(()),
        }
    }

    fn check_fresh(&self, change: &Change<'_>) -> Result<(), Violation> {
        let fresh = !self.closed.contains(&change.address);
        ensure(fresh, 6, || format!("{} lives twice", change.address))
    }

    fn take_over(&mut self, changes: &[(Address, Option<Held>)]) {
        for (address, after) in changes {
            let before = match after {
                Some(held) => self.held.insert(*address, held.clone()),
                None => self.held.remove(address),
            };
            let session = |held: &Held| matches!(held.state, State::Session(_));
            if after.is_none() && before.as_ref().is_some_and(session) {
                self.closed.insert(*address);
            }
            let was = before.as_ref().and_then(Held::job);
            match (was, after.as_ref().and_then(Held::job)) {
                (Some(_), None) => {
                    self.closed.insert(*address);
                }
                (Some(was), Some(is)) if was.status != is.status && job::is_ended(is) => {
                    *self.ended.entry(is.status).or_default() += 1;
                }
                _ => {}
            }
        }
    }
}

/// The program's state in an account; none for anybody else's account.
fn held(account: &Account, rent: impl Fn(usize) -> u64) -> Result<Option<Held>, Violation> {
    if account.owner != PROGRAM_ID || account.lamports == 0 {
        return Ok(None);
    }
    Held::read(account, rent(account.data.len())).map(Some)
}
