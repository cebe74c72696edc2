//! `make demo`: a local chain, a provider with a real worker, three real digits paid for and settled, step by step.

mod job;
mod money;
mod screen;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use assay_client::PROGRAM_ID;
use assay_tests::e2e::{Model, Provider, Requester, SOL, Settings, Stage, Worker, root};
use solana_signer::Signer as _;

use money::Snapshot;
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
/// What the worker asks for; the price has to rise to it.
const ASKED: u64 = 500_000;
const STAKE: u64 = SOL / 2;

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
}

impl Tally {
    fn is_ok(&self) -> bool {
        usize::try_from(self.settled) == Ok(OFFERS.len()) && self.faulted == 0 && self.conserved
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            settled,
            faulted,
            conserved,
        } = self;
        let verdict = if self.is_ok() { "OK" } else { "FAILED" };
        write!(
            f,
            "DEMO {verdict} settled={settled} faulted={faulted} conserved={conserved}"
        )
    }
}

fn run(screen: &Screen) -> Result<Tally> {
    screen.title("Assay: three handwritten digits, paid for and settled");
    screen.quiet("Everything is real and on this machine: the program on a local Solana chain,");
    screen.quiet("a worker with ONNX Runtime, a wallet. The jobs are unaudited: nobody runs the");
    screen.quiet("inference a second time, so a wrong answer would be paid for too.");

    let stage = chain(screen)?;
    let (provider, worker) = provider(screen, &stage)?;
    let model = model(screen, &stage)?;
    let requester = Requester::new(&stage, SOL)?;
    let wallets = [
        requester.address(),
        provider.authority.pubkey(),
        provider.operator.pubkey(),
    ];
    let before = Snapshot::take(&stage, &wallets)?;

    let mut jobs = Vec::new();
    for (number, offer) in OFFERS.iter().enumerate() {
        screen.step(&format!(
            "Job {} of {}: which digit is this?",
            number + 1,
            OFFERS.len()
        ));
        let parties = job::Parties {
            stage: &stage,
            requester: &requester,
            provider: &provider,
        };
        jobs.push(job::run(screen, &parties, model, offer)?);
    }

    screen.step("Stop: everybody takes home what is theirs");
    let exit = worker.process.terminate()?;
    if !exit.status.success() {
        bail!("the worker ended with {}: {}", exit.status, exit.stderr);
    }
    screen.fact("worker", "finished its work and ended");
    money::take_home(screen, &stage, &requester, &provider, &jobs)?;
    let after = Snapshot::take(&stage, &wallets)?;

    screen.step("Where the lamports went");
    let conserved = money::compare(screen, &before, &after, &requester, &provider)?;
    let account = provider.data(&stage)?;
    screen.line("");
    Ok(Tally {
        settled: account.jobs_settled,
        faulted: account.jobs_faulted,
        conserved,
    })
}

fn chain(screen: &Screen) -> Result<Stage> {
    screen.step("A chain with the market on it");
    screen.passing("starting");
    let mut size = 0;
    let stage = Stage::start_showing(&mut |progress| {
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

fn provider(screen: &Screen, stage: &Stage) -> Result<(Provider, Worker)> {
    screen.step("A provider and its worker");
    let provider = Provider::with_stake(stage, STAKE)?;
    screen.fact("provider", &provider.address.to_string());
    screen.fact(
        "stake",
        &format!(
            "{} lamports, lost in part by whoever is late",
            grouped(STAKE)
        ),
    );
    for (name, landed) in &provider.made_by {
        screen.transaction(name, landed, "authority");
    }
    screen.passing("the worker starts");
    let settings = Settings {
        min_price: ASKED,
        ..Settings::default()
    };
    let worker = Worker::start(stage, &provider, &settings)?;
    screen.clear();
    let process = worker.process.id();
    screen.fact(
        "worker",
        &format!(
            "assay-worker, process {process}, http://{}",
            provider.listen
        ),
    );
    screen.fact(
        "",
        &format!("takes no job below {} lamports", grouped(ASKED)),
    );
    Ok((provider, worker))
}

fn model(screen: &Screen, stage: &Stage) -> Result<assay_client::protocol::Address> {
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
    let (address, registered) = model.register_showing(stage)?;
    screen.transaction("model_register", &registered, "author");
    Ok(address)
}
