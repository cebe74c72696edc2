use assay_chain::Found;
use assay_client::protocol::{SessionData, SessionStatus, UnixSeconds};
use assay_gateway::{reconcile::Known, store::State};
use serde::Serialize;

use crate::amount::{Amount, Span, until};

/// A session of this wallet.
#[derive(Debug, Serialize)]
pub struct SessionView {
    pub session: String,
    /// Whether the ledger has its key and receipts. What only they tell is absent otherwise.
    pub in_ledger: bool,
    /// The provider's account.
    pub provider: String,
    pub endpoint: Option<String>,
    /// Always: nobody computes a session's answers again.
    pub audited: bool,
    pub state: &'static str,
    /// Why it is broken or failed.
    pub reason: Option<String>,
    pub deposit_lamports: u64,
    /// By the receipts.
    pub spent_lamports: Option<u64>,
    /// Of it by vouchers.
    pub paid_lamports: Option<u64>,
    /// What the next voucher adds.
    pub due_lamports: Option<u64>,
    /// On chain, as last seen.
    pub settled_lamports: u64,
    pub requests: Option<u64>,
    /// A request was sent whose receipt has not come.
    pub in_doubt: bool,
    pub grace_secs: u32,
    /// Unix seconds after which anybody may close it; absent before a close was requested, and if the chain was not asked.
    pub closable_at: Option<i64>,
    pub created_at: Option<i64>,
}

impl SessionView {
    pub const HEAD: [&str; 9] = [
        "SESSION", "PROVIDER", "STATE", "DEPOSIT", "SPENT", "DUE", "SETTLED", "REQUESTS",
        "CLOSABLE",
    ];

    /// `last` is the number and the sum of the last receipt.
    pub fn new(known: &Known, last: Option<(u64, u64)>) -> Self {
        let (requests, spent) = last.unwrap_or_default();
        let row = &known.row;
        Self {
            session: row.address.to_string(),
            in_ledger: true,
            provider: row.provider.to_string(),
            endpoint: Some(row.endpoint.clone()),
            audited: false,
            state: row.state.name(),
            reason: (!row.reason.is_empty()).then(|| row.reason.clone()),
            deposit_lamports: row.deposit,
            spent_lamports: Some(spent),
            paid_lamports: Some(row.paid),
            due_lamports: Some(spent.saturating_sub(row.paid)),
            settled_lamports: row.settled,
            requests: Some(requests),
            in_doubt: row.doubt.is_some(),
            grace_secs: row.grace_secs,
            closable_at: known.chain.as_ref().and_then(closable_at),
            created_at: Some(row.created_at),
        }
    }

    /// A session that the chain alone tells of.
    pub fn lost(found: &Found<SessionData>) -> Self {
        let data = &found.data;
        let state = if data.status == SessionStatus::CloseRequested as u8 {
            State::Closing
        } else {
            State::Open
        };
        Self {
            session: found.address.to_string(),
            in_ledger: false,
            provider: data.provider.to_string(),
            endpoint: None,
            audited: false,
            state: state.name(),
            reason: None,
            deposit_lamports: data.deposit,
            spent_lamports: None,
            paid_lamports: None,
            due_lamports: None,
            settled_lamports: data.settled,
            requests: None,
            in_doubt: false,
            grace_secs: data.grace_secs,
            closable_at: closable_at(data),
            created_at: None,
        }
    }

    /// Lamports that come back if nothing more is asked; less by what its provider has vouchers for if that is not known.
    pub fn left(&self) -> u64 {
        let gone = self.spent_lamports.unwrap_or(self.settled_lamports);
        self.deposit_lamports.saturating_sub(gone)
    }

    pub fn row(&self, now: UnixSeconds) -> Vec<String> {
        let closable = match self.closable_at {
            Some(at) if at < now.0 => "now".to_owned(),
            Some(at) => format!("in {}", until(at.saturating_add(1), now.0)),
            // The chain was not asked.
            None if self.state == State::Closing.name() => "?".to_owned(),
            None if self.state == State::Closed.name() || self.state == State::Failed.name() => {
                "-".to_owned()
            }
            None => format!("{} after a request", Span(self.grace_secs)),
        };
        let amount = |lamports: Option<u64>| or_unknown(lamports.map(Amount));
        vec![
            self.session.clone(),
            self.provider.clone(),
            if self.in_ledger {
                self.state.to_owned()
            } else {
                format!("{}, unknown to this ledger", self.state)
            },
            Amount(self.deposit_lamports).to_string(),
            amount(self.spent_lamports),
            amount(self.due_lamports),
            Amount(self.settled_lamports).to_string(),
            or_unknown(self.requests),
            closable,
        ]
    }
}

fn closable_at(data: &SessionData) -> Option<i64> {
    let requested = data.close_requested_at;
    (requested != 0).then(|| requested.saturating_add(i64::from(data.grace_secs)))
}

fn or_unknown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::Address;
    use assay_gateway::store::SessionRow;

    use super::*;

    fn known(close_requested_at: i64) -> Known {
        let mut chain: SessionData = bytemuck::Zeroable::zeroed();
        (chain.close_requested_at, chain.grace_secs) = (close_requested_at, 100);
        let address = Address::new_from_array([1; 32]);
        Known {
            row: SessionRow {
                address,
                cluster: [0; 32],
                requester: address,
                provider: address,
                generation: 1,
                operator: address,
                endpoint: "http://x.example".to_owned(),
                key: [9; 32],
                open_slot: 1,
                index: 0,
                grace_secs: 100,
                deposit: 1_000,
                settled: 10,
                paid: 40,
                state: State::Open,
                reason: String::new(),
                created_at: 5,
                doubt: None,
                worth: None,
            },
            chain: Some(chain),
        }
    }

    #[test]
    fn session_shows_what_is_due_and_when_it_can_be_closed() {
        let view = SessionView::new(&known(0), Some((3, 60)));
        assert_eq!(
            (view.spent_lamports, view.due_lamports, view.left()),
            (Some(60), Some(20), 940)
        );
        assert_eq!((view.requests, view.closable_at), (Some(3), None));
        let closable = |requested, now| {
            let row = SessionView::new(&known(requested), None).row(UnixSeconds(now));
            row.last().cloned().unwrap_or_default()
        };
        assert_eq!(closable(0, 7), "1m 40s after a request");
        assert_eq!(closable(1_000, 1_001), "in 1m 40s");
        assert_eq!(closable(1_000, 1_101), "now");
        // The key stays where it is.
        let json = serde_json::to_string(&view).unwrap();
        assert!(
            !json.contains("09090909") && !json.contains("key"),
            "{json}"
        );
    }

    #[test]
    fn session_that_the_chain_alone_tells_of_says_what_is_not_known() {
        let mut chain = known(1_000).chain.unwrap();
        chain.status = SessionStatus::CloseRequested as u8;
        (chain.deposit, chain.settled) = (1_000, 10);
        let view = SessionView::lost(&Found {
            address: Address::new_from_array([1; 32]),
            data: chain,
        });
        let row = view.row(UnixSeconds(1_101));
        assert_eq!(row[2], "closing, unknown to this ledger");
        assert_eq!([&row[4], &row[5], &row[7], &row[8]], ["?", "?", "?", "now"]);
        assert_eq!(view.left(), 990);
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["in_ledger"], false);
        assert!(json["spent_lamports"].is_null() && json["requests"].is_null());
    }

    #[test]
    fn closing_session_without_the_chain_does_not_say_when() {
        let mut offline = known(0);
        (offline.chain, offline.row.state) = (None, State::Closing);
        let row = SessionView::new(&offline, None).row(UnixSeconds(0));
        assert_eq!(row.last().map(String::as_str), Some("?"));
    }
}
