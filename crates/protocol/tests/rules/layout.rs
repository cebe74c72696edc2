//! Layouts are frozen: accounts on chain outlive every version of this code.

use std::mem::{offset_of, size_of, size_of_val};

use assay_protocol::{
    JobData, MarketData, ModelData, PanelData, ProviderData, SeatData, SessionData, TreasuryData,
    args::{
        JobCommitArgs, JobCreateArgs, JobFinalizeArgs, JobRevealArgs, ModelArgs, PanelCommitArgs,
        PanelRevealArgs, ProviderArgs, SessionOpenArgs,
    },
    market::MarketParams,
    terms::JobTerms,
};
use bytemuck::Zeroable;

/// A field's name, offset and size in bytes.
pub type Field = (&'static str, usize, usize);

/// A type's name, size, alignment and fields.
pub struct Layout {
    pub name: &'static str,
    pub size: usize,
    pub align: usize,
    pub fields: Vec<Field>,
}

macro_rules! layout {
    ($name:ident { $($field:ident)* }) => {{
        let value = $name::zeroed();
        Layout {
            name: stringify!($name),
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: vec![$((stringify!($field), offset_of!($name, $field), size_of_val(&value.$field)),)*],
        }
    }};
}

/// Every layout that goes on chain or into an instruction.
pub fn all() -> Vec<Layout> {
    vec![
        layout!(MarketData {
            version status bump flags sequence authority pending_authority params reserved
        }),
        layout!(MarketParams {
            min_stake ticket_stake max_ceiling deterrence_bps stake_age_secs unbond_secs
            min_claim_secs max_claim_secs min_compute_secs max_compute_secs min_challenge_secs
            max_challenge_secs panel_open_secs panel_join_secs panel_commit_secs panel_reveal_secs
            max_input_bytes max_output_bytes fee_bps reserved
        }),
        layout!(TreasuryData {
            version status bump flags sequence collected total_collected reserved
        }),
        layout!(ProviderData {
            version status bump flags sequence authority operator rent_payer runtime_class endpoint
            stake reserved unbonding earnings fees_due unbond_at aged_at generation total_earned
            total_slashed live_seats live_jobs jobs_settled jobs_faulted jobs_late jobs_released unbond_secs audits_paid audits_lost
            endpoint_len reserved_bytes
        }),
        layout!(ModelData {
            version status bump flags sequence author rent_payer digest size retired_at created_at
            output_profile name uri name_len uri_len reserved
        }),
        layout!(JobData {
            version status bump flags sequence requester model provider exclusive_provider
            model_digest input_digest requester_secret_hash worker_secret_hash commitment
            hints_digest root runtime_class open_slot generation target_slot ceiling floor
            collateral audit_fee ticket_stake escrow price dispute_bond refund_due created_at
            opened_at claimed_at committed_at convened_at ended_at index ramp_secs claim_secs
            compute_secs challenge_secs panel_open_secs panel_join_secs panel_commit_secs
            panel_reveal_secs stake_age_secs input_bytes output_limit ramp_used output_profile
            fee_bps audit_bps attempt panel_size level verdict live_panels input_uri_len input_uri
            reserved
        }),
        layout!(PanelData {
            version status bump flags sequence job rent_payer seed opened_at join_deadline
            commit_deadline reveal_deadline bonds bond level size joined committed revealed reserved
            seats
        }),
        layout!(SeatData {
            provider generation score digest payout state reserved
        }),
        layout!(SessionData {
            version status bump flags sequence requester provider session_key deposit settled
            open_slot generation close_requested_at index grace_secs fee_bps reserved
        }),
        layout!(JobTerms {
            ceiling floor collateral audit_fee ramp_secs claim_secs compute_secs challenge_secs
            input_bytes output_limit audit_bps panel_size input_uri_len reserved input_digest
            requester_secret_hash runtime_class exclusive_provider input_uri
        }),
        layout!(ProviderArgs {
            operator runtime_class endpoint endpoint_len
        }),
        layout!(ModelArgs {
            digest size output_profile name uri name_len uri_len reserved
        }),
        layout!(JobCreateArgs {
            open_slot index reserved terms
        }),
        layout!(JobCommitArgs {
            commitment worker_secret_hash hints_digest attempt
        }),
        layout!(JobFinalizeArgs {
            worker_secret requester_secret acknowledged
        }),
        layout!(JobRevealArgs { salt root }),
        layout!(PanelCommitArgs { commitment seat }),
        layout!(PanelRevealArgs { salt root seat }),
        layout!(SessionOpenArgs { session_key deposit open_slot index grace_secs }),
    ]
}

/// Every byte belongs to a listed field, in order: no padding, nothing left out of the vectors.
#[test]
fn layouts_have_no_padding() {
    for layout in all() {
        let mut end = 0;
        for (field, offset, size) in &layout.fields {
            assert_eq!(*offset, end, "{}.{field}", layout.name);
            end = offset + size;
        }
        assert_eq!(end, layout.size, "{}", layout.name);
        assert!(layout.align <= 8, "{}", layout.name);
    }
}

/// Sizes without the eight bytes of the discriminator. A released account keeps its size.
#[test]
fn sizes_are_frozen() {
    let sizes: Vec<_> = all()
        .iter()
        .map(|layout| (layout.name, layout.size))
        .collect();
    assert_eq!(
        sizes,
        [
            ("MarketData", 232),
            ("MarketParams", 96),
            ("TreasuryData", 80),
            ("ProviderData", 392),
            ("ModelData", 368),
            ("JobData", 744),
            ("PanelData", 648),
            ("SeatData", 96),
            ("SessionData", 216),
            ("JobTerms", 288),
            ("ProviderArgs", 161),
            ("ModelArgs", 256),
            ("JobCreateArgs", 304),
            ("JobCommitArgs", 97),
            ("JobFinalizeArgs", 65),
            ("JobRevealArgs", 64),
            ("PanelCommitArgs", 33),
            ("PanelRevealArgs", 65),
            ("SessionOpenArgs", 56),
        ]
    );
}

/// Offsets that clients filter accounts by, and that every account shares.
#[test]
fn filter_offsets_are_frozen() {
    let offset = |name: &str, field: &str| {
        let layout = all()
            .into_iter()
            .find(|layout| layout.name == name)
            .unwrap();
        layout
            .fields
            .into_iter()
            .find(|(known, ..)| *known == field)
            .unwrap()
            .1
    };
    for account in [
        "MarketData",
        "TreasuryData",
        "ProviderData",
        "ModelData",
        "JobData",
        "PanelData",
        "SessionData",
    ] {
        let head =
            ["version", "status", "bump", "flags", "sequence"].map(|field| offset(account, field));
        assert_eq!(head, [0, 1, 2, 3, 4], "{account}");
    }
    for (account, field, expected) in [
        ("JobData", "requester", 8),
        ("JobData", "model", 40),
        ("JobData", "provider", 72),
        ("JobData", "exclusive_provider", 104),
        ("JobData", "model_digest", 136),
        ("ProviderData", "authority", 8),
        ("ProviderData", "operator", 40),
        ("ModelData", "author", 8),
        ("ModelData", "digest", 72),
        ("PanelData", "job", 8),
        ("SessionData", "requester", 8),
        ("SessionData", "provider", 40),
    ] {
        assert_eq!(offset(account, field), expected, "{account}.{field}");
    }
}
