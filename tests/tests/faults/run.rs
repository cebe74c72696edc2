//! One run, from a plan to what came of it.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{
    check,
    customer::Customer,
    market::{MODEL, Market},
    mishaps::Census,
    node::{self, Node},
    plan::Plan,
    requester::Requester,
    sim::Sim,
};

/// Virtual time after the last fault within which everything has ended: two panels to their last deadlines, and
/// what follows from them.
const RECOVERY_MS: u64 = 2_400_000;
/// Calls of the chain that one node makes in that time, at most.
const RECOVERY_CALLS: u64 = 6_000;

/// What a run came to.
pub struct Outcome {
    /// Of everything that happened, in order.
    pub digest: u64,
    pub census: Census,
    /// Points that each node's first life had come through at the end.
    pub points: Vec<u64>,
    /// What was wrong, with the last lines of the log.
    pub faults: Vec<String>,
    pub tail: String,
}

/// Runs a plan on this thread.
pub fn run(plan: Plan, aloud: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(play(plan, aloud));
    // What still runs is dropped with it, unfinished, as in a crash.
    drop(runtime);
    outcome
}

async fn play(plan: Plan, aloud: bool) -> Outcome {
    let market = Market::open(plan.nodes, plan.brisk);
    node::seed_random(plan.seed);
    let operators = market.operators();
    let sim = Sim::new(plan, market.world, operators, aloud);
    let models = sim.folder.path().join("models");
    std::fs::create_dir(&models).expect("the folder is new");
    std::fs::write(models.join("model.onnx"), MODEL).expect("the folder is ours");
    let members = market.members.into_iter().enumerate();
    let nodes: Vec<Arc<Node>> = members
        .map(|(id, member)| Node::new(id, &sim, member))
        .collect();
    set_clock(&sim);
    let mut tasks = JoinSet::new();
    tasks.spawn(tick(Arc::clone(&sim)));
    tasks.spawn(keep_clock(Arc::clone(&sim)));
    for node in &nodes {
        tasks.spawn(Arc::clone(node).supervise());
    }
    for number in 0..sim.plan.jobs.len() {
        let requester = Requester::new(&sim, &nodes, market.model, number);
        tasks.spawn(requester.run());
    }
    for number in 0..sim.plan.sessions.len() {
        tasks.spawn(Customer::new(&sim, &nodes, number).run());
    }
    let faults = watch(&sim, &nodes, &mut tasks).await;
    Outcome {
        digest: sim.log.digest(),
        census: sim.census(),
        points: nodes.iter().map(|node| node.link.points()).collect(),
        faults,
        tail: sim.log.tail(),
    }
}

/// Waits for the end; returns what is wrong with it.
async fn watch(sim: &Arc<Sim>, nodes: &[Arc<Node>], tasks: &mut JoinSet<()>) -> Vec<String> {
    let jobs = sim.plan.jobs.iter().map(|job| job.at_ms);
    let sessions = sim.plan.sessions.iter().map(|session| session.at_ms);
    let last = jobs.chain(sessions).max().unwrap_or(0);
    let quiet = sim.plan.quiet_from_ms().max(last + 1_000);
    let calls = || {
        nodes
            .iter()
            .map(|node| node.link.calls())
            .collect::<Vec<_>>()
    };
    let mut before = None;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                return vec![format!("a task failed: {error}")];
            }
        }
        let at_risk = check::at_risk(sim, nodes);
        if !at_risk.is_empty() {
            return at_risk;
        }
        let ms = sim.ms();
        if ms < quiet {
            continue;
        }
        let before = before.get_or_insert_with(calls);
        let unfinished = check::unfinished(sim, nodes);
        if unfinished.is_empty() {
            break;
        }
        if ms > quiet + RECOVERY_MS {
            let left = unfinished.join("; ");
            return vec![format!(
                "not over {RECOVERY_MS} ms after the last fault: {left}"
            )];
        }
        let most = calls()
            .into_iter()
            .zip(before.iter())
            .map(|(now, then)| now - then)
            .max();
        if most.is_some_and(|most| most > RECOVERY_CALLS) {
            return vec![format!(
                "more than {RECOVERY_CALLS} calls of the chain after the last fault"
            )];
        }
    }
    let faults = check::faults(sim, nodes);
    if sim.seals.lock().expect("held for moments").count() == 0 {
        sim.count("nothing was committed");
    }
    faults
}

/// Lets the chain go on while nobody asks it.
async fn tick(sim: Arc<Sim>) {
    let mailed = Arc::clone(&sim.net().mailed);
    loop {
        let next = sim.net().next_ms();
        let due = async {
            match next {
                Some(ms) => tokio::time::sleep_until(sim.at(ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = mailed.notified() => {}
            () = due => {}
        }
    }
}

/// Keeps the machines' clock, which is wrong at times.
async fn keep_clock(sim: Arc<Sim>) {
    loop {
        set_clock(&sim);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn set_clock(sim: &Sim) {
    let ms = sim.ms();
    let mut steps = sim.plan.clock_steps.iter().rev();
    let off = steps
        .find(|(from, _)| *from <= ms)
        .map_or(0, |(_, off)| *off);
    let off = if ms < sim.plan.faults_until_ms {
        off
    } else {
        0
    };
    node::set_clock(sim.net().calendar.second(ms) + off);
}
