//! One kept connection to a server: bodies stream in both directions in pieces, never whole.
//!
//! An error drops the connection; the next request opens another. It knows no S3.

use std::io;
use std::net::SocketAddr;

use super::content::{PIECE_BYTES, Token, fill, pieces};
use crate::http::{Connection, Head};

/// Larger documents (listings, errors) are a fault of the server.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// The body of a request.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A section of a token's content.
    Content {
        /// The token.
        token: Token,
        /// The first offset.
        from: u64,
        /// The length.
        len: u64,
    },
}

impl Body<'_> {
    /// Its length.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).expect("a length"),
            Self::Content { len, .. } => *len,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A connection that is opened when needed.
#[derive(Debug)]
pub struct Wire {
    addr: SocketAddr,
    connection: Option<Connection>,
}

impl Wire {
    /// To this address; nothing is opened yet.
    pub fn to(addr: SocketAddr) -> Self {
        Self {
            addr,
            connection: None,
        }
    }

    /// The server's address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sends head and body, and reads the head of the answer.
    ///
    /// # Errors
    /// No connection, or it was cut.
    pub fn ask(&mut self, head: &[u8], body: Body<'_>) -> io::Result<Head> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.addr)?,
        };
        // A server that refuses early answers and closes while we write: its answer counts, not our broken pipe.
        let sent = send(&mut connection, head, body);
        let head = connection
            .read_head()
            .map_err(|error| sent.err().unwrap_or(error))?;
        self.connection = Some(connection);
        Ok(head)
    }

    /// Reads the body in pieces. `each` gets the offset and the bytes, and stops the reading by returning false.
    ///
    /// # Errors
    /// The connection was cut before the body's end.
    pub fn read(
        &mut self,
        head: &Head,
        mut each: impl FnMut(u64, &[u8]) -> bool,
    ) -> io::Result<()> {
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "the connection is closed");
        let mut connection = self.connection.take().ok_or_else(closed)?;
        let mut at = 0;
        let whole = connection.read_body(head, |bytes| {
            let go_on = each(at, bytes);
            at += u64::try_from(bytes.len()).expect("a length");
            go_on
        })?;
        if whole && !head.closes() {
            self.connection = Some(connection);
        }
        Ok(())
    }

    /// The whole body of a small answer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn document(&mut self, head: &Head) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.read(head, |_, piece| {
            bytes.extend_from_slice(piece);
            bytes.len() <= DOCUMENT_BYTES_MAX
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn send(connection: &mut Connection, head: &[u8], body: Body<'_>) -> io::Result<()> {
    match body {
        Body::Bytes(bytes) => connection.write_head(&[head, bytes].concat()),
        Body::Content { token, from, len } => {
            connection.write_head(head)?;
            let mut failed = Ok(());
            let mut piece = vec![0; PIECE_BYTES];
            pieces(from, len, |at, bytes| {
                fill(token, at, &mut piece[..bytes]);
                failed = connection.write(&piece[..bytes]);
                failed.is_ok()
            });
            failed
        }
    }
}
