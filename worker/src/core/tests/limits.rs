//! Limits on heat, power and other users: when a pause begins, when it ends, and what goes on.

use assay_protocol::{JobStatus, UnixSeconds};

use super::{super::*, world::World};

const POLICY: LimitPolicy = LimitPolicy {
    gpu_celsius: 80,
    gpu_watts: 200,
    cpu_percent: 50,
};
/// Nothing near a limit.
const CALM: Sample = Sample {
    gpu_celsius: Some(40),
    gpu_milliwatts: Some(30_000),
    cpu_permille: Some(20),
};

fn heat(celsius: u64) -> Sample {
    Sample {
        gpu_celsius: Some(celsius),
        ..CALM
    }
}

/// The last of so many equal looks is the first that is told of.
fn see(limits: &mut Limits, sample: &Sample, times: usize) -> Vec<LimitReport> {
    for _ in 1..times {
        assert_eq!(limits.see(sample), []);
    }
    limits.see(sample)
}

#[test]
fn three_readings_over_a_limit_begin_a_pause_and_fewer_do_not() {
    let power = |watts: u64| Sample {
        gpu_milliwatts: Some(watts * 1_000),
        ..CALM
    };
    let cpu = |percent: u64| Sample {
        cpu_permille: Some(percent * 10),
        ..CALM
    };
    let cases = [
        (Pause::GpuTemperature, heat(80), heat(81), heat(75)),
        (Pause::GpuPower, power(200), power(201), power(180)),
        (Pause::CpuBusy, cpu(50), cpu(51), cpu(45)),
    ];
    for (pause, at, over, clear) in cases {
        let mut limits = Limits::new(POLICY);
        for sample in [over, over, at, over, over, at, at, at] {
            assert_eq!(limits.see(&sample), [], "{pause:?}");
        }
        let reports = see(&mut limits, &over, 3);
        let [
            LimitReport::Over {
                pause: begun,
                detail,
            },
        ] = reports.as_slice()
        else {
            panic!("{pause:?}: {reports:?}");
        };
        assert_eq!(*begun, pause);
        assert!(detail.contains("limits."), "{detail}");
        assert_eq!(limits.see(&over), [], "told once");
        assert_eq!(see(&mut limits, &clear, 6), [LimitReport::Below { pause }]);
        assert_eq!(limits.see(&clear), [], "told once");
    }
}

#[test]
fn pause_of_a_value_just_below_its_limit_goes_on() {
    let mut limits = Limits::new(POLICY);
    assert_eq!(see(&mut limits, &heat(90), 3).len(), 1);
    for _ in 0..50 {
        for celsius in [75, 75, 75, 75, 75, 76] {
            assert_eq!(limits.see(&heat(celsius)), []);
        }
    }
    assert_eq!(see(&mut limits, &heat(75), 6).len(), 1);
}

#[test]
fn limit_is_told_in_the_units_of_its_setting() {
    let mut limits = Limits::new(POLICY);
    let sample = Sample {
        gpu_milliwatts: Some(250_900),
        ..CALM
    };
    let reports = see(&mut limits, &sample, 3);
    let detail = "the GPUs together draw 250 watts, limited by limits.gpu_power_w = 200; ends after a while at 180 watts or less";
    let (pause, detail) = (Pause::GpuPower, detail.to_owned());
    assert_eq!(reports, [LimitReport::Over { pause, detail }]);
}

#[test]
fn unreadable_sensor_is_told_once_and_pauses_nothing() {
    let blind = Sample {
        gpu_celsius: None,
        ..CALM
    };
    let told = LimitReport::Unreadable {
        pause: Pause::GpuTemperature,
        key: "limits.gpu_temperature_c",
    };
    let mut limits = Limits::new(POLICY);
    assert_eq!(see(&mut limits, &blind, 6), [told]);
    for _ in 0..50 {
        assert_eq!(limits.see(&blind), []);
    }
    // It works again, and its limit holds again.
    assert_eq!(see(&mut limits, &heat(90), 3).len(), 1);
    let nothing = LimitPolicy::default();
    let mut limits = Limits::new(nothing);
    for sample in [Sample::default(), heat(500)].repeat(9) {
        assert_eq!(limits.see(&sample), [], "no limit is set");
    }
}

#[test]
fn single_failed_readings_neither_end_nor_prolong_a_pause() {
    let blind = Sample::default();
    let cpu = |permille| Sample {
        cpu_permille: Some(permille),
        ..blind
    };
    let policy = LimitPolicy {
        cpu_percent: 50,
        ..LimitPolicy::default()
    };
    let mut limits = Limits::new(policy);
    let mut reports = Vec::new();
    for sample in [cpu(900), blind, cpu(900), blind, cpu(900), blind] {
        reports.extend(limits.see(&sample));
    }
    assert!(matches!(reports.as_slice(), [LimitReport::Over { .. }]));
    reports.clear();
    for _ in 0..6 {
        reports.extend([cpu(100), blind].iter().flat_map(|one| limits.see(one)));
    }
    let pause = Pause::CpuBusy;
    assert_eq!(reports, [LimitReport::Below { pause }]);
}

fn world() -> World {
    let change = |policy: &mut Policy| {
        policy.concurrent_jobs = 1;
        policy.limits = POLICY;
    };
    World::with(3, |_| (), change)
}

fn sense(world: &mut World, sample: Sample, times: usize) {
    let now = UnixSeconds(world.now);
    for _ in 0..times {
        world.core.handle_sample(&sample, now);
    }
}

fn committed(world: &World) -> usize {
    let jobs = (0..3).filter(|job| world.status(*job) == JobStatus::Committed);
    jobs.count()
}

#[test]
fn hot_machine_claims_nothing_finishes_what_it_has_and_goes_on_when_cool() {
    let mut world = world();
    world.hold_runs = true;
    world.drain();
    sense(&mut world, heat(90), 3);
    assert!(world.core.standing().has(Pause::GpuTemperature));
    world.hold_runs = false;
    world.drain();
    assert_eq!(committed(&world), 1, "what was claimed is committed");
    world.acknowledge(0);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Settled);
    assert_eq!(committed(&world), 0, "nothing else is claimed");
    sense(&mut world, CALM, 6);
    assert!(world.core.standing().is_accepting());
    world.drain();
    assert_eq!(committed(&world), 2, "the others, one after the other");
}

#[test]
fn sensor_that_fails_during_a_pause_ends_it() {
    let mut world = world();
    sense(&mut world, heat(90), 3);
    let blind = Sample {
        gpu_celsius: None,
        ..CALM
    };
    sense(&mut world, blind, 5);
    assert!(world.core.standing().has(Pause::GpuTemperature));
    sense(&mut world, blind, 1);
    assert!(world.core.standing().is_accepting());
    // Its limit holds again once it works, from the first reading on.
    sense(&mut world, heat(90), 2);
    assert!(world.core.standing().is_accepting());
    sense(&mut world, heat(90), 1);
    assert!(world.core.standing().has(Pause::GpuTemperature));
}
