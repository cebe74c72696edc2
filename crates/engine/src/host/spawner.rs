//! The one thread that starts engines.
//!
//! Linux kills an engine when the *thread* that started it ends, not the process (`PR_SET_PDEATHSIG`).
//! Jobs are prepared on threads that come and go, and a warm engine must not go with them.

use std::{
    io,
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
