//! The second act: an audited job whose provider cheats, from the order to the verdict.

use anyhow::{Context as _, Result, bail};
use assay_client::{
    Event, address,
    protocol::{Address, JobStatus, events::PanelResolved, verdict::Verdict},
};
use assay_tests::e2e::{
    Landed, Order, Requester, Stage,
    digits::{Prediction, Sample},
};

use crate::{
    job::{beside, percent},
    panel,
    people::People,
    screen::{Screen, grouped},
};

const CEILING: u64 = 1_000_000;

pub struct Act<'a> {
    pub stage: &'a Stage,
    pub requester: &'a Requester,
    pub people: &'a People,
    pub model: Address,
    /// Grid exponent of the model's probabilities.
    pub exponent: i16,
    /// What an honest worker made of the same picture.
    pub honest: &'a Prediction,
    pub digit: u8,
}

impl Act<'_> {
    /// Plays it; returns the job.
    pub fn play(&self, screen: &Screen) -> Result<Address> {
        let job = self.answered(screen)?;
        screen.step("The first panel: two auditors, drawn by lot");
        panel::first(screen, self.stage, self.people, &job)?;
        screen.step("The second panel: everybody who is left decides");
        panel::second(screen, self.stage, self.people, &job)?;
        screen.step("The verdict");
        self.judged(screen, &job)?;
        Ok(job)
    }

    /// Orders, receives and accepts.
    fn answered(&self, screen: &Screen) -> Result<Address> {
        let Self {
            stage, requester, ..
        } = self;
        let cheat = self.people.cheat()?;
        screen.step(&format!(
            "Job 4: the {} again, audited, and {} gets it",
            self.digit, cheat.name
        ));
        let sample = Sample::new(self.digit)?;
        let order = Order {
            ceiling: CEILING,
            floor: CEILING,
            claim_secs: 60,
            compute_secs: 60,
            ..Order::new(self.model, sample.input.clone())
        };
        let order = order.audited(10_000).only(&cheat.provider.address);
        let audit = order.audit.context("the terms are audited")?;
        let http = cheat.provider.http();
        let placed = requester.place(stage, &http, &order)?;
        screen.passing("the worker computes");
        stage.wait_job(&placed.job, JobStatus::Committed)?;
        let (delivered, _) = requester.receive(stage, &http, &placed.job)?;
        requester.acknowledge(&http, &placed.job)?;
        screen.clear();
        let prediction = Prediction::read(&delivered.outputs)?;
        if prediction.label != self.honest.label {
            bail!("the rounded model says {}", prediction.label);
        }
        let row = |name: &str, text: &str| format!("{} {text}", screen.dim(&format!("{name:<8}")));
        let answer = format!(
            "{}, {} sure",
            prediction.label,
            percent(prediction.confidence())
        );
        let lines = [
            row("price", &format!("{} lamports", grouped(order.ceiling))),
            row(
                "audit",
                &format!("100 %: by {} for {} each", audit.panel, grouped(audit.fee)),
            ),
            row(
                "at risk",
                &format!("{} of {}'s stake", grouped(order.collateral), cheat.name),
            ),
            row("answer", &screen.strong(&answer)),
            row(
                "job 1",
                &format!("{} sure, by Ada", percent(self.honest.confidence())),
            ),
            row("checked", "outputs open the commitment on chain:"),
            row("", "the requester sees nothing and accepts"),
            row("off by", &self.deviation(&prediction)),
        ];
        beside(screen, &sample, &lines)?;
        stage.wait_job(&placed.job, JobStatus::Auditing)?;
        Ok(placed.job)
    }

    /// How far the cheat's probabilities lie from the honest ones.
    fn deviation(&self, prediction: &Prediction) -> String {
        let pairs = prediction
            .probabilities
            .iter()
            .zip(&self.honest.probabilities);
        let worst = pairs.fold(0.0_f32, |most, (one, other)| most.max((one - other).abs()));
        let steps = f64::from(worst) / f64::from(self.exponent).exp2();
        format!("{worst:.4}, {steps:.0} steps; half a step is allowed")
    }

    /// Shows who gets and who loses what.
    fn judged(&self, screen: &Screen, job: &Address) -> Result<()> {
        let stage = self.stage;
        let resolved = last_verdict(&stage.history(job)?).context("a verdict")?;
        let verdict = u8::try_from(resolved.verdict)
            .ok()
            .and_then(Verdict::from_byte);
        let verdict = verdict.context("a known verdict")?;
        let name = self.people.name(&resolved.provider);
        screen.fact(
            "verdict",
            &screen.strong(&format!("{}: {name} is at fault", verdict.name())),
        );
        let lost = format!("-{:>11}", grouped(resolved.slash));
        screen.fact(name, &format!("{}   its collateral", screen.bad(&lost)));
        for level in [1, 2] {
            let panel = stage.history(&address::panel(job, level))?;
            for (provider, earned) in settled(&panel) {
                let gained = format!("+{:>11}", grouped(earned));
                let role = match level {
                    1 => "found it out: two fees",
                    _ => "decided: one fee",
                };
                let gained = screen.good(&gained);
                screen.fact(self.people.name(&provider), &format!("{gained}   {role}"));
            }
        }
        screen.fact(
            "requester",
            &format!("+{:>11}   everything back", grouped(resolved.refund)),
        );
        screen.fact(
            "burned",
            &format!(" {:>11}   the rest of it", grouped(resolved.burned)),
        );
        Ok(())
    }
}

/// The last verdict of a job.
fn last_verdict(history: &[Landed]) -> Option<PanelResolved> {
    let events = history.iter().flat_map(|landed| &landed.events);
    let mut verdicts = events.filter_map(|event| match event {
        Event::PanelResolved(resolved) => Some(*resolved),
        _ => None,
    });
    verdicts.next_back()
}

/// Who earned what for a seat.
fn settled(history: &[Landed]) -> Vec<(Address, u64)> {
    let events = history.iter().flat_map(|landed| &landed.events);
    let paid = events.filter_map(|event| match event {
        Event::SeatSettled(seat) => Some((seat.provider, seat.earned)),
        _ => None,
    });
    paid.collect()
}
