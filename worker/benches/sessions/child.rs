//! This program again, as one of the processes that are measured.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

/// A server, ended with this.
pub struct Server {
    child: Child,
    pub at: SocketAddr,
}

impl Server {
    /// Starts one and waits until it says where it listens.
    pub fn start(arguments: &[&OsStr]) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let stdout = child.stdout.take().context("no pipe")?;
        BufReader::new(stdout).read_line(&mut address)?;
        let at = address.trim().parse();
        let what = || format!("{arguments:?} does not start");
        Ok(Self {
            at: at.with_context(what)?,
            child,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its engine ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What [`Server::start`] waits for.
pub fn says(at: SocketAddr) -> Result<()> {
    println!("{at}");
    Ok(std::io::stdout().flush()?)
}
