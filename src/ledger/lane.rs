//! The strict lane of one bucket: one exchange at a time, and the calls that wait for it go together in the next.
//!
//! No lock is held while the store is asked: whoever has the turn has a mark set, and the others wait for it. Every call
//! that was taken from the queue is answered, whatever becomes of its exchange: a [`Turn`] that is dropped answers for
//! what its holder did not.

use super::LEASE_TTL_MS;
use super::call::QuotaState;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::limit::holder::{Accepted, Ask, Holding};
use crate::limit::period::Window;
use crate::limit::{BucketKey, ConfigVersion, ExchangeRequest, LeaseId, Nonce, Reason, Reply, Terms, Units};
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a call waits for its turn and its answer before it gives up.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a refusal answers for the store: a hammered exhausted key costs one store call a second.
const NEGATIVE_US: i64 = 1_000_000;

pub(super) struct Lane {
    pub(super) key: BucketKey,
    /// The process that made it. In a forked child its units are the parent's, and its lock may be held by nobody.
    pub(super) pid: u32,
    /// Used since the table was last searched for idle lanes.
    recent: AtomicBool,
    state: Mutex<State>,
    turn: Condvar,
}

struct State {
    busy: bool,
    holding: Holding,
    queue: VecDeque<Waiting>,
    answers: HashMap<u64, Answer>,
    /// Calls in the exchange under way whose callers have stopped waiting.
    gone: HashSet<u64>,
    tickets: u64,
    negative: Option<Negative>,
    /// The newest configuration that a call brought, and the period's end.
    known: Option<(Terms, Timestamp)>,
}

/// A call's place in a lane.
pub(super) struct Ticket {
    number: u64,
    deadline: Instant,
}

/// A call that waits to be sent.
#[derive(Clone, Copy)]
struct Waiting {
    ticket: u64,
    units: Units,
    /// Whether its units are to be held rather than used.
    hold: bool,
}

/// What a waiting call is told.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Served(QuotaState, LeaseId),
    Refused(Reason, QuotaState),
    /// The bucket is not the one to ask at this store time.
    Moved(Elsewhere),
    Failed(ErrorKind),
}

/// The store's word that a bucket is not, or no longer, in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// The store's time.
    pub(super) now: Timestamp,
    /// Whether it was closed, and not only outside its period.
    pub(super) closed: bool,
}

impl Elsewhere {
    /// What a reply says, if it says so.
    pub(super) fn of(reason: Reason, now: Timestamp) -> Option<Self> {
        match reason {
            Reason::WrongPeriod => Some(Self { now, closed: false }),
            Reason::Closed => Some(Self { now, closed: true }),
            _ => None,
        }
    }
}

/// A refusal that still holds.
#[derive(Clone, Copy)]
struct Negative {
    reason: Reason,
    available: i64,
    ver: ConfigVersion,
    since: Timestamp,
    state: QuotaState,
}

/// What a caller does next.
pub(super) enum Step<'l> {
    Answered(Answer),
    /// It is this caller's turn to send the calls that wait.
    Lead(Turn<'l>),
}

/// The right to send the lane's next exchange, with the calls that go in it.
pub(super) struct Turn<'l> {
    lane: &'l Lane,
    calls: Vec<Waiting>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.answer(|_, _| Some(Answer::Failed(ErrorKind::OutcomeUnknown)));
        self.lane.state.lock().busy = false;
        self.lane.turn.notify_all();
    }
}

impl Lane {
    pub(super) fn new(key: BucketKey, lease: LeaseId, pid: u32) -> Self {
        let state = State {
            busy: false,
            holding: Holding::new(key, lease, 0),
            queue: VecDeque::new(),
            answers: HashMap::new(),
            gone: HashSet::new(),
            tickets: 0,
            negative: None,
            known: None,
        };
        Self { key, pid, recent: AtomicBool::new(true), state: Mutex::new(state), turn: Condvar::new() }
    }

    /// Puts a call into the queue.
    pub(super) fn enqueue(&self, units: Units, hold: bool, terms: &Terms, period_end: Timestamp) -> Ticket {
        let mut state = self.state.lock();
        state.learn(terms, period_end);
        state.tickets += 1;
        let number = state.tickets;
        state.queue.push_back(Waiting { ticket: number, units, hold });
        Ticket { number, deadline: Instant::now() + TURN_TIMEOUT }
    }

    /// Waits until the call is answered, or until it is its caller's turn to send.
    pub(super) fn next_step(&self, ticket: &Ticket) -> Result<Step<'_>, Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = state.answers.remove(&ticket.number) {
                return Ok(Step::Answered(answer));
            }
            if !state.busy {
                state.busy = true;
                let calls = state.front();
                return Ok(Step::Lead(Turn { lane: self, calls }));
            }
            let timed_out = self.turn.wait_until(&mut state, ticket.deadline).timed_out();
            if timed_out && state.busy && !state.answers.contains_key(&ticket.number) {
                state.give_up(ticket.number);
                return Err(overdue());
            }
        }
    }

    /// Waits for the turn alone, with no calls.
    pub(super) fn take_turn(&self) -> Result<Turn<'_>, Error> {
        let deadline = Instant::now() + TURN_TIMEOUT;
        let mut state = self.state.lock();
        while state.busy {
            if self.turn.wait_until(&mut state, deadline).timed_out() && state.busy {
                return Err(overdue());
            }
        }
        state.busy = true;
        Ok(Turn { lane: self, calls: Vec::new() })
    }

    /// The turn, if nobody has it.
    pub(super) fn try_turn(&self) -> Option<Turn<'_>> {
        let mut state = self.state.lock();
        (!std::mem::replace(&mut state.busy, true)).then(|| Turn { lane: self, calls: Vec::new() })
    }

    /// A refusal that answers for the store: units are more than was left, and the configuration is not newer.
    pub(super) fn refusal(
        &self,
        units: Units,
        ver: ConfigVersion,
        now: Timestamp,
    ) -> Option<(Reason, QuotaState)> {
        let negative = self.state.lock().negative?;
        // A clock that was set back ends it too.
        let age_us = now.micros_since(negative.since);
        let holds =
            (0..NEGATIVE_US).contains(&age_us) && ver <= negative.ver && units.signed() > negative.available;
        holds.then_some((negative.reason, negative.state))
    }

    pub(super) fn unreported(&self) -> i64 {
        self.state.lock().holding.unreported()
    }

    pub(super) fn has_news(&self) -> bool {
        self.state.lock().holding.has_news()
    }

    /// Whether the store may know this lease.
    pub(super) fn was_used(&self) -> bool {
        self.state.lock().holding.messages() > 0
    }

    /// Whether nothing of it would be lost with it.
    pub(super) fn is_clean(&self) -> bool {
        let state = self.state.lock();
        let waits = state.busy || !state.queue.is_empty() || !state.answers.is_empty();
        !waits && !state.holding.has_news() && state.holding.reserved() == 0
    }

    /// How many calls wait to be sent.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().queue.len()
    }

    pub(super) fn note_use(&self) {
        self.recent.store(true, Ordering::Relaxed);
    }

    /// Whether it was used since this was last asked.
    pub(super) fn was_recent(&self) -> bool {
        self.recent.swap(false, Ordering::Relaxed)
    }

    pub(super) fn lease(&self) -> LeaseId {
        self.state.lock().holding.id()
    }

    /// The end of the bucket's period, once a call has named it.
    pub(super) fn period_end(&self) -> Option<Timestamp> {
        self.state.lock().known.as_ref().map(|(_, end)| *end)
    }

    /// Does something with what is in hand. Units that come back end a refusal at once.
    pub(super) fn with_holding<T>(&self, act: impl FnOnce(&mut Holding) -> T) -> T {
        let mut state = self.state.lock();
        state.negative = None;
        act(&mut state.holding)
    }
}

impl State {
    /// Keeps the newest configuration: calls that wait together may have been judged by different ones.
    fn learn(&mut self, terms: &Terms, period_end: Timestamp) {
        if self.known.as_ref().is_none_or(|(known, _)| known.ver < terms.ver) {
            self.known = Some((terms.clone(), period_end));
        }
    }

    /// The calls at the head of the queue that can go in one message: they all use, or all hold.
    fn front(&mut self) -> Vec<Waiting> {
        let hold = self.queue.front().is_some_and(|call| call.hold);
        let together =
            self.queue.iter().take(ExchangeRequest::MAX_DEMAND).take_while(|call| call.hold == hold);
        let count = together.count();
        self.queue.drain(..count).collect()
    }

    /// A caller stops waiting: its call leaves the queue, or is given back when its answer comes.
    fn give_up(&mut self, ticket: u64) {
        let waiting = self.queue.len();
        self.queue.retain(|call| call.ticket != ticket);
        if self.queue.len() == waiting {
            self.gone.insert(ticket);
        }
    }
}

impl Turn<'_> {
    /// The lane whose turn this is.
    pub(super) fn lane(&self) -> &Lane {
        self.lane
    }

    /// The amounts of the calls that go in the exchange.
    pub(super) fn demand(&self) -> Vec<Units> {
        self.calls.iter().map(|call| call.units).collect()
    }

    /// Whether the calls' units are to be held.
    pub(super) fn holds(&self) -> bool {
        self.calls.iter().any(|call| call.hold)
    }

    /// Tells the lane which configuration a call was judged by.
    pub(super) fn learn(&self, terms: &Terms, period_end: Timestamp) {
        self.lane.state.lock().learn(terms, period_end);
    }

    /// The next message, which also returns what is in hand, so that it can serve this very demand. `None` from a lane that
    /// no call has told its configuration.
    pub(super) fn request(
        &self,
        demand: Vec<Units>,
        consume: bool,
        nonce: Nonce,
        hint: Timestamp,
    ) -> Option<ExchangeRequest> {
        let mut state = self.lane.state.lock();
        let (terms, period_end) = state.known.clone()?;
        state.holding.give_back();
        let (rate, last_message, ttl_ms) = (0, false, LEASE_TTL_MS);
        let ask = Ask { terms, period_end, demand, consume, rate, last_message, ttl_ms, hint, nonce };
        Some(state.holding.next(ask))
    }

    /// A message without demand that reports use and returns what is in hand. `last` ends the lease, unless units are
    /// still reserved.
    pub(super) fn report(&self, last: bool, nonce: Nonce, hint: Timestamp) -> Option<ExchangeRequest> {
        let mut state = self.lane.state.lock();
        let (terms, period_end) = state.known.clone()?;
        state.holding.give_back();
        let last_message = last && state.holding.reserved() == 0;
        let (demand, consume, rate, ttl_ms) = (Vec::new(), false, 0, LEASE_TTL_MS);
        let ask = Ask { terms, period_end, demand, consume, rate, last_message, ttl_ms, hint, nonce };
        Some(state.holding.next(ask))
    }

    /// Takes a reply to the bookkeeping, and says how many calls of the demand it serves. `Err` when the lease is no longer
    /// ours and `renew` gave another.
    pub(super) fn accept(
        &self,
        reply: &Reply,
        renew: impl FnOnce(bool) -> Result<LeaseId, Error>,
    ) -> Result<usize, Renewed> {
        let mut state = self.lane.state.lock();
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
        // Another lock is taken for the new lease; this one is not held over it.
        drop(state);
        let lease = renew(clone).map_err(|error| Renewed(Some(error)))?;
        self.lane.state.lock().holding = Holding::new(self.lane.key, lease, unreported);
        Err(Renewed(None))
    }

    /// Remembers a refusal for a moment.
    pub(super) fn note_refusal(&self, reason: Reason, ver: ConfigVersion, state: QuotaState, now: Timestamp) {
        let available = match reason {
            Reason::Exhausted => 0,
            Reason::Insufficient(units) => units,
            _ => return,
        };
        self.lane.state.lock().negative = Some(Negative { reason, available, ver, since: now, state });
    }

    /// Answers the turn's calls, by place and units; those that are not answered go back to the head of the queue. Units
    /// of callers that have gone meanwhile are in hand again.
    pub(super) fn answer(&mut self, mut answer: impl FnMut(usize, Units) -> Option<Answer>) {
        let mut state = self.lane.state.lock();
        let mut back = Vec::new();
        for (i, call) in self.calls.drain(..).enumerate() {
            let gone = state.gone.remove(&call.ticket);
            match answer(i, call.units) {
                Some(answer) => {
                    let served = matches!(answer, Answer::Served(..));
                    match (served, call.hold, gone) {
                        (true, true, false) => drop(state.holding.reserve(call.units.signed())),
                        (true, false, true) => drop(state.holding.refund(call.units.signed())),
                        _ => {}
                    }
                    if !gone {
                        state.answers.insert(call.ticket, answer);
                    }
                }
                None if gone => {}
                None => back.push(call),
            }
        }
        for call in back.into_iter().rev() {
            state.queue.push_front(call);
        }
    }
}

/// The lease was replaced: send again. Or it could not be.
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

#[cfg(test)]
mod tests;
