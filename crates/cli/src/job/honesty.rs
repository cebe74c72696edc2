//! What honesty is worth under a job's terms: what a cheat can gain, and what it loses on average.

use assay_client::protocol::{
    market::MarketParams,
    terms::{COLLATERAL_AUDIT_FEES, JobTerms},
};
use serde::Serialize;

use crate::amount::{Amount, percent};

/// Ten thousand basis points are one.
const WHOLE: u128 = 10_000;

/// The deterrence rule with a job's numbers. Lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Honesty {
    /// The most that a provider saves by not computing: the price.
    #[serde(rename = "cheating_gains_at_most_lamports")]
    pub gain: u64,
    /// What a provider that is found out loses: collateral and price.
    #[serde(rename = "found_out_loses_lamports")]
    pub loss: u64,
    /// That times the chance of an audit.
    #[serde(rename = "expected_loss_lamports")]
    pub expected_loss: u64,
    /// Expected loss over gain.
    pub ratio_bps: u64,
    /// What the market asks of it.
    pub required_ratio_bps: u32,
    /// Least collateral for that ratio, and for the fees of every auditor that a verdict can owe.
    #[serde(rename = "collateral_for_deterrence_lamports")]
    pub for_deterrence: u64,
    #[serde(rename = "collateral_for_fees_lamports")]
    pub for_fees: u64,
    audit_bps: u16,
}

impl Honesty {
    /// The rule for audited terms; none for unaudited ones, under which honesty is worth nothing.
    pub fn of(terms: &JobTerms, params: &MarketParams) -> Option<Self> {
        if !terms.is_audited() {
            return None;
        }
        let loss = terms.collateral.saturating_add(terms.ceiling);
        let rate = u128::from(terms.audit_bps);
        let expected_loss = narrow(u128::from(loss) * rate / WHOLE);
        Some(Self {
            gain: terms.ceiling,
            loss,
            expected_loss,
            ratio_bps: narrow(u128::from(loss) * rate / u128::from(terms.ceiling.max(1))),
            required_ratio_bps: params.deterrence_bps,
            for_deterrence: deterrent(terms.ceiling, terms.audit_bps, params.deterrence_bps),
            for_fees: fees(terms.audit_fee),
            audit_bps: terms.audit_bps,
        })
    }

    /// In words.
    pub fn sentence(&self) -> String {
        format!(
            "cheating gains at most {} and loses {} on average ({} of {}), {} times that; the market asks for {} times",
            Amount(self.gain),
            Amount(self.expected_loss),
            percent(self.audit_bps),
            Amount(self.loss),
            times(self.ratio_bps),
            times(u64::from(self.required_ratio_bps))
        )
    }

    /// What the collateral is for.
    pub fn collateral(&self) -> String {
        format!(
            "at least {} for that, and {} for {COLLATERAL_AUDIT_FEES} audit fees",
            Amount(self.for_deterrence),
            Amount(self.for_fees)
        )
    }
}

/// Least collateral that the market takes with these terms.
pub fn collateral(ceiling: u64, audit_fee: u64, audit_bps: u16, deterrence_bps: u32) -> u64 {
    ceiling
        .max(fees(audit_fee))
        .max(deterrent(ceiling, audit_bps, deterrence_bps))
}

/// Why it is that much.
pub fn why(ceiling: u64, audit_fee: u64, audit_bps: u16, deterrence_bps: u32) -> String {
    if audit_bps == 0 {
        return "the price itself, so that a late provider pays for what it blocked".to_owned();
    }
    format!(
        "{} so that an audit rate of {} makes cheating lose {} times what it gains, and {} for \
         {COLLATERAL_AUDIT_FEES} audit fees",
        Amount(deterrent(ceiling, audit_bps, deterrence_bps)),
        percent(audit_bps),
        times(u64::from(deterrence_bps)),
        Amount(fees(audit_fee))
    )
}

fn fees(audit_fee: u64) -> u64 {
    audit_fee.saturating_mul(u64::from(COLLATERAL_AUDIT_FEES))
}

/// The least C with `audit_bps * (C + K) >= deterrence_bps * K`, both sides rounded as the market does.
fn deterrent(ceiling: u64, audit_bps: u16, deterrence_bps: u32) -> u64 {
    if audit_bps == 0 {
        return 0;
    }
    let gain = (u128::from(ceiling) * u128::from(deterrence_bps)).div_ceil(WHOLE);
    let both = (gain * WHOLE).div_ceil(u128::from(audit_bps));
    narrow(both.saturating_sub(u128::from(ceiling)))
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn times(bps: u64) -> String {
    let text = format!("{}.{:02}", bps / 10_000, bps % 10_000 / 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    fn terms(collateral: u64) -> JobTerms {
        JobTerms {
            ceiling: 1_000_000,
            collateral,
            audit_fee: 1_000_000,
            audit_bps: 500,
            panel_size: 2,
            ..JobTerms::zeroed()
        }
    }

    #[test]
    fn rule_is_shown_with_its_numbers() {
        let honesty = Honesty::of(&terms(39_000_000), &MarketParams::PUBLIC).unwrap();
        assert_eq!((honesty.gain, honesty.loss), (1_000_000, 40_000_000));
        assert_eq!(
            (honesty.expected_loss, honesty.ratio_bps),
            (2_000_000, 20_000)
        );
        assert_eq!(
            (honesty.for_deterrence, honesty.for_fees),
            (39_000_000, 20_000_000)
        );
        let text = honesty.sentence();
        assert!(
            text.contains("0.002 SOL on average (5 % of 0.04 SOL), 2 times"),
            "{text}"
        );
    }

    #[test]
    fn more_collateral_is_worth_more_honesty() {
        let ratio = |collateral| {
            Honesty::of(&terms(collateral), &MarketParams::PUBLIC)
                .unwrap()
                .ratio_bps
        };
        assert!(ratio(78_000_000) > ratio(39_000_000));
        assert_eq!(times(39_500), "3.95");
        assert_eq!(times(20_000), "2");
    }

    #[test]
    fn unaudited_terms_deter_nobody() {
        assert_eq!(
            Honesty::of(&JobTerms::zeroed(), &MarketParams::PUBLIC),
            None
        );
        assert_eq!(collateral(100, 0, 0, 20_000), 100);
    }

    #[test]
    fn fees_decide_where_audits_are_certain() {
        // 100 %: deterrence needs one price, 20 fees are more.
        assert_eq!(deterrent(100, 10_000, 20_000), 100);
        assert_eq!(collateral(100, 100, 10_000, 20_000), 2_000);
    }
}
