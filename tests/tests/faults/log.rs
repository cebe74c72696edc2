//! What happened, in order: the same for the same seed, which its digest proves.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Lines that a failure shows.
const LAST: usize = 200;

pub struct Log {
    /// Prints every line as it comes.
    aloud: bool,
    state: Mutex<State>,
}

struct State {
    lines: VecDeque<String>,
    digest: u64,
}

impl Log {
    pub fn new(aloud: bool) -> Self {
        let state = State {
            lines: VecDeque::new(),
            // FNV-1a: nobody forges it here.
            digest: 0xcbf2_9ce4_8422_2325,
        };
        Self {
            aloud,
            state: Mutex::new(state),
        }
    }

    pub fn note(&self, ms: u64, who: &str, what: impl FnOnce() -> String) {
        let line = format!("{:>9.3} {who}: {}", ms as f64 / 1_000.0, what());
        if self.aloud {
            eprintln!("{line}");
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in line.bytes() {
            state.digest = (state.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        state.lines.push_back(line);
        if state.lines.len() > LAST {
            state.lines.pop_front();
        }
    }

    pub fn digest(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.digest
    }

    /// The last lines.
    pub fn tail(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = state.lines.iter().map(String::as_str).collect();
        lines.join("\n")
    }
}
