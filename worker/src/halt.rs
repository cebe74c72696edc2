//! Stopping dead at a named point, for tests of what a crash leaves behind.

use std::fmt;

use clap::ValueEnum;

/// Points of a job's life at which a crash must cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HaltPoint {
    /// The signed claim is in the journal and was not sent.
    ClaimIntentSaved,
    /// The chain says that the job is ours; nothing has been run.
    ClaimLanded,
    /// The result and its secrets are in the journal; no commitment was sent.
    ResultSaved,
    /// The commitment is on its way.
    CommitSent,
    /// The chain has the commitment.
    CommitLanded,
    /// The requester's secret is in the journal; nothing was finalized.
    AckSaved,
    /// The finalizing transaction is on its way.
    FinalizeSent,
    /// The chain says that a panel judges the job.
    Audited,
    /// What opens the job's commitment to the panel is on its way.
    JobRevealSent,
    /// Auditor: what asks for a seat is on its way.
    JoinSent,
    /// Auditor: the seat's result is in the journal; no commitment was sent.
    SeatResultSaved,
    /// Auditor: the seat's commitment is on its way.
    SeatCommitSent,
}

impl fmt::Display for HaltPoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value();
        out.write_str(name.as_ref().map_or("", |name| name.get_name()))
    }
}

/// Where to halt, if anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub enum Halt {
    #[default]
    Never,
    At(HaltPoint),
    /// A simulation is told of every point and decides.
    Told(fn(HaltPoint)),
}

impl Halt {
    /// Says so on stderr and stops the whole process, all threads of it, if this is the point.
    pub fn at(self, point: HaltPoint) {
        match self {
            Self::At(wanted) if wanted == point => {
                eprintln!("halted at {point}");
                stop();
            }
            Self::Told(tell) => tell(point),
            Self::Never | Self::At(_) => {}
        }
    }
}

/// A stopped process keeps its files, locks and ports, and does nothing until it is killed.
fn stop() -> ! {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        if let Err(error) = kill_process(getpid(), Signal::STOP) {
            eprintln!("the other threads go on, the process could not be stopped: {error}");
        }
    }
    loop {
        std::thread::park();
    }
}
