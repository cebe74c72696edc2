//! Files, their modes and their layouts.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::Error;

/// For its owner alone.
const MODE: u32 = 0o600;
/// How long a call waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// What a call that returned is safe from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process. A power cut can lose the last moments.
    Process,
    /// A power cut too.
    Power,
}

/// The steps that made a file's tables, the first first. One is appended for every change, none that was released is
/// edited. A file's version is how many it has.
#[derive(Clone, Copy, Debug)]
pub struct Layout(pub &'static [&'static str]);

/// Opens or creates a file that only its owner can use, its log included, and brings its layout up to date.
///
/// # Errors
/// When it cannot be used, or a newer program wrote it.
pub fn open(path: &Path, layout: Layout, durability: Durability) -> Result<Connection, Error> {
    restrict(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    layout.migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a file for looking only, also while another process writes to it.
///
/// # Errors
/// When it is not there or cannot be read, or a newer program wrote it.
pub fn open_read_only(path: &Path, layout: Layout) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    layout.check(&connection)?;
    Ok(connection)
}

/// Opens or creates a file that only its owner can use, in folders of the same kind.
///
/// # Errors
/// When the file system refuses.
pub fn private(path: &Path) -> io::Result<File> {
    let folder = path.parent();
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .open(path)?;
    // One that was there before may be open to others.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

/// SQLite makes the log like the file; one that was left behind may be open to others.
fn restrict(path: &Path) -> io::Result<()> {
    private(path)?;
    for end in ["-wal", "-shm"] {
        let mut beside = OsString::from(path);
        beside.push(end);
        match fs::set_permissions(&beside, Permissions::from_mode(MODE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

impl Layout {
    /// The version that a file has once it has this layout.
    #[must_use]
    pub fn known(self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }

    /// The file's version, if it is not a later one.
    fn check(self, connection: &Connection) -> Result<i64, Error> {
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let known = self.known();
        if found > known {
            return Err(Error::Newer { found, known });
        }
        Ok(found)
    }

    /// All of it or nothing.
    fn migrate(self, connection: &mut Connection) -> Result<(), Error> {
        if self.check(connection)? == self.known() {
            return Ok(());
        }
        // Two processes may come to this at once: the second finds it done.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = usize::try_from(self.check(&transaction)?).unwrap_or(0);
        for step in self.0.iter().skip(found) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", self.known())?;
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout(&["CREATE TABLE one (a INTEGER) STRICT"]);
    const LATER: Layout = Layout(&[
        "CREATE TABLE one (a INTEGER) STRICT",
        "CREATE TABLE two (a INTEGER) STRICT; INSERT INTO one VALUES (2)",
    ]);

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn file_and_its_log_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/down/file.sqlite");
        let all = ["file.sqlite", "file.sqlite-wal", "file.sqlite-shm"];
        let all = all.map(|name| path.with_file_name(name));
        let first = open(&path, LAYOUT, Durability::Process).unwrap();
        for file in &all {
            assert_eq!(mode(file), 0o600, "{}", file.display());
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
        let _second = open(&path, LAYOUT, Durability::Power).unwrap();
        for file in &all {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        assert_eq!(mode(&folder.path().join("deep")), 0o700);
        drop(first);
    }

    #[test]
    fn layout_grows_by_the_steps_that_are_missing_and_never_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.sqlite");
        drop(open(&path, LAYOUT, Durability::Power).unwrap());
        for _ in 0..2 {
            let later = open(&path, LATER, Durability::Power).unwrap();
            let count = later.query_row("SELECT count(*) FROM one", [], |row| row.get::<_, i64>(0));
            assert_eq!(count.unwrap(), 1, "a step runs once");
        }
        for refused in [
            open(&path, LAYOUT, Durability::Power),
            open_read_only(&path, LAYOUT),
        ] {
            assert!(matches!(refused, Err(Error::Newer { found: 2, known: 1 })));
        }
    }
}
