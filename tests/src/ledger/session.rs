//! A session's rules: what a voucher may take, who ends a session, and that nothing else in it moves.

use assay_client::protocol::{Address, SessionData, SessionStatus};
use solana_sdk_ids::ed25519_program;

use super::{
    Change, State,
    deed::{Act, Deed, Violation, ensure},
};

const OPEN_SLOT_AGE: u64 = 150;
const DAY: u32 = 86_400;
const OPEN: u8 = SessionStatus::Open as u8;
const CLOSE_REQUESTED: u8 = SessionStatus::CloseRequested as u8;

/// A new session is open, unspent, funded, and its address belongs to the last 150 slots.
pub(super) fn check_opened(deed: &Deed<'_>, session: &SessionData) -> Result<(), Violation> {
    let fresh = deed.slot >= session.open_slot && deed.slot - session.open_slot <= OPEN_SLOT_AGE;
    let opened = session.status == OPEN && session.settled == 0 && session.close_requested_at == 0;
    let opened = opened || deed.only_instruction().is_none();
    let bounded = (DAY..=30 * DAY).contains(&session.grace_secs) && session.fee_bps <= 1_000;
    let holds = fresh && opened && bounded && session.deposit > 0;
    ensure(holds, 3, || {
        format!("a session came to be in slot {} as {session:?}", deed.slot)
    })
}

/// Only its requester adds and asks for the end, only vouchers of its key take, and terms stay.
pub(super) fn check_change(
    deed: &Deed<'_>,
    (account, before, after): (&Address, &SessionData, &SessionData),
) -> Result<(), Violation> {
    let frozen = |session: &SessionData| SessionData {
        status: 0,
        sequence: 0,
        deposit: 0,
        settled: 0,
        close_requested_at: 0,
        ..*session
    };
    ensure(frozen(before) == frozen(after), 3, || {
        format!("terms of a session changed: {before:?} to {after:?}")
    })?;
    let (mut added, mut requested) = (0, false);
    for act in acts_on(deed, account) {
        let own = act.account("requester") == Some(before.requester);
        match act.spec.name {
            "session_top_up" if own => added += u128::from(act.amount()),
            "session_close_request" if own => requested = true,
            _ => {}
        }
    }
    let deposit = u128::from(before.deposit) + added;
    let kept = added == 0 || before.status == OPEN;
    ensure(kept && u128::from(after.deposit) == deposit, 3, || {
        format!("the deposit should be {deposit}: {before:?} to {after:?}")
    })?;
    let closing = if requested {
        let started = (after.status, after.close_requested_at) == (CLOSE_REQUESTED, deed.now.0);
        before.status == OPEN && started
    } else {
        (before.status, before.close_requested_at) == (after.status, after.close_requested_at)
    };
    ensure(closing, 3, || format!("{before:?} became {after:?}"))?;
    check_settled(deed, account, before, after)
}

/// The settled sum is the highest of the proven vouchers, read here from the precompile's own instructions, whose
/// signatures the chain has checked.
fn check_settled(
    deed: &Deed<'_>,
    account: &Address,
    before: &SessionData,
    after: &SessionData,
) -> Result<(), Violation> {
    let settles = acts_on(deed, account).filter(|act| act.spec.name == "session_settle");
    let mut highest = before.settled;
    if settles.count() > 0 {
        let proven = |data: &[u8]| {
            let ours = data.get(16..48) == Some(before.session_key.as_ref())
                && data.get(114..146) == Some(account.as_ref());
            let number =
                |from: usize| -> Option<[u8; 8]> { data.get(from..from + 8)?.try_into().ok() };
            let (sum, end) = (
                u64::from_le_bytes(number(146)?),
                i64::from_le_bytes(number(154)?),
            );
            (ours && deed.now.0 <= end).then_some(sum)
        };
        let proofs = deed.instructions.iter();
        let proofs = proofs.filter(|instruction| instruction.program_id == ed25519_program::ID);
        let sums = proofs.filter_map(|instruction| proven(&instruction.data));
        highest = sums.fold(highest, u64::max);
        ensure(highest > before.settled, 6, || {
            format!("settled without a higher voucher: {before:?} to {after:?}")
        })?;
    }
    ensure(
        after.settled == highest && highest <= after.deposit,
        1,
        || format!("{highest} should be settled: {before:?} to {after:?}"),
    )
}

/// A session ends by its provider's hand or after its grace time, when its address cannot come again.
pub(super) fn check_closed(
    deed: &Deed<'_>,
    account: &Address,
    before: &SessionData,
) -> Result<(), Violation> {
    let old = deed.slot.saturating_sub(before.open_slot) > OPEN_SLOT_AGE;
    let over = before.status == CLOSE_REQUESTED
        && deed.now.0 > before.close_requested_at + i64::from(before.grace_secs);
    let mut closes = acts_on(deed, account).filter(|act| act.spec.name == "session_close");
    let by_provider = closes.any(|act| {
        let provider = deed.provider(&before.provider);
        act.account("provider") == Some(before.provider)
            && provider.is_some_and(|provider| {
                let parties = [provider.authority, provider.operator];
                provider.generation == before.generation
                    && act
                        .account("closer")
                        .is_some_and(|closer| parties.contains(&closer))
            })
    });
    ensure(old && (over || by_provider), 3, || {
        format!("a session was closed in slot {}: {before:?}", deed.slot)
    })
}

/// What vouchers took from all sessions: the whole, and what of it the providers earned.
pub(super) fn taken(changes: &[Change<'_>]) -> (i128, i128) {
    let mut sums = (0, 0);
    for change in changes {
        let states = (
            change.before.map(|held| &held.state),
            change.after.map(|held| &held.state),
        );
        if let (Some(State::Session(before)), Some(State::Session(after))) = states {
            let price = u128::from(after.settled - before.settled);
            let fee = price * u128::from(before.fee_bps) / 10_000;
            sums.0 += i128::try_from(price).unwrap_or(i128::MAX);
            sums.1 += i128::try_from(price - fee).unwrap_or(i128::MAX);
        }
    }
    sums
}

/// The instructions of a transaction that name this session.
fn acts_on<'a>(deed: &'a Deed<'_>, account: &'a Address) -> impl Iterator<Item = Act<'a>> {
    deed.acts()
        .filter(move |act| act.account("session") == Some(*account))
}
