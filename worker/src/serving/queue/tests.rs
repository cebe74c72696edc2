use assay_engine::{DType, Dimension, ModelInfo, Tensor, TensorInfo, to_safetensors};

use super::*;

fn model(number: u8) -> Digest {
    Digest([number; 32])
}

/// The form of an input of so many rows of this width.
fn form(rows: usize, wide: usize) -> Form {
    let shape = Some(vec![Dimension::Any, Dimension::Any]);
    let info = ModelInfo {
        inputs: vec![TensorInfo {
            name: "x".into(),
            dtype: DType::U8,
            shape,
        }],
        ..ModelInfo::default()
    };
    let input = Tensor {
        name: "x".into(),
        dtype: DType::U8,
        shape: vec![rows, wide],
        data: vec![0; rows * wide],
    };
    let file = to_safetensors(&[input]).unwrap();
    info.form(&file, u64::MAX).unwrap().unwrap()
}

struct Line {
    queue: Queue<u32>,
    now: Instant,
}

impl Line {
    fn new(change: impl FnOnce(&mut QueueLimits)) -> Self {
        let mut limits = QueueLimits {
            engines: 1,
            batch_rows: 4,
            batch_bytes: 100,
            batch_wait: Duration::ZERO,
            waiting: 8,
        };
        change(&mut limits);
        Self {
            queue: Queue::new(limits),
            now: Instant::now(),
        }
    }

    fn push(&mut self, number: u8, form: Option<Form>, what: u32) -> u64 {
        let now = self.now;
        self.queue
            .push(model(number), Turn::New, (form, 10), what, now)
            .unwrap()
    }

    /// What is run next.
    fn next(&mut self) -> Vec<u32> {
        match self.queue.next(self.now, |_| usize::MAX) {
            Next::Run(run) => run.into_iter().map(|one| one.what).collect(),
            Next::At(_) | Next::Nothing => vec![],
        }
    }
}

#[test]
fn free_engine_runs_at_once_what_waits_and_no_more_than_there_are_run() {
    let mut line = Line::new(|limits| limits.engines = 2);
    line.push(1, Some(form(1, 3)), 1);
    assert_eq!(line.next(), [1]);
    line.push(1, Some(form(1, 3)), 2);
    line.push(1, Some(form(1, 3)), 3);
    assert_eq!(line.next(), [2, 3]);
    line.push(1, Some(form(1, 3)), 4);
    assert!(line.next().is_empty(), "both engines run");
    line.queue.ended();
    assert_eq!(line.next(), [4]);
    line.queue.ended();
    assert!(line.next().is_empty(), "nobody waits");
}

#[test]
fn run_takes_no_more_rows_or_bytes_than_allowed_and_leaves_no_small_one_behind() {
    let mut line = Line::new(|limits| limits.engines = 9);
    for (what, rows) in [(1, 2), (2, 1), (3, 3), (4, 1), (5, 9), (6, 1)] {
        line.push(1, Some(form(rows, 3)), what);
    }
    assert_eq!(line.next(), [1, 2, 4]);
    assert_eq!(line.next(), [3, 6]);
    assert_eq!(line.next(), [5], "larger than a run, so alone");
    let mut line = Line::new(|limits| limits.batch_bytes = 25);
    for what in 1..=3 {
        line.push(1, Some(form(1, 3)), what);
    }
    assert_eq!(line.next(), [1, 2]);
}

#[test]
fn whoever_waits_longest_goes_first_whatever_its_model_and_form() {
    let mut line = Line::new(|limits| limits.engines = 9);
    line.push(2, None, 1);
    line.push(1, Some(form(1, 3)), 2);
    line.push(2, Some(form(1, 5)), 3);
    line.push(1, Some(form(1, 4)), 4);
    line.push(1, Some(form(1, 3)), 5);
    line.push(2, None, 6);
    assert_eq!(line.next(), [1]);
    assert_eq!(line.next(), [2, 5]);
    assert_eq!(line.next(), [3]);
    assert_eq!(line.next(), [4]);
    assert_eq!(line.next(), [6]);
}

#[test]
fn models_that_share_no_run_are_run_one_by_one() {
    let mut line = Line::new(|limits| {
        limits.engines = 2;
        limits.batch_wait = Duration::from_secs(1);
    });
    line.push(1, Some(form(1, 3)), 1);
    line.push(1, Some(form(1, 3)), 2);
    for expected in [1, 2] {
        let Next::Run(run) = line.queue.next(line.now, |_| 1) else {
            panic!("nothing is run");
        };
        let run: Vec<u32> = run.into_iter().map(|one| one.what).collect();
        assert_eq!(run, [expected], "and waits for nobody");
    }
}

#[test]
fn too_many_are_turned_away_but_never_who_goes_on() {
    let mut line = Line::new(|limits| limits.waiting = 2);
    line.push(1, None, 1);
    line.push(1, None, 2);
    let mut push = |number, turn| line.queue.push(model(number), turn, (None, 1), 3, line.now);
    assert_eq!(push(1, Turn::New), Err(Full(2)));
    assert!(push(1, Turn::Next).is_ok());
    assert!(push(2, Turn::New).is_ok(), "each model has its own");
    assert_eq!(line.queue.waiting(&model(1)), 3);
}

#[test]
fn who_left_is_not_run() {
    let mut line = Line::new(|limits| limits.engines = 9);
    line.push(1, Some(form(1, 3)), 1);
    let gone = line.push(1, Some(form(1, 3)), 2);
    line.push(1, Some(form(1, 3)), 3);
    line.queue.withdraw(&model(1), gone);
    assert_eq!(line.next(), [1, 3]);
    let gone = line.push(1, None, 4);
    line.queue.withdraw(&model(1), gone);
    line.queue.withdraw(&model(7), gone);
    assert!(line.next().is_empty());
}

#[test]
fn run_waits_for_others_as_long_as_told_and_not_once_it_is_full() {
    let wait = Duration::from_millis(5);
    let mut line = Line::new(|limits| {
        limits.engines = 9;
        limits.batch_wait = wait;
    });
    let began = line.now;
    line.push(1, Some(form(1, 3)), 1);
    line.now += Duration::from_millis(1);
    line.push(1, Some(form(2, 3)), 2);
    let next = line.queue.next(line.now, |_| usize::MAX);
    assert!(matches!(next, Next::At(at) if at == began + wait));
    line.push(2, None, 3);
    assert_eq!(line.next(), [3], "who can share with nobody does not wait");
    line.push(1, Some(form(1, 3)), 4);
    assert_eq!(line.next(), [1, 2, 4], "full");
    line.push(1, Some(form(1, 3)), 5);
    assert!(line.next().is_empty());
    line.now += wait;
    assert_eq!(line.next(), [5]);
}
