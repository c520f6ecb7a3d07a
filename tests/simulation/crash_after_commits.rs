//! The end of a process at a chosen commit: a database that keeps what was committed before, and nothing
//! later.

use squab::store::{Database, Driver, Error, Row, Sqlite, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The number of remaining commits. Transactions without writes do not count.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<AtomicI64>);

impl Fuse {
    const NEVER: i64 = i64::MAX;

    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(Self::NEVER)))
    }

    /// Arms the fuse: the process ends after this many commits.
    pub fn light(&self, commits: i64) {
        self.0.store(commits, Ordering::SeqCst);
    }

    /// Returns whether the fuse is armed.
    pub fn is_lit(&self) -> bool {
        self.0.load(Ordering::SeqCst) != Self::NEVER
    }

    /// Returns whether a commit has failed.
    pub fn is_blown(&self) -> bool {
        self.0.load(Ordering::SeqCst) < 0
    }

    /// Counts one more commit. Returns whether it is still possible.
    fn burn(&self) -> bool {
        self.0.load(Ordering::SeqCst) == Self::NEVER || self.0.fetch_sub(1, Ordering::SeqCst) > 0
    }
}

/// A database that ends with its fuse.
pub struct Mortal {
    pub database: Sqlite,
    pub fuse: Fuse,
    /// Whether callers may commit by themselves, as they may in memory.
    pub commits_at_once: bool,
}

impl Database for Mortal {
    fn serve(&mut self, work: &mut dyn FnMut(&mut dyn Driver)) {
        let fuse = &self.fuse;
        self.database.serve(&mut |driver| work(&mut Session { driver, fuse, wrote: false }));
    }

    fn commits_at_once(&self) -> bool {
        self.commits_at_once
    }
}

struct Session<'s> {
    driver: &'s mut dyn Driver,
    fuse: &'s Fuse,
    wrote: bool,
}

fn gone() -> Error {
    Error::Unavailable("the process is gone".into())
}

impl Driver for Session<'_> {
    fn begin(&mut self) -> Result<(), Error> {
        self.wrote = false;
        if self.fuse.is_blown() { Err(gone()) } else { self.driver.begin() }
    }

    fn commit(&mut self) -> Result<(), Error> {
        if self.wrote && !self.fuse.burn() {
            return Err(gone());
        }
        self.driver.commit()
    }

    fn rollback(&mut self) {
        self.driver.rollback();
    }

    fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<usize, Error> {
        let rows = self.driver.execute(sql, parameters)?;
        self.wrote |= rows > 0;
        Ok(rows)
    }

    fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.driver.query(sql, parameters, each)
    }
}
