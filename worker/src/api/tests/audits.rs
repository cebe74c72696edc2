//! What auditors and the requesters of audited jobs ask for.

use assay_client::{
    delivery::{audit_outputs_path, blob_path},
    protocol::{
        Digest, JobData, JobStatus, PanelData,
        job::{JOB_ACKNOWLEDGED, JOB_PANEL_1},
        panel::SeatState,
    },
};
use bytemuck::Zeroable;
use reqwest::Method;
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    refusal, refused,
    service::{NOW, Service, key},
};
use crate::core::{Body, Evidence, Report, SavedSeat};

#[tokio::test]
async fn hints_are_served_by_digest_once_they_are_committed() {
    let service = Service::start().await;
    let body = Body {
        hints: vec![1, 2, 3],
        ..Body::default()
    };
    let path = blob_path(&Digest([4; 32]));
    service.job(1, &body, Report::Lost);
    let early = service.plain(Method::GET, &path, b"").await;
    assert_eq!(refusal(early).await, refused(404, "blob_unknown"));
    service.job(2, &body, Report::Committed);
    let served = service.plain(Method::GET, &path, b"").await;
    assert_eq!(served.bytes().await.unwrap(), [1, 2, 3].as_slice());
}

fn keep(service: &Service, number: u8, flags: u8, level: u8, state: SeatState) {
    let mut job = JobData::zeroed();
    job.requester = service.requester.pubkey();
    (job.status, job.level, job.flags) = (JobStatus::Auditing as u8, level, flags);
    let mut panel = PanelData::zeroed();
    panel.seats[1].provider = key(7);
    panel.seats[1].state = state as u8;
    let panel = Some(Box::new(panel));
    let panels = if level == 1 {
        [panel, None]
    } else {
        [None, panel]
    };
    let evidence = Evidence {
        job: Box::new(job),
        panels,
        ended: false,
    };
    let seat = SavedSeat {
        level,
        attempt: 0,
        generation: 7,
        salt: [1; 32],
        root: Digest([2; 32]),
        commitment: Digest([3; 32]),
    };
    let body = Body {
        outputs: b"outputs".to_vec(),
        ..Body::default()
    };
    let job = key(number);
    service.store.keep_audit(&job, &evidence, NOW).unwrap();
    service.store.save_seat(&job, &seat, &body, NOW).unwrap();
}

#[tokio::test]
async fn auditors_outputs_go_to_a_requester_who_has_nothing_else_once_they_are_public() {
    let service = Service::start().await;
    let ask = async |number: u8, level: u8| {
        let path = audit_outputs_path(&key(number), level);
        let asked = service.signed(&service.requester, Method::GET, &path, b"");
        asked.await
    };
    keep(&service, 1, JOB_PANEL_1, 1, SeatState::Revealed);
    let answer = ask(1, 1).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.unwrap(), &b"outputs"[..]);
    let path = audit_outputs_path(&key(1), 1);
    let stranger = service
        .signed(&Keypair::new(), Method::GET, &path, b"")
        .await;
    assert_eq!(refusal(stranger).await, refused(403, "not_the_requester"));
    let unsigned = service.plain(Method::GET, &path, b"").await;
    assert_eq!(refusal(unsigned).await, refused(401, "signature_missing"));

    keep(&service, 2, JOB_PANEL_1, 1, SeatState::Committed);
    assert_eq!(ask(2, 1).await.status(), 202, "another could copy it");
    let flags = JOB_PANEL_1 | JOB_ACKNOWLEDGED;
    keep(&service, 3, flags, 1, SeatState::Revealed);
    assert_eq!(refusal(ask(3, 1).await).await, refused(403, "acknowledged"));
    // Disputed: level 2 without a first panel.
    keep(&service, 4, JOB_ACKNOWLEDGED, 2, SeatState::Settled);
    assert_eq!(ask(4, 2).await.status(), 200);
    assert_eq!(refusal(ask(9, 1).await).await, refused(404, "job_unknown"));
}

/// Whoever sends a body slowly keeps no auditor from the hints.
#[tokio::test]
async fn uploads_that_do_not_end_keep_nobody_from_reading() {
    let service = Service::start().await;
    let address = service.url.strip_prefix("http://").unwrap();
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /v1/jobs/x/acknowledge HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(
            &asked, b"HTTP/1.1 100 Continue\r\n\r\n",
            "its slot is taken"
        );
        slow.push(stream);
    }
    let path = blob_path(&Digest::of(&[b"input"]));
    let answer = service.plain(Method::GET, &path, b"").await;
    assert_eq!(refusal(answer).await, refused(404, "blob_unknown"));
}
