//! The third act: a chat and an embedding in a session, asked through a client that knows nothing of Assay.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use assay_client::{Event, session::Price};
use assay_tests::e2e::{
    Landed, Stage,
    gateway::{Checked, Client, Served, script},
    root,
};

use crate::{
    people::Person,
    screen::{Screen, grouped},
};

/// What is served in sessions.
pub const SERVED: [Served; 2] = [dear(Served::CACHED), dear(Served::EMBED)];
/// What is asked: the file is what a person would write.
const SCRIPT: &str = "demo.py";
/// The answer that the chat model's reference gives.
const ANSWER: &str = "The capital of France is Paris.";
/// Numbers of a vector of the embedding model.
const DIMENSIONS: usize = 64;
/// The address of a job or session must not be used again, so they can be closed only when their slot is this many
/// seconds old.
const CLOSABLE_AFTER_SECS: u32 = 120;

/// For as much as pays for the close: a worker leaves cheaper sessions to their requester.
const fn dear(served: Served) -> Served {
    let price = Price {
        request: 20_000,
        ..served.price
    };
    Served { price, ..served }
}

pub struct Act<'a> {
    pub stage: &'a Stage,
    pub client: &'a Client<'a>,
    pub server: &'a Person,
}

impl Act<'_> {
    /// Plays it; returns how many sessions were paid for to the lamport and closed.
    pub fn play(&self, screen: &Screen) -> Result<u32> {
        screen.step("A session: many requests, paid for off the chain");
        self.ask(screen)?;
        screen.step("The session ends: paid, closed, the rest comes back");
        let books = self.client.books()?;
        self.settle(screen, &books)?;
        let mut sound = 0;
        for session in &books {
            sound += u32::from(self.closed(screen, session)?);
        }
        Ok(sound)
    }

    /// Asks both through a gateway, which opens the session.
    fn ask(&self, screen: &Screen) -> Result<()> {
        let Self { client, server, .. } = self;
        server.worker.wait_served(&SERVED)?;
        screen.passing("the gateway opens a session when it is asked");
        let gateway = client.gateway(&[&server.provider], &["--lanes", "1"])?;
        let url = format!("{}/v1", gateway.url);
        let asked = script(SCRIPT, &[&url])?;
        let ended = gateway.process.terminate()?;
        screen.clear();
        if !asked.status.success() {
            bail!("{SCRIPT} failed: {}\n{}", asked.stderr, ended.stderr);
        }
        let models = SERVED.map(|served| served.name).join(" and ");
        screen.fact(server.name, &format!("serves {models} in sessions"));
        screen.fact("gateway", &format!("{url}, on the requester's machine"));
        screen.fact(
            "code",
            &format!("tests/clients/{SCRIPT}, with stock openai:"),
        );
        for line in code()? {
            screen.line(&format!("      {}", screen.dim(&line)));
        }
        let (answer, vector) = asked.stdout.split_once('\n').context("two answers")?;
        let numbers: Vec<&str> = vector.split_whitespace().collect();
        ensure!(answer == ANSWER, "the model says {answer:?}");
        ensure!(numbers.len() == DIMENSIONS, "a vector of {}", numbers.len());
        let warning = screen.warn("unaudited");
        screen.fact("answer", &format!("{}  {warning}", screen.strong(answer)));
        let first: Vec<&str> = numbers.iter().take(5).copied().collect();
        screen.fact(
            "vector",
            &format!("{} .. {DIMENSIONS} numbers  {warning}", first.join(" ")),
        );
        let lines = [
            "nobody computes a session's answers again: each is its",
            "provider's word, and the price of one is what you risk",
        ];
        for (number, line) in lines.iter().enumerate() {
            screen.fact(if number == 0 { "unaudited" } else { "" }, line);
        }
        Ok(())
    }

    /// Pays what the receipts say and asks for the close, upon which the worker closes.
    fn settle(&self, screen: &Screen, books: &[Checked]) -> Result<()> {
        screen.fact(
            "clock",
            &format!("{CLOSABLE_AFTER_SECS} s forward: only then can jobs and sessions be closed"),
        );
        self.stage.chain.time_travel_by(CLOSABLE_AFTER_SECS)?;
        screen.passing("the requester asks for the close, and the worker closes");
        let asked = self.client.run(&["session", "close", "--all"])?;
        ensure!(asked.status.success(), "session close: {}", asked.stderr);
        for session in books {
            self.stage.wait_gone(&session.session)?;
        }
        screen.clear();
        Ok(())
    }

    /// Shows what became of a session, and whether the chain paid what its receipts say and no more.
    fn closed(&self, screen: &Screen, books: &Checked) -> Result<bool> {
        let history = self.stage.history(&books.session)?;
        for landed in history.iter().filter(|landed| landed.succeeded) {
            let (name, payer) = named(landed)?;
            screen.transaction(name, landed, payer);
        }
        let events = history.iter().flat_map(|landed| &landed.events);
        let (mut paid, mut refund) = (0, None);
        for event in events {
            if let Event::SessionSettled(settled) = event {
                paid += settled.price;
            }
            if let Event::SessionClosed(closed) = event {
                refund = Some(closed.refund);
            }
        }
        let Checked {
            requests, charged, ..
        } = books;
        screen.fact(
            "receipts",
            &format!(
                "{requests}, signed by the worker: {} lamports in all",
                grouped(*charged)
            ),
        );
        screen.fact(
            "paid",
            &format!(
                "{} lamports, in the transaction that asked for the close",
                grouped(paid)
            ),
        );
        let refund = refund.context("the session is closed")?;
        screen.fact(
            "requester",
            &format!("{} lamports came back, and the rent", grouped(refund)),
        );
        Ok(*requests > 0 && paid == *charged)
    }
}

/// The lines of the script below its imports.
fn code() -> Result<Vec<String>> {
    let text = fs::read_to_string(root().join("tests/clients").join(SCRIPT))?;
    let (_, code) = text
        .split_once("import openai\n\n")
        .with_context(|| format!("{SCRIPT} imports openai"))?;
    Ok(code.lines().map(str::to_owned).collect())
}

/// The instructions of one of a session's transactions, by the event that it emitted, and who sent it.
fn named(landed: &Landed) -> Result<(&'static str, &'static str)> {
    let event = landed.events.last().map(Event::name);
    Ok(match event {
        Some("SessionOpened") => ("session_open", "requester"),
        Some("SessionToppedUp") => ("session_top_up", "requester"),
        Some("SessionSettled") => ("session_settle", "worker"),
        Some("SessionCloseRequested") => ("settle, close_request", "requester"),
        Some("SessionClosed") => ("session_close", "worker"),
        other => bail!("transaction {} tells of {other:?}", landed.signature),
    })
}
