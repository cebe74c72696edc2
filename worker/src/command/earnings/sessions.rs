//! What sessions brought: settlements, which are no jobs and stand apart from the jobs' sums.

use anyhow::Context;
use assay_client::protocol::UnixSeconds;
use serde::Serialize;

use super::Span;
use crate::{command::amount::sol, config::Config, core::SessionStep, sessions, store::Store};

/// Settlements and transactions of sessions. Amounts in lamports.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct SessionSums {
    settlements: u64,
    /// Taken from deposits, the market's share included.
    settled: u64,
    earned: u64,
    /// Settlements and closes that got into a block.
    transactions: u64,
    fees: u64,
}

impl SessionSums {
    /// None where nothing was settled or sent.
    pub fn read(config: &Config, store: &Store, span: &Span) -> anyhow::Result<Option<Self>> {
        let mut sums = Self::default();
        let path = config.sessions_file();
        if path.exists() {
            let income = sessions::income(&path, UnixSeconds(i64::MIN))
                .context("the settlements of sessions cannot be added up")?;
            for income in income.iter().filter(|income| span.contains(income.at.0)) {
                sums.settlements += 1;
                sums.settled = sums.settled.saturating_add(income.gross);
                sums.earned = sums.earned.saturating_add(income.net);
            }
        }
        let ours = |step: &str| SessionStep::ALL.iter().any(|one| one.name() == step);
        for cost in store.costs(UnixSeconds(i64::MIN))? {
            if ours(&cost.step) && span.contains(cost.created_at) {
                sums.transactions += 1;
                sums.fees = sums.fees.saturating_add(cost.fee);
            }
        }
        Ok(Some(sums).filter(|sums| *sums != Self::default()))
    }

    /// A sentence for people.
    pub fn text(&self) -> String {
        format!(
            "Sessions, apart from these sums: {} settlements of {}, {} of it earned, and {} transactions for \
             {} of fees.",
            self.settlements,
            sol(self.settled),
            sol(self.earned),
            self.transactions,
            sol(self.fees)
        )
    }
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::{Address, SessionData};
    use bytemuck::Zeroable;

    use super::*;
    use crate::{
        core::Action,
        sessions::{SessionStore, Write},
        store::{KnownCost, Member, Quote, SentTransaction, TransactionEnd},
    };

    fn config(folder: &tempfile::TempDir) -> Config {
        Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        }
    }

    fn all() -> Span {
        Span::read(None, None, 0).unwrap()
    }

    #[test]
    fn worker_without_sessions_has_no_sums_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        let store = Store::open(&config.journal()).unwrap();
        let sums = SessionSums::read(&config, &store, &all()).unwrap();
        assert_eq!(sums, None);
    }

    #[tokio::test]
    async fn settlements_and_their_fees_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        let store = Store::open(&config.journal()).unwrap();
        let (now, session) = (UnixSeconds(1_000), Address::new_from_array([1; 32]));
        let (sessions, _) = SessionStore::open(&config.sessions_file(), now).unwrap();
        for settled in [1_000_000, 3_000_000] {
            let account = SessionData {
                settled,
                fee_bps: 500,
                ..SessionData::zeroed()
            };
            let seen = Write::Account {
                session,
                account: Box::new(account),
                at: now,
            };
            sessions.write(seen).await.unwrap();
        }
        let sent = SentTransaction {
            signature: [1; 64],
            members: vec![Member {
                job: session,
                attempt: 0,
                action: Action::Session(SessionStep::Settle),
            }],
            bytes: vec![1],
            last_valid_block_height: 1,
            quote: Quote {
                fee: 10_000,
                priority_fee: 0,
            },
        };
        store.save_transaction(&sent, now).unwrap();
        let landed = TransactionEnd::Landed;
        store.end_transaction(&sent.signature, &landed).unwrap();
        let quoted = KnownCost::Quoted;
        store.record_cost(&sent.signature, &quoted).unwrap();
        let sums = SessionSums::read(&config, &store, &all()).unwrap().unwrap();
        let expected = SessionSums {
            settlements: 2,
            settled: 3_000_000,
            earned: 2_850_000,
            transactions: 1,
            fees: 10_000,
        };
        assert_eq!(sums, expected);
        assert!(
            sums.text().contains("2 settlements of 0.003"),
            "{}",
            sums.text()
        );
        let later = Span::read(Some("1970-01-02"), None, 100_000).unwrap();
        assert_eq!(SessionSums::read(&config, &store, &later).unwrap(), None);
    }
}
