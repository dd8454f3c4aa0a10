//! An S3 store of one bucket, just enough for a restore, that misbehaves on demand. Signatures are not checked here:
//! the real server's tests do that.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

pub(crate) const BUCKET: &str = "etcd-backup";

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn is_list(&self) -> bool {
        self.query.contains("list-type=2")
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The connection ends (or stalls) after so many bytes of the body.
    cut: Option<usize>,
    stall: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut: None,
            stall: false,
        }
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::new(
            status,
            format!("<Error><Code>{code}</Code><Message>told by the test</Message></Error>"),
        )
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    pub(crate) fn stall_after(mut self, bytes: usize) -> Self {
        self.stall = true;
        self.cut_after(bytes)
    }
}

/// Key -> body.
pub(crate) type Objects = BTreeMap<String, Vec<u8>>;
/// Sees each request, the reply it would get, and how many came before.
type Meddler = dyn Fn(&Request, Reply, usize) -> Reply + Send + Sync;

pub(crate) struct TinyS3 {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    _runtime: Runtime,
}

impl TinyS3 {
    pub(crate) fn honest(objects: Objects) -> Self {
        Self::start(objects, |_, reply, _| reply)
    }

    pub(crate) fn start(
        objects: Objects,
        meddle: impl Fn(&Request, Reply, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), objects, meddle)
    }

    pub(crate) fn at(
        ip: IpAddr,
        objects: Objects,
        meddle: impl Fn(&Request, Reply, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a test machine has threads");
        let listener = runtime
            .block_on(TcpListener::bind((ip, 0)))
            .expect("a local address");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shop = Arc::new(Shop {
            objects,
            meddle: Box::new(meddle),
            seen: Arc::clone(&seen),
        });
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shop)));
            }
        });
        Self {
            address,
            seen,
            _runtime: runtime,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct Shop {
    objects: Objects,
    meddle: Box<Meddler>,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// One request per connection.
async fn serve(mut stream: TcpStream, shop: Arc<Shop>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let request = parse(&String::from_utf8_lossy(&head));
    let before = {
        let mut seen = shop.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.clone());
        seen.len() - 1
    };
    let reply = (shop.meddle)(&request, shop.answer(&request), before);
    let mut text = format!(
        "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        write!(text, "{name}: {value}\r\n").expect("a string");
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await?;
    if request.method == "HEAD" {
        return stream.flush().await;
    }
    let sent = reply.cut.unwrap_or(reply.body.len()).min(reply.body.len());
    stream.write_all(&reply.body[..sent]).await?;
    stream.flush().await?;
    if reply.stall {
        // Ends when the client gives up.
        let _gone = stream.read_u8().await;
    }
    Ok(())
}

fn parse(head: &str) -> Request {
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default().to_owned();
    let target = first.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
    }
}

impl Shop {
    fn answer(&self, request: &Request) -> Reply {
        let Some(rest) = request.path.strip_prefix(&format!("/{BUCKET}")) else {
            return Reply::error(404, "NoSuchBucket");
        };
        if request.is_list() {
            return self.list(&request.query);
        }
        match self.objects.get(rest.trim_start_matches('/')) {
            None => Reply::error(404, "NoSuchKey"),
            Some(body) => ranged(body, request.headers.get("range")).header("ETag", "\"tiny\""),
        }
    }

    /// Pages of two, so that paging is always walked.
    fn list(&self, query: &str) -> Reply {
        const PAGE: usize = 2;
        let parameter = |name: &str| {
            let found = query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            found
                .unwrap_or_default()
                .replace("%2F", "/")
                .replace("%2f", "/")
        };
        let (prefix, after) = (parameter("prefix"), parameter("continuation-token"));
        let all: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix) && key.as_str() > after.as_str())
            .collect();
        let mut xml = String::from("<ListBucketResult>");
        if let (true, Some((last, _))) = (all.len() > PAGE, all.get(PAGE - 1)) {
            write!(xml, "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>").expect("a string");
        }
        for (key, body) in all.iter().take(PAGE) {
            let size = body.len();
            write!(
                xml,
                "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>\"tiny\"</ETag></Contents>"
            )
            .expect("a string");
        }
        xml.push_str("</ListBucketResult>");
        Reply::new(200, xml)
    }
}

fn ranged(body: &[u8], range: Option<&String>) -> Reply {
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
    else {
        return Reply::new(200, body);
    };
    let first: usize = first.parse().expect("a number");
    let last: usize = last
        .parse()
        .map_or(body.len() - 1, |last: usize| last.min(body.len() - 1));
    let content_range = format!("bytes {first}-{last}/{}", body.len());
    Reply::new(206, &body[first..=last]).header("Content-Range", &content_range)
}
