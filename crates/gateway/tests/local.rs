//! The APIs over a real engine and real packages, against what Python made of the same files.
//!
//! This executable is also the engine and renders templates, which is why it has a `main` of its own. `clients PROGRAM ARGS..` serves the
//! APIs, runs the program with the address after its arguments, and ends as it ends.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

#[path = "local/checks.rs"]
mod checks;
#[path = "local/upstream.rs"]
mod upstream;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Arc,
};

use assay_gateway::{
    api::{Options, Packages, router},
    templates::{self, Processes},
};
use assay_package::Package;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["engine", ..] => assay_engine::child_main(),
        [templates::ARGUMENT, ..] => templates::child_main(),
        ["clients", program, arguments @ ..] => runtime().block_on(clients(program, arguments)),
        ["--list", ..] => ExitCode::SUCCESS,
        _ => runtime().block_on(checks::all()),
    }
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// Serves the packages and the digits; gives the address.
async fn serve() -> String {
    let folder = models().join("packages");
    let packages =
        ["tiny-chat", "tiny-embed"].map(|name| Package::open(&folder.join(name)).unwrap());
    let files: Vec<PathBuf> = vec![
        folder.join("tiny-chat/model.onnx"),
        folder.join("tiny-embed/model.onnx"),
        models().join("digits.onnx"),
    ];
    let names = ["chat", "embed", "digits"];
    let named: Vec<(&str, &Path)> = names
        .into_iter()
        .zip(files.iter().map(PathBuf::as_path))
        .collect();
    let upstream = Arc::new(upstream::Local::load(&named).await);
    let packages = Arc::new(Packages::new(packages).unwrap());
    let renderer = Arc::new(Processes::of_this_executable().unwrap());
    let router = router(upstream, packages, renderer, Options::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn clients(program: &str, arguments: &[&str]) -> ExitCode {
    let address = serve().await;
    let mut command = Command::new(program);
    command.args(arguments).arg(address);
    let status = tokio::task::spawn_blocking(move || command.status())
        .await
        .unwrap()
        .unwrap();
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
