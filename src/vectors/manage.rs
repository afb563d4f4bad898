//! Steps that manage: keys, tenants, domains, and what there is to read.

mod keys;
mod tenants;

use super::answer::{Answer, done, failed, object};
use super::document::Step;
use super::world::World;
use crate::authority::{Caller, Person, Request};
use crate::error::Error;
use crate::policy::Policy;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Who acts, where a step does not leave it to the administrator called `vectors`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct By {
    /// An administrator of this name.
    admin: Option<String>,
    /// The key of this name, allowed to call this operation first.
    key: Option<String>,
    operation: Option<String>,
    /// A person of the account, with these permissions.
    person: Option<String>,
    permissions: Vec<String>,
    /// The person's orgs, or the account as a whole, and the role there.
    orgs: Vec<String>,
    whole_account: bool,
    role: Option<String>,
}

impl By {
    /// The person of `account` that is named, if one is.
    pub(super) fn person_of(&self, account: &str) -> Option<Person> {
        let person = Person::new(account, self.person.as_deref()?);
        let person = self.permissions.iter().fold(person, |person, name| person.permission(name.as_str()));
        let person = self.orgs.iter().fold(person, |person, org| match &self.role {
            Some(role) => person.member_of(org.as_str(), role.as_str()),
            None => person.in_org(org.as_str()),
        });
        Some(match self.role.as_deref().filter(|_| self.whole_account) {
            Some(role) => person.role(role),
            None if self.whole_account => person.whole_account(),
            None => person,
        })
    }
}

/// What every change may carry.
#[derive(Default)]
pub(super) struct Act {
    pub(super) by: Option<By>,
    pub(super) operation_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReloadArguments {
    policy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditArguments {
    account: String,
}

/// Entries of one page of the audit trail, more than any scenario writes.
const AUDIT_MAX: u32 = 1_000;

impl World {
    pub(super) fn manage(&mut self, step: &Step) -> Result<Answer, String> {
        match step.verb.as_str() {
            "issue" => self.issue(step),
            "get" => self.get(step),
            "list" | "due" | "unused" | "overgranted" => self.list(step),
            "update" => self.update(step),
            "set_plan" => self.set_plan(step),
            "rotate" | "regenerate" => self.replace(step),
            "cancel_rotation" | "revoke" | "delete" | "disable" | "enable" | "reapply_template" => {
                self.change_key(step)
            }
            "revoke_by_value" => self.revoke_by_value(step),
            "put_tenant" | "suspend_tenant" | "resume_tenant" | "delete_tenant" | "release_tenant"
            | "erase_tenant" => self.change_tenant(step),
            "tenants" => self.tenants(step),
            "claim_domain" | "verify_domain" | "remove_domain" => self.change_domain(step),
            "proof_secret" => self.make_proof_secret(step),
            "sign" => self.sign(step),
            "usage" => self.usage(step),
            "audit" => self.audit(step),
            "maintain" => {
                let NoArguments {} = step.arguments()?;
                Ok(done(self.process(&step.process)?.maintain()))
            }
            "reload" => self.reload(step),
            _ => Err("this runner does not know the verb".to_owned()),
        }
    }

    /// Puts another policy in force, in every process.
    fn reload(&mut self, step: &Step) -> Result<Answer, String> {
        let ReloadArguments { policy } = step.arguments()?;
        let path = self.folder.join(policy);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let policy = Policy::parse(&text).map_err(|e| e.to_string())?;
        self.process(&step.process)?;
        Ok(done(self.reload_all(&policy)))
    }

    /// The acts of an account's audit trail, the refusals in it, and whether its chain is whole.
    fn audit(&mut self, step: &Step) -> Result<Answer, String> {
        let AuditArguments { account } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = Caller::admin("vectors");
        let entries = authority.audit(&caller, &account, 1, AUDIT_MAX).map_err(|e| e.to_string())?;
        let verified = authority.audit_verify(&caller, &account, None).map_err(|e| e.to_string())?.is_ok();
        let (acts, refusals): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| &*entry.draft.outcome == "ok");
        Ok(object(json!({
            "acts": acts.iter().map(|entry| &*entry.draft.act).collect::<Vec<_>>(),
            "actors": acts.iter().map(|entry| &*entry.draft.actor).collect::<Vec<_>>(),
            "refusals": refusals.iter().map(|entry| &*entry.draft.outcome).collect::<Vec<_>>(),
            "verified": verified,
        })))
    }

    /// The caller of a management call in `account`.
    pub(super) fn caller(&mut self, process: &str, account: &str, act: Act) -> Result<Caller, String> {
        let caller = match act.by {
            None => Caller::admin("vectors"),
            Some(By { admin: Some(name), .. }) => Caller::admin(name),
            Some(By { key: Some(name), operation: Some(operation), .. }) => {
                let authority = self.process(process)?;
                let key = self.key(&name)?.text.as_ref().ok_or("the key has no text")?;
                let request = Request::new(&operation).key(key.reveal());
                let decision = authority.authorize(&request).map_err(|e| e.to_string())?;
                let grant =
                    decision.grant().ok_or("the key may not call the operation under which it would act")?;
                Caller::key(grant)
            }
            Some(by) if by.person.is_some() => {
                Caller::person(by.person_of(account).ok_or("`by` names no person")?)
            }
            Some(_) => {
                return Err("`by` names an `admin`, a `key` with an `operation`, or a `person`".to_owned());
            }
        };
        Ok(match act.operation_id {
            Some(id) => caller.operation_id(id),
            None => caller,
        })
    }
}

/// The answer of a call that shows something: its members beside `ok`.
fn shown_as<T: Serialize>(result: Result<T, Error>) -> Answer {
    result.map_or_else(|error| failed(&error), |view| with_ok(&view))
}

fn with_ok<T: Serialize>(view: &T) -> Answer {
    let mut members = object(serde_json::to_value(view).unwrap_or(Value::Null));
    members.insert("ok".to_owned(), json!(true));
    members
}

/// A request body as the engine reads it.
fn body(members: &Map<String, Value>) -> Vec<u8> {
    Value::Object(members.clone()).to_string().into_bytes()
}
