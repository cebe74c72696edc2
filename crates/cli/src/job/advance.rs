//! `assay job advance`: sends whatever time or a job's state allows, until nothing is left to do.

use anyhow::{Result, bail};
use assay_client::protocol::Address;
use serde_json::json;

use super::steps::{Next, Scene};
use crate::{context::Context, output};

/// Two panels of at most five seats, opened, resolved, settled and closed, stay far below.
const MOST_STEPS: usize = 40;

pub async fn run(context: &Context, address: Address) -> Result<()> {
    let payer = context.signer()?;
    let mut sent = Vec::new();
    let mut waits = None;
    let mut last = None;
    for _ in 0..MOST_STEPS {
        let Some(scene) = Scene::read(context, address).await? else {
            if sent.is_empty() {
                bail!(
                    "there is no job at {address} on {}; it may be closed already, or check --url",
                    context.cluster.url()
                );
            }
            break;
        };
        let step = match scene.next()? {
            Next::Do(step) => step,
            Next::Wait(text) => {
                waits = Some(text);
                break;
            }
        };
        // A node that lags shows the state from before the last transaction.
        let state = (step, scene.job.sequence);
        if last.replace(state) == Some(state) {
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
            continue;
        }
        match context
            .send(step.name(), &[step.instruction(&scene, payer)])
            .await
        {
            Ok(Some(done)) => {
                context.say(format_args!("{} done", step.name()));
                sent.push(done);
            }
            // Printed unsigned: what follows depends on it.
            Ok(None) => return Ok(()),
            Err(error) => {
                let now = Scene::read(context, address).await?;
                // Whoever else cares about the job may have been quicker.
                let moved = now.is_none_or(|now| now.next().ok() != Some(Next::Do(step)));
                if !moved {
                    return Err(error);
                }
            }
        }
    }
    if context.options.json {
        return output::json(
            &json!({ "address": address.to_string(), "transactions": sent, "waits_for": waits }),
        );
    }
    match waits {
        Some(text) => context.say(text),
        None => context.say("nothing is left to do for this job"),
    }
    Ok(())
}
