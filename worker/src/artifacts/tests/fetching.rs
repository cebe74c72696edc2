//! Files in pieces, from servers that break off, lie, or know no ranges.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;

use super::*;
use crate::artifacts::cache::PIECE_BYTES;

/// How a server behaves, and what it was asked for.
#[derive(Default)]
struct Behaviour {
    bytes: Vec<u8>,
    knows_ranges: bool,
    /// Breaks off within the answer that holds this byte, once.
    breaks_at: Mutex<Option<u64>>,
    asked: Mutex<Vec<String>>,
}

impl Behaviour {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn start(behaviour: Behaviour) -> (String, Arc<Behaviour>) {
    let behaviour = Arc::new(behaviour);
    let app = Router::new()
        .route("/{*path}", get(answer))
        .with_state(Arc::clone(&behaviour));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, behaviour)
}

async fn answer(
    State(server): State<Arc<Behaviour>>,
    UrlPath(path): UrlPath<String>,
    headers: HeaderMap,
) -> Response {
    let range = headers
        .get("range")
        .map(|range| range.to_str().unwrap().to_owned());
    server
        .asked
        .lock()
        .unwrap()
        .push(range.clone().unwrap_or(path));
    let total = server.bytes.len();
    let (from, to) = match range.filter(|_| server.knows_ranges) {
        Some(range) => {
            let (from, to) = range
                .strip_prefix("bytes=")
                .unwrap()
                .split_once('-')
                .unwrap();
            (from.parse().unwrap(), to.parse::<usize>().unwrap() + 1)
        }
        None => (0, total),
    };
    let status = if server.knows_ranges && headers.contains_key("range") {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let mut body = server.bytes[from..to].to_vec();
    let length = body.len();
    let mut breaks = server.breaks_at.lock().unwrap();
    let broken = breaks
        .filter(|at| (from as u64..to as u64).contains(at))
        .map(|at| usize::try_from(at).unwrap() - from);
    if let Some(cut) = broken {
        *breaks = None;
        body.truncate(cut);
    }
    let parts = [
        Ok(body),
        Err(std::io::Error::other("the connection breaks")),
    ];
    let sent = if broken.is_some() { 2 } else { 1 };
    let body = Body::from_stream(stream::iter(parts.into_iter().take(sent)));
    let range = format!("bytes {from}-{}/{total}", to.saturating_sub(1));
    (
        status,
        [
            ("content-length", length.to_string()),
            ("content-range", range),
        ],
        body,
    )
        .into_response()
}

/// Bytes of two pieces and a bit.
fn large() -> Vec<u8> {
    let size = 2 * PIECE_BYTES + 12_345;
    (0..size)
        .map(|at| (at.wrapping_mul(31) >> 3).to_le_bytes()[0])
        .collect()
}

fn of(bytes: &[u8], uri: String) -> Wanted {
    Wanted {
        digest: Digest::of(&[bytes]),
        size: bytes.len() as u64,
        uri,
        limit: 1 << 30,
    }
}

fn roomy(folder: &Path, gateways: Vec<String>) -> Artifacts {
    let cache = |name| Cache::open(name, &folder.join(name), 1 << 30).unwrap();
    let settings = FetchSettings {
        gateways,
        ..settings(policy())
    };
    Artifacts::new(cache("models"), cache("blobs"), vec![], settings).unwrap()
}

#[tokio::test]
async fn large_file_comes_in_pieces_and_is_one_transfer() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = large();
    let (url, server) = start(Behaviour {
        bytes: bytes.clone(),
        knows_ranges: true,
        ..Behaviour::default()
    })
    .await;
    let artifacts = roomy(folder.path(), vec![]);
    let wanted = of(&bytes, format!("{url}/model"));
    let (one, other) = tokio::join!(artifacts.model(&wanted), artifacts.model(&wanted));
    assert!(one.unwrap() == bytes && other.unwrap() == bytes);
    let mut asked = server.asked();
    asked.sort();
    let piece = PIECE_BYTES;
    let mut expected = [
        format!("bytes=0-{}", piece - 1),
        format!("bytes={piece}-{}", 2 * piece - 1),
        format!("bytes={}-{}", 2 * piece, bytes.len() - 1),
    ];
    expected.sort();
    assert_eq!(asked, expected, "each piece once, for both");
    assert_eq!(artifacts.transfers(), []);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("models"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "no parts are left behind");
}

#[tokio::test]
async fn broken_download_goes_on_after_a_restart_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = large();
    let (url, server) = start(Behaviour {
        bytes: bytes.clone(),
        knows_ranges: true,
        breaks_at: Mutex::new(Some(2 * PIECE_BYTES + 5)),
        ..Behaviour::default()
    })
    .await;
    let wanted = of(&bytes, format!("{url}/model"));
    let first = FetchSettings {
        // One after the other, so that it is known what had come.
        connections: 1,
        ..settings(policy())
    };
    let cache = |name| Cache::open(name, &folder.path().join(name), 1 << 30).unwrap();
    let artifacts = Artifacts::new(cache("models"), cache("blobs"), vec![], first).unwrap();
    let error = artifacts.model(&wanted).await.unwrap_err();
    assert!(error.may_pass(), "{error}");
    assert_eq!(server.asked().len(), 3);
    drop(artifacts);

    let artifacts = roomy(folder.path(), vec![]);
    assert!(artifacts.model(&wanted).await.unwrap() == bytes);
    let last = format!("bytes={}-{}", 2 * PIECE_BYTES, bytes.len() - 1);
    assert_eq!(server.asked(), [last], "only the piece that was missing");
}

#[tokio::test]
async fn server_without_ranges_gives_the_file_in_one_go() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = large();
    let (url, server) = start(Behaviour {
        bytes: bytes.clone(),
        breaks_at: Mutex::new(Some(PIECE_BYTES + 1)),
        ..Behaviour::default()
    })
    .await;
    let artifacts = roomy(folder.path(), vec![]);
    let wanted = of(&bytes, format!("{url}/model"));
    assert!(artifacts.model(&wanted).await.unwrap_err().may_pass());
    assert!(artifacts.model(&wanted).await.unwrap() == bytes);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn wrong_bytes_of_an_earlier_try_do_not_spoil_a_good_source() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = large();
    let mut wrong = bytes.clone();
    wrong[7] ^= 1;
    let breaks_at = Mutex::new(Some(PIECE_BYTES + 1));
    let (liar, _) = start(Behaviour {
        bytes: wrong,
        knows_ranges: true,
        breaks_at,
        ..Behaviour::default()
    })
    .await;
    let (honest, _) = start(Behaviour {
        bytes: bytes.clone(),
        knows_ranges: true,
        ..Behaviour::default()
    })
    .await;
    let artifacts = roomy(folder.path(), vec![]);
    let poisoned = of(&bytes, format!("{liar}/model"));
    assert!(artifacts.model(&poisoned).await.is_err());
    let wanted = of(&bytes, format!("{honest}/model"));
    assert!(artifacts.model(&wanted).await.unwrap() == bytes);
}

#[tokio::test]
async fn content_is_found_at_the_gateway_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let serving = |bytes: &[u8]| Behaviour {
        bytes: bytes.to_vec(),
        ..Behaviour::default()
    };
    let (liar, _) = start(serving(b"other")).await;
    let (honest, server) = start(serving(b"model")).await;
    let gateways = vec![
        "http://127.0.0.1:1/{cid}".to_owned(),
        format!("{liar}/ipfs/{{cid}}"),
        format!("{honest}/ipfs/{{cid}}"),
    ];
    let artifacts = roomy(folder.path(), gateways);
    // A model without a uri is asked for by its digest.
    let bytes = artifacts.model(&of(b"model", String::new())).await;
    assert_eq!(bytes.unwrap(), b"model");
    let asked = server.asked();
    assert!(asked[0].starts_with("ipfs/bafkrei"), "{asked:?}");
    // What the gateways do not have leaves a reason that may pass, and an input is not looked for.
    let absent = artifacts.model(&of(b"spoon", String::new())).await;
    assert!(absent.unwrap_err().may_pass());
    let input = artifacts.input(&of(b"input", String::new())).await;
    assert!(matches!(input, Err(FetchError::Missing { .. })));
    assert_eq!(server.asked().len(), 1, "the absent model only");
}

#[tokio::test]
async fn ipfs_uris_need_a_gateway_and_a_public_one() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = of(
        b"x",
        "ipfs://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e".into(),
    );
    let without = roomy(folder.path(), vec![]);
    let error = without.input(&wanted).await.unwrap_err();
    assert!(
        error.to_string().contains("artifacts.ipfs_gateways"),
        "{error}"
    );
    let strict = FetchSettings {
        gateways: vec!["https://127.0.0.1/{cid}".into()],
        ..settings(NetworkPolicy::default())
    };
    let cache = |name| Cache::open(name, &folder.path().join(name), 1 << 20).unwrap();
    let strict = Artifacts::new(cache("a"), cache("b"), vec![], strict).unwrap();
    let error = strict.input(&wanted).await.unwrap_err();
    assert!(error.to_string().contains("not public"), "{error}");
}

#[test]
fn what_came_in_part_goes_before_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open("test", folder.path(), 3 * PIECE_BYTES).unwrap();
    put(&cache, b"whole").unwrap();
    let partial = cache.partial(Digest::ZERO, 2 * PIECE_BYTES).unwrap();
    let piece = vec![1; usize::try_from(PIECE_BYTES).unwrap()];
    partial.write(0, &piece).unwrap();
    partial.done(0).unwrap();
    drop(partial);
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names(), 3, "the file, the part and its map");
    // Another large file needs the part's room.
    drop(
        cache
            .incoming(Digest::of(&[b"?"]), 2 * PIECE_BYTES)
            .unwrap(),
    );
    assert_eq!(names(), 1);
    assert!(cache.contains(&Digest::of(&[b"whole"])));
    // A part of no use leaves nothing.
    drop(cache.partial(Digest::ZERO, 5).unwrap());
    assert_eq!(names(), 1);
}

#[test]
fn part_whose_map_or_bytes_are_damaged_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let size = PIECE_BYTES + 1;
    let keep = || {
        let cache = Cache::open("test", folder.path(), 1 << 30).unwrap();
        let partial = cache.partial(Digest::ZERO, size).unwrap();
        partial.done(0).unwrap();
        assert!(!partial.missing().contains(&0));
    };
    let missing = || {
        let cache = Cache::open("test", folder.path(), 1 << 30).unwrap();
        let partial = cache.partial(Digest::ZERO, size).unwrap();
        partial.missing()
    };
    let name = |ending: &str| {
        let digest = hex::encode([0; 32]);
        folder.path().join(format!("{digest}.{ending}"))
    };
    keep();
    assert_eq!(missing(), [1]);
    for damage in ["", "1", "111", "1x"] {
        keep();
        std::fs::write(name("map"), damage).unwrap();
        assert_eq!(missing(), [0, 1], "{damage:?}");
    }
    keep();
    std::fs::write(name("part"), b"short").unwrap();
    assert_eq!(missing(), [0, 1]);
}
