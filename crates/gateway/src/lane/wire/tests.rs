use tokio::time::Instant;

use super::*;

fn of(status: u16, error: &str) -> Verdict {
    let body = serde_json::to_vec(&Refusal {
        error: error.to_owned(),
        message: "why".to_owned(),
    })
    .unwrap();
    verdict(
        StatusCode::from_u16(status).unwrap(),
        &HeaderMap::new(),
        &body,
    )
}

#[test]
fn refusals_of_the_worker_are_told_from_those_of_a_proxy() {
    assert_eq!(of(422, code::INPUT_MISMATCH), Verdict::Unfit("why".into()));
    for (status, code) in [(503, code::DRAINING), (429, code::LOST_RUNS)] {
        assert!(matches!(of(status, code), Verdict::Busy(BUSY, _)));
    }
    assert!(matches!(
        of(409, code::SEQUENCE_MISMATCH),
        Verdict::Count(_)
    ));
    assert!(matches!(of(500, "other"), Verdict::Doubtful(_)));
    let html = verdict(
        StatusCode::BAD_GATEWAY,
        &HeaderMap::new(),
        b"<html>busy</html>",
    );
    assert_eq!(html, Verdict::Doubtful("HTTP 502 Bad Gateway".into()));
}

#[test]
fn stranger_s_text_is_cut_short() {
    let refusal = Refusal {
        error: code::INPUT_MISMATCH.to_owned(),
        message: "\u{1b}x".repeat(1_000),
    };
    let body = serde_json::to_vec(&refusal).unwrap();
    let told = verdict(StatusCode::UNPROCESSABLE_ENTITY, &HeaderMap::new(), &body);
    assert_eq!(told, Verdict::Unfit("x".repeat(300)));
}

#[test]
fn retry_after_has_a_longest_time() {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, "7".parse().unwrap());
    assert_eq!(retry_after(&headers), Duration::from_secs(7));
    headers.insert(RETRY_AFTER, "999999".parse().unwrap());
    assert_eq!(retry_after(&headers), LONGEST_BUSY);
}

fn bounds(allow_private: bool) -> Bounds {
    Bounds {
        allow_private,
        ..Bounds::default()
    }
}

#[tokio::test]
async fn provider_in_a_private_network_is_not_connected_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let wire = Wire::new(bounds(false)).unwrap();
    for host in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]"] {
        let asked: Result<Standing, _> = wire.json(&format!("http://{host}:{port}"), "/x").await;
        assert!(matches!(asked, Err(WireError::Private)), "{asked:?}");
    }
    // A name is public as far as anybody can see, until it is resolved.
    let named: Result<Standing, _> = wire.json(&format!("http://localhost:{port}"), "/x").await;
    let text = named.unwrap_err().to_string();
    assert!(text.contains("no public address"), "{text}");
    let accepted = futures_util::FutureExt::now_or_never(listener.accept());
    assert!(accepted.is_none(), "somebody connected");
}

/// A byte comes every minute, so it is never silent for as long as the patience is.
#[tokio::test(start_paused = true)]
async fn answer_that_drips_is_given_up_in_time() {
    let drip = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"1")), ()))
    });
    let response: Response = axum::http::Response::new(reqwest::Body::wrap_stream(drip)).into();
    let wire = Wire::new(bounds(true)).unwrap();
    let began = Instant::now();
    let error = wire.whole(response).await.unwrap_err();
    assert!(matches!(error, WireError::Slow(_)), "{error}");
    assert_eq!(began.elapsed().as_secs(), 600);
    let more = wire
        .deadline(300)
        .limit
        .saturating_sub(wire.deadline(0).limit);
    assert_eq!(more, Duration::from_mins(10));
}
