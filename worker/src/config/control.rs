//! Where the service for this machine's own user listens.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The service for this machine's own user: status page, `ps`, `drain`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlConfig {
    /// A loopback address and a port, 0 for a free one; empty for no such service.
    pub listen: String,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8951".into(),
        }
    }
}

impl ControlConfig {
    /// Where to listen; none for nowhere.
    pub fn address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let key = "control.listen";
        if self.listen.is_empty() {
            return Ok(None);
        }
        let address: SocketAddr = self.listen.parse().map_err(|_| ConfigError::Invalid {
            key,
            reason: format!(
                "{:?} is no address with a port; write it as \"127.0.0.1:8951\", or \"\" for none",
                self.listen
            ),
        })?;
        if !address.ip().is_loopback() {
            let reason = format!(
                "{address} can be reached from outside; the control service is for this machine alone: use \
                 127.0.0.1 or [::1], and from elsewhere a tunnel (`ssh -L 8951:127.0.0.1:8951 host`)"
            );
            return Err(ConfigError::Invalid { key, reason });
        }
        Ok(Some(address))
    }
}
