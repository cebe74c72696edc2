//! The providers of the demo, each with a worker process of its own.

use anyhow::{Context as _, Result, bail};
use assay_client::protocol::Address;
use assay_tests::e2e::{Landed, Provider, SOL, Settings, Stage, Worker};
use solana_signer::Signer as _;

use crate::{
    screen::{Screen, grouped},
    session::SERVED,
};

const STAKE: u64 = SOL / 2;
/// What the first one asks for; a price has to rise to it.
const ASKED: u64 = 500_000;
/// Ada does the honest jobs, Ben serves sessions too, Max cheats; whoever but Max is drawn audits.
const NAMES: [&str; 6] = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Max"];
/// The place of who serves sessions.
const SERVER: usize = 1;

pub struct Person {
    pub name: &'static str,
    pub provider: Provider,
    pub worker: Worker,
}

pub struct People(Vec<Person>);

impl People {
    /// Registers everybody and starts their workers.
    pub fn settle_in(screen: &Screen, stage: &Stage) -> Result<Self> {
        screen.step("Six providers: stake, and a worker process each");
        let last = NAMES.len() - 1;
        let mut people = Vec::new();
        for (number, name) in NAMES.into_iter().enumerate() {
            screen.passing(&format!("{name} registers"));
            let provider = Provider::with_stake(stage, STAKE)?;
            let settings = Settings {
                min_price: if number == 0 { ASKED } else { 0 },
                cheats: number == last,
                sessions: if number == SERVER {
                    SERVED.to_vec()
                } else {
                    Vec::new()
                },
                ..Settings::default()
            };
            let worker = Worker::launch(stage, &provider, &settings)?;
            people.push(Person {
                name,
                provider,
                worker,
            });
        }
        screen.passing("the workers start");
        for person in &people {
            person.worker.wait_ready()?;
        }
        screen.clear();
        for (number, person) in people.iter().enumerate() {
            let note = match number {
                0 => format!("takes no job below {} lamports", grouped(ASKED)),
                SERVER => "also serves two models in sessions".to_owned(),
                _ if number == last => screen.warn("secretly rounds models to int8"),
                _ => String::new(),
            };
            let id = person.worker.process.id();
            screen.fact(
                person.name,
                &format!("assay-worker, process {id:<7} {note}"),
            );
        }
        screen.fact(
            "stake",
            &format!("{} lamports each, to be lost", grouped(STAKE)),
        );
        for (place, name) in ["provider_register", "stake_deposit"].iter().enumerate() {
            let made: Vec<&Landed> = people
                .iter()
                .filter_map(|person| person.provider.made_by.get(place))
                .map(|(_, landed)| landed)
                .collect();
            screen.transactions(name, &made, "authorities");
        }
        Ok(Self(people))
    }

    /// Who does the jobs of the first act.
    pub fn honest(&self) -> Result<&Person> {
        self.0.first().context("there are six")
    }

    /// Who serves the session of the third act.
    pub fn server(&self) -> Result<&Person> {
        self.0.get(SERVER).context("there are six")
    }

    /// Who cheats in the second act.
    pub fn cheat(&self) -> Result<&Person> {
        self.0.last().context("there are six")
    }

    /// Who may sit in judgement of a provider's job.
    pub fn peers(&self, primary: &Address) -> impl Iterator<Item = &Person> {
        let primary = *primary;
        self.0
            .iter()
            .filter(move |person| person.provider.address != primary)
    }

    pub fn name(&self, provider: &Address) -> &'static str {
        let found = self.0.iter().find(|one| one.provider.address == *provider);
        found.map_or("a stranger", |person| person.name)
    }

    /// Wallets of the providers.
    pub fn wallets(&self) -> Vec<Address> {
        let keys = |one: &Person| {
            [
                one.provider.authority.pubkey(),
                one.provider.operator.pubkey(),
            ]
        };
        self.0.iter().flat_map(keys).collect()
    }

    /// Ends every worker and returns the providers.
    pub fn stop(self) -> Result<Vec<(&'static str, Provider)>> {
        let stop = |person: Person| {
            let exit = person.worker.process.terminate()?;
            if !exit.status.success() {
                let name = person.name;
                bail!(
                    "{name}'s worker ended with {}: {}",
                    exit.status,
                    exit.stderr
                );
            }
            Ok((person.name, person.provider))
        };
        self.0.into_iter().map(stop).collect()
    }
}
