//! A provider's rules: what is reserved, who may lower its stake, and who may change its keys.

use std::collections::BTreeMap;

use assay_client::protocol::{Address, ProviderData};

use super::{
    Change, Held, State,
    deed::{Deed, Violation, ensure},
    job, panel, session,
};

/// A new provider has nothing, and its generation is the slot.
pub(super) fn check_registered(deed: &Deed<'_>, after: &ProviderData) -> Result<(), Violation> {
    let empty = deed.only_instruction().is_none()
        || (after.stake == 0 && after.earnings == 0 && after.fees_due == 0 && after.reserved == 0);
    ensure(empty && after.generation == deed.slot, 2, || {
        format!("registered as {after:?}")
    })
}

/// A provider leaves with nothing owed to anybody.
pub(super) fn check_deregistered(deed: &Deed<'_>, before: &ProviderData) -> Result<(), Violation> {
    let owed = [
        before.stake,
        before.reserved,
        before.unbonding,
        before.earnings,
        before.fees_due,
        u64::from(before.live_jobs),
        u64::from(before.live_seats),
    ];
    let settled = owed == [0; 7] || deed.only_instruction().is_none();
    ensure(settled, 4, || {
        format!("deregistered with something owed: {before:?}")
    })
}

/// Invariant 7: only the authority's instructions take money out or change keys; slashes are counted.
pub(super) fn check_change(
    deed: &Deed<'_>,
    (account, before, after): (&Address, &ProviderData, &ProviderData),
    changes: &[Change<'_>],
) -> Result<(), Violation> {
    let mut configured = false;
    let mut earnings_taken = false;
    let mut unbonded = false;
    let seats = panel::moves(changes, Some(account));
    let mut stake = i128::from(before.stake) - slashed(before, after) + seats.lost + seats.stake;
    for act in deed.acts() {
        let authorised = act.account("authority") == Some(before.authority)
            && act.account("provider") == Some(*account);
        match act.spec.name {
            "provider_update" => configured |= authorised,
            "earnings_withdraw" => earnings_taken |= authorised,
            "stake_unbond" => unbonded |= authorised,
            "stake_deposit" if authorised => stake += i128::from(act.amount()),
            "stake_withdraw" if authorised => {
                stake -= i128::from(before.unbonding);
                unbonded = true;
            }
            _ => {}
        }
    }
    // Several instructions in one transaction may unbond and withdraw in turn: only the sum of one is known here.
    let exact = deed.only_instruction().is_none() || i128::from(after.stake) == stake;
    ensure(exact, 7, || {
        format!("the stake should be {stake}: {before:?} became {after:?}")
    })?;
    let kept =
        earnings_taken || (after.earnings >= before.earnings && after.fees_due >= before.fees_due);
    ensure(kept, 7, || {
        format!("earnings fell without the authority: {before:?} to {after:?}")
    })?;
    ensure(unbonded || after.unbonding == before.unbonding, 7, || {
        format!("unbonding changed without the authority: {before:?} to {after:?}")
    })?;
    let same_keys = before.operator == after.operator
        && before.runtime_class == after.runtime_class
        && before.endpoint == after.endpoint;
    ensure(configured || same_keys, 7, || {
        format!("configured without the authority: {before:?} to {after:?}")
    })?;
    let identity =
        |data: &ProviderData| (data.authority, data.rent_payer, data.generation, data.bump);
    ensure(identity(before) == identity(after), 3, || {
        format!("{before:?} became {after:?}")
    })
}

fn slashed(before: &ProviderData, after: &ProviderData) -> i128 {
    i128::from(after.total_slashed) - i128::from(before.total_slashed)
}

/// Across any transaction: what was slashed was burned, and what jobs paid was earned.
pub(super) fn check_totals(deed: &Deed<'_>, changes: &[Change<'_>]) -> Result<(), Violation> {
    if deed.acts().any(|act| act.spec.name == "panel_resolve") {
        // Held against the table of verdicts where it is alone.
        return Ok(());
    }
    let seats = panel::moves(changes, None);
    let mut slash = -seats.lost;
    let mut earned = 0;
    let of_sessions = changes.iter().map(|change| session::taken(deed, change).1);
    let mut paid = seats.earned + of_sessions.sum::<i128>();
    for change in changes {
        match (
            change.before.map(|held| &held.state),
            change.after.map(|held| &held.state),
        ) {
            (Some(State::Provider(before)), Some(State::Provider(after))) => {
                slash += slashed(before, after);
                earned += i128::from(after.total_earned) - i128::from(before.total_earned);
            }
            (Some(State::Job(before)), Some(State::Job(after)))
                if after.status == 6 && before.status != 6 =>
            {
                let fee = u128::from(after.price) * u128::from(after.fee_bps) / 10_000;
                paid += i128::from(after.price) - i128::try_from(fee).unwrap_or(i128::MAX);
            }
            _ => {}
        }
    }
    let burned = i128::from(deed.burned());
    ensure(!deed.is_pure() || slash == burned, 7, || {
        format!("{slash} lamports were slashed and {burned} burned")
    })?;
    ensure(earned == paid, 4, || {
        format!("jobs and sessions paid {paid} lamports and providers earned {earned}")
    })
}

/// Invariant 2: every provider's `reserved` is the collateral of its live jobs and lies within its stake.
pub(super) fn check_reserved(held: &BTreeMap<Address, Held>) -> Result<(), Violation> {
    let mut seats = panel::count_seats(held)?;
    let mut live: BTreeMap<(Address, u64), (u64, u32)> = BTreeMap::new();
    for job in held
        .values()
        .filter_map(Held::job)
        .filter(|job| job::is_live(job))
    {
        let (collateral, jobs) = live.entry((job.provider, job.generation)).or_default();
        *collateral += job.collateral;
        *jobs += 1;
    }
    for (account, provider) in held
        .iter()
        .filter_map(|(account, held)| Some((account, held.provider()?)))
    {
        let (collateral, jobs) = live
            .remove(&(*account, provider.generation))
            .unwrap_or_default();
        let sits = seats
            .remove(&(*account, provider.generation))
            .unwrap_or_default();
        let bound = u128::from(provider.reserved) + u128::from(provider.unbonding);
        let holds = provider.reserved == collateral
            && provider.live_jobs == jobs
            && provider.live_seats == sits
            && bound <= u128::from(provider.stake);
        ensure(holds, 2, || {
            format!(
                "{sits} seats and {jobs} live jobs with a collateral of {collateral}, but {provider:?}"
            )
        })?;
    }
    ensure(live.is_empty(), 2, || {
        format!("live jobs of providers that do not exist: {live:?}")
    })?;
    ensure(seats.is_empty(), 2, || {
        format!("seats of providers that do not exist: {seats:?}")
    })
}
