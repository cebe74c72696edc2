//! Audits: every instruction about panels by each of its ways, and what a level-1 audit adds to a job.

use assay_client::protocol::{
    UnixSeconds,
    commitment::{draw_seed, is_drawn},
    terms::JobTerms,
    verdict::SeatOutcome,
};

use super::{Gauge, job::market, sent};
use crate::{
    Call, Job, Model, OTHER_ROOT, Outcome, Provider, ROOT, SOL, WORKER_SECRET, World, panel::OPENER,
};
use assay_client::{address, protocol::seeds};

use SeatOutcome::{Different, Equal};

/// Compute units that an audit by two auditors on level 1 adds to a job, over all its instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditCost {
    pub transactions: u64,
    pub compute_units: u64,
}

/// A market with a primary, six auditors at addresses with bump 255, and a model.
struct Court {
    world: World,
    primary: Provider,
    auditors: Vec<Provider>,
    model: Model,
}

impl Court {
    fn new() -> Self {
        let (mut world, primary, model) = market();
        let auditors: Vec<Provider> = (0..8)
            .map(|_| {
                let auditor = super::provider(&mut world);
                world.send(world.provider_register(&auditor)).accepted();
                world.do_stake_deposit(&auditor, 100 * SOL);
                auditor
            })
            .collect();
        world.pass(10);
        Self {
            world,
            primary,
            auditors,
            model,
        }
    }

    /// A committed job whose panels' addresses have bump 255 too.
    fn committed(&mut self, change: impl FnOnce(&mut JobTerms)) -> Job {
        let job = loop {
            let job = self.world.new_job(&self.model);
            if [1, 2].iter().all(|level| has_best_bump(&job, *level)) {
                break job;
            }
        };
        let job = job.with_terms(|terms| {
            *terms = World::audited_terms(&job.secret);
            change(terms);
        });
        let world = &mut self.world;
        world.do_job_create_as(&job);
        world.pass(30);
        world.do_job_claim(&job, &self.primary);
        world.do_job_commit(&job, &self.primary);
        job
    }

    /// Notes the whole of one panel.
    fn panel(&mut self, gauge: &mut Gauge, job: &Job, outcomes: &[SeatOutcome], crowded: bool) {
        let world = &mut self.world;
        // As far from the entry as the program still searches.
        world.pass_slots(70);
        let open = world.panel_open(job).arguments(&0_u16.to_le_bytes());
        gauge.note(world, OPENER, open);
        let mut seated = candidates(world, job, &self.auditors);
        seated.truncate(outcomes.len());
        // The worst of them goes last into the panel and is pushed out by one that is better than all.
        let late = crowded.then(|| seated.remove(0));
        if let Some(out) = candidates(world, job, &self.auditors)
            .last()
            .filter(|_| crowded)
        {
            let out = *out;
            gauge.note(world, out.operator, world.panel_join(job, &out));
        }
        for auditor in seated.iter().chain(&late) {
            gauge.note(world, auditor.operator, world.panel_join(job, auditor));
        }
        seated.extend(late);
        let panel = world.panel(&world.panel_of(job));
        world.pass_deadline(UnixSeconds(panel.join_deadline));
        let roots: Vec<[u8; 32]> = outcomes.iter().map(|outcome| root(*outcome)).collect();
        for (auditor, root) in seated.iter().zip(&roots) {
            gauge.note(
                world,
                auditor.operator,
                world.panel_commit(job, auditor, *root),
            );
        }
        for (auditor, root) in seated.iter().zip(&roots) {
            gauge.note(
                world,
                auditor.operator,
                world.panel_reveal(job, auditor, *root),
            );
        }
        if !world.job(&job.account).is_revealed() {
            gauge.note(world, self.primary.operator, world.job_reveal(job));
        }
        gauge.note(world, OPENER, world.panel_resolve(job));
    }

    fn ended(&mut self, gauge: &mut Gauge, job: &Job) {
        let world = &mut self.world;
        for level in [1, 2] {
            let Some(panel) = world.live_panel(job, level) else {
                continue;
            };
            for seat in world.panel(&panel).seats {
                let found = |auditor: &&Provider| auditor.account == seat.provider;
                if let Some(auditor) = self.auditors.iter().find(found) {
                    gauge.note(world, OPENER, world.seat_settle(job, level, auditor));
                }
            }
            gauge.note(world, OPENER, world.panel_close(job, level));
        }
        world.pass_open_slot(job);
        gauge.note(world, job.requester, world.job_close(job));
    }
}

fn has_best_bump(job: &Job, level: u8) -> bool {
    let seeds = [seeds::PANEL, job.account.as_ref(), &[level]];
    let (address, bump) =
        assay_client::protocol::Address::find_program_address(&seeds, &assay_client::PROGRAM_ID);
    address == address::panel(&job.account, level) && bump == u8::MAX
}

fn root(outcome: SeatOutcome) -> [u8; 32] {
    if outcome == Equal { ROOT } else { OTHER_ROOT }
}

/// Those who may join the convened panel, the best score first.
fn candidates(world: &World, job: &Job, auditors: &[Provider]) -> Vec<Provider> {
    let first = world
        .live_panel(job, 1)
        .filter(|_| world.job(&job.account).level == 2)
        .map(|panel| world.panel(&panel));
    let free =
        |auditor: &&Provider| first.is_none_or(|panel| !panel.seats_provider(&auditor.account));
    let mut free: Vec<Provider> = auditors.iter().filter(free).copied().collect();
    free.sort_by_key(|auditor| world.best_ticket(job, auditor).1);
    free
}

pub(super) fn measure(gauge: &mut Gauge) {
    let mut court = Court::new();
    // The longest way: three disagree, five judge, both panels with an eviction.
    let job = court.committed(|terms| terms.panel_size = 3);
    let (world, primary) = (&mut court.world, court.primary);
    gauge.note(world, primary.operator, world.job_finalize(&job, &primary));
    court.panel(gauge, &job, &[Equal, Equal, Different], true);
    court.panel(gauge, &job, &[Equal, Equal, Equal, Equal, Different], false);
    court.ended(gauge, &job);

    // A disputed result falls, and five seats with one pushed out.
    let job = court.committed(|_| {});
    let world = &mut court.world;
    gauge.note(world, job.requester, world.job_dispute(&job));
    court.panel(gauge, &job, &[Different; 5], true);
    court.ended(gauge, &job);

    // A target that is gone, and a job whose panel nobody opens.
    let job = court.committed(|_| {});
    let world = &mut court.world;
    world.pass(job.args.terms.challenge_secs + 1);
    gauge.note(
        world,
        primary.operator,
        world.job_finalize_alone(&job, &primary),
    );
    world.pass_slots(20);
    let slot = world.slot();
    let gone: Vec<u64> = (slot - 5..slot).rev().collect();
    world.retain_slots(&gone);
    gauge.note(world, OPENER, world.panel_retarget(&job));
    let deadline = world.job(&job.account).panel_open_deadline();
    world.pass_deadline(deadline.expect("the clock is small"));
    gauge.note(world, OPENER, world.panel_resolve(&job));
    court.ended(gauge, &job);
}

/// What the audit of a job adds to the same job without one: both are created on audited terms and acknowledged, and
/// only one of them is drawn.
pub(super) fn whole() -> AuditCost {
    let mut court = Court::new();
    let rate = 5_000;
    let drawn = loop {
        let job = court.committed(|terms| terms.audit_bps = rate);
        let seed = draw_seed(&job.account, 0, &WORKER_SECRET, &job.secret);
        if is_drawn(&seed, rate) {
            break job;
        }
    };
    let spared = loop {
        let job = court.committed(|terms| terms.audit_bps = rate);
        let seed = draw_seed(&job.account, 0, &WORKER_SECRET, &job.secret);
        if !is_drawn(&seed, rate) {
            break job;
        }
    };
    let primary = court.primary;
    let finalize = |court: &mut Court, job: &Job| {
        let call = court.world.job_finalize(job, &primary);
        sent(&mut court.world, primary.operator, call).compute_units
    };
    let plain = finalize(&mut court, &spared);
    let audited = finalize(&mut court, &drawn);
    let mut cost = AuditCost::default();
    let mut units = audited.saturating_sub(plain);
    for outcome in audit(&mut court, &drawn) {
        cost.transactions += 1;
        units += outcome.compute_units;
    }
    cost.compute_units = units;
    cost
}

/// The instructions of an audit by two, from the opening to the closing.
fn audit(court: &mut Court, job: &Job) -> Vec<Outcome> {
    let mut all = Vec::new();
    let auditors: Vec<Provider> = court.auditors[..2].to_vec();
    let world = &mut court.world;
    let mut send = |world: &mut World, call: Call| {
        all.push(sent(world, OPENER, call));
    };
    world.pass_slots(9);
    send(world, world.panel_open(job));
    for auditor in &auditors {
        send(world, world.panel_join(job, auditor));
    }
    let panel = world.panel(&world.panel_of(job));
    world.pass_deadline(UnixSeconds(panel.join_deadline));
    for auditor in &auditors {
        send(world, world.panel_commit(job, auditor, ROOT));
    }
    for auditor in &auditors {
        send(world, world.panel_reveal(job, auditor, ROOT));
    }
    send(world, world.job_reveal(job));
    send(world, world.panel_resolve(job));
    for auditor in &auditors {
        send(world, world.seat_settle(job, 1, auditor));
    }
    send(world, world.panel_close(job, 1));
    all
}
