//! The seeds, the sweep over every point, and what they must have covered.

use std::{
    collections::BTreeSet,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use super::{
    mishaps::{Census, Fault},
    plan::Plan,
    run::{Outcome, run},
};

/// What `make test` runs.
const USUAL: u64 = 1_000;
const THREADS: usize = 2;

/// Every point at which the worker may be told to halt.
const HALTS: [&str; 12] = [
    "claim-intent-saved",
    "claim-landed",
    "result-saved",
    "commit-sent",
    "commit-landed",
    "ack-saved",
    "finalize-sent",
    "audited",
    "job-reveal-sent",
    "join-sent",
    "seat-result-saved",
    "seat-commit-sent",
];

/// What else the usual seeds must have seen.
const SEEN: [&str; 33] = [
    "chain: blockhash expired",
    "chain: delivered again",
    "disk: fails after the call",
    "disk: fails before the call",
    "disk: is slow",
    "ended: asked to",
    "ended: journal failed",
    "fork: dropped",
    "fork: landed again",
    "http: answer lost",
    "http: came twice",
    "http: request lost",
    "job settled at level 0",
    "job settled at level 1",
    "job settled at level 2",
    "journal: cut",
    "journal: spoilt",
    "killed after Send",
    "killed after disk",
    "killed before Send",
    "killed before disk",
    "killed after disk of sessions",
    "killed before disk of sessions",
    "killed by a power cut",
    "killed while opening",
    "killed while opening sessions",
    "rollback: dropped",
    "rollback: landed again",
    "session: all was answered",
    "session: caught up",
    "session: its provider lost count",
    "sessions: cut",
    "sessions: spoilt",
];

/// A variable's number, if it is set and not empty.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
    )
}

/// Runs a plan; what went wrong in it, with everything that is needed to see it again.
fn judge(plan: Plan, aloud: bool, what: &str, replay: &str) -> Result<Outcome, String> {
    let ended = catch_unwind(AssertUnwindSafe(|| run(plan, aloud)));
    let outcome = ended.map_err(|_| format!("{what} panicked; replay with {replay}"))?;
    if outcome.faults.is_empty() {
        return Ok(outcome);
    }
    let (faults, tail) = (outcome.faults.join("\n"), outcome.tail);
    eprintln!("last events of {what}:\n{tail}");
    Err(format!("{what}: {faults}\nreplay with {replay}"))
}

fn seed(seed: u64, aloud: bool) -> Result<Outcome, String> {
    let replay = format!("make faults SEED={seed}");
    judge(Plan::draw(seed), aloud, &format!("seed {seed}"), &replay)
}

/// Runs as many, on all threads; fails with the first of those that failed.
fn all(runs: u64, one: impl Fn(u64) -> Result<Outcome, String> + Sync) -> Census {
    let (next, done) = (
        AtomicU64::new(0),
        Mutex::new((Census::default(), Vec::new())),
    );
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs {
                        return;
                    }
                    let ended = one(number);
                    let (census, failed) = &mut *done.lock().expect("held for moments");
                    match ended {
                        Ok(outcome) => census.add(&outcome.census),
                        Err(why) => failed.push((number, why)),
                    }
                }
            });
        }
    });
    let (census, mut failed) = done.into_inner().expect("all threads have ended");
    failed.sort();
    let why: Vec<&str> = failed.iter().map(|(_, why)| why.as_str()).collect();
    assert!(
        why.is_empty(),
        "{}\n{} of {runs} failed",
        why.join("\n"),
        why.len()
    );
    census
}

#[test]
fn seeds_keep_every_promise() {
    if let Some(one) = number("ASSAY_FAULT_SEED") {
        tracing_subscriber::fmt()
            .with_env_filter("assay_worker=debug")
            .with_writer(std::io::stderr)
            .without_time()
            .init();
        eprintln!("{:#?}", Plan::draw(one));
        match seed(one, true) {
            Ok(outcome) => eprintln!("seed {one} kept every promise: {:#?}", outcome.census.0),
            Err(why) => panic!("{why}"),
        }
        return;
    }
    let seeds = number("ASSAY_FAULT_SEEDS").unwrap_or(USUAL);
    let census = all(seeds, |number| seed(number, false));
    eprintln!("{seeds} seeds kept every promise: {:#?}", census.0);
    if seeds >= USUAL {
        census.expect(Fault::ALL.map(|fault| format!("fault: {fault:?}")));
        census.expect(HALTS.map(|point| format!("halt: {point}")));
        census.expect(SEEN);
    }
}

/// One life after another ends at the first point, the second, and so on up to the last one of a run in which
/// none does, for each of the nodes: whoever claims, and whoever audits.
#[test]
fn every_point_may_be_the_last() {
    let sweep = |node, point| judge(Plan::sweep(node, point), false, "sweep", "this test");
    let whole = sweep(0, 0).unwrap_or_else(|why| panic!("{why}"));
    let runs: Vec<(usize, u64)> = (0..whole.points.len())
        .flat_map(|node| (1..=whole.points[node]).map(move |point| (node, point)))
        .collect();
    let census = all(runs.len() as u64, |number| {
        let (node, point) = runs[usize::try_from(number).expect("an index")];
        let what = format!("node {node} killed at point {point}");
        judge(Plan::sweep(node, point), false, &what, "this test")
    });
    eprintln!("{} points: {:#?}", runs.len(), census.0);
    census.expect(HALTS.map(|point| format!("killed at {point}")));
    census.expect(["journal: cut", "journal: spoilt"]);
    census.expect(["sessions: cut", "sessions: spoilt"]);
}

#[test]
fn same_seed_is_the_same_run() {
    for number in 0..8 {
        let digest = || run(Plan::draw(number), false).digest;
        assert_eq!(
            digest(),
            digest(),
            "seed {number} depends on something else"
        );
    }
    let digests: BTreeSet<u64> = (0..8)
        .map(|number| run(Plan::draw(number), false).digest)
        .collect();
    assert_eq!(digests.len(), 8, "the digest tells nothing");
}
