//! How many providers could audit a job.

use assay_chain::Found;
use assay_client::protocol::{
    Address, JobData, Lamports, ProviderData, UnixSeconds, limits::MAX_SEATS, market::MarketParams,
    panel::BOND_FEES, terms::JobTerms,
};
use bytemuck::Zeroable as _;
use serde::Serialize;

/// Auditors of a job, as the market's providers stand now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Auditors {
    /// Could audit, the provider that computes left out.
    pub eligible: usize,
    /// Seats that may be filled: of both levels, or of the second one only.
    pub seats: usize,
}

impl Auditors {
    /// Those that could decide a dispute over a job.
    pub fn of_dispute(providers: &[Found<ProviderData>], job: &JobData) -> Self {
        let eligible = providers.iter().filter(|found| may_audit(found, job));
        Self {
            eligible: eligible.count(),
            seats: MAX_SEATS,
        }
    }

    /// Those of a job that would be created now. Without an exclusive provider one of them may be the one that
    /// computes, and cannot audit itself.
    pub fn of_terms(
        providers: &[Found<ProviderData>],
        terms: &JobTerms,
        params: &MarketParams,
        now: UnixSeconds,
    ) -> Self {
        let job = JobData {
            provider: terms.exclusive_provider,
            runtime_class: terms.runtime_class,
            audit_fee: terms.audit_fee,
            panel_size: terms.panel_size,
            ticket_stake: params.ticket_stake,
            stake_age_secs: params.stake_age_secs,
            created_at: now.0,
            ..JobData::zeroed()
        };
        let eligible = providers.iter().filter(|found| may_audit(found, &job));
        let mut auditors = Self {
            eligible: eligible.count(),
            seats: usize::from(job.panel_size).saturating_add(MAX_SEATS),
        };
        let may_compute = |found: &&Found<ProviderData>| {
            let class = terms.runtime_class;
            (class == [0; 32] || class == found.data.runtime_class)
                && found
                    .data
                    .free_stake()
                    .is_ok_and(|free| free.0 >= terms.collateral)
        };
        let mut both = providers
            .iter()
            .filter(may_compute)
            .filter(|found| may_audit(found, &job));
        if terms.exclusive_provider == Address::default() && both.next().is_some() {
            auditors.eligible = auditors.eligible.saturating_sub(1);
        }
        auditors
    }

    /// Whether every seat of both levels could be filled.
    pub fn suffice(&self) -> bool {
        self.eligible >= self.seats
    }

    pub fn sentence(&self) -> String {
        format!(
            "{} could audit now, besides the one that computes, for up to {} seats",
            self.eligible, self.seats
        )
    }

    /// What too few of them mean.
    pub fn warning(&self) -> Option<String> {
        if self.suffice() {
            return None;
        }
        let eligible = self.eligible;
        let consequence = if eligible == 0 {
            "nobody would join a panel, and then the provider is paid unaudited"
        } else if eligible < usize::from(assay_client::protocol::verdict::QUORUM) {
            "a second panel could not decide anything, and a dispute or a dissent stays open"
        } else {
            "panels stay incomplete, and few auditors decide"
        };
        Some(format!(
            "only {eligible} providers could audit this job, for the {} seats of both levels: {consequence}",
            self.seats
        ))
    }
}

/// The program's own conditions for a seat, with a provider's first ticket.
fn may_audit(found: &Found<ProviderData>, job: &JobData) -> bool {
    let bond = Lamports(job.audit_fee).times(BOND_FEES);
    let free = found.data.free_stake();
    found.data.require_auditor(&found.address, job, 0).is_ok()
        && matches!((free, bond), (Ok(free), Ok(bond)) if free >= bond)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(100_000);

    fn provider(number: u8, stake: u64) -> Found<ProviderData> {
        Found {
            address: Address::new_from_array([number; 32]),
            data: ProviderData {
                status: 1,
                stake,
                aged_at: 1,
                ..ProviderData::zeroed()
            },
        }
    }

    fn terms() -> JobTerms {
        JobTerms {
            ceiling: 100,
            collateral: 3_900,
            audit_fee: 100,
            audit_bps: 500,
            panel_size: 2,
            ..JobTerms::zeroed()
        }
    }

    fn params() -> MarketParams {
        MarketParams {
            ticket_stake: 1_000,
            stake_age_secs: 60,
            ..MarketParams::PUBLIC
        }
    }

    fn count(providers: &[Found<ProviderData>], terms: &JobTerms) -> usize {
        Auditors::of_terms(providers, terms, &params(), NOW).eligible
    }

    #[test]
    fn one_that_could_compute_is_not_counted() {
        let providers: Vec<_> = (1..=8).map(|number| provider(number, 10_000)).collect();
        let auditors = Auditors::of_terms(&providers, &terms(), &params(), NOW);
        assert_eq!((auditors.eligible, auditors.seats), (7, 7));
        assert_eq!(auditors.warning(), None);
        // The one that alone may compute does not audit either.
        let exclusive = JobTerms {
            exclusive_provider: providers[0].address,
            ..terms()
        };
        assert_eq!(count(&providers, &exclusive), 7);
        // Providers that can only audit all count.
        let small: Vec<_> = (1..=3).map(|number| provider(number, 1_000)).collect();
        assert_eq!(count(&small, &terms()), 3);
    }

    #[test]
    fn every_condition_of_a_seat_counts() {
        let exclusive = JobTerms {
            exclusive_provider: Address::new_from_array([99; 32]),
            ..terms()
        };
        let eligible = |change: fn(&mut ProviderData)| {
            let mut found = provider(1, 10_000);
            change(&mut found.data);
            count(&[found], &exclusive)
        };
        assert_eq!(eligible(|_| ()), 1);
        assert_eq!(eligible(|provider| provider.stake = 999), 0, "no ticket");
        assert_eq!(eligible(|provider| provider.reserved = 9_501), 0, "no bond");
        assert_eq!(eligible(|provider| provider.reserved = 9_500), 1);
        assert_eq!(
            eligible(|provider| provider.unbonding = 9_001),
            0,
            "leaving"
        );
        assert_eq!(
            eligible(|provider| provider.aged_at = NOW.0 - 59),
            0,
            "too young"
        );
        assert_eq!(eligible(|provider| provider.aged_at = NOW.0 - 60), 1);
        let class = JobTerms {
            runtime_class: [3; 32],
            ..exclusive
        };
        assert_eq!(count(&[provider(1, 10_000)], &class), 0, "another class");
    }

    #[test]
    fn too_few_are_warned_of() {
        let warn = |eligible| Auditors { eligible, seats: 7 }.warning();
        assert!(warn(0).unwrap().contains("paid unaudited"));
        assert!(warn(2).unwrap().contains("decide anything"));
        assert!(warn(6).unwrap().contains("incomplete"));
        assert_eq!(warn(7), None);
    }
}
