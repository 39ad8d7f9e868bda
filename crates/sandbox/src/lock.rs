//! Taking a mutex in a process where a panicking request must not take the other servers down.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The guard, also after a holder panicked: every state here is valid between any two statements.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
