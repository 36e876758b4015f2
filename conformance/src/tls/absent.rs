//! No TLS: the suite was built without it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::check::Checked;

const ABSENT: &str = "this bayeux-conformance was built without TLS";

/// Whom the suite believes that it is the server: it has no way to find out.
#[derive(Clone, Debug)]
pub enum Trust {}

/// A connection within which nobody reads along: there is none.
#[derive(Debug)]
pub(crate) enum Secured {}

impl Trust {
    /// Nobody.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn in_authorities(_: &Path) -> Result<Self, String> {
        Err(ABSENT.to_owned())
    }

    /// Nobody.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn in_anybody() -> Result<Self, String> {
        Err(ABSENT.to_owned())
    }

    pub(crate) fn secured(&self, _: TcpStream, _: &str) -> Checked<Secured> {
        match *self {}
    }
}

impl Secured {
    pub(crate) const fn socket(&self) -> &TcpStream {
        match *self {}
    }

    pub(crate) fn finish(&mut self) {
        match *self {}
    }
}

impl Read for Secured {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        match *self {}
    }
}

impl Write for Secured {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match *self {}
    }
}
