//! Streams and futures: given to the guest from lists, collected from it into lists.

use crate::bridge::ffi::Host;
use crate::ledger::{Charge, Kind, Ledger, LimitReached};
use crate::shape::{Integer, Shape, Signature};
use crate::state::State;
use cxx::SharedPtr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::Notify;
use wasmtime::component::{
    Func, FutureAny, FutureConsumer, FutureReader, Lift, Source, StreamAny, StreamConsumer,
    StreamReader, StreamResult, Val,
};
use wasmtime::{AsContextMut, Error, Result, Store, StoreContextMut, bail, format_err};

/// Items that are taken from a stream at once.
const BATCH: usize = 16 << 10;

/// Calls a function that passes streams or futures: the guest runs on beside the reader until
/// all that it returned has ended.
pub async fn call(
    store: &mut Store<State>,
    signature: &Signature,
    function: Func,
    arguments: Vec<Val>,
    results: &mut [Val],
    limit: usize,
) -> Result<()> {
    let mut given = Vec::with_capacity(arguments.len());
    for (field, value) in signature.parameters.iter().zip(arguments) {
        let mut change = |shape: &Shape, value| provide(store, shape, value);
        given.push(transform(&field.shape, value, &mut change)?);
    }
    let host = store.data().host.clone();
    let sink = Arc::new(Sink::new(host, limit, &store.data().ledger));
    store
        .run_concurrent(async |accessor| -> Result<()> {
            function.call_concurrent(accessor, &given, results).await?;
            accessor.with(|mut access| {
                let mut store = access.as_context_mut();
                let mut change = |shape: &Shape, value| attach(&mut store, &sink, shape, value);
                replace(signature, results, &mut change)
            })?;
            sink.finished().await
        })
        .await??;
    let mut slots = sink.take();
    replace(signature, results, &mut |_, value| detach(&mut slots, &value))
}

fn replace(
    signature: &Signature,
    results: &mut [Val],
    change: &mut dyn FnMut(&Shape, Val) -> Result<Val>,
) -> Result<()> {
    if let (Some(shape), Some(slot)) = (&signature.result, results.first_mut()) {
        let value = std::mem::replace(slot, Val::Bool(false));
        *slot = transform(shape, value, change)?;
    }
    Ok(())
}

/// Calls a macro with the Rust type and the value constructor of a primitive shape.
macro_rules! with_primitive {
    ($shape:expr, $action:ident) => {
        match $shape {
            Shape::Bool => $action!(bool, Bool),
            Shape::Integer(Integer::U8) => $action!(u8, U8),
            Shape::Integer(Integer::U16) => $action!(u16, U16),
            Shape::Integer(Integer::U32) => $action!(u32, U32),
            Shape::Integer(Integer::U64) => $action!(u64, U64),
            Shape::Integer(Integer::S8) => $action!(i8, S8),
            Shape::Integer(Integer::S16) => $action!(i16, S16),
            Shape::Integer(Integer::S32) => $action!(i32, S32),
            Shape::Integer(Integer::S64) => $action!(i64, S64),
            Shape::Float32 => $action!(f32, Float32),
            Shape::Float64 => $action!(f64, Float64),
            Shape::Char => $action!(char, Char),
            Shape::String => $action!(String, String),
            _ => bail!("streams and futures carry values of primitive types or strings only"),
        }
    };
}

/// Applies `change` to every stream and future in a value, wherever it stands.
fn transform(
    shape: &Shape,
    value: Val,
    change: &mut dyn FnMut(&Shape, Val) -> Result<Val>,
) -> Result<Val> {
    let mut boxed = |shape: &Shape, value: Box<Val>| -> Result<Option<Box<Val>>> {
        Ok(Some(Box::new(transform(shape, *value, change)?)))
    };
    Ok(match (shape, value) {
        (Shape::Stream(_) | Shape::Future(_), value) => change(shape, value)?,
        (Shape::Option(inner), Val::Option(Some(value))) => Val::Option(boxed(inner, value)?),
        (Shape::Variant(cases), Val::Variant(name, Some(value))) => {
            let case = cases.iter().find(|case| *case.name == *name);
            let value = match case.and_then(|case| case.shape.as_ref()) {
                Some(shape) => boxed(shape, value)?,
                None => Some(value),
            };
            Val::Variant(name, value)
        }
        (Shape::Result(Some(ok), _), Val::Result(Ok(Some(value)))) => {
            Val::Result(Ok(boxed(ok, value)?))
        }
        (Shape::Result(_, Some(err)), Val::Result(Err(Some(value)))) => {
            Val::Result(Err(boxed(err, value)?))
        }
        (Shape::List(element), Val::List(items)) => {
            let items = items.into_iter().map(|item| transform(element, item, change));
            Val::List(items.collect::<Result<_>>()?)
        }
        (Shape::Record(fields), Val::Record(values)) => {
            let values = fields
                .iter()
                .zip(values)
                .map(|(field, (name, value))| Ok((name, transform(&field.shape, value, change)?)));
            Val::Record(values.collect::<Result<_>>()?)
        }
        (Shape::Tuple(shapes), Val::Tuple(values)) => {
            let values = shapes.iter().zip(values);
            let values = values.map(|(shape, value)| transform(shape, value, change));
            Val::Tuple(values.collect::<Result<_>>()?)
        }
        (_, value) => value,
    })
}

/// Makes a real stream or future of the list that stands for one in an argument.
fn provide(store: &mut Store<State>, shape: &Shape, value: Val) -> Result<Val> {
    let (Shape::Stream(element) | Shape::Future(element), Val::List(items)) = (shape, value) else {
        bail!("an argument does not have the function's type");
    };
    macro_rules! provide {
        ($rust:ty, $kind:ident) => {{
            let items = items.into_iter().map(|value| match value {
                Val::$kind(value) => Ok(value),
                _ => Err(format_err!("an item does not have the stream's type")),
            });
            let items = items.collect::<Result<Vec<$rust>>>()?;
            if matches!(shape, Shape::Stream(_)) {
                let reader = StreamReader::new(&mut *store, items)?;
                Val::Stream(StreamAny::try_from_stream_reader(store, reader)?)
            } else {
                let only = items.into_iter().next();
                let only = only.ok_or_else(|| format_err!("a future without a value"))?;
                let reader =
                    FutureReader::new(&mut *store, async move { wasmtime::error::Ok(only) })?;
                Val::Future(FutureAny::try_from_future_reader(store, reader)?)
            }
        }};
    }
    Ok(with_primitive!(&**element, provide))
}

/// Where collected items wait, a slot for each stream or future.
struct Sink {
    host: SharedPtr<Host>,
    limit: usize,
    inner: Mutex<Collected>,
    changed: Notify,
}

struct Collected {
    slots: Vec<Vec<Val>>,
    open: usize,
    items: u64,
    bytes: usize,
    /// What the items take while they wait for the end.
    held: Charge,
    failure: Option<Error>,
}

impl Sink {
    fn new(host: SharedPtr<Host>, limit: usize, ledger: &Arc<Ledger>) -> Self {
        let inner = Collected {
            slots: Vec::new(),
            open: 0,
            items: 0,
            bytes: 0,
            held: ledger.open(Kind::Held),
            failure: None,
        };
        Sink { host, limit, inner: Mutex::new(inner), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> usize {
        let mut inner = self.lock();
        inner.open += 1;
        inner.slots.push(Vec::new());
        inner.slots.len() - 1
    }

    fn push(&self, slot: usize, values: Vec<Val>) -> Result<()> {
        let items = {
            let mut inner = self.lock();
            inner.items += values.len() as u64;
            inner.bytes += values.iter().map(text_size).sum::<usize>();
            if inner.bytes > self.limit {
                let (used, allowed) = (inner.bytes as u64, self.limit as u64);
                bail!(LimitReached { key: "output", used, allowed });
            }
            inner.held.grow(values.iter().map(held_size).sum())?;
            inner.slots[slot].extend(values);
            inner.items
        };
        self.host.progress(items);
        Ok(())
    }

    fn close(&self) {
        self.lock().open -= 1;
        self.changed.notify_one();
    }

    async fn finished(&self) -> Result<()> {
        loop {
            {
                let mut inner = self.lock();
                if let Some(failure) = inner.failure.take() {
                    return Err(failure);
                }
                if inner.open == 0 {
                    return Ok(());
                }
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Vec<Vec<Val>> {
        std::mem::take(&mut self.lock().slots)
    }
}

/// What an item takes of the host's memory.
fn held_size(value: &Val) -> u64 {
    let text = if let Val::String(text) = value { text.capacity() } else { 0 };
    (size_of::<Val>() + text) as u64
}

/// A lower bound of what an item will take as text.
fn text_size(value: &Val) -> usize {
    match value {
        Val::String(text) => text.len() + 3,
        Val::U8(_) => 1,
        _ => 2,
    }
}

/// Reads one stream or future into its slot, and closes the slot when it is dropped.
struct Collector<T> {
    sink: Arc<Sink>,
    slot: usize,
    wrap: fn(T) -> Val,
}

impl<T> Drop for Collector<T> {
    fn drop(&mut self) {
        self.sink.close();
    }
}

impl<T: Lift + Send + 'static> Collector<T> {
    fn keep(&self, items: Vec<T>) -> Result<()> {
        self.sink.push(self.slot, items.into_iter().map(self.wrap).collect())
    }
}

impl<T: Lift + Send + Sync + 'static, D: 'static> StreamConsumer<D> for Collector<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<D>,
        mut source: Source<'_, T>,
        _: bool,
    ) -> Poll<Result<StreamResult>> {
        let count = source.remaining(&mut store).min(BATCH);
        let mut items = Vec::with_capacity(count);
        source.read(store, &mut items)?;
        self.keep(items)?;
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// The same for a future, which gives one item.
struct Single<T>(Collector<T>);

impl<T: Lift + Send + Sync + Unpin + 'static, D: 'static> FutureConsumer<D> for Single<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<D>,
        mut source: Source<'_, T>,
        _: bool,
    ) -> Poll<Result<()>> {
        let mut item = None;
        source.read(store, &mut item)?;
        self.0.keep(item.into_iter().collect())?;
        Poll::Ready(Ok(()))
    }
}

/// Begins to collect a stream or future of a result, and leaves the number of its slot.
fn attach(
    store: &mut StoreContextMut<'_, State>,
    sink: &Arc<Sink>,
    shape: &Shape,
    value: Val,
) -> Result<Val> {
    let slot = sink.open();
    macro_rules! collector {
        ($rust:ty, $kind:ident) => {
            Collector::<$rust> { sink: sink.clone(), slot, wrap: Val::$kind }
        };
    }
    match (shape, value) {
        (Shape::Stream(element), Val::Stream(stream)) => {
            macro_rules! collect {
                ($rust:ty, $kind:ident) => {
                    stream
                        .try_into_stream_reader::<$rust>()?
                        .pipe(store, collector!($rust, $kind))?
                };
            }
            with_primitive!(&**element, collect);
        }
        (Shape::Future(element), Val::Future(future)) => {
            macro_rules! collect {
                ($rust:ty, $kind:ident) => {
                    future
                        .try_into_future_reader::<$rust>()?
                        .pipe(store, Single(collector!($rust, $kind)))?
                };
            }
            with_primitive!(&**element, collect);
        }
        _ => bail!("a result does not have its own type"),
    }
    Ok(Val::U64(slot as u64))
}

/// Puts what was collected in the place that [`attach`] left.
fn detach(slots: &mut [Vec<Val>], value: &Val) -> Result<Val> {
    let slot = match value {
        Val::U64(slot) => usize::try_from(*slot).ok().and_then(|slot| slots.get_mut(slot)),
        _ => None,
    };
    let slot = slot.ok_or_else(|| format_err!("a stream was not collected"))?;
    Ok(Val::List(std::mem::take(slot)))
}
