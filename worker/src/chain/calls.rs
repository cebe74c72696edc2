//! Every request to an RPC node, counted by method.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::metrics;

/// Requests since the start, tries on other endpoints and checks of endpoints included.
#[derive(Default)]
pub struct Calls(Mutex<BTreeMap<&'static str, u64>>);

/// The same at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    pub total: u64,
    pub by_method: BTreeMap<String, u64>,
}

impl Calls {
    pub(super) fn count(&self, method: &'static str) {
        metrics::rpc_call(method);
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(method).or_default();
        *count = count.saturating_add(1);
    }

    pub fn counts(&self) -> CallCounts {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by_method = calls.iter();
        CallCounts {
            total: calls.values().sum(),
            by_method: by_method
                .map(|(method, count)| ((*method).to_owned(), *count))
                .collect(),
        }
    }
}

impl CallCounts {
    /// What came since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let by_method = self.by_method.iter().filter_map(|(method, count)| {
            let before = earlier.by_method.get(method).copied().unwrap_or(0);
            let more = count.saturating_sub(before);
            (more > 0).then(|| (method.clone(), more))
        });
        Self {
            total: self.total.saturating_sub(earlier.total),
            by_method: by_method.collect(),
        }
    }
}
