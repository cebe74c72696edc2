//! What a person should know or do once a job has ended.

use assay_client::protocol::{JobStatus, verdict::Verdict};

use super::Session;
use crate::{job::follow::Ended, plain::plain};

impl Session<'_> {
    /// A result that auditors did not find is no result to rely on, though it is what was delivered.
    pub(super) fn warn_of_verdict(&self, ended: &Ended) {
        let verdict = Verdict::from_byte(ended.job.verdict);
        let warning = match (ended.job.status(), verdict) {
            (Ok(JobStatus::Faulted), Some(Verdict::Overturned)) => {
                "DO NOT RELY ON THIS RESULT: most auditors found another one."
            }
            (Ok(JobStatus::Faulted), _) => {
                "DO NOT RELY ON THIS RESULT: its provider did not stand by it and was slashed."
            }
            (Ok(JobStatus::Unresolved), _) => {
                "DOUBTFUL RESULT: an auditor found another one, and the second panel could not decide."
            }
            _ => return,
        };
        self.context.say(warning);
    }

    /// What the person should know or do now.
    pub(super) fn advise(&self, ended: &Ended, own: bool) {
        let (job, provider) = (self.job, ended.job.provider);
        let status = ended.job.status().ok();
        if let Some(mismatch) = &ended.mismatch {
            let way_out = if ended.job.is_unaudited() {
                "The job is unaudited: the provider can still settle after the challenge window."
                    .to_owned()
            } else {
                format!(
                    "`assay job dispute {job}` has auditors decide, within the challenge window."
                )
            };
            self.context.say(format_args!(
                "NOT VERIFIED: {}.\nThe result was not acknowledged. {way_out} Keep this output and avoid the provider \
                 {provider}.",
                plain(&mismatch.to_string()),
            ));
        } else if ended.held {
            self.context.say(format_args!(
                "not acknowledged. Check it with `assay verify`; then `assay job watch {job}` acknowledges it, or `assay \
                 job dispute {job}` objects"
            ));
        } else if own && ended.result.is_none() && status == Some(JobStatus::Settled) {
            let committed = ended.job.commitment != [0; 32];
            self.context.say(if committed {
                format!(
                    "NOTHING WAS DELIVERED: the provider {provider} was paid without handing over a result; avoid this \
                     provider, and dispute within the challenge window next time."
                )
            } else {
                "the job settled and its account is closed already; its result was neither fetched nor checked here"
                    .to_owned()
            });
        } else if ended.closed {
            self.context
                .say("the job's account is closed already, its rent went back to its requester");
        } else if own && status.is_some_and(JobStatus::is_terminal) {
            self.context.say(format_args!(
                "the rent comes back with `assay job {} {job}`, a minute after creation",
                if ended.job.live_panels > 0 {
                    "advance"
                } else {
                    "close"
                }
            ));
        }
    }
}

/// Whether anybody but the provider ran the inference.
pub(super) fn audited(ended: &Ended) -> &'static str {
    let job = &ended.job;
    if job.is_unaudited() {
        return "unaudited";
    }
    match (job.level, job.status().is_ok_and(JobStatus::is_terminal)) {
        (0, true) => "not drawn for audit",
        (0, false) => "may be audited",
        (_, true) => "audited",
        (_, false) => "being audited",
    }
}
