//! What was paid in sessions, and whether whoever was paid still has it.

use std::{collections::BTreeMap, path::Path};

use assay_client::{
    protocol::{Address, SessionData, SessionStatus},
    session::{Payment, SignedReceipt},
};
use rusqlite::{Connection, OpenFlags};

use super::net::Net;

/// Lamports: what a settlement and a close cost the worker. What brings in less is left alone.
const SETTLE_FEE: u64 = 10_000;
const CLOSE_FEE: u64 = 5_000;

/// A session as its requester knows it.
#[derive(Clone, Copy, Debug)]
pub struct Tab {
    pub node: usize,
    /// Lamports of the highest voucher that was ever signed.
    pub signed: u64,
    /// Of the highest one that an answer proves to be kept.
    pub kept: u64,
    /// The number of the last receipt that was given.
    pub answered: u64,
}

/// By session.
#[derive(Debug, Default)]
pub struct Tabs(pub BTreeMap<Address, Tab>);

/// A session as its provider's file has it.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    paid: u64,
    answered: u64,
    /// Its worker knows of the close request.
    closing: bool,
}

impl Tabs {
    pub fn tab(&mut self, session: Address, node: usize) -> &mut Tab {
        self.0.entry(session).or_insert(Tab {
            node,
            signed: 0,
            kept: 0,
            answered: 0,
        })
    }

    /// Sessions of this node that are on chain and were never gone from it: a rollback may bring back what was closed.
    fn live<'a>(
        &'a self,
        node: usize,
        net: &'a Net,
    ) -> impl Iterator<Item = (&'a Address, &'a Tab, &'a SessionData)> {
        let ours = self.0.iter().filter(move |(_, tab)| tab.node == node);
        let ours = ours.filter(|(session, _)| !net.revived.contains(session));
        ours.filter_map(|(session, tab)| Some((session, tab, net.view().sessions.get(session)?)))
    }

    /// Vouchers and receipts that were kept and are not there any more.
    pub fn faults(&self, node: usize, file: &Path, net: &Net) -> Vec<String> {
        let rows = rows(file);
        let mut faults = Vec::new();
        for (session, tab, _) in self.live(node, net) {
            let row = rows.get(session).copied().unwrap_or_default();
            if row.paid < tab.kept || row.answered < tab.answered {
                faults.push(format!(
                    "node {node} lost what it had of session {session}: {tab:?}, but {row:?}"
                ));
            }
        }
        faults
    }

    /// What this node has still to settle or to close.
    pub fn unfinished(&self, node: usize, file: &Path, net: &Net) -> Vec<String> {
        let rows = rows(file);
        let mut left = Vec::new();
        for (session, _, data) in self.live(node, net) {
            let row = rows.get(session).copied().unwrap_or_default();
            let unsettled = row.paid.saturating_sub(data.settled);
            if is_worth_settling(unsettled, data) {
                left.push(format!("session {session}: {unsettled} not settled"));
            }
            // Nothing is read of a session at rest: its requester's own close then waits for the grace time.
            let pays = earned(data.settled, data) > u128::from(CLOSE_FEE);
            if pays && row.closing && data.status == SessionStatus::CloseRequested as u8 {
                left.push(format!("session {session} is not closed"));
            }
        }
        left
    }

    /// Sessions that were closed with vouchers unsettled, or settled beyond what was signed.
    pub fn wrongs(&self, net: &Net) -> Vec<String> {
        let mut wrongs = Vec::new();
        for (session, tab) in &self.0 {
            let closed = net.closed.get(session);
            let settled = net.view().sessions.get(session).or(closed);
            if settled.is_some_and(|data| data.settled > tab.signed) {
                wrongs.push(format!("session {session} paid more than {tab:?}"));
            }
            let Some(data) = closed.filter(|_| !net.revived.contains(session)) else {
                continue;
            };
            let lost = tab.kept.saturating_sub(data.settled);
            if is_worth_settling(lost, data) {
                wrongs.push(format!(
                    "session {session} was closed with {lost} lamports unsettled: {tab:?}"
                ));
            }
        }
        wrongs
    }
}

fn is_worth_settling(unsettled: u64, data: &SessionData) -> bool {
    let in_all = earned(data.settled.saturating_add(unsettled), data);
    earned(unsettled, data) > u128::from(SETTLE_FEE) && in_all > u128::from(SETTLE_FEE + CLOSE_FEE)
}

/// What of so many lamports is the provider's.
fn earned(lamports: u64, data: &SessionData) -> u128 {
    let fee = u128::from(lamports) * u128::from(data.fee_bps) / 10_000;
    u128::from(lamports) - fee
}

/// Every session in the file; nothing where there is none yet.
fn rows(file: &Path) -> BTreeMap<Address, Row> {
    if !file.exists() {
        return BTreeMap::new();
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).expect("the file opens");
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    if version.expect("the file is read") == 0 {
        return BTreeMap::new();
    }
    let mut statement = connection
        .prepare("SELECT session, payment, receipt, account FROM sessions")
        .expect("the layout is known");
    let found = statement.query_map([], |row| {
        let session: Vec<u8> = row.get(0)?;
        let payment: Option<String> = row.get(1)?;
        let receipt: Option<String> = row.get(2)?;
        let account: Vec<u8> = row.get(3)?;
        let account: SessionData = bytemuck::pod_read_unaligned(&account);
        let session = Address::try_from(&session[..]).expect("32 bytes");
        let paid = payment.map(|text| Payment::from_header(&text).expect("a voucher").voucher);
        let receipt = receipt.map(|text| SignedReceipt::from_header(&text).expect("a receipt"));
        let row = Row {
            paid: paid.map_or(0, |voucher| voucher.cumulative),
            answered: receipt.map_or(0, |receipt| receipt.receipt.sequence),
            closing: account.status == SessionStatus::CloseRequested as u8,
        };
        Ok((session, row))
    });
    found
        .expect("the file is read")
        .collect::<Result<_, _>>()
        .expect("the file is read")
}
