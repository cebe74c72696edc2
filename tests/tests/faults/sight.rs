//! What a node shows of the chain in one reading.

use std::sync::Arc;

use assay_client::protocol::{Address, JobData, UnixSeconds};
use assay_worker::chain::Clock;

use super::{net::Net, view::View};

/// What a reading is made of.
pub struct Sight<'a> {
    pub net: &'a mut Net,
    pub view: Arc<View>,
    pub slot: u64,
    /// Which of the accounts that are there is not shown, by its place modulo their number.
    pub hidden: Option<usize>,
}

impl Sight<'_> {
    pub fn clock(&self) -> Clock {
        Clock {
            slot: self.slot,
            time: UnixSeconds(self.net.calendar.time(self.slot)),
        }
    }

    pub fn hide<T>(&self, list: &mut Vec<T>) {
        if let Some(hidden) = self.hidden
            && !list.is_empty()
        {
            list.remove(hidden % list.len());
        }
    }

    pub fn jobs(&self, wanted: impl Fn(&JobData) -> bool) -> Vec<(Address, JobData)> {
        let all = self.view.jobs.iter().filter(|(_, job)| wanted(job));
        let mut found = all.map(|(address, job)| (*address, *job)).collect();
        self.hide(&mut found);
        found
    }
}
