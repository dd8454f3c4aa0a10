//! A fake etcd member that sends any bytes as its snapshot.
//!
//! It implements the gRPC calls that a save needs: status, alarms (none), and the stream in pieces of 32 KiB. It checks
//! nothing.

use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// etcd's piece size.
const PIECE_BYTES: usize = 32 << 10;

/// A member; it ends when dropped.
#[derive(Debug)]
pub struct Member {
    addr: SocketAddr,
    _runtime: Runtime,
}

impl Member {
    /// A member whose snapshot is `file`.
    pub fn sending(file: Vec<u8>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("runtime starts");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        runtime.spawn(serve(listener, Bytes::from(file)));
        Self {
            addr,
            _runtime: runtime,
        }
    }

    /// Its client URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

async fn serve(listener: TcpListener, file: Bytes) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, file.clone()));
    }
}

/// The caller must notice a broken connection.
async fn converse(stream: TcpStream, file: Bytes) -> Option<()> {
    let mut connection = h2::server::handshake(stream).await.ok()?;
    while let Some(call) = connection.accept().await {
        let (request, answer) = call.ok()?;
        let _hung_up = respond(&request, answer, &file);
    }
    Some(())
}

fn respond(
    request: &Request<h2::RecvStream>,
    mut answer: SendResponse<Bytes>,
    file: &Bytes,
) -> Result<(), h2::Error> {
    let messages = match request.uri().path() {
        "/etcdserverpb.Maintenance/Status" => vec![status(file.len())],
        "/etcdserverpb.Maintenance/Alarm" => vec![Bytes::new()],
        "/etcdserverpb.Maintenance/Snapshot" => pieces(file),
        other => panic!("a save does not call {other}"),
    };
    let head = Response::builder()
        .status(StatusCode::OK)
        .header("content-type", "application/grpc")
        .body(())
        .expect("the head is valid");
    let mut body = answer.send_response(head, false)?;
    for message in messages {
        body.send_data(framed(&message), false)?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    body.send_trailers(trailers)
}

/// A gRPC frame: not compressed, length, message.
fn framed(message: &Bytes) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("messages are short"));
    frame.extend_from_slice(message);
    frame.freeze()
}

/// `StatusResponse {1 header {1 cluster id, 2 member id, 3 revision}, 2 version, 3 database's size, 4 leader}`.
fn status(len: usize) -> Bytes {
    let mut message = BytesMut::new();
    let header = [0x08, 1, 0x10, 2, 0x18, 57];
    field(&mut message, 1, &header);
    field(&mut message, 2, b"3.6.0");
    number(&mut message, 3, super::image::number(len));
    number(&mut message, 4, 2);
    message.freeze()
}

/// `SnapshotResponse {2 remaining bytes, 3 blob}` for each piece.
fn pieces(file: &Bytes) -> Vec<Bytes> {
    let mut remaining = file.len();
    let piece = |blob: &[u8]| {
        remaining -= blob.len();
        let mut message = BytesMut::new();
        number(&mut message, 2, super::image::number(remaining));
        field(&mut message, 3, blob);
        message.freeze()
    };
    file.chunks(PIECE_BYTES).map(piece).collect()
}

fn number(message: &mut BytesMut, field: u8, value: u64) {
    message.put_u8(field << 3);
    varint(message, value);
}

fn field(message: &mut BytesMut, field: u8, bytes: &[u8]) {
    message.put_u8(field << 3 | 2);
    varint(message, super::image::number(bytes.len()));
    message.extend_from_slice(bytes);
}

fn varint(message: &mut BytesMut, mut value: u64) {
    while value > 0x7f {
        message.put_u8(0x80 | u8::try_from(value & 0x7f).expect("seven bits"));
        value >>= 7;
    }
    message.put_u8(u8::try_from(value).expect("seven bits"));
}
