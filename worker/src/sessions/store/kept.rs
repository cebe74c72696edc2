//! What the file holds at a start.

use assay_client::{
    protocol::{Address, SessionData, UnixSeconds},
    session::{Payment, SignedReceipt, Usage},
};
use rusqlite::{Connection, Row};

use super::{
    super::core::{Answered, Channel, LostRun, LostRuns},
    SessionStoreError,
};

/// What the file holds at a start.
#[derive(Debug, Default)]
pub struct Kept {
    pub sessions: Vec<(Address, Channel)>,
    pub lost_runs: LostRuns,
}

impl Kept {
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn read(
        connection: &Connection,
        now: UnixSeconds,
    ) -> Result<Self, SessionStoreError> {
        Ok(Self {
            sessions: channels(connection, now)?,
            lost_runs: lost_runs(connection)?,
        })
    }
}

fn lost_runs(connection: &Connection) -> Result<LostRuns, SessionStoreError> {
    let mut statement = connection.prepare("SELECT payer, at FROM lost_runs ORDER BY number")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
    let runs = rows.map(|row| {
        let (payer, at) = row?;
        Ok(LostRun {
            payer: address(&payer)?,
            at: UnixSeconds(at),
        })
    });
    let runs: Vec<LostRun> = runs.collect::<Result<_, SessionStoreError>>()?;
    Ok(LostRuns::new(runs))
}

fn channels(
    connection: &Connection,
    now: UnixSeconds,
) -> Result<Vec<(Address, Channel)>, SessionStoreError> {
    let mut statement = connection.prepare(
        "SELECT session, account, payment, receipt, input_bytes, input_tokens, output_tokens FROM sessions",
    )?;
    let rows = statement.query_map([], |row| Ok(channel(row, now)))?;
    rows.map(|row| row?).collect()
}

fn channel(row: &Row<'_>, now: UnixSeconds) -> Result<(Address, Channel), SessionStoreError> {
    let corrupt = |what| move || SessionStoreError::Corrupt { what };
    let session = address(&row.get::<_, Vec<u8>>(0)?)?;
    let account: Vec<u8> = row.get(1)?;
    let account = bytemuck::try_pod_read_unaligned::<SessionData>(&account)
        .map_err(|_| corrupt("a session's account")())?;
    let payment = row.get::<_, Option<String>>(2)?;
    let payment = payment.map(|text| Payment::from_header(&text));
    let payment = payment.transpose().map_err(|_| corrupt("a voucher")())?;
    let receipt = row.get::<_, Option<String>>(3)?;
    let receipt = receipt.map(|text| SignedReceipt::from_header(&text));
    let receipt = receipt.transpose().map_err(|_| corrupt("a receipt")())?;
    let usage = Usage {
        input_bytes: row.get::<_, i64>(4)?.cast_unsigned(),
        input_tokens: row.get::<_, i64>(5)?.cast_unsigned(),
        output_tokens: row.get::<_, i64>(6)?.cast_unsigned(),
    };
    let last = receipt.map(|receipt| Answered { receipt, usage });
    let channel = Channel::new(session, account, payment, last, now);
    Ok((session, channel))
}

pub(super) fn address(bytes: &[u8]) -> Result<Address, SessionStoreError> {
    let bytes = <[u8; 32]>::try_from(bytes);
    let what = "an address";
    bytes
        .map(Address::new_from_array)
        .map_err(|_| SessionStoreError::Corrupt { what })
}
