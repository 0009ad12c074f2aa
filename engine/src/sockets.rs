//! Sockets of a guest's own, 0.2 and 0.3: made only after a decision, and counted while they are open.
//!
//! The standard implementation does all else. The context that it finds in a store allows no socket
//! at all; the one that does is used here alone, so that no other function can come to make one.

use crate::bridge::ffi::{Host, SocketUse};
use crate::ledger::{Kind, LimitReached};
use crate::state::State;
use cxx::SharedPtr;
use std::any::Any;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::bindings::sockets as p2;
use wasmtime_wasi::p3::bindings::sockets::types as p3;
use wasmtime_wasi::sockets::{
    SocketAddrUse, TcpSocket, UdpSocket, WasiSocketsCtx, WasiSocketsCtxView, WasiSocketsView,
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

// The functions that make sockets, as the bindings of this version name them. A test makes one of
// each: under another name, all would be refused.
const P2_TCP: &str = "wasi:sockets/tcp-create-socket@0.2.12";
const P2_UDP: &str = "wasi:sockets/udp-create-socket@0.2.12";
const P3: &str = "wasi:sockets/types@0.3.0";

/// Puts the counted functions in the place of the standard ones.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    use p2::network::IpAddressFamily as P2Family;
    use p3::IpAddressFamily as P3Family;
    linker.instance(P2_TCP)?.func_wrap_async(
        "create-tcp-socket",
        |mut store, (family,): (P2Family,)| {
            Box::new(async move {
                if let Err(why) = permit(&mut store, true).await {
                    return Ok((Err(p2_error(why)),));
                }
                let mut open = Opened::new(&mut store);
                let made = p2::tcp_create_socket::Host::create_tcp_socket(&mut open.view(), family);
                Ok((p2_made(made)?,))
            })
        },
    )?;
    linker.instance(P2_UDP)?.func_wrap_async(
        "create-udp-socket",
        |mut store, (family,): (P2Family,)| {
            Box::new(async move {
                if let Err(why) = permit(&mut store, false).await {
                    return Ok((Err(p2_error(why)),));
                }
                let mut open = Opened::new(&mut store);
                let mut view = open.view();
                let made = p2::udp_create_socket::Host::create_udp_socket(&mut view, family).await;
                Ok((p2_made(made)?,))
            })
        },
    )?;
    let mut p3 = linker.instance(P3)?;
    p3.func_wrap_async("[static]tcp-socket.create", |mut store, (family,): (P3Family,)| {
        Box::new(async move {
            if let Err(why) = permit(&mut store, true).await {
                return Ok((Err(p3_error(why)),));
            }
            let mut open = Opened::new(&mut store);
            let made = p3::HostTcpSocket::create(&mut open.view(), family);
            Ok((made.map_or_else(|error| error.downcast().map(Err), |made| Ok(Ok(made)))?,))
        })
    })?;
    p3.func_wrap_async("[static]udp-socket.create", |mut store, (family,): (P3Family,)| {
        Box::new(async move {
            if let Err(why) = permit(&mut store, false).await {
                return Ok((Err(p3_error(why)),));
            }
            let mut open = Opened::new(&mut store);
            let made = p3::HostUdpSocket::create(&mut open.view(), family).await;
            Ok((made.map_or_else(|error| error.downcast().map(Err), |made| Ok(Ok(made)))?,))
        })
    })
}

/// Why no socket is made.
enum Refused {
    Denied,
    TooMany,
}

impl From<LimitReached> for Refused {
    fn from(_: LimitReached) -> Self {
        Refused::TooMany
    }
}

fn p2_error(why: Refused) -> p2::network::ErrorCode {
    match why {
        Refused::Denied => p2::network::ErrorCode::AccessDenied,
        Refused::TooMany => p2::network::ErrorCode::NewSocketLimit,
    }
}

fn p3_error(why: Refused) -> p3::ErrorCode {
    match why {
        Refused::Denied => p3::ErrorCode::AccessDenied,
        Refused::TooMany => p3::ErrorCode::OutOfMemory,
    }
}

type P2Made<T> = Result<Resource<T>, p2::network::ErrorCode>;

fn p2_made<T>(made: wasmtime_wasi::p2::SocketResult<Resource<T>>) -> Result<P2Made<T>> {
    match made {
        Ok(socket) => Ok(Ok(socket)),
        Err(error) => error.downcast().map(Err),
    }
}

/// Asks whether a socket may be made, and charges it.
async fn permit(store: &mut StoreContextMut<'_, State>, tcp: bool) -> Result<(), Refused> {
    let host = store.data().host.clone();
    let question = tokio::task::spawn_blocking(move || host.make_socket(tcp));
    if !question.await.unwrap_or(false) {
        return Err(Refused::Denied);
    }
    let open = count(store);
    let state = store.data_mut();
    let ledger = &state.ledger;
    let charge = state.sockets.get_or_insert_with(|| ledger.open(Kind::Handles));
    // Of those that are gone, some may live on in streams of 0.3 that were taken from them; there
    // are no more of these than streams.
    let gone = charge.amount().saturating_sub(open.sockets);
    Ok(charge.resize(open.sockets + gone.min(open.streams) + 1)?)
}

/// Charges a live instance with what it still has, at the end of a call.
pub fn settle(mut store: StoreContextMut<'_, State>) {
    if store.data().sockets.is_none() {
        return;
    }
    let open = count(&mut store);
    if let Some(charge) = &mut store.data_mut().sockets {
        let gone = charge.amount().saturating_sub(open.sockets);
        // It never grows here: what was made was charged.
        let _ = charge.resize(charge.amount().min(open.sockets + gone.min(open.streams)));
    }
}

struct Open {
    sockets: u64,
    streams: u64,
}

/// Counts what is there, rather than what was made and dropped: it cannot go wrong.
fn count(store: &mut StoreContextMut<'_, State>) -> Open {
    let streams = store.concurrent_resource_table().map_or(0, |table| table.iter_mut().count());
    let sockets = sockets_in(&mut store.data_mut().table);
    Open { sockets: sockets as u64, streams: streams as u64 }
}

fn sockets_in(table: &mut ResourceTable) -> usize {
    let is_socket = |entry: &(dyn Any + Send)| {
        entry.is::<wasmtime_wasi::p2::TcpSocket>()
            || entry.is::<wasmtime_wasi::p2::UdpSocket>()
            || entry.is::<TcpSocket>()
            || entry.is::<UdpSocket>()
    };
    table.iter_mut().filter(|entry| is_socket(&**entry)).count()
}

/// A context that allows sockets, for the one that is about to be made. Each address that it is used
/// with is asked about.
struct Opened<'a> {
    context: WasiSocketsCtx,
    table: &'a mut ResourceTable,
}

impl<'a> Opened<'a> {
    fn new(store: &'a mut StoreContextMut<'_, State>) -> Self {
        let state = store.data_mut();
        let mut whole = Whole { context: asking(&state.host), table: ResourceTable::new() };
        Opened { context: whole.sockets().ctx.clone(), table: &mut state.table }
    }

    fn view(&mut self) -> WasiSocketsCtxView<'_> {
        WasiSocketsCtxView { ctx: &mut self.context, table: self.table }
    }
}

/// The way to the part of a context that is about sockets.
struct Whole {
    context: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Whole {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.table }
    }
}

fn asking(host: &SharedPtr<Host>) -> WasiCtx {
    let host = host.clone();
    let mut builder = WasiCtxBuilder::new();
    builder.allow_tcp(true).allow_udp(true).socket_addr_check(move |address, reason| {
        let host = host.clone();
        let question = move || {
            host.socket(&address.ip().to_canonical().to_string(), address.port(), of(reason))
        };
        Box::pin(async move { tokio::task::spawn_blocking(question).await.unwrap_or(false) })
    });
    builder.build()
}

fn of(reason: SocketAddrUse) -> SocketUse {
    match reason {
        SocketAddrUse::TcpBind => SocketUse::TcpBind,
        SocketAddrUse::TcpListen => SocketUse::TcpListen,
        SocketAddrUse::TcpAccept => SocketUse::TcpAccept,
        SocketAddrUse::TcpConnect => SocketUse::TcpConnect,
        SocketAddrUse::UdpBind => SocketUse::UdpBind,
        SocketAddrUse::UdpSend => SocketUse::UdpSend,
        SocketAddrUse::UdpReceive => SocketUse::UdpReceive,
    }
}
