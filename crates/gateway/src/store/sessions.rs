//! Sessions in the ledger.

use assay_client::protocol::{Address, Digest};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{Store, StoreError, bytes32, loaded, stored};
use crate::lane::{
    Asked, Doubt,
    wire::Kind,
    worth::{Agreed, Worth},
};

/// Where a session stands, as far as this machine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The transaction that opens it may have been sent.
    Opening,
    /// Takes requests.
    Open,
    /// Its provider broke the rules or lost count; it takes no more requests and waits to be closed.
    Broken,
    /// A close was requested.
    Closing,
    /// Its account is gone.
    Closed,
    /// The transaction that was to open it can no longer land.
    Failed,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Opening,
        Self::Open,
        Self::Broken,
        Self::Closing,
        Self::Closed,
        Self::Failed,
    ];

    /// Its name, in the ledger and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Broken => "broken",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }

    /// Whether the chain may hold an account of it.
    pub const fn is_live(self) -> bool {
        match self {
            Self::Opening | Self::Open | Self::Broken | Self::Closing => true,
            Self::Closed | Self::Failed => false,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub address: Address,
    /// Genesis hash of its chain.
    pub cluster: [u8; 32],
    pub requester: Address,
    /// The provider's account.
    pub provider: Address,
    /// The provider's registration.
    pub generation: u64,
    /// Signs its receipts.
    pub operator: Address,
    /// Base url of the provider's worker.
    pub endpoint: String,
    /// The session key's secret.
    pub key: [u8; 32],
    pub open_slot: u64,
    pub index: u32,
    pub grace_secs: u32,
    /// Lamports, as last seen on chain; what was asked for while it is opening.
    pub deposit: u64,
    /// Lamports, as last seen on chain.
    pub settled: u64,
    /// Lamports of the highest voucher handed out.
    pub paid: u64,
    pub state: State,
    /// Why it is broken or failed.
    pub reason: String,
    /// Unix seconds.
    pub created_at: i64,
    /// A request that was sent and has no receipt yet.
    pub doubt: Option<Doubt>,
    /// What that one is worth.
    pub worth: Option<Worth>,
}

impl std::fmt::Debug for SessionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key must not reach a log by accident.
        write!(f, "SessionRow({}, {})", self.address, self.state.name())
    }
}

impl Store {
    /// Writes a session that is about to be opened.
    ///
    /// # Errors
    /// When the file fails, or has it already.
    pub fn add_session(&self, row: &SessionRow) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO sessions (address, cluster, requester, provider, generation, operator, endpoint, key,
                    open_slot, position, grace_secs, deposit, settled, paid, state, reason, created_at)
                 VALUES (:address, :cluster, :requester, :provider, :generation, :operator, :endpoint, :key,
                    :open_slot, :position, :grace_secs, :deposit, :settled, :paid, :state, :reason, :created_at)",
                named_params! {
                    ":address": row.address.as_ref(),
                    ":cluster": row.cluster,
                    ":requester": row.requester.as_ref(),
                    ":provider": row.provider.as_ref(),
                    ":generation": stored(row.generation),
                    ":operator": row.operator.as_ref(),
                    ":endpoint": row.endpoint,
                    ":key": row.key,
                    ":open_slot": stored(row.open_slot),
                    ":position": row.index,
                    ":grace_secs": row.grace_secs,
                    ":deposit": stored(row.deposit),
                    ":settled": stored(row.settled),
                    ":paid": stored(row.paid),
                    ":state": row.state.name(),
                    ":reason": row.reason,
                    ":created_at": row.created_at,
                },
            )?;
            Ok(())
        })
    }

    /// Every session of a wallet on a chain, the newest first.
    ///
    /// # Errors
    /// When the file fails or is damaged.
    pub fn sessions(
        &self,
        cluster: &[u8; 32],
        requester: &Address,
    ) -> Result<Vec<SessionRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM sessions WHERE cluster = ? AND requester = ? ORDER BY created_at DESC, address",
            )?;
            let rows = statement.query_and_then(params![cluster, requester.as_ref()], read)?;
            rows.collect()
        })
    }

    /// Every session, of whatever wallet and chain, the newest first.
    ///
    /// # Errors
    /// When the file fails or is damaged.
    pub fn all_sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT * FROM sessions ORDER BY created_at DESC, address")?;
            statement.query_and_then([], read)?.collect()
        })
    }

    /// One session.
    ///
    /// # Errors
    /// When the file fails or is damaged.
    pub fn session(&self, address: &Address) -> Result<Option<SessionRow>, StoreError> {
        self.with(|connection| one(connection, address))
    }

    /// Notes where a session stands; `reason` is for people.
    ///
    /// # Errors
    /// When the file fails.
    pub fn set_state(
        &self,
        address: &Address,
        state: State,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached("UPDATE sessions SET state = ?, reason = ? WHERE address = ?")?
                .execute(params![state.name(), reason, address.as_ref()])?;
            Ok(())
        })
    }

    /// Notes how a session's opening came out, unless it went further meanwhile: the chain may show it first.
    ///
    /// # Errors
    /// When the file fails.
    pub fn set_opened(
        &self,
        address: &Address,
        state: State,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "UPDATE sessions SET state = ?, reason = ? WHERE address = ? AND state = ?",
                )?
                .execute(params![
                    state.name(),
                    reason,
                    address.as_ref(),
                    State::Opening.name()
                ])?;
            Ok(())
        })
    }

    /// Notes what the chain says of a session's money.
    ///
    /// # Errors
    /// When the file fails.
    pub fn set_chain(
        &self,
        address: &Address,
        deposit: u64,
        settled: u64,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached("UPDATE sessions SET deposit = ?, settled = ? WHERE address = ?")?
                .execute(params![stored(deposit), stored(settled), address.as_ref()])?;
            Ok(())
        })
    }

    /// Notes a voucher that goes with no request, before it is sent.
    ///
    /// # Errors
    /// When the file fails.
    pub fn set_paid(&self, address: &Address, paid: u64) -> Result<(), StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached("UPDATE sessions SET paid = max(paid, ?) WHERE address = ?")?
                .execute(params![stored(paid), address.as_ref()])?;
            Ok(())
        })
    }
}

fn one(connection: &Connection, address: &Address) -> Result<Option<SessionRow>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT * FROM sessions WHERE address = ?")?;
    statement
        .query_row([address.as_ref()], |row| Ok(read(row)))
        .optional()?
        .transpose()
}

fn read(row: &Row<'_>) -> Result<SessionRow, StoreError> {
    let address = |name: &str| -> Result<Address, StoreError> {
        let bytes = row.get_ref(name)?.as_blob().unwrap_or_default();
        Ok(Address::new_from_array(bytes32(bytes, "an address")?))
    };
    let bytes = |name: &str| -> Result<[u8; 32], StoreError> {
        bytes32(row.get_ref(name)?.as_blob().unwrap_or_default(), "a digest")
    };
    let number = |name: &str| -> Result<u64, StoreError> { Ok(loaded(row.get::<_, i64>(name)?)) };
    let state: String = row.get("state")?;
    let doubt = match row.get::<_, Option<i64>>("doubt_sequence")? {
        Some(sequence) => Some(Doubt {
            sequence: loaded(sequence),
            asked: Asked {
                model: Digest(bytes("doubt_model")?),
                request: Digest(bytes("doubt_request")?),
            },
            max_price: number("doubt_max_price")?,
        }),
        None => None,
    };
    let generates = row.get::<_, Option<bool>>("doubt_generates")?;
    let worth = match (&doubt, generates) {
        (Some(doubt), Some(generates)) => Some(Worth {
            kind: if generates { Kind::Generate } else { Kind::Run },
            agreed: Agreed {
                base: number("doubt_base")?,
                token: number("doubt_token")?,
                tokens: number("doubt_tokens")?,
                most: doubt.max_price,
            },
            seen: number("doubt_seen")?,
            most: row.get::<_, Option<i64>>("doubt_most")?.map(loaded),
        }),
        (Some(_) | None, Some(_) | None) => None,
    };
    Ok(SessionRow {
        address: address("address")?,
        cluster: bytes("cluster")?,
        requester: address("requester")?,
        provider: address("provider")?,
        generation: number("generation")?,
        operator: address("operator")?,
        endpoint: row.get("endpoint")?,
        key: bytes("key")?,
        open_slot: number("open_slot")?,
        index: row.get("position")?,
        grace_secs: row.get("grace_secs")?,
        deposit: number("deposit")?,
        settled: number("settled")?,
        paid: number("paid")?,
        state: State::named(&state).ok_or(StoreError::Corrupt("a session's state"))?,
        reason: row.get("reason")?,
        created_at: row.get("created_at")?,
        doubt,
        worth,
    })
}
