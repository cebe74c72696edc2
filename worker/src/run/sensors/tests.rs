use super::*;

fn ready(ready: bool) -> Arc<Shared> {
    let shared = Shared::default();
    shared.ready.store(ready, Ordering::Relaxed);
    Arc::new(shared)
}

#[test]
fn looks_reach_the_driver_in_order_until_it_is_gone() {
    let (driver, mut inputs) = mpsc::channel(1);
    let (_stop, stopped) = channel();
    let open = || {
        let mut celsius = 0;
        move || {
            celsius += 1;
            Sample {
                gpu_celsius: Some(celsius),
                ..Sample::default()
            }
        }
    };
    let thread = sample(open, Duration::ZERO, ready(true), driver, stopped).unwrap();
    for expected in 1..=3 {
        let Some(Input::Sensed(sample)) = inputs.blocking_recv() else {
            panic!("no sample");
        };
        assert_eq!(sample.gpu_celsius, Some(expected));
    }
    drop(inputs);
    thread.join().unwrap();
}

#[test]
fn driver_that_is_not_ready_is_told_nothing_and_the_thread_ends_when_stopped() {
    let (stop, stopped) = channel();
    let due = |is_ready| wait(&stopped, Duration::ZERO, &ready(is_ready));
    assert_eq!(due(false), Some(false));
    assert_eq!(due(true), Some(true));
    drop(stop);
    assert_eq!(due(true), None);
    let (driver, mut inputs) = mpsc::channel(1);
    let thread = sample(
        || Sample::default,
        Duration::ZERO,
        ready(true),
        driver,
        stopped,
    );
    thread.unwrap().join().unwrap();
    assert!(inputs.blocking_recv().is_none());
}

#[test]
fn no_limit_starts_no_thread() {
    let (driver, inputs) = mpsc::channel(1);
    let limits = LimitsConfig::default();
    let sampling = Sampling::start(&limits, ready(true), driver).unwrap();
    assert!(sampling.is_none());
    assert_eq!(inputs.sender_strong_count(), 0);
}

#[test]
fn own_use_is_that_of_the_process_and_its_descendants() {
    let process = |pid: u32, parent: u32, usage| {
        let parent = (parent > 0).then(|| Pid::from_u32(parent));
        (Pid::from_u32(pid), (parent, usage))
    };
    let processes = BTreeMap::from([
        process(1, 0, 1.0),
        process(10, 1, 20.0),
        process(11, 10, 100.0),
        process(12, 11, 4.0),
        process(20, 1, 50.0),
        // A circle, as reading while processes come and go may leave.
        process(30, 31, 7.0),
        process(31, 30, 7.0),
    ]);
    let family = |me| family(&processes, Pid::from_u32(me));
    assert_eq!(family(10), Some(124.0));
    assert_eq!(family(20), Some(50.0));
    assert_eq!(family(99), None, "nothing is said of others without us");
}

#[test]
fn others_use_what_is_left_of_all_processors() {
    assert_eq!(others(60.0, 160.0, 4), Some(200));
    assert_eq!(others(100.0, 0.0, 2), Some(1_000));
    assert_eq!(others(10.0, 400.0, 4), Some(0), "never less than nothing");
    assert_eq!(others(f32::NAN, 0.0, 4), Some(0));
    assert_eq!(others(10.0, 0.0, 0), None);
}

#[test]
fn only_what_has_a_limit_is_read() {
    let mut machine = Machine::open(LimitPolicy {
        cpu_percent: 50,
        ..LimitPolicy::default()
    });
    let sample = machine.look();
    assert!(machine.gpus.is_none());
    assert!(sample.cpu_permille.is_some_and(|share| share <= 1_000));
    let nothing = Machine::open(LimitPolicy::default()).look();
    assert_eq!(nothing, Sample::default());
}
