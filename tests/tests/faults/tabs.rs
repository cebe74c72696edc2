//! What was paid in sessions, and whether whoever was paid still has it.

use std::{collections::BTreeMap, path::Path};

use assay_client::{
    protocol::{Address, SessionData, SessionStatus},
    session::{Payment, SignedReceipt},
};
use rusqlite::{Connection, OpenFlags};

use super::{net::Net, node::AT_RISK};

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
    /// A power cut took vouchers or receipts: the provider's loss.
    pub lost: bool,
    /// Since when more is kept and not settled than may be at risk, in milliseconds.
    pub over_since: Option<u64>,
    /// Lamports settled by the newest reading that its worker was given, and how many rollbacks there had been.
    read: Option<(u64, u8)>,
}

/// Tabs by session, and the closes that were sent.
#[derive(Debug, Default)]
pub struct Tabs {
    tabs: BTreeMap<Address, Tab>,
    /// By signature, as first sent: the session, rollbacks before it, and whether the worker had read since then that
    /// more was worth settling.
    closes: BTreeMap<[u8; 64], (Address, u8, bool)>,
}

/// A session as its provider's file has it.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    paid: u64,
    answered: u64,
    /// Its worker knows of the close request.
    closing: bool,
    /// Lamports of all settlements that are booked.
    income: u64,
}

impl Tabs {
    pub fn tab(&mut self, session: Address, node: usize) -> &mut Tab {
        self.tabs.entry(session).or_insert(Tab {
            node,
            signed: 0,
            kept: 0,
            answered: 0,
            lost: false,
            over_since: None,
            read: None,
        })
    }

    fn of(&self, node: usize) -> impl Iterator<Item = (&Address, &Tab)> {
        self.tabs.iter().filter(move |(_, tab)| tab.node == node)
    }

    /// Sessions of this node that are on chain.
    fn live<'a>(
        &'a self,
        node: usize,
        net: &'a Net,
    ) -> impl Iterator<Item = (&'a Address, &'a Tab, &'a SessionData)> {
        let ours = self.of(node);
        ours.filter_map(|(session, tab)| Some((session, tab, net.view().sessions.get(session)?)))
    }

    /// Notes what a worker was told of a session.
    pub fn read(&mut self, session: &Address, settled: u64, rolled: u8) {
        if let Some(tab) = self.tabs.get_mut(session) {
            tab.read = Some((settled, rolled));
        }
    }

    /// Notes a close that is sent, perhaps again.
    pub fn closes(&mut self, session: Address, signature: [u8; 64], net: &Net) {
        let Some((tab, data)) = self
            .tabs
            .get(&session)
            .zip(net.view().sessions.get(&session))
        else {
            return;
        };
        let knows = tab.read.is_some_and(|(settled, rolled)| {
            rolled == net.rolled() && is_worth_settling(tab.kept.saturating_sub(settled), data)
        });
        let close = (session, net.rolled(), knows);
        self.closes.entry(signature).or_insert(close);
    }

    /// Takes it that a power cut left the file as it is: no promise is held of what it took.
    pub fn cut(&mut self, node: usize, file: &Path) {
        let rows = rows(file);
        for (session, tab) in self.tabs.iter_mut().filter(|(_, tab)| tab.node == node) {
            let row = rows.get(session).copied().unwrap_or_default();
            tab.lost |= row.paid < tab.kept || row.answered < tab.answered;
            (tab.kept, tab.answered) = (tab.kept.min(row.paid), tab.answered.min(row.answered));
        }
    }

    /// Notes which sessions have more at risk than they may now.
    pub fn look(&mut self, net: &Net, ms: u64) {
        for (session, tab) in &mut self.tabs {
            let data = net.view().sessions.get(session);
            let over = data.is_some_and(|data| tab.kept.saturating_sub(data.settled) >= AT_RISK);
            tab.over_since = over.then(|| tab.over_since.unwrap_or(ms));
        }
    }

    /// Since when each of a node's sessions has had more at risk than it may.
    pub fn over(&self, node: usize) -> Vec<(Address, u64)> {
        let over = self.of(node);
        over.filter_map(|(session, tab)| Some((*session, tab.over_since?)))
            .collect()
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

    /// Income in the file that is not what the chain has settled.
    pub fn books(&self, node: usize, file: &Path, net: &Net) -> Vec<String> {
        let rows = rows(file);
        let known = self.live(node, net);
        let known =
            known.filter_map(|(session, _, data)| Some((session, rows.get(session)?, data)));
        known
            .filter(|(_, row, data)| row.income != data.settled)
            .map(|(session, row, data)| {
                let (booked, settled) = (row.income, data.settled);
                format!("node {node} booked {booked} of session {session}, settled were {settled}")
            })
            .collect()
    }

    /// Sessions that were closed with vouchers unsettled, or settled beyond what was signed.
    ///
    /// Where a rollback took a settlement back, the close that was sent before may land without it. Then only a close
    /// is held against its worker that it sent after the last rollback, though it had read since what was not settled.
    pub fn wrongs(&self, net: &Net) -> Vec<String> {
        let mut wrongs = Vec::new();
        for (session, tab) in &self.tabs {
            let closed = net.closed.get(session);
            let settled = net.view().sessions.get(session).or(closed);
            if settled.is_some_and(|data| data.settled > tab.signed) {
                wrongs.push(format!("session {session} paid more than {tab:?}"));
            }
            let Some(data) = closed else { continue };
            let lost = tab.kept.saturating_sub(data.settled);
            let knew = self.closes.iter().any(|(signature, (of, rolled, knows))| {
                let landed = net.status(signature).is_some_and(|end| end.error.is_none());
                of == session && *rolled == net.rolled() && *knows && landed
            });
            if is_worth_settling(lost, data) && (knew || !net.revived.contains(session)) {
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
        .prepare(
            "SELECT session, payment, receipt, account, (SELECT coalesce(sum(gross), 0) FROM income
                 WHERE income.session = sessions.session) FROM sessions",
        )
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
            income: row.get::<_, i64>(4)?.cast_unsigned(),
        };
        Ok((session, row))
    });
    found
        .expect("the file is read")
        .collect::<Result<_, _>>()
        .expect("the file is read")
}
