//! A job's terms against the market's limits.

use assay_protocol::{
    Error, Lamports,
    limits::MAX_TERM_LAMPORTS,
    market::MarketParams,
    terms::{COLLATERAL_AUDIT_FEES, JobTerms},
};
use bytemuck::Zeroable;
use proptest::prelude::*;

const PARAMS: MarketParams = MarketParams::PUBLIC;

/// Valid unaudited terms under [`PARAMS`].
pub fn unaudited() -> JobTerms {
    JobTerms {
        ceiling: 1_000_000,
        floor: 200_000,
        collateral: 5_000_000,
        ramp_secs: 60,
        claim_secs: 120,
        compute_secs: 300,
        challenge_secs: 600,
        input_bytes: 1_000,
        output_limit: 1_000,
        input_digest: [1; 32],
        requester_secret_hash: [2; 32],
        ..JobTerms::zeroed()
    }
}

/// Valid audited terms: 5 %, two auditors; 500 x (C + K) = 20,000 x K at C = 39 K.
fn audited() -> JobTerms {
    JobTerms {
        collateral: 39_000_000,
        audit_fee: 1_000_000,
        audit_bps: 500,
        panel_size: 2,
        ..unaudited()
    }
}

fn check(change: impl FnOnce(&mut JobTerms)) -> Result<(), Error> {
    let mut terms = unaudited();
    change(&mut terms);
    terms.check(&PARAMS)
}

fn check_audited(change: impl FnOnce(&mut JobTerms)) -> Result<(), Error> {
    let mut terms = audited();
    change(&mut terms);
    terms.check(&PARAMS)
}

#[test]
fn valid_terms_pass() {
    assert_eq!(check(|_| ()), Ok(()));
    assert_eq!(check_audited(|_| ()), Ok(()));
    assert!(!unaudited().is_audited() && audited().is_audited());
}

#[test]
fn money_is_bounded_on_both_sides() {
    assert_eq!(check(|terms| (terms.ceiling, terms.floor) = (1, 1)), Ok(()));
    assert_eq!(
        check(|terms| (terms.ceiling, terms.floor) = (0, 0)),
        Err(Error::TermsCeilingInvalid)
    );
    assert_eq!(
        check(|terms| (terms.ceiling, terms.collateral) = (PARAMS.max_ceiling, PARAMS.max_ceiling)),
        Ok(())
    );
    assert_eq!(
        check(|terms| terms.ceiling = PARAMS.max_ceiling + 1),
        Err(Error::TermsCeilingInvalid)
    );
    assert_eq!(check(|terms| terms.floor = terms.ceiling), Ok(()));
    assert_eq!(
        check(|terms| terms.floor = terms.ceiling + 1),
        Err(Error::TermsFloorInvalid)
    );
    assert_eq!(check(|terms| terms.floor = 0), Ok(()));
    assert_eq!(check(|terms| terms.collateral = terms.ceiling), Ok(()));
    for too_small in [0, 999_999] {
        assert_eq!(
            check(|terms| terms.collateral = too_small),
            Err(Error::TermsCollateralInvalid)
        );
    }
    assert_eq!(check(|terms| terms.collateral = MAX_TERM_LAMPORTS), Ok(()));
    assert_eq!(
        check(|terms| terms.collateral = MAX_TERM_LAMPORTS + 1),
        Err(Error::TermsCollateralInvalid)
    );
}

#[test]
fn windows_are_bounded_on_both_sides() {
    type Set = fn(&mut JobTerms, u32);
    let windows: [(Set, u32, u32, Error); 3] = [
        (
            |terms, secs| (terms.claim_secs, terms.ramp_secs) = (secs, 0),
            PARAMS.min_claim_secs,
            PARAMS.max_claim_secs,
            Error::TermsClaimWindowInvalid,
        ),
        (
            |terms, secs| terms.compute_secs = secs,
            PARAMS.min_compute_secs,
            PARAMS.max_compute_secs,
            Error::TermsComputeWindowInvalid,
        ),
        (
            |terms, secs| terms.challenge_secs = secs,
            PARAMS.min_challenge_secs,
            PARAMS.max_challenge_secs,
            Error::TermsChallengeWindowInvalid,
        ),
    ];
    for (set, min, max, error) in windows {
        for (secs, expected) in [
            (min, Ok(())),
            (max, Ok(())),
            (min - 1, Err(error)),
            (max + 1, Err(error)),
            (0, Err(error)),
            (u32::MAX, Err(error)),
        ] {
            assert_eq!(
                check(|terms| set(terms, secs)),
                expected,
                "{error:?} {secs}"
            );
        }
    }
    assert_eq!(check(|terms| terms.ramp_secs = terms.claim_secs), Ok(()));
    assert_eq!(check(|terms| terms.ramp_secs = 0), Ok(()));
    assert_eq!(
        check(|terms| terms.ramp_secs = terms.claim_secs + 1),
        Err(Error::TermsRampInvalid)
    );
}

#[test]
fn sizes_and_reserved_bytes_are_bounded() {
    for set in [
        (|terms, bytes| terms.input_bytes = bytes) as fn(&mut JobTerms, u32),
        |terms, bytes| terms.output_limit = bytes,
    ] {
        assert_eq!(check(|terms| set(terms, 1)), Ok(()));
        assert_eq!(check(|terms| set(terms, PARAMS.max_input_bytes)), Ok(()));
        assert_eq!(check(|terms| set(terms, 0)), Err(Error::TermsBytesInvalid));
        assert_eq!(
            check(|terms| set(terms, PARAMS.max_input_bytes + 1)),
            Err(Error::TermsBytesInvalid)
        );
    }
    for position in 0..4 {
        assert_eq!(
            check(|terms| terms.reserved[position] = 1),
            Err(Error::TermsBytesInvalid)
        );
    }
}

#[test]
fn digests_and_uri_are_required_in_form() {
    assert_eq!(
        check(|terms| terms.requester_secret_hash = [0; 32]),
        Err(Error::TermsSecretHashMissing)
    );
    assert_eq!(
        check(|terms| terms.input_digest = [0; 32]),
        Err(Error::TermsInputDigestMissing)
    );
    assert_eq!(
        check(|terms| terms.input_uri[0] = b'a'),
        Err(Error::TextInvalid)
    );
    assert_eq!(
        check(|terms| terms.input_uri_len = 1),
        Err(Error::TextInvalid)
    );
    assert_eq!(
        check(|terms| terms.input_uri_len = 97),
        Err(Error::TextInvalid)
    );
    assert_eq!(
        check(|terms| (terms.input_uri, terms.input_uri_len) = ([b'a'; 96], 96)),
        Ok(())
    );
}

#[test]
fn audit_terms_are_whole_or_absent() {
    assert_eq!(
        check(|terms| terms.audit_bps = 500),
        Err(Error::TermsPanelInvalid)
    );
    assert_eq!(
        check(|terms| terms.panel_size = 2),
        Err(Error::TermsPanelInvalid)
    );
    assert_eq!(
        check(|terms| terms.audit_fee = 1),
        Err(Error::TermsPanelInvalid)
    );
    for size in [0, 1, 4, 5, 255] {
        assert_eq!(
            check_audited(|terms| terms.panel_size = size),
            Err(Error::TermsPanelInvalid)
        );
    }
    assert_eq!(check_audited(|terms| terms.panel_size = 3), Ok(()));
    assert_eq!(
        check_audited(|terms| terms.audit_bps = 0),
        Err(Error::TermsPanelInvalid)
    );
    assert_eq!(
        check_audited(|terms| terms.audit_bps = 10_001),
        Err(Error::TermsPanelInvalid)
    );
    assert_eq!(check_audited(|terms| terms.audit_bps = 10_000), Ok(()));
}

#[test]
fn audit_fee_and_collateral_are_bounded() {
    assert_eq!(
        check_audited(|terms| terms.audit_fee = terms.ceiling - 1),
        Err(Error::TermsAuditFeeInvalid)
    );
    assert_eq!(
        check_audited(|terms| (terms.audit_fee, terms.collateral) = (2 * terms.ceiling, 40_000_000)),
        Ok(())
    );
    assert_eq!(
        check_audited(|terms| terms.audit_fee = 2 * terms.ceiling + 1),
        Err(Error::TermsAuditFeeInvalid)
    );
    let least = u64::from(COLLATERAL_AUDIT_FEES) * 1_000_000;
    assert_eq!(
        check_audited(|terms| (terms.collateral, terms.audit_bps) = (least, 10_000)),
        Ok(())
    );
    assert_eq!(
        check_audited(|terms| (terms.collateral, terms.audit_bps) = (least - 1, 10_000)),
        Err(Error::TermsCollateralInvalid)
    );
}

#[test]
fn deterrence_is_exact_at_its_bound() {
    assert_eq!(check_audited(|terms| terms.collateral = 39_000_000), Ok(()));
    assert_eq!(
        check_audited(|terms| terms.collateral = 38_999_999),
        Err(Error::TermsDeterrenceTooLow)
    );
    assert_eq!(
        check_audited(|terms| terms.audit_bps = 499),
        Err(Error::TermsDeterrenceTooLow)
    );
}

#[test]
fn escrow_is_ceiling_and_panel_fees() {
    assert_eq!(unaudited().escrow(), Ok(Lamports(1_000_000)));
    assert_eq!(audited().escrow(), Ok(Lamports(3_000_000)));
    let huge = JobTerms {
        audit_fee: 1 << 56,
        ..audited()
    };
    assert_eq!(huge.escrow(), Err(Error::AmountOverflow));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Accepted terms deter in exact arithmetic; terms with a little more than needed are accepted.
    #[test]
    fn deterrence_holds_in_exact_arithmetic(
        shift in 0_u32..49,
        ceiling in 1_u64..=MAX_TERM_LAMPORTS,
        fee_share in 0_u64..=100,
        collateral in 0_u64..=MAX_TERM_LAMPORTS,
        near in -20_i64..20,
        aim: bool,
        audit_bps in 1_u16..=10_000,
        panel_size in 2_u8..=3,
        deterrence_bps in 10_000_u32..=1_000_000,
    ) {
        let params = MarketParams { max_ceiling: MAX_TERM_LAMPORTS, deterrence_bps, ..PARAMS };
        let ceiling = (ceiling >> shift).max(1);
        let audit_fee = ceiling + u64::try_from(u128::from(ceiling) * u128::from(fee_share) / 100).unwrap();
        // Half of the cases aim at the exact bound: C = K (deterrence / rate - 1).
        let bound = u128::from(ceiling) * u128::from(deterrence_bps) / u128::from(audit_bps);
        let aimed = u64::try_from(bound).unwrap_or(u64::MAX).saturating_sub(ceiling).saturating_add_signed(near);
        let collateral = if aim { aimed } else { collateral >> (shift / 2) };
        let terms = JobTerms { ceiling, floor: 0, collateral, audit_fee, audit_bps, panel_size, ..unaudited() };
        let loss = (u128::from(collateral) + u128::from(ceiling)) * u128::from(audit_bps);
        let gain = u128::from(ceiling) * u128::from(deterrence_bps);
        let covered = u128::from(collateral) >= 20 * u128::from(audit_fee) && collateral >= ceiling;
        let result = terms.check(&params);
        if collateral > MAX_TERM_LAMPORTS || !covered {
            prop_assert_eq!(result, Err(Error::TermsCollateralInvalid));
        } else if loss < gain {
            prop_assert_eq!(result, Err(Error::TermsDeterrenceTooLow));
        } else if loss >= gain + 20_000 {
            prop_assert_eq!(result, Ok(()));
        } else {
            // Within two lamports of the bound the check may err on the safe side only.
            prop_assert!(matches!(result, Ok(()) | Err(Error::TermsDeterrenceTooLow)));
        }
    }

    /// Any bytes at all: a verdict, no panic; and what passes respects every bound.
    #[test]
    fn checked_terms_respect_every_bound(bytes in prop::collection::vec(any::<u8>(), size_of::<JobTerms>())) {
        let terms: JobTerms = bytemuck::pod_read_unaligned(&bytes);
        if terms.check(&PARAMS).is_ok() {
            prop_assert!(terms.ceiling >= 1 && terms.ceiling <= PARAMS.max_ceiling && terms.floor <= terms.ceiling);
        }
    }
}
