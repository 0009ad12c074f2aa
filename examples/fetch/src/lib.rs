//! A tool that fetches over HTTP through `wasi:http`. All that goes out passes the sandbox, which
//! decides what is allowed; this code only speaks the protocol and tells its failures apart.

mod address;
mod client;
mod content;
mod failure;

#[allow(
    clippy::too_many_arguments,
    reason = "the generated code spells out every parameter"
)]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "fetch", generate_all });
}

use bindings::{FetchError, Guest, Request, Response};

struct Fetch;

impl Guest for Fetch {
    fn get(url: String) -> Result<Response, FetchError> {
        client::send(Request {
            url,
            method: None,
            headers: None,
            body: None,
            max_bytes: None,
        })
    }

    fn request(request: Request) -> Result<Response, FetchError> {
        client::send(request)
    }
}

bindings::export!(Fetch with_types_in bindings);
