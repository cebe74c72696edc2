//! What must hold at the end of a run.

use std::{collections::BTreeMap, sync::Arc};

use assay_client::protocol::UnixSeconds;
use assay_worker::store::Store;

use super::{link::Link, net::short, node::Node, sim::Sim};

/// A node to which nothing happens for so long does everything that is due: longer than a blockhash lives, which
/// is how long a transaction that was lost may keep its step waiting. What is missed with good reason had less than
/// half of it.
const REACTION_MS: u64 = 75_000;
/// Transactions of one intent that may fail in a block, at most: more than one node, or one after a restart, may
/// have been quicker between simulation and landing.
const MOST_FAILED: u32 = 3;
/// More of them where a rollback took a seat or a claim away, which jobs' nodes do not believe before their next
/// start: what seems to be owed is sent in the last 30 s before its deadline whatever endpoints say of it.
const INSISTED: u32 = 3;

/// A transaction as a journal has it.
#[derive(Debug)]
struct Booked {
    landed: bool,
    fee: u64,
    /// None as long as the chain's record was not read.
    rent: Option<i64>,
}

impl Default for Booked {
    fn default() -> Self {
        Self {
            landed: false,
            fee: 0,
            rent: Some(0),
        }
    }
}

/// Everything that is wrong. What a rollback took back is not among it, nor what was late before the node was started
/// again after it (see [`Link::longest_calm`]); what was done and missed since then is.
pub fn faults(sim: &Sim, nodes: &[Arc<Node>]) -> Vec<String> {
    let mut faults = sim.tabs().wrongs(&sim.net());
    faults.extend(steps(sim, nodes));
    faults.extend(missed(sim, nodes));
    for node in nodes {
        faults.extend(costs(sim, node));
        faults.extend(journal(sim, node));
    }
    faults
}

/// Steps that were carried out twice, or that failed too often.
fn steps(sim: &Sim, nodes: &[Arc<Node>]) -> Vec<String> {
    let mut faults = Vec::new();
    {
        let net = sim.net();
        faults.extend(net.trail.wrongs.iter().cloned());
        for (intent, tries) in &net.trail.tries {
            let (_, step, ..) = intent;
            // A panel whose hash is gone again gets another slot again.
            if tries.accepted > 1 && *step != "panel_retarget" {
                faults.push(format!("carried out {} times: {intent:?}", tries.accepted));
            }
            let ours = nodes.iter().any(|node| node.provider.operator == intent.0);
            // Nobody else settles or closes a session; a rollback may bring an old try of its own before the new one.
            let most = match (step.starts_with("session_"), sim.plan.rollbacks.is_empty()) {
                (true, true) => 0,
                (false, true) | (true, false) => MOST_FAILED,
                (false, false) => MOST_FAILED + INSISTED,
            };
            if ours && tries.failed > most {
                faults.push(format!("failed {} times: {intent:?}", tries.failed));
            }
        }
    }
    faults
}

/// Deadlines that were missed although there was time.
fn missed(sim: &Sim, nodes: &[Arc<Node>]) -> Vec<String> {
    let misses = sim.net().trail.misses.clone();
    let mut faults = Vec::new();
    for miss in misses {
        let node = nodes
            .iter()
            .find(|node| node.provider.account == miss.provider);
        let link: &Link = &node.expect("nobody else works here").link;
        let calm = link.longest_calm(miss.from_ms, miss.until_ms);
        // What the disk does not take, or an engine fails at twice, is given back at once: that is the rule.
        let excused = miss.what == "job given back" && link.broke(miss.from_ms, miss.until_ms);
        sim.count(format!("missed: {}", miss.what));
        if calm >= REACTION_MS && !excused {
            faults.push(format!(
                "{}, job {}: {}, though nothing kept it for {calm} ms between {} and {}",
                link.name, miss.job, miss.what, miss.from_ms, miss.until_ms
            ));
        }
    }
    faults
}

/// Sessions with more unsettled than may be at risk, although their worker had time to settle it.
pub fn at_risk(sim: &Sim, nodes: &[Arc<Node>]) -> Vec<String> {
    let ms = sim.ms();
    sim.tabs().look(&sim.net(), ms);
    let mut faults = Vec::new();
    for node in nodes {
        let over = sim.tabs().over(node.link.id);
        for (session, since) in over {
            let calm = node.link.longest_calm(since, ms);
            if calm >= REACTION_MS {
                faults.push(format!(
                    "{} has too much at risk in session {session} since {since}, {calm} ms of it undisturbed",
                    node.link.name
                ));
            }
        }
    }
    faults
}

fn journal(sim: &Sim, node: &Node) -> Vec<String> {
    let path = node.link.journal();
    let mut faults = sim
        .seals
        .lock()
        .expect("held for moments")
        .faults(node.link.id, &path);
    let store = Store::open_read_only(&path).expect("a journal opens");
    faults.extend(store.faults().expect("a journal is read"));
    let (net, file) = (sim.net(), node.link.sessions_file());
    faults.extend(sim.tabs().faults(node.link.id, &file, &net));
    faults.extend(sim.tabs().books(node.link.id, &file, &net));
    drop(net);
    let name = &node.link.name;
    for job in store.latest_jobs(1_000).expect("a journal is read") {
        if job.phase == "secrets_missing" {
            faults.push(format!("{name}: secrets missing for job {}", job.job));
        }
    }
    faults
}

/// Transactions in the journal that did not end there as on chain, or at another price.
///
/// One that a rollback took back stays in the journal as the worker saw it. Whether it succeeded and what it lent cannot
/// be held against the chain then: it may have landed again and failed, or not at all. Its fee is the same either way.
fn costs(sim: &Sim, node: &Node) -> Vec<String> {
    let store = Store::open_read_only(&node.link.journal()).expect("a journal opens");
    let mut booked: BTreeMap<[u8; 64], Booked> = BTreeMap::new();
    for row in store.costs(UnixSeconds(0)).expect("a journal is read") {
        let known = booked.entry(row.signature).or_default();
        known.fee += row.fee;
        known.landed = row.landed;
        known.rent = known.rent.zip(row.rent).map(|(sum, more)| sum + more);
    }
    let (net, name) = (sim.net(), &node.link.name);
    let (mut faults, mut owed, mut lost) = (Vec::new(), false, false);
    let ours = net.statuses.iter();
    for (signature, status) in ours.filter(|(_, status)| status.payer == node.provider.operator) {
        let Some(known) = booked.remove(signature) else {
            // A crash before its end loses the row of one that was sent though the disk failed.
            if net.trail.owed.contains(signature) {
                lost = true;
                continue;
            }
            let signature = short(signature);
            faults.push(format!("{name} did not book {signature}: {status:?}"));
            continue;
        };
        owed |= known.rent.is_none();
        let same = known.landed == status.error.is_none()
            && known.rent.is_none_or(|rent| rent == status.rent);
        if known.fee != status.fee || !(same || net.undone.contains_key(signature)) {
            faults.push(format!("{name} booked {known:?}, charged were {status:?}"));
        }
    }
    for (signature, known) in booked {
        let undone = net.undone.get(&signature);
        if undone.is_none_or(|status| status.fee != known.fee) {
            let signature = short(&signature);
            faults.push(format!(
                "{name} booked {signature}, which the chain does not have: {known:?}"
            ));
        }
    }
    drop(net);
    if owed {
        sim.count("journal: a cost is still owed");
    }
    if lost {
        sim.count("journal: a fee was lost with its row");
    }
    faults
}

/// What is left to do: jobs that have not ended, panels that are not closed, drivers that wait for something,
/// transactions under way.
pub fn unfinished(sim: &Sim, nodes: &[Arc<Node>]) -> Vec<String> {
    let mut left = Vec::new();
    let view = sim.net().view().clone();
    for (address, job) in &view.jobs {
        if !job.status().is_ok_and(|status| status.is_terminal()) {
            left.push(format!("job {address} has status {}", job.status));
        }
    }
    // Whoever opened a panel and saw its close confirmed does not take it up again where a rollback brings it back.
    if sim.plan.rollbacks.is_empty() {
        let panels = view.panels.keys();
        left.extend(panels.map(|panel| format!("panel {panel} is not closed")));
    }
    for node in nodes {
        let name = &node.link.name;
        match node.snapshot() {
            None => left.push(format!("{name} is down")),
            Some(snapshot) if !snapshot.idle => left.push(format!("{name} is not idle")),
            Some(_) => {}
        }
    }
    for node in nodes {
        let file = node.link.sessions_file();
        left.extend(sim.tabs().unfinished(node.link.id, &file, &sim.net()));
    }
    if !left.is_empty() {
        return left;
    }
    for node in nodes {
        let store = Store::open_read_only(&node.link.journal()).expect("a journal opens");
        for sent in store.pending_transactions().expect("a journal is read") {
            let name = &node.link.name;
            left.push(format!(
                "{name}: pending in its journal: {:?}",
                sent.members
            ));
        }
    }
    left
}
