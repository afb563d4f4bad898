//! The way from a caller to the writer thread and back: a bounded queue of calls, each with a slot for its answer.

use super::transaction::Transaction;
use crate::clock::monotonic_micros;
use crate::store::{StoreError, StoreErrorKind};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Calls that wait for the writer thread.
pub(super) struct Queue {
    state: Mutex<Waiting>,
    arrived: Condvar,
    capacity: usize,
}

struct Waiting {
    calls: VecDeque<Box<dyn Call>>,
    closing: bool,
    nudged: bool,
}

/// What becomes of the rows that a call has written.
pub(super) enum Verdict<T> {
    /// They stand, and this is the answer.
    Keep(T),
    /// They are undone, and this is the answer.
    Undo(T),
}

/// A call as the writer sees it.
pub(super) trait Call: Send {
    /// Claims the call for this transaction; `false` when its caller has left.
    fn take(&self) -> bool;
    /// Whether the caller has left.
    fn is_abandoned(&self) -> bool;
    /// Runs it; `true` when its rows are to be kept.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> bool;
    /// Why it failed, if it did.
    fn failure(&self) -> Option<StoreErrorKind>;
    /// Gives the answer. The caller keeps it to itself until `hold_until` of the boot clock.
    fn answer(self: Box<Self>, hold_until: Option<i64>);
    /// Gives this answer instead of its own.
    fn fail(self: Box<Self>, error: StoreError);
}

/// What the writer finds when it looks for calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Calls, or the time to look after other things.
    Go,
    /// The queue is closed and empty.
    Stop,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let waiting = Waiting { calls: VecDeque::new(), closing: false, nudged: false };
        Self { state: Mutex::new(waiting), arrived: Condvar::new(), capacity }
    }

    /// Runs `run` on the writer thread and waits for its answer until `deadline_us` of [`monotonic_micros`].
    ///
    /// # Errors
    /// Those of `run`. `Overloaded` when the queue is full, `Closed` when it is closed; `Timeout` when the call had not
    /// begun by the deadline and never will; `OutcomeUnknown` when it had.
    pub(super) fn call<T, F>(&self, deadline_us: i64, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<Verdict<T>, StoreError> + Send + 'static,
    {
        let slot = Arc::new(Slot { state: Mutex::new(State::Queued), changed: Condvar::new() });
        let call = Box::new(Pending { run: Some(run), result: None, slot: Arc::clone(&slot) });
        {
            let mut state = self.state.lock();
            if state.closing {
                return Err(closed());
            }
            if state.calls.len() >= self.capacity {
                let text = format!("{} calls wait for the writer", self.capacity);
                return Err(StoreError::new(StoreErrorKind::Overloaded, text));
            }
            state.calls.push_back(call);
        }
        self.arrived.notify_one();
        slot.wait(deadline_us)
    }

    /// Moves all waiting calls to `batch`; waits for one at most so long.
    pub(super) fn take(&self, batch: &mut Vec<Box<dyn Call>>, at_most: Duration, max: usize) -> Next {
        let mut state = self.state.lock();
        if state.calls.is_empty() && !state.closing && !state.nudged {
            self.arrived.wait_for(&mut state, at_most);
        }
        state.nudged = false;
        let room = max.saturating_sub(batch.len()).min(state.calls.len());
        batch.extend(state.calls.drain(..room));
        if state.closing && batch.is_empty() { Next::Stop } else { Next::Go }
    }

    /// Adds what has arrived meanwhile.
    pub(super) fn top_up(&self, batch: &mut Vec<Box<dyn Call>>, max: usize) {
        let mut state = self.state.lock();
        let room = max.saturating_sub(batch.len()).min(state.calls.len());
        batch.extend(state.calls.drain(..room));
    }

    /// Wakes the writer although there is no call.
    pub(super) fn nudge(&self) {
        let mut state = self.state.lock();
        if !state.nudged {
            state.nudged = true;
            self.arrived.notify_one();
        }
    }

    /// Lets no more calls in; those inside are still served.
    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.arrived.notify_all();
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Closed, "the store is closed; open it again")
}

/// Where the caller of one call waits.
struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

enum State<T> {
    Queued,
    Taken,
    Abandoned,
    Done(Result<T, StoreError>, Option<i64>),
}

impl<T> Slot<T> {
    fn wait(&self, deadline_us: i64) -> Result<T, StoreError> {
        let mut state = self.state.lock();
        loop {
            match std::mem::replace(&mut *state, State::Abandoned) {
                State::Done(result, hold_until) => {
                    drop(state);
                    return hold(result, hold_until, deadline_us);
                }
                waiting => *state = waiting,
            }
            let left_us = deadline_us.saturating_sub(monotonic_micros());
            if left_us > 0 {
                self.changed.wait_for(&mut state, micros(left_us));
                continue;
            }
            return match std::mem::replace(&mut *state, State::Abandoned) {
                State::Done(result, hold_until) => {
                    drop(state);
                    hold(result, hold_until, deadline_us)
                }
                State::Taken => Err(StoreError::new(
                    StoreErrorKind::OutcomeUnknown,
                    "the write was under way at its deadline",
                )),
                State::Queued | State::Abandoned => Err(StoreError::new(
                    StoreErrorKind::Timeout,
                    "the write did not begin before its deadline; another process holds the database's write lock",
                )),
            };
        }
    }
}

/// Keeps an answer back until nobody can act on what the change ended; a caller without so much time can't be told.
fn hold<T>(result: Result<T, StoreError>, until: Option<i64>, deadline_us: i64) -> Result<T, StoreError> {
    let Some(until) = until else { return result };
    let wake = until.min(deadline_us);
    loop {
        let left_us = wake.saturating_sub(monotonic_micros());
        if left_us <= 0 {
            break;
        }
        std::thread::sleep(micros(left_us));
    }
    if wake < until {
        let text = "the change stands, but other processes may not have seen it by the deadline";
        return Err(StoreError::new(StoreErrorKind::OutcomeUnknown, text));
    }
    result
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(us.unsigned_abs())
}

/// A call with its closure and its slot.
struct Pending<T, F> {
    run: Option<F>,
    result: Option<Result<T, StoreError>>,
    slot: Arc<Slot<T>>,
}

impl<T, F> Pending<T, F> {
    fn deliver(&self, result: Result<T, StoreError>, hold_until: Option<i64>) {
        let mut state = self.slot.state.lock();
        if !matches!(*state, State::Abandoned) {
            *state = State::Done(result, hold_until);
            drop(state);
            self.slot.changed.notify_one();
        }
    }
}

impl<T, F> Call for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Transaction<'_>) -> Result<Verdict<T>, StoreError> + Send,
{
    fn take(&self) -> bool {
        let mut state = self.slot.state.lock();
        if matches!(*state, State::Queued) {
            *state = State::Taken;
        }
        matches!(*state, State::Taken)
    }

    fn is_abandoned(&self) -> bool {
        matches!(*self.slot.state.lock(), State::Abandoned)
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> bool {
        let Some(run) = self.run.take() else { return false };
        // A panic must not take the writer with it: the call's rows are undone and everything else goes on.
        let outcome = catch_unwind(AssertUnwindSafe(|| run(transaction)));
        let (keep, result) = match outcome {
            Ok(Ok(Verdict::Keep(answer))) => (true, Ok(answer)),
            Ok(Ok(Verdict::Undo(answer))) => (false, Ok(answer)),
            Ok(Err(error)) => (false, Err(error)),
            Err(_) => (
                false,
                Err(StoreError::new(StoreErrorKind::Unavailable, "the write panicked and was undone")),
            ),
        };
        self.result = Some(result);
        keep
    }

    fn failure(&self) -> Option<StoreErrorKind> {
        self.result.as_ref()?.as_ref().err().map(StoreError::kind)
    }

    fn answer(mut self: Box<Self>, hold_until: Option<i64>) {
        if let Some(result) = self.result.take() {
            self.deliver(result, hold_until);
        }
    }

    fn fail(self: Box<Self>, error: StoreError) {
        self.deliver(Err(error), None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fence::bench::Bench;
    use super::*;

    fn run(call: &mut dyn Call) -> bool {
        let bench = Bench::new();
        let fence = bench.fence();
        call.run(&mut Transaction::new(bench.connection(), &fence))
    }

    fn soon() -> i64 {
        monotonic_micros() + 2_000
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let queue = Arc::new(Queue::new(0));
        let error = queue.call(i64::MAX, |_| Ok(Verdict::Keep(()))).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Overloaded);
    }

    #[test]
    fn a_call_that_never_began_is_a_time_out_and_never_runs() {
        let queue = Queue::new(4);
        let error = queue.call(soon(), |_| Ok(Verdict::Keep(()))).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        let mut batch = Vec::new();
        queue.take(&mut batch, Duration::ZERO, 8);
        assert!(batch[0].is_abandoned() && !batch[0].take());
    }

    #[test]
    fn a_call_under_way_at_its_deadline_has_an_unknown_outcome() {
        let queue = Arc::new(Queue::new(4));
        std::thread::scope(|scope| {
            let caller = scope.spawn(|| queue.call(monotonic_micros() + 20_000, |_| Ok(Verdict::Keep(()))));
            let mut batch = Vec::new();
            while batch.is_empty() {
                queue.take(&mut batch, Duration::from_millis(20), 8);
            }
            assert!(batch[0].take());
            assert_eq!(caller.join().unwrap().unwrap_err().kind(), StoreErrorKind::OutcomeUnknown);
        });
    }

    #[test]
    fn a_panic_fails_its_own_call_only() {
        let queue = Arc::new(Queue::new(4));
        std::thread::scope(|scope| {
            let bad = scope.spawn(|| queue.call::<(), _>(i64::MAX, |_| panic!("on purpose")));
            let mut batch = Vec::new();
            while batch.is_empty() {
                queue.take(&mut batch, Duration::from_millis(20), 8);
            }
            let mut call = batch.remove(0);
            assert!(!run(call.as_mut()));
            call.answer(None);
            assert_eq!(bad.join().unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
        });
    }

    #[test]
    fn a_closed_queue_lets_nobody_in_and_everybody_out() {
        let queue = Arc::new(Queue::new(4));
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| queue.call(i64::MAX, |_| Ok(Verdict::Keep(7))));
            let mut batch = Vec::new();
            while batch.is_empty() {
                queue.take(&mut batch, Duration::from_millis(20), 8);
            }
            queue.close();
            let late = queue.call(i64::MAX, |_| Ok(Verdict::Keep(()))).unwrap_err();
            assert_eq!(late.kind(), StoreErrorKind::Closed);
            let mut call = batch.remove(0);
            assert!(run(call.as_mut()));
            call.answer(None);
            assert_eq!(inside.join().unwrap().unwrap(), 7);
            assert_eq!(queue.take(&mut batch, Duration::from_secs(60), 8), Next::Stop);
        });
    }

    #[test]
    fn an_answer_is_held_back_and_never_given_too_early() {
        let until = monotonic_micros() + 3_000;
        assert!(hold(Ok(()), Some(until), i64::MAX).is_ok());
        assert!(monotonic_micros() >= until);
        let far = monotonic_micros() + 60_000_000;
        assert_eq!(hold(Ok(()), Some(far), soon()).unwrap_err().kind(), StoreErrorKind::OutcomeUnknown);
    }
}
