//! A job's rules: listed transitions, frozen terms, and what each party gets at each step.

use std::collections::BTreeSet;

use assay_client::protocol::{
    JobData,
    status::{JobStatus, TRANSITIONS},
};

use super::{
    Change, Held, State,
    deed::{Deed, Violation, ensure},
    verdict::{self, Judgement},
};

mod audit;

const MAX_ATTEMPTS: u8 = 3;
const OPEN_SLOT_AGE: u64 = 150;
const FINALIZE_GRACE_SECS: i64 = 86_400;

/// Whether nothing can happen to the job any more but its closing.
pub(super) fn is_ended(job: &JobData) -> bool {
    status(job).is_ok_and(|status| TRANSITIONS.iter().all(|(from, _)| *from != status))
}

/// Whether a provider's collateral is reserved for the job.
pub(super) fn is_live(job: &JobData) -> bool {
    use JobStatus::{Appealing, Auditing, Claimed, Committed};
    status(job).is_ok_and(|status| [Claimed, Committed, Auditing, Appealing].contains(&status))
}

fn status(job: &JobData) -> Result<JobStatus, Violation> {
    let found = JobStatus::ALL
        .into_iter()
        .find(|status| *status as u8 == job.status);
    ensure(found.is_some(), 3, || {
        format!("no status has the byte {}", job.status)
    })?;
    Ok(found.unwrap_or(JobStatus::Open))
}

/// A new job is open, funded in full, and its address belongs to the last 150 slots.
pub(super) fn check_opened(deed: &Deed<'_>, job: &JobData) -> Result<(), Violation> {
    let escrow = u128::from(job.ceiling) + u128::from(job.panel_size) * u128::from(job.audit_fee);
    let fresh = deed.slot >= job.open_slot && deed.slot - job.open_slot <= OPEN_SLOT_AGE;
    let opened = job.status == JobStatus::Open as u8 || deed.only_instruction().is_none();
    ensure(
        opened && fresh && u128::from(job.escrow) == escrow,
        3,
        || format!("a job came to be in slot {} as {job:?}", deed.slot),
    )
}

/// A closed job had ended, owes no panel anything, and its address cannot come again. Its panels may close in the same
/// transaction.
pub(super) fn check_closed(deed: &Deed<'_>, job: &JobData) -> Result<(), Violation> {
    let closed = deed.acts().filter(|act| act.spec.name == "panel_close");
    let free = usize::from(job.live_panels) <= closed.count();
    let ended = is_ended(job) && free && job.escrow == 0;
    ensure(
        ended && deed.slot > job.open_slot + OPEN_SLOT_AGE,
        4,
        || format!("closed in slot {}: {job:?}", deed.slot),
    )
}

/// What holds for a job across any transaction.
pub(super) fn check_change(
    deed: &Deed<'_>,
    before: &JobData,
    after: &JobData,
) -> Result<(), Violation> {
    if before == after {
        return Ok(());
    }
    if is_ended(before) {
        return audit::check_panels_closed(before, after);
    }
    ensure(frozen(before) == frozen(after), 3, || {
        format!("terms changed: {before:?} to {after:?}")
    })?;
    let steps = deed.acts().count();
    let stays = before.status == after.status && audit::may_stay(deed);
    ensure(
        stays || is_reachable(status(before)?, status(after)?, steps),
        3,
        || {
            format!(
                "status {} became {} in {steps} steps",
                before.status, after.status
            )
        },
    )?;
    ensure(
        after.attempt <= MAX_ATTEMPTS && after.attempt >= before.attempt,
        3,
        || format!("attempt {} became {}", before.attempt, after.attempt),
    )?;
    let emptied = !is_ended(after) || (after.escrow == 0 && after.dispute_bond == 0);
    ensure(emptied, 4, || {
        format!("an ended job still holds an escrow: {after:?}")
    })?;
    let priced = !is_live(after) || (after.floor..=after.ceiling).contains(&after.price);
    ensure(priced, 4, || format!("the price left its ramp: {after:?}"))
}

/// Everything that a job keeps from its creation to its end.
fn frozen(job: &JobData) -> JobData {
    JobData {
        status: 0,
        flags: 0,
        sequence: 0,
        provider: Default::default(),
        generation: 0,
        worker_secret_hash: [0; 32],
        commitment: [0; 32],
        hints_digest: [0; 32],
        root: [0; 32],
        target_slot: 0,
        escrow: 0,
        price: 0,
        dispute_bond: 0,
        refund_due: 0,
        opened_at: 0,
        claimed_at: 0,
        committed_at: 0,
        convened_at: 0,
        ended_at: 0,
        ramp_used: 0,
        attempt: 0,
        level: 0,
        verdict: 0,
        live_panels: 0,
        ..*job
    }
}

/// Whether the table leads from one status to the other in at least one and at most `steps` steps.
fn is_reachable(from: JobStatus, to: JobStatus, steps: usize) -> bool {
    let mut reached = BTreeSet::from([from]);
    for _ in 0..steps {
        let next: BTreeSet<JobStatus> = TRANSITIONS
            .iter()
            .filter(|(before, _)| reached.contains(before))
            .map(|(_, after)| *after)
            .collect();
        if next.contains(&to) {
            return true;
        }
        reached.extend(next);
    }
    false
}

/// What one step costs the provider, pays it and returns to the requester.
#[derive(Debug, Default, PartialEq, Eq)]
struct Effect {
    slash: u64,
    price: u64,
    refund: u64,
    /// What the requester adds.
    deposit: u64,
}

/// Where a transaction is a single instruction, its effect on a job follows from the transition alone.
pub(super) fn check_step(
    deed: &Deed<'_>,
    instruction: &str,
    changes: &[Change<'_>],
    judged: Option<&Judgement>,
) -> Result<(), Violation> {
    if let Some(judged) = judged {
        return audit::check_resolved(deed, judged, changes);
    }
    let mut slashed = 0;
    for change in changes {
        let (Some(State::Job(before)), Some(State::Job(after))) = (
            change.before.map(|held| &held.state),
            change.after.map(|held| &held.state),
        ) else {
            continue;
        };
        if before == after {
            continue;
        }
        let effect = effect(instruction, before, after)?;
        check_moment(deed, instruction, before, after)?;
        slashed += effect.slash;
        let owed = i128::from(after.refund_due) - i128::from(before.refund_due);
        let left = i128::from(effect.refund) + i128::from(effect.price)
            - owed
            - i128::from(effect.deposit);
        ensure(-change.gain() == left, 4, || {
            format!(
                "{instruction}: {effect:?}, but the job lost {} lamports",
                -change.gain()
            )
        })?;
        check_provider(instruction, before, after, &effect, changes)?;
    }
    ensure(deed.burned() == slashed, 4, || {
        format!(
            "{instruction} burned {} lamports, not {slashed}",
            deed.burned()
        )
    })
}

/// The verdict of a transaction that is one panel_resolve, from the accounts as they were before.
pub(super) fn judgement(deed: &Deed<'_>, changes: &[Change<'_>]) -> Option<Judgement> {
    if deed.only_instruction() != Some("panel_resolve") {
        return None;
    }
    let before = |change: &Change<'_>| change.before.and_then(Held::job).copied();
    let job = changes.iter().find_map(before)?;
    let panel = |level: u8| {
        let mut panels = changes.iter().filter_map(|change| change.before?.panel());
        panels.find(|panel| panel.level == level)
    };
    Some(verdict::judge(&job, [panel(1), panel(2)]))
}

/// The table of payments for unaudited jobs: section 5's rows without a panel.
fn effect(instruction: &str, before: &JobData, after: &JobData) -> Result<Effect, Violation> {
    use JobStatus::{
        Appealing, Auditing, Cancelled, Claimed, Committed, Expired, Faulted, Open, Settled,
    };
    let late = before.collateral.min(before.ceiling);
    let lost = if instruction == "job_release" {
        late / 4
    } else {
        late
    };
    let step = (status(before)?, status(after)?);
    let effect = match step {
        (Open, Claimed) | (Claimed, Committed) | (Committed, Auditing) => Effect::default(),
        (Committed, Appealing) => Effect {
            deposit: 5 * before.audit_fee,
            ..Effect::default()
        },
        (was, is) if was == is => Effect::default(),
        (Open, Cancelled | Expired) => Effect {
            refund: before.escrow,
            ..Effect::default()
        },
        (Claimed, Open) => Effect {
            slash: lost,
            ..Effect::default()
        },
        (Claimed, Expired) => Effect {
            slash: lost,
            refund: before.escrow,
            ..Effect::default()
        },
        (Committed, Faulted) => Effect {
            slash: before.collateral,
            refund: before.escrow,
            ..Effect::default()
        },
        (Committed, Settled) => {
            let refund = before.escrow.checked_sub(before.price);
            ensure(refund.is_some(), 4, || {
                format!("the price exceeds the escrow: {before:?}")
            })?;
            Effect {
                price: before.price,
                refund: refund.unwrap_or_default(),
                ..Effect::default()
            }
        }
        step => {
            ensure(false, 3, || {
                format!("{instruction} made an unlisted step {step:?}")
            })?;
            Effect::default()
        }
    };
    let attempts = u8::from(matches!(step, (Claimed, Open | Expired)));
    ensure(after.attempt == before.attempt + attempts, 3, || {
        format!(
            "{instruction}: attempt {} became {}",
            before.attempt, after.attempt
        )
    })?;
    let committed = before.commitment == after.commitment || step == (Claimed, Committed);
    ensure(committed, 6, || {
        format!("{instruction} changed a commitment")
    })?;
    Ok(effect)
}

/// Actions happen until their deadline, cranks after it. Section 3's prices follow from the moment of the claim.
fn check_moment(
    deed: &Deed<'_>,
    instruction: &str,
    before: &JobData,
    after: &JobData,
) -> Result<(), Violation> {
    let now = deed.now.0;
    let claim = before.opened_at + i64::from(before.claim_secs);
    let compute = before.claimed_at + i64::from(before.compute_secs);
    let challenge = before.committed_at + i64::from(before.challenge_secs);
    let in_time = match (instruction, before.status) {
        ("job_claim", _) => now <= claim && after.price == price(before, now),
        ("job_commit", _) => now <= compute,
        ("job_release", _) => now <= compute && (is_ended(after) || after.opened_at == now),
        // With the requester's word at once and until somebody expires it, without it in its own window.
        ("job_finalize", _) => {
            deed.acts().any(|act| act.is_acknowledged())
                || (now > challenge && now <= challenge + FINALIZE_GRACE_SECS)
        }
        ("job_dispute", _) => now <= challenge && after.level == 2,
        ("panel_open" | "panel_retarget", _) => {
            now <= before.convened_at + i64::from(before.panel_open_secs)
        }
        ("job_reveal", _) => audit::is_revealed(deed, before, after),
        ("job_expire", 1) => now > claim,
        ("job_expire", 2) => now > compute && (is_ended(after) || after.opened_at == compute),
        ("job_expire", 3) => now > challenge + FINALIZE_GRACE_SECS,
        _ => true,
    };
    ensure(in_time, 3, || {
        format!("{instruction} at {now}: {before:?} to {after:?}")
    })
}

/// The rising price, in 128 bits.
fn price(job: &JobData, now: i64) -> u64 {
    let elapsed =
        u128::try_from((now - job.opened_at).max(0) + i64::from(job.ramp_used)).unwrap_or_default();
    let ramp = u128::from(job.ramp_secs);
    let rise = u128::from(job.ceiling - job.floor);
    let risen = if elapsed >= ramp {
        rise
    } else {
        rise * elapsed / ramp
    };
    u64::try_from(u128::from(job.floor) + risen).unwrap_or(u64::MAX)
}

/// The provider of the step loses exactly the slash and earns exactly its part of the price.
fn check_provider(
    instruction: &str,
    before: &JobData,
    after: &JobData,
    effect: &Effect,
    changes: &[Change<'_>],
) -> Result<(), Violation> {
    let named = if before.status == JobStatus::Open as u8 {
        after
    } else {
        before
    };
    let found = changes
        .iter()
        .find(|change| change.address == named.provider);
    let pair =
        found.and_then(|change| Some((change.before?.provider()?, change.after?.provider()?)));
    let Some((was, is)) = pair else {
        return ensure(
            *effect
                == Effect {
                    refund: effect.refund,
                    deposit: effect.deposit,
                    ..Effect::default()
                },
            7,
            || format!("{instruction}: {effect:?} without the provider's account"),
        );
    };
    let fee = u64::try_from(u128::from(effect.price) * u128::from(before.fee_bps) / 10_000);
    let fee = fee.unwrap_or(u64::MAX);
    let collateral = i128::from(before.collateral);
    let reserved = i128::from(is.reserved) - i128::from(was.reserved);
    let taken = match (is_live(before), is_live(after)) {
        (false, true) => collateral,
        (true, false) => -collateral,
        _ => 0,
    };
    let exact = is.stake == was.stake - effect.slash
        && is.earnings == was.earnings + effect.price - fee
        && is.fees_due == was.fees_due + fee
        && reserved == taken;
    ensure(exact, 7, || {
        format!("{instruction}: {effect:?} turned {was:?} into {is:?}")
    })
}
