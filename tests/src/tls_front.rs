//! A TLS server in front of a plain one, as nginx or haproxy with certificates: it decrypts and passes bytes on, both ways.

use std::net::SocketAddr;
use std::path::Path;

use crate::clock::{READY_WITHIN, until};
use crate::ports;
use crate::process::Process;
use crate::programs;
use crate::tls::Pair;

/// Arguments: own port, port behind, certificate, key.
const FRONT: &str = r#"
import asyncio, ssl, sys
own, behind, cert, key = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(cert, key)
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def serve(reader, writer):
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", behind)
    await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", own, ssl=tls) as server:
        await server.serve_forever()
asyncio.run(main())
"#;

/// A running front.
#[derive(Debug)]
pub struct TlsFront {
    addr: SocketAddr,
    _process: Process,
}

impl TlsFront {
    /// In front of `behind`, with a server certificate.
    pub fn start(behind: SocketAddr, server: &Pair, log: &Path) -> Self {
        let addr = ports::free();
        let mut command = programs::python("python3");
        command
            .args(["-c", FRONT])
            .arg(addr.port().to_string())
            .arg(behind.port().to_string())
            .arg(&server.cert)
            .arg(&server.key);
        let process = Process::spawn("TLS front", &mut command, log);
        until("the TLS front to listen", READY_WITHIN, || {
            std::net::TcpStream::connect(addr)
                .map(drop)
                .map_err(|error| error.to_string())
        });
        Self {
            addr,
            _process: process,
        }
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
