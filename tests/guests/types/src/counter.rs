//! A resource with state of its own.

use crate::Types;
use crate::bindings::exports::belljar::guests::counters;
use std::cell::Cell;

impl counters::Guest for Types {
    type Counter = Counter;

    fn finish(counter: counters::Counter) -> u32 {
        counter.into_inner::<Counter>().number.get()
    }

    fn row(starts: Vec<u32>) -> Vec<counters::Counter> {
        let counters = starts.into_iter().map(<Counter as counters::GuestCounter>::new);
        counters.map(counters::Counter::new).collect()
    }
}

/// A number that only grows.
pub struct Counter {
    number: Cell<u32>,
}

impl counters::GuestCounter for Counter {
    fn new(start: u32) -> Self {
        Counter { number: Cell::new(start) }
    }

    fn add(&self, by: u32) -> u32 {
        self.number.set(self.number.get().wrapping_add(by));
        self.number.get()
    }

    fn value(&self) -> u32 {
        self.number.get()
    }

    fn sum_of(parts: Vec<counters::CounterBorrow<'_>>) -> counters::Counter {
        let sum = parts.iter().map(|part| part.get::<Counter>().number.get());
        counters::Counter::new(Counter { number: Cell::new(sum.sum()) })
    }
}
