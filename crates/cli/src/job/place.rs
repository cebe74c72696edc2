//! The one step that costs money: the input is handed over and the job created.

use anyhow::{Context as _, Result};
use assay_client::protocol::{Address, JobData};

use super::{create::Plan, handover};
use crate::{context::Context, transaction::Sent};

/// A job that was created.
pub struct Created {
    pub job: Address,
    pub sent: Sent,
}

impl Plan {
    /// Hands the input over and creates the job.
    pub async fn create(&self, context: &Context) -> Result<Created> {
        if self.terms.input_uri_len == 0 {
            handover::hand_over(context, self).await?;
        }
        let slot = context.cluster.slot().await?;
        let (job, create) = self.instruction(slot)?;
        let signed = context.sign("job create", &[create]).await?;
        let signed = signed.context("the job was not sent")?;
        // Said first: whatever happens from here on, the money can be found again.
        context.say(format_args!(
            "sending    {job}\n           signature {}",
            signed.signature()
        ));
        let sent = match context.land("job create", &signed).await {
            Ok(sent) => sent,
            Err(error) => match context.cluster.find::<JobData>(&job).await {
                // A node can lose sight of a transaction that landed; the account says that it did.
                Ok(Some(_)) => {
                    context
                        .details("job create", &signed.signature(), None)
                        .await
                }
                Ok(None) => return Err(error.context(not_there(&job))),
                Err(_) => return Err(error.context(unknown(&job))),
            },
        };
        Ok(Created { job, sent })
    }
}

fn not_there(job: &Address) -> String {
    format!(
        "the job was sent, and there is no account at {job}; should it appear all the same, `assay job watch {job}` \
         takes it up"
    )
}

fn unknown(job: &Address) -> String {
    format!(
        "the job was sent, and it is unknown whether it was created; `assay job watch {job}` takes it up if it was"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_after_sending_name_the_way_back() {
        let job = Address::new_from_array([7; 32]);
        for text in [not_there(&job), unknown(&job)] {
            assert!(text.contains(&format!("`assay job watch {job}`")), "{text}");
        }
    }
}
