//! Receipts of answers that came, signed by the operator of then or of now.

use assay_client::{
    protocol::Digest,
    session::{ReceiptError, SignedReceipt},
};

use super::{Inner, pool::LiveLane};
use crate::{chain::ChainError, lane::Asked, providers::Provider};

/// A receipt with what it came with.
pub(super) struct Given {
    pub receipt: SignedReceipt,
    /// Digest of the answer.
    pub response: Digest,
    /// Lamports that it may cost, at most.
    pub limit: u64,
}

impl Inner {
    /// Takes the receipt of an answer to this request, as [`Lane::accept`](crate::lane::Lane::accept) does. Its provider's
    /// operator may be another than was known.
    pub(super) async fn accept(
        &self,
        lane: &mut LiveLane,
        asked: &Asked,
        given: &Given,
    ) -> Result<u64, ReceiptError> {
        let Given {
            receipt,
            response,
            limit,
        } = given;
        let accepted = lane.core.accept(receipt, asked, response, *limit);
        if accepted == Err(ReceiptError::Signature) && self.follow(lane).await.unwrap_or(false) {
            return lane.core.accept(receipt, asked, response, *limit);
        }
        accepted
    }

    /// Brings a lane up to its provider's account on chain. Whether its operator is another than was known.
    pub(super) async fn follow(&self, lane: &mut LiveLane) -> Result<bool, ChainError> {
        let known = *lane.core.operator();
        if let Some(provider) = self.provider_now(lane).await? {
            lane.follow(&provider);
        }
        Ok(*lane.core.operator() != known)
    }

    /// The lane's provider as the chain has it; none if it is gone or has registered anew.
    pub(super) async fn provider_now(
        &self,
        lane: &LiveLane,
    ) -> Result<Option<Provider>, ChainError> {
        let (address, generation) = (lane.account.provider, lane.account.generation);
        let found = self.chain.provider(&address).await?;
        let found = found.and_then(|data| Provider::of(address, &data));
        Ok(found.filter(|provider| provider.generation == generation))
    }
}
