//! A requester with one session, who signs a voucher for each request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use assay_client::{
    protocol::{Address, Digest, Voucher},
    session::{
        MODEL_HEADER, Payment, RECEIPT_HEADER, SEQUENCE_HEADER, SignedReceipt, VOUCHER_HEADER,
        run_path, session_path,
    },
};
use bytes::Bytes;
use hyper::Request;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    http::{Connection, Load},
    worker::{PRICE, Worker},
};

/// A worker looks up ten sessions a second that it does not know.
const PAUSE: Duration = Duration::from_millis(120);
/// Enough for any measurement.
const DEPOSIT: u64 = PRICE * 10_000_000;

pub struct Lane {
    connection: Connection,
    session: Address,
    key: Keypair,
    path: String,
    model: Arc<str>,
    body: Bytes,
    /// Requests answered, and lamports of them.
    sequence: u64,
    due: u64,
}

impl Lane {
    /// Opens a session, by number, for requests of this body.
    pub async fn open(worker: &Worker, number: u8, model: &Digest, body: &Bytes) -> Result<Self> {
        let key = Keypair::new_from_array([number; 32]);
        let accounts = &worker.accounts;
        let session = accounts.open(key.pubkey(), DEPOSIT, u32::from(number))?;
        let mut connection = Connection::open(worker.server.at).await?;
        tokio::time::sleep(PAUSE).await;
        connection.get(&session_path(&session)).await?;
        Ok(Self {
            connection,
            session,
            key,
            path: run_path(&session),
            model: hex::encode(model.0).into(),
            body: body.clone(),
            sequence: 0,
            due: 0,
        })
    }

    /// So many of them.
    pub async fn several(
        worker: &Worker,
        lanes: u8,
        model: &Digest,
        body: &Bytes,
    ) -> Result<Vec<Self>> {
        let mut opened = Vec::new();
        for number in 1..=lanes {
            opened.push(Self::open(worker, number, model, body).await?);
        }
        Ok(opened)
    }

    /// Pays what is due and asks once more. The receipt's number and sum are looked at.
    pub async fn ask(&mut self) -> Result<Bytes> {
        let voucher = Voucher {
            session: self.session,
            cumulative: self.due,
            expires_at: i64::MAX,
        };
        let payment = Payment::sign(voucher, &self.key)?;
        let sequence = self.sequence.saturating_add(1);
        let request = Request::post(&*self.path)
            .header(MODEL_HEADER, &*self.model)
            .header(SEQUENCE_HEADER, sequence)
            .header(VOUCHER_HEADER, payment.to_header());
        let (headers, answer) = self.connection.send(request, self.body.clone()).await?;
        let receipt = headers.get(RECEIPT_HEADER).context("no receipt")?;
        let SignedReceipt { receipt, .. } = SignedReceipt::from_header(receipt.to_str()?)?;
        self.due = self.due.saturating_add(PRICE);
        ensure!(
            (receipt.sequence, receipt.cumulative) == (sequence, self.due),
            "the receipt is of another request or price"
        );
        self.sequence = sequence;
        Ok(answer)
    }
}

/// Each lane with one request after another, for so long; gives the lanes back.
pub async fn load(lanes: Vec<Lane>, length: Duration) -> Result<(Load, Vec<Lane>)> {
    let began = Instant::now();
    let (given, mut back) = tokio::sync::mpsc::unbounded_channel();
    let callers = lanes.into_iter().map(|mut lane| {
        let given = given.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < length {
                let sent = Instant::now();
                lane.ask().await?;
                times.push(sent.elapsed());
            }
            given.send(lane).ok().context("nobody takes the lane")?;
            Ok(times)
        })
    });
    let load = Load::of(callers.collect(), began).await?;
    drop(given);
    let mut lanes = Vec::new();
    while let Some(lane) = back.recv().await {
        lanes.push(lane);
    }
    Ok((load, lanes))
}
