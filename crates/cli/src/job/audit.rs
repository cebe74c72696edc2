//! What a job's audit came to: who audited it, what they said, and what it cost.

use assay_chain::Panels;
use assay_client::protocol::{
    Address, JobData, UnixSeconds,
    events::PanelResolved,
    verdict::{Origin, Verdict},
};
use serde::Serialize;

use crate::{
    amount::{Amount, exact},
    view::PanelView,
};

/// An audit that has ended. Lamports.
#[derive(Clone, Debug, Serialize)]
pub struct AuditView {
    /// confirmed, upheld, overturned ..; absent if its transaction could not be read.
    pub verdict: Option<&'static str>,
    /// The panel that spoke last.
    pub level: u8,
    pub disputed: bool,
    /// The panels as they were last seen, the first level's first.
    pub panels: Vec<PanelView>,
    /// What the verdict moved; absent if its transaction could not be read.
    pub money: Option<Money>,
}

/// Where a verdict's money went. Lamports.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Money {
    /// To the requester, a dispute's bond included.
    #[serde(rename = "refund_lamports")]
    pub refund: u64,
    /// To the provider as the price, the market's share of it included.
    #[serde(rename = "paid_lamports")]
    pub paid: u64,
    #[serde(rename = "market_share_lamports")]
    pub market_share: u64,
    /// To the provider out of a lost dispute's bond.
    #[serde(rename = "bonus_lamports")]
    pub bonus: u64,
    /// From the provider's stake.
    #[serde(rename = "slash_lamports")]
    pub slash: u64,
    /// To the auditors, their bonds included.
    #[serde(rename = "payouts_lamports")]
    pub payouts: u64,
    #[serde(rename = "burned_lamports")]
    pub burned: u64,
}

impl AuditView {
    /// The audit of a job; none if no panel was ever convened.
    pub fn new(
        address: &Address,
        job: &JobData,
        panels: &Panels,
        resolved: Option<&PanelResolved>,
        now: UnixSeconds,
    ) -> Option<Self> {
        if job.level == 0 {
            return None;
        }
        let views = panels.iter().flatten();
        Some(Self {
            verdict: Verdict::from_byte(job.verdict).map(Verdict::name),
            level: job.level,
            // The verdict takes the bond away; a second panel without a first one was asked for.
            disputed: job.origin() == Origin::Dispute || (job.level == 2 && !job.has_panel(1)),
            panels: views
                .map(|panel| PanelView::new(address, panel, job, now))
                .collect(),
            money: resolved.map(Money::of),
        })
    }

    /// Lines for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "audited    panel {}: {}",
            self.level,
            self.verdict.map_or("no verdict was seen", meaning)
        )];
        for panel in &self.panels {
            for seat in &panel.seats {
                lines.push(format!(
                    "           panel {} {} {}",
                    panel.level,
                    seat.provider,
                    seat.vote.unwrap_or(seat.state)
                ));
            }
        }
        if let Some(money) = &self.money {
            lines.push(format!(
                "           {} to the auditors with their bonds, {} to the provider, {} slashed, {} burned, {} came back",
                Amount(money.payouts),
                Amount(money.paid.saturating_add(money.bonus)),
                Amount(money.slash),
                Amount(money.burned),
                exact(money.refund)
            ));
        }
        lines
    }
}

impl Money {
    const fn of(resolved: &PanelResolved) -> Self {
        Self {
            refund: resolved.refund,
            paid: resolved.paid,
            market_share: resolved.fee,
            bonus: resolved.bonus,
            slash: resolved.slash,
            payouts: resolved.payouts,
            burned: resolved.burned,
        }
    }
}

/// A verdict in words.
fn meaning(verdict: &str) -> &'static str {
    match verdict {
        "unattended" => "nobody joined; the provider was paid without an audit",
        "confirmed" => "every auditor found the provider's result",
        "primary silent" => "the provider did not reveal its result, and lost its collateral",
        "dissent" => "the auditors disagreed; the second panel decides",
        "silence" => "no auditor revealed; the second panel decides",
        "upheld" => "most auditors found the provider's result",
        "overturned" => "most auditors found another result; the provider lost its collateral",
        "undecided" => "too few auditors revealed, or they were split",
        _ => "a verdict unknown to this client",
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    #[test]
    fn every_verdict_has_words() {
        for byte in 1..=8 {
            let verdict = Verdict::from_byte(byte).unwrap();
            assert!(!meaning(verdict.name()).contains("unknown"), "{verdict:?}");
        }
    }

    #[test]
    fn jobs_that_were_not_drawn_have_no_audit() {
        let job = JobData::zeroed();
        let none = AuditView::new(
            &Address::default(),
            &job,
            &[None, None],
            None,
            UnixSeconds(0),
        );
        assert!(none.is_none());
    }

    #[test]
    fn money_is_told_where_it_is_known() {
        let job = JobData {
            level: 2,
            verdict: Verdict::Overturned as u8,
            ..JobData::zeroed()
        };
        let resolved = PanelResolved {
            refund: 3_000_000_000,
            slash: 39_000_000_000,
            ..PanelResolved::zeroed()
        };
        let view = |resolved| {
            AuditView::new(
                &Address::default(),
                &job,
                &[None, None],
                resolved,
                UnixSeconds(0),
            )
            .unwrap()
        };
        let lines = view(Some(&resolved)).lines();
        assert!(lines[0].contains("lost its collateral"), "{lines:?}");
        assert!(lines[1].contains("39 SOL slashed"), "{lines:?}");
        assert!(view(None).disputed);
        assert_eq!(view(None).lines().len(), 1);
    }
}
