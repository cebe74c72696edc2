//! The terms of a job: what was asked for, what is chosen for the rest, and what is refused, in words.

use anyhow::{Context as _, Result, anyhow};
use assay_client::protocol::{
    Address, Error, limits::MAX_TERM_LAMPORTS, market::MarketParams, terms::JobTerms, text,
};
use clap::Args;

use super::honesty;
use crate::{
    amount::{Amount, Rate, Span},
    input::Prepared,
    provider::hex32,
};

const DEFAULT_CLAIM_SECS: u32 = 120;
const DEFAULT_COMPUTE_SECS: u32 = 300;
const DEFAULT_CHALLENGE_SECS: u32 = 600;
const DEFAULT_OUTPUT_BYTES: u32 = 1 << 20;
/// The price starts at this part of the most that is paid.
const DEFAULT_FLOOR_PART: u64 = 10;
/// Two auditors disagree as well as three, and cost less.
const DEFAULT_PANEL: u8 = 2;

/// Terms that have defaults.
#[derive(Args, Debug, Default)]
pub struct TermOptions {
    /// Where the price starts; a tenth of --max-price by default
    #[arg(long, value_name = "SOL")]
    pub min_price: Option<Amount>,
    /// How long the price rises from --min-price to --max-price; half the claim window by default
    #[arg(long, value_name = "TIME")]
    pub ramp: Option<Span>,
    /// How long the job waits for a provider; 2m by default
    #[arg(long, value_name = "TIME")]
    pub claim_window: Option<Span>,
    /// How long a provider may compute; 5m by default
    #[arg(long, value_name = "TIME")]
    pub compute_window: Option<Span>,
    /// How long a provider must wait for the acknowledgement; 10m by default
    #[arg(long, value_name = "TIME")]
    pub challenge_window: Option<Span>,
    /// Chance that the result is audited, 5% for example; unaudited by default
    #[arg(long, value_name = "PERCENT")]
    pub audit: Option<Rate>,
    /// Auditors that re-execute an audited job, 2 or 3; 2 by default
    #[arg(long, value_name = "AUDITORS", requires = "audit")]
    pub panel: Option<u8>,
    /// Paid to each auditor, between --max-price and twice that; --max-price by default
    #[arg(long, value_name = "SOL", requires = "audit")]
    pub audit_fee: Option<Amount>,
    /// Reserved from the provider's stake, the bound of its slashes; --max-price by default, with audits as much as
    /// makes cheating a loss
    #[arg(long, value_name = "SOL")]
    pub collateral: Option<Amount>,
    /// Most bytes of outputs; 1 MiB by default
    #[arg(long, value_name = "BYTES")]
    pub output_limit: Option<u32>,
    /// Only this provider (or its authority) may take the job
    #[arg(long, value_name = "ADDRESS")]
    pub provider: Option<Address>,
    /// Only providers of this runtime class may take the job
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    pub runtime_class: Option<[u8; 32]>,
    /// Where workers fetch the input; without it the input is handed to the workers
    #[arg(long, value_name = "URI")]
    pub input_uri: Option<String>,
}

/// Audited terms, all zero for an unaudited job.
struct Audit {
    bps: u16,
    panel: u8,
    fee: u64,
}

/// Complete terms but for the secret's hash, which follows from the job's address.
pub fn terms(
    max_price: Amount,
    chosen: &TermOptions,
    params: &MarketParams,
    input: &Prepared,
    exclusive: Option<Address>,
) -> Result<JobTerms> {
    let ceiling = max_price.0;
    let window = |given: Option<Span>, default: u32, min: u32, max: u32| {
        given.map_or_else(|| default.clamp(min, max), |span| span.0)
    };
    let claim_secs = window(
        chosen.claim_window,
        DEFAULT_CLAIM_SECS,
        params.min_claim_secs,
        params.max_claim_secs,
    );
    let uri = chosen.input_uri.as_deref().unwrap_or_default();
    let (input_uri, input_uri_len) = text::write(uri).ok().with_context(|| {
        format!("the uri {uri:?} must be at most 96 printable ASCII characters without spaces")
    })?;
    let audit = audit(ceiling, chosen);
    let needed = honesty::collateral(ceiling, audit.fee, audit.bps, params.deterrence_bps);
    let terms = JobTerms {
        ceiling,
        floor: chosen
            .min_price
            .map_or(ceiling / DEFAULT_FLOOR_PART, |price| price.0),
        collateral: chosen.collateral.map_or(needed, |collateral| collateral.0),
        audit_fee: audit.fee,
        ramp_secs: chosen.ramp.map_or(claim_secs / 2, |ramp| ramp.0),
        claim_secs,
        compute_secs: window(
            chosen.compute_window,
            DEFAULT_COMPUTE_SECS,
            params.min_compute_secs,
            params.max_compute_secs,
        ),
        challenge_secs: window(
            chosen.challenge_window,
            DEFAULT_CHALLENGE_SECS,
            params.min_challenge_secs,
            params.max_challenge_secs,
        ),
        input_bytes: u32::try_from(input.bytes.len()).unwrap_or(u32::MAX),
        output_limit: chosen
            .output_limit
            .unwrap_or_else(|| DEFAULT_OUTPUT_BYTES.min(params.max_output_bytes)),
        audit_bps: audit.bps,
        panel_size: audit.panel,
        input_uri_len,
        reserved: [0; 4],
        input_digest: input.digest.0,
        // Stands in until the address is known; a zero would not pass the check.
        requester_secret_hash: [1; 32],
        runtime_class: chosen.runtime_class.unwrap_or_default(),
        exclusive_provider: exclusive.unwrap_or_default(),
        input_uri,
    };
    terms
        .check(params)
        .map_err(|error| refusal(error, &terms, params))?;
    Ok(terms)
}

fn audit(ceiling: u64, chosen: &TermOptions) -> Audit {
    match chosen.audit {
        Some(Rate(bps)) if bps > 0 => Audit {
            bps,
            panel: chosen.panel.unwrap_or(DEFAULT_PANEL),
            fee: chosen.audit_fee.map_or(ceiling, |fee| fee.0),
        },
        Some(_) | None => Audit {
            bps: 0,
            panel: 0,
            fee: 0,
        },
    }
}

/// What is wrong with the terms, with the numbers that would do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the market's own words suffice for the others"
)]
fn refusal(error: Error, terms: &JobTerms, params: &MarketParams) -> anyhow::Error {
    let (ceiling, fee) = (terms.ceiling, terms.audit_fee);
    match error {
        Error::TermsPanelInvalid => anyhow!(
            "--panel {}: an audited job has 2 or 3 auditors",
            terms.panel_size
        ),
        Error::TermsAuditFeeInvalid => anyhow!(
            "--audit-fee {}: an auditor runs the same inference, so it gets between {} and {} (once and twice \
             --max-price)",
            Amount(fee),
            Amount(ceiling),
            Amount(ceiling.saturating_mul(2))
        ),
        Error::TermsCollateralInvalid | Error::TermsDeterrenceTooLow => {
            let needed = honesty::collateral(ceiling, fee, terms.audit_bps, params.deterrence_bps);
            if needed > MAX_TERM_LAMPORTS || terms.collateral > MAX_TERM_LAMPORTS {
                anyhow!(
                    "a collateral of {} is needed and no more than {} is allowed; lower --max-price or raise --audit",
                    Amount(needed),
                    Amount(MAX_TERM_LAMPORTS)
                )
            } else {
                anyhow!(
                    "--collateral {}: these terms need at least {}, {}",
                    Amount(terms.collateral),
                    Amount(needed),
                    honesty::why(ceiling, fee, terms.audit_bps, params.deterrence_bps)
                )
            }
        }
        other => anyhow!("{} `assay market show` lists the limits", other.message()),
    }
}

#[cfg(test)]
mod tests {
    use assay_client::protocol::Digest;

    use super::*;

    fn input() -> Prepared {
        Prepared {
            bytes: vec![1; 100],
            digest: Digest([5; 32]),
            notes: Vec::new(),
        }
    }

    fn chosen(max_price: u64, chosen: &TermOptions, params: &MarketParams) -> Result<JobTerms> {
        terms(Amount(max_price), chosen, params, &input(), None)
    }

    fn audited(bps: u16) -> TermOptions {
        TermOptions {
            audit: Some(Rate(bps)),
            ..TermOptions::default()
        }
    }

    #[test]
    fn default_terms_pass_every_market() {
        for params in [MarketParams::PUBLIC, MarketParams::LOCAL] {
            let terms = chosen(1_000_000, &TermOptions::default(), &params).unwrap();
            assert_eq!((terms.floor, terms.collateral), (100_000, 1_000_000));
            assert_eq!((terms.ramp_secs, terms.claim_secs), (60, 120));
            assert!(!terms.is_audited());
        }
        let narrow = MarketParams {
            max_claim_secs: 30,
            max_output_bytes: 10,
            ..MarketParams::PUBLIC
        };
        let terms = chosen(1, &TermOptions::default(), &narrow).unwrap();
        assert_eq!(
            (terms.claim_secs, terms.ramp_secs, terms.output_limit),
            (30, 15, 10)
        );
    }

    #[test]
    fn audited_terms_are_completed_to_what_the_market_takes() {
        let params = MarketParams::PUBLIC;
        let terms = chosen(1_000_000, &audited(500), &params).unwrap();
        assert_eq!((terms.panel_size, terms.audit_fee), (2, 1_000_000));
        // 5 % of (39 + 1) is twice the price.
        assert_eq!(terms.collateral, 39_000_000);
        assert_eq!(terms.escrow().unwrap().0, 3_000_000);
        for rate in [1, 3, 7, 333, 500, 3_333, 9_999, 10_000] {
            for price in [1, 3, 999, 123_457, 99_999_999] {
                assert!(
                    chosen(price, &audited(rate), &params).is_ok(),
                    "{rate} {price}"
                );
            }
        }
        // A rate of zero is no audit.
        assert!(!chosen(1, &audited(0), &params).unwrap().is_audited());
    }

    #[test]
    fn chosen_collateral_is_as_little_as_the_market_takes() {
        let params = MarketParams::PUBLIC;
        for rate in [1, 333, 500, 3_333, 10_000] {
            for price in [3, 999, 123_457] {
                let needed = chosen(price, &audited(rate), &params).unwrap().collateral;
                let mut less = audited(rate);
                less.collateral = Some(Amount(needed - 1));
                let refused = chosen(price, &less, &params).unwrap_err().to_string();
                assert!(refused.contains(&Amount(needed).to_string()), "{refused}");
            }
        }
    }

    #[test]
    fn refused_audit_terms_name_what_would_do() {
        let refused = |change: fn(&mut TermOptions), price: u64| {
            let mut options = audited(500);
            change(&mut options);
            let refused = chosen(price, &options, &MarketParams::PUBLIC).unwrap_err();
            refused.to_string()
        };
        assert!(refused(|terms| terms.panel = Some(4), 100).contains("2 or 3"));
        assert!(refused(|terms| terms.panel = Some(0), 100).contains("2 or 3"));
        assert!(refused(|terms| terms.audit_fee = Some(Amount(99)), 100).contains("--audit-fee"));
        assert!(refused(|terms| terms.audit_fee = Some(Amount(201)), 100).contains("--audit-fee"));
        assert!(refused(|terms| terms.collateral = Some(Amount(1)), 100).contains("0.0000039 SOL"));
        // A rare audit of a dear job needs more collateral than there may be.
        let rare = refused(|terms| terms.audit = Some(Rate(1)), 100_000_000_000);
        assert!(rare.contains("raise --audit"), "{rare}");
    }

    #[test]
    fn terms_outside_the_market_are_refused_with_words() {
        let refused = |price: u64, change: fn(&mut TermOptions)| {
            let mut options = TermOptions::default();
            change(&mut options);
            let refused = chosen(price, &options, &MarketParams::PUBLIC).unwrap_err();
            refused.to_string()
        };
        assert!(refused(0, |_| ()).contains("ceiling"));
        assert!(refused(1_000, |terms| terms.min_price = Some(Amount(1_001))).contains("floor"));
        let long = refused(1_000, |terms| terms.claim_window = Some(Span(1_000_000)));
        assert!(long.contains("claim window"));
        let blank = refused(1_000, |terms| terms.input_uri = Some("https://x y".into()));
        assert!(blank.contains("uri"));
    }
}
