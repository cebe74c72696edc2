//! Whether a core is left to wait on in a loop.
//!
//! An idle core takes 30 to 50 µs to wake, more than all else that a short call costs. A caller that looks
//! for its answer again and again spares that, but takes a core meanwhile. So it may only where one would
//! lie idle: engines at work here and callers that wait so are counted, and what else the machine runs is
//! looked up now and then.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a machine without other work counts as one, and the longest that one with other work does.
const SEEN: Duration = Duration::from_millis(100);
/// How soon a second look is taken. Much of what a moment shows is gone in the next: a daemon that looked
/// at its clock. So other work counts where it is seen twice, and is looked for less and less often while
/// it stays.
const AGAIN: Duration = Duration::from_millis(1);
/// Whoever looks and looks and is kept from it for so long shares its core with others.
const KEPT_FROM_IT: Duration = Duration::from_micros(500);
/// How long a caller keeps its thread of the runtime from other tasks at once. Whenever it lets them go
/// first the runtime wakes one more thread, which takes a core from an engine.
const TURN: Duration = Duration::from_millis(1);

/// Of this process.
pub static CORES: LazyLock<Cores> =
    LazyLock::new(|| Cores::new(thread::available_parallelism().map_or(1, usize::from)));

#[derive(Debug)]
pub struct Cores {
    count: usize,
    taken: AtomicUsize,
    began: Instant,
    /// Threads of others that want a core, as last seen; more than there are cores after a caller was kept
    /// from looking.
    others: AtomicUsize,
    /// Until when that counts, in microseconds from the beginning.
    others_until: AtomicU64,
    /// How often in a row there were any.
    in_a_row: AtomicU32,
}

impl Cores {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            taken: AtomicUsize::new(0),
            began: Instant::now(),
            others: AtomicUsize::new(0),
            others_until: AtomicU64::new(0),
            in_a_row: AtomicU32::new(0),
        }
    }

    /// An engine works with so many threads until this is dropped, however many cores there are.
    pub fn take(&self, threads: usize) -> Taken<'_> {
        self.taken.fetch_add(threads, Ordering::Relaxed);
        Taken {
            cores: self,
            threads,
        }
    }

    /// A core that would lie idle otherwise, until this is dropped. `running` reads how many threads of
    /// this machine want a core just now, of which `known` are the caller's own and need not be counted.
    pub fn take_idle(
        &self,
        known: usize,
        running: impl FnOnce() -> Option<usize>,
    ) -> Option<Taken<'_>> {
        let now = self.now();
        if now >= self.others_until.load(Ordering::Relaxed) {
            // Where the system does not tell, only what is counted here can be known.
            self.note(running().unwrap_or_default().saturating_sub(known), now);
        }
        let others = self.others.load(Ordering::Relaxed);
        let more = |taken: usize| {
            let idle = self.count.saturating_sub(others);
            (taken < idle).then(|| taken.saturating_add(1))
        };
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Taken {
            cores: self,
            threads: 1,
        })
    }

    /// Whether more is taken than there is: an engine has begun since.
    fn is_short(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.count
    }

    fn note(&self, others: usize, now: u64) {
        let before = self.in_a_row.load(Ordering::Relaxed);
        let in_a_row = if others == 0 {
            0
        } else {
            before.saturating_add(1)
        };
        self.in_a_row.store(in_a_row, Ordering::Relaxed);
        let others = if in_a_row > 1 { others } else { 0 };
        self.others.store(others, Ordering::Relaxed);
        let until = now.saturating_add(micros(counts_for(in_a_row)));
        self.others_until.store(until, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }
}

/// How long it counts that others were seen so often in a row.
fn counts_for(in_a_row: u32) -> Duration {
    match in_a_row.checked_sub(1) {
        None => SEEN,
        Some(more) => AGAIN.saturating_mul(1 << more.min(16)).min(SEEN),
    }
}

/// Cores that are taken.
#[derive(Debug)]
pub struct Taken<'a> {
    cores: &'a Cores,
    threads: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.cores.taken.fetch_sub(self.threads, Ordering::Relaxed);
    }
}

/// A caller that looks for its answer in a loop.
#[derive(Debug)]
pub struct Looking<'a> {
    core: Taken<'a>,
    began: Instant,
    last: Duration,
    /// When its turn on this thread began.
    turn: Duration,
    limit: Duration,
}

impl<'a> Looking<'a> {
    pub fn on(core: Taken<'a>, limit: Duration) -> Self {
        Self {
            core,
            began: Instant::now(),
            last: Duration::ZERO,
            turn: Duration::ZERO,
            limit,
        }
    }

    /// Whether to look once more; to be asked before each look.
    pub fn goes_on(&mut self) -> bool {
        let now = self.began.elapsed();
        let pause = now.saturating_sub(self.last);
        self.last = now;
        if pause > KEPT_FROM_IT {
            let cores = self.core.cores;
            cores.note(cores.count, cores.now());
            return false;
        }
        now < self.limit && !self.core.cores.is_short()
    }

    /// Whether the other tasks of this thread go first now.
    pub fn lets_others_go(&mut self) -> bool {
        let over = self.last.saturating_sub(self.turn) >= TURN;
        if over {
            self.turn = self.last;
        }
        over
    }
}

/// Threads of this machine that run or wait for a core.
pub fn running() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    running_in(&text)
}

/// The fourth figure is `running/all`.
fn running_in(text: &str) -> Option<usize> {
    let (running, _) = text.split_whitespace().nth(3)?.split_once('/')?;
    running.parse().ok()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone() -> Option<usize> {
        Some(1)
    }

    #[test]
    fn core_is_idle_only_beside_engines_that_leave_one() {
        let cores = Cores::new(2);
        let engine = cores.take(1);
        let waits = cores.take_idle(1, alone).unwrap();
        assert!(cores.take_idle(1, alone).is_none(), "both are taken");
        drop(waits);
        let other = cores.take(1);
        assert!(cores.take_idle(1, alone).is_none(), "both compute");
        drop((engine, other));
        assert!(cores.take_idle(1, alone).is_some());
    }

    #[test]
    fn engines_of_many_threads_leave_no_core_idle_until_they_have_ended() {
        let cores = Cores::new(2);
        let (first, second) = (cores.take(8), cores.take(8));
        drop(first);
        assert!(cores.take_idle(1, alone).is_none());
        drop(second);
        assert!(cores.take_idle(1, alone).is_some());
    }

    #[test]
    fn core_that_others_of_the_machine_want_is_not_idle() {
        let taken = |running| {
            let cores = Cores::new(2);
            let _engine = cores.take(1);
            cores.in_a_row.store(1, Ordering::Relaxed);
            cores.take_idle(2, || running).is_some()
        };
        assert!(taken(Some(2)), "the caller and its engine");
        assert!(!taken(Some(3)), "somebody else");
        assert!(taken(None), "a system that does not tell");
    }

    #[test]
    fn caller_that_is_kept_from_looking_gives_up_for_all() {
        let cores = Cores::new(2);
        let kept = || {
            let mut looking = Looking::on(cores.take_idle(1, alone).unwrap(), Duration::MAX);
            assert!(looking.goes_on());
            // As if it had been kept from looking from the beginning.
            looking.last = Duration::ZERO;
            looking.began = looking.began.checked_sub(KEPT_FROM_IT * 2).unwrap();
            assert!(!looking.goes_on());
        };
        kept();
        kept();
        assert!(cores.take_idle(1, alone).is_none(), "twice in a row");
    }

    #[test]
    fn others_that_stay_are_looked_for_less_and_less_often() {
        let times = (0..10).map(|in_a_row| counts_for(in_a_row).as_millis());
        let times: Vec<u128> = times.collect();
        assert_eq!(times, [100, 1, 2, 4, 8, 16, 32, 64, 100, 100]);
        assert_eq!(counts_for(u32::MAX), SEEN);
    }

    #[test]
    fn others_count_that_are_seen_twice_in_a_row() {
        let cores = Cores::new(2);
        let idle = |running| {
            cores.others_until.store(0, Ordering::Relaxed);
            cores.take_idle(1, || Some(running)).is_some()
        };
        let seen = [3, 3, 3, 1, 3, 1, 3, 3].map(idle);
        assert_eq!(
            seen,
            [true, false, false, true, true, true, true, false],
            "a glance does not count"
        );
    }

    #[test]
    fn other_tasks_of_a_thread_go_first_once_in_a_turn() {
        let cores = Cores::new(2);
        let mut looking = Looking::on(cores.take_idle(1, alone).unwrap(), Duration::MAX);
        let mut at = |last| {
            looking.last = last;
            looking.lets_others_go()
        };
        let due: Vec<bool> = [TURN / 2, TURN, TURN * 3 / 2, TURN * 2].map(&mut at).into();
        assert_eq!(due, [false, true, false, true]);
    }

    #[test]
    fn looking_ends_when_an_engine_wants_the_core() {
        let cores = Cores::new(2);
        let _engine = cores.take(1);
        let core = cores.take_idle(1, alone).unwrap();
        let mut looking = Looking::on(core, Duration::MAX);
        assert!(looking.goes_on());
        let _other = cores.take(1);
        assert!(!looking.goes_on());
    }

    #[test]
    fn looking_ends_with_its_time() {
        let cores = Cores::new(2);
        let core = cores.take_idle(1, alone).unwrap();
        assert!(!Looking::on(core, Duration::ZERO).goes_on());
    }

    #[test]
    fn running_threads_are_read_from_the_fourth_figure() {
        assert_eq!(running_in("0.20 0.18 0.12 3/1105 30207\n"), Some(3));
        assert_eq!(running_in("0.20 0.18"), None);
    }
}
