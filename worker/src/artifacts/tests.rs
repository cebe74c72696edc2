use std::{net::IpAddr, path::Path};

use assay_client::network::is_public;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};

use super::*;

mod fetching;

fn policy() -> NetworkPolicy {
    NetworkPolicy {
        allow_file: true,
        allow_private: true,
        allow_http: true,
    }
}

fn artifacts(folder: &Path, network: NetworkPolicy) -> Artifacts {
    let models = Cache::open("models", &folder.join("models"), 100_000).unwrap();
    let blobs = Cache::open("blobs", &folder.join("blobs"), 100_000).unwrap();
    let dirs = vec![folder.join("mine"), folder.join("absent")];
    Artifacts::new(models, blobs, dirs, settings(network)).unwrap()
}

fn settings(network: NetworkPolicy) -> FetchSettings {
    FetchSettings {
        network,
        gateways: Vec::new(),
        timeout: Duration::from_secs(60),
        connections: 3,
    }
}

fn wanted(bytes: &[u8], uri: &str) -> Wanted {
    Wanted {
        digest: Digest::of(&[bytes]),
        size: bytes.len() as u64,
        uri: uri.into(),
        limit: 500,
    }
}

fn put(cache: &Cache, bytes: &[u8]) -> Result<(), CacheError> {
    let mut incoming = cache.incoming(Digest::of(&[bytes]), bytes.len() as u64)?;
    incoming.write(bytes)?;
    incoming.finish()
}

/// Serves one answer on the loopback interface and returns its base url.
async fn serve(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    format!("http://{address}/x")
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn cache_keeps_what_was_used_last_within_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    // Small files count a disk's block: two fit, and three do not.
    let cache = Cache::open("test", folder.path(), 10_000).unwrap();
    let (a, b, c) = ([1; 100], [2; 100], [3; 100]);
    put(&cache, &a).unwrap();
    put(&cache, &b).unwrap();
    assert_eq!(cache.get(&Digest::of(&[&a])).unwrap(), Some(a.to_vec()));
    put(&cache, &c).unwrap();
    assert!(cache.contains(&Digest::of(&[&a])) && cache.contains(&Digest::of(&[&c])));
    assert_eq!(cache.get(&Digest::of(&[&b])).unwrap(), None);
    assert!(matches!(
        cache.incoming(Digest::ZERO, 10_001),
        Err(CacheError::Full { .. })
    ));
    drop(cache);
    let smaller = Cache::open("test", folder.path(), 5_000).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(smaller);
}

#[test]
fn cache_takes_only_the_bytes_that_were_announced() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open("test", folder.path(), 250).unwrap();
    let digest = Digest::of(&[b"right"]);
    let mut incoming = cache.incoming(digest, 5).unwrap();
    assert!(matches!(
        incoming.write(b"longer"),
        Err(CacheError::TooLong { .. })
    ));
    drop(incoming);
    let mut incoming = cache.incoming(digest, 5).unwrap();
    incoming.write(b"wrong").unwrap();
    assert!(matches!(incoming.finish(), Err(CacheError::Digest { .. })));
    assert!(!cache.contains(&digest));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
    put(&cache, b"right").unwrap();
    std::fs::write(folder.path().join(hex::encode(digest.0)), b"rotten").unwrap();
    assert_eq!(cache.get(&digest).unwrap(), None);
}

#[tokio::test]
async fn model_comes_from_the_operators_folder_by_digest() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/other.onnx"), b"other").unwrap();
    std::fs::write(folder.path().join("mine/it.onnx"), b"model").unwrap();
    let artifacts = artifacts(folder.path(), NetworkPolicy::default());
    assert_eq!(
        artifacts.model(&wanted(b"model", "")).await.unwrap(),
        b"model"
    );
    let missing = artifacts.model(&wanted(b"where", "")).await.unwrap_err();
    assert!(missing.may_pass() && missing.to_string().contains("artifacts.model_dirs"));
}

#[tokio::test]
async fn download_is_cached_and_must_be_what_was_announced() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = artifacts(folder.path(), policy());
    let good = wanted(b"input", &serve(http("200 OK", "input")).await);
    assert_eq!(artifacts.input(&good).await.unwrap(), b"input");
    assert_eq!(
        artifacts.input(&good).await.unwrap(),
        b"input",
        "the server answers only once"
    );

    let wrong = wanted(b"taken", &serve(http("200 OK", "wrong")).await);
    assert!(matches!(
        artifacts.input(&wrong).await,
        Err(FetchError::Digest { .. })
    ));
    let longer = wanted(b"short", &serve(http("200 OK", "much longer")).await);
    assert!(matches!(
        artifacts.input(&longer).await,
        Err(FetchError::Size { .. })
    ));
    let endless =
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nmuch longer without a length".to_owned();
    let endless = wanted(b"brief", &serve(endless).await);
    assert!(matches!(
        artifacts.input(&endless).await,
        Err(FetchError::Size { found: 28, .. })
    ));
    let absent = wanted(b"gone", &serve(http("404 Not Found", "")).await);
    assert!(artifacts.input(&absent).await.unwrap_err().may_pass());
    let redirect =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
            .to_owned();
    let redirect = artifacts
        .input(&wanted(b"else", &serve(redirect).await))
        .await
        .unwrap_err();
    assert!(redirect.to_string().contains("302"), "{redirect}");
}

#[tokio::test]
async fn size_above_the_limit_and_wrong_announced_sizes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = artifacts(folder.path(), policy());
    let large = artifacts.input(&wanted(&[0; 501], "")).await.unwrap_err();
    assert!(
        matches!(
            large,
            FetchError::TooLarge {
                size: 501,
                limit: 500,
                ..
            }
        ) && !large.may_pass()
    );
    put(&artifacts.blobs, b"four").unwrap();
    let lied = Wanted {
        size: 5,
        ..wanted(b"four", "")
    };
    assert!(matches!(
        artifacts.input(&lied).await,
        Err(FetchError::Size {
            expected: 5,
            found: 4,
            ..
        })
    ));
}

#[tokio::test]
async fn file_uris_work_only_where_they_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    std::fs::write(&file, b"model").unwrap();
    let wanted = wanted(b"model", Url::from_file_path(&file).unwrap().as_str());
    let strict = artifacts(folder.path(), NetworkPolicy::default());
    assert!(matches!(
        strict.model(&wanted).await,
        Err(FetchError::Refused { .. })
    ));
    let local = artifacts(folder.path(), policy());
    assert_eq!(local.model(&wanted).await.unwrap(), b"model");
}

#[test]
fn uris_into_private_networks_are_refused() {
    let strict = NetworkPolicy {
        allow_http: true,
        ..NetworkPolicy::default()
    };
    for uri in [
        "http://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:192.168.0.1]/",
        "https://user:secret@example.com/",
        "ftp://example.com/",
        "ipfs://bafy",
        "file:///etc/passwd",
    ] {
        assert!(strict.check(&Url::parse(uri).unwrap()).is_err(), "{uri}");
    }
    strict
        .check(&Url::parse("https://example.com/model.onnx").unwrap())
        .unwrap();
    assert!(
        NetworkPolicy::default()
            .check(&Url::parse("http://example.com/").unwrap())
            .is_err()
    );
}

#[tokio::test]
async fn names_that_resolve_to_loopback_are_not_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    let network = NetworkPolicy {
        allow_http: true,
        ..NetworkPolicy::default()
    };
    let artifacts = artifacts(folder.path(), network);
    let failed = artifacts
        .input(&wanted(b"x", "http://localhost:9/"))
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("no public address"), "{failed}");
}

#[test]
fn held_files_stay_whatever_comes() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open("blobs", folder.path(), 3 * 4_096).unwrap();
    let put = |byte: u8| {
        let digest = Digest::of(&[&[byte]]);
        let mut incoming = cache.incoming(digest, 1)?;
        incoming.write(&[byte])?;
        incoming.finish()
    };
    put(1).unwrap();
    put(2).unwrap();
    let held = [1, 2].map(|byte: u8| Digest::of(&[&[byte]]));
    cache.hold(held.iter().map(|digest| digest.0).collect());
    for flood in 10..20 {
        put(flood).unwrap();
    }
    for digest in &held {
        assert!(cache.get(digest).unwrap().is_some());
    }
    let third = Digest::of(&[&[19]]);
    cache.hold(held.iter().chain([&third]).map(|digest| digest.0).collect());
    assert!(matches!(put(30), Err(CacheError::Full { .. })));
    cache.hold([held[1].0].into());
    put(30).unwrap();
    put(31).unwrap();
    assert!(cache.get(&held[0]).unwrap().is_none());
    assert!(cache.get(&held[1]).unwrap().is_some());
}

#[test]
fn file_that_another_process_put_there_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open("models", folder.path(), 10_000).unwrap();
    let place = |digest: &Digest, bytes: &[u8]| {
        std::fs::write(folder.path().join(hex::encode(digest.0)), bytes).unwrap();
    };
    let [read, known, opened] = [b"a", b"b", b"c"].map(|bytes| Digest::of(&[bytes]));
    assert!(!cache.contains(&read) && cache.get(&read).unwrap().is_none());
    place(&read, b"a");
    assert_eq!(cache.get(&read).unwrap().unwrap(), b"a");
    place(&known, b"b");
    assert!(cache.contains(&known));
    // A third one costs the oldest its place: what is taken up counts.
    place(&opened, b"c");
    assert_eq!(cache.open_file(&opened).unwrap().unwrap().1, 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    assert!(!cache.contains(&read));
}

#[test]
fn file_put_there_is_served_only_with_its_own_bytes_and_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open("models", folder.path(), 10_000).unwrap();
    let place = |digest: &Digest, bytes: &[u8]| {
        std::fs::write(folder.path().join(hex::encode(digest.0)), bytes).unwrap();
    };
    let right = Digest::of(&[b"right"]);
    place(&right, b"wrong");
    assert_eq!(cache.get(&right).unwrap(), None);
    put(&cache, b"right").unwrap();
    assert_eq!(cache.get(&right).unwrap().unwrap(), b"right");
    // Nothing goes for what could not stay.
    let large = Digest::of(&[&[1; 10_001]]);
    place(&large, &[1; 10_001]);
    assert!(!cache.contains(&large) && cache.get(&large).unwrap().is_none());
    assert!(cache.contains(&right));
    // A folder of that name is no file.
    std::fs::create_dir(folder.path().join(hex::encode([7; 32]))).unwrap();
    assert!(!cache.contains(&Digest([7; 32])));
}

#[test]
fn special_addresses_are_not_public() {
    for special in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.9.9.9",
        "169.254.0.1",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "64:ff9b::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002::1",
        "3fff::1",
    ] {
        assert!(!is_public(special.parse::<IpAddr>().unwrap()), "{special}");
    }
    for public in [
        "1.1.1.1",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "2a00::1",
    ] {
        assert!(is_public(public.parse::<IpAddr>().unwrap()), "{public}");
    }
}
