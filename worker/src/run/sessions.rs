//! Sessions of a worker that serves them.

use std::{sync::Arc, time::Duration};

use anyhow::bail;

use crate::{chain::RpcChain, config::Config, driver::Parts, sessions::Sessions};

/// Takes up what was kept of sessions; none where they are not enabled.
pub fn take_up(
    config: &Config,
    _parts: &Parts<RpcChain>,
    _generation: u64,
) -> anyhow::Result<Option<Arc<Sessions<RpcChain>>>> {
    if config.sessions.enabled {
        bail!("this worker has no engines for sessions yet; set sessions.enabled = false");
    }
    Ok(None)
}

/// Lets requests under way finish and settles, where there are sessions.
pub async fn end(sessions: Option<&Arc<Sessions<RpcChain>>>, patience: Duration) {
    if let Some(sessions) = sessions {
        sessions.end(patience).await;
    }
}
