use assay_client::{
    address,
    protocol::{
        Address, JobData, PanelData, SeatData, UnixSeconds,
        panel::{PanelStatus, Phase, SeatState, UNAVAILABLE},
    },
};
use serde::Serialize;

use super::some_hex;
use crate::amount::{Amount, exact, moment, until};

/// A panel of auditors.
#[derive(Clone, Debug, Serialize)]
pub struct PanelView {
    pub address: String,
    pub level: u8,
    /// live, appealed or resolved.
    pub status: &'static str,
    /// join, commit, reveal or over; absent once it has spoken.
    pub phase: Option<&'static str>,
    /// Last moment of the phase.
    pub deadline: Option<i64>,
    pub size: u8,
    pub joined: u8,
    pub committed: u8,
    pub revealed: u8,
    /// What a seat puts at stake.
    pub bond_lamports: u64,
    pub bonds_lamports: u64,
    pub opened_at: i64,
    pub join_deadline: i64,
    pub commit_deadline: i64,
    pub reveal_deadline: i64,
    pub seats: Vec<SeatView>,
    #[serde(skip)]
    words: String,
}

/// One seat that is taken.
#[derive(Clone, Debug, Serialize)]
pub struct SeatView {
    pub seat: u8,
    pub provider: String,
    /// joined, committed, revealed or settled.
    pub state: &'static str,
    /// What it revealed, against the primary: agrees, differs or hints unavailable; absent before both revealed.
    pub vote: Option<&'static str>,
    /// Bond included; 0 before the verdict.
    pub payout_lamports: u64,
    /// The commitment, then the root.
    pub digest: Option<String>,
}

impl PanelView {
    pub fn new(job_address: &Address, panel: &PanelData, job: &JobData, now: UnixSeconds) -> Self {
        let live = panel.status() == Ok(PanelStatus::Live);
        let phase = live.then(|| panel.phase(now, job.is_revealed()));
        let seats = panel.seats.iter().zip(0_u8..);
        Self {
            address: address::panel(job_address, panel.level).to_string(),
            level: panel.level,
            status: panel.status().map_or("unknown", PanelStatus::name),
            phase: phase.map(name),
            deadline: phase.and_then(|phase| deadline(panel, phase)),
            size: panel.size,
            joined: panel.joined,
            committed: panel.committed,
            revealed: panel.revealed,
            bond_lamports: panel.bond,
            bonds_lamports: panel.bonds,
            opened_at: panel.opened_at,
            join_deadline: panel.join_deadline,
            commit_deadline: panel.commit_deadline,
            reveal_deadline: panel.reveal_deadline,
            seats: seats
                .filter(|(seat, _)| seat.state() != Ok(SeatState::Empty))
                .map(|(seat, position)| SeatView::new(position, seat, panel, job))
                .collect(),
            words: words(panel, job, now),
        }
    }

    pub fn facts(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        let mut rows = vec![
            row(&format!("panel {}", self.level), self.address.clone()),
            row("  state", self.words.clone()),
            row(
                "  seats",
                format!(
                    "{} of {} taken, {} committed, {} revealed; bond {} each",
                    self.joined,
                    self.size,
                    self.committed,
                    self.revealed,
                    Amount(self.bond_lamports)
                ),
            ),
            row(
                "  deadlines",
                format!(
                    "join {}, commit {}, reveal {}",
                    moment(self.join_deadline),
                    moment(self.commit_deadline),
                    moment(self.reveal_deadline)
                ),
            ),
        ];
        rows.extend(self.seats.iter().map(SeatView::fact));
        rows
    }
}

impl SeatView {
    fn new(position: u8, seat: &SeatData, panel: &PanelData, job: &JobData) -> Self {
        Self {
            seat: position,
            provider: seat.provider.to_string(),
            state: seat.state().map_or("unknown", SeatState::name),
            vote: vote(seat, panel, job),
            payout_lamports: seat.payout,
            digest: some_hex(&seat.digest),
        }
    }

    fn fact(&self) -> (String, String) {
        let vote = self
            .vote
            .map_or_else(String::new, |vote| format!(", {vote}"));
        let paid = if self.payout_lamports > 0 {
            format!(", gets {} with its bond", exact(self.payout_lamports))
        } else {
            String::new()
        };
        (
            format!("  seat {}", self.seat),
            format!("{} {}{vote}{paid}", self.provider, self.state),
        )
    }
}

/// What a seat said about the primary. Once it is settled its state no longer tells whether it revealed, but a
/// commitment never equals a root.
fn vote(seat: &SeatData, panel: &PanelData, job: &JobData) -> Option<&'static str> {
    let spoke = match seat.state().ok()? {
        SeatState::Revealed => true,
        SeatState::Settled => seat.payout > 0 || panel.revealed == panel.committed,
        SeatState::Empty | SeatState::Joined | SeatState::Committed => false,
    };
    if !spoke || seat.digest == [0; 32] {
        return None;
    }
    if seat.digest == UNAVAILABLE {
        return Some("hints unavailable");
    }
    job.is_revealed().then_some(if seat.digest == job.root {
        "agrees"
    } else {
        "differs"
    })
}

/// What a panel is doing.
pub fn words(panel: &PanelData, job: &JobData, now: UnixSeconds) -> String {
    let (joined, committed, revealed) = (panel.joined, panel.committed, panel.revealed);
    let left = |deadline: i64| until(deadline, now.0);
    match panel.status() {
        Ok(PanelStatus::Appealed) => "spoke without a verdict; the second panel decides".to_owned(),
        Ok(PanelStatus::Resolved) => "has spoken".to_owned(),
        Err(_) => "in a state unknown to this client".to_owned(),
        Ok(PanelStatus::Live) => match panel.phase(now, job.is_revealed()) {
            Phase::Join => format!(
                "auditors join, {joined} of {} seats taken, {} left",
                panel.size,
                left(panel.join_deadline)
            ),
            Phase::Commit => format!(
                "auditors compute, {committed} of {joined} committed, {} left",
                left(panel.commit_deadline)
            ),
            Phase::Reveal => format!(
                "results are revealed, {revealed} of {committed} auditors, the provider {}, {} left",
                if job.is_revealed() { "too" } else { "not yet" },
                left(panel.reveal_deadline)
            ),
            Phase::Over => "over, waits for its verdict (`assay job advance`)".to_owned(),
        },
    }
}

pub const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Join => "join",
        Phase::Commit => "commit",
        Phase::Reveal => "reveal",
        Phase::Over => "over",
    }
}

const fn deadline(panel: &PanelData, phase: Phase) -> Option<i64> {
    match phase {
        Phase::Join => Some(panel.join_deadline),
        Phase::Commit => Some(panel.commit_deadline),
        Phase::Reveal => Some(panel.reveal_deadline),
        Phase::Over => None,
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    fn panel() -> PanelData {
        let mut panel = PanelData {
            status: PanelStatus::Live as u8,
            level: 1,
            size: 2,
            joined: 2,
            committed: 2,
            revealed: 2,
            bond: 50,
            join_deadline: 10,
            commit_deadline: 20,
            reveal_deadline: 30,
            ..PanelData::zeroed()
        };
        for (seat, digest) in panel.seats.iter_mut().zip([[7; 32], [8; 32]]) {
            seat.provider = Address::new_from_array([9; 32]);
            seat.state = SeatState::Revealed as u8;
            seat.digest = digest;
        }
        panel
    }

    fn view(panel: &PanelData, root: [u8; 32], now: i64) -> PanelView {
        let job = JobData {
            root,
            ..JobData::zeroed()
        };
        PanelView::new(&Address::default(), panel, &job, UnixSeconds(now))
    }

    #[test]
    fn votes_show_once_the_primary_revealed() {
        let hidden = view(&panel(), [0; 32], 15);
        assert_eq!(hidden.phase, Some("reveal"));
        assert!(hidden.seats.iter().all(|seat| seat.vote.is_none()));
        let shown = view(&panel(), [7; 32], 15);
        let votes: Vec<_> = shown.seats.iter().map(|seat| seat.vote).collect();
        assert_eq!(votes, [Some("agrees"), Some("differs")]);
        let mut lost = panel();
        lost.seats[0].digest = UNAVAILABLE;
        assert_eq!(
            view(&lost, [7; 32], 15).seats[0].vote,
            Some("hints unavailable")
        );
    }

    #[test]
    fn phases_are_told_with_the_time_that_is_left() {
        let mut panel = panel();
        (panel.committed, panel.revealed) = (0, 0);
        assert!(
            view(&panel, [0; 32], 4)
                .words
                .contains("2 of 2 seats taken, 6s left")
        );
        assert!(
            view(&panel, [0; 32], 11)
                .words
                .contains("0 of 2 committed, 9s left")
        );
        panel.committed = 2;
        assert!(
            view(&panel, [0; 32], 25)
                .words
                .contains("the provider not yet, 5s left")
        );
        assert!(
            view(&panel, [0; 32], 31)
                .words
                .contains("assay job advance")
        );
        panel.status = PanelStatus::Resolved as u8;
        let resolved = view(&panel, [0; 32], 31);
        assert_eq!((resolved.phase, resolved.deadline), (None, None));
        assert_eq!(resolved.status, "resolved");
    }

    #[test]
    fn empty_seats_are_left_out() {
        let mut panel = panel();
        panel.seats[1].state = SeatState::Empty as u8;
        assert_eq!(view(&panel, [0; 32], 4).seats.len(), 1);
    }
}
