//! Whether to ask for a seat, with which ticket, and when.

use assay_protocol::{Address, Lamports, PanelData, UnixSeconds, sortition::best_ticket};

use super::{
    AuditIntent, Audits,
    case::{Case, Files},
};

/// Tickets looked through for the best one: a bound for a stake of a million tickets.
const MOST_TICKETS: u32 = 1 << 20;

impl Audits {
    pub(super) fn join(&mut self, address: Address, now: UnixSeconds) {
        let Some(account) = self.account else {
            return;
        };
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let mine = case.job.provider == self.me.provider || case.is_seated(&self.me.provider);
        if mine || case.is_asking(&self.me.provider, now) {
            return;
        }
        let paused = self.paused_models.contains(&case.job.model_digest);
        if !self.joining || paused || !self.policy.wants(&self.me, &account, &case.job) {
            return self.let_go(address);
        }
        let Some(panel) = case.convened().copied() else {
            return;
        };
        let tickets = account
            .tickets(Lamports(case.job.ticket_stake))
            .unwrap_or(0)
            .min(MOST_TICKETS);
        let Some((ticket, score)) = case.best(&panel.seed, &self.me.provider, tickets) else {
            return;
        };
        let (files, due) = (case.files, case.files_due <= now);
        // Files of seats that are out of reach are memory that a stranger could fill.
        let place = place(&panel, score).filter(|_| self.has_room(&address, now));
        let Some(evicted) = place else {
            return self.let_go(address);
        };
        if our_turn(&panel, score) > now.0 {
            return;
        }
        match files {
            Files::Absent if due => self.prepare(address),
            Files::Ready if due => {
                if self.can_finish(address, &panel, now) {
                    self.ask(address, ticket, evicted, now);
                }
            }
            Files::Tried => self.ask(address, ticket, evicted, now),
            Files::Absent | Files::Ready | Files::Preparing | Files::Trying | Files::Refused => {}
        }
    }

    fn ask(&mut self, address: Address, ticket: u32, evicted: Option<Address>, now: UnixSeconds) {
        let Some(case) = self.cases.get(&address) else {
            return;
        };
        let level = case.job.level;
        let intent = AuditIntent::Join {
            level,
            ticket,
            other_panel: level == 2 && case.job.has_panel(1),
            evicted,
        };
        // On disk first: whoever restarts must find its seat.
        self.keep(address, false);
        self.submit(address, intent, now);
    }
}

/// When to ask for a seat: the better the ticket, the sooner, within the first quarter of the join
/// window. Whoever comes late finds the seats in better hands and fetches nothing for them.
fn our_turn(panel: &PanelData, score: u64) -> i64 {
    let window = panel.join_deadline.saturating_sub(panel.opened_at).max(0);
    // A score is uniform over 64 bits: its upper half is a fraction of 2^32.
    let wait = (score >> 32).saturating_mul(window.unsigned_abs() / 4) >> 32;
    let wait = i64::try_from(wait).unwrap_or(0);
    panel.opened_at.saturating_add(wait)
}

/// Whether a score holds a seat now, and who would have to leave it for that.
fn place(panel: &PanelData, score: u64) -> Option<Option<Address>> {
    let seats = || panel.seats.iter().take(usize::from(panel.size));
    if panel.joined < panel.size {
        return Some(None);
    }
    // As the program picks it: the first of the highest.
    let mut highest = None;
    for seat in seats() {
        if highest.is_none_or(|(_, held)| held < seat.score) {
            highest = Some((seat.provider, seat.score));
        }
    }
    let (provider, held) = highest?;
    (score < held).then_some(Some(provider))
}

impl Case {
    /// Our best ticket for a panel's seed, remembered.
    fn best(&mut self, seed: &[u8; 32], provider: &Address, tickets: u32) -> Option<(u32, u64)> {
        if let Some((known, count, best)) = self.tickets
            && known == *seed
            && count == tickets
        {
            return Some(best);
        }
        let best = best_ticket(seed, provider, tickets)?;
        self.tickets = Some((*seed, tickets, best));
        Some(best)
    }
}
