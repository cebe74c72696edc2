//! The protocol's table of verdicts, as somebody reads it who pays by hand.

use assay_client::protocol::{JobStatus, verdict::Verdict};

use super::{bench::Said, shadow::Job};

/// Why a panel was convened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    Draw,
    Dissent,
    Silence,
    Dispute,
}

/// Who gets what.
#[derive(Clone, Debug)]
pub struct Ending {
    pub verdict: Verdict,
    pub status: JobStatus,
    pub refund: u64,
    /// The price, the market's fee included.
    pub paid: u64,
    pub bonus: u64,
    pub slash: u64,
    /// By level, by seat, with its bond.
    pub payouts: [Vec<u64>; 2],
}

impl Job {
    pub fn cause(&self) -> Cause {
        match (self.level, self.bond, self.verdict) {
            (1, ..) => Cause::Draw,
            (_, 1.., _) => Cause::Dispute,
            (_, _, Some(Verdict::Silence)) => Cause::Silence,
            _ => Cause::Dissent,
        }
    }

    /// The fee a, and the bond of a seat.
    fn fees(&self) -> (u64, u64) {
        let fee = self.args.terms.audit_fee;
        (fee, 5 * fee)
    }

    /// The row of the table; `seats` by level.
    pub fn judge(&self, seats: &[Vec<Said>; 2]) -> Ending {
        let [first, second] = seats;
        let heard = if self.level == 1 { first } else { second };
        let committed = heard.len() > count(heard, Said::NeverCommitted);
        let (revealed, equal) = (voices(heard), count(heard, Said::Equal));
        if committed && self.root.is_none() {
            return self.fault(Verdict::PrimarySilent, seats);
        }
        if self.level == 1 {
            return match (heard.len(), revealed) {
                (0, _) => self.pay(Verdict::Unattended),
                (_, 0) => self.appeal(Verdict::Silence),
                _ if equal < revealed => self.appeal(Verdict::Dissent),
                _ => self.confirm(first),
            };
        }
        match revealed {
            3.. if 2 * equal > revealed => self.uphold(first, second),
            3.. if 2 * equal < revealed => self.fault(Verdict::Overturned, seats),
            _ => self.leave_open(first, second),
        }
    }

    fn appeal(&self, verdict: Verdict) -> Ending {
        Ending {
            verdict,
            status: JobStatus::Appealing,
            refund: 0,
            paid: 0,
            bonus: 0,
            slash: 0,
            payouts: [Vec::new(), Vec::new()],
        }
    }

    fn pay(&self, verdict: Verdict) -> Ending {
        Ending {
            status: JobStatus::Settled,
            refund: self.escrow - self.price,
            paid: self.price,
            ..self.appeal(verdict)
        }
    }

    fn confirm(&self, first: &[Said]) -> Ending {
        let (fee, bond) = self.fees();
        let mut ending = self.pay(Verdict::Confirmed);
        ending.refund -= many(count(first, Said::Equal)) * fee;
        ending.payouts[0] = paid(first, [bond + fee, 0, 0]);
        ending
    }

    fn fault(&self, verdict: Verdict, [first, second]: &[Vec<Said>; 2]) -> Ending {
        let (fee, bond) = self.fees();
        let right = |fee: u64| {
            let equal = if verdict == Verdict::Overturned {
                0
            } else {
                bond + fee
            };
            [equal, bond + fee, bond + fee]
        };
        let early = if self.level == 1 { fee } else { 2 * fee };
        Ending {
            status: JobStatus::Faulted,
            refund: self.escrow + self.bond,
            slash: self.args.terms.collateral,
            payouts: [paid(first, right(early)), paid(second, right(fee))],
            ..self.appeal(verdict)
        }
    }

    fn uphold(&self, first: &[Said], second: &[Said]) -> Ending {
        let (fee, bond) = self.fees();
        let winners = many(count(second, Said::Equal));
        let mut ending = self.pay(Verdict::Upheld);
        let mut share = fee;
        match self.cause() {
            Cause::Dispute => ending.bonus = self.bond - winners * fee,
            Cause::Silence => {}
            Cause::Draw | Cause::Dissent => {
                let wrong = |seats: &[Said]| {
                    let kept = count(seats, Said::Equal) + count(seats, Said::Unavailable);
                    many(seats.len() - kept) * bond
                };
                let excused = 2 * many(count(first, Said::Unavailable))
                    + many(count(second, Said::Unavailable));
                let lost = wrong(first) + wrong(second) + excused * fee;
                let taken = (winners * fee).saturating_sub(lost).min(self.price);
                ending.paid -= taken;
                ending.refund -= many(count(first, Said::Equal)) * fee;
                share = fee.min((lost + taken) / winners);
            }
        }
        if self.cause() == Cause::Dissent {
            ending.payouts[0] = paid(first, [bond + fee, 0, bond - 2 * fee]);
        } else {
            ending.payouts[0] = paid(first, [0; 3]);
        }
        ending.payouts[1] = paid(second, [bond + share, 0, bond - fee]);
        ending
    }

    fn leave_open(&self, first: &[Said], second: &[Said]) -> Ending {
        let (fee, bond) = self.fees();
        let heard = many(voices(second));
        let mut ending = self.pay(Verdict::Undecided);
        let mut share = fee;
        match self.cause() {
            Cause::Dispute => ending.refund += self.bond - heard * fee,
            Cause::Silence => {}
            Cause::Draw | Cause::Dissent => {
                let budget = u64::from(self.args.terms.panel_size) * fee;
                share = budget.checked_div(heard).map_or(0, |share| share.min(fee));
                (ending.status, ending.paid) = (JobStatus::Unresolved, 0);
                ending.refund = self.escrow - heard * share;
            }
        }
        let back = if self.cause() == Cause::Dissent {
            bond
        } else {
            0
        };
        ending.payouts = [paid(first, [back; 3]), paid(second, [bond + share; 3])];
        ending
    }
}

fn count(seats: &[Said], what: Said) -> usize {
    seats.iter().filter(|said| **said == what).count()
}

fn voices(seats: &[Said]) -> usize {
    seats.len() - count(seats, Said::NeverCommitted) - count(seats, Said::NeverRevealed)
}

fn many(seats: usize) -> u64 {
    u64::try_from(seats).expect("five seats")
}

/// Pays equal, different and unavailable seats; silent ones lose their bond.
fn paid(seats: &[Said], [equal, different, unavailable]: [u64; 3]) -> Vec<u64> {
    let pay = |said: &Said| match said {
        Said::NeverCommitted | Said::NeverRevealed => 0,
        Said::Equal => equal,
        Said::Different => different,
        Said::Unavailable => unavailable,
    };
    seats.iter().map(pay).collect()
}
