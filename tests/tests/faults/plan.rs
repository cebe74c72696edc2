//! What a seed stands for: the nodes, the jobs, and everything that goes wrong until the faults end.

use assay_client::protocol::limits::OPEN_SLOT_AGE;
use assay_tests::sim::Dice;

use super::{
    calendar::{Halt, SLOT_MS},
    mishaps::Mood,
};

/// Confirmed slots that are undone together, at most: older ones are final.
const MOST_UNDONE: u64 = 31;

/// A time in which one node's calls fail, lie or take long.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    pub from_ms: u64,
    pub until_ms: u64,
    pub mood: Mood,
    /// Of the calls that it hits, in hundredths.
    pub percent: u64,
}

/// What was processed in the last `depth` slots before `slot` and not confirmed is undone: it lands again
/// in another order, later, or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Fork {
    pub slot: u64,
    pub depth: u64,
}

/// What its requester does with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Acknowledges.
    Kind,
    /// Never acknowledges: the challenge window has to pass.
    Silent,
    /// Disputes the result: three nodes or fewer sit on the panel of level 2.
    Disputing,
}

#[derive(Clone, Copy, Debug)]
pub struct JobPlan {
    pub at_ms: u64,
    /// Chance of an audit in basis points; 0 for a job that nobody audits.
    pub audit_bps: u16,
    pub manner: Manner,
    /// From claim to commitment.
    pub compute_secs: u32,
}

#[derive(Clone, Copy, Debug)]
pub struct SessionPlan {
    pub at_ms: u64,
    pub node: usize,
    pub requests: u64,
    /// Before each request.
    pub pause_ms: u64,
    /// After the last one, rather than just go.
    pub asks_for_close: bool,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub nodes: usize,
    /// Panels have short windows: some of them are missed with good reason.
    pub brisk: bool,
    /// From then on everything works.
    pub faults_until_ms: u64,
    /// Slots from being processed to being confirmed.
    pub lag: u64,
    /// A second endpoint confirms what the first says of time and height.
    pub agreed: bool,
    pub websocket: bool,
    pub poll_ms: u64,
    pub halts: Vec<Halt>,
    /// By slots since the first one.
    pub forks: Vec<Fork>,
    /// The same of slots that were confirmed, which no cluster that works takes back: every node is started anew
    /// after the last of them.
    pub rollbacks: Vec<Fork>,
    /// By node.
    pub storms: Vec<Vec<Storm>>,
    /// By node, for each of its lives: how many points it lives through.
    pub kills: Vec<Vec<u64>>,
    /// From a moment on, the machines' clock is wrong by so many seconds.
    pub clock_steps: Vec<(u64, i64)>,
    /// By node: when it is asked to stop, as for an upgrade.
    pub stops: Vec<Option<u64>>,
    pub jobs: Vec<JobPlan>,
    pub sessions: Vec<SessionPlan>,
}

impl Plan {
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let nodes = 3 + dice.below(3);
        // One seed in sixteen has no faults: it shows what the others are measured against.
        let calm = dice.below(16) == 0;
        let end = if calm {
            0
        } else {
            within(&mut dice, 40, 150) * 1_000
        };
        let jobs = (0..2 + dice.below(3)).map(|_| job(&mut dice)).collect();
        let mut plan = Self {
            seed,
            nodes,
            brisk: dice.chance(0.5),
            faults_until_ms: end,
            lag: within(&mut dice, 1, 12),
            agreed: dice.chance(0.5),
            websocket: dice.chance(0.5),
            poll_ms: within(&mut dice, 2, 5) * 1_000,
            halts: Vec::new(),
            forks: Vec::new(),
            rollbacks: Vec::new(),
            storms: vec![Vec::new(); nodes],
            kills: vec![Vec::new(); nodes],
            clock_steps: Vec::new(),
            stops: vec![None; nodes],
            jobs,
            sessions: (0..dice.below(3))
                .map(|_| session(&mut dice, nodes))
                .collect(),
        };
        if !calm {
            plan.go_wrong(&mut dice);
        }
        plan
    }

    /// One audited job, one that is not and a session, and nothing goes wrong but that this node ends at this point of its
    /// first life; 0 for none.
    pub fn sweep(node: usize, point: u64) -> Self {
        let job = |at_ms, audit_bps| JobPlan {
            at_ms,
            audit_bps,
            manner: Manner::Kind,
            compute_secs: 230,
        };
        let mut kills = vec![Vec::new(); 3];
        kills[node] = vec![point];
        Self {
            seed: 0,
            nodes: 3,
            brisk: false,
            faults_until_ms: 1,
            lag: 2,
            agreed: true,
            websocket: true,
            poll_ms: 5_000,
            halts: Vec::new(),
            forks: Vec::new(),
            rollbacks: Vec::new(),
            storms: vec![Vec::new(); 3],
            kills,
            clock_steps: Vec::new(),
            stops: vec![None; 3],
            jobs: vec![job(500, 10_000), job(700, 0)],
            sessions: vec![SessionPlan {
                at_ms: 600,
                node: 0,
                requests: 6,
                pause_ms: 3_000,
                asks_for_close: true,
            }],
        }
    }

    /// Takes back a session's close, or the last settlement before it, by a rollback at about the time at which the
    /// program first lets it be closed.
    fn take_back_a_close(&mut self, dice: &mut Dice) {
        let Some(session) = self.sessions.first_mut() else {
            return;
        };
        (session.at_ms, session.asks_for_close) = (within(dice, 500, 10_000), true);
        (session.requests, session.pause_ms) = (within(dice, 4, 6), within(dice, 7_000, 9_000));
        let closable_ms = session.at_ms + OPEN_SLOT_AGE * SLOT_MS;
        let slot = (closable_ms + within(dice, 2_000, 20_000)) / SLOT_MS;
        let depth = within(dice, MOST_UNDONE / 2, MOST_UNDONE);
        self.rollbacks = vec![Fork { slot, depth }];
        self.faults_until_ms = self.faults_until_ms.max(110_000);
    }

    fn go_wrong(&mut self, dice: &mut Dice) {
        let takes_back = dice.chance(0.15);
        if takes_back {
            self.take_back_a_close(dice);
        }
        let end = self.faults_until_ms;
        for node in 0..self.nodes {
            let mut at = within(dice, 0, 30) * 1_000;
            while at < end && dice.chance(0.8) {
                let until = (at + within(dice, 3, 40) * 1_000).min(end);
                self.storms[node].push(Storm {
                    from_ms: at,
                    until_ms: until,
                    mood: Mood::ALL[dice.below(Mood::ALL.len())],
                    percent: within(dice, 10, 70),
                });
                at = until + within(dice, 2, 40) * 1_000;
            }
            while dice.chance(0.55) && self.kills[node].len() < 4 {
                // Short lives as often as long ones: a restart must get through its own beginning too.
                let most = 1 << within(dice, 2, 9);
                self.kills[node].push(within(dice, 1, most));
            }
            if dice.chance(0.1) {
                self.stops[node] = Some(dice.draw() % end);
            }
        }
        let slots = end / SLOT_MS;
        let mut slot = 0;
        while self.lag > 1 && dice.chance(0.75) {
            slot += within(dice, 1, slots / 3);
            let depth = within(dice, 1, self.lag - 1);
            self.forks.push(Fork { slot, depth });
        }
        self.forks.retain(|fork| fork.slot < slots);
        let mut slot = 0;
        while !takes_back && dice.chance(0.25) {
            let depth = within(dice, 1, MOST_UNDONE);
            slot += depth + within(dice, 1, slots / 2);
            self.rollbacks.push(Fork { slot, depth });
        }
        self.rollbacks.retain(|back| back.slot + self.lag < slots);
        if dice.chance(0.3) {
            let from_ms = within(dice, 1, end / 1_000) * 1_000;
            let until_ms = from_ms + within(dice, 2, 50) * 1_000;
            self.halts.push(Halt { from_ms, until_ms });
        }
        while dice.chance(0.4) {
            let seconds = within(dice, 0, 4_000).cast_signed() - 2_000;
            self.clock_steps.push((dice.draw() % end, seconds));
        }
        self.clock_steps.sort_unstable();
    }

    /// When the last disturbance of everybody is over.
    pub fn quiet_from_ms(&self) -> u64 {
        let halts = self.halts.iter().map(|halt| halt.until_ms);
        halts.max().unwrap_or(0).max(self.faults_until_ms)
    }
}

fn job(dice: &mut Dice) -> JobPlan {
    JobPlan {
        at_ms: dice.draw() % 40_000,
        audit_bps: [0, 10_000, 10_000, 5_000][dice.below(4)],
        compute_secs: [40, 90, 230][dice.below(3)],
        manner: [
            Manner::Kind,
            Manner::Kind,
            Manner::Kind,
            Manner::Silent,
            Manner::Disputing,
        ][dice.below(5)],
    }
}

fn session(dice: &mut Dice, nodes: usize) -> SessionPlan {
    SessionPlan {
        at_ms: dice.draw() % 40_000,
        node: dice.below(nodes),
        requests: within(dice, 1, 12),
        pause_ms: within(dice, 100, 9_000),
        asks_for_close: dice.chance(0.6),
    }
}

/// Within both ends.
pub fn within(dice: &mut Dice, low: u64, high: u64) -> u64 {
    low + dice.draw() % (high.max(low) - low + 1)
}
