//! wasi:http outgoing, 0.2 and 0.3: every request goes through the host's one egress.

use crate::bridge::ffi::{Header, Host, HttpFailure, HttpRequest, HttpTransfer};
use crate::ledger::{Charge, Kind, Ledger};
use crate::messages::BODY_PIECE;
use bytes::Bytes;
use cxx::{SharedPtr, UniquePtr};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Bytes of a response that wait for the guest before the sender is asked to pause.
const WINDOW: usize = 256 << 10;
/// What the structures around a header or a chunk take.
const AROUND: usize = 64;

/// The status of a response, and its headers.
type Head = (u16, Vec<(String, Vec<u8>)>);

/// What the bodies and the head of a response wait in between the egress and the guest.
struct Inner {
    head: Option<Head>,
    chunks: VecDeque<Bytes>,
    buffered: usize,
    /// What the head takes, for as long as the body is there.
    held_head: Charge,
    /// What the chunks take that wait.
    held: Charge,
    ended: bool,
    failure: Option<Error>,
    /// The exchange is over, however it ended: nobody takes more of the request's body, and what has
    /// not come by then never will.
    over: bool,
    /// The sender was told to pause and has to be resumed.
    paused: bool,
    waker: Option<Waker>,
}

struct Shared {
    inner: Mutex<Inner>,
    body_wanted: Notify,
    ledger: Arc<Ledger>,
}

impl Shared {
    fn new(ledger: &Arc<Ledger>) -> Arc<Self> {
        let inner = Inner {
            head: None,
            chunks: VecDeque::new(),
            buffered: 0,
            held_head: ledger.open(Kind::Held),
            held: ledger.open(Kind::Held),
            ended: false,
            failure: None,
            over: false,
            paused: false,
            waker: None,
        };
        let (inner, body_wanted) = (Mutex::new(inner), Notify::new());
        Arc::new(Shared { inner, body_wanted, ledger: ledger.clone() })
    }

    /// What may wait before the sender is asked to pause: little, where the guest makes the host
    /// hold much already.
    fn window(&self) -> usize {
        let (used, allowed) = (self.ledger.used(Kind::Held), self.ledger.allowed(Kind::Held));
        if used > allowed / 2 { 1 } else { WINDOW }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut Inner)) {
        let waker = {
            let mut inner = self.lock();
            change(&mut inner);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Inner {
    /// Ends a response that the guest makes the host hold too much with.
    fn give_up(&mut self, failure: Error) {
        self.failure = Some(failure);
        self.over = true;
    }
}

/// The egress's end of an exchange.
pub struct HttpExchange(Arc<Shared>);

impl HttpExchange {
    /// The response's status and headers.
    pub fn head(&self, status: u16, headers: &Vec<Header>) {
        let size = |header: &Header| header.name.len() + header.value.len() + AROUND;
        let size = headers.iter().map(size).sum::<usize>();
        self.0.update(|inner| match inner.held_head.resize(size as u64) {
            Ok(()) => {
                let headers = headers.iter().map(|h| (h.name.clone(), h.value.clone())).collect();
                inner.head = Some((status, headers));
            }
            Err(reached) => inner.give_up(error(HttpFailure::Internal, &reached.to_string())),
        });
    }

    /// A piece of the response's body; false asks the sender to wait for `resume`.
    pub fn chunk(&self, bytes: &[u8]) -> bool {
        let window = self.0.window();
        let mut more = true;
        self.0.update(|inner| {
            if !inner.over
                && let Err(reached) = inner.held.grow((bytes.len() + AROUND) as u64)
            {
                inner.give_up(error(HttpFailure::Internal, &reached.to_string()));
            }
            // A sender whose response was given up is never asked for more of it.
            more = !inner.over;
            if more {
                inner.buffered += bytes.len();
                inner.chunks.push_back(Bytes::copy_from_slice(bytes));
                inner.paused = inner.buffered >= window;
                more = !inner.paused;
            }
        });
        more
    }

    /// The end of the response's body.
    pub fn end(&self) {
        self.0.update(|inner| {
            inner.ended = true;
            inner.over = true;
        });
        self.0.body_wanted.notify_one();
    }

    /// The end of the exchange, whatever it had come to.
    pub fn fail(&self, failure: HttpFailure, message: &str) {
        self.0.update(|inner| {
            inner.failure = Some(error(failure, message));
            inner.over = true;
        });
        self.0.body_wanted.notify_one();
    }

    /// The sender can take more of the request's body.
    pub fn want_body(&self) {
        self.0.body_wanted.notify_one();
    }
}

impl Drop for HttpExchange {
    /// Whoever let go of the exchange without an end has given it up.
    fn drop(&mut self) {
        self.0.update(|inner| {
            if !inner.over {
                inner.failure = Some(Error::ConnectionTerminated);
                inner.over = true;
            }
        });
        self.0.body_wanted.notify_one();
    }
}

fn error(failure: HttpFailure, message: &str) -> Error {
    match failure {
        HttpFailure::Denied => Error::HttpRequestDenied,
        HttpFailure::AddressProhibited => Error::DestinationIpProhibited,
        HttpFailure::NameUnresolvable => {
            Error::DnsError { rcode: Some(message.to_owned()), info_code: None }
        }
        HttpFailure::ConnectionRefused => Error::ConnectionRefused,
        HttpFailure::ConnectionTimeout => Error::ConnectionTimeout,
        HttpFailure::ConnectionTerminated => Error::ConnectionTerminated,
        HttpFailure::Tls => Error::TlsProtocolError,
        HttpFailure::Certificate => Error::TlsCertificateError,
        HttpFailure::ResponseTimeout => Error::HttpResponseTimeout,
        HttpFailure::ResponseTooLarge => Error::HttpResponseBodySize(None),
        HttpFailure::HeadersTooLarge => Error::HttpResponseHeaderSectionSize(None),
        HttpFailure::BadRequest => Error::HttpRequestUriInvalid,
        HttpFailure::Protocol => Error::HttpProtocolError,
        _ => Error::InternalError(Some(message.to_owned())),
    }
}

/// The guest's end: dropping it cancels the exchange on the other side.
struct Transfer {
    shared: Arc<Shared>,
    sender: Arc<UniquePtr<HttpTransfer>>,
    upload: Option<JoinHandle<()>>,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abort();
        }
    }
}

impl Transfer {
    fn begin(hooks: &Hooks, request: &HttpRequest, body: WasiBody) -> Self {
        let Hooks { host, ledger } = hooks;
        let shared = Shared::new(ledger);
        let exchange = Box::new(HttpExchange(shared.clone()));
        let sender = Arc::new(host.begin_http(request, exchange));
        let upload =
            request.has_body.then(|| tokio::spawn(upload(body, shared.clone(), sender.clone())));
        Transfer { shared, sender, upload }
    }

    fn poll_head(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<http::response::Parts, Error>> {
        let mut inner = self.shared.lock();
        if let Some((status, headers)) = inner.head.take() {
            return Poll::Ready(parts(status, headers));
        }
        if let Some(failure) = inner.failure.take() {
            return Poll::Ready(Err(failure));
        }
        if inner.over {
            return Poll::Ready(Err(Error::HttpProtocolError));
        }
        inner.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

fn parts(status: u16, headers: Vec<(String, Vec<u8>)>) -> Result<http::response::Parts, Error> {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let response = builder.body(()).map_err(|_| Error::HttpProtocolError)?;
    Ok(response.into_parts().0)
}

/// Moves the request's body to the egress, as fast as that takes it.
async fn upload(mut body: WasiBody, shared: Arc<Shared>, sender: Arc<UniquePtr<HttpTransfer>>) {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            sender.abort();
            return;
        };
        // Trailers are not sent: nothing that a policy could be written about uses them.
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
            && !sender.provide(&data)
        {
            shared.body_wanted.notified().await;
            // A server may answer before it has read all. Dropping the body tells the guest.
            if shared.lock().over {
                return;
            }
        }
    }
    sender.finish();
}

/// The response's body, as the guest reads it.
struct ResponseBody(Transfer);

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut resume = false;
        let poll = {
            let mut inner = self.0.shared.lock();
            if let Some(chunk) = inner.chunks.pop_front() {
                inner.buffered -= chunk.len();
                // Smaller than it was: this is never refused.
                let left = inner.held.amount().saturating_sub((chunk.len() + AROUND) as u64);
                let _ = inner.held.resize(left);
                if inner.paused && !inner.over && inner.buffered < WINDOW / 2 {
                    inner.paused = false;
                    resume = true;
                }
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            } else if let Some(failure) = inner.failure.take() {
                inner.ended = true;
                Poll::Ready(Some(Err(failure)))
            } else if inner.ended {
                Poll::Ready(None)
            } else {
                inner.waker = Some(context.waker().clone());
                Poll::Pending
            }
        };
        // Outside the lock: the egress may call back at once.
        if resume {
            self.0.sender.resume();
        }
        poll
    }
}

/// Sends every request of a guest to the host.
pub struct Hooks {
    host: SharedPtr<Host>,
    ledger: Arc<Ledger>,
}

impl Hooks {
    /// Requests of this guest are made through `host`, and what waits for it is charged to `ledger`.
    pub fn new(host: SharedPtr<Host>, ledger: Arc<Ledger>) -> Self {
        Hooks { host, ledger }
    }
}

type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Driver), Error>;

impl WasiHttpHooks for Hooks {
    fn set_host_header(&mut self) -> bool {
        // The egress writes the Host header itself, from the authority that was decided about.
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_processed: Driver,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (head, body) = request.into_parts();
        let options = options.unwrap_or_default();
        let nanoseconds = |timeout: Option<std::time::Duration>| {
            timeout.map_or(0, |t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX))
        };
        let outgoing = HttpRequest {
            method: head.method.as_str().to_owned(),
            scheme: head.uri.scheme_str().unwrap_or_default().to_owned(),
            authority: head.uri.authority().map(|a| a.as_str().to_owned()).unwrap_or_default(),
            path_and_query: head
                .uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned()),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| Header {
                    name: name.as_str().to_owned(),
                    value: value.as_bytes().to_vec(),
                })
                .collect(),
            has_body: !body.is_end_stream(),
            connect_timeout_nanoseconds: nanoseconds(options.connect_timeout),
            first_byte_timeout_nanoseconds: nanoseconds(options.first_byte_timeout),
            between_bytes_timeout_nanoseconds: nanoseconds(options.between_bytes_timeout),
        };
        let mut transfer = Transfer::begin(self, &outgoing, body);
        Box::new(async move {
            let head = std::future::poll_fn(|context| transfer.poll_head(context)).await?;
            let body = ResponseBody(transfer).boxed_unsync();
            let driver: Driver = Box::new(async { Ok(()) });
            Ok((http::Response::from_parts(head, body), driver))
        })
    }
}
