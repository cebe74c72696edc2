//! The one thread that starts engines.
//!
//! Linux kills an engine when the *thread* that started it ends, not the process (`PR_SET_PDEATHSIG`).
//! Jobs are prepared on threads that come and go, and a warm engine must not go with them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{LazyLock, mpsc},
    thread,
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
};

type Order = (Command, Handle, mpsc::SyncSender<io::Result<Child>>);

static ORDERS: LazyLock<Option<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (send, orders) = mpsc::channel::<Order>();
    let serve = move || {
        for (mut command, runtime, answer) in orders {
            let _runtime = runtime.enter();
            // Who does not wait any more has dropped the child, which kills it.
            let _ = answer.send(command.spawn());
        }
    };
    let thread = thread::Builder::new().name("engine-spawner".into());
    thread.spawn(serve).ok().map(|_| send)
});

/// Starts a process whose parent thread is there as long as this process.
pub fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts engines is gone");
    let (answer, answered) = mpsc::sync_channel(1);
    let orders = ORDERS.as_ref().ok_or_else(gone)?;
    let order = (command, Handle::current(), answer);
    orders.send(order).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// The program to start where this one is named. Once a new version is installed over the program that runs,
/// its engines would not be understood; the old one is still there for this process.
#[cfg(target_os = "linux")]
pub fn program(named: &Path) -> &Path {
    const RUNNING: &str = "/proc/self/exe";
    // So Linux shows a file that another one has taken the place of.
    let replaced = |own: PathBuf| own.to_str()?.strip_suffix(" (deleted)").map(PathBuf::from);
    let own = std::env::current_exe().ok().and_then(replaced);
    if own.as_deref() == Some(named) {
        Path::new(RUNNING)
    } else {
        named
    }
}

#[cfg(not(target_os = "linux"))]
pub fn program(named: &Path) -> &Path {
    named
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{env, fs, process::Command};

    use super::*;

    const COPY: &str = "ASSAY_TEST_REPLACED_COPY";

    /// Runs a copy of this test, which is replaced while it runs.
    #[test]
    fn program_that_was_replaced_is_started_as_it_was() {
        let Some(copy) = env::var_os(COPY).map(PathBuf::from) else {
            let folder = tempfile::tempdir().unwrap();
            let copy = folder.path().join("copy");
            fs::copy(env::current_exe().unwrap(), &copy).unwrap();
            let name = "host::spawner::tests::program_that_was_replaced_is_started_as_it_was";
            let mut test = Command::new(&copy);
            let ran = test
                .args([name, "--exact"])
                .env(COPY, &copy)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&ran.stdout);
            assert!(ran.status.success() && said.contains("1 passed"), "{ran:?}");
            return;
        };
        assert_eq!(program(&copy), copy);
        fs::remove_file(&copy).unwrap();
        fs::write(&copy, "another version").unwrap();
        let listed = Command::new(program(&copy)).arg("--list").output().unwrap();
        assert!(listed.status.success());
        assert_eq!(program(Path::new("another")), Path::new("another"));
    }
}
