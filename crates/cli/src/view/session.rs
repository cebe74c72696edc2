use assay_client::protocol::UnixSeconds;
use assay_gateway::{reconcile::Known, store::State};
use serde::Serialize;

use crate::amount::{Amount, Span, until};

/// A session of this machine.
#[derive(Debug, Serialize)]
pub struct SessionView {
    pub session: String,
    /// The provider's account.
    pub provider: String,
    pub endpoint: String,
    /// Always: nobody computes a session's answers again.
    pub audited: bool,
    pub state: &'static str,
    /// Why it is broken or failed.
    pub reason: Option<String>,
    pub deposit_lamports: u64,
    /// By the receipts.
    pub spent_lamports: u64,
    /// Of it by vouchers.
    pub paid_lamports: u64,
    /// What the next voucher adds.
    pub due_lamports: u64,
    /// On chain, as last seen.
    pub settled_lamports: u64,
    pub requests: u64,
    /// A request was sent whose receipt has not come.
    pub in_doubt: bool,
    pub grace_secs: u32,
    /// Unix seconds after which anybody may close it; absent before a close was requested.
    pub closable_at: Option<i64>,
    pub created_at: i64,
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
        let closable_at = known
            .chain
            .filter(|data| data.close_requested_at != 0)
            .map(|data| {
                data.close_requested_at
                    .saturating_add(i64::from(data.grace_secs))
            });
        Self {
            session: row.address.to_string(),
            provider: row.provider.to_string(),
            endpoint: row.endpoint.clone(),
            audited: false,
            state: row.state.name(),
            reason: (!row.reason.is_empty()).then(|| row.reason.clone()),
            deposit_lamports: row.deposit,
            spent_lamports: spent,
            paid_lamports: row.paid,
            due_lamports: spent.saturating_sub(row.paid),
            settled_lamports: row.settled,
            requests,
            in_doubt: row.doubt.is_some(),
            grace_secs: row.grace_secs,
            closable_at,
            created_at: row.created_at,
        }
    }

    pub fn row(&self, now: UnixSeconds) -> Vec<String> {
        let closable = match self.closable_at {
            Some(at) if at < now.0 => "now".to_owned(),
            Some(at) => format!("in {}", until(at.saturating_add(1), now.0)),
            None if self.state == State::Closed.name() || self.state == State::Failed.name() => {
                "-".to_owned()
            }
            None => format!("{} after a request", Span(self.grace_secs)),
        };
        vec![
            self.session.clone(),
            self.provider.clone(),
            self.state.to_owned(),
            Amount(self.deposit_lamports).to_string(),
            Amount(self.spent_lamports).to_string(),
            Amount(self.due_lamports).to_string(),
            Amount(self.settled_lamports).to_string(),
            self.requests.to_string(),
            closable,
        ]
    }
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::{Address, SessionData};
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
            },
            chain: Some(chain),
        }
    }

    #[test]
    fn session_shows_what_is_due_and_when_it_can_be_closed() {
        let view = SessionView::new(&known(0), Some((3, 60)));
        assert_eq!((view.spent_lamports, view.due_lamports), (60, 20));
        assert_eq!((view.requests, view.closable_at), (3, None));
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
}
