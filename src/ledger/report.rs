//! What a process tells the store outside a call: use, units that go back, leases that end.

use super::Ledger;
use super::lane::{Lane, Renewed, Turn};
use super::take::single;
use crate::error::Error;
use crate::limit::batch::{Batch, BatchReply, Item, ItemReply, Request};
use std::sync::Arc;

impl Ledger {
    /// Tells the store what this lane used, and returns what is in hand and not reserved.
    pub(super) fn report(&self, lane: &Lane) -> Result<(), Error> {
        let turn = lane.take_turn()?;
        let Some(request) = turn.report(false, self.nonce()?, self.hint()) else { return Ok(()) };
        let reply = self.exchange(&single(Request::Exchange(request)))?;
        self.accept_reports(&[turn], &reply)
    }

    /// As [`report`](Self::report), where a failure costs nothing: the count is right in this process, and the next
    /// [`maintain`](Self::maintain) tells the store.
    pub(super) fn report_now_or_later(&self, lane: &Lane) {
        if let Err(error) = self.report(lane) {
            tracing::debug!(%error, "usage will be reported later");
        }
    }

    /// Reports every lane that has something to say; `last` ends the leases too.
    pub(super) fn report_all(&self, last: bool) -> Result<(), Error> {
        let lanes: Vec<Arc<Lane>> = self.here()?.lanes.lock().values().cloned().collect();
        let concerned = |lane: &&Arc<Lane>| lane.has_news() || (last && lane.was_used());
        let concerned: Vec<&Arc<Lane>> = lanes.iter().filter(concerned).collect();
        self.report_lanes(&concerned, last)
    }

    /// Reports these lanes, as many in one message as the store takes. A lane that is being exchanged is left to that.
    fn report_lanes(&self, lanes: &[&Arc<Lane>], last: bool) -> Result<(), Error> {
        let mut told = Ok(());
        for some in lanes.chunks(self.batch_max) {
            let mut turns: Vec<Turn<'_>> = Vec::with_capacity(some.len());
            let mut items = Vec::with_capacity(some.len());
            for turn in some.iter().filter_map(|lane| lane.try_turn()) {
                if let Some(request) = turn.report(last, self.nonce()?, self.hint()) {
                    items.push(Item { group: None, request: Request::Exchange(request) });
                    turns.push(turn);
                }
            }
            if items.is_empty() {
                continue;
            }
            let reply = self.exchange(&Batch { items, ..Batch::default() });
            told = told.and(reply.and_then(|reply| self.accept_reports(&turns, &reply)));
        }
        told
    }

    fn accept_reports(&self, turns: &[Turn<'_>], reply: &BatchReply) -> Result<(), Error> {
        for (turn, item) in turns.iter().zip(&reply.items) {
            let ItemReply::Exchange(reply) = item else { continue };
            self.note_time(reply);
            if let Err(Renewed(Some(error))) = turn.accept(reply, |cloned| self.next_lease(cloned)) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes room when the table is nearly full: lanes that were not used since the last time end their leases and go.
    pub(super) fn forget_idle_lanes(&self) -> Result<(), Error> {
        let here = self.here()?;
        let idle: Vec<Arc<Lane>> = {
            let lanes = here.lanes.lock();
            if lanes.len() < self.lanes_max / 10 * 9 {
                return Ok(());
            }
            let is_idle = |lane: &&Arc<Lane>| !lane.was_recent() && Arc::strong_count(lane) == 1;
            lanes.values().filter(is_idle).cloned().collect()
        };
        let used: Vec<&Arc<Lane>> = idle.iter().filter(|lane| lane.was_used()).collect();
        let told = self.report_lanes(&used, true);
        let keys: Vec<_> = idle.iter().map(|lane| lane.key).collect();
        drop(idle);
        let mut lanes = here.lanes.lock();
        for key in keys {
            // Whoever took it up meanwhile keeps it, and units that could not be returned stay in hand.
            if lanes.get(&key).is_some_and(|lane| Arc::strong_count(lane) == 1 && lane.is_clean()) {
                lanes.remove(&key);
            }
        }
        told
    }
}
