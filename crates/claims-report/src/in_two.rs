//! Work on two threads that must be begun in order and ended in order.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dn_domain::claims::snapshot::Both;

/// On a thread more.
pub(crate) struct SideBySide;

impl Both for SideBySide {
    fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        std::thread::scope(|scope| {
            let other = scope.spawn(other);
            let one = one();
            (one, other.join().unwrap_or_else(|broken| std::panic::resume_unwind(broken)))
        })
    }
}

/// So many lots may wait to be taken.
const AHEAD: usize = 4;

/// Cuts lots off an input until there is none, works each through and takes it. Lots are cut and taken in order, by one
/// thread at a time; in between they may be worked through side by side. One thread cuts and works through; the one that
/// calls takes what is ready, and helps the other where nothing is: whichever part is the greater, neither waits long.
///
/// `cut` fills a lot and says whether there was anything; what a lot was used for before is still in it. The first error
/// in the order of the lots ends it.
pub(crate) fn in_two<L: Default + Send>(
    cut: impl FnMut(&mut L) -> anyhow::Result<bool> + Send,
    work: impl Fn(&mut L) + Sync,
    mut take: impl FnMut(&mut L) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let source = Mutex::new(Source { cut, count: 0, is_done: false });
    let pool = Mutex::new(Vec::new());
    let next = || next(&source, &work, locked(&pool).pop().unwrap_or_default());
    let next = &next;
    let (ready, to_take) = mpsc::sync_channel::<Numbered<L>>(AHEAD);
    std::thread::scope(|scope| {
        // Gone when this ends, whatever ends it: nobody waits for it to take more.
        let to_take = to_take;
        scope.spawn(move || {
            while let Some(lot) = next() {
                if ready.send(lot).is_err() {
                    return;
                }
            }
        });
        // Those that are ready before an earlier one is.
        let mut early = BTreeMap::new();
        let mut is_cut = false;
        for number in 0_u64.. {
            let mut lot = loop {
                if let Some(lot) = early.remove(&number) {
                    break lot?;
                }
                // What is not here is with the other thread where nothing is left to be cut.
                let found = if is_cut { to_take.recv().map_err(Into::into) } else { to_take.try_recv() };
                match found {
                    Ok((found, lot)) => {
                        early.insert(found, lot);
                    }
                    Err(TryRecvError::Disconnected) => return Ok(()),
                    Err(TryRecvError::Empty) => match next() {
                        Some((found, lot)) => {
                            early.insert(found, lot);
                        }
                        None => is_cut = true,
                    },
                }
            };
            take(&mut lot)?;
            locked(&pool).push(lot);
        }
        Ok(())
    })
}

/// A lot and its place in the input.
type Numbered<L> = (u64, anyhow::Result<L>);

/// What lots are cut off.
struct Source<C> {
    cut: C,
    count: u64,
    is_done: bool,
}

/// The next lot, worked through; none at the end and behind an error.
fn next<L, C: FnMut(&mut L) -> anyhow::Result<bool>>(
    source: &Mutex<Source<C>>,
    work: &impl Fn(&mut L),
    mut lot: L,
) -> Option<Numbered<L>> {
    let mut source = locked(source);
    if source.is_done {
        return None;
    }
    let cut = (source.cut)(&mut lot);
    let number = source.count;
    source.count += 1;
    source.is_done = !matches!(cut, Ok(true));
    drop(source);
    match cut {
        Ok(true) => {
            work(&mut lot);
            Some((number, Ok(lot)))
        }
        Ok(false) => None,
        Err(error) => Some((number, Err(error))),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Lot {
        number: u64,
        square: Option<u64>,
    }

    fn run(
        count: u64,
        fails_at: Option<u64>,
        take: impl FnMut(&mut Lot) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut numbers = 0..count;
        in_two(
            |lot: &mut Lot| {
                let Some(number) = numbers.next() else { return Ok(false) };
                anyhow::ensure!(fails_at != Some(number), "cut {number}");
                *lot = Lot { number, square: None };
                Ok(true)
            },
            |lot| {
                // Some take longer than others, so that they are ready out of order.
                (0..lot.number % 7 * 50).for_each(|turn| {
                    std::hint::black_box(turn);
                });
                lot.square = Some(lot.number * lot.number);
            },
            take,
        )
    }

    proptest! {
        #[test]
        fn every_lot_is_taken_once_in_order_up_to_the_first_error(
            count in 0_u64..200,
            fails_at: Option<prop::sample::Index>,
            taking_fails_at: Option<prop::sample::Index>,
        ) {
            let place = |index: Option<prop::sample::Index>| index.map(|index| index.index(200) as u64);
            let (fails_at, taking_fails_at) = (place(fails_at), place(taking_fails_at));
            let mut taken = Vec::new();
            let ended = run(count, fails_at, |lot| {
                anyhow::ensure!(taking_fails_at != Some(lot.number), "taken {}", lot.number);
                taken.push((lot.number, lot.square));
                Ok(())
            });
            let first = [Some(count), fails_at, taking_fails_at].into_iter().flatten().min().unwrap();
            prop_assert_eq!(taken, (0..first).map(|number| (number, Some(number * number))).collect::<Vec<_>>());
            let expected = match (fails_at, taking_fails_at) {
                (Some(at), _) if at == first && at < count => Some(format!("cut {at}")),
                (_, Some(at)) if at == first && at < count => Some(format!("taken {at}")),
                _ => None,
            };
            prop_assert_eq!(ended.err().map(|error| error.to_string()), expected);
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_thread_that_breaks_down_breaks_down_the_whole() {
        let first = std::thread::current().id();
        let _ = in_two(
            |(): &mut ()| Ok(true),
            |()| assert!(std::thread::current().id() == first, "breaks down"),
            |()| {
                std::thread::yield_now();
                Ok(())
            },
        );
    }
}
