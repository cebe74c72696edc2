//! Sessions of a worker that serves them.

use std::{sync::Arc, time::Duration};

use assay_client::protocol::UnixSeconds;
use assay_engine::Host;

use super::assembly;
use crate::{
    chain::RpcChain,
    config::{Config, ConfigError, SessionModel},
    driver::{Parts, Threads},
    serving::{Serving, ServingConfig},
    sessions::{SessionStore, Sessions},
};

/// Longest time of one run for a session: a request that takes longer is no request of a session.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// How sessions are to be served; none where they are not enabled.
pub fn serving(config: &Config) -> Result<Option<ServingConfig>, ConfigError> {
    let sessions = &config.sessions;
    if !sessions.enabled {
        return Ok(None);
    }
    let tokens = |tokens: u32| usize::try_from(tokens).unwrap_or(usize::MAX);
    let models = sessions.models.iter().map(SessionModel::digest);
    let longest = sessions.models.iter();
    let longest = longest.map(|model| {
        let longest = model.longest(sessions.max_tokens);
        Ok((model.digest()?, tokens(longest)))
    });
    Ok(Some(ServingConfig {
        models: models.collect::<Result<_, _>>()?,
        longest: longest.collect::<Result<_, ConfigError>>()?,
        engines: sessions.engines,
        batch_size: sessions.batch_size,
        batch_wait: Duration::from_micros(sessions.batch_wait_us),
        queue: sessions.queue,
        max_tokens: tokens(sessions.max_tokens),
        run_limit: RUN_LIMIT,
    }))
}

/// Takes up what was kept of sessions; none where they are not enabled.
pub fn take_up(
    config: &Config,
    parts: &Parts<RpcChain>,
    generation: u64,
    engines: Option<(ServingConfig, Arc<Host>)>,
) -> anyhow::Result<Option<Arc<Sessions<RpcChain>>>> {
    let Some((serving, host)) = engines else {
        return Ok(None);
    };
    let (artifacts, limits) = (Arc::clone(&parts.artifacts), config.engine.limits.clone());
    let serve = Serving::new(serving, host, artifacts, (limits, Threads::Many));
    let opened = SessionStore::open(&config.sessions_file(), UnixSeconds((parts.clock)()))?;
    let sessions = assembly::sessions(config, parts, generation, Arc::new(serve), opened)?;
    Ok(Some(sessions))
}

/// Lets requests under way finish and settles, where there are sessions.
pub async fn end(sessions: Option<&Arc<Sessions<RpcChain>>>, patience: Duration) {
    if let Some(sessions) = sessions {
        sessions.end(patience).await;
    }
}
