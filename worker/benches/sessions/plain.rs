//! The same engines and queue behind plain HTTP: axum before [`Serving`], without sessions. A request is the input's
//! bytes, its response the output's, as with Python's server.

use std::{ffi::OsStr, path::Path, sync::Arc};

use anyhow::Result;
use assay_client::protocol::Digest;
use assay_engine::{EngineConfig, from_safetensors};
use assay_worker::{
    driver::Threads,
    serving::{Serve as _, Serving},
};
use axum::{
    Router, body::Bytes, extract::State, http::StatusCode, routing::post, serve::ListenerExt as _,
};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    child::{self, Server},
    subject::{Subject, host, serving},
    worker::artifacts,
};

/// A server's process and its folder.
pub struct Plain {
    pub server: Server,
    pub folder: TempDir,
}

impl Plain {
    /// Serves rows.onnx, with runs of up to so many requests.
    pub fn start(subject: &Subject, batch_size: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        subject.save(folder.path())?;
        let batch_size = batch_size.to_string();
        let path: &OsStr = folder.path().as_os_str();
        let server = Server::start(&["plain".as_ref(), path, batch_size.as_ref()])?;
        Ok(Self { server, folder })
    }
}

struct Served {
    serving: Serving,
    model: Digest,
    /// A safetensors file up to its elements.
    head: Vec<u8>,
}

/// [`Serving`] as a worker has it, of the model in this folder.
pub async fn serves(subject: &Subject, folder: &Path, batch_size: usize) -> Result<Serving> {
    let serving = Serving::new(
        serving(subject.digest(), batch_size),
        Arc::new(host(batch_size)?),
        Arc::new(artifacts(folder)?),
        (EngineConfig::default().limits, Threads::Many),
    );
    serving.info(subject.digest()).await?;
    Ok(serving)
}

/// Serves until it is killed. Says on which port.
pub async fn serve(arguments: &[&str]) -> Result<()> {
    let [folder, batch_size] = arguments else {
        anyhow::bail!("FOLDER BATCH_SIZE");
    };
    let subject = Subject::rows()?;
    let mut head = subject.body()?;
    head.truncate(head.len().saturating_sub(subject.input.data.len()));
    let served = Served {
        serving: serves(&subject, Path::new(folder), batch_size.parse()?).await?,
        model: subject.digest(),
        head,
    };
    let app = Router::new()
        .route("/", post(respond))
        .with_state(Arc::new(served));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    child::says(listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

async fn respond(State(served): State<Arc<Served>>, body: Bytes) -> Result<Vec<u8>, StatusCode> {
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    let input = [&*served.head, &*body].concat().into();
    let answer = served.serving.run(served.model, input).await;
    let outputs = from_safetensors(&answer.map_err(|_| failed)?).map_err(|_| failed)?;
    let output = outputs.into_iter().next().ok_or(failed)?;
    Ok(output.data)
}
