//! A panel's rules: who sits, what happens in which phase, and what its seats hold.

use std::collections::{BTreeMap, BTreeSet};

use assay_client::{
    PROGRAM_ID,
    protocol::{Address, JobData, PanelData, ProviderData},
};
use sha2::{Digest as _, Sha256};

use super::{
    Change, Held, State,
    deed::{Act, Deed, Violation, ensure},
};

const EMPTY: u8 = 0;
const JOINED: u8 = 1;
const COMMITTED: u8 = 2;
const REVEALED: u8 = 3;
const SETTLED: u8 = 4;
const LIVE: u8 = 1;
const RESOLVED: u8 = 3;

/// What settled or changed seats mean for one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SeatMoves {
    /// Lamports between its stake and panels.
    pub stake: i128,
    /// Lamports of bonds that did not come back.
    pub lost: i128,
    pub earned: i128,
}

/// What the changes of panels mean for this provider; for all of them where there is no account.
pub(super) fn moves(changes: &[Change<'_>], account: Option<&Address>) -> SeatMoves {
    let mut moves = SeatMoves::default();
    let concerns = |provider: &Address| account.is_none_or(|account| account == provider);
    for change in changes {
        let before = change.before.and_then(Held::panel);
        let after = change.after.and_then(Held::panel);
        let Some(any) = after.or(before) else {
            continue;
        };
        let bond = i128::from(any.bond);
        for at in 0..any.seats.len() {
            let was = before
                .map(|panel| &panel.seats[at])
                .filter(|seat| seat.state != EMPTY);
            let is = after
                .map(|panel| &panel.seats[at])
                .filter(|seat| seat.state != EMPTY);
            let same = was
                .zip(is)
                .is_some_and(|(was, is)| was.provider == is.provider);
            if let Some(is) = is.filter(|is| !same && concerns(&is.provider)) {
                moves.stake -= bond;
                debug_assert_eq!(is.state, JOINED);
            }
            let Some(was) = was.filter(|was| concerns(&was.provider)) else {
                continue;
            };
            if is.is_some() && !same {
                moves.stake += bond;
            }
            let settles = was.state != SETTLED && is.is_none_or(|is| is.state == SETTLED);
            if settles {
                let payout = i128::from(was.payout);
                moves.stake += payout.min(bond);
                moves.lost += bond - payout.min(bond);
                moves.earned += payout - payout.min(bond);
            }
        }
    }
    moves
}

/// Whatever a panel's state, its counters count its seats and its bonds are their money.
pub(super) fn check_state(panel: &PanelData) -> Result<(), Violation> {
    let count = |from: u8| {
        let seats = panel.seats.iter().filter(|seat| seat.state >= from);
        u64::try_from(seats.count()).expect("five seats")
    };
    let taken = count(JOINED);
    let within = panel.seats.iter().skip(usize::from(panel.size));
    let beyond = within.filter(|seat| seat.state != EMPTY).count();
    let counted = u64::from(panel.joined) == taken
        && taken <= u64::from(panel.size)
        && beyond == 0
        && u64::from(panel.committed) <= taken
        && panel.revealed <= panel.committed;
    ensure(counted, 2, || {
        format!("counters and seats differ: {panel:?}")
    })?;
    let unsettled: u128 = panel
        .seats
        .iter()
        .filter(|seat| (JOINED..=REVEALED).contains(&seat.state))
        .map(|seat| {
            u128::from(if panel.status == RESOLVED {
                seat.payout
            } else {
                panel.bond
            })
        })
        .sum();
    ensure(u128::from(panel.bonds) == unsettled, 1, || {
        format!("bonds should be {unsettled}: {panel:?}")
    })?;
    let exact = panel.status == RESOLVED
        || (u64::from(panel.committed) == count(COMMITTED)
            && u64::from(panel.revealed) == count(REVEALED));
    ensure(exact, 2, || {
        format!("counters and states differ: {panel:?}")
    })
}

/// A new panel belongs to a convened job and is seeded by the first retained hash at or after the target.
pub(super) fn check_opened(
    deed: &Deed<'_>,
    panel: &PanelData,
    changes: &[Change<'_>],
) -> Result<(), Violation> {
    let found = changes.iter().find(|change| change.address == panel.job);
    let Some(job) = found.and_then(|change| change.before?.job()) else {
        return ensure(deed.only_instruction().is_none(), 3, || {
            format!("a panel of no job was opened: {panel:?}")
        });
    };
    let first = deed
        .slot_hashes
        .iter()
        .take_while(|entry| entry.slot >= job.target_slot)
        .last();
    let complete = deed
        .slot_hashes
        .last()
        .is_some_and(|oldest| oldest.slot <= job.target_slot);
    let seed = first.map(|entry| {
        hash(&[
            b"assay/panel/1",
            panel.job.as_ref(),
            &[job.level],
            &entry.hash,
        ])
    });
    let join = deed.now.0 + i64::from(job.panel_join_secs);
    let commit = join + i64::from(job.compute_secs) + i64::from(job.panel_commit_secs);
    let reveal = commit + i64::from(job.panel_reveal_secs);
    let size = if job.level == 1 { job.panel_size } else { 5 };
    let exact = complete
        && seed == Some(panel.seed)
        && panel.level == job.level
        && panel.size == size
        && panel.bond == 5 * job.audit_fee
        && (
            panel.join_deadline,
            panel.commit_deadline,
            panel.reveal_deadline,
        ) == (join, commit, reveal)
        && deed.now.0 <= job.convened_at + i64::from(job.panel_open_secs);
    ensure(exact, 3, || format!("opened for {job:?}: {panel:?}"))
}

/// What holds for a panel across any transaction.
pub(super) fn check_change(
    deed: &Deed<'_>,
    before: &PanelData,
    after: &PanelData,
    changes: &[Change<'_>],
) -> Result<(), Violation> {
    if before == after {
        return Ok(());
    }
    let frozen = |panel: &PanelData| PanelData {
        status: 0,
        sequence: 0,
        bonds: 0,
        joined: 0,
        committed: 0,
        revealed: 0,
        seats: bytemuck::Zeroable::zeroed(),
        ..*panel
    };
    let grows = before.status <= after.status
        && before.joined <= after.joined
        && before.committed <= after.committed
        && before.revealed <= after.revealed;
    ensure(frozen(before) == frozen(after) && grows, 3, || {
        format!("{before:?} became {after:?}")
    })?;
    for (was, is) in before.seats.iter().zip(&after.seats) {
        let same = was.provider == is.provider && was.generation == is.generation;
        let kept = same || (was.state <= JOINED && is.score < was.score) || was.state == EMPTY;
        ensure(kept && (was.state <= is.state || !same), 3, || {
            format!("seat {was:?} became {is:?}")
        })?;
    }
    let mut acts = deed.acts();
    match (acts.next(), acts.next()) {
        (Some(act), None) => check_step(deed, &act, (before, after), changes),
        _ => Ok(()),
    }
}

/// Closed once the verdict is in and every seat is paid.
pub(super) fn check_closed(deed: &Deed<'_>, panel: &PanelData) -> Result<(), Violation> {
    let settled = |state: u8| state == EMPTY || state == SETTLED;
    let ended = panel.status == RESOLVED && panel.seats.iter().all(|seat| settled(seat.state));
    ensure(deed.only_instruction().is_none() || ended, 4, || {
        format!("closed before its end: {panel:?}")
    })
}

/// Each phase ends early when everybody has acted.
fn check_step(
    deed: &Deed<'_>,
    act: &Act<'_>,
    (before, after): (&PanelData, &PanelData),
    changes: &[Change<'_>],
) -> Result<(), Violation> {
    let now = deed.now.0;
    let all_committed = before.committed == before.joined;
    let live = before.status == LIVE;
    let in_time = match act.spec.name {
        "panel_join" => live && now <= before.join_deadline,
        "panel_commit" => {
            live && now > before.join_deadline && now <= before.commit_deadline && !all_committed
        }
        "panel_reveal" => {
            live && now > before.join_deadline
                && (all_committed || now > before.commit_deadline)
                && now <= before.reveal_deadline
        }
        "panel_resolve" => before.status != RESOLVED,
        "seat_settle" => before.status == RESOLVED,
        _ => false,
    };
    ensure(in_time, 3, || {
        format!("{} at {now}: {before:?} became {after:?}", act.spec.name)
    })?;
    match act.spec.name {
        "panel_join" => check_joined(act, after, changes),
        "panel_reveal" => check_revealed(deed, act, before, after),
        _ => Ok(()),
    }
}

/// Who sits may sit, with one of its own tickets, and nobody with a better one was sent away.
fn check_joined(act: &Act<'_>, after: &PanelData, changes: &[Change<'_>]) -> Result<(), Violation> {
    let account = act.account("provider").unwrap_or_default();
    let held = |address: Option<Address>| {
        let found = changes
            .iter()
            .find(|change| Some(change.address) == address);
        found.and_then(|change| change.before)
    };
    let (job, provider) = (
        held(act.account("job")).and_then(Held::job),
        held(Some(account)).and_then(Held::provider),
    );
    let seat = after.seats.iter().find(|seat| seat.provider == account);
    let all = job.zip(provider).zip(seat);
    ensure(all.is_some(), 3, || format!("nobody joined: {after:?}"))?;
    let Some(((job, provider), seat)) = all else {
        return Ok(());
    };
    let ticket = act.small_argument();
    let score = hash(&[
        b"assay/seat/1",
        &after.seed,
        account.as_ref(),
        &ticket.to_le_bytes(),
    ]);
    let right = seat.score.to_le_bytes() == score[..8]
        && seat.generation == provider.generation
        && may_sit(job, provider, ticket)
        && account != job.provider;
    ensure(right, 3, || format!("{provider:?} sits as {seat:?}"))
}

fn may_sit(job: &JobData, provider: &ProviderData, ticket: u32) -> bool {
    let tickets = (provider.stake - provider.unbonding) / job.ticket_stake;
    let old = provider.aged_at + i64::from(job.stake_age_secs) <= job.created_at;
    let class = job.runtime_class == [0; 32] || job.runtime_class == provider.runtime_class;
    u64::from(ticket) < tickets && old && class
}

/// Invariant 6: what is revealed is what this seat committed to for this job, attempt and level.
fn check_revealed(
    deed: &Deed<'_>,
    act: &Act<'_>,
    before: &PanelData,
    after: &PanelData,
) -> Result<(), Violation> {
    let mut changed = before
        .seats
        .iter()
        .zip(&after.seats)
        .filter(|(was, is)| was != is);
    let (Some((was, is)), None) = (changed.next(), changed.next()) else {
        return ensure(false, 6, || format!("not one seat was revealed: {after:?}"));
    };
    let salt = act.argument(0, 32);
    let job = deed.job(&before.job);
    let (hints, class, attempt) = job.map_or_else(Default::default, |job| {
        (job.hints_digest, job.runtime_class, job.attempt)
    });
    let commitment = hash(&[
        b"assay/commit/1",
        PROGRAM_ID.as_ref(),
        before.job.as_ref(),
        &[attempt, before.level],
        was.provider.as_ref(),
        &was.generation.to_le_bytes(),
        salt,
        &is.digest,
        &hints,
        &class,
    ]);
    ensure(was.digest == commitment && is.digest != [0; 32], 6, || {
        format!("{was:?} does not open to {is:?}")
    })
}

/// Invariants 2 and 4 over everything held: unsettled seats by provider, live panels by job, and nobody twice on a job's
/// panels, its primary not at all.
pub(super) fn count_seats(held: &BTreeMap<Address, Held>) -> Result<Seats, Violation> {
    let mut seats = Seats::new();
    let mut panels: BTreeMap<Address, u8> = BTreeMap::new();
    let mut sitting: BTreeSet<(Address, Address)> = BTreeSet::new();
    for panel in held.values().filter_map(Held::panel) {
        *panels.entry(panel.job).or_default() += 1;
        let primary = held
            .get(&panel.job)
            .and_then(Held::job)
            .map(|job| job.provider);
        for seat in panel.seats.iter().filter(|seat| seat.state != EMPTY) {
            let once = sitting.insert((panel.job, seat.provider));
            ensure(once && primary != Some(seat.provider), 2, || {
                format!("{} may not sit here: {panel:?}", seat.provider)
            })?;
            if (JOINED..=REVEALED).contains(&seat.state) {
                *seats.entry((seat.provider, seat.generation)).or_default() += 1;
            }
        }
    }
    for (address, held) in held {
        if let State::Job(job) = &held.state {
            let live = panels.remove(address).unwrap_or_default();
            ensure(job.live_panels == live, 2, || {
                format!("{live} panels live, but {job:?}")
            })?;
        }
    }
    ensure(panels.is_empty(), 4, || {
        format!("panels of jobs that are gone: {panels:?}")
    })?;
    Ok(seats)
}

/// Unsettled seats by provider and generation.
pub(super) type Seats = BTreeMap<(Address, u64), u32>;

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
