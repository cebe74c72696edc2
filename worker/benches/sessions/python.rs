//! A small model behind HTTP: ours with shared runs, with and without sessions, beside Python's server.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use bytes::Bytes;
use hyper::Request;

use crate::{
    http::{self, Connection, Load},
    lane::{self, Lane},
    plain::Plain,
    report::Row,
    subject::Subject,
    uvicorn::{self, WAYS, Way, interpreter},
    worker::Worker,
};

const CONNECTIONS: [u8; 2] = [8, 32];
const BATCH: usize = 32;
const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/engine/benches/serving/python"
);

/// What each gave in one round.
struct Trio {
    plain: Load,
    paid: Load,
    python: Load,
}

pub async fn measure(rounds: usize, length: Duration) -> Result<Vec<Row>> {
    let Some(python) = interpreter() else {
        return Ok(vec![uvicorn::not_measured()]);
    };
    let subject = Subject::rows()?;
    let plain = Plain::start(&subject, BATCH)?;
    let worker = Worker::start(&subject, BATCH).await?;
    let input = Bytes::from(subject.input.data.clone());
    let (body, digest) = (subject.body()?.into(), subject.digest());
    let most = CONNECTIONS.into_iter().max().unwrap_or_default();
    let mut lanes = Lane::several(&worker, most, &digest, &body).await?;
    let expected = ask(plain.server.at, "/", &input).await?;
    // Rounds of half the length: there are many ways.
    let length = length / 2;
    let mut rows = Vec::new();
    for way in &WAYS {
        let file = plain.folder.path().join("model.onnx");
        let theirs = uvicorn::start(&python, FOLDER, &file, way).await?;
        let answer = ask(theirs.at, way.path, &input).await?;
        // Rows that share a run may round differently, so only the size is sure to be the same.
        ensure!(
            answer.len() == expected.len(),
            "Python answers something else"
        );
        for connections in CONNECTIONS {
            let mut trios = Vec::new();
            for round in 0..=rounds {
                let length = if round == 0 { length / 4 } else { length };
                let some = usize::from(connections);
                let ours = http::load(plain.server.at, "/", &input, some, length).await?;
                let rest = lanes.split_off(some.min(lanes.len()));
                let (paid, back) = lane::load(lanes, length).await?;
                lanes = back.into_iter().chain(rest).collect();
                let other = http::load(theirs.at, way.path, &input, some, length).await?;
                // The first round warms up.
                if round > 0 {
                    trios.push(Trio {
                        plain: ours,
                        paid,
                        python: other,
                    });
                }
            }
            rows.push(row(way, connections, &trios, ("", |trio| &trio.plain)));
            rows.push(row(
                way,
                connections,
                &trios,
                (" and sessions", |trio| &trio.paid),
            ));
        }
    }
    Ok(rows)
}

async fn ask(at: SocketAddr, path: &str, input: &Bytes) -> Result<Bytes> {
    let mut connection = Connection::open(at).await?;
    let answer = connection.send(Request::post(path), input.clone()).await?;
    Ok(answer.1)
}

fn row(
    way: &Way,
    connections: u8,
    trios: &[Trio],
    (with, ours): (&str, fn(&Trio) -> &Load),
) -> Row {
    let what = format!(
        "HTTP requests a second{with}, {connections} connections, rows.onnx with shared runs, beside Python and \
         uvicorn: {}",
        way.name
    );
    let rounds: Vec<_> = trios
        .iter()
        .map(|trio| (ours(trio), &trio.python))
        .collect();
    // The bound speaks of what computes the same and no more.
    uvicorn::row(what, way.bounded && with.is_empty(), &rounds)
}
