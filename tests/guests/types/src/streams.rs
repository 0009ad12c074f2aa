//! Streams and futures: read to their ends, then written anew.

use crate::Types;
use crate::bindings::exports::belljar::guests::streams;
use crate::bindings::{wit_future, wit_stream};
use wit_bindgen::{FutureReader, StreamReader, spawn_local};

/// A stream that gives `items` while the caller reads.
macro_rules! stream_of {
    ($items:expr) => {{
        let items = $items;
        let (mut writer, reader) = wit_stream::new();
        spawn_local(async move {
            writer.write_all(items).await;
        });
        reader
    }};
}

/// A future that gives `value` when the caller asks.
macro_rules! future_of {
    ($value:expr) => {{
        let value = $value;
        let (writer, reader) = wit_future::new(Default::default);
        spawn_local(async move {
            let _ = writer.write(value).await;
        });
        reader
    }};
}

impl streams::Guest for Types {
    async fn bytes(value: StreamReader<u8>) -> StreamReader<u8> {
        stream_of!(value.collect().await)
    }

    async fn numbers(value: StreamReader<u32>) -> StreamReader<u32> {
        stream_of!(value.collect().await)
    }

    async fn strings(value: StreamReader<String>) -> StreamReader<String> {
        stream_of!(value.collect().await)
    }

    async fn later(value: FutureReader<String>) -> FutureReader<String> {
        future_of!(value.await)
    }

    async fn later_flag(value: FutureReader<bool>) -> FutureReader<bool> {
        future_of!(value.await)
    }

    async fn both(value: Vec<u32>) -> (StreamReader<u32>, StreamReader<u32>) {
        let doubled = value.iter().map(|number| number.wrapping_mul(2)).collect::<Vec<_>>();
        (stream_of!(value), stream_of!(doubled))
    }
}
