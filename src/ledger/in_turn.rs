//! Several limits on a store that makes only single requests atomic.

use super::Ledger;
use super::call::{KeyedCall, QuotaUse, RefusedBy, TakeCall};
use super::reservation::HeldLine;
use super::take::{RENEWALS_MAX, TakenQuotas, Tried, single};
use super::together::{Part, operation, turns};
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Act, ItemReply, Request};
use crate::limit::gcra::{RateRequest, RateVerdict};
use crate::limit::period::Window;
use crate::limit::{Attempt, BucketKey, OperationLine, Units};

impl Ledger {
    /// Several limits on a store without atomic batches: each is taken into this call's hand in turn; on a refusal all go
    /// back. Nothing is counted as used before all are in hand.
    pub(super) fn take_in_turn(
        &self,
        call: &TakeCall,
        rates: &mut [RateVerdict],
        keys: &[BucketKey],
        windows: &[Window],
        hold: bool,
    ) -> Result<Tried, Error> {
        let mut taken = TakenQuotas::default();
        let strict = call.rates.iter().enumerate().filter(|(_, rate)| rate.local.is_none());
        for (i, rate) in strict {
            let request =
                RateRequest { limit_id: rate.limit_id, ver: rate.ver, rate: rate.rate, amount: rate.units };
            let reply = self.exchange(&single(Request::Rate(request)))?;
            let Some(ItemReply::Rate(reply)) = reply.items.first() else {
                return Err(Error::new(ErrorKind::StoreCallback, "the usage store answered another request"));
            };
            if let Some(slot) = rates.get_mut(i) {
                *slot = reply.verdict;
            }
            if !reply.taken {
                return Ok(Tried::Refused(RefusedBy::Rate(i), Vec::new()));
            }
        }
        // The widest first and the primary last: it carries the operation id, and decides.
        let charged = call.quotas.iter().enumerate().rev().filter(|(_, quota)| quota.units > Units::ZERO);
        for (i, quota) in charged {
            let (Some(key), Some(window)) = (keys.get(i), windows.get(i)) else { continue };
            let primary = call.operation.as_ref().filter(|_| i == 0);
            let tried = match primary {
                Some(keyed) => self.take_keyed(call, keyed, quota, keys, windows, &taken.held),
                None => self.take_in_hand(i, quota, key, window),
            };
            match tried {
                Ok(Tried::Taken(one)) => taken.join(*one),
                Ok(other) => {
                    self.give_back(&taken.held);
                    return Ok(other);
                }
                Err(error) => {
                    self.give_back(&taken.held);
                    return Err(error);
                }
            }
            if taken.replayed {
                self.give_back(&taken.held);
                taken.held.clear();
                return Ok(Tried::Taken(Box::new(taken)));
            }
        }
        taken.states.reverse();
        if !hold {
            for line in taken.held.drain(..) {
                line.use_all();
                // The count is right already; telling the store may wait for the next maintenance.
                let _reported_later = self.report(line.lane(), false);
            }
        }
        Ok(Tried::Taken(Box::new(taken)))
    }

    fn take_in_hand(
        &self,
        index: usize,
        quota: &QuotaUse,
        key: &BucketKey,
        window: &Window,
    ) -> Result<Tried, Error> {
        let one =
            TakeCall { now: window.start, rates: Vec::new(), quotas: vec![quota.plain()], operation: None };
        match self.take_one(&one, &[*key], &[*window], true)? {
            Tried::Refused(RefusedBy::Quota(_, reason), states) => {
                Ok(Tried::Refused(RefusedBy::Quota(index, reason), states))
            }
            Tried::Moved(_, now) => Ok(Tried::Moved(index, now)),
            other => Ok(other),
        }
    }

    /// The primary limit of a keyed call, alone: it is charged by the operation id.
    fn take_keyed(
        &self,
        call: &TakeCall,
        keyed: &KeyedCall,
        quota: &QuotaUse,
        keys: &[BucketKey],
        windows: &[Window],
        in_hand: &[HeldLine],
    ) -> Result<Tried, Error> {
        let also: Vec<OperationLine> = in_hand.iter().map(HeldLine::operation_line).collect();
        let attempt = Attempt::from_bytes(*self.nonce()?.as_bytes());
        let (Some(key), Some(window)) = (keys.first(), windows.first()) else {
            return Ok(Tried::Taken(Box::default()));
        };
        let lanes = [self.lane(*key)];
        let one = TakeCall { now: call.now, rates: Vec::new(), quotas: vec![quota.plain()], operation: None };
        for _ in 0..RENEWALS_MAX {
            let turns = turns(&lanes)?;
            let Some(turn) = turns.first() else { break };
            let request = turn.request(self.ask(quota, window, vec![quota.units], false)?);
            let mut batch = single(Request::Exchange(request));
            batch.act = Act::Charge(operation(keyed, call, keys, windows, attempt, also.clone()));
            let reply = self.exchange(&batch)?;
            let parts = [Part::Quota(0)];
            let answered = self.accept_all(&one, &turns, &[*key], &parts, &reply, &mut [])?;
            let Some(answered) = answered else { continue };
            return self.conclude(&one, &lanes, answered, reply.outcome, attempt, false);
        }
        Err(Error::new(ErrorKind::StoreUnavailable, "another process uses this one's leases; try again"))
    }

    fn give_back(&self, held: &[HeldLine]) {
        for line in held {
            line.give_back();
            let _returned_later = self.report(line.lane(), false);
        }
    }
}
