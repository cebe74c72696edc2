//! A session's rules: what a voucher may take, who ends a session, and that nothing else in it moves.

use assay_client::protocol::{Address, SessionData, SessionStatus};
use solana_sdk_ids::ed25519_program;

use super::{
    Change, Held,
    deed::{Act, Deed, Violation, ensure},
};

const OPEN_SLOT_AGE: u64 = 150;
const DAY: u32 = 86_400;
const OPEN: u8 = SessionStatus::Open as u8;
const CLOSE_REQUESTED: u8 = SessionStatus::CloseRequested as u8;

/// A new session is open, unspent, funded, and its address belongs to the last 150 slots.
pub(super) fn check_opened(
    deed: &Deed<'_>,
    (account, session): (&Address, &SessionData),
) -> Result<(), Violation> {
    let fresh = deed.slot >= session.open_slot && deed.slot - session.open_slot <= OPEN_SLOT_AGE;
    let opened = session.status == OPEN && session.settled == 0 && session.close_requested_at == 0;
    let opened = opened || deed.only_instruction().is_none();
    let bounded = (DAY..=30 * DAY).contains(&session.grace_secs) && session.fee_bps <= 1_000;
    let holds = fresh && opened && bounded && session.deposit > 0;
    ensure(holds, 3, || {
        format!("a session came to be in slot {} as {session:?}", deed.slot)
    })?;
    let unspent = SessionData {
        settled: 0,
        ..*session
    };
    check_settled(deed, account, &unspent, session)
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

/// What is settled is the last sum of the vouchers that settlements took.
fn check_settled(
    deed: &Deed<'_>,
    account: &Address,
    before: &SessionData,
    after: &SessionData,
) -> Result<(), Violation> {
    let last = last_sum(deed, account, before)?;
    let holds = after.settled == last && last <= after.deposit;
    ensure(holds, 1, || {
        format!("{last} should be settled: {before:?} to {after:?}")
    })
}

/// What is settled after a transaction: each settlement needs a voucher above the one before.
fn last_sum(deed: &Deed<'_>, account: &Address, from: &SessionData) -> Result<u64, Violation> {
    let mut last = from.settled;
    for sum in sums(deed, account, from) {
        let sum = sum.unwrap_or_default();
        ensure(sum > last, 6, || {
            format!("settled without a higher voucher than {last}: {from:?}")
        })?;
        last = sum;
    }
    Ok(last)
}

/// The sums that settlements of this session took, in their order. Each is read from the precompile's instruction that
/// came last before it, whose signature the chain has checked; none where that is no voucher of this session.
fn sums(deed: &Deed<'_>, account: &Address, terms: &SessionData) -> Vec<Option<u64>> {
    let proven = |data: &[u8]| {
        let ours = data.get(16..48) == Some(terms.session_key.as_ref())
            && data.get(114..146) == Some(account.as_ref());
        let number = |from: usize| -> Option<[u8; 8]> { data.get(from..from + 8)?.try_into().ok() };
        let (sum, end) = (
            u64::from_le_bytes(number(146)?),
            i64::from_le_bytes(number(154)?),
        );
        (ours && deed.now.0 <= end).then_some(sum)
    };
    let (mut proof, mut sums) = (None, Vec::new());
    for instruction in deed.instructions {
        if instruction.program_id == ed25519_program::ID {
            proof = proven(&instruction.data);
        }
        let act = Act::of(instruction).filter(|act| act.spec.name == "session_settle");
        if act.is_some_and(|act| act.account("session") == Some(*account)) {
            sums.push(proof);
        }
    }
    sums
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
    })?;
    let own = acts_on(deed, account).filter(|act| act.spec.name == "session_top_up");
    let deposit = own.fold(u128::from(before.deposit), |sum, act| {
        sum + u128::from(act.amount())
    });
    let last = last_sum(deed, account, before)?;
    ensure(u128::from(last) <= deposit, 1, || {
        format!("{last} was settled of a deposit of {deposit}: {before:?}")
    })
}

/// What vouchers took from one session, which may have come to be or have ended in the same transaction: the whole,
/// and what of it its provider earned. The fee of each settlement is rounded down by itself.
pub(super) fn taken(deed: &Deed<'_>, change: &Change<'_>) -> (i128, i128) {
    let session = |held: Option<&Held>| held.and_then(Held::session).copied();
    let before = session(change.before);
    let Some(terms) = before.or(session(change.after)) else {
        return (0, 0);
    };
    let mut last = before.map_or(0, |before| before.settled);
    let (mut whole, mut earned) = (0, 0);
    for sum in sums(deed, &change.address, &terms).into_iter().flatten() {
        let price = u128::from(sum.saturating_sub(last));
        let fee = price * u128::from(terms.fee_bps) / 10_000;
        whole += i128::try_from(price).unwrap_or(i128::MAX);
        earned += i128::try_from(price - fee).unwrap_or(i128::MAX);
        last = sum;
    }
    (whole, earned)
}

/// The instructions of a transaction that name this session.
fn acts_on<'a>(deed: &'a Deed<'_>, account: &'a Address) -> impl Iterator<Item = Act<'a>> {
    deed.acts()
        .filter(move |act| act.account("session") == Some(*account))
}
