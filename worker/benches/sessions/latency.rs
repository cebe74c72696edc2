//! One caller: what client, gateway, payment and worker add to an engine's run, call by call.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use assay_engine::{Host, Outcome};
use bytes::Bytes;
use hyper::Request;

use crate::{
    gateway,
    http::Connection,
    lane::Lane,
    report::{Row, Verdict},
    stats,
    subject::{LIMIT, Subject, host},
    worker::{NAME, Worker},
};

/// The model that the bounds are of.
const BOUNDED: &str = "2 ms";
/// What sessions may add to it, in microseconds.
const MEDIAN: f64 = 1_000.0;
const TAIL: f64 = 3_000.0;
const BATCH: usize = 16;

/// Times of the same calls, of each round.
#[derive(Default)]
pub struct Latency {
    engine: Vec<Vec<Duration>>,
    worker: Vec<Vec<Duration>>,
    gateway: Vec<Vec<Duration>>,
}

/// The three ways to an answer.
struct Ways {
    host: Host,
    input: Vec<u8>,
    lane: Lane,
    gateway: Connection,
    /// A request of the Open Inference Protocol with binary tensors, and the length of its JSON.
    request: (Bytes, usize),
}

/// The binary form: JSON, and the input's bytes after it.
fn infer(subject: &Subject) -> (Bytes, usize) {
    let input = &subject.input;
    let json = serde_json::json!({
        "inputs": [{
            "name": input.name, "shape": input.shape, "datatype": "FP32",
            "parameters": { "binary_data_size": input.data.len() },
        }],
        "parameters": { "binary_data_output": true },
    });
    let json = json.to_string().into_bytes();
    let length = json.len();
    ([json, input.data.clone()].concat().into(), length)
}

impl Ways {
    async fn by_engine(&self, subject: &Subject) -> Result<(Duration, Vec<u8>)> {
        let began = Instant::now();
        let outcome = self.host.run(&subject.model, &self.input, LIMIT).await?;
        let took = began.elapsed();
        let Outcome::Outputs(outputs) = outcome else {
            anyhow::bail!("the model failed");
        };
        let output = outputs.into_iter().next().context("no output")?;
        Ok((took, output.data))
    }

    async fn by_worker(&mut self) -> Result<(Duration, Bytes)> {
        let began = Instant::now();
        let answer = self.lane.ask().await?;
        Ok((began.elapsed(), answer))
    }

    async fn by_gateway(&mut self) -> Result<(Duration, Bytes)> {
        let (body, json) = &self.request;
        let began = Instant::now();
        let request = Request::post(format!("/v2/models/{NAME}/infer"))
            .header("inference-header-content-length", *json);
        let (_, answer) = self.gateway.send(request, body.clone()).await?;
        Ok((began.elapsed(), answer))
    }
}

/// Measures `rounds` times `calls` calls of each, with new processes in each round.
pub async fn measure(subject: &Subject, rounds: usize, calls: usize) -> Result<Latency> {
    let mut latency = Latency::default();
    for _ in 0..rounds {
        let worker = Worker::start(subject, BATCH).await?;
        let gateway = gateway::start(&worker)?;
        let body = subject.body()?.into();
        let mut ways = Ways {
            host: host(BATCH)?,
            input: subject.body()?,
            lane: Lane::open(&worker, 1, &subject.digest(), &body).await?,
            gateway: Connection::open(gateway.at).await?,
            request: infer(subject),
        };
        let (_, expected) = ways.by_engine(subject).await?;
        for answer in [ways.by_worker().await?.1, ways.by_gateway().await?.1] {
            ensure!(
                answer.ends_with(&expected),
                "the answers of the three ways are not the same"
            );
        }
        let mut times: [Vec<Duration>; 3] = Default::default();
        let warm_up = calls / 10;
        for call in 0..calls.saturating_add(warm_up) {
            // Each comes first, second and last equally often.
            for place in 0..3 {
                let way = (call + place) % 3;
                let took = match way {
                    0 => ways.by_engine(subject).await?.0,
                    1 => ways.by_worker().await?.0,
                    _ => ways.by_gateway().await?.0,
                };
                if call >= warm_up
                    && let Some(times) = times.get_mut(way)
                {
                    times.push(took);
                }
            }
        }
        let [engine, worker, gateway] = times;
        latency.engine.push(engine);
        latency.worker.push(worker);
        latency.gateway.push(gateway);
    }
    Ok(latency)
}

impl Latency {
    pub fn rows(&self, subject: &Subject) -> Vec<Row> {
        let calls: usize = self.engine.iter().map(Vec::len).sum();
        let row = |name: &str, way: &[Vec<Duration>], per_mille, bound: Option<f64>| {
            let at = |times: &Vec<Duration>| stats::quantile_micros(times, per_mille);
            let pairs = way.iter().zip(&self.engine);
            let added: Vec<f64> = pairs.map(|(way, engine)| at(way) - at(engine)).collect();
            let more = stats::middle(&added);
            let engine = at(&self.engine.concat());
            Row {
                what: format!("{name}, {} model", subject.name),
                bound: bound.map_or_else(String::new, |bound| format!("+{bound:.0} µs")),
                value: format!("{} µs, {:+.1} %", whole(&added), more / engine * 100.0),
                absolute: format!(
                    "{:.0} µs, engine {engine:.0} µs; {calls} calls each",
                    at(&way.concat())
                ),
                verdict: bound.map_or(Verdict::Beside, |bound| Verdict::of(more <= bound)),
            }
        };
        // What is asked of the path is asked at this model; the others stand beside it.
        let bound = |bound| (subject.name == BOUNDED).then_some(bound);
        let all = "Added by client, gateway, payment and worker";
        let part = "of that by payment and worker alone";
        vec![
            row(&format!("{all}, median"), &self.gateway, 500, bound(MEDIAN)),
            row(&format!("{part}, median"), &self.worker, 500, None),
            row(
                &format!("{all}, 99th percentile"),
                &self.gateway,
                990,
                bound(TAIL),
            ),
            row(&format!("{part}, 99th percentile"), &self.worker, 990, None),
        ]
    }
}

/// As [`stats::spread`], in whole numbers.
fn whole(figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:+.0} ({least:+.0} to {most:+.0})", stats::middle(figures))
}
