//! What the book knows of a job's terms.

use assay_client::protocol::{Error, market::MarketParams, terms::JobTerms};

use super::super::shadow::{Outcome, rule};

pub fn kept(terms: &JobTerms, params: &MarketParams) -> Outcome {
    rule(
        (1..=params.max_ceiling).contains(&terms.ceiling),
        Error::TermsCeilingInvalid,
    )?;
    rule(terms.floor <= terms.ceiling, Error::TermsFloorInvalid)?;
    rule(
        (terms.ceiling..=1 << 49).contains(&terms.collateral),
        Error::TermsCollateralInvalid,
    )?;
    let claim = params.min_claim_secs..=params.max_claim_secs;
    rule(
        claim.contains(&terms.claim_secs),
        Error::TermsClaimWindowInvalid,
    )?;
    rule(terms.ramp_secs <= terms.claim_secs, Error::TermsRampInvalid)?;
    let compute = params.min_compute_secs..=params.max_compute_secs;
    rule(
        compute.contains(&terms.compute_secs),
        Error::TermsComputeWindowInvalid,
    )?;
    let challenge = params.min_challenge_secs..=params.max_challenge_secs;
    rule(
        challenge.contains(&terms.challenge_secs),
        Error::TermsChallengeWindowInvalid,
    )?;
    audit_kept(terms, params)?;
    rule(
        terms.input_bytes > 0 && terms.output_limit > 0,
        Error::TermsBytesInvalid,
    )?;
    rule(
        terms.requester_secret_hash != [0; 32],
        Error::TermsSecretHashMissing,
    )?;
    rule(
        terms.input_digest != [0; 32],
        Error::TermsInputDigestMissing,
    )
}

fn audit_kept(terms: &JobTerms, params: &MarketParams) -> Outcome {
    let (bps, seats, fee) = (terms.audit_bps, terms.panel_size, terms.audit_fee);
    if (bps, seats, fee) == (0, 0, 0) {
        return Ok(());
    }
    let panel = (1..=10_000).contains(&bps) && [2, 3].contains(&seats);
    rule(panel, Error::TermsPanelInvalid)?;
    let fees = terms.ceiling..=2 * terms.ceiling;
    rule(fees.contains(&fee), Error::TermsAuditFeeInvalid)?;
    rule(terms.collateral >= 20 * fee, Error::TermsCollateralInvalid)?;
    let loss = u128::from(bps) * u128::from(terms.collateral + terms.ceiling);
    let gain = u128::from(params.deterrence_bps) * u128::from(terms.ceiling);
    rule(
        loss / 10_000 >= gain.div_ceil(10_000),
        Error::TermsDeterrenceTooLow,
    )
}
