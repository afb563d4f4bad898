//! After several failures in a row calls are refused at once for a while, so that a database that hangs does not hold
//! every thread of the program until its deadline.

use crate::store::{StoreError, StoreErrorKind};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// So many failures in a row open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open before one call is let through to try.
const OPEN_US: i64 = 1_000_000;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
    open_until: AtomicI64,
}

impl Breaker {
    /// Lets a call through, or not.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] while the breaker is open.
    pub(super) fn admit(&self, now_us: i64) -> Result<(), StoreError> {
        if self.failures.load(Ordering::Relaxed) < FAILURES {
            return Ok(());
        }
        let until = self.open_until.load(Ordering::Relaxed);
        let next = now_us.saturating_add(OPEN_US);
        // Of the calls that find the time over, one goes through; the others wait for what it finds.
        let mine = now_us >= until
            && self.open_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine {
            return Ok(());
        }
        let text = "the database failed several times in a row; calls are refused for a second";
        Err(StoreError::new(StoreErrorKind::Unavailable, text))
    }

    /// Notes how a call that was let through ended.
    pub(super) fn note(&self, failure: Option<StoreErrorKind>, now_us: i64) {
        match failure {
            Some(StoreErrorKind::Unavailable | StoreErrorKind::Timeout | StoreErrorKind::OutcomeUnknown) => {
                if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
                    self.open_until.store(now_us.saturating_add(OPEN_US), Ordering::Relaxed);
                }
            }
            // Whatever else it was, the database answered.
            _ => self.failures.store(0, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_call_try() {
        let breaker = Breaker::default();
        let failed = Some(StoreErrorKind::Timeout);
        for _ in 0..4 {
            breaker.note(failed, 0);
        }
        breaker.note(None, 0);
        for _ in 0..4 {
            breaker.note(failed, 0);
            assert!(breaker.admit(0).is_ok());
        }
        breaker.note(failed, 0);
        assert_eq!(breaker.admit(OPEN_US - 1).unwrap_err().kind(), StoreErrorKind::Unavailable);
        assert!(breaker.admit(OPEN_US).is_ok(), "one call tries");
        assert!(breaker.admit(OPEN_US).is_err(), "and only one");
        breaker.note(None, OPEN_US);
        assert!(breaker.admit(OPEN_US).is_ok());
    }

    #[test]
    fn a_refusal_by_the_database_is_no_failure_of_it() {
        let breaker = Breaker::default();
        for kind in [StoreErrorKind::Corrupt, StoreErrorKind::TooLarge, StoreErrorKind::Overloaded] {
            for _ in 0..20 {
                breaker.note(Some(kind), 0);
            }
            assert!(breaker.admit(0).is_ok(), "{kind:?}");
        }
    }
}
