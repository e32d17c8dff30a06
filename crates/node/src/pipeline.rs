//! Work on many cores that comes out in order: one thread reads, as many as there are cores work, the caller's takes what is done.
//!
//! At most a few items a core are between the reader and the caller, so memory does not grow with the input, and a slow stage holds up the
//! one before it.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::failure::Failure;

/// Items under way for each core: enough that no core waits for the reader or the caller.
const ITEMS_PER_CORE: usize = 3;

/// The cores that this process may use.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Reads items with `source` until it gives `None`, does `work` on them on all cores, and hands the results to `sink` in the order of
/// the source. The first failure of any stage, in that order, ends it all and is the result.
///
/// # Errors
/// What `source`, `work` or `sink` fail with.
pub fn for_each_ordered<T: Send, U: Send>(
    mut source: impl FnMut() -> Result<Option<T>, Failure> + Send,
    work: impl Fn(T) -> Result<U, Failure> + Sync,
    mut sink: impl FnMut(U) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let cores = cores();
    let under_way = cores * ITEMS_PER_CORE;
    // A permit is taken before an item is read and given back when its result is taken: that bounds everything in between.
    let (give_permit, take_permit) = sync_channel::<()>(under_way);
    let (items_in, items_out) = sync_channel::<(u64, Result<T, Failure>)>(under_way);
    let (results_in, results_out) = sync_channel::<(u64, Result<U, Failure>)>(under_way);
    let items_out = Mutex::new(items_out);
    thread::scope(|scope| {
        for _ in 0..under_way {
            // The channel has room for all of them, and its other end lives.
            let _ = give_permit.send(());
        }
        scope.spawn(move || read_all(&mut source, &take_permit, &items_in));
        for _ in 0..cores {
            let (items_out, work, results_in) = (&items_out, &work, results_in.clone());
            scope.spawn(move || {
                while let Some((number, item)) = next(items_out) {
                    if results_in.send((number, item.and_then(work))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results_in);
        let outcome = take_in_order(&results_out, &give_permit, &mut sink);
        // Whoever still waits for one of these ends now.
        drop((results_out, give_permit));
        outcome
    })
}

fn read_all<T>(
    source: &mut impl FnMut() -> Result<Option<T>, Failure>,
    permits: &Receiver<()>,
    items: &SyncSender<(u64, Result<T, Failure>)>,
) {
    for number in 0.. {
        if permits.recv().is_err() {
            return;
        }
        let item = match source() {
            Ok(Some(item)) => Ok(item),
            Ok(None) => return,
            Err(failure) => Err(failure),
        };
        let failed = item.is_err();
        if items.send((number, item)).is_err() || failed {
            return;
        }
    }
}

/// The next item for a core. A core that panicked while it held the lock has poisoned nothing: the receiver is as it was.
fn next<T>(items: &Mutex<Receiver<T>>) -> Option<T> {
    items.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv().ok()
}

fn take_in_order<U>(
    results: &Receiver<(u64, Result<U, Failure>)>,
    permits: &SyncSender<()>,
    sink: &mut impl FnMut(U) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut early = BTreeMap::new();
    let mut due = 0_u64;
    for (number, result) in results {
        early.insert(number, result);
        while let Some(result) = early.remove(&due) {
            sink(result?)?;
            due += 1;
            // The reader may have ended.
            let _ = permits.try_send(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(items: u64, fail_at: Option<u64>, slow: bool) -> (Vec<u64>, Result<(), Failure>) {
        let mut next = 0;
        let mut out = Vec::new();
        let outcome = for_each_ordered(
            || {
                next += 1;
                Ok((next <= items).then_some(next - 1))
            },
            |item| {
                if slow && item % 3 == 0 {
                    thread::sleep(std::time::Duration::from_millis(2));
                }
                if Some(item) == fail_at { Err(Failure::input("here", format!("item {item}"))) } else { Ok(item * 2) }
            },
            |item| {
                out.push(item);
                Ok(())
            },
        );
        (out, outcome)
    }

    #[test]
    fn results_come_in_the_order_of_the_source() {
        for items in [0, 1, 2, 100, 1_000] {
            let (out, outcome) = run(items, None, items <= 100);
            assert!(outcome.is_ok());
            assert_eq!(out, (0..items).map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_failure_in_order_ends_it() {
        let (out, outcome) = run(1_000, Some(50), true);
        assert_eq!(outcome.unwrap_err().what(), "item 50");
        assert_eq!(out.len(), 50, "what came before it was taken");
    }

    #[test]
    fn a_failing_source_or_sink_ends_it_too() {
        let mut left = 10;
        let source = || {
            left -= 1;
            if left == 0 { Err(Failure::input("source", "no more")) } else { Ok(Some(left)) }
        };
        assert_eq!(for_each_ordered(source, Ok, |_: i32| Ok(())).unwrap_err().code(), "source");
        let mut taken = 0;
        let sink = |_: i32| {
            taken += 1;
            if taken == 3 { Err(Failure::input("sink", "full")) } else { Ok(()) }
        };
        assert_eq!(for_each_ordered(|| Ok(Some(1)), Ok, sink).unwrap_err().code(), "sink");
    }
}
