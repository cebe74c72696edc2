//! Handing an input to the workers that might take the job.

use std::time::Duration;

use anyhow::{Result, bail};
use assay_chain::Found;
use assay_client::{
    PROGRAM_ID,
    delivery::{Info, Models},
    protocol::ProviderData,
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::create::Plan;
use crate::{
    amount::Amount,
    context::Context,
    delivery::{Refusals, Worker},
};

/// Most workers that an input is handed to.
const MAX_WORKERS: usize = 8;
/// Once one has the input, the others hold the job up for no longer than this.
const OTHERS: Duration = Duration::from_secs(3);

/// A worker that did not take the input, and why.
type Refused = (String, String);

/// Gives the input to every worker that could claim the job; at least one must take it.
pub async fn hand_over(context: &Context, plan: &Plan) -> Result<()> {
    let candidates = candidates(context, plan).await?;
    if candidates.is_empty() {
        bail!(
            "no provider could take this job: {} of free stake and an endpoint are needed; see `assay provider list`, \
             or lower --collateral",
            Amount(plan.terms.collateral)
        );
    }
    let mut tasks = JoinSet::new();
    for provider in candidates {
        let offer = Offer {
            provider,
            ceiling: plan.terms.ceiling,
            model_digest: hex::encode(plan.model.data.digest),
            model_bytes: plan.model.data.size,
            digest: plan.input.digest,
            bytes: plan.input.bytes.clone(),
            allow_private: context.allow_private(),
        };
        tasks.spawn(async move { offer.make().await });
    }
    let workers = tasks.len();
    let (taken, refusals) = gather(tasks).await?;
    if taken == 0 {
        let lines: Vec<String> = refusals
            .iter()
            .map(|(who, why)| format!("\n  {who}: {why}"))
            .collect();
        bail!(
            "no worker took the input, so nothing was paid; try later, raise --max-price, or use --input-uri:{}",
            lines.concat()
        );
    }
    if context.options.verbose {
        for (who, why) in &refusals {
            context.say(format_args!("  {who}: {why}"));
        }
    }
    context.say(format_args!("input handed to {taken} of {workers} workers"));
    Ok(())
}

/// Waits for what comes of the offers, but not for long once one was taken. The others then go on beside the job: a worker
/// may be quick to take the input and never claim.
async fn gather(mut offers: JoinSet<Result<(), Refused>>) -> Result<(u32, Refusals)> {
    let (mut taken, mut refusals) = (0_u32, Refusals::new());
    let mut until = None;
    loop {
        let next = match until {
            None => offers.join_next().await,
            Some(until) => timeout_at(until, offers.join_next()).await.ok().flatten(),
        };
        match next.transpose()? {
            Some(Ok(())) => {
                taken = taken.saturating_add(1);
                until.get_or_insert_with(|| Instant::now() + OTHERS);
            }
            Some(Err((who, why))) => {
                refusals.insert(who, why);
            }
            None => break,
        }
    }
    offers.detach_all();
    Ok((taken, refusals))
}

async fn candidates(context: &Context, plan: &Plan) -> Result<Vec<Found<ProviderData>>> {
    let mut providers = match &plan.exclusive {
        Some(provider) => vec![*provider],
        None => context.cluster.list::<ProviderData>(&[]).await?,
    };
    let class = plan.terms.runtime_class;
    providers.retain(|found| {
        let free = found.data.free_stake().map_or(0, |free| free.0);
        free >= plan.terms.collateral
            && found.data.endpoint_len > 0
            && (class == [0; 32] || class == found.data.runtime_class)
    });
    providers.sort_by_key(|found| (std::cmp::Reverse(found.data.stake), found.address));
    providers.truncate(MAX_WORKERS);
    Ok(providers)
}

/// An input on its way to one worker.
struct Offer {
    provider: Found<ProviderData>,
    ceiling: u64,
    model_digest: String,
    model_bytes: u64,
    digest: assay_client::protocol::Digest,
    bytes: Vec<u8>,
    allow_private: bool,
}

impl Offer {
    /// Asks first: a worker that would not take the job need not get the input.
    async fn make(self) -> Result<(), Refused> {
        let worker = match Worker::of(&self.provider.data, self.allow_private) {
            Ok(Some(worker)) => worker,
            Ok(None) => {
                return Err((
                    self.provider.address.to_string(),
                    "has no endpoint".to_owned(),
                ));
            }
            Err(error) => return Err((self.provider.address.to_string(), format!("{error:#}"))),
        };
        let why = |error: anyhow::Error| (worker.name().to_owned(), format!("{error:#}"));
        let info = worker.info().await.map_err(why)?;
        if let Some(reason) = self.unwilling(&info) {
            return Err((worker.name().to_owned(), reason));
        }
        worker
            .put_blob(&self.digest, &self.bytes)
            .await
            .map_err(why)
    }

    /// Why the worker would not take the job, by its own words.
    fn unwilling(&self, info: &Info) -> Option<String> {
        let bytes = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        let policy = &info.policy;
        if info.program_id != PROGRAM_ID {
            Some(format!("works for another program, {}", info.program_id))
        } else if info.provider != self.provider.address {
            Some(format!("works for another provider, {}", info.provider))
        } else if !info.accepting {
            Some("takes no new jobs at present".to_owned())
        } else if policy.min_price_lamports > self.ceiling {
            Some(format!(
                "wants at least {}",
                Amount(policy.min_price_lamports)
            ))
        } else if bytes > policy.max_input_bytes {
            Some(format!(
                "takes inputs of at most {} bytes",
                policy.max_input_bytes
            ))
        } else if self.model_bytes > policy.max_model_bytes {
            Some(format!(
                "takes models of at most {} bytes",
                policy.max_model_bytes
            ))
        } else if matches!(&policy.models, Models::Listed(known) if !known.contains(&self.model_digest))
        {
            Some("does not serve this model".to_owned())
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_client::{
        delivery::Policy,
        protocol::{Address, Digest},
    };

    use super::*;
    use crate::delivery::INFO_TIMEOUT;

    fn offer() -> Offer {
        Offer {
            provider: Found {
                address: Address::new_from_array([3; 32]),
                data: bytemuck::Zeroable::zeroed(),
            },
            ceiling: 1_000,
            model_digest: "ab".repeat(32),
            model_bytes: 500,
            digest: Digest([1; 32]),
            bytes: vec![0; 100],
            allow_private: true,
        }
    }

    fn info() -> Info {
        Info {
            provider: Address::new_from_array([3; 32]),
            operator: Address::default(),
            version: "0".into(),
            program_id: PROGRAM_ID,
            policy: Policy {
                min_price_lamports: 1_000,
                models: Models::Any,
                max_input_bytes: 100,
                max_model_bytes: 500,
            },
            runtime_class: [0; 32],
            accepting: true,
        }
    }

    #[test]
    fn willing_worker_is_offered_the_input() {
        assert_eq!(offer().unwilling(&info()), None);
        let mut listed = info();
        listed.policy.models = Models::Listed(vec!["ab".repeat(32)]);
        assert_eq!(offer().unwilling(&listed), None);
    }

    #[test]
    fn unwilling_worker_is_left_out_with_its_reason() {
        let reason = |change: fn(&mut Info)| {
            let mut info = info();
            change(&mut info);
            offer().unwilling(&info).unwrap()
        };
        assert!(reason(|info| info.accepting = false).contains("no new jobs"));
        assert!(reason(|info| info.policy.min_price_lamports = 1_001).contains("wants at least"));
        assert!(reason(|info| info.policy.max_input_bytes = 99).contains("inputs"));
        assert!(reason(|info| info.policy.max_model_bytes = 499).contains("models of at most"));
        assert!(
            reason(|info| info.policy.models = Models::Listed(Vec::new())).contains("this model")
        );
        assert!(reason(|info| info.program_id = Address::default()).contains("another program"));
        assert!(reason(|info| info.provider = Address::default()).contains("another provider"));
    }

    /// Connections to it are made, and nothing is ever said there.
    #[tokio::test(start_paused = true)]
    async fn worker_that_never_answers_holds_no_job_up_for_long() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        for (takers, most) in [(1, OTHERS), (0, INFO_TIMEOUT)] {
            let mut offers = JoinSet::new();
            let mut asked = offer();
            let data = &mut asked.provider.data;
            data.endpoint[..endpoint.len()].copy_from_slice(endpoint.as_bytes());
            data.endpoint_len = endpoint.len().try_into().unwrap();
            offers.spawn(asked.make());
            for _ in 0..takers {
                offers.spawn(async { Ok(()) });
            }
            let began = Instant::now();
            let (taken, refusals) = gather(offers).await.unwrap();
            assert_eq!((taken, refusals.len()), (takers, usize::from(takers == 0)));
            let took = began.elapsed();
            assert!(took <= most, "{took:?}");
        }
    }
}
