//! A process of the simulation: its hands, its calls, and what it does with replies.

use super::check::Truth;
use super::{Answer, OPERATIONS, Random, bucket_of, operation_key};
use crate::clock::Timestamp;
use crate::limit::batch::{Act, Batch};
use crate::limit::holder::{Accepted, Ask, Holding};
use crate::limit::testing::{item, units};
use crate::limit::{Attempt, BucketKey, Fingerprint, HolderId, LeaseId, Nonce, Operation, Terms};
use std::collections::BTreeMap;

#[derive(Clone)]
pub(super) struct Process {
    pub(super) generation: u32,
    pub(super) holder: HolderId,
    lives: u64,
    /// The configuration it knows.
    pub(super) known: [Terms; 2],
    /// The latest store time it has seen.
    hint: Timestamp,
    pub(super) hands: BTreeMap<BucketKey, Hand>,
}

/// One bucket in the process.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) holding: Holding,
    limit: usize,
    call: Call,
    batch: Option<Batch>,
    pub(super) reservations: Vec<i64>,
}

/// What the exchange in flight is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    Report,
    Consume(Vec<u64>),
    Reserve(u64),
    Keyed {
        operation: u64,
        ask: bool,
    },
    /// Both limits at once, by this many.
    Both(u64),
}

impl Process {
    pub(super) fn new(random: &mut Random, known: &[Terms; 2]) -> Self {
        let holder = HolderId::from_bytes(random.bytes());
        let hint = Timestamp::EPOCH;
        Self { generation: 0, holder, lives: 0, known: known.clone(), hint, hands: BTreeMap::new() }
    }

    /// Nothing on its way, held or unreported: a copy of it holds nothing that could be spent twice.
    pub(super) fn is_idle(&self) -> bool {
        self.hands.values().all(|hand| !hand.holding.has_news() && hand.reservations.is_empty())
    }

    /// A new message, or the one in flight again.
    pub(super) fn next_batch(&mut self, random: &mut Random, now: Timestamp) -> Option<Batch> {
        let limit = random.index(2);
        let (key, _) = bucket_of(limit, now);
        if let Some(hand) = self.hands.get(&key)
            && hand.holding.in_flight().is_some()
            && random.one_in(3)
        {
            return hand.batch.clone();
        }
        // A hand of an earlier period still has something to report.
        let old = self.hands.iter().find(|(k, hand)| **k != key && hand.holding.has_news()).map(|(k, _)| *k);
        if let Some(old) = old
            && random.one_in(3)
        {
            return Some(self.report(random, &old));
        }
        let amount = 1 + random.below(3);
        let call = match random.below(10) {
            0..4 => Call::Consume((0..=random.below(3)).map(|_| 1 + random.below(2)).collect()),
            4..6 => Call::Reserve(amount),
            6..8 => Call::Keyed { operation: random.below(OPERATIONS), ask: random.one_in(4) },
            8 => Call::Both(amount),
            _ => Call::Report,
        };
        Some(self.call(random, limit, now, call))
    }

    pub(super) fn call(&mut self, random: &mut Random, limit: usize, now: Timestamp, call: Call) -> Batch {
        let amounts = match &call {
            Call::Report | Call::Keyed { ask: true, .. } => Vec::new(),
            Call::Consume(amounts) => amounts.clone(),
            Call::Reserve(amount) | Call::Both(amount) => vec![*amount],
            Call::Keyed { operation, .. } => vec![operation % 3 + 1],
        };
        let limits = if matches!(call, Call::Both(_)) { vec![0, 1] } else { vec![limit] };
        let mut items = Vec::new();
        for limit in &limits {
            let (key, window) = bucket_of(*limit, now);
            self.open(key, *limit);
            let ask = self.ask(random, *limit, window.end, &amounts, !matches!(call, Call::Reserve(_)));
            let hand = self.hands.get_mut(&key).unwrap();
            hand.call = call.clone();
            if random.one_in(2) {
                hand.holding.give_back();
            }
            items.push(item(hand.holding.next(ask)));
        }
        let act = match call {
            Call::Keyed { operation, ask } => Act::Charge(Operation {
                key: operation_key(operation),
                fingerprint: Fingerprint::default(),
                attempt: Attempt::from_bytes(random.bytes()),
                ask,
                ttl_ms: 400 * 86_400_000,
                also: Vec::new(),
            }),
            _ => Act::None,
        };
        let batch = Batch { atomic: items.len() == 2, items, act };
        for limit in limits {
            let (key, _) = bucket_of(limit, now);
            self.hands.get_mut(&key).unwrap().batch = Some(batch.clone());
        }
        batch
    }

    fn report(&mut self, random: &mut Random, key: &BucketKey) -> Batch {
        let limit = self.hands[key].limit;
        let (_, window) = bucket_of(limit, key.period_start);
        let ask = self.ask(random, limit, window.end, &[], false);
        let hand = self.hands.get_mut(key).unwrap();
        hand.call = Call::Report;
        hand.holding.give_back();
        let batch = Batch { items: vec![item(hand.holding.next(ask))], ..Batch::default() };
        hand.batch = Some(batch.clone());
        batch
    }

    fn ask(&self, random: &mut Random, limit: usize, end: Timestamp, amounts: &[u64], consume: bool) -> Ask {
        Ask {
            terms: self.known[limit].clone(),
            period_end: end,
            demand: amounts.iter().map(|n| units(*n)).collect(),
            consume,
            rate: 0,
            last_message: amounts.is_empty() && random.one_in(4),
            ttl_ms: 330_000,
            hint: self.hint,
            nonce: Nonce::from_bytes(random.bytes()),
        }
    }

    fn open(&mut self, key: BucketKey, limit: usize) {
        if !self.hands.contains_key(&key) {
            self.begin(key, limit, 0);
        }
    }

    fn begin(&mut self, key: BucketKey, limit: usize, overrun: i64) {
        self.lives += 1;
        let id = LeaseId { holder: self.holder, life: self.lives };
        let holding = Holding::new(key, id, overrun);
        self.hands
            .insert(key, Hand { holding, limit, call: Call::Report, batch: None, reservations: Vec::new() });
    }

    /// Takes a reply. With the fault `late`, one to an earlier message of the lease is taken for the one in flight.
    pub(super) fn take(&mut self, random: &mut Random, answer: &Answer, late: bool, truth: &mut Truth) {
        let mut both = Vec::new();
        for (key, id, reply) in &answer.items {
            let Some(hand) = self.hands.get_mut(key).filter(|hand| hand.holding.id() == *id) else {
                continue;
            };
            let Some(request) = hand.holding.in_flight().cloned() else { continue };
            let mut reply = *reply;
            if late {
                reply.seq = request.seq;
            }
            self.hint = self.hint.max(reply.now);
            let (call, limit, old) = (hand.call.clone(), hand.limit, *hand.holding.counters());
            match hand.holding.accept(&reply) {
                Accepted::Ignored => {}
                Accepted::NewHolder { unreported } => {
                    self.holder = HolderId::from_bytes(random.bytes());
                    truth.given_up(key, &old, unreported);
                    self.begin(*key, limit, unreported);
                }
                Accepted::NewLife { unreported } => {
                    truth.given_up(key, &old, unreported);
                    self.begin(*key, limit, unreported);
                }
                Accepted::Served(served) => {
                    let units: i64 = request.demand.iter().take(served).map(|n| n.signed()).sum();
                    match call {
                        Call::Consume(_) => truth.admitted(key, units),
                        Call::Reserve(_) if served == 1 => {
                            assert!(hand.holding.reserve(units));
                            hand.reservations.push(units);
                        }
                        Call::Both(_) => both.push((*key, units)),
                        Call::Keyed { operation, .. } => truth.operation_answered(operation, &answer.outcome),
                        Call::Reserve(_) | Call::Report => {}
                    }
                }
            }
        }
        let met = both.len() == 2 && both.iter().all(|(_, units)| *units > 0);
        for (key, units) in both {
            if met {
                truth.admitted(&key, units);
            } else if let Some(hand) = self.hands.get_mut(&key) {
                // The other limit's exchange was superseded: the call is gone, these units are in hand again.
                assert!(hand.holding.refund(units));
            }
        }
    }

    /// Ends a reservation, gives units back, or overruns.
    pub(super) fn act(&mut self, random: &mut Random, truth: &mut Truth) {
        if self.hands.is_empty() {
            return;
        }
        let i = random.index(self.hands.len());
        let (key, hand) = self.hands.iter_mut().nth(i).unwrap();
        if let Some(held) = hand.reservations.pop() {
            let used = i64::try_from(random.below(held.unsigned_abs() + 1)).unwrap();
            hand.holding.commit(held, used);
            truth.admitted(key, used);
        } else if random.one_in(12) {
            hand.holding.overrun(1);
            truth.overrun(key, 1);
        } else if random.one_in(3) && hand.holding.refund(1) {
            truth.refunded(key, 1);
        } else {
            hand.holding.give_back();
        }
    }
}
