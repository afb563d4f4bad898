//! The strict lane of one bucket: one exchange at a time, and the calls that wait for it go together in the next.
//!
//! No lock is held while the store is asked: whoever has the turn has a mark set, and the others wait for it.

use super::call::QuotaState;
use crate::clock::{Timestamp, monotonic_micros};
use crate::error::{Error, ErrorKind};
use crate::limit::holder::{Accepted, Ask, Holding};
use crate::limit::period::Window;
use crate::limit::{
    BucketKey, ConfigVersion, Counters, ExchangeRequest, LeaseId, Nonce, Reason, Reply, Terms, Units,
};
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How long a call waits for its turn before it gives up.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a refusal answers for the store, microseconds: a hammered exhausted key costs one store call a second.
const NEGATIVE_US: i64 = 1_000_000;

pub(super) struct Lane {
    pub(super) key: BucketKey,
    state: Mutex<State>,
    turn: Condvar,
}

struct State {
    busy: bool,
    holding: Holding,
    queue: VecDeque<Waiting>,
    answers: HashMap<u64, Answer>,
    tickets: u64,
    negative: Option<Negative>,
    /// The configuration and period end of the last message.
    known: Option<(Terms, Timestamp)>,
}

/// A call that waits to be sent.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    ticket: u64,
    pub(super) units: Units,
    /// Whether its units are to be held rather than used.
    pub(super) hold: bool,
}

/// What a waiting call is told.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Served(QuotaState, LeaseId),
    Refused(Reason, QuotaState),
    /// The store's time lies outside the bucket's period.
    Moved(Timestamp),
    Failed(ErrorKind),
}

/// A refusal that still holds.
#[derive(Clone, Copy)]
struct Negative {
    reason: Reason,
    available: i64,
    ver: ConfigVersion,
    until_us: i64,
    state: QuotaState,
}

/// What a caller does next.
pub(super) enum Step<'l> {
    Answered(Answer),
    /// It is this caller's turn to send these calls.
    Lead(Turn<'l>, Vec<Waiting>),
}

/// The right to send the lane's next exchange; given back when dropped.
pub(super) struct Turn<'l>(&'l Lane);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state.lock().busy = false;
        self.0.turn.notify_all();
    }
}

impl Lane {
    pub(super) fn new(key: BucketKey, lease: LeaseId) -> Self {
        let state = State {
            busy: false,
            holding: Holding::new(key, lease, 0),
            queue: VecDeque::new(),
            answers: HashMap::new(),
            tickets: 0,
            negative: None,
            known: None,
        };
        Self { key, state: Mutex::new(state), turn: Condvar::new() }
    }

    /// Puts a call into the queue.
    pub(super) fn enqueue(&self, units: Units, hold: bool) -> u64 {
        let mut state = self.state.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        state.queue.push_back(Waiting { ticket, units, hold });
        ticket
    }

    /// Waits until the call is answered, or until it is its caller's turn to send.
    pub(super) fn next_step(&self, ticket: u64) -> Result<Step<'_>, Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = state.answers.remove(&ticket) {
                return Ok(Step::Answered(answer));
            }
            if !state.busy {
                state.busy = true;
                let calls = state.front();
                return Ok(Step::Lead(Turn(self), calls));
            }
            if self.turn.wait_for(&mut state, TURN_TIMEOUT).timed_out()
                && !state.answers.contains_key(&ticket)
            {
                state.queue.retain(|call| call.ticket != ticket);
                return Err(overdue());
            }
        }
    }

    /// Waits for the turn alone.
    pub(super) fn take_turn(&self) -> Result<Turn<'_>, Error> {
        let mut state = self.state.lock();
        while state.busy {
            if self.turn.wait_for(&mut state, TURN_TIMEOUT).timed_out() && state.busy {
                return Err(overdue());
            }
        }
        state.busy = true;
        Ok(Turn(self))
    }

    /// A refusal that answers for the store, if `units` are more than was left and the configuration is not newer.
    pub(super) fn refusal(&self, units: Units, ver: ConfigVersion) -> Option<(Reason, QuotaState)> {
        let negative = self.state.lock().negative?;
        let holds = monotonic_micros() < negative.until_us
            && ver <= negative.ver
            && units.signed() > negative.available;
        holds.then_some((negative.reason, negative.state))
    }

    pub(super) fn unreported(&self) -> i64 {
        self.state.lock().holding.unreported()
    }

    pub(super) fn has_news(&self) -> bool {
        let state = self.state.lock();
        state.holding.has_news() || state.holding.reserved() > 0
    }

    /// Whether the store knows this lease.
    pub(super) fn is_used(&self) -> bool {
        let state = self.state.lock();
        state.holding.counters() != &Counters::default()
    }

    pub(super) fn lease(&self) -> LeaseId {
        self.state.lock().holding.id()
    }

    /// Does something with what is in hand. Units that come back end a refusal at once.
    pub(super) fn with_holding<T>(&self, act: impl FnOnce(&mut Holding) -> T) -> T {
        let mut state = self.state.lock();
        state.negative = None;
        act(&mut state.holding)
    }
}

impl State {
    /// The calls at the head of the queue that can go in one message: they all use, or all hold.
    fn front(&mut self) -> Vec<Waiting> {
        let hold = self.queue.front().is_some_and(|call| call.hold);
        let together =
            self.queue.iter().take(ExchangeRequest::MAX_DEMAND).take_while(|call| call.hold == hold);
        let count = together.count();
        self.queue.drain(..count).collect()
    }
}

impl Turn<'_> {
    /// The lane whose turn this is.
    pub(super) fn lane(&self) -> &Lane {
        self.0
    }

    pub(super) fn request(&self, ask: Ask) -> ExchangeRequest {
        let mut state = self.0.state.lock();
        state.known = Some((ask.terms.clone(), ask.period_end));
        state.holding.next(ask)
    }

    /// A message without demand that reports use and returns what is in hand; `None` from a lane that never asked.
    pub(super) fn report(
        &self,
        nonce: Nonce,
        hint: Timestamp,
        ttl_ms: i64,
        last: bool,
    ) -> Option<ExchangeRequest> {
        let mut state = self.0.state.lock();
        let (terms, period_end) = state.known.clone()?;
        state.holding.give_back();
        let last_message = last && state.holding.reserved() == 0;
        let demand = Vec::new();
        let ask =
            Ask { terms, period_end, demand, consume: false, rate: 0, last_message, ttl_ms, hint, nonce };
        Some(state.holding.next(ask))
    }

    /// Takes a reply to the bookkeeping, and says how many calls of the demand it serves. `Err` when the lease is no longer
    /// ours and `renew` gave another.
    pub(super) fn accept(
        &self,
        reply: &Reply,
        renew: impl FnOnce(bool) -> Result<LeaseId, Error>,
    ) -> Result<usize, Renewed> {
        let mut state = self.0.state.lock();
        let (clone, unreported) = match state.holding.accept(reply) {
            Accepted::Served(calls) => {
                // What is left is less now than a refusal from before says.
                if calls > 0 {
                    state.negative = None;
                }
                return Ok(calls);
            }
            Accepted::Ignored => return Ok(0),
            Accepted::NewHolder { unreported } => (true, unreported),
            Accepted::NewLife { unreported } => (false, unreported),
        };
        drop(state);
        let lease = renew(clone).map_err(|error| Renewed(Some(error)))?;
        self.0.state.lock().holding = Holding::new(self.0.key, lease, unreported);
        Err(Renewed(None))
    }

    /// Remembers a refusal for a moment.
    pub(super) fn note_refusal(&self, reason: Reason, ver: ConfigVersion, state: QuotaState) {
        let available = match reason {
            Reason::Exhausted => 0,
            Reason::Insufficient(units) => units,
            _ => return,
        };
        let until_us = monotonic_micros() + NEGATIVE_US;
        self.0.state.lock().negative = Some(Negative { reason, available, ver, until_us, state });
    }

    /// Answers calls; what is not answered goes back to the head of the queue.
    pub(super) fn answer(&self, calls: Vec<Waiting>, mut answer: impl FnMut(usize) -> Option<Answer>) {
        let mut state = self.0.state.lock();
        let mut back = Vec::new();
        for (i, call) in calls.into_iter().enumerate() {
            match answer(i) {
                Some(answer) => {
                    if call.hold
                        && let Answer::Served(..) = answer
                    {
                        state.holding.reserve(call.units.signed());
                    }
                    state.answers.insert(call.ticket, answer);
                }
                None => back.push(call),
            }
        }
        for call in back.into_iter().rev() {
            state.queue.push_front(call);
        }
    }
}

/// The lease was replaced; try again.
pub(super) struct Renewed(pub(super) Option<Error>);

/// The numbers of a reply.
pub(super) fn quota_state(key: &BucketKey, reply: &Reply) -> QuotaState {
    QuotaState {
        window: Window { start: key.period_start, end: reply.period_end },
        charged: reply.charged,
        confirmed: reply.confirmed,
        cap: reply.cap,
        included: reply.included,
        lane: reply.lane,
        slow: false,
    }
}

fn overdue() -> Error {
    Error::new(ErrorKind::StoreTimeout, "the usage store did not answer in time; try again")
}
