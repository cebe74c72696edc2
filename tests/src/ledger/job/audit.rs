//! A job's rules while panels judge it.

use assay_client::{
    PROGRAM_ID,
    protocol::{JobData, JobStatus, PanelData, ProviderData},
};
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        Change, Held,
        deed::{Deed, Violation, ensure},
        verdict::Judgement,
    },
    status,
};

/// What changes a job without moving it.
const STAYS: [&str; 4] = ["panel_open", "panel_retarget", "job_reveal", "panel_close"];

pub(super) fn may_stay(deed: &Deed<'_>) -> bool {
    deed.acts().any(|act| STAYS.contains(&act.spec.name))
}

/// Of an ended job only the panels go.
pub(super) fn check_panels_closed(before: &JobData, after: &JobData) -> Result<(), Violation> {
    let expected = JobData {
        live_panels: after.live_panels,
        sequence: after.sequence,
        ..*before
    };
    ensure(
        expected == *after && after.live_panels < before.live_panels,
        4,
        || format!("an ended job changed: {before:?} to {after:?}"),
    )
}

/// Invariant 6: the root is the one that the primary committed to.
pub(super) fn is_revealed(deed: &Deed<'_>, before: &JobData, after: &JobData) -> bool {
    let Some(act) = deed.acts().next() else {
        return false;
    };
    let job = act.account("job").unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [
        b"assay/commit/1".as_slice(),
        PROGRAM_ID.as_ref(),
        job.as_ref(),
        &[before.attempt, 0],
        before.provider.as_ref(),
        &before.generation.to_le_bytes(),
        act.argument(0, 32),
        &after.root,
        &before.hints_digest,
        &before.runtime_class,
    ] {
        hasher.update(part);
    }
    let commitment: [u8; 32] = hasher.finalize().into();
    before.root == [0; 32] && commitment == before.commitment && after.root != [0xff; 32]
}

/// One panel_resolve alone: the table's row is what happened, to the lamport.
pub(super) fn check_resolved(
    deed: &Deed<'_>,
    judged: &Judgement,
    changes: &[Change<'_>],
) -> Result<(), Violation> {
    let jobs = changes
        .iter()
        .find_map(|change| Some((change.before?.job()?, change.after?.job()?)));
    let (before, after) = match jobs {
        Some(jobs) => jobs,
        None => return ensure(false, 3, || "a verdict about no job".to_owned()),
    };
    ensure(status(after)? == judged.status, 4, || {
        format!("{judged:?} was due, but {before:?} became {after:?}")
    })?;
    check_over(deed, before, changes)?;
    let burned = i128::from(deed.burned());
    ensure(burned == judged.burned, 4, || {
        format!("burned {burned} lamports: {judged:?}")
    })?;
    for (was, is) in panels(changes) {
        check_panel(judged, was, is)?;
    }
    let primary = changes
        .iter()
        .filter(|change| change.address == before.provider)
        .find_map(|change| Some((change.before?.provider()?, change.after?.provider()?)));
    match primary {
        Some((was, is)) => check_primary(before, judged, was, is),
        None => ensure(false, 7, || "a verdict without the primary".to_owned()),
    }
}

fn panels<'a>(changes: &'a [Change<'_>]) -> impl Iterator<Item = (&'a PanelData, &'a PanelData)> {
    changes.iter().filter_map(|change| {
        let pair = |held: Option<&'a Held>| held.and_then(Held::panel);
        Some((pair(change.before)?, pair(change.after)?))
    })
}

/// The convened panel has nothing more to say, or its time to be opened has passed.
fn check_over(deed: &Deed<'_>, job: &JobData, changes: &[Change<'_>]) -> Result<(), Violation> {
    let now = deed.now.0;
    let convened = panels(changes)
        .map(|(was, _)| was)
        .find(|panel| panel.level == job.level);
    let over = match convened {
        None => now > job.convened_at + i64::from(job.panel_open_secs),
        Some(panel) => {
            let committed = panel.committed == panel.joined || now > panel.commit_deadline;
            let revealed = panel.committed == 0
                || (panel.revealed == panel.committed && job.root != [0; 32])
                || now > panel.reveal_deadline;
            now > panel.join_deadline && committed && revealed
        }
    };
    ensure(over, 3, || {
        format!("a verdict at {now} about {job:?} by {convened:?}")
    })
}

fn check_panel(judged: &Judgement, was: &PanelData, is: &PanelData) -> Result<(), Violation> {
    let exact = if judged.status == JobStatus::Appealing {
        is.status == 2 && is.seats == was.seats && is.bonds == was.bonds
    } else {
        let payouts = judged.payouts[usize::from(was.level) - 1];
        let paid = |(seat, payout): (&_, &i128)| i128::from(payout_of(seat)) == *payout;
        is.status == 3 && is.seats.iter().zip(&payouts).all(paid)
    };
    ensure(exact, 4, || format!("{judged:?}: {was:?} became {is:?}"))
}

fn payout_of(seat: &assay_client::protocol::panel::SeatData) -> u64 {
    seat.payout
}

fn check_primary(
    job: &JobData,
    judged: &Judgement,
    was: &ProviderData,
    is: &ProviderData,
) -> Result<(), Violation> {
    let ends = judged.status != JobStatus::Appealing;
    let fee = judged.paid * i128::from(job.fee_bps) / 10_000;
    let wide = i128::from;
    let freed = if ends { wide(job.collateral) } else { 0 };
    let exact = wide(is.stake) == wide(was.stake) - judged.slash
        && wide(is.total_slashed) == wide(was.total_slashed) + judged.slash
        && wide(is.reserved) == wide(was.reserved) - freed
        && wide(is.fees_due) == wide(was.fees_due) + fee
        && wide(is.earnings) == wide(was.earnings) + judged.paid - fee + judged.bonus;
    ensure(exact, 7, || {
        format!("{judged:?} turned {was:?} into {is:?}")
    })
}
