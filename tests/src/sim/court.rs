//! A panel, from its seed to its last phase.

use assay_client::protocol::{
    Digest, JobData, PanelData, UnixSeconds,
    args::JobRevealArgs,
    commitment::Role,
    panel::{Candidate, PanelOpening, Phase, UNAVAILABLE},
    sortition::panel_seed,
};
use bytemuck::Zeroable;

use super::{
    agent::{Act, Behaviour, Sight},
    trial::{PROGRAM, Trial},
};

/// What one seat has prepared: its commitment's salt and root, if it will open it.
struct Plan {
    member: usize,
    salt: [u8; 32],
    act: Act,
}

/// Opens the convened panel and lets everybody do to it what they do.
pub fn sit(trial: &mut Trial<'_>) {
    let mut panel = open(trial);
    let holders = fill(trial, &mut panel);
    trial.now = UnixSeconds(panel.join_deadline + 1);
    let plans = commit(trial, &mut panel, &holders);
    if panel.phase(trial.now, trial.job.is_revealed()) == Phase::Commit {
        trial.now = UnixSeconds(panel.commit_deadline + 1);
    }
    reveal(trial, &mut panel, &plans);
    if panel.phase(trial.now, trial.job.is_revealed()) != Phase::Over {
        trial.now = UnixSeconds(panel.reveal_deadline + 1);
    }
    let level = usize::from(trial.job.level - 1);
    trial.truthful[level] = plans
        .iter()
        .map(|plan| (plan.member, is_truthful(trial, plan)))
        .collect();
    trial.panels[level] = Some(panel);
}

fn open(trial: &mut Trial<'_>) -> PanelData {
    let hash = trial.dice.bytes();
    let target = trial.job.target_slot;
    trial.wait(4);
    trial
        .job
        .open_panel(target, Some(target - 1), trial.now)
        .expect("in time");
    let at = PanelOpening {
        job: trial.address,
        rent_payer: trial.address,
        bump: 255,
        seed: panel_seed(&trial.address, trial.job.level, &hash),
        now: trial.now,
    };
    let mut panel = PanelData::zeroed();
    panel.open(&at, &trial.job).expect("windows of a day");
    panel
}

/// Whoever is awake and admitted joins, in any order; returns who holds the seats in the end.
fn fill(trial: &mut Trial<'_>, panel: &mut PanelData) -> Vec<usize> {
    let other = if trial.job.level == 2 {
        trial.panels[0]
    } else {
        None
    };
    for index in trial.dice.order(trial.town.members.len()) {
        let address = trial.town.members[index].address;
        let awake = trial.dice.chance(trial.scenario.awake);
        if !awake || other.is_some_and(|panel| panel.seats_provider(&address)) {
            continue;
        }
        let Some(score) = ticket(trial, index, &panel.seed) else {
            continue;
        };
        let generation = trial.town.members[index].data.generation;
        let candidate = Candidate {
            provider: address,
            generation,
            score,
        };
        if let Ok(joined) = panel.join(&candidate, trial.now) {
            trial
                .town
                .seat(index, &joined, assay_client::protocol::Lamports(panel.bond));
        }
    }
    let taken = panel.seats.iter().take(usize::from(panel.joined));
    taken.map(|seat| trial.town.find(&seat.provider)).collect()
}

fn ticket(trial: &Trial<'_>, index: usize, seed: &[u8; 32]) -> Option<u64> {
    let job: &JobData = &trial.job;
    trial.town.ticket(index, job, seed)
}

fn commit(trial: &mut Trial<'_>, panel: &mut PanelData, holders: &[usize]) -> Vec<Plan> {
    let served = serves_hints(trial);
    let mut plans: Vec<Plan> = Vec::new();
    for member in holders {
        let behaviour = trial.town.members[*member].behaviour;
        let kin = |other: &usize| {
            trial.town.members[*other].behaviour == behaviour && behaviour.is_group()
        };
        let sight = Sight {
            level: trial.job.level,
            taken: holders.len(),
            ours: holders.iter().filter(|other| kin(other)).count(),
            own_job: kin(&trial.primary),
            leaked: trial.leaked,
            hints: served.then_some(trial.sealed.hints.as_slice()),
            primary: &trial.sealed,
            truth: &trial.truth,
        };
        let (act, cost) = behaviour.sit(&sight, &trial.scenario.costs, &mut trial.dice);
        trial.town.members[*member].cost += cost;
        plans.push(Plan {
            member: *member,
            salt: trial.dice.bytes(),
            act,
        });
    }
    let mut sent: Vec<[u8; 32]> = Vec::new();
    // Who copies waits for somebody to copy from.
    let (copies, own): (Vec<_>, Vec<_>) = (0_u8..)
        .zip(&plans)
        .partition(|(_, plan)| plan.act == Act::Copy);
    for (seat, plan) in own.into_iter().chain(copies) {
        let commitment = match &plan.act {
            Act::Nothing => continue,
            Act::CommitOnly => plan.salt,
            Act::Answer(root) => trial.commitment(
                Role::auditor(trial.job.level),
                plan.member,
                root,
                &plan.salt,
            ),
            Act::Copy => match sent.first() {
                Some(other) => *other,
                None => continue,
            },
        };
        sent.push(commitment);
        let holder = &trial.town.members[plan.member];
        panel
            .commit(
                seat,
                (&holder.address, holder.data.generation),
                &commitment,
                trial.now,
            )
            .expect("in the commit phase");
    }
    plans
}

/// Whether the primary serves its hints to the convened panel.
fn serves_hints(trial: &Trial<'_>) -> bool {
    trial.town.members[trial.primary].behaviour != Behaviour::Withholding || trial.job.level == 2
}

fn reveal(trial: &mut Trial<'_>, panel: &mut PanelData, plans: &[Plan]) {
    let address = trial.address;
    let parties = (&PROGRAM, &address);
    if panel.phase(trial.now, trial.job.is_revealed()) == Phase::Reveal
        && !trial.silent
        && !trial.job.is_revealed()
    {
        let args = JobRevealArgs {
            salt: trial.salt,
            root: trial.sealed.root,
        };
        trial
            .job
            .reveal(parties, panel, &args, trial.now)
            .expect("its own commitment");
    }
    let mut opened: Option<([u8; 32], [u8; 32])> = None;
    for (seat, plan) in (0_u8..).zip(plans) {
        if let Act::Answer(root) = &plan.act {
            panel
                .reveal(seat, parties, &trial.job, (&plan.salt, root), trial.now)
                .expect("its own commitment");
            opened = Some((plan.salt, *root));
        }
    }
    for (seat, plan) in (0_u8..).zip(plans) {
        if let (Act::Copy, Some((salt, root))) = (&plan.act, &opened) {
            let copied = panel.reveal(seat, parties, &trial.job, (salt, root), trial.now);
            assert!(copied.is_err(), "another's commitment opened");
        }
    }
}

/// Whether a seat revealed what is so: the primary's root if that is right, another one if not, and 0xff if it was
/// served no hints.
fn is_truthful(trial: &Trial<'_>, plan: &Plan) -> bool {
    let Act::Answer(root) = &plan.act else {
        return false;
    };
    if *root == UNAVAILABLE {
        return !serves_hints(trial);
    }
    let equal = Digest(*root) == Digest(trial.sealed.root);
    equal == trial.right
}

/// Whether most of level 2's reveals, of at least three, were untruthful.
pub fn is_captured(trial: &Trial<'_>) -> bool {
    let revealed = trial.panels[1].map_or(0, |panel| usize::from(panel.revealed));
    let truthful = trial.truthful[1]
        .iter()
        .filter(|(_, truthful)| *truthful)
        .count();
    revealed >= 3 && 2 * (revealed - truthful.min(revealed)) > revealed
}
