//! Looks at the machine's sensors for the limits that are set, on a thread of its own: a driver that
//! hangs holds up nothing else, and not the end of the process either.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use assay_engine::Sensors;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::mpsc;

use crate::{
    config::LimitsConfig,
    core::{LimitPolicy, Sample},
    driver::{Input, Shared},
};

/// Looks until it is dropped.
pub struct Sampling {
    _stop: Sender<()>,
}

impl Sampling {
    /// None if no limit is set.
    pub fn start(
        limits: &LimitsConfig,
        shared: Arc<Shared>,
        driver: mpsc::Sender<Input>,
    ) -> io::Result<Option<Self>> {
        let (policy, every) = (limits.policy(), Duration::from_secs(limits.sample_secs));
        if policy == LimitPolicy::default() {
            return Ok(None);
        }
        let (stop, stopped) = channel();
        // Opened on the thread: a driver may take seconds to start.
        let open = move || {
            let mut machine = Machine::open(policy);
            move || machine.look()
        };
        sample(open, every, shared, driver, stopped)?;
        Ok(Some(Self { _stop: stop }))
    }
}

/// Tells the driver what each look shows. Before the driver is ready nobody empties its queue, which
/// must stay free for what counts.
fn sample<L: FnMut() -> Sample>(
    open: impl FnOnce() -> L + Send + 'static,
    every: Duration,
    shared: Arc<Shared>,
    driver: mpsc::Sender<Input>,
    stopped: Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name("sensors".into()).spawn(move || {
        let mut look = open();
        while let Some(is_due) = wait(&stopped, every, &shared) {
            if is_due && driver.blocking_send(Input::Sensed(look())).is_err() {
                return;
            }
        }
    })
}

/// Whether a look is due after this time; none once it is stopped.
fn wait(stopped: &Receiver<()>, every: Duration, shared: &Shared) -> Option<bool> {
    let goes_on = stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout);
    goes_on.then(|| shared.ready.load(Ordering::Relaxed))
}

struct Machine {
    gpus: Option<Sensors>,
    processors: Option<System>,
}

impl Machine {
    /// Opens what the limits need.
    fn open(limits: LimitPolicy) -> Self {
        let gpus = (limits.gpu_celsius > 0 || limits.gpu_watts > 0).then(Sensors::open);
        let processors = (limits.cpu_percent > 0).then(System::new);
        let mut machine = Self {
            gpus,
            processors: processors.and_then(Result::ok),
        };
        // A share is one of the time since the last look.
        machine.others_permille();
        machine
    }

    fn look(&mut self) -> Sample {
        let gpus = self.gpus.as_ref().map(Sensors::read);
        Sample {
            gpu_celsius: gpus
                .as_ref()
                .and_then(|gpus| gpus.hottest_celsius().map(u64::from)),
            gpu_milliwatts: gpus.as_ref().and_then(|gpus| gpus.gpu_milliwatts()),
            cpu_permille: self.others_permille(),
        }
    }

    /// What everybody but this process and its descendants uses. An engine that started or ended
    /// since the last look counts among the others once; one reading begins no pause.
    fn others_permille(&mut self) -> Option<u64> {
        let system = self.processors.as_mut()?;
        let me = sysinfo::get_current_pid().ok()?;
        system.refresh_cpu_usage();
        system.refresh_processes_specifics(
            ProcessesToUpdate::All,
            true,
            ProcessRefreshKind::nothing().with_cpu().without_tasks(),
        );
        let processes = system.processes().values();
        let processes: BTreeMap<Pid, (Option<Pid>, f32)> = processes
            .map(|process| (process.pid(), (process.parent(), process.cpu_usage())))
            .collect();
        let ours = family(&processes, me)?;
        others(system.global_cpu_usage(), ours, system.cpus().len())
    }
}

/// What a process and its descendants use together; none if it is not among them.
fn family(processes: &BTreeMap<Pid, (Option<Pid>, f32)>, me: Pid) -> Option<f32> {
    processes.get(&me)?;
    let parent = |pid: &Pid| processes.get(pid).and_then(|(parent, _)| *parent);
    // Bounded: the list was not read at one moment, so that it may hold a circle.
    let is_ours = |pid: Pid| {
        std::iter::successors(Some(pid), parent)
            .take(64)
            .any(|ancestor| ancestor == me)
    };
    let ours = processes.iter().filter(|(pid, _)| is_ours(**pid));
    Some(ours.map(|(_, (_, usage))| usage).sum())
}

/// Of all processors in thousandths, from the percentage of all in use and our percentage of one.
fn others(all: f32, ours: f32, processors: usize) -> Option<u64> {
    let processors = f32::from(u16::try_from(processors).ok().filter(|count| *count > 0)?);
    let permille = (10.0 * (all - ours / processors)).clamp(0.0, 1_000.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number from 0 to 1000, or not a number, which becomes 0"
    )]
    let permille = permille.round() as u64;
    Some(permille)
}

#[cfg(test)]
mod tests;
