//! The energy of runs, from the machine's own counters, on a thread of its own: a driver that hangs
//! holds up no run.
//!
//! Counters know nothing of programs. What they counted while runs were under way is shared evenly
//! among those, so that the runs' sums never exceed what was counted; everything else that the
//! machine did meanwhile, idling included, is in it.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use assay_engine::{EngineConfig, Provider, Readings, Sensors};
use tokio::{sync::oneshot, time::timeout};

/// How long a run's end waits for its reading. Reading takes milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// Measures the runs of all jobs. Clones share the counters.
#[derive(Clone, Default)]
pub struct EnergyMeter(Option<Arc<Measuring>>);

struct Measuring {
    events: Sender<Event>,
    next: AtomicU64,
}

enum Event {
    Began(u64),
    /// None waits for the answer if the run was cut off.
    Ended(u64, Option<oneshot::Sender<Option<u64>>>),
}

impl EnergyMeter {
    /// Counters of what the engine computes on: the processors, and the device if it has one.
    pub fn open(engine: &EngineConfig) -> io::Result<Self> {
        let device = match engine.provider {
            Provider::Cuda | Provider::Tensorrt => u32::try_from(engine.device).ok(),
            Provider::Auto | Provider::Cpu | Provider::Coreml | Provider::Directml => None,
        };
        // Opened on the thread: a driver may take seconds to start.
        Self::start(move || {
            let sensors = Sensors::open();
            move || {
                let mut readings = sensors.read();
                readings.gpus.retain(|gpu| Some(gpu.index) == device);
                readings
            }
        })
    }

    /// Measures by these readings for as long as the meter lives; not at all if the first one has
    /// no counter.
    pub fn start<R: FnMut() -> Readings>(
        open: impl FnOnce() -> R + Send + 'static,
    ) -> io::Result<Self> {
        let (events, waiting) = channel();
        thread::Builder::new()
            .name("energy".into())
            .spawn(move || measure(open(), waiting))?;
        Ok(Self(Some(Arc::new(Measuring {
            events,
            next: AtomicU64::new(0),
        }))))
    }

    /// A run begins.
    pub fn begin(&self) -> Measured {
        let begun = self.0.as_ref().and_then(|measuring| {
            let run = measuring.next.fetch_add(1, Ordering::Relaxed);
            let began = measuring.events.send(Event::Began(run));
            began.ok().map(|()| (run, measuring.events.clone()))
        });
        Measured(begun)
    }
}

/// A run that is being measured, until it ends or is dropped.
#[must_use]
pub struct Measured(Option<(u64, Sender<Event>)>);

impl Measured {
    /// Millijoules; none where nothing counts, or no answer came in time.
    pub async fn end(mut self) -> Option<u64> {
        let (run, events) = self.0.take()?;
        let (reply, answer) = oneshot::channel();
        events.send(Event::Ended(run, Some(reply))).ok()?;
        timeout(PATIENCE, answer).await.ok()?.ok()?
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if let Some((run, events)) = self.0.take() {
            // Without a thread there is nothing to tell.
            let _ = events.send(Event::Ended(run, None));
        }
    }
}

fn measure(mut read: impl FnMut() -> Readings, events: Receiver<Event>) {
    let mut shares = Shares::new(read());
    if !shares.can_count() {
        return;
    }
    for event in events {
        let readings = read();
        match event {
            Event::Began(run) => shares.begin(run, readings),
            Event::Ended(run, reply) => {
                let used = shares.end(run, readings);
                if let Some(reply) = reply {
                    // Whoever does not wait any more does without.
                    let _ = reply.send(used);
                }
            }
        }
    }
}

/// What each run under way has used so far, in millijoules; none once a reading failed.
struct Shares {
    last: Readings,
    runs: BTreeMap<u64, Option<u64>>,
}

impl Shares {
    fn new(first: Readings) -> Self {
        Self {
            last: first,
            runs: BTreeMap::new(),
        }
    }

    fn can_count(&self) -> bool {
        used(&self.last, &self.last).is_some()
    }

    fn begin(&mut self, run: u64, readings: Readings) {
        self.share(readings);
        self.runs.insert(run, Some(0));
    }

    fn end(&mut self, run: u64, readings: Readings) -> Option<u64> {
        self.share(readings);
        self.runs.remove(&run)?
    }

    fn share(&mut self, readings: Readings) {
        let used = used(&self.last, &readings);
        self.last = readings;
        let count = u64::try_from(self.runs.len()).unwrap_or(u64::MAX);
        for (position, sum) in (0_u64..).zip(self.runs.values_mut()) {
            // The first takes what is left over.
            let part = used.and_then(|used| {
                let rest = if position == 0 {
                    used.checked_rem(count)?
                } else {
                    0
                };
                used.checked_div(count)?.checked_add(rest)
            });
            *sum = sum.zip(part).map(|(sum, part)| sum.saturating_add(part));
        }
    }
}

/// Millijoules between two readings; none unless both have the same counters, and all went on.
fn used(earlier: &Readings, later: &Readings) -> Option<u64> {
    let packages = |readings: &Readings| -> Vec<String> {
        let counters = readings.cpu_energy.iter();
        counters.map(|counter| counter.name.clone()).collect()
    };
    let devices = |readings: &Readings| -> Vec<(u32, Option<String>)> {
        let counted = readings
            .gpus
            .iter()
            .filter(|gpu| gpu.energy_millijoules.is_some());
        counted.map(|gpu| (gpu.index, gpu.uuid.clone())).collect()
    };
    let energy = later.energy_since(earlier);
    let (known, counted) = (packages(earlier), devices(earlier));
    let same = known == packages(later) && counted == devices(later);
    let went_on = energy.cpu_millijoules.is_some() != known.is_empty()
        && energy.gpu_millijoules.is_some() != counted.is_empty();
    let used = [energy.cpu_millijoules, energy.gpu_millijoules];
    (same && went_on)
        .then(|| used.into_iter().flatten().reduce(u64::saturating_add))
        .flatten()
}

#[cfg(test)]
mod tests;
