//! Measured energy, and what is estimated beside it.

use super::*;

/// Without the places where lines were broken.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn measured_energy_counts_before_configured_watts_and_its_source_is_said() {
    let mut world = World::new();
    world.energy_mj = Some(360_000);
    world.settle(1);
    let earnings = world.earnings(&by(Grouping::Job));
    let job = &earnings.jobs[0];
    assert_eq!(
        (job.result.energy_mwh, job.result.energy_from),
        (Some(100), Some("measured"))
    );
    assert_eq!(
        (job.amounts.compute_ms, job.amounts.measured_ms),
        (1_500, 1_500)
    );
    let text = earnings.text();
    assert!(text.contains("0.1 Wh measured"), "{text}");
    assert!(
        words(&text).contains("as this machine's energy counters measured."),
        "{text}"
    );
    // A run that no counter saw, and a seat of 0.7 s on a restart without counters.
    world.energy_mj = None;
    world.settle(2);
    world.audit(3);
    let unsaid = world.earnings(&by(Grouping::Day)).total;
    assert_eq!(
        (unsaid.result.energy_mwh, unsaid.result.energy_from),
        (Some(100), Some("measured"))
    );
    assert_eq!(
        (unsaid.amounts.compute_ms, unsaid.amounts.measured_ms),
        (3_700, 1_500)
    );
    let flags = args::Earnings {
        watts: Some("72".into()),
        ..by(Grouping::Day)
    };
    let said = world.earnings(&flags);
    // 2.2 s at 72 W are 158.4 J, 44 mWh.
    assert_eq!(
        (said.total.result.energy_mwh, said.total.result.energy_from),
        (Some(144), Some("both"))
    );
    assert!(
        words(&said.text()).contains("the rest at 72 W (--watts)"),
        "{}",
        said.text()
    );
    let csv = said.csv().unwrap();
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .contains("measured_ms,energy_mwh,energy_from")
    );
    assert!(
        csv.lines().nth(1).unwrap().contains(",1500,144,both,"),
        "{csv}"
    );
    let json = serde_json::to_value(&said).unwrap();
    assert_eq!(json["total"]["energy_from"], "both");
    let lines = said.text();
    assert!(lines.lines().all(|line| line.chars().count() <= COLUMNS));
}

#[test]
fn small_energies_add_up_before_they_are_rounded() {
    let mut world = World::new();
    world.energy_mj = Some(1_800);
    world.settle(1);
    world.settle(2);
    let earnings = world.earnings(&by(Grouping::Job));
    assert_eq!(earnings.jobs[0].result.energy_mwh, Some(0));
    assert_eq!(earnings.total.result.energy_mwh, Some(1));
}
