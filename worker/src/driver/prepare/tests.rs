use std::time::Duration;

use assay_client::{
    PROGRAM_ID,
    account::encode,
    protocol::{Address, LAYOUT_VERSION, ModelData},
};
use assay_engine::{EngineConfig, Host, HostConfig, ModelInfo, Outcome};
use bytemuck::Zeroable;
use futures_util::future::BoxFuture;

use super::*;
use crate::{
    artifacts::{Cache, FetchSettings, NetworkPolicy},
    chain::{
        Endpoints, RpcChain,
        fake::{Account, Node, chain},
    },
};

/// Sources where nothing answers.
fn nothing(folder: &std::path::Path, class: [u8; 32]) -> Sources<RpcChain> {
    let cache = |name| Cache::open(name, &folder.join(name), 1 << 20).unwrap();
    let fetch = FetchSettings {
        network: NetworkPolicy::default(),
        gateways: vec![],
        timeout: Duration::from_secs(5),
        connections: 1,
    };
    let endpoints = Endpoints {
        urls: vec!["http://127.0.0.1:9".into()],
        timeout: Duration::from_secs(5),
        genesis: String::new(),
        per_second: 10,
    };
    let host = HostConfig::new(EngineConfig::default()).unwrap();
    Sources {
        chain: Arc::new(RpcChain::new(&endpoints).unwrap()),
        artifacts: Arc::new(
            Artifacts::new(cache("models"), cache("blobs"), vec![], fetch).unwrap(),
        ),
        host: Arc::new(Host::new(host)),
        work: Work::Preparing,
        limits: Limits::default(),
        room: Room::beside(u64::MAX),
        class,
    }
}

#[tokio::test]
async fn job_of_a_class_that_is_not_this_machines_is_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let sources = nothing(folder.path(), [7; 32]);
    let auditors = Auditors::new(0, Address::default());
    let mut job = JobData::zeroed();
    job.status = JobStatus::Claimed as u8;
    for (class, is_other) in [([8; 32], true), ([7; 32], false), ([0; 32], false)] {
        job.runtime_class = class;
        let error = prepare(&sources, &job, None, &auditors)
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            matches!(error, PrepareError::OtherClass),
            is_other,
            "{error}"
        );
        let never = error.fault() == PrepareFault::Never;
        assert_eq!(never, is_other, "{error}");
    }
}

/// Engines in which every model fits and has no tensors.
struct Loading;

impl Engines for Loading {
    fn load<'a>(&'a self, _: &'a Model) -> BoxFuture<'a, Result<ModelInfo, EngineError>> {
        Box::pin(async { Ok(ModelInfo::default()) })
    }

    fn run<'a>(
        &'a self,
        _: &'a Model,
        _: &'a [u8],
        _: Duration,
    ) -> BoxFuture<'a, Result<Outcome, EngineError>> {
        unreachable!("nothing is run here")
    }

    fn kill(&self) {}
}

fn put(cache: &Cache, bytes: &[u8]) -> Digest {
    let digest = Digest::of(&[bytes]);
    let size = u64::try_from(bytes.len()).unwrap();
    let mut incoming = cache.incoming(digest, size).unwrap();
    incoming.write(bytes).unwrap();
    incoming.finish().unwrap();
    digest
}

/// A job for a model of 100 bytes, with an input of 10; both are at hand.
fn at_hand(node: &Node, artifacts: &Artifacts, number: u8) -> JobData {
    let input = [&2_u64.to_le_bytes()[..], b"{}"].concat();
    let model = Address::new_from_array([number; 32]);
    let digest = put(&artifacts.models, &[number; 100]);
    let account = ModelData {
        version: LAYOUT_VERSION,
        digest: digest.0,
        size: 100,
        ..ModelData::zeroed()
    };
    let account = Account {
        owner: PROGRAM_ID,
        lamports: 1,
        data: encode(&account),
        executable: false,
    };
    node.world().accounts.insert(model, account);
    JobData {
        model,
        model_digest: digest.0,
        input_digest: put(&artifacts.blobs, &input).0,
        input_bytes: 10,
        output_profile: [OutputProfile::UNUSED; 8],
        ..JobData::zeroed()
    }
}

#[tokio::test]
async fn models_beyond_the_room_wait_unless_they_are_owed() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start().await;
    let mut sources = Sources {
        chain: Arc::new(chain(&[&node])),
        host: Arc::new(Loading),
        // 230 bytes: of two models and their inputs 220 are taken.
        room: Room::beside(4 * 230),
        ..nothing(folder.path(), [0; 32])
    };
    let [one, two, three] = [1, 2, 3].map(|number| at_hand(&node, &sources.artifacts, number));
    let first = files(&sources, &one, None, None).await.unwrap();
    let second = files(&sources, &two, None, None).await.unwrap();
    let full = files(&sources, &three, None, None).await.map(|_| ());
    let full = full.unwrap_err();
    assert!(matches!(full, PrepareError::Memory(_)), "{full}");
    assert_eq!(full.fault(), PrepareFault::Later);
    let shared = (first.model.clone(), Arc::clone(&first.model_room));
    let same = files(&sources, &one, Some(shared), None).await.unwrap();
    sources.work = Work::Claimed;
    let owed = files(&sources, &three, None, None).await.unwrap();
    sources.work = Work::Preparing;
    drop((owed, second, first));
    // The model of the first is still there: another job has it.
    let second = files(&sources, &two, None, None).await.unwrap();
    assert!(files(&sources, &three, None, None).await.is_err());
    drop((same, second));
    files(&sources, &three, None, None).await.unwrap();
}
