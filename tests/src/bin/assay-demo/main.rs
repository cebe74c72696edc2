//! `make demo`: a local chain and six providers with a real worker each. Three real digits are paid for and settled; then
//! an audited one goes to a provider that cheats, and two panels find it out; last, a stock client asks in a session.

mod cheat;
mod job;
mod money;
mod panel;
mod people;
mod screen;
mod session;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use assay_client::{PROGRAM_ID, protocol::Address};
use assay_tests::e2e::{Model, SOL, Stage, UNHURRIED, gateway::Client, root};

use money::Snapshot;
use people::People;
use screen::{Screen, grouped, short};

/// The held-out pictures that are paid for, each with the price's way: from, to, within seconds.
const OFFERS: [job::Offer; 3] = [
    job::Offer {
        digit: 3,
        floor: 250_000,
        ceiling: 1_000_000,
        ramp_secs: 6,
    },
    job::Offer {
        digit: 0,
        floor: 100_000,
        ceiling: 900_000,
        ramp_secs: 4,
    },
    job::Offer {
        digit: 4,
        floor: 400_000,
        ceiling: 1_200_000,
        ramp_secs: 8,
    },
];
/// Jobs that must end with a slash.
const FRAUDS: u32 = 1;
/// Sessions that must end with everything paid.
const SESSIONS: u32 = 1;

fn main() -> ExitCode {
    let screen = Screen::new();
    match run(&screen) {
        Ok(tally) => {
            screen.line(&tally.to_string());
            if tally.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            screen.clear();
            eprintln!("DEMO FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How it ended.
struct Tally {
    settled: u32,
    faulted: u32,
    conserved: bool,
    sessions: u32,
}

impl Tally {
    fn is_ok(&self) -> bool {
        usize::try_from(self.settled) == Ok(OFFERS.len())
            && self.faulted == FRAUDS
            && self.conserved
            && self.sessions == SESSIONS
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            settled,
            faulted,
            conserved,
            sessions,
        } = self;
        let verdict = if self.is_ok() { "OK" } else { "FAILED" };
        write!(
            f,
            "DEMO {verdict} settled={settled} faulted={faulted} conserved={conserved} sessions={sessions}"
        )
    }
}

fn run(screen: &Screen) -> Result<Tally> {
    screen.title("Assay: digits paid for and settled, a cheat found out, a chat in a session");
    screen.quiet("Everything is real and on this machine: the program on a local Solana chain,");
    screen.quiet("six workers with ONNX Runtime, wallets. The first three jobs are unaudited:");
    screen.quiet("nobody computes them again. The fourth is audited, and its provider cheats.");
    screen.quiet("Last, an unchanged OpenAI client asks two models in a session, unaudited too.");

    let stage = chain(screen)?;
    let people = People::settle_in(screen, &stage)?;
    let (model, exponent) = model(screen, &stage)?;
    let client = Client::new(&stage, SOL)?;
    let requester = &client.requester;
    let wallets = [vec![requester.address()], people.wallets()].concat();
    let before = Snapshot::take(&stage, &wallets)?;

    let mut done = Vec::new();
    for (number, offer) in OFFERS.iter().enumerate() {
        screen.step(&format!("Job {}: which digit is this?", number + 1));
        let parties = job::Parties {
            stage: &stage,
            requester,
            provider: &people.honest()?.provider,
        };
        done.push(job::run(screen, &parties, model, offer)?);
    }
    let (offer, first) = OFFERS.first().zip(done.first()).context("three jobs")?;
    let act = cheat::Act {
        stage: &stage,
        requester,
        people: &people,
        model,
        exponent,
        honest: &first.prediction,
        digit: offer.digit,
    };
    let fourth = act.play(screen)?;
    let act = session::Act {
        stage: &stage,
        client: &client,
        server: people.server()?,
    };
    let sessions = act.play(screen)?;

    screen.step("Stop: everybody takes home what is theirs");
    let providers = people.stop()?;
    screen.fact("workers", "finished their work and ended");
    let jobs: Vec<_> = done.iter().map(|done| done.job).chain([fourth]).collect();
    money::take_home(screen, &stage, requester, &providers, &jobs)?;
    let after = Snapshot::take(&stage, &wallets)?;

    screen.step("Where the lamports went");
    let conserved = money::compare(screen, &before, &after, requester, &providers)?;
    screen.line("");
    let (mut settled, mut faulted) = (0, 0);
    for (_, provider) in &providers {
        let account = provider.data(&stage)?;
        settled += account.jobs_settled;
        faulted += account.jobs_faulted;
    }
    Ok(Tally {
        settled,
        faulted,
        conserved,
        sessions,
    })
}

fn chain(screen: &Screen) -> Result<Stage> {
    screen.step("A chain with the market on it");
    screen.passing("starting");
    let mut size = 0;
    let stage = Stage::start_as(UNHURRIED, &mut |progress| {
        size = progress.bytes_total;
        let percent = progress.bytes_written * 100 / progress.bytes_total.max(1);
        screen.passing(&format!("deploying the program: {percent} %"));
    })?;
    screen.clear();
    let params = stage.market()?.params;
    screen.fact("JSON-RPC", &stage.chain.rpc_url());
    screen.fact("program", &PROGRAM_ID.to_string());
    let size = grouped(u64::try_from(size)?);
    screen.fact(
        "",
        &format!("{size} bytes, deployed by the upgradeable loader"),
    );
    let percent = f64::from(params.fee_bps) / 100.0;
    screen.fact(
        "market",
        &format!("open; keeps {percent} % of every settled price"),
    );
    Ok(stage)
}

/// The model's account and how its probabilities are compared.
fn model(screen: &Screen, stage: &Stage) -> Result<(Address, i16)> {
    screen.step("A model");
    let model = Model::digits()?;
    let file = model
        .file
        .strip_prefix(root())
        .context("the model lies in the checkout")?;
    screen.fact(
        "file",
        &format!("{}, {} bytes", file.display(), grouped(model.size)),
    );
    screen.fact("sha256", &short(&hex::encode(model.digest.0), 32));
    let exponent = *model.profile.0.first().context("an output")?;
    screen.fact(
        "compared",
        &format!("within a step of 2^{exponent}, as `assay model calibrate` measured"),
    );
    let (address, registered) = model.register_showing(stage)?;
    screen.transaction("model_register", &registered, "author");
    Ok((address, exponent))
}
