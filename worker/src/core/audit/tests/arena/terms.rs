//! What everybody wants, and the job that is judged.

use std::collections::BTreeSet;

use assay_protocol::{
    Digest, JobStatus, LAYOUT_VERSION, Lamports,
    commitment::{Opening, Role, secret_hash},
};
use bytemuck::Zeroable;

use super::super::super::*;
use super::{JOB, PROGRAM, ROOT, SALT, START, provider};
use crate::core::{AdmissionPolicy, TrialRun};

pub fn policy() -> AuditPolicy {
    AuditPolicy {
        enabled: true,
        min_fee: Lamports(10),
        max_seats: 4,
        margin_secs: 60,
        siblings: BTreeSet::new(),
        wallets: BTreeSet::new(),
        models: None,
        max_input_bytes: 1_000,
        max_output_bytes: 1_000,
        watched_jobs: 100,
        admission: AdmissionPolicy {
            engines: 4,
            trial_run: TrialRun::Always,
            trial_secs: 60,
            safety_percent: 150,
        },
    }
}

pub fn job() -> JobData {
    let mut job = JobData::zeroed();
    job.version = LAYOUT_VERSION;
    job.status = JobStatus::Committed as u8;
    job.sequence = 3;
    job.requester = Address::new_from_array([30; 32]);
    job.provider = provider(0);
    job.generation = 7;
    job.hints_digest = [6; 32];
    job.worker_secret_hash = secret_hash(&[1; 32]).0;
    job.requester_secret_hash = secret_hash(&[2; 32]).0;
    (job.ceiling, job.price, job.audit_fee) = (1_000, 900, 1_000);
    (job.collateral, job.escrow) = (20_000, 3_000);
    (job.audit_bps, job.panel_size, job.ticket_stake) = (10_000, 2, 10_000);
    (job.created_at, job.committed_at) = (START - 50, START - 40);
    (job.compute_secs, job.challenge_secs) = (60, 30);
    job.panel_open_secs = 30;
    (job.panel_join_secs, job.panel_commit_secs) = (10, 10);
    job.panel_reveal_secs = 30;
    (job.input_bytes, job.output_limit) = (100, 100);
    let opening = Opening {
        program_id: &PROGRAM,
        job: &JOB,
        attempt: 0,
        role: Role::Primary,
        provider: &job.provider,
        generation: 7,
        salt: &SALT,
        root: &ROOT,
        hints_digest: &Digest(job.hints_digest),
        runtime_class: &[0; 32],
    };
    job.commitment = opening.commitment().0;
    job
}
