//! Judging behind the guard: for handlers that name their operation themselves.

use super::admission::Admission;
use super::facts::Facts;
use super::guard::GuardLayer;
use super::settle::{Outcome, Settlement};
use crate::decision::Grant;
use crate::http::{HttpResponse, cors, grant_response};
use crate::policy::Policy;
use http::StatusCode;
use http::request::Parts;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::sync::Arc;

/// Judges a request as an operation that its handler names. Found in the extensions of each request behind a
/// [`GuardLayer`].
#[derive(Clone)]
pub struct HandlerGuard {
    layer: Arc<GuardLayer>,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Default)]
struct Notes {
    judged: Vec<(Arc<str>, Arc<Grant>)>,
    /// Units that count only if the call succeeds. Dropped with the request, they are given back.
    settlements: Vec<Settlement>,
    /// What the answer takes on.
    headers: Vec<(Cow<'static, str>, String)>,
}

impl HandlerGuard {
    pub(super) fn new(layer: &Arc<GuardLayer>) -> Self {
        Self { layer: Arc::clone(layer), notes: Arc::default() }
    }

    /// The request is allowed to do `operation`: judged now, unless it has been judged as that already.
    ///
    /// `placeholders` are the parts of the path that the framework's route names, decoded; tenant and resource are among
    /// them under the names that the policy gives. A request that is judged as several operations must be allowed all of
    /// them and is charged for each; its answer tells of the limits of the last.
    ///
    /// # Errors
    /// The answer to a request that is refused or could not be judged.
    pub async fn require(
        &self,
        parts: &mut Parts,
        operation: &str,
        placeholders: &[(&str, &str)],
    ) -> Result<Arc<Grant>, HttpResponse> {
        if let Some(grant) = self.grant(operation) {
            return Ok(grant);
        }
        let settings = &self.layer.settings;
        let policy = settings.authority.policy();
        let mut facts = Facts::of_parts(parts, settings);
        facts.set_placeholders(&policy, operation, placeholders);
        let facts = Arc::new(facts);
        let admission = Admission::find(settings, &policy, &facts, operation).await?;
        settings.delay(&admission.grant).await;
        admission.put_into(parts, facts.request_id());
        Ok(self.note(&policy, operation, admission))
    }

    /// Remembers an allowed operation.
    pub(super) fn note(&self, policy: &Policy, operation: &str, admission: Admission) -> Arc<Grant> {
        let Admission { grant, settlement, .. } = admission;
        let mut headers = grant_response(policy, &grant).headers;
        let readable = cors::answer_headers(policy, operation);
        headers.extend(readable.iter().map(|(name, value)| (Cow::Borrowed(*name), (*value).to_owned())));
        let mut notes = self.notes.lock();
        notes.judged.push((operation.into(), Arc::clone(&grant)));
        notes.settlements.extend(settlement);
        notes.headers = headers;
        grant
    }

    /// Settles what is held: a call counts if its answer is no error.
    pub(super) async fn settle(&self, status: StatusCode) {
        let is_error = status.is_client_error() || status.is_server_error();
        let outcome = if is_error { Outcome::GivenBack } else { Outcome::Counts };
        let settlements = std::mem::take(&mut self.notes.lock().settlements);
        for settlement in settlements {
            settlement.settle(outcome).await;
        }
    }

    /// What the answer takes on, once.
    pub(super) fn take_headers(&self) -> Vec<(Cow<'static, str>, String)> {
        std::mem::take(&mut self.notes.lock().headers)
    }

    fn grant(&self, operation: &str) -> Option<Arc<Grant>> {
        let notes = self.notes.lock();
        notes.judged.iter().find(|(name, _)| **name == *operation).map(|(_, grant)| Arc::clone(grant))
    }
}
