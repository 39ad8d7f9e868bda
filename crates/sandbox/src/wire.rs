//! The shell around every service: reads the request, plays the fault of the moment, asks the service, writes the
//! journal. The services themselves see plain calls and give plain replies.

use std::convert::Infallible;
use std::io::SeekFrom;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::fault::{Fault, Faults};
use crate::journal::{Entry, Journal, Service, mask};

/// A request body above this is refused: no task sends as much in one request.
const BODY_LIMIT_BYTES: usize = 512 << 20;

/// A request as a service sees it.
pub(crate) struct Call {
    pub method: String,
    /// Percent-encoded, as it came.
    pub path: String,
    /// Without the question mark.
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    /// A header's text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The first value of a query parameter, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        url::form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes()).into_owned()
    }
}

/// What the journal and the faults need to know of a request before it is carried out.
pub(crate) struct Operation {
    pub name: String,
    pub ids: Vec<String>,
}

impl Operation {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ids: Vec::new() }
    }

    pub fn about(mut self, ids: Vec<String>) -> Self {
        self.ids = ids;
        self
    }
}

/// A part of a file, streamed: a report is never held whole.
pub(crate) struct FilePart {
    pub path: PathBuf,
    pub start: u64,
    pub length_bytes: u64,
}

pub(crate) enum Content {
    Bytes(Bytes),
    File(FilePart),
}

/// A service's answer.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub content: Content,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            content: Content::Bytes(body.into()),
        }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn length_bytes(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(part) => part.length_bytes,
        }
    }
}

/// One played service.
pub(crate) trait Play: Send + Sync + 'static {
    fn service(&self) -> Service;
    /// Names the request without carrying it out.
    fn classify(&self, call: &Call) -> Operation;
    /// Carries it out.
    fn answer(&self, call: &Call) -> Reply;
}

struct Shell {
    play: Arc<dyn Play>,
    faults: Arc<Faults>,
    journal: Arc<Journal>,
    clock: Clock,
}

/// Puts a service on a free port of 127.0.0.1 and keeps it there until `stop`.
pub(crate) async fn serve(
    play: Arc<dyn Play>,
    faults: Arc<Faults>,
    journal: Arc<Journal>,
    clock: Clock,
    stop: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let shell = Arc::new(Shell { play, faults, journal, clock });
    let app = Router::new().fallback(handle).with_state(shell);
    tokio::spawn(async move {
        let server = axum::serve(listener, app);
        tokio::select! {
            _ = server => {}
            () = stop.cancelled() => {}
        }
    });
    Ok(address)
}

async fn handle(State(shell): State<Arc<Shell>>, request: Request) -> Result<Response, Infallible> {
    let t_ms = shell.clock.elapsed_ms();
    let (parts, body) = request.into_parts();
    // A client that hung up in the middle of its request gets the answer nobody will read.
    let body = axum::body::to_bytes(body, BODY_LIMIT_BYTES).await.unwrap_or_default();
    let call = Call {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
    };
    let service = shell.play.service();
    let operation = shell.play.classify(&call);
    let fault = shell.faults.next(service, &operation.name, &operation.ids, &call);

    let mut entry = Entry {
        seq: 0,
        t_ms,
        service,
        operation: operation.name,
        method: call.method.clone(),
        target: mask(&call.path, call.query.as_deref()),
        status: 0,
        ids: operation.ids,
        request_bytes: call.body.len() as u64,
        response_bytes: 0,
        fault: fault.as_ref().map(Fault::name),
    };
    let latency = shell.faults.latency(service);
    if !latency.is_zero() {
        wait(latency).await;
    }
    let response = match fault {
        None => reply(&shell, &call, &mut entry).await,
        Some(Fault::Delay { ms }) => {
            wait(Duration::from_millis(ms)).await;
            reply(&shell, &call, &mut entry).await
        }
        Some(Fault::Status { code, headers, body }) => {
            entry.status = code;
            entry.response_bytes = body.len() as u64;
            injected_response(service, code, &headers, body)
        }
        Some(Fault::ResetBefore) => broken_response(Bytes::new()),
        Some(Fault::ResetAfter) => {
            shell.play.answer(&call);
            broken_response(Bytes::new())
        }
        Some(Fault::HalfBody) => {
            let whole = shell.play.answer(&call);
            half_response(whole, &mut entry).await
        }
        Some(Fault::Drip { ms }) => {
            let response = reply(&shell, &call, &mut entry).await;
            drip(response, Duration::from_millis(ms)).await
        }
        Some(Fault::Stall) => {
            shell.journal.record(entry);
            return std::future::pending().await;
        }
    };
    shell.journal.record(entry);
    Ok(response)
}

async fn reply(shell: &Shell, call: &Call, entry: &mut Entry) -> Response {
    let reply = shell.play.answer(call);
    entry.status = reply.status;
    entry.response_bytes = reply.length_bytes();
    let (status, headers) = (reply.status, reply.headers);
    let length_bytes = match &reply.content {
        Content::Bytes(bytes) => bytes.len() as u64,
        Content::File(part) => part.length_bytes,
    };
    let body = match reply.content {
        Content::Bytes(bytes) => Body::from(bytes),
        Content::File(part) if call.method == "HEAD" => {
            drop(part);
            Body::empty()
        }
        Content::File(part) => match open_part(&part).await {
            Ok(file) => Body::from_stream(ReaderStream::with_capacity(file.take(part.length_bytes), 1 << 16)),
            Err(_) => return broken_response(Bytes::new()),
        },
    };
    let mut response = head(status, &headers, body);
    if call.method != "HEAD" || length_bytes > 0 {
        response.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(length_bytes));
    }
    response
}

/// The same answer, a byte at a time.
async fn drip(response: Response, between: Duration) -> Response {
    let (parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, BODY_LIMIT_BYTES).await.unwrap_or_default();
    let bytes = stream::iter(0..whole.len()).then(move |at| {
        let byte = whole.slice(at..=at);
        async move {
            wait(between).await;
            Ok::<_, Infallible>(byte)
        }
    });
    Response::from_parts(parts, Body::from_stream(bytes))
}

fn head(status: u16, headers: &[(&'static str, String)], body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

fn injected_response(service: Service, code: u16, headers: &[(String, String)], body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = if service == Service::S3 { "application/xml" } else { "application/json" };
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Breaks the connection: a body that fails before its first byte makes the server drop the connection with the
/// head still unsent, one that fails later cuts the answer there.
fn broken_response(sent: Bytes) -> Response {
    let first = if sent.is_empty() { None } else { Some(Ok(sent)) };
    let cut = stream::once(async {
        // The half that goes out first must have left the buffer when the connection is dropped.
        wait(Duration::from_millis(20)).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    let at_once = stream::once(async { Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) });
    match first {
        None => Response::new(Body::from_stream(at_once.map(|end: Result<Bytes, _>| end))),
        Some(first) => Response::new(Body::from_stream(stream::once(async { first }).chain(cut))),
    }
}

async fn half_response(reply: Reply, entry: &mut Entry) -> Response {
    let whole_bytes = reply.length_bytes();
    let half_bytes = whole_bytes / 2;
    let half = match reply.content {
        Content::Bytes(bytes) => bytes.slice(..bytes.len() / 2),
        Content::File(part) => {
            let mut half = Vec::new();
            let read = async { open_part(&part).await?.take(half_bytes).read_to_end(&mut half).await };
            if read.await.is_err() {
                half.clear();
            }
            Bytes::from(half)
        }
    };
    entry.status = reply.status;
    entry.response_bytes = half.len() as u64;
    let mut response = broken_response(half);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    for (name, value) in &reply.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(whole_bytes));
    response
}

async fn open_part(part: &FilePart) -> std::io::Result<tokio::fs::File> {
    let mut file = tokio::fs::File::open(&part.path).await?;
    file.seek(SeekFrom::Start(part.start)).await?;
    Ok(file)
}

/// Waits as a server that takes its time.
#[expect(clippy::disallowed_methods, reason = "a slow server waits; it is no retry loop")]
pub(crate) async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}
