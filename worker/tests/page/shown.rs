//! What a worker may have to show, at a moment that stands still.

use assay_worker::control::snapshot::{
    Audit, ChainHealth, Day, Earnings, Endpoint, Engine, Funds, Gpu, Identity, Job, Level, Machine,
    Placed, Reason, Snapshot, Standing, State, Sum,
};

mod events;

use events::{event, events};

/// 2026-09-21 14:13:20 UTC.
const NOW: i64 = 1_790_000_000;
pub const CLOCK: &str = "14:13:20";
const DAY: i64 = 86_400;
const DIGITS: &str = "5b1f6d0e7a2c9f4483d1b6a0c7e5f2d9e8a4b3c1d0f9e7a6b5c4d3e2f1a0b9c8";
const DETECTOR: &str = "c0ffee00112233445566778899aabbccddeeff00112233445566778899aabbcc";

/// Texts that strangers may choose, each as bad as it can be.
pub const HOSTILE: [&str; 8] = [
    "<img src=x onerror=\"globalThis.pwned=1\">",
    "\"><script>globalThis.pwned=1</script>",
    "<a href=\"javascript:globalThis.pwned=1\">click</a>",
    "</title></textarea></style><svg onload=globalThis.pwned=1>",
    "data: {}\n\nevent: status\ndata: {\"standing\":{}}",
    "${globalThis.pwned=1}{{constructor.constructor('globalThis.pwned=1')()}}",
    "\u{202e}gnp.exe\u{202c} \u{200b}\u{feff} end",
    "<iframe srcdoc=\"<script>parent.pwned=1</script>\"></iframe><meta http-equiv=refresh content=0;url=//evil.example>",
];

pub fn standing(draining: bool) -> Standing {
    let reason = Reason {
        name: "drained".into(),
        since: NOW,
        detail: "drained by the operator; `assay-worker resume` takes work again".into(),
    };
    Standing {
        state: if draining {
            State::Draining
        } else {
            State::Accepting
        },
        reasons: if draining { vec![reason] } else { Vec::new() },
        draining,
        idle: false,
    }
}

/// A worker at home on a good day.
pub fn usual() -> Snapshot {
    Snapshot {
        version: "0.1.0".into(),
        at: NOW,
        started_at: NOW - 3 * DAY - 7_000,
        chain_time: Some(NOW),
        identity: Identity {
            authority: "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc".into(),
            provider: "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2".into(),
            operator: "gBxS1f6uyyGPuW5MzGBukidSb71jdsCb5fZaoSzULE5".into(),
            public_url: "https://worker.example".into(),
        },
        standing: standing(false),
        jobs: vec![
            job(
                "US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx",
                "running",
                26,
                Some(12),
            ),
            job(
                "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi",
                "waiting",
                3_420,
                Some(12),
            ),
            Job {
                ours: false,
                phase: "ready".into(),
                model: DETECTOR.into(),
                model_name: None,
                price: 1_250_000,
                deadline_for: Some("claim".into()),
                ..job(
                    "8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR",
                    "ready",
                    540,
                    None,
                )
            },
        ],
        watched: 17,
        audits: vec![
            audit(
                "CktRuQ2mttgRGkXJtyksdKHjUdc2C4TgDzyB98oEzy8",
                "auditor",
                5_000_000,
            ),
            Audit {
                seat: None,
                ..audit(
                    "GgBaCs3NCBuZN12kCJgAW63ydqohFkHEdfdEXBPzLHq",
                    "primary",
                    20_000_000,
                )
            },
        ],
        sessions: None,
        earnings: earnings(12_300_000),
        funds: Funds {
            operator: Some(48_312_000),
            stake: Some(2_500_000_000),
            free_stake: Some(2_260_000_000),
            reserved: Some(240_000_000),
            unbonding: Some(0),
            withdrawable: Some(187_450_000),
        },
        engines: vec![
            engine(DIGITS, Some("digits-mlp"), "running", 1_204),
            Engine {
                placement: vec![placed("CUDA", 412), placed("CPU", 3)],
                memory: Some(1_932_735_283),
                median_ms: Some(41.7),
                p95_ms: Some(58.2),
                sessions: true,
                ..engine(DETECTOR, Some("street-detector-v4"), "idle", 96)
            },
        ],
        machine: machine(),
        chain: chain(),
        events: events(),
    }
}

/// The same a little later: the first job goes on, one more is paid.
pub fn changed() -> Snapshot {
    let mut snapshot = usual();
    snapshot.jobs[0].phase = "committing".into();
    snapshot.earnings = earnings(13_200_000);
    let newest = event(
        7,
        "info",
        "result committed; waiting for its requester",
        &[("attempt", "0")],
    );
    snapshot.events.insert(0, newest);
    snapshot
}

/// A worker that was just set up.
pub fn idle() -> Snapshot {
    Snapshot {
        jobs: Vec::new(),
        audits: Vec::new(),
        engines: Vec::new(),
        events: Vec::new(),
        watched: 0,
        earnings: Earnings {
            days: earnings(0)
                .days
                .iter()
                .map(|day| Day {
                    earned: 0,
                    settled: 0,
                    ..*day
                })
                .collect(),
            ..Earnings::default()
        },
        funds: Funds::default(),
        machine: Machine::default(),
        chain: ChainHealth::default(),
        ..usual()
    }
}

/// Strangers' texts wherever there is room for one.
pub fn hostile() -> Snapshot {
    let mut snapshot = usual();
    let [
        image,
        script,
        anchor,
        svg,
        event_stream,
        template,
        invisible,
        frame,
    ] = HOSTILE.map(str::to_owned);
    snapshot.jobs[0].model_name = Some(image.clone());
    snapshot.jobs[1].model_name = Some(invisible);
    snapshot.jobs[2].phase = script;
    snapshot.engines[0].model_name = Some("W".repeat(64));
    snapshot.engines[1].placement = vec![placed(&svg, 1)];
    snapshot.chain.endpoints[1].host = anchor;
    snapshot.machine.gpus[0].name = template;
    snapshot.standing = Standing {
        state: State::Paused,
        reasons: vec![Reason {
            name: "failures".into(),
            since: NOW,
            detail: frame,
        }],
        ..Standing::default()
    };
    let long = "x".repeat(400);
    snapshot.events = vec![event(
        8,
        "error",
        &event_stream,
        &[("reason", &image), ("long", &long)],
    )];
    snapshot
}

fn job(address: &str, phase: &str, seconds: i64, estimate_ms: Option<u64>) -> Job {
    Job {
        job: address.into(),
        attempt: 0,
        phase: phase.into(),
        ours: true,
        price: 900_000,
        collateral: 20_000_000,
        requester: "3PTsVzUFaMdNLZQ5nJJbKcFVwAZyM1SLsVcLkB4KhHN".into(),
        model: DIGITS.into(),
        model_name: Some("digits-mlp".into()),
        deadline: Some(NOW + seconds),
        deadline_for: Some(
            if phase == "waiting" {
                "finalize"
            } else {
                "commit"
            }
            .into(),
        ),
        estimate_ms,
    }
}

fn audit(address: &str, role: &str, at_stake: u64) -> Audit {
    Audit {
        job: address.into(),
        role: role.into(),
        level: 1,
        seat: Some("committed".into()),
        at_stake,
        phase: Some("reveal".into()),
        deadline: Some(NOW + 61),
    }
}

fn earnings(today: i64) -> Earnings {
    let days = [
        4_100_000, 9_800_000, 0, 15_300_000, 11_900_000, 7_200_000, today,
    ];
    let jobs = |earned: i64| u64::try_from(earned / 900_000).unwrap();
    let begins = |index: i64| (NOW / DAY - 6 + index) * DAY;
    let sum = |earned: i64, settled: u64| Sum {
        earned,
        slashed: i64::try_from(settled / 40).unwrap() * 400_000,
        fees: settled * 10_000,
        net: earned - i64::try_from(settled * 10_000).unwrap(),
        settled,
        failed: settled / 40,
        audits: settled / 9,
    };
    Earnings {
        today: sum(today, jobs(today)),
        week: sum(days.iter().sum(), 67),
        total: sum(412_700_000 + today, 458),
        days: (0..)
            .zip(days)
            .map(|(index, earned)| Day {
                begins: begins(index),
                earned,
                settled: jobs(earned),
            })
            .collect(),
    }
}

fn engine(model: &str, name: Option<&str>, state: &str, runs: u64) -> Engine {
    Engine {
        model: Some(model.into()),
        model_name: name.map(str::to_owned),
        sessions: false,
        state: state.into(),
        pid: Some(4_000 + u32::try_from(runs).unwrap()),
        placement: vec![placed("CPU", 7)],
        memory: Some(3_250_585),
        runs,
        median_ms: Some(0.42),
        p95_ms: Some(1.3),
        idle_secs: None,
    }
}

fn placed(provider: &str, nodes: u32) -> Placed {
    Placed {
        provider: provider.into(),
        nodes,
    }
}

fn machine() -> Machine {
    let level = |used, total| Some(Level { used, total });
    Machine {
        cpu_percent: Some(31.4),
        cpus: Some(16),
        memory: level(11_811_160_064, 34_359_738_368),
        disk: level(461_708_984_320, 494_384_795_648),
        gpus: vec![Gpu {
            name: "NVIDIA GeForce RTX 4070".into(),
            percent: Some(12.0),
            memory: level(2_254_857_830, 12_884_901_888),
            celsius: Some(41.0),
            watts: Some(23.0),
        }],
    }
}

fn chain() -> ChainHealth {
    let endpoint = |host: &str| Endpoint {
        host: host.into(),
        state: "healthy".into(),
        latency_ms: Some(84),
        behind: Some(0),
        ..Endpoint::default()
    };
    ChainHealth {
        reachable: true,
        slot: Some(412_903_118),
        endpoints: vec![
            Endpoint {
                in_use: true,
                ..endpoint("rpc.example")
            },
            Endpoint {
                state: "failing".into(),
                latency_ms: None,
                behind: None,
                problem: Some("the connection timed out".into()),
                ..endpoint("backup-rpc.example")
            },
        ],
        websockets: vec![Endpoint {
            state: "alive".into(),
            in_use: true,
            latency_ms: None,
            ..endpoint("rpc.example")
        }],
    }
}
