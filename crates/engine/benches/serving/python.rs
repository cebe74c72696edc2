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
    http::{self, Load},
    model::Subject,
    report::{Row, Verdict},
    stats,
    throughput::CALLERS,
    uvicorn::{self, Server, WAYS, Way, interpreter},
};

const LEAST: f64 = 3.0;
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/serving/python");

/// Ours and theirs, in each round.
struct Pair {
    ours: Load,
    theirs: Load,
}

pub async fn measure(subject: &Subject, rounds: usize, length: Duration) -> Result<Vec<Row>> {
    let Some(python) = interpreter() else {
        return Ok(vec![Row {
            what: "Python behind uvicorn".into(),
            bound: format!("{LEAST}"),
            value: "`scripts/bootstrap.sh bench` was not run".into(),
            absolute: String::new(),
            verdict: Verdict::NotMeasured,
        }]);
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
                pairs.push(Pair {
                    ours: loaded,
                    theirs: other,
                });
            }
        }
        rows.push(row(subject, way, &pairs));
    }
    Ok(rows)
}

fn row(subject: &Subject, way: &Way, pairs: &[Pair]) -> Row {
    let ratios: Vec<f64> = pairs
        .iter()
        .map(|pair| pair.ours.per_second / pair.theirs.per_second)
        .collect();
    let of = |load: fn(&Pair) -> &Load| {
        let rates: Vec<f64> = pairs.iter().map(|pair| load(pair).per_second).collect();
        let times: Vec<Duration> = pairs
            .iter()
            .flat_map(|pair| load(pair).times.clone())
            .collect();
        let median = stats::quantile_micros(&times, 500) / 1_000.0;
        format!("{:.0}/s, {median:.2} ms", stats::middle(&rates))
    };
    let (ours, theirs) = (of(|pair| &pair.ours), of(|pair| &pair.theirs));
    Row {
        what: format!(
            "HTTP requests a second, {CALLERS} connections, {} model, beside Python and uvicorn: {}",
            subject.name, way.name
        ),
        bound: if way.bounded {
            format!("{LEAST}")
        } else {
            String::new()
        },
        value: stats::spread(&ratios),
        absolute: format!("{ours}; Python {theirs}"),
        verdict: match way.bounded {
            true => Verdict::of(stats::middle(&ratios) >= LEAST),
            false => Verdict::Beside,
        },
    }
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
