//! A node: a real worker, life after life, from the journal that the last one left.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use assay_client::{
    protocol::{Digest, UnixSeconds},
    session::Price,
};
use assay_engine::EngineConfig;
use assay_tests::{Provider, sim::Dice};
use assay_worker::{
    api,
    artifacts::{Artifacts, Cache, FetchSettings, NetworkPolicy},
    config::{Config, SessionModel, SessionsConfig, Websockets},
    core::Snapshot,
    driver::{Driver, DriverError, Input, Parts, Shared, Threads},
    halt::Halt,
    run::assembly::{self, Ground},
    sessions::{self, SessionStore, Sessions},
    store::Store,
};
use axum::Router;
use solana_keypair::Keypair;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    chain::SimChain,
    disk::{self, File, SimDisk},
    engines::SimEngines,
    link::{Life, Link, Place, told},
    market::{CLASS, MODEL, operator},
    serving::SimServe,
    sim::Sim,
};

/// Inputs that may wait for the driver, as in the daemon.
const QUEUE: usize = 1_024;
/// Lamports of a request in a session: more than a settlement costs.
pub const PRICE: u64 = 30_000;
/// Of a session, not settled: from then on it is settled at once.
pub const AT_RISK: u64 = 3 * PRICE;
/// What a rollback undid has landed again, or never will.
const SETTLED_MS: u64 = 30_000;
/// Bytes of either cache.
const CACHE: u64 = 1 << 20;

thread_local! {
    static RANDOM: Cell<u64> = const { Cell::new(0) };
    static CLOCK: Cell<i64> = const { Cell::new(0) };
}

/// What nobody guesses here is the next number of a seed.
fn random(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    for part in bytes.chunks_mut(32) {
        let drawn = RANDOM.get();
        RANDOM.set(drawn + 1);
        part.copy_from_slice(&Dice::new(drawn, 77).bytes()[..part.len()]);
    }
    Ok(())
}

/// Sets the source of salts for this thread.
pub fn seed_random(seed: u64) {
    RANDOM.set(seed << 24);
}

/// Sets the machines' clock of this thread.
pub fn set_clock(seconds: i64) {
    CLOCK.set(seconds);
}

fn clock() -> i64 {
    CLOCK.get()
}

/// A worker's machine.
pub struct Node {
    pub link: Arc<Link>,
    pub provider: Provider,
    key: Arc<Keypair>,
    artifacts: Arc<Artifacts>,
    config: Config,
    /// Of the life that there is.
    service: Mutex<Option<(Life, Router, Arc<Shared>)>>,
}

impl Node {
    pub fn new(id: usize, sim: &Arc<Sim>, provider: Provider) -> Arc<Self> {
        let folder = sim.folder.path().join(format!("files-{id}"));
        let cache = |name| Cache::open(name, &folder.join(name), CACHE).expect("a new folder");
        let fetch = FetchSettings {
            network: NetworkPolicy::default(),
            gateways: Vec::new(),
            timeout: Duration::from_secs(5),
            connections: 1,
        };
        let models = sim.folder.path().join("models");
        let artifacts = Artifacts::new(cache("cached"), cache("blobs"), vec![models], fetch);
        Arc::new(Self {
            link: Arc::new(Link::new(id, Arc::clone(sim))),
            key: Arc::new(operator(id)),
            artifacts: Arc::new(artifacts.expect("a client that is never used")),
            config: config(sim, &provider),
            provider,
            service: Mutex::default(),
        })
    }

    /// The service of the life that there is; none while the node is down.
    pub fn service(&self) -> Option<Router> {
        let service = self.service.lock().expect("held for moments");
        let (life, router, _) = service.as_ref()?;
        life.is_alive().then(|| router.clone())
    }

    /// How its worker says that it stands; none while it is down.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let service = self.service.lock().expect("held for moments");
        let (life, _, shared) = service.as_ref()?;
        life.is_alive().then(|| shared.snapshot.borrow().clone())
    }

    /// Lives, dies and is started again, until the run ends.
    pub async fn supervise(self: Arc<Self>) {
        loop {
            let life = self.link.rise();
            let journal = self.link.journal();
            let mut faults = {
                let seals = self.link.sim.seals.lock().expect("held for moments");
                seals.faults(self.link.id, &journal)
            };
            let (sim, file) = (&self.link.sim, self.link.sessions_file());
            if self.link.was_cut() {
                sim.tabs().cut(self.link.id, &file);
            }
            faults.extend(sim.tabs().faults(self.link.id, &file, &sim.net()));
            assert!(faults.is_empty(), "after a restart: {faults:?}");
            let number = life.number;
            self.link.note(|| format!("starts, life {number}"));
            match self.live(&life).await {
                None => {}
                Some(Ok(())) => self.link.sim.count("ended: asked to"),
                Some(Err(DriverError::Store(error))) => {
                    self.link.note(|| format!("ended: {error}"));
                    self.link.sim.count("ended: journal failed");
                }
                Some(Err(error)) => panic!("node {}: {error}", self.link.id),
            }
            life.end();
            tokio::time::sleep(Duration::from_millis(self.link.rest_ms())).await;
        }
    }

    /// One life; none if it was killed.
    async fn live(&self, life: &Life) -> Option<Result<(), DriverError>> {
        let journal = self.link.journal();
        let disk = Arc::new(SimDisk::new(life.clone(), File::Journal));
        let before = disk::log_length(&journal);
        let store = Store::open_simulated(&journal, disk).expect("a journal opens");
        if !life.survives(Place::Opened(before)) {
            return None;
        }
        let ground = Ground {
            chain: Arc::new(SimChain::new(life.clone())),
            store,
            artifacts: Arc::clone(&self.artifacts),
            host: Arc::new(SimEngines {
                life: life.clone(),
                load_ms: self.link.draw(20, 500),
                run_ms: self.link.draw(50, 4_000),
            }),
            threads: Threads::One,
            random,
            clock,
            engine: EngineConfig::default(),
            runtime: "simulated".into(),
            class: CLASS,
            operator: Arc::clone(&self.key),
            provider: self.provider.account,
            halt: Halt::Told(told),
        };
        let parts = assembly::parts(&self.config, ground).expect("the configuration is good");
        let (sender, inputs) = mpsc::channel(QUEUE);
        let service = assembly::service(&self.config, &parts, sender.clone(), CLASS);
        let shared = Arc::clone(&parts.shared);
        let sessions = self.sessions(&parts, life)?;
        let router = api::router(Arc::new(service)).merge(sessions::router(Arc::clone(&sessions)));
        *self.service.lock().expect("held for moments") = Some((life.clone(), router, shared));
        let (stop, stop_service) = (CancellationToken::new(), CancellationToken::new());
        let _end = stop_service.clone().drop_guard();
        sessions.start(&stop_service);
        let (settled, ended) = oneshot::channel();
        let asked = self.asked_to_stop(stop.clone(), sessions, settled);
        let heard = hear(life.clone(), sender.clone());
        let driver = Driver::new(parts, sender, inputs);
        let mut driving = pin!(async {
            let driven = driver.run(stop.clone()).await;
            // As in the daemon, which waits for both once it is asked to stop.
            if stop.is_cancelled() {
                let _ = ended.await;
            }
            driven
        });
        // Whatever the driver does between two calls, it does as this node.
        let driving = poll_fn(|context| {
            if !life.is_alive() {
                return Poll::Pending;
            }
            life.is_current();
            driving.as_mut().poll(context)
        });
        tokio::select! {
            biased;
            () = died(life) => None,
            ended = driving => Some(ended),
            () = asked => None,
            () = heard => None,
            () = self.started_anew() => None,
        }
    }

    /// Ends a life that lived through rollbacks: what it holds for done is taken up again by the next one.
    async fn started_anew(&self) {
        let sim = &self.link.sim;
        let at = sim.plan.quiet_from_ms() + SETTLED_MS;
        if sim.plan.rollbacks.is_empty() || sim.ms() >= at {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(sim.at(at)).await;
    }

    async fn asked_to_stop(
        &self,
        stop: CancellationToken,
        sessions: Arc<Sessions<SimChain>>,
        settled: oneshot::Sender<()>,
    ) {
        let sim = &self.link.sim;
        if let Some(at) = sim.plan.stops[self.link.id].filter(|at| *at >= sim.ms()) {
            tokio::time::sleep_until(sim.at(at)).await;
            self.link.note(|| "asked to stop".into());
            stop.cancel();
            let patience = Duration::from_secs(self.config.policy.shutdown_secs);
            sessions.end(patience).await;
            let _ = settled.send(());
        }
        std::future::pending().await
    }

    /// None if the node was killed while the file was opened.
    fn sessions(&self, parts: &Parts<SimChain>, life: &Life) -> Option<Arc<Sessions<SimChain>>> {
        let (file, now) = (self.link.sessions_file(), UnixSeconds(clock()));
        let (before, disk) = (
            disk::log_length(&file),
            SimDisk::new(life.clone(), File::Sessions),
        );
        let disk = Arc::new(disk);
        let opened = SessionStore::open_simulated(&file, now, disk).expect("the file opens");
        if !life.survives(Place::SessionsOpened(before)) {
            return None;
        }
        let generation = {
            let net = self.link.sim.net();
            net.view().providers[&self.provider.account].generation
        };
        let serve = SimServe {
            life: life.clone(),
            run_ms: self.link.draw(20, 1_500),
        };
        let serve = Arc::new(serve);
        let sessions = assembly::sessions(&self.config, parts, generation, serve, opened);
        Some(sessions.expect("the configuration is good"))
    }
}

/// Returns when the life has ended. A notice may be of an earlier one.
async fn died(life: &Life) {
    while life.is_alive() {
        life.link.died.notified().await;
    }
}

/// Passes on what a websocket tells: some of it late, some twice, some not at all. Never returns.
async fn hear(life: Life, driver: mpsc::Sender<Input>) {
    let link = &life.link;
    if !link.sim.plan.websocket {
        std::future::pending::<()>().await;
    }
    let mut changed = link.sim.net().changed.subscribe();
    let mut known = link.sim.net().view().clone();
    let mut hearing = false;
    loop {
        if hearing != link.hears() {
            hearing = !hearing;
            let _ = driver.send(Input::Hints(hearing)).await;
        }
        let told = tokio::time::timeout(Duration::from_secs(2), changed.changed()).await;
        if told.is_err() {
            continue;
        }
        let view = link.sim.net().view().clone();
        for (address, job) in &view.jobs {
            if known.jobs.get(address) == Some(job) || !hearing {
                continue;
            }
            let chance = link.draw(0, 99);
            let times = match chance {
                0..10 => 0,
                10..20 => 2,
                _ => 1,
            };
            for _ in 0..times {
                let (driver, hint) = (driver.clone(), Input::Job(*address, Box::new(*job)));
                let wait =
                    Duration::from_millis(link.draw(10, if chance < 30 { 6_000 } else { 300 }));
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    let _ = driver.send(hint).await;
                });
            }
        }
        known = view;
    }
}

fn config(sim: &Sim, provider: &Provider) -> Config {
    let mut config = Config {
        authority: provider.authority.to_string(),
        ..Config::default()
    };
    config.chain.poll_ms = sim.plan.poll_ms;
    config.chain.websocket = Websockets::One(String::new());
    // Its clock would be the real one.
    config.api.requests_per_minute = 0;
    config.sessions = SessionsConfig {
        enabled: true,
        models: vec![SessionModel {
            model: hex::encode(Digest::of(&[MODEL]).0),
            name: "model".into(),
            price: Price {
                request: PRICE,
                ..Price::default()
            },
            max_tokens: None,
        }],
        value_at_risk_lamports: AT_RISK,
        poll_secs: 5,
        settle_idle_secs: 40,
        ..SessionsConfig::default()
    };
    config
}
