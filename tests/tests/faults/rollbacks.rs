//! Rollbacks: slots that were confirmed are undone, and everything stands as it stood before them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use assay_client::protocol::{Address, SessionData};
use assay_tests::World;

use super::{mail::Mail, net::Status, plan::Fork, trail::Trail, view::View};

/// How the chain stood after a slot.
pub struct Past {
    pub world: World,
    pub view: Arc<View>,
    pub history: VecDeque<(u64, Arc<View>)>,
    pub closed: BTreeMap<Address, SessionData>,
    pub statuses: BTreeMap<[u8; 64], Status>,
    pub trail: Trail,
}

#[derive(Default)]
pub struct Rollbacks {
    /// By slots of the chain, one after the other.
    planned: VecDeque<Fork>,
    /// Of the first one, once its slots are reached.
    pub past: Option<Box<Past>>,
    /// What happened since: nobody but workers sends it again.
    pub executed: Vec<Mail>,
    pub done: u8,
}

impl Rollbacks {
    pub fn of(planned: VecDeque<Fork>) -> Self {
        Self {
            planned,
            ..Self::default()
        }
    }

    /// The confirmed slot before which something is to be done next.
    pub fn next(&self) -> Option<u64> {
        let next = self.planned.front()?;
        let begins = next.slot - next.depth;
        Some(
            if self.past.is_some() {
                next.slot
            } else {
                begins
            } + 1,
        )
    }

    /// The rollback that ends now; none if one begins.
    pub fn begin_or_end(&mut self) -> Option<Fork> {
        self.past.as_ref()?;
        self.planned.pop_front()
    }

    /// Notes a transaction, if it may be undone.
    pub fn executed(&mut self, mail: &Mail) {
        if self.past.is_some() {
            self.executed.push(mail.clone());
        }
    }
}
