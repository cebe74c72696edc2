//! What the chain holds against what the book says.

use assay_client::{
    program::INCINERATOR,
    protocol::{
        Address,
        job::JOB_ACKNOWLEDGED,
        panel::{PanelStatus, SeatData, SeatState},
    },
};
use assay_tests::Call;

use super::{
    bench::{Bench, Did, Seat, Stage},
    game::Game,
    sessions::Session,
    shadow::Job,
};

impl Game {
    /// Every account that the instruction named holds what the book says.
    pub(super) fn compare(&self, call: &Call) {
        for meta in &call.instruction.accounts {
            let address = &meta.pubkey;
            if let Some(lamports) = self.book.lamports(address) {
                assert_eq!(
                    self.world.balance(address),
                    lamports,
                    "lamports of {address}"
                );
            }
            if let Some(job) = self.book.jobs.get(address) {
                self.compare_job(address, job);
            } else if let Some(bench) = self.book.panels.get(address) {
                self.compare_panel(address, bench);
            } else if self.book.providers.contains_key(address) {
                self.compare_provider(address);
            } else if let Some(session) = self.book.sessions.get(address) {
                self.compare_session(address, session);
            } else if let Some(model) = self.book.models.get(address) {
                let retired = self.world.model(address).retired_at;
                assert_eq!(retired, model.retired_at.unwrap_or_default());
            }
        }
        assert_eq!(self.world.balance(&INCINERATOR), self.book.burned);
        let name = call.spec.name;
        if name == "earnings_withdraw" || name == "treasury_withdraw" {
            assert_eq!(self.world.treasury().collected, self.book.collected);
        }
        if name.starts_with("market") || name.starts_with("authority") {
            let market = self.world.market();
            assert_eq!(
                (market.params, market.flags),
                (self.book.params, self.book.paused)
            );
            let pending = self.book.pending.unwrap_or_default();
            assert_eq!(
                (market.authority, market.pending_authority),
                (self.book.authority, pending)
            );
        }
    }

    fn compare_job(&self, address: &Address, job: &Job) {
        let found = self.world.job(address);
        assert_eq!(found.status(), Ok(job.status));
        let holder = job.holder.unwrap_or_default();
        assert_eq!((found.provider, found.generation), holder);
        assert_eq!(
            (found.escrow, found.dispute_bond, found.refund_due),
            (job.escrow, job.bond, job.refund_due)
        );
        assert_eq!(
            (found.attempt, found.price, found.fee_bps),
            (job.attempt, job.price, job.params.fee_bps)
        );
        assert_eq!(
            (found.level, found.target_slot, found.convened_at),
            (job.level, job.target, job.convened)
        );
        assert_eq!(found.root, job.root.unwrap_or_default());
        let verdict = job.verdict.map_or(0, |verdict| verdict as u8);
        assert_eq!(found.verdict, verdict);
        assert_eq!(found.flags & JOB_ACKNOWLEDGED != 0, job.acknowledged);
        assert_eq!(
            [1, 2].map(|level| found.has_panel(level)),
            job.opened_panels
        );
        let live = self.book.live_panels(address).count();
        assert_eq!(usize::from(found.live_panels), live);
    }

    fn compare_provider(&self, address: &Address) {
        let (found, held) = (self.world.provider(address), self.book.providers[address]);
        assert_eq!(found.stake, self.book.stake(address));
        assert_eq!(found.reserved, self.book.reserved(address));
        assert_eq!(found.unbonding, held.unbonding);
        assert!(held.unbonding == 0 || found.unbond_at == held.unbond_at);
        assert_eq!((found.earnings, found.fees_due), (held.earnings, held.fees));
        assert_eq!(
            (found.operator, found.runtime_class),
            (held.operator, held.class)
        );
        assert_eq!(
            (found.generation, found.unbond_secs),
            (held.generation, held.unbond_secs)
        );
        let seats = usize::try_from(found.live_seats).expect("few");
        assert_eq!(seats, self.book.seats(address));
        assert_eq!(found.aged_at, held.aged);
        assert_eq!((found.audits_paid, found.audits_lost), held.audits);
    }

    fn compare_session(&self, address: &Address, session: &Session) {
        let found = self.world.session(address);
        assert_eq!(
            (found.requester, found.provider, found.generation),
            (session.requester, session.provider, session.generation)
        );
        assert_eq!(
            (found.deposit, found.settled, found.fee_bps),
            (session.deposit, session.settled, session.fee_bps)
        );
        let (status, requested) = session.requested.map_or((1, 0), |moment| (2, moment));
        assert_eq!(
            (found.status, found.close_requested_at),
            (status, requested)
        );
        assert_eq!(found.session_key, session.args.session_key);
    }

    fn compare_panel(&self, address: &Address, bench: &Bench) {
        let found = self.world.panel(address);
        let stage = match bench.stage {
            Stage::Live => PanelStatus::Live,
            Stage::Appealed => PanelStatus::Appealed,
            Stage::Resolved => PanelStatus::Resolved,
        };
        assert_eq!(found.status(), Ok(stage));
        assert_eq!(
            (found.job, found.level, found.rent_payer, found.seed),
            (bench.job, bench.level, bench.payer, bench.seed)
        );
        assert_eq!(
            (found.join_deadline, found.commit_deadline),
            (bench.join, bench.commit)
        );
        assert_eq!(
            (found.reveal_deadline, found.bond, found.bonds),
            (bench.reveal, bench.bond, bench.bonds())
        );
        let (taken, free) = found.seats.split_at(bench.seats.len());
        assert!(free.iter().all(|seat| seat.state == SeatState::Empty as u8));
        for (seat, held) in taken.iter().zip(&bench.seats) {
            compare_seat(seat, held);
        }
    }
}

fn compare_seat(found: &SeatData, held: &Seat) {
    let state = match held.did {
        Did::Joined => SeatState::Joined,
        Did::Committed => SeatState::Committed,
        Did::Revealed => SeatState::Revealed,
        Did::Settled => SeatState::Settled,
    };
    assert_eq!(found.state, state as u8);
    assert_eq!(
        (found.provider, found.generation, found.score, found.payout),
        (held.provider, held.generation, held.score, held.payout)
    );
    let sealed = held.seal.map(|seal| seal.commitment());
    assert_eq!(found.digest, held.root.or(sealed).unwrap_or_default());
}
