//! A session's rules: what opens it, what pays, and when who may end it.

use assay_protocol::{
    Address, Error, Lamports, SessionData, SessionStatus, UnixSeconds, Voucher,
    args::SessionOpenArgs,
    limits::{MAX_GRACE_SECS, MIN_GRACE_SECS, OPEN_SLOT_AGE},
    session::SessionOpening,
};
use bytemuck::Zeroable;
use proptest::prelude::*;

const SLOT: u64 = 1_000;
const DEPOSIT: u64 = 1_000_000;
const FEE_BPS: u16 = 200;

fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn args() -> SessionOpenArgs {
    SessionOpenArgs {
        session_key: key(3),
        deposit: DEPOSIT,
        open_slot: SLOT,
        index: 4,
        grace_secs: MIN_GRACE_SECS,
    }
}

fn opened(args: &SessionOpenArgs, slot: u64) -> Result<SessionData, Error> {
    let opening = SessionOpening {
        requester: key(1),
        provider: key(2),
        generation: 5,
        bump: 254,
        fee_bps: FEE_BPS,
    };
    let mut session = SessionData::zeroed();
    session.open(&opening, args, slot).map(|()| session)
}

fn session() -> SessionData {
    opened(&args(), SLOT).unwrap()
}

fn voucher(cumulative: u64, expires_at: i64) -> Voucher {
    Voucher {
        session: key(9),
        cumulative,
        expires_at,
    }
}

#[test]
fn opening_takes_everything_down_or_says_what_is_wrong() {
    let data = session();
    assert_eq!(data.status, SessionStatus::Open as u8);
    assert_eq!((data.requester, data.provider), (key(1), key(2)));
    assert_eq!((data.generation, data.fee_bps), (5, FEE_BPS));
    assert_eq!(
        (data.settled, data.money().unwrap()),
        (0, Lamports(DEPOSIT))
    );

    type Change = fn(&mut SessionOpenArgs);
    let wrong: [(Change, Error); 5] = [
        (
            |args| args.grace_secs = MIN_GRACE_SECS - 1,
            Error::SessionGraceInvalid,
        ),
        (
            |args| args.grace_secs = MAX_GRACE_SECS + 1,
            Error::SessionGraceInvalid,
        ),
        (
            |args| args.session_key = Address::default(),
            Error::SessionKeyMissing,
        ),
        (|args| args.deposit = 0, Error::AmountZero),
        (|args| args.open_slot = SLOT + 1, Error::JobSlotInvalid),
    ];
    for (change, error) in wrong {
        let mut args = args();
        change(&mut args);
        assert_eq!(opened(&args, SLOT).unwrap_err(), error);
    }
    assert!(opened(&args(), SLOT + OPEN_SLOT_AGE).is_ok());
    let late = opened(&args(), SLOT + OPEN_SLOT_AGE + 1);
    assert_eq!(late.unwrap_err(), Error::JobSlotInvalid);
}

#[test]
fn voucher_counts_up_to_its_last_second_and_the_deposit() {
    let mut data = session();
    let at = UnixSeconds(50);
    let refused = |data: &mut SessionData, cumulative, expires_at| {
        let before = *data;
        let error = data
            .settle(&voucher(cumulative, expires_at), at)
            .unwrap_err();
        assert_eq!(*data, before, "a refusal changes nothing");
        error
    };
    assert_eq!(refused(&mut data, 1, 49), Error::VoucherExpired);
    assert_eq!(refused(&mut data, 0, 50), Error::VoucherNotAbove);
    assert_eq!(
        refused(&mut data, DEPOSIT + 1, 50),
        Error::VoucherAboveDeposit
    );
    let split = data.settle(&voucher(149, 50), at).unwrap();
    // 2 % of 149, rounded down.
    assert_eq!((split.earned, split.fee), (Lamports(147), Lamports(2)));
    assert_eq!(refused(&mut data, 149, 50), Error::VoucherNotAbove);
}

#[test]
fn close_request_ends_top_ups_but_no_settlement() {
    let mut data = session();
    let asked = UnixSeconds(100);
    let last = data.request_close(asked).unwrap();
    assert_eq!(last, UnixSeconds(100 + i64::from(MIN_GRACE_SECS)));
    assert_eq!(data.request_close(asked), Err(Error::SessionClosing));
    assert_eq!(data.add(Lamports(1)), Err(Error::SessionClosing));
    assert_eq!(
        data.require_grace_over(last),
        Err(Error::SessionNotClosable)
    );
    let over = UnixSeconds(last.0 + 1);
    assert_eq!(data.require_grace_over(over), Ok(()));
    data.settle(&voucher(DEPOSIT, i64::MAX), over).unwrap();
    assert_eq!(data.money().unwrap(), Lamports(0));
}

#[test]
fn session_without_a_close_request_waits_for_ever() {
    let end_of_time = UnixSeconds(i64::MAX);
    let waiting = session().require_grace_over(end_of_time);
    assert_eq!(waiting, Err(Error::SessionNotClosable));
}

#[test]
fn address_is_free_once_no_opening_can_name_its_slot() {
    let data = session();
    let young = data.require_old_slot(SLOT + OPEN_SLOT_AGE);
    assert_eq!(young, Err(Error::SessionSlotTooRecent));
    assert_eq!(data.require_old_slot(SLOT + OPEN_SLOT_AGE + 1), Ok(()));
    // A slot before the opening's own, which no chain shows, counts as no age at all.
    assert_eq!(data.require_old_slot(0), Err(Error::SessionSlotTooRecent));
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Add(u64),
    Settle(u64),
    RequestClose,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        prop_oneof![0..DEPOSIT, Just(u64::MAX)].prop_map(Act::Add),
        prop_oneof![0..3 * DEPOSIT, Just(u64::MAX)].prop_map(Act::Settle),
        Just(Act::RequestClose),
    ]
}

proptest! {
    /// Whatever is asked in whatever order: what was paid out, and what is left, is what was paid in.
    #[test]
    fn deposit_is_settled_or_still_there(acts in prop::collection::vec(act(), 1..40)) {
        let mut data = session();
        let (mut paid_in, mut paid_out) = (DEPOSIT, 0);
        for act in acts {
            match act {
                Act::Add(amount) => {
                    if data.add(Lamports(amount)).is_ok() {
                        paid_in += amount;
                    }
                }
                Act::Settle(cumulative) => {
                    if let Ok(split) = data.settle(&voucher(cumulative, 0), UnixSeconds(0)) {
                        paid_out += split.earned.0 + split.fee.0;
                    }
                }
                Act::RequestClose => drop(data.request_close(UnixSeconds(0))),
            }
            prop_assert_eq!(data.deposit, paid_in);
            prop_assert_eq!(data.settled, paid_out);
            prop_assert_eq!(data.money().unwrap(), Lamports(paid_in - paid_out));
        }
    }
}
