//! Finds the TLS fault behind a connection that broke without a word, on new connections: the address says the wrong one of http
//! and https, or the server refuses us.
//!
//! With TLS 1.3 a server refuses a client certificate after the handshake. A client that is already sending then meets a closed
//! connection, and may never read why; so this one only listens.

use std::error::Error;
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConnection;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_service::Service;

use super::client_config;
use super::fault::{Files, TlsFault};
use crate::{causes, clock};

/// A server answers a first message at once, and refuses at once.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// First bytes of TLS records: an alert, a part of the handshake.
const RECORDS: [u8; 2] = [0x15, 0x16];
/// Answered by every HTTP server, be it with an error.
const PLAIN_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The fault at `uri`, if there is one. `https` is the connector of the connection that broke, `tcp` the one below it.
pub(crate) async fn fault<R>(
    uri: Uri,
    mut tcp: HttpConnector<R>,
    mut https: HttpsConnector<HttpConnector<R>>,
    files: Files<'_>,
) -> Option<TlsFault>
where
    HttpConnector<R>: Service<Uri, Response = TokioIo<TcpStream>>,
    HttpsConnector<HttpConnector<R>>: Service<
            Uri,
            Response = MaybeHttpsStream<TokioIo<TcpStream>>,
            Error = Box<dyn Error + Send + Sync>,
        >,
{
    let is_https = uri.scheme_str() == Some("https");
    let connection = tcp.call(uri.clone()).await.ok()?.into_inner();
    let answer = first_byte(connection, &hello()?).await;
    match (is_https, answer.is_some_and(|byte| RECORDS.contains(&byte))) {
        (false, true) => Some(TlsFault::TlsServer),
        (false, false) => None,
        (true, false) => {
            let connection = tcp.call(uri).await.ok()?.into_inner();
            let plain = first_byte(connection, PLAIN_REQUEST).await == Some(b'H');
            plain.then_some(TlsFault::PlainServer)
        }
        (true, true) => {
            let refusal = match https.call(uri).await {
                Ok(connection) => refusal(connection).await?,
                Err(error) => causes::tls_failure(&*error)?.clone(),
            };
            Some(TlsFault::of(&refusal, files))
        }
    }
}

async fn first_byte(mut connection: TcpStream, message: &[u8]) -> Option<u8> {
    let answer = async {
        connection.write_all(message).await.ok()?;
        connection.read_u8().await.ok()
    };
    clock::within(ANSWER_LIMIT, answer).await.flatten()
}

/// What a server says after the handshake without being asked.
async fn refusal(connection: MaybeHttpsStream<TokioIo<TcpStream>>) -> Option<rustls::Error> {
    let mut connection = TokioIo::new(connection);
    let heard = clock::within(ANSWER_LIMIT, connection.read_u8()).await?;
    causes::tls_failure(&heard.err()?).cloned()
}

fn hello() -> Option<Vec<u8>> {
    let config = client_config(None, None).ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let mut client = ClientConnection::new(config.into(), name).ok()?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello).ok()?;
    Some(hello)
}
