//! 32 requesters of a model that takes rows: runs of up to 32 requests beside runs of one, with less and less before the
//! engine.

use std::time::{Duration, Instant};

use anyhow::Result;
use assay_worker::serving::{Serve as _, Serving};
use bytes::Bytes;

use crate::{
    http::{self, Load},
    lane::{self, Lane},
    plain::{self, Plain},
    report::{Row, Verdict},
    stats,
    subject::Subject,
    worker::Worker,
};

const CALLERS: u8 = 32;
const LEAST: f64 = 3.0;

/// Requests a second of each round: with shared runs, and without.
#[derive(Default)]
struct Pairs {
    shared: Vec<f64>,
    single: Vec<f64>,
}

/// One of the two, all three ways.
struct Side {
    serving: Serving,
    plain: Plain,
    /// Lives as long as its lanes.
    _worker: Worker,
    lanes: Vec<Lane>,
}

impl Side {
    async fn start(subject: &Subject, batch_size: usize) -> Result<Self> {
        let plain = Plain::start(subject, batch_size)?;
        let worker = Worker::start(subject, batch_size).await?;
        let body = subject.body()?.into();
        Ok(Self {
            serving: plain::serves(subject, plain.folder.path(), batch_size).await?,
            plain,
            lanes: Lane::several(&worker, CALLERS, &subject.digest(), &body).await?,
            _worker: worker,
        })
    }

    /// Requests a second: of the engines and their queue, behind HTTP, and with sessions.
    async fn measure(&mut self, subject: &Subject, length: Duration) -> Result<[f64; 3]> {
        let alone = alone(&self.serving, subject, length).await?;
        let body = Bytes::from(subject.input.data.clone());
        let at = self.plain.server.at;
        let plain = http::load(at, "/", &body, CALLERS.into(), length).await?;
        let lanes = std::mem::take(&mut self.lanes);
        let (paid, lanes) = lane::load(lanes, length).await?;
        self.lanes = lanes;
        Ok([alone, plain, paid].map(|load| load.per_second))
    }
}

async fn alone(serving: &Serving, subject: &Subject, length: Duration) -> Result<Load> {
    let (body, model) = (Bytes::from(subject.body()?), subject.digest());
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (serving, body) = (serving.clone(), body.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < length {
                let asked = Instant::now();
                serving.run(model, body.clone()).await?;
                times.push(asked.elapsed());
            }
            Ok(times)
        })
    });
    Load::of(callers.collect(), began).await
}

/// Measures rounds of so long for each.
pub async fn measure(rounds: usize, length: Duration) -> Result<Vec<Row>> {
    let subject = Subject::rows()?;
    let mut shared = Side::start(&subject, CALLERS.into()).await?;
    let mut single = Side::start(&subject, 1).await?;
    let mut pairs: [Pairs; 3] = Default::default();
    for round in 0..=rounds {
        let length = if round == 0 { length / 4 } else { length };
        // Each goes first in half of the rounds.
        let (with, without) = if round % 2 == 0 {
            let with = shared.measure(&subject, length).await?;
            (with, single.measure(&subject, length).await?)
        } else {
            let without = single.measure(&subject, length).await?;
            (shared.measure(&subject, length).await?, without)
        };
        // The first round warms up, and tries whether runs can be shared.
        if round > 0 {
            for (pairs, (with, without)) in pairs.iter_mut().zip(with.into_iter().zip(without)) {
                pairs.shared.push(with);
                pairs.single.push(without);
            }
        }
    }
    let [alone, plain, paid] = &pairs;
    Ok(vec![
        row("by sessions: HTTP, vouchers, receipts", paid, true),
        row("behind plain HTTP", plain, false),
        row("engines and queue alone", alone, false),
    ])
}

fn row(way: &str, pairs: &Pairs, bounded: bool) -> Row {
    let ratios = pairs.shared.iter().zip(&pairs.single);
    let ratios: Vec<f64> = ratios.map(|(shared, single)| shared / single).collect();
    let (shared, single) = (stats::middle(&pairs.shared), stats::middle(&pairs.single));
    let each = |rate: f64| 1e6 / rate;
    Row {
        what: format!(
            "Requests a second, {CALLERS} sessions, rows.onnx, runs of up to {CALLERS} beside runs of one: {way}"
        ),
        bound: if bounded {
            format!("{LEAST}")
        } else {
            String::new()
        },
        value: stats::spread(&ratios),
        absolute: format!(
            "{shared:.0} ({:.0} µs each), one by one {single:.0} ({:.0} µs each)",
            each(shared),
            each(single)
        ),
        verdict: if bounded {
            Verdict::of(stats::middle(&ratios) >= LEAST)
        } else {
            Verdict::Beside
        },
    }
}
