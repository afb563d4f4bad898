//! How the MCP guard judges: which message, in which era, on which session, as which operation.

use super::body::{GuardBody, ReadError, read};
use super::events::{Edit, Form, TooLong};
use super::facts::Facts;
use super::mcp::McpLayer;
use super::settings::{Verdict, failed, finish_with};
use super::settle::{Outcome, Settlement};
use crate::authority::Authority;
use crate::code::Code;
use crate::decision::Grant;
use crate::error::Error;
use crate::http::mcp::answer;
use crate::http::mcp::call::{self, McpCall};
use crate::http::mcp::headers::{self, Era};
use crate::http::mcp::listing::{self, Visible};
use crate::http::mcp::message::{BODY_MAX, Message, MessageError, MessageKind};
use crate::http::{HttpResponse, code_response, denial_response, error_response, route};
use crate::policy::Policy;
use crate::policy::knobs::CountOn;
use crate::policy::model::Operation;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use http_body::Body;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

pub(super) const SESSION_ID: &str = "mcp-session-id";

/// A request that may go on to the server.
pub(super) struct Admitted {
    pub(super) grant: Arc<Grant>,
    pub(super) body: Bytes,
    pub(super) request_id: Option<String>,
    /// Whether the request belongs to a session, which then was found to be the caller's. The server must not see a
    /// session id that nobody checked.
    pub(super) in_session: bool,
    purpose: Purpose,
}

/// What to do with the server's answer.
enum Purpose {
    /// Nothing more.
    Pass,
    /// It opens a session.
    Open { idle_s: Option<u32> },
    /// It ends this one.
    End(String),
    /// It is a list, by this method, of which the caller may see a part.
    List(&'static str, Visible),
    /// It says whether the call counts.
    Settle(Settlement, CountOn),
}

/// What judging one POST needs.
struct Post<'a> {
    policy: &'a Arc<Policy>,
    facts: Arc<Facts>,
    message: Message,
    session_id: Option<String>,
}

/// A grant, and what is still to be settled with the policy's word on what counts.
type Judged = (Arc<Grant>, Option<(Settlement, CountOn)>);

const LISTS: [&str; 3] = ["tools/list", "prompts/list", "resources/list"];

impl McpLayer {
    /// Judges a message.
    pub(super) async fn judge_post<B: Body>(
        &self,
        policy: &Arc<Policy>,
        parts: &Parts,
        body: B,
    ) -> Result<Admitted, HttpResponse> {
        let body = read(body, BODY_MAX).await;
        let parsed = match &body {
            Ok(bytes) => Message::parse(bytes),
            Err(ReadError::TooLong) => Err(MessageError::TooLong),
            Err(ReadError::Failed(_)) => Err(MessageError::NotJson),
        };
        let mut facts = self.facts(policy, parts);
        if let (Ok(message), Some(dimensions_of)) = (&parsed, &self.dimensions_of) {
            facts.dimensions = dimensions_of(message);
        }
        let facts = Arc::new(facts);
        let message = match parsed {
            Ok(message) => message,
            Err(error) => return Err(self.if_known(policy, &facts, answer::bad_message(error)).await),
        };
        let era = match facts.with_headers(|headers| headers::era(headers, &message)) {
            Ok(era) => era,
            Err(mismatch) => {
                let answer = answer::header_mismatch(mismatch, &message);
                return Err(self.if_known(policy, &facts, answer).await);
            }
        };
        if era == Era::Stateless && message.kind == MessageKind::Response {
            // These servers ask nothing of their clients, so nothing is to be answered.
            return Err(self.if_known(policy, &facts, answer::bad_message(MessageError::NotMessage)).await);
        }
        let opens = message.method == "initialize";
        // A request that stands alone has no session, whatever its headers say.
        let session_id = session_id(&parts.headers).filter(|_| era == Era::Sessions && !opens);
        let post = Post { policy, facts, message, session_id };
        let (grant, settle) = self.judge_message(&post, era).await?;
        let purpose = match settle {
            Some((settlement, count_on)) => Purpose::Settle(settlement, count_on),
            None => self.purpose(&post, opens && era == Era::Sessions).await?,
        };
        let in_session = post.session_id.is_some();
        let request_id = post.facts.request_id.clone();
        Ok(Admitted { grant, body: body.unwrap_or_default(), request_id, in_session, purpose })
    }

    /// Judges a request that carries no message: a session's stream is opened, or a session ended.
    pub(super) async fn judge_other(
        &self,
        policy: &Arc<Policy>,
        parts: &Parts,
    ) -> Result<Admitted, HttpResponse> {
        let facts = Arc::new(self.facts(policy, parts));
        let era = match facts.with_headers(headers::declared_era) {
            Ok(era) => era.unwrap_or(Era::Sessions),
            Err(mismatch) => {
                return Err(self.if_known(policy, &facts, answer::bad_version(mismatch)).await);
            }
        };
        if era == Era::Stateless || !matches!(parts.method, Method::GET | Method::DELETE) {
            return Err(method_not_allowed());
        }
        let Some(operation) = call::free(policy) else { return Err(not_found(policy, &facts)) };
        let grant = self.judge_free(policy, &facts, operation).await?;
        let session_id = session_id(&parts.headers);
        if let Some(id) = &session_id {
            self.check_session(policy, &facts, &grant, id)?;
        }
        let in_session = session_id.is_some();
        let purpose = match session_id {
            Some(id) if parts.method == Method::DELETE => Purpose::End(id),
            _ => Purpose::Pass,
        };
        let request_id = facts.request_id.clone();
        Ok(Admitted { grant, body: Bytes::new(), request_id, in_session, purpose })
    }

    /// The server's answer, with what the guard adds and takes away.
    pub(super) fn finish<B>(
        &self,
        policy: Arc<Policy>,
        admitted: Admitted,
        mut response: Response<B>,
    ) -> Response<GuardBody<B>> {
        let Admitted { grant, purpose, .. } = admitted;
        let is_success = response.status().is_success();
        let mut wrap: Box<dyn FnOnce(B) -> GuardBody<B>> = Box::new(GuardBody::inner);
        match (purpose, Form::of(response.headers())) {
            (Purpose::Open { idle_s }, _) if is_success => {
                if let Some(id) = session_id(response.headers()) {
                    self.sessions.bind(&id, grant.identity(), grant.decided_at(), idle_s);
                }
            }
            (Purpose::End(id), _) if is_success => self.sessions.end(&id),
            (Purpose::Settle(mut settlement, count_on), form) => match form.filter(|_| is_success) {
                Some(form) => {
                    let edit = settle_edit(settlement, count_on);
                    wrap = Box::new(move |body| GuardBody::edited(body, form, edit, TooLong::Pass));
                }
                None => settlement.settle_later(outcome_of(is_success, count_on)),
            },
            (Purpose::List(method, visible), Some(form)) => {
                response.headers_mut().remove(CONTENT_LENGTH);
                let edit = list_edit(Arc::clone(&policy), method, visible);
                wrap = Box::new(move |body| GuardBody::edited(body, form, edit, TooLong::End));
            }
            _ => {}
        }
        finish_with(&policy, &grant, response, wrap)
    }

    /// Judges the caller, then the session, then what costs something: a call on a foreign session is not charged.
    async fn judge_message(&self, post: &Post<'_>, era: Era) -> Result<Judged, HttpResponse> {
        let call = call::find(post.policy, &post.message);
        let (operation, is_charged) = match call {
            McpCall::Charged(operation) => (operation, true),
            McpCall::Free(operation) | McpCall::UnknownTool(operation) => (operation, false),
            McpCall::Nothing => return Err(not_found(post.policy, &post.facts)),
        };
        if let (true, Some(id)) = (is_charged, &post.session_id) {
            let Some(free) = call::free(post.policy) else { return Err(not_found(post.policy, &post.facts)) };
            let (caller, _) = self.judge_as(post, free, false).await?;
            self.check_session(post.policy, &post.facts, &caller, id)?;
        }
        // Servers of the stateless protocol may answer that they need input first: such a call is not over, and the
        // call that follows is charged anew.
        let hold = is_charged
            && operation.is_counted()
            && (era == Era::Stateless || operation.count_on == CountOn::Success);
        let (grant, settle) = self.judge_as(post, operation, hold).await?;
        if let (false, Some(id)) = (is_charged, &post.session_id) {
            self.check_session(post.policy, &post.facts, &grant, id)?;
        }
        match call {
            McpCall::UnknownTool(_) => Err(answer::unknown_tool(&post.message)),
            _ => Ok((grant, settle)),
        }
    }

    async fn judge_as(
        &self,
        post: &Post<'_>,
        operation: &Operation,
        hold: bool,
    ) -> Result<Judged, HttpResponse> {
        let request_id = post.facts.request_id();
        match self.settings.judge(&post.facts, operation, hold).await {
            Ok(Verdict::Allowed(grant)) => Ok((grant, None)),
            Ok(Verdict::Held(reservation)) => {
                // A closed stream is a call that was cancelled, and stays counted unless only success counts.
                let otherwise = outcome_of(false, operation.count_on);
                let grant = reservation.shared_grant();
                let settlement = Settlement::new(reservation, &self.settings.runtime, otherwise);
                Ok((grant, Some((settlement, operation.count_on))))
            }
            Ok(Verdict::Refused(denial)) => {
                Err(answer::denied(post.policy, &denial, &post.message, request_id))
            }
            Err(error) => Err(failed(post.policy, &error, request_id)),
        }
    }

    /// Judges a caller where there is no message, or none that can be read.
    async fn judge_free(
        &self,
        policy: &Policy,
        facts: &Arc<Facts>,
        operation: &Operation,
    ) -> Result<Arc<Grant>, HttpResponse> {
        match self.settings.judge(facts, operation, false).await {
            Ok(Verdict::Allowed(grant)) => Ok(grant),
            Ok(Verdict::Held(reservation)) => Ok(reservation.shared_grant()),
            Ok(Verdict::Refused(denial)) => Err(denial_response(policy, &denial, facts.request_id())),
            Err(error) => Err(failed(policy, &error, facts.request_id())),
        }
    }

    /// The session must be the caller's (row X-11).
    fn check_session(
        &self,
        policy: &Policy,
        facts: &Facts,
        caller: &Grant,
        session_id: &str,
    ) -> Result<(), HttpResponse> {
        if self.sessions.is_of(session_id, caller.identity(), caller.decided_at()) {
            return Ok(());
        }
        tracing::info!(key_id = %caller.key_id(), request_id = facts.request_id(), "no such session of this caller");
        Err(code_response(policy, Code::SessionNotFound, None, facts.request_id()))
    }

    async fn purpose(&self, post: &Post<'_>, opens: bool) -> Result<Purpose, HttpResponse> {
        if opens {
            return Ok(Purpose::Open { idle_s: session_idle_s(post.policy) });
        }
        let list = LISTS.into_iter().find(|list| *list == post.message.method);
        let (Some(list), MessageKind::Request(_)) = (list, &post.message.kind) else {
            return Ok(Purpose::Pass);
        };
        let visible = self.visible(post).await;
        visible
            .map(|visible| Purpose::List(list, visible))
            .map_err(|error| error_response(post.policy, &error, post.facts.request_id()))
    }

    /// What the caller may see, asked where the store may be read.
    async fn visible(&self, post: &Post<'_>) -> Result<Visible, Error> {
        let policy = Arc::clone(post.policy);
        let ask = move |authority: &Authority, facts: &Facts| {
            Visible::find(&policy, |operation| {
                match facts.with_request_about(operation, |request| authority.inspect(request)) {
                    Ok(decision) => Ok(listing::is_usable(&decision)),
                    // A list names no resource; whether one is within reach shows when it is named.
                    Err(error) if error.code() == Code::ValidationError => Ok(true),
                    Err(error) => Err(error),
                }
            })
        };
        self.settings.ask(&post.facts, ask).await
    }

    /// What is wrong with a message is told only to callers with a good key: a stranger gets the refusal of the key.
    async fn if_known(&self, policy: &Policy, facts: &Arc<Facts>, answer: HttpResponse) -> HttpResponse {
        let Some(operation) = call::free(policy) else { return not_found(policy, facts) };
        self.judge_free(policy, facts, operation).await.map_or_else(|refusal| refusal, |_| answer)
    }

    /// Tenant parameters in the path are read where the policy routes it.
    fn facts(&self, policy: &Policy, parts: &Parts) -> Facts {
        let mut facts = Facts::of_parts(parts, &self.settings);
        if let Some(call) = route::find(policy, parts.method.as_str(), parts.uri.path()) {
            facts.set_route(call);
        }
        facts
    }
}

/// Settles by the answer to the call, and changes nothing.
fn settle_edit(mut settlement: Settlement, count_on: CountOn) -> Edit {
    Box::new(move |message| {
        let result = message.get("result");
        let member = |name: &str| result.and_then(|result| result.get(name));
        if member("resultType").and_then(Value::as_str) == Some("input_required") {
            settlement.settle_later(Outcome::GivenBack);
        } else if result.is_some() || message.get("error").is_some() {
            let failed = result.is_none() || member("isError") == Some(&Value::Bool(true));
            settlement.settle_later(outcome_of(!failed, count_on));
        }
        false
    })
}

/// Whether a call that ended so counts.
fn outcome_of(is_success: bool, count_on: CountOn) -> Outcome {
    match count_on {
        CountOn::Success if !is_success => Outcome::GivenBack,
        _ => Outcome::Counts,
    }
}

/// Takes what the caller may not see out of each result of this list method.
fn list_edit(policy: Arc<Policy>, method: &'static str, visible: Visible) -> Edit {
    Box::new(move |message| match message.get_mut("result") {
        Some(result) => {
            visible.filter(&policy, method, result);
            true
        }
        None => false,
    })
}

/// The one session id of a request or answer.
fn session_id(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(SESSION_ID).iter();
    let id = values.next()?;
    // A repeated or unprintable id is nobody's session.
    let is_one = values.next().is_none();
    Some(id.to_str().ok().filter(|_| is_one).unwrap_or("").to_owned())
}

/// How long a session may rest: the shortest time that any kind that can open one asks for.
fn session_idle_s(policy: &Policy) -> Option<u32> {
    let operation = call::free(policy)?;
    policy
        .kinds()
        .iter()
        .filter(|kind| operation.accepts(kind.bit()))
        .filter_map(|kind| kind.session_idle_s)
        .min()
}

fn not_found(policy: &Policy, facts: &Facts) -> HttpResponse {
    code_response(policy, Code::ResourceNotFound, None, facts.request_id())
}

fn method_not_allowed() -> HttpResponse {
    HttpResponse { status: 405, headers: vec![(Cow::Borrowed("Allow"), "POST".to_owned())], body: None }
}
