//! What must hold at the end of a run.

use std::{collections::BTreeSet, sync::Arc};

use assay_client::protocol::UnixSeconds;
use assay_worker::store::Store;

use super::{link::Link, node::Node, sim::Sim};

/// A node to which nothing happens for so long does everything that is due: longer than a blockhash lives, which
/// is how long a transaction that was lost may keep its step waiting. What is missed with good reason had less than
/// half of it.
const REACTION_MS: u64 = 75_000;
/// Transactions of one intent that may fail in a block, at most: more than one node, or one after a restart, may
/// have been quicker between simulation and landing.
const MOST_FAILED: u32 = 3;

/// Everything that is wrong. A chain that takes back what it had confirmed may cost deadlines, fees and second tries:
/// then commitments, books on chain and recovery are what is left to be held.
pub fn faults(sim: &Sim, nodes: &[Arc<Node>]) -> Vec<String> {
    let mut faults = sim.tabs().wrongs(&sim.net());
    if sim.plan.rollbacks.is_empty() {
        faults.extend(steps(sim, nodes));
        faults.extend(missed(sim, nodes));
        faults.extend(nodes.iter().flat_map(|node| costs(sim, node)));
    }
    faults.extend(nodes.iter().flat_map(|node| journal(sim, node)));
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
            if ours && tries.failed > MOST_FAILED {
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
    drop(net);
    let name = &node.link.name;
    for job in store.latest_jobs(1_000).expect("a journal is read") {
        if job.phase == "secrets_missing" {
            faults.push(format!("{name}: secrets missing for job {}", job.job));
        }
    }
    faults
}

/// Fees and rent in the journal that are not what the chain charged.
fn costs(sim: &Sim, node: &Node) -> Vec<String> {
    let (mut faults, name) = (Vec::new(), &node.link.name);
    let store = Store::open_read_only(&node.link.journal()).expect("a journal opens");
    let spent = sim.net().trail.spent.get(&node.provider.operator).cloned();
    let spent = spent.unwrap_or_default();
    let booked = store.totals().expect("a journal is read").fees;
    let costs = store.costs(UnixSeconds(0));
    let costs = costs.expect("a journal is read");
    // A crash before its end loses the row of one that was sent though the disk failed.
    let noted: BTreeSet<_> = costs.iter().map(|cost| cost.signature).collect();
    let owed = spent.owed.iter().filter(|(sent, _)| !noted.contains(*sent));
    let lost: u64 = owed.map(|(_, fee)| fee).sum();
    if lost > 0 {
        sim.count("journal: a fee was lost with its row");
    }
    if booked + lost != spent.fees {
        let charged = spent.fees;
        faults.push(format!(
            "{name} booked {booked} lamports of fees and lost {lost}, was charged {charged}"
        ));
    }
    if let Some(rent) = costs.iter().map(|cost| cost.rent).sum::<Option<i64>>() {
        if rent != spent.rent {
            let lent = spent.rent;
            faults.push(format!(
                "{name} booked {rent} lamports of rent, lent {lent}"
            ));
        }
    } else {
        sim.count("journal: a cost is still owed");
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
    left.extend(
        view.panels
            .keys()
            .map(|panel| format!("panel {panel} is not closed")),
    );
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
