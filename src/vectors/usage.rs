//! Steps about reservations, refunds and counts.

use super::answer::{Answer, done, failed, object, shown};
use super::decide::{RequestArguments, answer, grant_answer};
use super::document::Step;
use super::world::World;
use crate::authority::{Caller, Reserved, TenantName};
use crate::decision::Decision;
use serde::Deserialize;

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

/// A limit of a key, or of a tenant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsageArguments {
    limit: String,
    key: Option<String>,
    #[serde(default)]
    dimensions: Vec<(String, String)>,
    account: Option<String>,
    environment: Option<String>,
    org: Option<String>,
    user: Option<String>,
}

impl World {
    /// Reservations and refunds.
    pub(super) fn hold(&mut self, step: &Step) -> Result<Answer, String> {
        let authority = self.process(&step.process)?;
        match step.verb.as_str() {
            "reserve" => self.reserve(step),
            "commit" => {
                let CommitArguments { reservation, actual } = step.arguments()?;
                let reservation =
                    self.reservations.remove(&reservation).ok_or("there is no such reservation")?;
                Ok(done(reservation.commit(actual).map(drop)))
            }
            "release" => {
                let ReleaseArguments { reservation } = step.arguments()?;
                let reservation =
                    self.reservations.remove(&reservation).ok_or("there is no such reservation")?;
                Ok(done(reservation.release()))
            }
            "refund" => {
                let RefundArguments { grant, units } = step.arguments()?;
                let grant = self.grants.get_mut(&grant).ok_or("there is no such grant")?;
                Ok(done(authority.refund(grant, units)))
            }
            _ => {
                let arguments: RequestArguments = step.arguments()?;
                let refund_id = arguments.refund_id.as_deref().ok_or("a refund has an id")?;
                let refunded = arguments.with(self.policy(), 0, |request| {
                    authority.refund_operation(request, refund_id, arguments.units)
                })?;
                Ok(done(refunded))
            }
        }
    }

    /// One limit as it stands.
    pub(super) fn usage(&mut self, step: &Step) -> Result<Answer, String> {
        let UsageArguments { limit, key, dimensions, account, environment, org, user } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = Caller::admin("vectors");
        let lines = match (key, account) {
            (Some(key), None) => {
                let dimensions: Vec<(&str, &str)> =
                    dimensions.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                let key = self.key(&key)?;
                authority.key_usage(&caller, &key.account_id, &key.id, &dimensions)
            }
            (None, Some(account)) => {
                let name = match (org, user) {
                    (org, Some(user)) => TenantName::user(account, org.as_deref(), user),
                    (Some(org), None) => TenantName::org(account, org),
                    (None, None) => TenantName::account(account),
                };
                authority.tenant_usage(&caller, &environment.into_iter().fold(name, TenantName::environment))
            }
            _ => return Err("`usage` is that of a `key`, or of a tenant of an `account`".to_owned()),
        };
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) => return Ok(failed(&error)),
        };
        let line = lines.iter().find(|line| *line.limit == *limit).ok_or("there is no such limit here")?;
        let mut answer = object(serde_json::to_value(line).unwrap_or_default());
        answer.insert("resets_at".to_owned(), shown(line.resets_at));
        answer.insert("period_start".to_owned(), shown(line.period_start));
        Ok(answer)
    }

    fn reserve(&mut self, step: &Step) -> Result<Answer, String> {
        let arguments: RequestArguments = step.arguments()?;
        let authority = self.process(&step.process)?;
        let max = arguments.max.ok_or("`reserve` takes the most units as `max`")?;
        let reserved = arguments.with(self.policy(), 0, |request| authority.reserve(request, max))?;
        let request_id = arguments.request_id.as_deref();
        Ok(match reserved {
            Ok(Reserved::Denied(denial)) => answer(self.policy(), &Ok(Decision::Deny(denial)), request_id),
            Err(error) => answer(self.policy(), &Err(error), request_id),
            Ok(Reserved::Held(reservation)) => {
                let granted = grant_answer(self.policy(), reservation.grant());
                if let Some(name) = &arguments.name {
                    self.reservations.insert(name.clone(), reservation);
                }
                granted
            }
        })
    }
}
