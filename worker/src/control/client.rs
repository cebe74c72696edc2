//! The commands' side: asks the worker that runs with the same configuration.

use std::{path::PathBuf, time::Duration};

use reqwest::{Client as Http, Method, Response};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Handover, HandoverError, Ticket, snapshot::Snapshot};
use crate::config::Config;

/// For an answer; the worker is on this very machine.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Handover(#[from] HandoverError),
    #[error("control.listen is \"\", so no worker with this configuration can be asked")]
    Off,
    #[error(
        "no worker answers at {url}, where {data_dir} says that one is; if it was killed, start it again (`assay-worker \
         run`): {reason}"
    )]
    Silent {
        url: String,
        data_dir: PathBuf,
        reason: String,
    },
    #[error("the worker at {url} refused: {message}")]
    Refused { url: String, message: String },
    #[error(
        "the worker at {url} answered what cannot be read: {reason}; is it of another version?"
    )]
    Answer { url: String, reason: String },
}

/// A worker that can be asked.
pub struct Client {
    handover: Handover,
    data_dir: PathBuf,
    http: Http,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Client {
    /// Finds the worker; whether it answers shows with the first question.
    pub fn find(config: &Config) -> Result<Self, ClientError> {
        let handover = match Handover::read(&config.data_dir) {
            Err(HandoverError::Absent { .. }) if config.control.listen.is_empty() => {
                return Err(ClientError::Off);
            }
            found => found?,
        };
        // Loopback, whatever proxy the environment names; a redirect would lead elsewhere.
        let http = Http::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build();
        Ok(Self {
            http: http.map_err(|error| ClientError::Answer {
                url: handover.url.clone(),
                reason: error.to_string(),
            })?,
            data_dir: config.data_dir.clone(),
            handover,
        })
    }

    pub fn url(&self) -> &str {
        &self.handover.url
    }

    pub async fn snapshot(&self) -> Result<Snapshot, ClientError> {
        self.ask(Method::GET, "/api/status").await
    }

    /// Drains or resumes; the snapshot after it.
    pub async fn drain(&self, draining: bool) -> Result<Snapshot, ClientError> {
        let path = if draining {
            "/api/drain"
        } else {
            "/api/resume"
        };
        self.ask(Method::POST, path).await
    }

    pub async fn ticket(&self) -> Result<Ticket, ClientError> {
        self.ask(Method::POST, "/api/tickets").await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, ClientError> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.handover.url))
            .bearer_auth(&self.handover.token);
        let answer = request.send().await.map_err(|error| self.silent(&error))?;
        if answer.status().is_success() {
            return answer.json().await.map_err(|error| self.answer(&error));
        }
        Err(ClientError::Refused {
            message: message(answer).await,
            url: self.handover.url.clone(),
        })
    }

    fn silent(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Silent {
            url: self.handover.url.clone(),
            data_dir: self.data_dir.clone(),
            reason: innermost(error),
        }
    }

    fn answer(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Answer {
            url: self.handover.url.clone(),
            reason: innermost(error),
        }
    }
}

async fn message(answer: Response) -> String {
    let status = answer.status();
    let refusal = answer.json::<Refusal>().await;
    refusal.map_or_else(|_| format!("status {status}"), |refusal| refusal.message)
}

/// What lies under the layers that only repeat each other.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &std::path::Path, listen: &str) -> Config {
        let mut config = Config {
            data_dir: folder.to_owned(),
            ..Config::default()
        };
        config.control.listen = listen.into();
        config
    }

    #[tokio::test]
    async fn worker_that_does_not_run_is_told_from_one_that_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let error = Client::find(&config(folder.path(), "127.0.0.1:0"))
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .starts_with("no worker answers: there is no "),
            "{error}"
        );
        let error = Client::find(&config(folder.path(), "")).err().unwrap();
        assert!(matches!(error, ClientError::Off), "{error}");
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let left = Handover {
            url: url.clone(),
            token: "old".into(),
            process: 1,
            version: "0".into(),
        };
        let _written = left.write(folder.path()).unwrap();
        let client = Client::find(&config(folder.path(), "")).unwrap();
        let error = client.snapshot().await.err().unwrap().to_string();
        assert!(
            error.starts_with(&format!("no worker answers at {url}")),
            "{error}"
        );
    }
}
