//! Leaves a store that keeps failing alone for a moment, so that callers get their error at once.

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// After so many failures in a row.
const FAILURES: u32 = 5;
/// For so long.
const OPEN_US: i64 = 1_000_000;

/// Counts failures of one store.
pub(super) struct Breaker {
    failures: AtomicU32,
    opened_at_us: AtomicI64,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { failures: AtomicU32::new(0), opened_at_us: AtomicI64::new(i64::MIN) }
    }

    /// Makes the call, unless the store has just failed too often.
    pub(super) fn call<T>(
        &self,
        now: Timestamp,
        call: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        // A clock that was set back closes it.
        let age_us = now.as_micros().saturating_sub(self.opened_at_us.load(Ordering::Relaxed));
        if (0..OPEN_US).contains(&age_us) {
            let text = "the usage store does not answer; try again in a second";
            return Err(Error::new(ErrorKind::StoreUnavailable, text));
        }
        let answer = call();
        let failed = answer
            .as_ref()
            .is_err_and(|error| error.is_retryable() || error.kind() == ErrorKind::OutcomeUnknown);
        if !failed {
            self.failures.store(0, Ordering::Relaxed);
        } else if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
            // The next failure after the pause opens it again at once.
            self.failures.store(FAILURES - 1, Ordering::Relaxed);
            self.opened_at_us.store(now.as_micros(), Ordering::Relaxed);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(kind: ErrorKind) -> Result<(), Error> {
        Err(Error::new(kind, "no"))
    }

    #[test]
    fn a_store_that_keeps_failing_is_left_alone_for_a_second() {
        let breaker = Breaker::new();
        let at = |us| Timestamp::from_seconds(100).plus_micros(us);
        let mut calls = 0;
        for _ in 0..8 {
            let _ = breaker.call(at(0), || {
                calls += 1;
                fail(ErrorKind::StoreTimeout)
            });
        }
        assert_eq!(calls, 5);
        assert!(breaker.call(at(OPEN_US - 1), || Ok(())).is_err());
        assert!(breaker.call(at(OPEN_US), || fail(ErrorKind::OutcomeUnknown)).is_err());
        assert!(breaker.call(at(OPEN_US), || Ok(())).is_err(), "one failure after the pause is enough");
        assert!(breaker.call(at(-1), || Ok(())).is_ok(), "the clock was set back");
        assert!(breaker.call(at(2 * OPEN_US), || fail(ErrorKind::StoreTimeout)).is_err());
        assert!(breaker.call(at(2 * OPEN_US), || Ok(())).is_ok(), "a success forgets the failures before it");
    }

    #[test]
    fn errors_that_are_no_failure_of_the_store_do_not_count() {
        let breaker = Breaker::new();
        let now = Timestamp::EPOCH;
        for _ in 0..10 {
            let _ = breaker.call(now, || fail(ErrorKind::InvalidArgument));
        }
        assert!(breaker.call(now, || Ok(())).is_ok());
    }
}
