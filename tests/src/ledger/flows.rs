//! Who gets and who pays: every wallet's gain follows from what happened to the program's accounts.

use std::collections::BTreeMap;

use assay_client::{
    program::INCINERATOR,
    protocol::{Address, JobStatus},
};

use super::{
    Change, State,
    deed::{Deed, Violation, ensure},
    panel, session,
    verdict::Judgement,
};

/// Invariants 1 and 4: each wallet gains exactly what the program's accounts lost to it. Only for transactions in
/// which nobody but the program moves lamports.
pub(super) fn check(
    deed: &Deed<'_>,
    changes: &[Change<'_>],
    judged: Option<&Judgement>,
) -> Result<(), Violation> {
    if !deed.is_pure() || deed.is_mixed_verdict() {
        return Ok(());
    }
    let mut due: BTreeMap<Address, i128> = BTreeMap::from([(deed.payer, -i128::from(deed.fee))]);
    let mut owe = |wallet: Address, lamports: i128| *due.entry(wallet).or_default() += lamports;
    for change in changes {
        match (
            change.before.map(|held| &held.state),
            change.after.map(|held| &held.state),
        ) {
            (_, Some(State::Job(after))) => {
                let before = change.before.map(|held| &held.state);
                if let (Some(judged), Some(State::Job(before))) = (judged, before) {
                    let kept = i128::from(after.refund_due) - i128::from(before.refund_due);
                    owe(after.requester, judged.refund - kept);
                    owe(INCINERATOR, judged.burned);
                    continue;
                }
                let price = newly_paid(before, after.status);
                owe(
                    after.requester,
                    -change.gain() - i128::from(if price { after.price } else { 0 }),
                );
            }
            (Some(State::Job(before)), None) => owe(before.requester, -change.gain()),
            (None, Some(State::Provider(after))) => {
                owe(after.rent_payer, -change.gain() + i128::from(after.stake));
                owe(after.authority, -i128::from(after.stake));
            }
            (Some(State::Provider(before)), None) => owe(before.rent_payer, -change.gain()),
            (None, Some(State::Model(after))) => owe(after.rent_payer, -change.gain()),
            (Some(State::Model(before)), None) => owe(before.rent_payer, -change.gain()),
            (Some(State::Provider(before)), Some(State::Provider(after))) => {
                let lost = panel::moves(changes, Some(&change.address)).lost;
                let slash = i128::from(after.total_slashed - before.total_slashed) - lost;
                // What a verdict takes pays auditors first: its rest is counted with the job.
                if judged.is_none() {
                    owe(INCINERATOR, slash);
                }
            }
            (None, Some(State::Panel(after))) => {
                owe(after.rent_payer, i128::from(after.bonds) - change.gain());
            }
            (_, Some(State::Session(session))) | (Some(State::Session(session)), None) => {
                let (taken, _) = session::taken(deed, change);
                owe(session.requester, -change.gain() - taken);
            }
            (Some(State::Panel(before)), None) => {
                owe(before.rent_payer, -change.gain() - i128::from(before.bonds));
            }
            (None, Some(State::Market(_) | State::Treasury(_))) => {
                let payer = deed.acts().find_map(|act| act.account("payer"));
                owe(payer.unwrap_or_default(), -change.gain());
            }
            _ => {}
        }
    }
    for act in deed.acts() {
        let provider = act.account("provider");
        let before = changes
            .iter()
            .find(|change| Some(change.address) == provider);
        let before = before.and_then(|change| change.before?.provider());
        let destination = act.account("destination").unwrap_or_default();
        match (act.spec.name, before) {
            ("stake_deposit", Some(before)) => owe(before.authority, -i128::from(act.amount())),
            ("stake_withdraw", Some(before)) => owe(destination, i128::from(before.unbonding)),
            ("earnings_withdraw", Some(before)) => owe(destination, i128::from(before.earnings)),
            ("treasury_withdraw", _) => owe(destination, i128::from(act.amount())),
            _ => {}
        }
    }
    let ours = |address: &Address| changes.iter().any(|change| change.address == *address);
    for (address, _) in deed.before.iter().filter(|(address, _)| !ours(address)) {
        let (gain, due) = (
            deed.gain(address),
            due.get(address).copied().unwrap_or_default(),
        );
        ensure(gain == due, 4, || {
            format!("{address} gained {gain} lamports, {due} were due")
        })?;
    }
    Ok(())
}

fn newly_paid(before: Option<&State>, status: u8) -> bool {
    let was = if let Some(State::Job(job)) = before {
        job.status
    } else {
        0
    };
    status == JobStatus::Settled as u8 && was != status
}
