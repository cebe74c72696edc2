//! Surfpool's loop and its two servers, from start to a confirmed stop.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use surfpool_core::{
    runloops::start_local_surfnet_runloop,
    surfnet::{
        GeyserEvent,
        locker::SurfnetSvmLocker,
        svm::{SurfnetSvm, SurfnetSvmConfig},
    },
};
use surfpool_types::{
    BlockProductionMode, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent, SimnetEventsTx,
    SurfpoolConfig,
};

use crate::{
    LocalnetError, SlotMode,
    ports::{self, Ports},
};

/// A cold start takes about a third of a second; a loaded machine is given far more.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Both servers close within milliseconds; the limit keeps a hung one from hanging its owner.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Each server reports its end.
const SERVERS: usize = 2;

/// Ports are picked before they are bound, so the chains of one process take turns in starting.
static STARTING: Mutex<()> = Mutex::new(());

/// A running chain. Dropping it stops the servers and frees the ports.
pub(crate) struct Chain {
    pub ports: Ports,
    commands: Sender<SimnetCommand>,
    stopped: Receiver<()>,
}

impl Chain {
    pub fn start(
        port: Option<u16>,
        ws_port: Option<u16>,
        slots: SlotMode,
    ) -> Result<Self, LocalnetError> {
        let _turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let ports = ports::choose(port, ws_port)?;
        let (svm, events, geyser_events) =
            SurfnetSvm::new(svm_config(slots)).map_err(|error| start_error(error.to_string()))?;
        let locker = SurfnetSvmLocker::new(svm);
        let (commands, commands_rx) = crossbeam_channel::unbounded();
        let (started_tx, started) = crossbeam_channel::bounded(1);
        let (stopped_tx, stopped) = crossbeam_channel::bounded(1);

        spawn("localnet-events", move || {
            watch(&events, &started_tx, &stopped_tx);
        })?;
        let config = surfpool_config(ports, slots);
        let loop_commands = commands.clone();
        spawn("localnet-chain", move || {
            run(locker, config, loop_commands, commands_rx, geyser_events);
        })?;

        // From here on dropping the chain also stops one that is still starting.
        let chain = Self {
            ports,
            commands,
            stopped,
        };
        match started.recv_timeout(START_LIMIT) {
            Ok(Ok(())) => Ok(chain),
            Ok(Err(reason)) => Err(start_error(reason)),
            Err(_) => Err(start_error(format!(
                "no sign of life within {} s",
                START_LIMIT.as_secs()
            ))),
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // A closed channel means that the loop has ended already.
        let _ = self.commands.send(SimnetCommand::Terminate(None));
        if self.stopped.recv_timeout(STOP_LIMIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                port = self.ports.rpc,
                ws_port = self.ports.ws,
                "the local chain did not confirm its stop; its ports may still be bound"
            );
        }
    }
}

/// No account is ever fetched from another cluster: what a test sees is what it or the program put there.
fn surfpool_config(ports: Ports, slots: SlotMode) -> SurfpoolConfig {
    SurfpoolConfig {
        simnets: vec![SimnetConfig {
            offline_mode: true,
            remote_rpc_url: None,
            slot_time: slot_milliseconds(slots),
            block_production_mode: match slots {
                SlotMode::Clock => BlockProductionMode::Clock,
                SlotMode::PerTransaction => BlockProductionMode::Transaction,
            },
            instruction_profiling_enabled: false,
            ..SimnetConfig::default()
        }],
        rpc: RpcConfig {
            bind_host: "127.0.0.1".to_owned(),
            bind_port: ports.rpc,
            ws_port: ports.ws,
            ..RpcConfig::default()
        },
        ..SurfpoolConfig::default()
    }
}

/// Without a clock Surfpool adds about 31 blocks after each transaction, until it is final. At a millisecond each they
/// leave chain time to the test.
fn slot_milliseconds(slots: SlotMode) -> u64 {
    match slots {
        SlotMode::Clock => 400,
        SlotMode::PerTransaction => 1,
    }
}

/// Profiling runs every instruction a second time.
fn svm_config(slots: SlotMode) -> SurfnetSvmConfig {
    SurfnetSvmConfig {
        slot_time: slot_milliseconds(slots),
        instruction_profiling_enabled: false,
        ..SurfnetSvmConfig::default()
    }
}

fn run(
    locker: SurfnetSvmLocker,
    config: SurfpoolConfig,
    commands_tx: Sender<SimnetCommand>,
    commands_rx: Receiver<SimnetCommand>,
    geyser_events: Receiver<GeyserEvent>,
) {
    // The event channel outlives the loop, so an end without a word would leave the starter waiting.
    let mut end = EndReport {
        events: locker.simnet_events_tx(),
        reason: Some("the chain's thread ended by a panic".to_owned()),
    };
    end.reason = match tokio::runtime::Runtime::new() {
        Err(error) => Some(format!("no asynchronous runtime: {error}")),
        Ok(runtime) => runtime
            .block_on(start_local_surfnet_runloop(
                locker,
                config,
                commands_tx,
                commands_rx,
                geyser_events,
            ))
            .err()
            .map(|error| error.to_string()),
    };
}

/// Tells the watcher why the loop ended, unless it ended because it was told to.
struct EndReport {
    events: SimnetEventsTx,
    reason: Option<String>,
}

impl Drop for EndReport {
    fn drop(&mut self) {
        if let Some(reason) = self.reason.take() {
            self.events.aborted(reason);
        }
    }
}

/// Drains the chain's events for as long as it runs: its channel is bounded, and a full one would stall the chain.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else the simulator reports is only worth a trace"
)]
fn watch(
    events: &Receiver<SimnetEvent>,
    started: &Sender<Result<(), String>>,
    stopped: &Sender<()>,
) {
    let mut running = SERVERS;
    // A send that fails finds nobody waiting any more, which is fine for each of them.
    while let Ok(event) = events.recv() {
        match event {
            SimnetEvent::CoreStarted(_) => {
                let _ = started.try_send(Ok(()));
            }
            SimnetEvent::Aborted(reason) => {
                tracing::error!(%reason, "the local chain stopped by itself");
                let _ = started.try_send(Err(reason));
                break;
            }
            SimnetEvent::Shutdown => running = running.saturating_sub(1),
            SimnetEvent::ErrorLog(_, message) => tracing::warn!(target: "surfpool", "{message}"),
            SimnetEvent::WarnLog(_, message) | SimnetEvent::InfoLog(_, message) => {
                tracing::debug!(target: "surfpool", "{message}");
            }
            other => tracing::trace!(target: "surfpool", ?other),
        }
        if running == 0 {
            break;
        }
    }
    let _ = stopped.try_send(());
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), LocalnetError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| start_error(format!("no thread for {name}: {error}")))
}

fn start_error(reason: String) -> LocalnetError {
    LocalnetError::Start { reason }
}
