//! What answers requests of sessions, and takes its virtual time for it.

use std::{sync::Arc, time::Duration};

use assay_client::{protocol::Digest, session::GenerateRequest};
use assay_engine::ModelInfo;
use assay_worker::serving::{Piece, Serve, ServeError};
use axum::body::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};

use super::{engines, link::Life, mishaps::Call};

pub struct SimServe {
    pub life: Life,
    pub run_ms: u64,
}

impl SimServe {
    async fn work(&self, call: Call) -> Result<(), ServeError> {
        let fault = self.life.link.mishap(call);
        tokio::time::sleep(Duration::from_millis(self.run_ms)).await;
        match fault {
            Some(fault) => Err(ServeError::Unavailable(format!("{fault:?}"))),
            None => Ok(()),
        }
    }
}

impl Serve for SimServe {
    fn info(&self, _: Digest) -> BoxFuture<'_, Result<Arc<ModelInfo>, ServeError>> {
        Box::pin(async {
            self.work(Call::Load).await?;
            Ok(Arc::new(engines::info()))
        })
    }

    fn generates(&self, _: &ModelInfo) -> bool {
        false
    }

    fn room(&self, _: &ModelInfo) -> Option<usize> {
        None
    }

    fn run(&self, model: Digest, input: Bytes) -> BoxFuture<'_, Result<Bytes, ServeError>> {
        Box::pin(async move {
            self.work(Call::Run).await?;
            Ok(Digest::of(&[&model.0, &input]).0.to_vec().into())
        })
    }

    fn generate(
        &self,
        _: Digest,
        _: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, ServeError>>, ServeError>> {
        Box::pin(async { Err(ServeError::Unavailable("it generates nothing".into())) })
    }
}
