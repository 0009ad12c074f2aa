//! wasi:sockets/ip-name-lookup, 0.2 and 0.3: every name goes to the host's own resolver.

use crate::bridge::ffi::{Host, Pending};
use crate::ledger::{Charge, Kind, Ledger};
use crate::state::{Guest, GuestView, State};
use cxx::{SharedPtr, UniquePtr};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup as p2;
use wasmtime_wasi::p2::bindings::sockets::network::{
    self, ErrorCode, IpAddress, Ipv4Address, Ipv6Address, Network,
};
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, subscribe};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup as p3;
use wasmtime_wasi::p3::bindings::sockets::types as p3_types;

/// Names longer than DNS allows (RFC 1035, 2.3.4) are not asked about.
const NAME_LIMIT: usize = 255;

/// Why a name has no addresses.
#[derive(Clone, Copy, Debug)]
enum LookupError {
    Denied,
    Invalid,
    Unresolvable,
    /// The guest waits for as many as it may have handles.
    TooMany,
}

type LookupResult = Result<Vec<IpAddr>, LookupError>;

/// The way back from the host's resolver.
pub struct LookupReply(Option<oneshot::Sender<LookupResult>>);

impl LookupReply {
    /// Answers the lookup; only the first answer counts.
    pub fn complete(&mut self, failed: bool, denied: bool, addresses: &Vec<String>) {
        let Some(sender) = self.0.take() else { return };
        let result = if denied {
            Err(LookupError::Denied)
        } else if failed {
            Err(LookupError::Unresolvable)
        } else {
            Ok(addresses.iter().filter_map(|address| address.parse().ok()).collect())
        };
        // A guest that has gone away needs no answer.
        let _ = sender.send(result);
    }
}

/// A lookup under way. Dropping it cancels.
struct Lookup {
    receiver: oneshot::Receiver<LookupResult>,
    _pending: UniquePtr<Pending>,
    _charge: Charge,
}

impl Lookup {
    fn begin(
        host: &SharedPtr<Host>,
        ledger: &Arc<Ledger>,
        name: &str,
    ) -> Result<Self, LookupError> {
        if name.is_empty() || name.len() > NAME_LIMIT {
            return Err(LookupError::Invalid);
        }
        let charge = ledger.charge(Kind::Handles, 1).map_err(|_| LookupError::TooMany)?;
        let (sender, receiver) = oneshot::channel();
        let pending = host.begin_lookup(name, Box::new(LookupReply(Some(sender))));
        Ok(Lookup { receiver, _pending: pending, _charge: charge })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<LookupResult> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(LookupError::Unresolvable)))
    }
}

/// Adds both versions of the interface, in place of the standard ones.
pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p2::add_to_linker::<_, Guest>(linker, State::guest)?;
    p3::add_to_linker::<_, Guest>(linker, State::guest)
}

enum Stream {
    Waiting(Lookup),
    Ready(std::vec::IntoIter<IpAddr>),
    Failed(LookupError),
}

impl Stream {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Stream::Waiting(lookup) = self {
            *self = match std::task::ready!(lookup.poll(context)) {
                Ok(addresses) => Stream::Ready(addresses.into_iter()),
                Err(error) => Stream::Failed(error),
            };
        }
        Poll::Ready(())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {
        std::future::poll_fn(|context| self.poll_ready(context)).await;
    }
}

fn p2_error(error: LookupError) -> ErrorCode {
    match error {
        LookupError::Denied => ErrorCode::AccessDenied,
        LookupError::Invalid => ErrorCode::InvalidArgument,
        LookupError::Unresolvable => ErrorCode::NameUnresolvable,
        LookupError::TooMany => ErrorCode::TemporaryResolverFailure,
    }
}

fn p2_address(address: IpAddr) -> IpAddress {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            IpAddress::Ipv4(Ipv4Address::from((a, b, c, d)))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            IpAddress::Ipv6(Ipv6Address::from((a, b, c, d, e, f, g, h)))
        }
    }
}

// The lookup's errors are those of wasi:sockets/network, whose conversions its bindings ask for.
impl network::Host for GuestView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref::<std::io::Error>().map(ErrorCode::from))
    }
}

impl network::HostNetwork for GuestView<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        self.table.delete(network)?;
        Ok(())
    }
}

type StreamResource = Resource<p2::ResolveAddressStream>;

// The standard bindings fix the Rust type of the stream; only the number in it is used.
fn own(stream: &StreamResource) -> Resource<Stream> {
    Resource::new_borrow(stream.rep())
}

impl p2::Host for GuestView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<StreamResource, SocketError> {
        self.table.get(&network)?;
        let mut stream = match Lookup::begin(self.host, self.ledger, &name) {
            Ok(lookup) => Stream::Waiting(lookup),
            Err(error) => return Err(p2_error(error).into()),
        };
        let _ = stream.poll_ready(&mut Context::from_waker(Waker::noop()));
        if let Stream::Failed(error) = stream {
            return Err(p2_error(error).into());
        }
        Ok(Resource::new_own(self.table.push(stream)?.rep()))
    }
}

impl p2::HostResolveAddressStream for GuestView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: StreamResource,
    ) -> Result<Option<IpAddress>, SocketError> {
        let stream = self.table.get_mut(&own(&stream))?;
        let _ = stream.poll_ready(&mut Context::from_waker(Waker::noop()));
        match stream {
            Stream::Waiting(_) => Err(ErrorCode::WouldBlock.into()),
            Stream::Ready(addresses) => Ok(addresses.next().map(p2_address)),
            Stream::Failed(error) => Err(p2_error(*error).into()),
        }
    }

    fn subscribe(&mut self, stream: StreamResource) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, own(&stream))
    }

    fn drop(&mut self, stream: StreamResource) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Stream>::new_own(stream.rep()))?;
        Ok(())
    }
}

impl<T> p3::HostWithStore<T> for Guest {
    async fn resolve_addresses(
        store: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<p3_types::IpAddress>, p3::ErrorCode>> {
        let begun = store.with(|mut access| {
            let view = access.get();
            Lookup::begin(view.host, view.ledger, &name)
        });
        let result = match begun {
            Ok(mut lookup) => std::future::poll_fn(|context| lookup.poll(context)).await,
            Err(error) => Err(error),
        };
        Ok(match result {
            Ok(addresses) => Ok(addresses.into_iter().map(p3_types::IpAddress::from).collect()),
            Err(LookupError::Denied) => Err(p3::ErrorCode::AccessDenied),
            Err(LookupError::Invalid) => Err(p3::ErrorCode::InvalidArgument),
            Err(LookupError::Unresolvable) => Err(p3::ErrorCode::NameUnresolvable),
            Err(LookupError::TooMany) => Err(p3::ErrorCode::TemporaryResolverFailure),
        })
    }
}

impl p3::Host for GuestView<'_> {}
