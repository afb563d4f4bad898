//! One management call, from its beginning to its one audit line.
//!
//! Every write goes through [`Act::commit`]: it builds the rows from what the store holds now, writes them with the
//! versions they were read at, and builds them anew when someone else was faster. The audit line and the operation id
//! stand or fall with the rows. The store's `apply` returns when no process can act on what the change ended, so every
//! narrowing call does too.

use super::caller::{Caller, Who};
use super::rights::Rights;
use crate::authority::{Authority, Engine, Inner};
use crate::clock::Timestamp;
use crate::code::Code;
use crate::error::{Error, ErrorKind};
use crate::observer::Event;
use crate::policy::Policy;
use crate::store::{
    Applied, AuditDraft, Change, Conflict, DomainWrite, Guard, KeyWrite, OperationRecord, TenantKey,
    TenantLevel, TenantState, TenantWrite,
};
use crate::tenant::id::{AccountId, IdSyntax};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Times a change is built anew when others changed the same records in between.
const ATTEMPTS_MAX: usize = 16;
/// Bytes of an operation id.
const OPERATION_ID_MAX: usize = 255;
/// Bytes of a reason.
const REASON_MAX: usize = 1_024;
/// Seconds for which an operation id is remembered: 24 hours.
const OPERATION_KEPT_S: i64 = 86_400;

/// A management call under way.
pub(super) struct Act<'a> {
    pub(super) inner: &'a Inner,
    pub(super) engine: Arc<Engine>,
    pub(super) caller: &'a Caller,
    pub(super) rights: Rights,
    pub(super) account: AccountId,
    pub(super) now: Timestamp,
    /// What is done, as audit lines name it.
    pub(super) name: &'static str,
}

/// The rows of one act, before they are written.
pub(super) struct Draft<T> {
    pub(super) keys: Vec<KeyWrite>,
    pub(super) tenants: Vec<TenantWrite>,
    pub(super) domains: Vec<DomainWrite>,
    pub(super) guards: Vec<(Guard, Refusal)>,
    /// What is acted on: a key id, a tenant, a domain. It is also what a repeated call is answered with.
    pub(super) object: String,
    /// The org and user concerned, if any.
    pub(super) tenant: String,
    /// Further facts for the audit line: neither a secret nor a digest.
    pub(super) details: Map<String, Value>,
    /// The answer of the call once the rows stand.
    pub(super) answer: T,
}

/// What a failing guard is answered with.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    Code(Code),
    /// By the state of the tenant that the guard names.
    TenantState,
}

/// What a call does once it has looked at the records.
pub(super) enum Step<T> {
    Write(Box<Draft<T>>),
    /// What is asked for holds already.
    Done(T),
}

/// What became of a draft.
pub(super) enum Written<T> {
    Done(T),
    Replayed(OperationRecord),
    Refused(Error),
    /// A row is not as it was when the draft was built.
    Conflict,
}

impl<T> Draft<T> {
    pub(super) fn new(object: impl ToString, answer: T) -> Self {
        Self {
            keys: Vec::new(),
            tenants: Vec::new(),
            domains: Vec::new(),
            guards: Vec::new(),
            object: object.to_string(),
            tenant: String::new(),
            details: Map::new(),
            answer,
        }
    }

    pub(super) fn detail(&mut self, name: &str, value: impl Serialize) {
        // What is put here are texts, numbers and lists of them, which always are values.
        self.details.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
    }

    pub(super) fn guard(&mut self, guard: Guard, code: Code) {
        self.guards.push((guard, Refusal::Code(code)));
    }

    /// The change fails unless this tenant, if it is registered, is in use.
    pub(super) fn demand_active(&mut self, key: TenantKey) {
        self.guards.push((Guard::Active { key }, Refusal::TenantState));
    }

    /// Keeps one of each write of a tenant and each guard, which several keys of one batch share.
    pub(super) fn drop_repeats(&mut self) {
        let mut tenants = Vec::with_capacity(self.tenants.len());
        self.tenants.drain(..).for_each(|write| {
            if !tenants.contains(&write) {
                tenants.push(write);
            }
        });
        self.tenants = tenants;
        let mut guards: Vec<(Guard, Refusal)> = Vec::with_capacity(self.guards.len());
        self.guards.drain(..).for_each(|guard| {
            if !guards.iter().any(|(known, _)| *known == guard.0) {
                guards.push(guard);
            }
        });
        self.guards = guards;
    }

    pub(super) fn write(self) -> Step<T> {
        Step::Write(Box::new(self))
    }
}

impl Authority {
    /// Runs a call that changes something; refusals of proved keys leave an audit line too.
    pub(super) fn act<T>(
        &self,
        caller: &Caller,
        account_id: &str,
        name: &'static str,
        run: impl FnOnce(&Act<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let act = Act::begin(&self.inner, caller, account_id, name)?;
        let result = act.rights.check_may_manage(act.policy()).and_then(|()| run(&act));
        result.inspect_err(|error| act.note_refusal(error))
    }

    /// Runs a call that only reads.
    pub(super) fn look<T>(
        &self,
        caller: &Caller,
        account_id: &str,
        name: &'static str,
        run: impl FnOnce(&Act<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let act = Act::begin(&self.inner, caller, account_id, name)?;
        act.rights.check_is_secret(act.policy())?;
        run(&act)
    }
}

impl<'a> Act<'a> {
    fn begin(
        inner: &'a Inner,
        caller: &'a Caller,
        account_id: &str,
        name: &'static str,
    ) -> Result<Self, Error> {
        check_caller(caller)?;
        let engine = inner.engine.load_full();
        let account = AccountId::parse(account_id, &engine.policy.tenancy().id_syntax)
            .map_err(|e| Error::invalid_field("account_id", e.to_string()))?;
        let now = inner.now();
        // To a caller of another account its keys do not exist (row A-21).
        let foreign = match name {
            "key.issue" | "key.import" => Code::GrantExceedsCreator,
            name if name.starts_with("key.") => Code::KeyNotFound,
            _ => Code::GrantExceedsCreator,
        };
        let rights = Rights::of(&*inner.store, &engine.policy, caller, &account, foreign, now)?;
        Ok(Self { inner, engine, caller, rights, account, now, name })
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.engine.policy
    }

    /// Builds and writes the rows of this act. `request` is what was asked for: the same operation id with another
    /// request is a conflict. `replay` answers a repeated call from the object that the first one acted on.
    pub(super) fn commit<T>(
        &self,
        request: &impl Serialize,
        mut build: impl FnMut() -> Result<Step<T>, Error>,
        replay: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let fingerprint = self.fingerprint(request)?;
        if let Some(id) = &self.caller.operation_id
            && let Some(record) = self.inner.store.operation(&self.account, id, self.now)?
        {
            return replayed(&record, &fingerprint, replay);
        }
        for _ in 0..ATTEMPTS_MAX {
            let draft = match build()? {
                Step::Done(answer) => return Ok(answer),
                Step::Write(draft) => *draft,
            };
            let operation = self.operation(fingerprint, &draft.object);
            match self.write(draft, operation)? {
                Written::Done(answer) => return Ok(answer),
                Written::Replayed(record) => return replayed(&record, &fingerprint, replay),
                Written::Refused(error) => return Err(error),
                // Somebody was faster: look again.
                Written::Conflict => {}
            }
        }
        Err(Error::new(ErrorKind::Overloaded, "others keep changing the same records; try again"))
    }

    /// Writes a draft once, as it is.
    pub(super) fn write<T>(
        &self,
        draft: Draft<T>,
        operation: Option<OperationRecord>,
    ) -> Result<Written<T>, Error> {
        let (guards, refusals) = draft.guards.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        let change = Change {
            at: self.now,
            guards,
            audit: vec![self.audit(&draft.object, &draft.tenant, "ok", draft.details)],
            operation,
            keys: draft.keys,
            tenants: draft.tenants,
            domains: draft.domains,
        };
        Ok(match self.inner.store.apply(&change)? {
            Applied::Done(_) => {
                self.tell(&draft.object);
                Written::Done(draft.answer)
            }
            Applied::Replayed(record) => Written::Replayed(record),
            Applied::Conflict(Conflict::Guard(i)) => match (change.guards.get(i), refusals.get(i)) {
                (Some(guard), Some(refusal)) => Written::Refused(self.refusal(guard, *refusal)?),
                _ => Written::Conflict,
            },
            Applied::Conflict(_) => Written::Conflict,
        })
    }

    /// Tells the observer of a change that stands.
    pub(super) fn tell(&self, object: &str) {
        if let Some(observer) = &self.inner.observer {
            observer.observe(&Event::Changed { actor: &self.rights.actor, act: self.name, object });
        }
    }

    /// The audit line of this act.
    pub(super) fn audit(
        &self,
        object: &str,
        tenant: &str,
        outcome: &str,
        mut details: Map<String, Value>,
    ) -> AuditDraft {
        if !self.caller.reason.is_empty() {
            details.insert("reason".into(), Value::from(&*self.caller.reason));
        }
        AuditDraft {
            account_id: self.account.clone(),
            at: self.now,
            actor: self.rights.actor.clone(),
            act: self.name.into(),
            object: object.into(),
            tenant: tenant.into(),
            outcome: outcome.into(),
            operation_id: self.caller.operation_id.clone().unwrap_or_default(),
            details: if details.is_empty() { "".into() } else { Value::Object(details).to_string().into() },
        }
    }

    fn operation(&self, fingerprint: [u8; 32], object: &str) -> Option<OperationRecord> {
        Some(OperationRecord {
            account_id: self.account.clone(),
            id: self.caller.operation_id.clone()?,
            fingerprint,
            answer: object.as_bytes().to_vec(),
            expires_at: self.now.plus_seconds(OPERATION_KEPT_S),
        })
    }

    /// SHA-256 over what is asked and by whom, each part after its length.
    fn fingerprint(&self, request: &impl Serialize) -> Result<[u8; 32], Error> {
        let request = serde_json::to_vec(request).map_err(|e| {
            Error::new(ErrorKind::InvalidArgument, "the request can't be written as JSON").with_source(e)
        })?;
        let mut hash = Sha256::new();
        for part in [b"tenantkit operation 1", self.name.as_bytes(), self.rights.actor.as_bytes(), &request] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Ok(hash.finalize().into())
    }

    fn refusal(&self, guard: &Guard, refusal: Refusal) -> Result<Error, Error> {
        let key = match (refusal, guard) {
            (Refusal::Code(code), _) => return Ok(Error::refused(code)),
            (Refusal::TenantState, Guard::Active { key }) => key,
            (Refusal::TenantState, _) => return Ok(Error::refused(Code::TenantDeleted)),
        };
        let state = self.inner.store.tenant(key)?.map(|tenant| tenant.state);
        Ok(Error::refused(tenant_code(key.level(), state)))
    }

    fn note_refusal(&self, error: &Error) {
        let is_proved_key = matches!(self.caller.who, Who::Key { .. });
        if !is_proved_key || error.http_status() != 403 {
            return;
        }
        let line = self.audit("", "", error.code().name(), Map::new());
        if let Err(failure) = self.inner.store.append_audit(&[line]) {
            tracing::warn!(error = %failure, act = self.name, "a refusal could not be noted in the audit trail");
        }
    }
}

/// The code for a tenant that is not in use.
pub(super) fn tenant_code(level: TenantLevel, state: Option<TenantState>) -> Code {
    match (state, level) {
        (Some(TenantState::Suspended), TenantLevel::Account) => Code::AccountSuspended,
        (Some(TenantState::Suspended), TenantLevel::Org) => Code::OrgSuspended,
        (Some(TenantState::Suspended), TenantLevel::User) => Code::UserSuspended,
        _ => Code::TenantDeleted,
    }
}

/// The answer to an operation id that was used before.
fn replayed<T>(
    record: &OperationRecord,
    fingerprint: &[u8; 32],
    replay: impl Fn(&str) -> Result<T, Error>,
) -> Result<T, Error> {
    if record.fingerprint != *fingerprint {
        return Err(Error::refused(Code::OperationConflict));
    }
    let object = std::str::from_utf8(&record.answer).map_err(|e| {
        Error::new(ErrorKind::StoreCorrupt, "a stored operation can't be read; run `tenantkit doctor`")
            .with_source(e)
    })?;
    replay(object)
}

fn check_caller(caller: &Caller) -> Result<(), Error> {
    if let Who::Admin(name) = &caller.who {
        IdSyntax::wide().check(name).map_err(|e| Error::invalid_field("actor", e.to_string()))?;
    }
    if let Some(id) = &caller.operation_id
        && !(1..=OPERATION_ID_MAX).contains(&id.len())
    {
        return Err(Error::invalid_field("operation_id", "must have 1 to 255 bytes"));
    }
    if caller.reason.len() > REASON_MAX {
        return Err(Error::invalid_field("reason", "may have at most 1,024 bytes"));
    }
    Ok(())
}
