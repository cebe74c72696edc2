//! A disk that may be full.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::BoxFuture;
use rusqlite::Connection;

use crate::store::{Disk, StoreError};

/// Takes nothing while it is full.
#[derive(Default)]
pub struct Full(AtomicBool);

impl Full {
    pub fn fill(&self, full: bool) {
        self.0.store(full, Ordering::Relaxed);
    }
}

impl Disk for Full {
    fn before<'a>(&'a self, _: &'a Mutex<Connection>) -> BoxFuture<'a, Result<(), StoreError>> {
        let full = self.0.load(Ordering::Relaxed);
        Box::pin(async move {
            if full {
                return Err(StoreError::Sqlite(assay_sqlite::Error::Gone));
            }
            Ok(())
        })
    }

    fn after<'a>(&'a self, _: &'a Mutex<Connection>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}
