//! How the book lets panels speak, pays their seats and closes them.

use assay_client::protocol::{Address, Error, JobStatus};

use super::super::{
    bench::{Did, Phase, Stage},
    shadow::{Expected, Job, Outcome, Shadow, possible, rule},
    verdict::Ending,
};

impl Shadow {
    pub fn panel_resolve(
        &mut self,
        account: Address,
        named: Address,
        requester: Address,
        given: [Option<Address>; 2],
    ) -> Outcome {
        possible(self.providers.contains_key(&named))?;
        let mut job = self.job(&account)?;
        possible(given[0].is_none() || given[0] != given[1])?;
        for panel in given.iter().flatten() {
            possible(self.panels.contains_key(panel))?;
        }
        rule(job.is_convened(), Error::JobNotConvened)?;
        let generation = self.providers[&named].generation;
        let own = job.holder == Some((named, generation));
        rule(own, Error::JobProviderMismatch)?;
        rule(job.requester == requester, Error::JobRequesterMismatch)?;
        for (level, panel) in (1..).zip(given) {
            match (panel, job.has_panel(level)) {
                (Some(panel), true) => {
                    let bench = &self.panels[&panel];
                    let right = bench.job == account && bench.level == level;
                    rule(right, Error::PanelJobMismatch)?;
                }
                (Some(_), false) => return Err(Expected::Fact(Error::PanelUnexpected)),
                (None, true) => return Err(Expected::Fact(Error::PanelMissing)),
                (None, false) => {}
            }
        }
        let heard = given[usize::from(job.level) - 1];
        let over = match heard {
            Some(panel) => self.panels[&panel].phase(self.now, &job) == Phase::Over,
            None => self.now > job.open_deadline(),
        };
        rule(over, Error::PanelNotOver)?;
        let said = given.map(|panel| {
            let bench = panel.map(|panel| &self.panels[&panel]);
            bench.map_or(Vec::new(), |bench| bench.said(job.root))
        });
        let ending = job.judge(&said);
        job.verdict = Some(ending.verdict);
        if ending.status == JobStatus::Appealing {
            for bench in given.iter().filter_map(|panel| *panel) {
                self.stage(&bench, Stage::Appealed);
            }
            self.convene(job, &account, 2);
            return Ok(());
        }
        self.pay_out(job, &account, given, &ending);
        Ok(())
    }

    fn stage(&mut self, panel: &Address, stage: Stage) {
        if let Some(bench) = self.panels.get_mut(panel) {
            bench.stage = stage;
        }
    }

    fn pay_out(
        &mut self,
        job: Job,
        account: &Address,
        given: [Option<Address>; 2],
        ending: &Ending,
    ) {
        let held = |book: &Self| -> u64 {
            let panels = given.iter().flatten();
            panels.map(|panel| book.panels[panel].bonds()).sum()
        };
        let before = job.escrow + job.bond + held(self) + ending.slash;
        for (panel, payouts) in given.iter().zip(&ending.payouts) {
            let Some(panel) = panel else { continue };
            self.stage(panel, Stage::Resolved);
            let bench = self.panels.get_mut(panel).expect("a given panel exists");
            for (seat, payout) in bench.seats.iter_mut().zip(payouts) {
                seat.payout = *payout;
            }
        }
        let out = ending.refund + ending.paid + ending.bonus + held(self);
        let burned = before.checked_sub(out);
        let burned = burned.unwrap_or_else(|| panic!("the table pays too much: {ending:?}"));
        if let Some((holder, _)) = job.holder {
            // The slash is burned as far as nobody is paid out of it.
            self.unreserve(&holder, &job, ending.slash);
            self.burned -= ending.slash;
            self.reward(&holder, &job, ending.paid);
            if let Some(primary) = self.providers.get_mut(&holder) {
                primary.earnings += ending.bonus;
            }
        }
        self.burned += burned;
        self.end(job, account, ending.status, ending.refund);
    }

    pub fn seat_settle(&mut self, panel: Address, account: Address, seat: u8) -> Outcome {
        let mut provider = *self.providers.get(&account).ok_or(Expected::Refused)?;
        let mut bench = self.bench(&panel)?;
        rule(bench.stage == Stage::Resolved, Error::PanelNotResolved)?;
        rule(seat < 5, Error::SeatIndexInvalid)?;
        let (bond, held) = (bench.bond, bench.seats.get_mut(usize::from(seat)));
        let held = held.filter(|held| held.provider == account);
        let held = held.ok_or(Expected::Fact(Error::SeatProviderMismatch))?;
        rule(held.did != Did::Settled, Error::SeatSettled)?;
        held.did = Did::Settled;
        provider.free += held.payout.min(bond);
        provider.earnings += held.payout.saturating_sub(bond);
        provider.audits.0 += u32::from(held.payout > bond);
        provider.audits.1 += u32::from(held.payout < bond);
        self.providers.insert(account, provider);
        self.panels.insert(panel, bench);
        Ok(())
    }

    pub fn panel_close(&mut self, account: Address, panel: Address, payer: Address) -> Outcome {
        self.job(&account)?;
        let bench = self.bench(&panel)?;
        rule(bench.job == account, Error::PanelJobMismatch)?;
        rule(bench.payer == payer, Error::RentPayerMismatch)?;
        rule(bench.stage == Stage::Resolved, Error::PanelNotResolved)?;
        let settled = bench.unsettled().next().is_none();
        rule(settled, Error::PanelSeatsUnsettled)?;
        self.credit(&payer, self.rents.panel + bench.gift);
        self.panels.remove(&panel);
        Ok(())
    }
}
