//! What a worker's check of a voucher takes: reading its header, then session, end and signature.

use std::time::{Duration, Instant};

use anyhow::Result;
use assay_client::{
    protocol::{UnixSeconds, Voucher},
    session::Payment,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    accounts::PROVIDER,
    report::{Row, Verdict},
    stats,
};

const MOST: f64 = 100.0;

/// Checks so many different vouchers.
pub fn measure(vouchers: usize) -> Result<Row> {
    let key = Keypair::new_from_array([5; 32]);
    // Any address will do: none is read.
    let session = PROVIDER;
    let mut times: Vec<Duration> = Vec::with_capacity(vouchers);
    for number in 0..vouchers {
        let voucher = Voucher {
            session,
            cumulative: u64::try_from(number)?,
            expires_at: i64::MAX,
        };
        let header = Payment::sign(voucher, &key)?.to_header();
        let began = Instant::now();
        let payment = Payment::from_header(&header)?;
        payment.check(&session, &key.pubkey(), UnixSeconds(0))?;
        times.push(began.elapsed());
    }
    let (median, tail) = (
        stats::quantile_micros(&times, 500),
        stats::quantile_micros(&times, 990),
    );
    Ok(Row {
        what: "Check of a voucher, median and 99th percentile".into(),
        bound: format!("{MOST:.0} µs"),
        value: format!("{median:.0} µs, {tail:.0} µs"),
        absolute: format!("{vouchers} vouchers"),
        verdict: Verdict::of(tail <= MOST),
    })
}
