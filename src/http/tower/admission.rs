//! One call on its way through the guard: let in, served, settled.

use super::facts::Facts;
use super::settings::{Settings, Verdict, admit, failed};
use super::settle::{Outcome, Settlement};
use crate::authority::Person;
use crate::code::Code;
use crate::decision::Grant;
use crate::http::{HttpResponse, code_response, denial_response};
use crate::policy::Policy;
use crate::policy::knobs::CountOn;
use crate::policy::model::Operation;
use http::request::Parts;
use std::sync::Arc;

/// A call that was let in.
pub(super) struct Admission {
    pub(super) grant: Arc<Grant>,
    pub(super) settlement: Option<Settlement>,
    person: Option<Person>,
}

impl Admission {
    /// Judges a request, of a key or of a person.
    ///
    /// # Errors
    /// The answer to one that is refused or could not be judged.
    pub(super) async fn find(
        settings: &Settings,
        policy: &Policy,
        facts: &Arc<Facts>,
        operation: &str,
    ) -> Result<Self, HttpResponse> {
        let request_id = facts.request_id();
        let Some(operation) = policy.operation(operation) else {
            tracing::error!(operation, request_id, "the policy has no such operation");
            return Err(code_response(policy, Code::StoreUnavailable, None, request_id));
        };
        let person = match human_token(settings, facts, operation).zip(settings.people.as_ref()) {
            Some((token, sign_in)) => match sign_in(token).await {
                Some(person) => Some(person),
                None => return Err(code_response(policy, Code::InvalidKey, None, request_id)),
            },
            None => None,
        };
        let verdict = match &person {
            Some(person) => settings.judge_person(facts, operation, person.clone()).await,
            None => settings.judge(facts, operation, waits_for_success(operation, facts)).await,
        };
        match verdict {
            Ok(Verdict::Allowed(grant)) => Ok(Self { grant, settlement: None, person }),
            Ok(Verdict::Held(reservation)) => {
                let grant = reservation.shared_grant();
                let settlement = Settlement::new(reservation, &settings.runtime, Outcome::GivenBack);
                Ok(Self { grant, settlement: Some(settlement), person })
            }
            Ok(Verdict::Refused(denial)) => Err(denial_response(policy, &denial, request_id)),
            Err(error) => Err(failed(policy, &error, request_id)),
        }
    }

    /// Tells the service behind whom it acts for.
    pub(super) fn put_into(&self, parts: &mut Parts, request_id: Option<&str>) {
        admit(parts, &self.grant, request_id);
        if let Some(person) = &self.person {
            parts.extensions.insert(person.clone());
        }
    }
}

/// Whether the units of a call count only if it succeeds. A call with an operation id is charged when it is let in, since
/// only a charge can be found again by its id.
pub(super) fn waits_for_success(operation: &Operation, facts: &Facts) -> bool {
    operation.count_on == CountOn::Success && operation.is_counted() && facts.operation_id.is_none()
}

/// The token of a person, where the host signs people in.
fn human_token(settings: &Settings, facts: &Facts, operation: &Operation) -> Option<String> {
    settings.people.as_ref()?;
    facts.with_request(&operation.name, |request| settings.authority.human_token(request).map(str::to_owned))
}
