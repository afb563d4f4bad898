//! Steps about reservations, refunds and counts.

use super::answer::{Answer, done, failed, object, shown};
use super::decide::{RequestArguments, answer, grant_answer};
use super::document::Step;
use super::world::World;
use crate::authority::Reserved;
use crate::decision::Decision;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitArguments {
    reservation: String,
    actual: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseArguments {
    reservation: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundArguments {
    grant: String,
    units: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundOperationArguments {
    account: String,
    operation_id: String,
    refund_id: String,
    units: u64,
}

impl World {
    /// Reservations and refunds.
    pub(super) fn hold(&mut self, step: &Step) -> Result<Answer, String> {
        let authority = self.process(&step.process)?;
        match step.verb.as_str() {
            "reserve" => self.reserve(step),
            "commit" => {
                let CommitArguments { reservation, actual } = step.arguments()?;
                let reservation = self.reservations.remove(&reservation).ok_or("there is no such reservation")?;
                Ok(done(reservation.commit(actual).map(drop)))
            }
            "release" => {
                let ReleaseArguments { reservation } = step.arguments()?;
                let reservation = self.reservations.remove(&reservation).ok_or("there is no such reservation")?;
                Ok(done(reservation.release()))
            }
            "refund" => {
                let RefundArguments { grant, units } = step.arguments()?;
                let grant = self.grants.get_mut(&grant).ok_or("there is no such grant")?;
                Ok(done(authority.refund(grant, units)))
            }
            _ => {
                let RefundOperationArguments { account, operation_id, refund_id, units } = step.arguments()?;
                Ok(done(authority.refund_operation(&account, &operation_id, &refund_id, units)))
            }
        }
    }

    fn reserve(&mut self, authority: &Authority, arguments: &RequestArguments) -> Result<Answer, String> {
        let max = arguments.max.ok_or("`reserve` takes the most units as `max`")?;
        let reserved = arguments.with(self.policy(), 0, |request| authority.reserve(request, max))?;
        let request_id = arguments.request_id.as_deref();
        Ok(match reserved {
            Ok(Reserved::Denied(denial)) => answer(self.policy(), &Ok(Decision::Deny(denial)), request_id),
            Err(error) => answer(self.policy(), &Err(error), request_id),
            Ok(Reserved::Granted(reservation)) => {
                let granted = grant_answer(self.policy(), reservation.grant());
                if let Some(name) = &arguments.name {
                    self.reservations.insert(name.clone(), reservation);
                }
                granted
            }
        })
    }

}
