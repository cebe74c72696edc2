use std::sync::Mutex;

use assay_engine::{EnergyCounter, GpuReading};

use super::*;

const HIGHEST: u64 = 1_000_000_000;

fn processor(millijoules: u64) -> Readings {
    Readings {
        gpus: Vec::new(),
        cpu_energy: vec![EnergyCounter {
            name: "package-0".into(),
            microjoules: millijoules * 1_000,
            highest_microjoules: HIGHEST,
        }],
    }
}

fn with_device(millijoules: u64, device: Option<u64>) -> Readings {
    Readings {
        gpus: vec![GpuReading {
            energy_millijoules: device,
            ..GpuReading::default()
        }],
        ..processor(millijoules)
    }
}

/// A meter over readings that the test hands in, one for each event and one at the start.
fn meter(readings: Vec<Readings>) -> EnergyMeter {
    let left = Mutex::new(readings.into_iter());
    EnergyMeter::start(move || move || left.lock().unwrap().next().unwrap_or_default()).unwrap()
}

#[tokio::test]
async fn run_alone_gets_all_that_was_counted_from_its_start_to_its_end() {
    let meter = meter([100, 150, 950].map(processor).to_vec());
    let run = meter.begin();
    assert_eq!(run.end().await, Some(800));
}

#[tokio::test]
async fn runs_at_once_share_and_their_sum_is_what_was_counted() {
    let meter = meter([0, 0, 100, 401, 501, 999, 1_199].map(processor).to_vec());
    let first = meter.begin();
    let second = meter.begin();
    let third = meter.begin();
    // 100 alone, then half of 301 with what is left over, then a third of 100 likewise.
    assert_eq!(first.end().await, Some(100 + 151 + 34));
    drop(third);
    // 150 and 33, half of 498, and 200 alone.
    assert_eq!(second.end().await, Some(150 + 33 + 249 + 200));
}

#[test]
fn sums_of_runs_are_what_was_counted_while_one_was_under_way() {
    let mut shares = Shares::new(processor(0));
    // Nothing runs: nobody's.
    shares.begin(1, processor(1_000));
    shares.begin(2, processor(1_101));
    shares.begin(3, processor(1_202));
    let sums = [
        shares.end(2, processor(1_303)),
        shares.end(1, processor(1_404)),
        shares.end(3, processor(1_505)),
    ];
    assert_eq!(sums.iter().flatten().sum::<u64>(), 505);
    // Again nobody's.
    shares.begin(4, processor(9_000));
    assert_eq!(shares.end(4, processor(9_000)), Some(0));
    assert_eq!(shares.end(4, processor(9_001)), None, "ended already");
}

#[test]
fn counter_that_begins_again_is_followed() {
    let mut shares = Shares::new(processor(999_000));
    shares.begin(1, processor(999_900));
    assert_eq!(shares.end(1, processor(50)), Some(150));
}

#[test]
fn device_counts_with_the_processor() {
    let mut shares = Shares::new(with_device(0, Some(10)));
    shares.begin(1, with_device(0, Some(10)));
    assert_eq!(shares.end(1, with_device(5, Some(40))), Some(35));
}

#[test]
fn counter_that_is_missing_or_went_back_makes_a_run_unmeasured_and_not_the_next_one() {
    for broken in [
        with_device(5, None),
        with_device(5, Some(1)),
        Readings::default(),
    ] {
        let mut shares = Shares::new(with_device(0, Some(10)));
        shares.begin(1, with_device(1, Some(10)));
        shares.begin(2, broken.clone());
        assert_eq!(shares.end(1, with_device(9, Some(50))), None, "{broken:?}");
        shares.end(2, with_device(9, Some(50)));
        shares.begin(3, with_device(9, Some(50)));
        assert_eq!(shares.end(3, with_device(10, Some(60))), Some(11));
    }
}

#[tokio::test]
async fn machine_without_counters_measures_nothing() {
    assert_eq!(EnergyMeter::default().begin().end().await, None);
    let device = Readings {
        cpu_energy: Vec::new(),
        ..with_device(0, None)
    };
    let bare = meter(vec![device; 3]);
    // Whether the thread has seen that yet or not.
    assert_eq!(bare.begin().end().await, None);
    let none = meter(vec![Readings::default()]);
    assert_eq!(none.begin().end().await, None);
}
