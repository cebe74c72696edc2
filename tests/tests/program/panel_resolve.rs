//! panel_resolve: every row of the table of verdicts once, with everybody's money to the lamport.

use assay_client::protocol::{
    JobStatus,
    verdict::{SeatOutcome, Verdict},
};
use assay_tests::Court;

use SeatOutcome::{Different, Equal};

#[test]
fn smoke() {
    let mut court = Court::new();
    let job = court.dissented();
    court.judged(&job, &[Equal, Equal, Different], true);
    assert_eq!(court.world.status(&job), JobStatus::Settled);
    assert_eq!(court.world.job(&job.account).verdict, Verdict::Upheld as u8);
    court.world.do_panels_closed(&job);
    court.world.pass_open_slot(&job);
    court.world.do_job_close(&job);
}
