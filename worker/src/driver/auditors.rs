//! Whether others could judge a job, before it is claimed.

use std::{sync::Arc, time::Duration};

use assay_client::protocol::{Address, JobData, Lamports, ProviderData, panel::BOND_FEES};
use tokio::{sync::Mutex, time::Instant};

use super::prepare::PrepareError;
use crate::chain::{Chain, ChainError};

/// Who must be there before an audited job is claimed.
#[derive(Clone)]
pub struct Auditors {
    needed: usize,
    /// Ourselves: not counted.
    provider: Address,
    known: Arc<Providers>,
}

/// How long a list of all providers is good: stake for a seat must be older than the job anyway.
const LIST_FOR: Duration = Duration::from_secs(60);

/// Every provider as last listed. A stranger's jobs that lack auditors are prepared again and again, and must not
/// have the list, the dearest of all requests, made each time.
#[derive(Default)]
struct Providers(Mutex<Option<(Arc<Listed>, Instant)>>);

type Listed = Vec<(Address, ProviderData)>;

impl Providers {
    async fn get<C: Chain>(&self, chain: &C) -> Result<Arc<Listed>, ChainError> {
        let mut kept = self.0.lock().await;
        if let Some((listed, at)) = &*kept
            && at.elapsed() < LIST_FOR
        {
            return Ok(Arc::clone(listed));
        }
        let listed = Arc::new(chain.providers().await?);
        *kept = Some((Arc::clone(&listed), Instant::now()));
        Ok(listed)
    }
}

impl Auditors {
    pub fn new(needed: usize, provider: Address) -> Self {
        Self {
            needed,
            provider,
            known: Arc::default(),
        }
    }

    /// How many others may audit a job that we would claim.
    fn count(&self, providers: &[(Address, ProviderData)], job: &JobData) -> usize {
        let bond = Lamports(job.audit_fee).times(BOND_FEES);
        let may_audit = |(address, provider): &&(Address, ProviderData)| {
            let free = provider.free_stake();
            let pays = free.is_ok_and(|free| bond.is_ok_and(|bond| bond <= free));
            let admitted = provider.require_auditor(address, job, 0).is_ok();
            *address != self.provider && pays && admitted
        };
        providers.iter().filter(may_audit).count()
    }

    pub async fn require<C: Chain>(&self, chain: &C, job: &JobData) -> Result<(), PrepareError> {
        if self.needed == 0 {
            return Ok(());
        }
        let found = self.count(&self.known.get(chain).await?, job);
        let needed = self.needed;
        if found < needed {
            return Err(PrepareError::TooFewAuditors { found, needed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;
    use crate::chain::fake::{Node, Trouble, chain};

    #[tokio::test]
    async fn providers_are_listed_once_a_minute_however_many_jobs_lack_auditors() {
        let node = Node::start().await;
        let chain = chain(&[&node]);
        let auditors = Auditors::new(1, Address::default());
        let job = JobData::zeroed();
        // What failed is not kept.
        node.trouble("getProgramAccounts", Trouble::Garbage);
        auditors.require(&chain, &job).await.unwrap_err();
        node.mend();
        chain.check().await;
        for _ in 0..3 {
            let refused = auditors.require(&chain, &job).await.unwrap_err();
            assert!(matches!(refused, PrepareError::TooFewAuditors { .. }));
        }
        assert_eq!(node.count("getProgramAccounts"), 2);
        tokio::time::pause();
        tokio::time::advance(LIST_FOR).await;
        tokio::time::resume();
        auditors.require(&chain, &job).await.unwrap_err();
        assert_eq!(node.count("getProgramAccounts"), 3);
    }

    #[test]
    fn auditors_are_others_with_aged_stake_enough_for_a_seat() {
        let key = |byte| Address::new_from_array([byte; 32]);
        let mut job = JobData::zeroed();
        (job.audit_fee, job.ticket_stake) = (10, 100);
        (job.created_at, job.stake_age_secs) = (1_000, 50);
        let provider = |change: fn(&mut ProviderData)| {
            let mut provider = ProviderData::zeroed();
            (provider.stake, provider.aged_at) = (1_000, 950);
            change(&mut provider);
            provider
        };
        let providers = [
            (key(1), provider(|_| ())),
            (key(2), provider(|_| ())),
            (key(3), provider(|other| other.stake = 99)),
            (key(4), provider(|other| other.aged_at = 951)),
            (key(5), provider(|other| other.reserved = 951)),
            (key(6), provider(|other| other.reserved = 950)),
        ];
        let auditors = Auditors::new(2, key(1));
        assert_eq!(auditors.count(&providers, &job), 2, "providers 2 and 6");
        job.runtime_class = [1; 32];
        assert_eq!(auditors.count(&providers, &job), 0);
    }
}
