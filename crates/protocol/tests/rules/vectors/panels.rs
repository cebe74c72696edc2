//! Vectors of panels: who sits, what they commit to, what they get.

use assay_protocol::{
    Address, Digest, Lamports,
    commitment::{Opening, Role},
    panel::UNAVAILABLE,
    sortition::{best_ticket, panel_seed, score},
    verdict::{Case, NO_SEATS, Origin, Outcomes, SeatOutcome, Stakes, decide},
};
use serde_json::{Value, json};

use super::bytes;

pub fn panels() -> Value {
    (0_u8..4)
        .map(|number| {
            let (job, hash, provider) = (bytes(number), bytes(60 + number), bytes(120 + number));
            let level = 1 + number % 2;
            let seed = panel_seed(&Address::new_from_array(job), level, &hash);
            let address = Address::new_from_array(provider);
            let scores: Vec<_> = [0, 1, 2, 255, 256, u32::MAX]
                .map(|ticket| json!({ "ticket": ticket, "score": score(&seed.0, &address, ticket).to_string() }))
                .into();
            let (ticket, lowest) = best_ticket(&seed.0, &address, 100).unwrap();
            json!({
                "job": hex::encode(job),
                "level": level,
                "slot_hash": hex::encode(hash),
                "seed": hex::encode(seed.0),
                "provider": hex::encode(provider),
                "scores": scores,
                "best_of_100": { "ticket": ticket, "score": lowest.to_string() },
            })
        })
        .collect()
}

/// One primary and its auditors on both levels, over one job: the same root never gives the same
/// commitment.
pub fn auditors() -> Value {
    let (program, job) = (bytes(1), bytes(33));
    let (hints, class, salt) = (bytes(65), [0; 32], bytes(97));
    [
        (Role::Primary, 129_u8, bytes(200)),
        (Role::PanelLevel1, 130, bytes(200)),
        (Role::PanelLevel2, 130, bytes(200)),
        (Role::PanelLevel1, 131, UNAVAILABLE),
    ]
    .map(|(role, provider, root)| {
        let opening = Opening {
            program_id: &Address::new_from_array(program),
            job: &Address::new_from_array(job),
            attempt: 1,
            role,
            provider: &Address::new_from_array(bytes(provider)),
            generation: 5,
            salt: &salt,
            root: &Digest(root),
            hints_digest: &Digest(hints),
            runtime_class: &class,
        };
        json!({
            "program_id": hex::encode(program),
            "job": hex::encode(job),
            "attempt": 1,
            "role": role as u8,
            "provider": hex::encode(bytes(provider)),
            "generation": "5",
            "salt": hex::encode(salt),
            "root": hex::encode(root),
            "hints_digest": hex::encode(hints),
            "runtime_class": hex::encode(class),
            "commitment": hex::encode(opening.commitment().0),
        })
    })
    .into_iter()
    .collect()
}

/// Seats by letter: . empty, j joined, c committed, e equal, d different, u unavailable.
pub fn verdicts() -> Value {
    [
        (Origin::Draw, true, "...", ""),
        (Origin::Draw, true, "eee", ""),
        (Origin::Draw, true, "ecj", ""),
        (Origin::Draw, false, "ddc", ""),
        (Origin::Draw, true, "eed", ""),
        (Origin::Draw, true, "ccj", ""),
        (Origin::Dissent, true, "eed", "eeeeu"),
        (Origin::Dissent, true, "eed", "dddde"),
        (Origin::Dissent, true, "eeu", "eeeee"),
        (Origin::Dissent, true, "eed", "edcj."),
        (Origin::Silence, true, "ccj", "eeec."),
        (Origin::Silence, true, "ccj", "ddd.."),
        (Origin::Silence, true, "ccj", "ee..."),
        (Origin::Silence, false, "jj.", "ddc.."),
        (Origin::Dispute, true, "", "eeedu"),
        (Origin::Dispute, true, "", "ddddd"),
        (Origin::Dispute, true, "", "ee..."),
        (Origin::Dispute, false, "", "d...."),
    ]
    .map(|(origin, primary_revealed, level1, level2)| {
        verdict(origin, primary_revealed, level1, level2)
    })
    .into_iter()
    .collect()
}

fn verdict(origin: Origin, primary_revealed: bool, level1: &str, level2: &str) -> Value {
    const FEE: u64 = 1_009;
    let dispute_bond = if origin == Origin::Dispute {
        5 * FEE
    } else {
        0
    };
    let case = Case {
        stakes: Stakes {
            price: Lamports(701),
            escrow: Lamports(997 + 3 * FEE),
            collateral: Lamports(99_991),
            audit_fee: Lamports(FEE),
            dispute_bond: Lamports(dispute_bond),
            panel_size: 3,
        },
        origin,
        primary_revealed,
        level1: seats(level1),
        level2: seats(level2),
    };
    let resolution = decide(&case).unwrap();
    let paid = |payouts: &[Lamports]| -> Vec<String> {
        payouts.iter().map(|payout| payout.0.to_string()).collect()
    };
    json!({
        "origin": format!("{origin:?}").to_lowercase(),
        "primary_revealed": primary_revealed,
        "level1": level1,
        "level2": level2,
        "price": "701",
        "escrow": case.stakes.escrow.0.to_string(),
        "collateral": "99991",
        "audit_fee": FEE.to_string(),
        "dispute_bond": dispute_bond.to_string(),
        "verdict": resolution.verdict.name(),
        "status": resolution.status.name(),
        "refund": resolution.refund.0.to_string(),
        "paid": resolution.paid.0.to_string(),
        "bonus": resolution.bonus.0.to_string(),
        "slash": resolution.slash.0.to_string(),
        "burned": resolution.burned.0.to_string(),
        "payouts1": paid(&resolution.level1),
        "payouts2": paid(&resolution.level2),
    })
}

fn seats(letters: &str) -> Outcomes {
    let mut outcomes = NO_SEATS;
    for (outcome, letter) in outcomes.iter_mut().zip(letters.chars()) {
        *outcome = match letter {
            '.' => SeatOutcome::Empty,
            'j' => SeatOutcome::Joined,
            'c' => SeatOutcome::Committed,
            'e' => SeatOutcome::Equal,
            'd' => SeatOutcome::Different,
            'u' => SeatOutcome::Unavailable,
            other => panic!("no seat outcome is written {other}"),
        };
    }
    outcomes
}
