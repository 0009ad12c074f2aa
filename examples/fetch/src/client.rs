//! One request and its response over `wasi:http`.

use crate::address::Address;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    self as http, ErrorCode, Fields, IncomingBody, IncomingResponse, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::bindings::{Body, FetchError, Header, Method, Request, Response};
use crate::content;
use crate::failure;

const DEFAULT_MAX_BYTES: u32 = 256 * 1024;
const READ_CHUNK_BYTES: u64 = 64 * 1024;
/// The most that `blocking-write-and-flush` takes at once.
const WRITE_CHUNK_BYTES: usize = 4096;
const CONNECT_TIMEOUT_NANOSECONDS: u64 = 10_000_000_000;
const SILENCE_TIMEOUT_NANOSECONDS: u64 = 30_000_000_000;
/// Some servers, among them the one of GitHub's interface, refuse requests that do not say whose.
const USER_AGENT: &str = concat!("belljar-fetch/", env!("CARGO_PKG_VERSION"));

/// Sends a request and waits for the response, with as much of its body as was asked for.
pub fn send(request: Request) -> Result<Response, FetchError> {
    let method = request.method.unwrap_or(Method::Get);
    let address = Address::parse(&request.url)?;
    let content = request.body.map(into_bytes);
    if content.is_some() && matches!(method, Method::Get | Method::Head) {
        let name = name_of(method);
        return Err(FetchError::InvalidRequest(format!(
            "a {name} request cannot have a body"
        )));
    }
    let headers = outgoing_headers(request.headers.unwrap_or_default(), content.as_deref())?;
    let target = describe(method, &address);
    let response = exchange(method, &address, headers, content.as_deref())
        .map_err(|code| failure::of_request(&code, &target))?;
    let limit = request.max_bytes.unwrap_or(DEFAULT_MAX_BYTES) as usize;
    receive(&response, limit).map_err(|code| failure::of_request(&code, &target))
}

fn into_bytes(body: Body) -> Vec<u8> {
    match body {
        Body::Text(text) => text.into_bytes(),
        Body::Bytes(bytes) => bytes,
    }
}

fn name_of(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
        Method::Options => "OPTIONS",
    }
}

/// The request as a person would write it. The query is left out: it may hold secrets, and errors
/// are repeated in many places.
fn describe(method: Method, address: &Address) -> String {
    let scheme = if matches!(address.scheme, Scheme::Http) {
        "http"
    } else {
        "https"
    };
    let path = address
        .path_with_query
        .split('?')
        .next()
        .unwrap_or_default();
    format!("{} {scheme}://{}{path}", name_of(method), address.authority)
}

fn outgoing_headers(headers: Vec<Header>, content: Option<&[u8]>) -> Result<Fields, FetchError> {
    let has_user_agent = headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("user-agent"));
    let fields = Fields::new();
    for header in headers {
        if ["host", "content-length"]
            .iter()
            .any(|name| header.name.eq_ignore_ascii_case(name))
        {
            return Err(FetchError::InvalidRequest(format!(
                "the header {:?} follows from the url and the body: leave it out",
                header.name
            )));
        }
        append(&fields, &header.name, &header.value)?;
    }
    if !has_user_agent {
        append(&fields, "user-agent", USER_AGENT)?;
    }
    if let Some(content) = content {
        append(&fields, "content-length", &content.len().to_string())?;
    }
    Ok(fields)
}

fn append(fields: &Fields, name: &str, value: &str) -> Result<(), FetchError> {
    fields
        .append(name, value.as_bytes())
        .map_err(|error| failure::of_header(error, name))
}

/// Sends the request and waits until the headers of the response are there.
fn exchange(
    method: Method,
    address: &Address,
    headers: Fields,
    content: Option<&[u8]>,
) -> Result<IncomingResponse, ErrorCode> {
    let request = OutgoingRequest::new(headers);
    let method = match method {
        Method::Get => http::Method::Get,
        Method::Head => http::Method::Head,
        Method::Post => http::Method::Post,
        Method::Put => http::Method::Put,
        Method::Patch => http::Method::Patch,
        Method::Delete => http::Method::Delete,
        Method::Options => http::Method::Options,
    };
    request
        .set_method(&method)
        .map_err(|()| ErrorCode::HttpRequestMethodInvalid)?;
    request
        .set_scheme(Some(&address.scheme))
        .and_then(|()| request.set_authority(Some(&address.authority)))
        .and_then(|()| request.set_path_with_query(Some(&address.path_with_query)))
        .map_err(|()| ErrorCode::HttpRequestUriInvalid)?;

    let body = content.map(|bytes| {
        (
            request.body().expect("a request gives its body once"),
            bytes,
        )
    });
    let future = outgoing_handler::handle(request, Some(timeouts()))?;
    if let Some((body, bytes)) = body {
        write(body, bytes)?;
    }
    future.subscribe().block();
    future
        .get()
        .expect("the future is ready")
        .expect("the future is read once")
}

fn timeouts() -> RequestOptions {
    let options = RequestOptions::new();
    // A sandbox that cannot set one of these has a limit of its own, so a refusal is no error.
    let _ = options.set_connect_timeout(Some(CONNECT_TIMEOUT_NANOSECONDS));
    let _ = options.set_first_byte_timeout(Some(SILENCE_TIMEOUT_NANOSECONDS));
    let _ = options.set_between_bytes_timeout(Some(SILENCE_TIMEOUT_NANOSECONDS));
    options
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), ErrorCode> {
    let stream = body.write().expect("a body gives its stream once");
    let complete = write_all(&stream, bytes);
    // The stream is a child of the body and has to go before it.
    drop(stream);
    if complete {
        return OutgoingBody::finish(body, None);
    }
    // A server that has heard enough answers and hangs up (413, for one): what it answered, or why
    // the connection broke, is the better news.
    Ok(())
}

fn write_all(stream: &OutputStream, bytes: &[u8]) -> bool {
    bytes
        .chunks(WRITE_CHUNK_BYTES)
        .all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
}

fn receive(response: &IncomingResponse, limit: usize) -> Result<Response, ErrorCode> {
    let headers = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| Header {
            name: name.to_ascii_lowercase(),
            value: String::from_utf8_lossy(&value).into_owned(),
        });
    let headers = headers.collect();
    let body: IncomingBody = response.consume().expect("a response gives its body once");
    let (bytes, truncated) = {
        let stream = body.stream().expect("a body gives its stream once");
        read(&stream, limit)?
    };
    let body = content::decode(bytes, truncated);
    Ok(Response {
        status: response.status(),
        headers,
        body,
        truncated,
    })
}

/// Reads to the end or to the limit, and says whether there was more.
fn read(stream: &InputStream, limit: usize) -> Result<(Vec<u8>, bool), ErrorCode> {
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_CHUNK_BYTES) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok((bytes, false)),
            Err(StreamError::LastOperationFailed(error)) => {
                // A stream that fails for no reason of HTTP's own has lost its connection.
                let code = http::http_error_code(&error);
                return Err(code.unwrap_or(ErrorCode::ConnectionTerminated));
            }
        }
        if bytes.len() > limit {
            bytes.truncate(limit);
            return Ok((bytes, true));
        }
    }
}
