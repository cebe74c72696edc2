use assay_chain::Found;
use assay_client::protocol::{
    JobData, JobStatus, UnixSeconds, job::JOB_ACKNOWLEDGED, text, verdict::Verdict,
};
use serde::Serialize;

use super::{or_dash, some, some_hex};
use crate::{
    amount::{Amount, Span, exact, moment, percent, until},
    plain::plain,
};

/// A job.
#[derive(Serialize)]
pub struct JobView {
    pub address: String,
    pub status: &'static str,
    /// Nobody re-executes the inference.
    pub unaudited: bool,
    pub requester: String,
    pub model: String,
    pub provider: Option<String>,
    pub exclusive_provider: Option<String>,
    pub model_digest: String,
    pub input_digest: String,
    pub input_bytes: u32,
    pub input_uri: String,
    pub output_limit: u32,
    pub runtime_class: Option<String>,
    pub ceiling_lamports: u64,
    pub floor_lamports: u64,
    pub collateral_lamports: u64,
    pub audit_fee_lamports: u64,
    pub audit_bps: u16,
    pub panel_size: u8,
    pub fee_bps: u16,
    /// The claim's price, also after the job's end; 0 while open.
    pub price_lamports: u64,
    /// What a claim now would be paid; absent unless open.
    pub price_now_lamports: Option<u64>,
    pub escrow_lamports: u64,
    pub refund_due_lamports: u64,
    pub attempt: u8,
    pub open_slot: u64,
    pub index: u32,
    pub ramp_secs: u32,
    pub claim_secs: u32,
    pub compute_secs: u32,
    pub challenge_secs: u32,
    pub created_at: i64,
    pub claimed_at: i64,
    pub committed_at: i64,
    pub ended_at: i64,
    /// Last moment of the current phase; absent once ended.
    pub deadline: Option<i64>,
    pub commitment: Option<String>,
    pub hints_digest: Option<String>,
    /// The primary's root, once it was revealed in an audit.
    pub root: Option<String>,
    /// Whether the requester acknowledged the result.
    pub acknowledged: bool,
    /// The panel that is convened or spoke last, 1 or 2; 0 for none.
    pub panel_level: u8,
    /// Why the job ended as it did, if a panel spoke: confirmed, upheld, overturned ..
    pub verdict: Option<&'static str>,
    pub dispute_bond_lamports: u64,
    pub convened_at: i64,
    /// First slot whose hash may seed the convened panel; 0 for none.
    pub target_slot: u64,
    pub live_panels: u8,
    pub sequence: u32,
}

impl JobView {
    pub const HEAD: [&'static str; 7] = [
        "JOB", "STATUS", "AUDIT", "PRICE", "MOST", "PROVIDER", "CREATED",
    ];

    /// `now` is the chain's time.
    pub fn new(found: &Found<JobData>, now: UnixSeconds) -> Self {
        let job = &found.data;
        let status = job.status().ok();
        let open = status == Some(JobStatus::Open);
        Self {
            address: found.address.to_string(),
            status: status.map_or("unknown", JobStatus::name),
            unaudited: job.is_unaudited(),
            requester: job.requester.to_string(),
            model: job.model.to_string(),
            provider: some(&job.provider),
            exclusive_provider: some(&job.exclusive_provider),
            model_digest: hex::encode(job.model_digest),
            input_digest: hex::encode(job.input_digest),
            input_bytes: job.input_bytes,
            input_uri: plain(text::read(&job.input_uri, job.input_uri_len)),
            output_limit: job.output_limit,
            runtime_class: some_hex(&job.runtime_class),
            ceiling_lamports: job.ceiling,
            floor_lamports: job.floor,
            collateral_lamports: job.collateral,
            audit_fee_lamports: job.audit_fee,
            audit_bps: job.audit_bps,
            panel_size: job.panel_size,
            fee_bps: job.fee_bps,
            price_lamports: job.price,
            price_now_lamports: open
                .then(|| job.price_at(now).ok())
                .flatten()
                .map(|price| price.0),
            escrow_lamports: job.escrow,
            refund_due_lamports: job.refund_due,
            attempt: job.attempt,
            open_slot: job.open_slot,
            index: job.index,
            ramp_secs: job.ramp_secs,
            claim_secs: job.claim_secs,
            compute_secs: job.compute_secs,
            challenge_secs: job.challenge_secs,
            created_at: job.created_at,
            claimed_at: job.claimed_at,
            committed_at: job.committed_at,
            ended_at: job.ended_at,
            deadline: deadline(job),
            commitment: some_hex(&job.commitment),
            hints_digest: some_hex(&job.hints_digest),
            root: some_hex(&job.root),
            acknowledged: job.flags & JOB_ACKNOWLEDGED != 0,
            panel_level: job.level,
            verdict: Verdict::from_byte(job.verdict).map(Verdict::name),
            dispute_bond_lamports: job.dispute_bond,
            convened_at: job.convened_at,
            target_slot: job.target_slot,
            live_panels: job.live_panels,
            sequence: job.sequence,
        }
    }

    fn audit(&self) -> String {
        if self.unaudited {
            "unaudited".to_owned()
        } else {
            let (rate, size) = (percent(self.audit_bps), self.panel_size);
            match self.panel_level {
                0 => format!("{rate} by {size}"),
                level => format!("{rate} by {size}, panel {level} was convened"),
            }
        }
    }

    fn price(&self) -> u64 {
        self.price_now_lamports.unwrap_or(self.price_lamports)
    }

    pub fn row(&self) -> Vec<String> {
        vec![
            self.address.clone(),
            self.status.to_owned(),
            if self.unaudited {
                "unaudited".to_owned()
            } else {
                format!("{} by {}", percent(self.audit_bps), self.panel_size)
            },
            Amount(self.price()).to_string(),
            Amount(self.ceiling_lamports).to_string(),
            or_dash(self.provider.as_ref()),
            moment(self.created_at),
        ]
    }

    pub fn facts(&self, now: UnixSeconds) -> Vec<(&'static str, String)> {
        let left = self.deadline.map_or_else(
            || "-".to_owned(),
            |deadline| format!("{} ({} left)", moment(deadline), until(deadline, now.0)),
        );
        let price_name = if self.price_now_lamports.is_some() {
            "price now"
        } else {
            "price"
        };
        let range = format!(
            "{} to {} over {}",
            Amount(self.floor_lamports),
            Amount(self.ceiling_lamports),
            Span(self.ramp_secs)
        );
        let windows = format!(
            "claim {}, compute {}, challenge {}",
            Span(self.claim_secs),
            Span(self.compute_secs),
            Span(self.challenge_secs)
        );
        vec![
            ("job", self.address.clone()),
            ("status", self.status.to_owned()),
            ("audit", self.audit()),
            ("verdict", self.verdict.unwrap_or("-").to_owned()),
            ("phase ends", left),
            (price_name, exact(self.price())),
            ("price range", range),
            ("market's share", percent(self.fee_bps)),
            ("in escrow", exact(self.escrow_lamports)),
            ("refund due", exact(self.refund_due_lamports)),
            ("collateral", exact(self.collateral_lamports)),
            (
                "attempt",
                format!("{} of 3", self.attempt.saturating_add(1).min(3)),
            ),
            ("requester", self.requester.clone()),
            ("provider", or_dash(self.provider.as_ref())),
            (
                "only for provider",
                or_dash(self.exclusive_provider.as_ref()),
            ),
            ("model", self.model.clone()),
            ("model sha256", self.model_digest.clone()),
            ("input sha256", self.input_digest.clone()),
            ("input bytes", self.input_bytes.to_string()),
            (
                "input uri",
                if self.input_uri.is_empty() {
                    "-".to_owned()
                } else {
                    self.input_uri.clone()
                },
            ),
            ("runtime class", or_dash(self.runtime_class.as_ref())),
            ("windows", windows),
            ("commitment", or_dash(self.commitment.as_ref())),
            ("created", moment(self.created_at)),
            ("claimed", moment(self.claimed_at)),
            ("committed", moment(self.committed_at)),
            ("ended", moment(self.ended_at)),
        ]
    }
}

/// A panel at work has deadlines of its own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only these phases have a deadline in the job itself"
)]
fn deadline(job: &JobData) -> Option<i64> {
    let deadline = match job.status().ok()? {
        JobStatus::Open => job.claim_deadline(),
        JobStatus::Claimed => job.compute_deadline(),
        JobStatus::Committed => job.challenge_deadline(),
        JobStatus::Auditing | JobStatus::Appealing if !job.has_panel(job.level) => {
            job.panel_open_deadline()
        }
        _ => return None,
    };
    deadline.ok().map(|deadline| deadline.0)
}
