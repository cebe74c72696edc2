//! A result goes to the wallet that pays for it, and to nobody else.

use anyhow::Result;
use assay_client::{
    delivery::{
        Acknowledgement, MAX_SKEW_SECS, Refusal, acknowledge_path, hints_path, outputs_path,
        result_path,
    },
    protocol::{Address, JobStatus},
};
use assay_tests::e2e::{Answer, Http, Model, SOL, Settings, digits::Sample, wall_clock};
use solana_keypair::Keypair;

use crate::{parties::Parties, present};

fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let refusal: Refusal = serde_json::from_slice(&answer.body).expect("a refusal in JSON");
    assert!(!refusal.error.is_empty() && !refusal.message.is_empty());
}

#[test]
fn result_is_delivered_to_its_requester_only() -> Result<()> {
    let stage = present();
    let parties = Parties::new(stage, &Model::digits()?)?;
    let Parties {
        provider,
        requester,
        ..
    } = &parties;
    let _worker = parties.worker(&Settings::default())?;
    let http = provider.http();
    let order = parties.order(Sample::new(0)?.input);
    let placed = requester.place(stage, &http, &order)?;
    let job = placed.job;
    stage.wait_job(&job, JobStatus::Committed)?;
    requester.receive(stage, &http, &job)?;

    let stranger = stage.wallet(SOL)?;
    let now = wall_clock()?;
    let elsewhere = Http {
        operator: Address::new_from_array([7; 32]),
        ..http.clone()
    };
    for path in [result_path(&job), outputs_path(&job), hints_path(&job)] {
        assert_refused(&http.get(&path)?, 401);
        assert_refused(&http.signed(&stranger, "GET", &path, Vec::new())?, 403);
        for moment in [now - MAX_SKEW_SECS - 60, now + MAX_SKEW_SECS + 60] {
            let stale = http.signed_at(&requester.wallet, "GET", &path, Vec::new(), moment)?;
            assert_refused(&stale, 401);
        }
        // Signed for another worker, or for another request.
        assert_refused(
            &elsewhere.signed(&requester.wallet, "GET", &path, Vec::new())?,
            401,
        );
        let signed = signature(&http, &requester.wallet, "POST", &path, now)?;
        assert_refused(&http.send("GET", &path, Vec::new(), signed)?, 401);
    }
    let unknown = result_path(&Address::new_from_array([9; 32]));
    assert_refused(
        &http.signed(&requester.wallet, "GET", &unknown, Vec::new())?,
        404,
    );

    // Nor does anybody else acknowledge it, and a wrong secret does not either.
    let path = acknowledge_path(&job);
    let wrong = serde_json::to_vec(&Acknowledgement {
        requester_secret: [1; 32],
    })?;
    assert_refused(&http.signed(&stranger, "POST", &path, wrong.clone())?, 403);
    let answer = http.signed(&requester.wallet, "POST", &path, wrong)?;
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    assert_eq!(stage.status(&job)?, JobStatus::Committed);

    requester.acknowledge(&http, &job)?;
    stage.wait_job(&job, JobStatus::Settled)?;
    // Once more is no error: an answer may have been lost.
    requester.acknowledge(&http, &job)?;
    parties.assert_paid_once(&job, &order, placed.landed.fee)
}

fn signature(
    http: &Http,
    wallet: &Keypair,
    method: &str,
    path: &str,
    timestamp: i64,
) -> Result<Vec<(&'static str, String)>> {
    let request = assay_client::delivery::Request {
        method,
        path,
        timestamp,
        body: &[],
        operator: &http.operator,
    };
    Ok(assay_client::delivery::sign(wallet, &request)?.to_vec())
}
