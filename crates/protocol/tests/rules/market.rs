//! Market parameters and the authority's powers.

use assay_protocol::{
    Address, Error, MarketData,
    limits::{MAX_FEE_BPS, MAX_TERM_LAMPORTS, MAX_UNBOND_SECS, MAX_WINDOW_SECS},
    market::{MarketParams, PAUSE_ALL, PAUSE_JOBS, PAUSE_REGISTRATIONS, PAUSE_SESSIONS},
};
use proptest::prelude::*;

fn check(change: impl FnOnce(&mut MarketParams)) -> bool {
    let mut params = MarketParams {
        unbond_secs: MAX_UNBOND_SECS,
        ..MarketParams::PUBLIC
    };
    change(&mut params);
    match params.check() {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error, Error::MarketParamsInvalid);
            false
        }
    }
}

#[test]
fn shipped_parameters_are_valid() {
    assert_eq!(MarketParams::PUBLIC.check(), Ok(()));
    assert_eq!(MarketParams::LOCAL.check(), Ok(()));
}

#[test]
fn amounts_are_bounded() {
    for set in [
        (|params, value| params.min_stake = value) as fn(&mut MarketParams, u64),
        |params, value| params.ticket_stake = value,
        |params, value| params.max_ceiling = value,
    ] {
        assert!(check(|params| set(params, 1)));
        assert!(check(|params| set(params, MAX_TERM_LAMPORTS)));
        assert!(!check(|params| set(params, 0)));
        assert!(!check(|params| set(params, MAX_TERM_LAMPORTS + 1)));
    }
    assert!(check(|params| params.deterrence_bps = 10_000));
    assert!(check(|params| params.deterrence_bps = 1_000_000));
    assert!(!check(|params| params.deterrence_bps = 9_999));
    assert!(!check(|params| params.deterrence_bps = 1_000_001));
    assert!(check(|params| params.fee_bps = MAX_FEE_BPS));
    assert!(!check(|params| params.fee_bps = MAX_FEE_BPS + 1));
    assert!(!check(|params| params.max_input_bytes = 0));
    assert!(!check(|params| params.max_output_bytes = 0));
    for position in 0..10 {
        assert!(!check(|params| params.reserved[position] = 1));
    }
}

#[test]
fn windows_are_bounded() {
    type Set = fn(&mut MarketParams, u32, u32);
    for set in [
        (|params, min, max| (params.min_claim_secs, params.max_claim_secs) = (min, max)) as Set,
        |params, min, max| (params.min_compute_secs, params.max_compute_secs) = (min, max),
        |params, min, max| (params.min_challenge_secs, params.max_challenge_secs) = (min, max),
    ] {
        assert!(check(|params| set(params, 1, 1)));
        assert!(check(|params| set(params, 5, MAX_WINDOW_SECS)));
        assert!(!check(|params| set(params, 0, 5)));
        assert!(!check(|params| set(params, 6, 5)));
        assert!(!check(|params| set(params, 1, MAX_WINDOW_SECS + 1)));
    }
    for set in [
        (|params, secs| params.panel_open_secs = secs) as fn(&mut MarketParams, u32),
        |params, secs| params.panel_join_secs = secs,
        |params, secs| params.panel_commit_secs = secs,
        |params, secs| params.panel_reveal_secs = secs,
    ] {
        assert!(check(|params| set(params, 1)));
        assert!(check(|params| set(params, MAX_WINDOW_SECS)));
        assert!(!check(|params| set(params, 0)));
        assert!(!check(|params| set(params, MAX_WINDOW_SECS + 1)));
    }
    assert!(check(|params| params.stake_age_secs = 0));
    assert!(!check(|params| params.stake_age_secs = MAX_WINDOW_SECS + 1));
}

#[test]
fn unbonding_outlasts_the_longest_job() {
    let longest = u32::try_from(MarketParams::PUBLIC.longest_job_secs()).unwrap();
    assert!(check(|params| params.unbond_secs = longest + 1));
    assert!(!check(|params| params.unbond_secs = longest));
    assert!(!check(|params| params.unbond_secs = MAX_UNBOND_SECS + 1));
}

proptest! {
    /// The longest life, phase by phase in wide arithmetic.
    #[test]
    fn longest_job_is_the_sum_of_its_phases(bytes in prop::collection::vec(any::<u8>(), size_of::<MarketParams>())) {
        let params: MarketParams = bytemuck::pod_read_unaligned(&bytes);
        let attempts = 3 * (u128::from(params.max_claim_secs) + u128::from(params.max_compute_secs));
        let panel = u128::from(params.panel_open_secs)
            + u128::from(params.panel_join_secs)
            + u128::from(params.panel_commit_secs)
            + u128::from(params.max_compute_secs)
            + u128::from(params.panel_reveal_secs);
        let expected = attempts + u128::from(params.max_challenge_secs) + 86_400 + 2 * panel;
        prop_assert_eq!(u128::from(params.longest_job_secs()), expected);
        prop_assert!(params.check().is_err() || u128::from(params.unbond_secs) > expected);
    }
}

#[test]
fn pause_bits_stop_what_they_name() {
    let mut market = MarketData::new(Address::new_from_array([1; 32]), 255, MarketParams::LOCAL);
    let bits = [PAUSE_JOBS, PAUSE_REGISTRATIONS, PAUSE_SESSIONS];
    for flags in 0..=u8::MAX {
        let before = market;
        match market.pause(flags) {
            Ok(sequence) => {
                assert_eq!(flags & !PAUSE_ALL, 0);
                assert_eq!(sequence, u64::from(before.sequence) + 1);
                for bit in bits {
                    assert_eq!(market.require_running(bit).is_err(), flags & bit != 0);
                }
            }
            Err(error) => {
                assert_eq!((error, market), (Error::MarketParamsInvalid, before));
                assert_ne!(flags & !PAUSE_ALL, 0);
            }
        }
    }
}

#[test]
fn authority_changes_hands_in_two_steps() {
    let key = |byte| Address::new_from_array([byte; 32]);
    let mut market = MarketData::new(key(1), 255, MarketParams::LOCAL);
    assert_eq!(market.accept(key(2)), Err(Error::MarketPendingMismatch));
    assert_eq!(
        market.accept(Address::default()),
        Err(Error::MarketPendingMismatch),
        "no proposal is no key"
    );
    market.propose(key(2));
    assert_eq!(market.accept(key(3)), Err(Error::MarketPendingMismatch));
    assert_eq!(market.accept(key(1)), Err(Error::MarketPendingMismatch));
    assert!(market.accept(key(2)).is_ok());
    assert_eq!(
        (market.authority, market.pending_authority),
        (key(2), Address::default())
    );
    assert_eq!(
        market.accept(key(2)),
        Err(Error::MarketPendingMismatch),
        "a proposal serves once"
    );
    market.propose(key(3));
    market.propose(Address::default());
    assert_eq!(
        market.accept(key(3)),
        Err(Error::MarketPendingMismatch),
        "withdrawn"
    );
}
