//! HTTP messages and header fields that a guest keeps, which the standard implementation makes.
//!
//! It has no place to charge them at, so they are looked through whenever the guest turns to
//! wasi:http: there are no more of them than the guest may have resources, and a header map is bounded
//! by itself. A guest that has gone over its limit is stopped at its next tick, or when its call ends.

use crate::ledger::{Charge, Kind, Ledger, LimitReached};
use std::any::Any;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::types::{
    HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::p3::{Request, Response};

/// What the structures around a message and a header take.
const AROUND: usize = 96;

/// The most that a guest writes to a body at once.
pub const BODY_PIECE: usize = 16 << 10;
/// What a body may hold that is written and not sent: a piece that waits, and one behind it.
const UNSENT: usize = 2 * BODY_PIECE;

/// What a guest keeps of HTTP.
#[derive(Default)]
pub struct Messages {
    used: bool,
    charge: Option<Charge>,
}

impl Messages {
    /// Charges what is in `table`.
    pub fn charge(
        &mut self,
        table: &mut ResourceTable,
        ledger: &Arc<Ledger>,
    ) -> Result<(), LimitReached> {
        self.used = true;
        let size = table.iter_mut().map(|entry| size(&*entry)).sum::<usize>();
        if size == 0 && self.charge.is_none() {
            return Ok(());
        }
        self.charge.get_or_insert_with(|| ledger.open(Kind::Held)).resize(size as u64)
    }

    /// Whether the guest has turned to wasi:http at all.
    pub fn used(&self) -> bool {
        self.used
    }
}

fn size(entry: &(dyn Any + Send)) -> usize {
    if let Some(fields) = entry.downcast_ref::<FieldMap>() {
        return of_fields(fields);
    }
    if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
        let texts = [&request.authority, &request.path_with_query];
        let texts = texts.into_iter().flatten().map(String::capacity).sum::<usize>();
        // Names of methods and schemes of its own are as long as the guest wants.
        let method = if let Method::Other(name) = &request.method { name.capacity() } else { 0 };
        let scheme =
            if let Some(Scheme::Other(name)) = &request.scheme { name.capacity() } else { 0 };
        let body = if request.body.is_some() { UNSENT } else { 0 };
        return texts + method + scheme + body + of_fields(&request.headers);
    }
    if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
        return of_fields(&response.headers) + if response.body.is_some() { UNSENT } else { 0 };
    }
    if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
        return of_fields(&response.headers);
    }
    if let Some(request) = entry.downcast_ref::<Request>() {
        let path = request.path_with_query.as_ref().map_or(0, |path| path.as_str().len());
        let authority = request.authority.as_ref().map_or(0, |name| name.as_str().len());
        return path + authority + of_fields(&request.headers);
    }
    if let Some(response) = entry.downcast_ref::<Response>() {
        return of_fields(&response.headers);
    }
    0
}

fn of_fields(fields: &FieldMap) -> usize {
    let each = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + AROUND);
    AROUND + each.sum::<usize>()
}
