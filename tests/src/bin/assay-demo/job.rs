//! One job from the order to the settled price.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use assay_client::{
    Event,
    protocol::{Address, JobData, JobStatus},
};
use assay_tests::e2e::{
    Delivered, Landed, Order, Placed, Provider, Requester, Stage,
    digits::{Prediction, SIDE, Sample},
};

use crate::screen::{Screen, bar, grouped};

/// Cells of the price bar.
const BAR: usize = 24;
/// Between two looks at the clock while a price bar is on the screen.
const FRAME: Duration = Duration::from_millis(100);

/// What a job offers, in lamports.
pub struct Offer {
    pub digit: u8,
    pub floor: u64,
    pub ceiling: u64,
    pub ramp_secs: u32,
}

pub struct Parties<'a> {
    pub stage: &'a Stage,
    pub requester: &'a Requester,
    pub provider: &'a Provider,
}

/// A settled job and what was answered.
pub struct Done {
    pub job: Address,
    pub prediction: Prediction,
}

/// Pays for one digit and shows it.
pub fn run(screen: &Screen, parties: &Parties<'_>, model: Address, offer: &Offer) -> Result<Done> {
    let Parties {
        stage,
        requester,
        provider,
    } = *parties;
    let sample = Sample::new(offer.digit)?;
    let order = Order {
        floor: offer.floor,
        ceiling: offer.ceiling,
        collateral: offer.ceiling,
        ramp_secs: offer.ramp_secs,
        claim_secs: 60,
        compute_secs: 60,
        ..Order::new(model, sample.input.clone()).only(&provider.address)
    };
    let http = provider.http();
    let placed = requester.place(stage, &http, &order)?;
    watch_price(screen, stage, &placed)?;
    screen.passing("the worker computes");
    stage.wait_job(&placed.job, JobStatus::Committed)?;
    screen.passing("fetching the result and checking it against the commitment");
    let (delivered, _) = requester.receive(stage, &http, &placed.job)?;
    screen.passing("acknowledged; the worker settles");
    requester.acknowledge(&http, &placed.job)?;
    let job = stage.wait_job(&placed.job, JobStatus::Settled)?;
    screen.clear();

    let prediction = Prediction::read(&delivered.outputs)?;
    beside(
        screen,
        &sample,
        &lines(screen, &job, &delivered, &prediction),
    )?;
    for landed in stage.history(&placed.job)? {
        let (name, payer) = named(&landed)?;
        screen.transaction(name, &landed, payer);
    }
    if prediction.label != i64::from(offer.digit) {
        bail!(
            "the model takes the {} for a {}",
            offer.digit,
            prediction.label
        );
    }
    Ok(Done {
        job: placed.job,
        prediction,
    })
}

/// Shows the price rising until somebody takes the job.
fn watch_price(screen: &Screen, stage: &Stage, placed: &Placed) -> Result<()> {
    let watch = stage.watch(&placed.job)?;
    loop {
        let job: JobData = stage.get(&placed.job)?;
        if job.status().ok() != Some(JobStatus::Open) {
            return Ok(());
        }
        let now = stage.now()?;
        if now
            > job
                .claim_deadline()
                .ok()
                .context("the job has a deadline")?
        {
            bail!("nobody took the job {}", placed.job);
        }
        let price = job.price_at(now).map_or(0, |price| price.0);
        let drawn = bar(price, job.ceiling, BAR);
        screen.passing(&format!(
            "open, the price rises  {drawn} {} lamports",
            grouped(price)
        ));
        watch.pause(FRAME)?;
    }
}

/// A probability.
pub fn percent(part: f32) -> String {
    format!("{:.1} %", part * 100.0)
}

/// What is said beside the picture.
fn lines(
    screen: &Screen,
    job: &JobData,
    delivered: &Delivered,
    prediction: &Prediction,
) -> Vec<String> {
    let waited = job.claimed_at - job.created_at;
    let mut others: Vec<(usize, f32)> = prediction
        .probabilities
        .iter()
        .copied()
        .enumerate()
        .filter(|(label, _)| i64::try_from(*label) != Ok(prediction.label))
        .collect();
    others.sort_by(|one, other| other.1.total_cmp(&one.1));
    let others: Vec<String> = others
        .iter()
        .take(2)
        .map(|(label, part)| format!("{label} {}", percent(*part)))
        .collect();
    let answer = format!(
        "{}, {} sure",
        prediction.label,
        percent(prediction.confidence())
    );
    let row = |name: &str, text: &str| format!("{} {text}", screen.dim(&format!("{name:<8}")));
    vec![
        row(
            "price",
            &format!(
                "from {} to {} in {} s",
                grouped(job.floor),
                grouped(job.ceiling),
                job.ramp_secs
            ),
        ),
        row(
            "",
            &format!(
                "{} {}",
                bar(job.price, job.ceiling, BAR),
                grouped(job.price)
            ),
        ),
        row(
            "",
            &format!("taken after {waited} s at {} lamports", grouped(job.price)),
        ),
        row(
            "",
            &format!(
                "{} came back to the requester",
                grouped(job.ceiling - job.price)
            ),
        ),
        row(
            "answer",
            &format!("{}  {}", screen.strong(&answer), screen.warn("unaudited")),
        ),
        row("", &screen.dim(&format!("next: {}", others.join(", ")))),
        row("checked", "outputs open the commitment on chain"),
        row(
            "runtime",
            &format!("ONNX Runtime, {} ms", delivered.delivery.compute_ms),
        ),
    ]
}

/// The picture, two columns a pixel.
fn picture(sample: &Sample) -> Result<Vec<String>> {
    let pixels = sample.pixels()?;
    let shade = |light: &f32| match light {
        light if *light < 0.15 => "  ",
        light if *light < 0.4 => "░░",
        light if *light < 0.65 => "▒▒",
        light if *light < 0.85 => "▓▓",
        _ => "██",
    };
    Ok(pixels
        .chunks(SIDE)
        .map(|row| row.iter().map(shade).collect())
        .collect())
}

/// Says eight lines beside a picture.
pub fn beside(screen: &Screen, sample: &Sample, lines: &[String]) -> Result<()> {
    for (row, text) in picture(sample)?.iter().zip(lines) {
        screen.line(&format!("   {row}   {text}"));
    }
    Ok(())
}

/// The instruction of one of a job's transactions, by the event that it emitted, and who sent it.
fn named(landed: &Landed) -> Result<(&'static str, &'static str)> {
    let event = landed.events.last().map(Event::name);
    Ok(match event {
        Some("JobCreated") => ("job_create", "requester"),
        Some("JobClaimed") => ("job_claim", "worker"),
        Some("JobCommitted") => ("job_commit", "worker"),
        Some("JobSettled") => ("job_finalize", "worker"),
        other => bail!("transaction {} tells of {other:?}", landed.signature),
    })
}
