//! A provider's stake and income against a model with one number for each pocket.

use assay_protocol::{
    Address, BasisPoints, Error, Lamports, ProviderData, TreasuryData, UnixSeconds,
    amount::split_price, args::ProviderArgs, limits::ENDPOINT_BYTES, market::MarketParams,
    provider::Registration,
};
use proptest::prelude::*;

const PARAMS: MarketParams = MarketParams {
    min_stake: 1_000,
    unbond_secs: 50,
    ..MarketParams::PUBLIC
};

fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn provider() -> ProviderData {
    let at = Registration {
        authority: key(1),
        rent_payer: key(2),
        bump: 255,
        generation: 7,
        now: UnixSeconds(5),
    };
    ProviderData::new(&at, &PARAMS)
}

fn args(operator: Address, class: [u8; 32]) -> ProviderArgs {
    ProviderArgs {
        operator,
        runtime_class: class,
        endpoint: [0; ENDPOINT_BYTES],
        endpoint_len: 0,
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Deposit(u64),
    Unbond(u64),
    WithdrawStake,
    Reserve(u64),
    /// Ends the n-th live job with a slash of so many hundredths of its collateral.
    Unreserve(usize, u64),
    Earn(u64, u16),
    WithdrawEarnings,
    Wait(u32),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0_u64..4_000).prop_map(Act::Deposit),
        (0_u64..3_000).prop_map(Act::Unbond),
        Just(Act::WithdrawStake),
        (0_u64..2_000).prop_map(Act::Reserve),
        (0_usize..4, 0_u64..=110).prop_map(|(job, share)| Act::Unreserve(job, share)),
        (0_u64..5_000, 0_u16..=1_000).prop_map(|(price, fee)| Act::Earn(price, fee)),
        Just(Act::WithdrawEarnings),
        (1_u32..60).prop_map(Act::Wait),
    ]
}

/// What a careful bookkeeper would write down.
#[derive(Clone, Debug, Default)]
struct Book {
    free: u64,
    unbonding: u64,
    unbond_at: i64,
    jobs: Vec<u64>,
    earnings: u64,
    fees: u64,
    slashed: u64,
}

impl Book {
    fn reserved(&self) -> u64 {
        self.jobs.iter().sum()
    }

    fn stake(&self) -> u64 {
        self.free + self.unbonding + self.reserved()
    }

    /// Does what the rules allow; says which rule forbids it.
    fn apply(&mut self, act: Act, now: i64) -> Result<(), Error> {
        match act {
            Act::Deposit(0) | Act::Unbond(0) => return Err(Error::AmountZero),
            Act::Deposit(amount) if self.stake() + amount < PARAMS.min_stake => {
                return Err(Error::ProviderStakeBelowMinimum);
            }
            Act::Deposit(amount) => self.free += amount,
            Act::Unbond(amount) => {
                if amount > self.free {
                    return Err(Error::ProviderStakeInsufficient);
                }
                self.free -= amount;
                self.unbonding += amount;
                self.unbond_at = now + 50;
            }
            Act::WithdrawStake if self.unbonding == 0 => {
                return Err(Error::ProviderNothingUnbonding);
            }
            Act::WithdrawStake if now <= self.unbond_at => {
                return Err(Error::ProviderStillUnbonding);
            }
            Act::WithdrawStake => self.unbonding = 0,
            Act::Reserve(collateral) if collateral > self.free => {
                return Err(Error::ProviderStakeInsufficient);
            }
            Act::Reserve(collateral) => {
                self.free -= collateral;
                self.jobs.push(collateral);
            }
            Act::Unreserve(job, share) => {
                let Some(collateral) = self.jobs.get(job).copied() else {
                    return Ok(());
                };
                let slash = collateral * share / 100;
                if slash > collateral {
                    return Err(Error::InvariantViolated);
                }
                self.jobs.remove(job);
                self.free += collateral - slash;
                self.slashed += slash;
            }
            Act::Earn(price, fee) => {
                let fee = price * u64::from(fee) / 10_000;
                self.earnings += price - fee;
                self.fees += fee;
            }
            Act::WithdrawEarnings if self.earnings + self.fees == 0 => {
                return Err(Error::ProviderNothingEarned);
            }
            Act::WithdrawEarnings => (self.earnings, self.fees) = (0, 0),
            Act::Wait(_) => {}
        }
        Ok(())
    }
}

fn apply(
    provider: &mut ProviderData,
    act: Act,
    book: &Book,
    now: UnixSeconds,
) -> Result<(), Error> {
    match act {
        Act::Deposit(amount) => provider.deposit(Lamports(amount), &PARAMS, now),
        Act::Unbond(amount) => provider.unbond(Lamports(amount), &PARAMS, now),
        Act::WithdrawStake => provider.withdraw_stake(now).map(|amount| {
            assert_eq!(amount.0, book.unbonding);
        }),
        Act::Reserve(collateral) => provider.reserve(Lamports(collateral)),
        Act::Unreserve(job, share) => match book.jobs.get(job) {
            Some(collateral) => {
                provider.unreserve(Lamports(*collateral), Lamports(collateral * share / 100))
            }
            None => Ok(()),
        },
        Act::Earn(price, fee) => provider.earn(split_price(Lamports(price), BasisPoints(fee))?),
        Act::WithdrawEarnings => provider.withdraw_earnings().map(|(earnings, fees)| {
            assert_eq!((earnings.0, fees.0), (book.earnings, book.fees));
        }),
        Act::Wait(_) => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pockets_follow_the_book(acts in prop::collection::vec(act(), 1..60)) {
        let (mut provider, mut book, mut now) = (provider(), Book::default(), 1_000_i64);
        for act in acts {
            if let Act::Wait(secs) = act {
                now += i64::from(secs);
            }
            let before = book.clone();
            let expected = book.apply(act, now);
            let mut after = provider;
            prop_assert_eq!(apply(&mut after, act, &before, UnixSeconds(now)), expected, "{:?} {:?}", act, before);
            // The program drops the account's change with the failed transaction.
            if expected.is_ok() {
                provider = after;
            } else {
                book = before;
            }
            prop_assert_eq!(provider.stake, book.stake());
            prop_assert_eq!(provider.reserved, book.reserved());
            prop_assert_eq!(provider.unbonding, book.unbonding);
            prop_assert_eq!(provider.free_stake(), Ok(Lamports(book.free)));
            prop_assert_eq!((provider.earnings, provider.fees_due), (book.earnings, book.fees));
            prop_assert_eq!(provider.total_slashed, book.slashed);
            prop_assert_eq!(usize::try_from(provider.live_jobs).unwrap(), book.jobs.len());
            prop_assert_eq!(provider.money(), Ok(Lamports(book.stake() + book.earnings + book.fees)));
            prop_assert_eq!(provider.check(), Ok(()));
            let empty = book.stake() + book.earnings + book.fees == 0 && book.jobs.is_empty();
            prop_assert_eq!(provider.require_empty().is_ok(), empty);
        }
    }
}

#[test]
fn stake_age_restarts_with_deposits_and_class_changes_only() {
    let mut provider = provider();
    provider
        .configure(&args(key(5), [0; 32]), UnixSeconds(10))
        .unwrap();
    assert_eq!(provider.aged_at, 5, "registration starts the age");
    provider
        .deposit(Lamports(5_000), &PARAMS, UnixSeconds(20))
        .unwrap();
    assert_eq!(provider.aged_at, 20);
    provider
        .configure(&args(key(6), [0; 32]), UnixSeconds(30))
        .unwrap();
    provider
        .unbond(Lamports(1_000), &PARAMS, UnixSeconds(40))
        .unwrap();
    assert_eq!(provider.aged_at, 20);
    provider
        .configure(&args(key(6), [9; 32]), UnixSeconds(50))
        .unwrap();
    assert_eq!(provider.aged_at, 50);
}

/// Nobody can lock stake in by changing parameters after it came.
#[test]
fn unbonding_never_outlasts_what_was_promised() {
    for (now_asked, waited) in [(50, 50), (20, 20), (5_000_000, 50)] {
        let mut provider = provider();
        provider
            .deposit(Lamports(5_000), &PARAMS, UnixSeconds(10))
            .unwrap();
        let later = MarketParams {
            unbond_secs: now_asked,
            ..PARAMS
        };
        provider
            .unbond(Lamports(5_000), &later, UnixSeconds(100))
            .unwrap();
        assert_eq!(provider.unbond_at, 100 + i64::from(waited), "{now_asked}");
    }
}

#[test]
fn keys_have_their_own_errors() {
    let mut provider = provider();
    assert_eq!(
        provider.configure(&args(Address::default(), [0; 32]), UnixSeconds(0)),
        Err(Error::ProviderOperatorMissing)
    );
    provider
        .configure(&args(key(5), [0; 32]), UnixSeconds(0))
        .unwrap();
    assert_eq!(provider.require_operator(&key(5)), Ok(()));
    assert_eq!(
        provider.require_operator(&key(1)),
        Err(Error::ProviderOperatorMismatch)
    );
    assert_eq!(provider.require_authority(&key(1)), Ok(()));
    assert_eq!(
        provider.require_authority(&key(5)),
        Err(Error::ProviderAuthorityMismatch)
    );
    let long = ProviderArgs {
        endpoint_len: 97,
        ..args(key(5), [0; 32])
    };
    assert_eq!(
        provider.configure(&long, UnixSeconds(0)),
        Err(Error::TextInvalid)
    );
}

#[test]
fn empty_means_every_pocket() {
    type Fill = fn(&mut ProviderData);
    let cases: [(Fill, Error); 7] = [
        (|provider| provider.reserved = 1, Error::ProviderHasLiveWork),
        (
            |provider| provider.live_jobs = 1,
            Error::ProviderHasLiveWork,
        ),
        (
            |provider| provider.live_seats = 1,
            Error::ProviderHasLiveWork,
        ),
        (|provider| provider.stake = 1, Error::ProviderHasStake),
        (|provider| provider.unbonding = 1, Error::ProviderHasStake),
        (|provider| provider.earnings = 1, Error::ProviderHasEarnings),
        (|provider| provider.fees_due = 1, Error::ProviderHasEarnings),
    ];
    assert_eq!(provider().require_empty(), Ok(()));
    for (fill, error) in cases {
        let mut provider = provider();
        fill(&mut provider);
        assert_eq!(provider.require_empty(), Err(error));
    }
}

#[test]
fn treasury_pays_out_what_it_collected() {
    let mut treasury = TreasuryData::new(255);
    treasury.collect(Lamports(10)).unwrap();
    treasury.collect(Lamports(5)).unwrap();
    assert_eq!(treasury.withdraw(Lamports(0)), Err(Error::AmountZero));
    assert_eq!(
        treasury.withdraw(Lamports(16)),
        Err(Error::TreasuryInsufficient)
    );
    treasury.withdraw(Lamports(15)).unwrap();
    assert_eq!((treasury.collected, treasury.total_collected), (0, 15));
    assert_eq!(
        treasury.withdraw(Lamports(1)),
        Err(Error::TreasuryInsufficient)
    );
}
