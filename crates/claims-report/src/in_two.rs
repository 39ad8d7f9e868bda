//! Work on two threads that must be begun in order and ended in order.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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

/// Cuts lots off an input until there is none, works each through and takes it. Lots are cut and taken in order, by one
/// thread at a time; in between they are worked through side by side. Each of two threads cuts a lot, works it through
/// and takes it when its turn comes: what one core has just written another need not fetch, and while one takes the
/// other works.
///
/// `cut` fills a lot and says whether there was anything; what a lot was used for before is still in it. The first error
/// in the order of the lots ends it.
pub(crate) fn in_two<L: Default>(
    cut: impl FnMut(&mut L) -> anyhow::Result<bool> + Send,
    work: impl Fn(&mut L) + Sync,
    take: impl FnMut(&mut L) -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    let looks = looks();
    let source = Mutex::new(Source { cut, count: 0, is_done: false });
    let turn = Turn {
        state: Mutex::new(Taking { take, ended: None }),
        next: AtomicU64::new(0),
        looks,
        changed: Condvar::new(),
    };
    let run = || {
        // Whoever breaks down must not be waited for.
        let broken = EndOnPanic(&turn);
        let mut lot = L::default();
        while let Some((number, cut)) = next(&source, looks, &mut lot) {
            let is_cut = cut.map(|()| work(&mut lot));
            if !turn.take(number, is_cut, &mut lot) {
                break;
            }
        }
        drop(broken);
    };
    SideBySide.both(run, run);
    locked(&turn.state).ended.take().unwrap_or(Ok(()))
}

/// What lots are cut off.
struct Source<C> {
    cut: C,
    count: u64,
    is_done: bool,
}

/// Fills the lot with the next one and gives its place in the input; none at the end and behind an error.
fn next<L, C: FnMut(&mut L) -> anyhow::Result<bool>>(
    source: &Mutex<Source<C>>,
    looks: u32,
    lot: &mut L,
) -> Option<(u64, anyhow::Result<()>)> {
    let mut source = soon_locked(source, looks);
    if source.is_done {
        return None;
    }
    let cut = (source.cut)(lot);
    source.is_done = !matches!(cut, Ok(true));
    let number = source.count;
    source.count += 1;
    match cut {
        Ok(false) => None,
        cut => Some((number, cut.map(|_| ()))),
    }
}

/// So many looks are taken at whether it is one's turn before one sleeps: it is mostly a matter of some microseconds, and
/// to be woken takes longer. With one core there is nobody to wait for that way.
fn looks() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    if cores > 1 { 2_000 } else { 0 }
}

/// Whose turn it is to take.
struct Turn<T> {
    // Changed by whoever holds the state.
    next: AtomicU64,
    looks: u32,
    state: Mutex<Taking<T>>,
    changed: Condvar,
}

struct Taking<T> {
    take: T,
    // Once there is something, nothing more is taken.
    ended: Option<anyhow::Result<()>>,
}

impl<T> Turn<T> {
    /// Takes a lot when all before it are taken; false if nothing more is to be taken.
    fn take<L>(&self, number: u64, is_cut: anyhow::Result<()>, lot: &mut L) -> bool
    where
        T: FnMut(&mut L) -> anyhow::Result<()>,
    {
        let is_due = || self.next.load(Ordering::Acquire) == number;
        (0..self.looks).take_while(|_| !is_due()).for_each(|_| std::hint::spin_loop());
        let taking =
            self.changed.wait_while(locked(&self.state), |taking| !is_due() && taking.ended.is_none());
        let mut taking = taking.unwrap_or_else(PoisonError::into_inner);
        if taking.ended.is_some() {
            return false;
        }
        if let Err(error) = is_cut.and_then(|()| (taking.take)(lot)) {
            taking.ended = Some(Err(error));
        }
        self.next.store(number + 1, Ordering::Release);
        self.changed.notify_all();
        taking.ended.is_none()
    }
}

/// Ends the taking where a thread breaks down.
struct EndOnPanic<'a, T>(&'a Turn<T>);

impl<T> Drop for EndOnPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            locked(&self.0.state).ended = Some(Ok(()));
            self.0.changed.notify_all();
        }
    }
}

/// The same with so many looks before one sleeps.
fn soon_locked<T>(mutex: &Mutex<T>, looks: u32) -> MutexGuard<'_, T> {
    for _ in 0..looks {
        if let Ok(guard) = mutex.try_lock() {
            return guard;
        }
        std::hint::spin_loop();
    }
    locked(mutex)
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
        take: impl FnMut(&mut Lot) -> anyhow::Result<()> + Send,
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
    #[should_panic(expected = "the other breaks down")]
    fn a_thread_that_breaks_down_breaks_down_the_whole() {
        let first = std::thread::current().id();
        let _ = in_two(
            |(): &mut ()| Ok(true),
            |()| assert!(std::thread::current().id() == first, "the other breaks down"),
            |()| Ok(()),
        );
    }

    #[test]
    #[should_panic(expected = "no more")]
    fn a_taking_that_breaks_down_breaks_down_the_whole() {
        let mut count = 0;
        let _ = in_two(
            |(): &mut ()| Ok(true),
            |()| {},
            |()| {
                count += 1;
                assert!(count < 100, "no more");
                Ok(())
            },
        );
    }
}
