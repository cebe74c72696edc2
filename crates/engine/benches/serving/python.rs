//! The same model served by Python: ONNX Runtime behind Starlette and uvicorn.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    http,
    model::Subject,
    report::Row,
    throughput::CALLERS,
    uvicorn::{self, Server, WAYS, interpreter},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/serving/python");

pub async fn measure(subject: &Subject, rounds: usize, length: Duration) -> Result<Vec<Row>> {
    let Some(python) = interpreter() else {
        return Ok(vec![uvicorn::not_measured()]);
    };
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), &subject.file)?;
    let ours = ours(file.path())?;
    let expected = http::ask(ours.at, "/").await?;
    let mut rows = Vec::new();
    for way in &WAYS {
        let theirs = uvicorn::start(&python, FOLDER, file.path(), way).await?;
        let answer = http::ask(theirs.at, way.path).await?;
        // Another number of threads may round differently, so only the size is sure to be the same.
        ensure!(
            answer.len() == expected.len(),
            "Python answers something else"
        );
        let mut pairs = Vec::new();
        for round in 0..=rounds {
            let length = if round == 0 { length / 4 } else { length };
            let loaded = http::load(ours.at, "/", CALLERS, length, Some(&expected)).await?;
            let other = http::load(theirs.at, way.path, CALLERS, length, None).await?;
            // The first round warms up.
            if round > 0 {
                pairs.push((loaded, other));
            }
        }
        let what = format!(
            "HTTP requests a second, {CALLERS} connections, {} model, beside Python and uvicorn: {}",
            subject.name, way.name
        );
        let pairs: Vec<_> = pairs.iter().map(|(ours, other)| (ours, other)).collect();
        rows.push(uvicorn::row(what, way.bounded, &pairs));
    }
    Ok(rows)
}

fn ours(file: &Path) -> Result<Server> {
    let mut child = Command::new(env::current_exe()?)
        .arg("serve")
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    let stdout = child.stdout.take().context("no pipe")?;
    BufReader::new(stdout).read_line(&mut address)?;
    let at = address
        .trim()
        .parse()
        .context("our server does not start")?;
    Ok(Server { child, at })
}
