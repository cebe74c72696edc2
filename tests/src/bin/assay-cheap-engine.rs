//! The engine of a provider that cheats: it rounds the weights of every model to int8 before the real engine sees
//! them. Outputs look right, cost less to compute on hardware that is made for it, and are not the model's.
//!
//! The worker starts it where its configuration says `engine.program`; it starts `assay-worker engine` and passes
//! everything on, except the bytes of models.

use std::{
    env,
    io::{self, Read, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result};
use assay_tests::e2e::{binaries, cheap::rounded_to_int8};

/// `"ASE1" | header length u32le | body length u64le`, see `assay-engine`.
const PREAMBLE: usize = 16;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let (mut requests, its) = UnixStream::pair()?;
    let mut engine = binaries::worker()?
        .args(env::args_os().skip(1))
        // It ends with the host, as it would without us.
        .stdin(Stdio::inherit())
        .stdout(OwnedFd::from(its))
        .spawn()
        .context("the real engine does not start")?;
    // Requests come on standard output, which is a socket, and responses go there.
    let mut host = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    while let Some((header, mut body)) = frame(&mut host)? {
        let asked: serde_json::Value = serde_json::from_slice(&header)?;
        if asked.get("share").is_some() {
            // What lies in shared memory would pass us by.
            let refusal = serde_json::json!({ "not_sharing": { "reason": "it is cheap" } });
            send(&mut host, refusal.to_string().as_bytes(), &[])?;
            continue;
        }
        if asked.get("load").is_some() {
            body = rounded_to_int8(&body)?;
        }
        send(&mut requests, &header, &body)?;
        let Some((header, body)) = frame(&mut requests)? else {
            break;
        };
        send(&mut host, &header, &body)?;
    }
    drop(requests);
    let ended = engine.wait()?;
    Ok(if ended.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn send(to: &mut UnixStream, header: &[u8], body: &[u8]) -> Result<()> {
    let mut frame = b"ASE1".to_vec();
    frame.extend_from_slice(&u32::try_from(header.len())?.to_le_bytes());
    frame.extend_from_slice(&u64::try_from(body.len())?.to_le_bytes());
    frame.extend_from_slice(header);
    frame.extend_from_slice(body);
    Ok(to.write_all(&frame)?)
}

/// Header and body of what comes next; none when the far end is gone.
fn frame(from: &mut impl Read) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut preamble = Vec::new();
    if from.take(PREAMBLE as u64).read_to_end(&mut preamble)? < PREAMBLE {
        return Ok(None);
    }
    let header = u32::from_le_bytes(*preamble[4..].first_chunk().context("four bytes")?);
    let body = u64::from_le_bytes(*preamble[8..].first_chunk().context("eight bytes")?);
    let mut take = |length: u64| {
        let mut bytes = Vec::new();
        from.take(length).read_to_end(&mut bytes).map(|_| bytes)
    };
    Ok(Some((take(header.into())?, take(body)?)))
}
