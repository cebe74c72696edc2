//! One node's ties to the world: the points at which it may be killed, and what its storms do to its calls.

use std::{
    cell::RefCell,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use assay_tests::sim::Dice;
use assay_worker::halt::HaltPoint;
use tokio::sync::Notify;

use super::{
    calendar::SLOT_MS,
    disk,
    mishaps::{self, Call, Fault, Mood},
    plan::{Storm, within},
    sim::Sim,
};

/// Of so many kills one is the power's, which may take what was written and not synced.
const POWER_CUTS: usize = 6;

/// Where a node may be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Before(Call),
    After(Call),
    DiskBefore,
    /// The journal's log had so many bytes before the call.
    DiskAfter(u64),
    SessionsBefore,
    /// The log of the file of sessions had so many bytes before the call.
    SessionsAfter(u64),
    /// The journal is open; its log had so many bytes before.
    Opened(u64),
    /// The same of the file of sessions.
    SessionsOpened(u64),
    Halt(HaltPoint),
}

impl Place {
    fn name(self) -> String {
        match self {
            Self::Before(call) => format!("before {call:?}"),
            Self::After(call) => format!("after {call:?}"),
            Self::DiskBefore => "before disk".into(),
            Self::DiskAfter(_) => "after disk".into(),
            Self::SessionsBefore => "before disk of sessions".into(),
            Self::SessionsAfter(_) => "after disk of sessions".into(),
            Self::Opened(_) => "while opening".into(),
            Self::SessionsOpened(_) => "while opening sessions".into(),
            Self::Halt(point) => format!("at {point}"),
        }
    }
}

pub struct Link {
    pub id: usize,
    pub name: String,
    pub sim: Arc<Sim>,
    /// Told when the node is killed.
    pub died: Notify,
    state: Mutex<State>,
}

struct State {
    /// Counts the node's lives; what belongs to an earlier one never answers again.
    life: u32,
    alive: bool,
    points: u64,
    kill_at: Option<u64>,
    dice: Dice,
    journal: PathBuf,
    /// Beside it: written so that it survives the process, and not every power cut.
    sessions: PathBuf,
    /// The last life ended in a power cut that took a part of that file.
    cut: bool,
    /// Times in which the node was not up.
    down: Vec<(u64, u64)>,
    down_since: u64,
    /// When its disk failed, or an engine.
    broke: Vec<u64>,
    calls: u64,
}

impl Link {
    pub fn new(id: usize, sim: Arc<Sim>) -> Self {
        let folder = sim.folder.path().join(id.to_string());
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let seed = sim.plan.seed;
        let state = State {
            life: 0,
            alive: false,
            points: 0,
            kill_at: None,
            dice: Dice::new(seed, 100 + id as u64),
            journal: folder.join("journal-0.sqlite"),
            sessions: folder.join("sessions-0.sqlite"),
            cut: false,
            down: Vec::new(),
            down_since: 0,
            broke: Vec::new(),
            calls: 0,
        };
        Self {
            id,
            name: format!("node {id}"),
            sim,
            died: Notify::new(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        self.sim.log.note(self.sim.ms(), &self.name, what);
    }

    pub fn journal(&self) -> PathBuf {
        self.state().journal.clone()
    }

    pub fn sessions_file(&self) -> PathBuf {
        self.state().sessions.clone()
    }

    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many points its present life has come through.
    pub fn points(&self) -> u64 {
        self.state().points
    }

    /// Begins a life.
    pub fn rise(self: &Arc<Self>) -> Life {
        let ms = self.sim.ms();
        let mut state = self.state();
        let kills = &self.sim.plan.kills[self.id];
        state.kill_at = kills
            .get(state.life as usize)
            .copied()
            .filter(|_| ms < self.sim.plan.faults_until_ms);
        state.life += 1;
        state.alive = true;
        state.points = 0;
        if state.life > 1 {
            let since = state.down_since;
            state.down.push((since, ms));
        }
        Life {
            link: Arc::clone(self),
            number: state.life,
        }
    }

    /// Ends the life that there is; its files stay as they are, or torn from so many bytes of their logs on.
    fn fall(&self, state: &mut State, journal: Option<u64>, sessions: Option<u64>) {
        state.alive = false;
        state.down_since = self.sim.ms();
        let mut torn = |file: &mut PathBuf, name: &str, from: Option<u64>| {
            let next = file.with_file_name(format!("{name}-{}.sqlite", state.life));
            let tear = from.map(|from| (from, &mut state.dice));
            let how = disk::keep(file, &next, tear);
            *file = next;
            self.sim.count(format!("{name}: {how}"));
        };
        torn(&mut state.journal, "journal", journal);
        torn(&mut state.sessions, "sessions", sessions);
        self.died.notify_one();
    }

    /// Whether the last life ended in a power cut, to be asked once.
    pub fn was_cut(&self) -> bool {
        std::mem::take(&mut self.state().cut)
    }

    /// How long until it is started again.
    pub fn rest_ms(&self) -> u64 {
        let mut state = self.state();
        within(&mut state.dice, 200, 15_000)
    }

    pub fn draw(&self, low: u64, high: u64) -> u64 {
        within(&mut self.state().dice, low, high)
    }

    fn storm(&self, ms: u64) -> Option<&Storm> {
        let storms = self.sim.plan.storms[self.id].iter();
        let mut now = storms.filter(|storm| (storm.from_ms..storm.until_ms).contains(&ms));
        now.next()
    }

    /// What goes wrong with a call now.
    pub fn mishap(&self, call: Call) -> Option<Fault> {
        let mut state = self.state();
        state.calls += u64::from(!matches!(call, Call::Load | Call::Run));
        let storm = self.storm(self.sim.ms())?;
        let choices = mishaps::choices(storm.mood, call);
        if choices.is_empty() || state.dice.draw() % 100 >= storm.percent {
            return None;
        }
        let fault = choices[state.dice.below(choices.len())];
        if matches!(call, Call::Load | Call::Run) {
            state.broke.push(self.sim.ms());
        }
        drop(state);
        self.sim.count(format!("fault: {fault:?}"));
        self.note(|| format!("{call:?} goes wrong: {fault:?}"));
        Some(fault)
    }

    /// Whether hints come through now.
    pub fn hears(&self) -> bool {
        let storm = self.storm(self.sim.ms());
        storm.is_none_or(|storm| storm.mood != Mood::Cut)
    }

    /// What the disk does to a call: it fails before or after it, or takes so long.
    pub fn disk_mishap(&self) -> Option<disk::Mishap> {
        let storm = self.storm(self.sim.ms())?;
        if storm.mood != Mood::Disk {
            return None;
        }
        let mut state = self.state();
        if state.dice.draw() % 100 >= storm.percent / 4 {
            return None;
        }
        let mishap = match state.dice.below(4) {
            0 => disk::Mishap::Before,
            1 => disk::Mishap::After,
            _ => disk::Mishap::Slow(within(&mut state.dice, 10, 3_000)),
        };
        if !matches!(mishap, disk::Mishap::Slow(_)) {
            let ms = self.sim.ms();
            state.broke.push(ms);
        }
        drop(state);
        self.sim.count(format!("disk: {}", mishap.name()));
        self.note(|| format!("disk: {}", mishap.name()));
        Some(mishap)
    }

    /// Whether its disk or an engine failed between these moments.
    pub fn broke(&self, from_ms: u64, until_ms: u64) -> bool {
        let broke = &self.state().broke;
        broke.iter().any(|ms| (from_ms..=until_ms).contains(ms))
    }

    /// The longest time within these moments in which it was up and nothing went wrong for it.
    pub fn longest_calm(&self, from_ms: u64, until_ms: u64) -> u64 {
        let state = self.state();
        let plan = &self.sim.plan;
        let mut bad = state.down.clone();
        if !state.alive {
            bad.push((state.down_since, u64::MAX));
        }
        let storms = plan.storms[self.id].iter();
        bad.extend(storms.map(|storm| (storm.from_ms, storm.until_ms)));
        bad.extend(plan.halts.iter().map(|halt| (halt.from_ms, halt.until_ms)));
        bad.extend(plan.forks.iter().map(|fork| self.sim.fork_ms(fork)));
        // What it saw confirmed it does not ask for again before it is started again.
        bad.extend(plan.rollbacks.iter().map(|back| {
            let (from, until) = self.sim.fork_ms(back);
            // What is undone there was confirmed, and has to be again.
            let until = until + (2 * plan.lag + 1) * SLOT_MS;
            let mut starts = state.down.iter().map(|(_, start)| *start);
            (
                from,
                starts.find(|start| *start >= until).unwrap_or(u64::MAX),
            )
        }));
        bad.sort_unstable();
        let (mut at, mut longest) = (from_ms, 0);
        for (from, until) in bad {
            if from >= until_ms {
                break;
            }
            longest = longest.max(from.saturating_sub(at));
            at = at.max(until);
        }
        longest.max(until_ms.saturating_sub(at))
    }
}

/// One life of a node, from its start to its end.
#[derive(Clone)]
pub struct Life {
    pub link: Arc<Link>,
    pub number: u32,
}

thread_local! {
    /// Whose code runs on this thread, for halts, which are not told.
    static CURRENT: RefCell<Option<Life>> = const { RefCell::new(None) };
}

impl Life {
    pub fn is_alive(&self) -> bool {
        let state = self.link.state();
        state.alive && state.life == self.number
    }

    /// From here on, until somebody else's code runs, a halt is this node's.
    pub fn is_current(&self) {
        CURRENT.with_borrow_mut(|current| *current = Some(self.clone()));
    }

    /// Whether the node is still there after this point.
    pub fn survives(&self, place: Place) -> bool {
        let mut state = self.link.state();
        if !state.alive || state.life != self.number {
            return false;
        }
        state.points += 1;
        if state.kill_at != Some(state.points) {
            return true;
        }
        let point = state.points;
        let (journal, mut sessions) = match place {
            Place::DiskAfter(from) | Place::Opened(from) => (Some(from), None),
            Place::SessionsAfter(from) | Place::SessionsOpened(from) => (None, Some(from)),
            Place::Before(_)
            | Place::After(_)
            | Place::DiskBefore
            | Place::SessionsBefore
            | Place::Halt(_) => (None, None),
        };
        // Nothing that is in the log alone was synced, and runs are too short for it to be moved to the file.
        state.cut = state.dice.below(POWER_CUTS) == 0;
        if state.cut {
            sessions = Some(0);
            self.link.sim.count("killed by a power cut");
        }
        self.link.fall(&mut state, journal, sessions);
        drop(state);
        self.link.sim.count(format!("killed {}", place.name()));
        self.link
            .note(|| format!("killed at point {point}, {}", place.name()));
        false
    }

    /// A point at which the node may be killed; it never returns in a life that has ended.
    pub async fn pass(&self, place: Place) {
        if !self.survives(place) {
            std::future::pending::<()>().await;
        }
        self.is_current();
    }

    /// The process has ended by itself.
    pub fn end(&self) {
        let mut state = self.link.state();
        if state.alive && state.life == self.number {
            self.link.fall(&mut state, None, None);
        }
    }
}

/// Told of every halt point by whichever node's code runs.
pub fn told(point: HaltPoint) {
    let current = CURRENT.with_borrow(Clone::clone);
    let life = current.expect("halts are passed by nodes");
    life.link.sim.count(format!("halt: {point}"));
    life.survives(Place::Halt(point));
}
