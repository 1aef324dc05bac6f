use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whether or not a test panicked while it held the lock: the servers go on answering.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
