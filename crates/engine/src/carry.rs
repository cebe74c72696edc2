//! What an engine keeps of one run for the next, so that it crosses to the host and back in none of them.

use serde::{Deserialize, Serialize};

/// An output that becomes an input of the next run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    pub output: String,
    pub input: String,
    /// What the output must be after this run.
    pub shape: Vec<usize>,
}

/// How a run of a sequence differs from one by itself. Crosses the pipe to the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrying {
    /// The sequence, by the host's number.
    pub sequence: u64,
    /// Whether the inputs of `carries` are what the last run left; else all inputs are given.
    pub goes_on: bool,
    /// Stays in the engine, and is no part of the answer.
    pub carries: Vec<Carry>,
    /// Outputs of which only the last place of the last dimension but one is given.
    pub last: Vec<String>,
}

impl Carrying {
    /// Whether this input is given with the run.
    pub(crate) fn is_given(carrying: Option<&Self>, input: &str) -> bool {
        let going_on = carrying.filter(|carrying| carrying.goes_on);
        !going_on.is_some_and(|carrying| carrying.carries.iter().any(|one| one.input == input))
    }

    pub(crate) fn keeps(&self, output: &str) -> Option<&Carry> {
        self.carries.iter().find(|one| one.output == output)
    }

    pub(crate) fn wants_last(&self, output: &str) -> bool {
        self.last.iter().any(|one| one == output)
    }
}
