//! Steps about keys.

use super::{Act, By, body, shown_as, with_ok};
use crate::authority::{
    Authority, IssuedKey, KeyChanged, KeyEdit, KeyView, NewKey, Page, PlanChange, Rotation, TenantName,
};
use crate::error::Error;
use crate::key::id::KeyId;
use crate::store::KeyFilter;
use crate::vectors::answer::{Answer, done, failed, object};
use crate::vectors::document::Step;
use crate::vectors::world::{NamedKey, World};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueArguments {
    #[serde(rename = "as")]
    name: String,
    account: String,
    body: Map<String, Value>,
    by: Option<By>,
    operation_id: Option<String>,
}

/// A key that the scenario named, or an account and an id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyArguments {
    key: Option<String>,
    account: Option<String>,
    id: Option<String>,
    by: Option<By>,
    operation_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceArguments {
    key: String,
    #[serde(rename = "as")]
    name: String,
    grace_s: Option<u32>,
    by: Option<By>,
    operation_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateArguments {
    key: String,
    body: Map<String, Value>,
    by: Option<By>,
    operation_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListArguments {
    account: String,
    filter: Option<KeyFilter>,
    days: Option<u32>,
    by: Option<By>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueArguments {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanArguments {
    key: Option<String>,
    account: Option<String>,
    environment: Option<String>,
    org: Option<String>,
    plan: Option<String>,
    #[serde(default)]
    amounts: BTreeMap<String, Option<u64>>,
}

/// Keys of one page of a listing.
const PAGE: u32 = 200;

impl World {
    pub(super) fn issue(&mut self, step: &Step) -> Result<Answer, String> {
        let IssueArguments { name, account, body: members, by, operation_id } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act { by, operation_id })?;
        let issued = NewKey::from_json(account.as_str(), &body(&members))
            .and_then(|new| authority.issue(&caller, &new));
        Ok(self.keep(&authority, name, issued))
    }

    pub(super) fn replace(&mut self, step: &Step) -> Result<Answer, String> {
        let ReplaceArguments { key, name, grace_s, by, operation_id } = step.arguments()?;
        let (account, id) = self.target(Some(&key), None, None)?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act { by, operation_id })?;
        let replaced = if step.verb == "rotate" {
            let rotation =
                grace_s.map_or_else(Rotation::default, |seconds| Rotation::default().grace_s(seconds));
            authority.rotate(&caller, &account, &id, &rotation)
        } else {
            authority.regenerate(&caller, &account, &id)
        };
        Ok(self.keep(&authority, name, replaced))
    }

    /// Gives the issued key its name. A text that may be shown again is expected as `value`.
    fn keep(&mut self, authority: &Authority, name: String, issued: Result<IssuedKey, Error>) -> Answer {
        let issued = match issued {
            Ok(issued) => issued,
            Err(error) => return failed(&error),
        };
        let IssuedKey { key: text, view, warnings, replayed, .. } = issued;
        let mut answer = self.key_answer(authority, &view);
        answer.extend(object(json!({
            "key_length": text.as_ref().map(|text| text.reveal().len()),
            "warnings": warnings.iter().map(|warning| warning.field).collect::<Vec<_>>(),
            "replayed": replayed,
        })));
        let shown = answer.get("value").is_some_and(|value| !value.is_null());
        if text.is_some() {
            let key = NamedKey { account_id: view.account_id.to_string(), id: view.id, text, shown };
            self.keys.insert(name, key);
        }
        answer
    }

    pub(super) fn get(&mut self, step: &Step) -> Result<Answer, String> {
        let KeyArguments { key, account, id, by, operation_id } = step.arguments()?;
        let (account, id) = self.target(key.as_deref(), account, id)?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act { by, operation_id })?;
        Ok(match authority.key(&caller, &account, &id) {
            Ok(view) => self.key_answer(&authority, &view),
            Err(error) => failed(&error),
        })
    }

    /// A key as it is shown; `value` is its text where that may be shown again.
    fn key_answer(&self, authority: &Authority, view: &KeyView) -> Answer {
        let mut answer = with_ok(view);
        let caller = crate::authority::Caller::admin("vectors");
        let text = authority.reveal(&caller, &view.account_id, &view.id).ok();
        answer.insert("value".to_owned(), text.map_or(Value::Null, |text| json!(text.reveal())));
        answer.insert("key_prefix_length".to_owned(), json!(view.key_prefix.len()));
        answer
    }

    pub(super) fn list(&mut self, step: &Step) -> Result<Answer, String> {
        let ListArguments { account, filter, days, by } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act { by, operation_id: None })?;
        let (filter, mut after, mut ids) = (filter.unwrap_or_default(), None, Vec::new());
        loop {
            let page: Result<Page<KeyId>, Error> = match step.verb.as_str() {
                "due" => authority.due(&caller, &account, after, PAGE).map(ids_of),
                "unused" => authority.unused(&caller, &account, days.unwrap_or(30), after, PAGE).map(ids_of),
                "overgranted" => authority.overgranted(&caller, &account, after, PAGE).map(|page| Page {
                    items: page.items.iter().map(|one| one.key.id).collect(),
                    next: page.next,
                }),
                _ => authority.keys(&caller, &account, &filter, after, PAGE).map(ids_of),
            };
            match page {
                Err(error) => return Ok(failed(&error)),
                Ok(page) => {
                    ids.extend(page.items);
                    after = page.next;
                }
            }
            if after.is_none() {
                let names: Vec<String> = ids.iter().map(|id| self.name_of(id)).collect();
                return Ok(object(json!({ "ok": true, "keys": names })));
            }
        }
    }

    pub(super) fn update(&mut self, step: &Step) -> Result<Answer, String> {
        let UpdateArguments { key, body: members, by, operation_id } = step.arguments()?;
        let (account, id) = self.target(Some(&key), None, None)?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act { by, operation_id })?;
        let edit = KeyEdit::from_json(&body(&members));
        Ok(changed(edit.and_then(|edit| authority.update(&caller, &account, &id, &edit))))
    }

    /// The plan of a key, or of an account or org.
    pub(super) fn set_plan(&mut self, step: &Step) -> Result<Answer, String> {
        let arguments: PlanArguments = step.arguments()?;
        let authority = self.process(&step.process)?;
        let change = arguments.plan.map_or_else(PlanChange::default, PlanChange::to);
        let change =
            arguments.amounts.into_iter().fold(change, |change, (limit, units)| change.amount(limit, units));
        if let Some(key) = arguments.key {
            let (account, id) = self.target(Some(&key), None, None)?;
            let caller = self.caller(&step.process, &account, Act::default())?;
            return Ok(changed(authority.set_key_plan(&caller, &account, &id, &change)));
        }
        let account = arguments.account.ok_or("`set_plan` names a `key` or an `account`")?;
        let caller = self.caller(&step.process, &account, Act::default())?;
        let name = match arguments.org {
            Some(org) => TenantName::org(account, org),
            None => TenantName::account(account),
        };
        let name = arguments.environment.into_iter().fold(name, TenantName::environment);
        Ok(shown_as(authority.set_tenant_plan(&caller, &name, &change)))
    }

    pub(super) fn change_key(&mut self, step: &Step) -> Result<Answer, String> {
        let KeyArguments { key, account, id, by, operation_id } = step.arguments()?;
        let (account, id) = match self.target(key.as_deref(), account, id) {
            Ok(target) => target,
            // What is no id names no key.
            Err(error) if error == NO_ID => {
                return Ok(failed(&Error::from("".parse::<KeyId>().err().ok_or(NO_ID)?)));
            }
            Err(error) => return Err(error),
        };
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act { by, operation_id })?;
        Ok(match step.verb.as_str() {
            "cancel_rotation" => shown_as(authority.cancel_rotation(&caller, &account, &id)),
            "revoke" => shown_as(authority.revoke(&caller, &account, &id)),
            "delete" => done(authority.delete(&caller, &account, &id)),
            "disable" => changed(authority.disable(&caller, &account, &id)),
            "enable" => changed(authority.enable(&caller, &account, &id)),
            _ => changed(authority.reapply_template(&caller, &account, &id)),
        })
    }

    pub(super) fn revoke_by_value(&mut self, step: &Step) -> Result<Answer, String> {
        let ValueArguments { text } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, "", Act::default())?;
        Ok(match authority.revoke_by_value(&caller, &text) {
            Ok(ended) => {
                let name = ended.map(|ended| self.name_of(&ended.id));
                object(json!({ "ok": true, "key": name }))
            }
            Err(error) => failed(&error),
        })
    }

    /// Account and id of a key that is named, or given by both.
    fn target(
        &self,
        key: Option<&str>,
        account: Option<String>,
        id: Option<String>,
    ) -> Result<(String, KeyId), String> {
        match (key, account, id) {
            (Some(name), None, None) => {
                let key = self.key(name)?;
                Ok((key.account_id.clone(), key.id))
            }
            (None, Some(account), Some(id)) => Ok((account, id.parse().map_err(|_| NO_ID)?)),
            _ => Err("a key is a `key` of the scenario, or an `account` and an `id`".to_owned()),
        }
    }

    /// The first name that the scenario gave to a key, else its id.
    fn name_of(&self, id: &KeyId) -> String {
        let named = self.keys.iter().find(|(_, key)| key.id == *id);
        named.map_or_else(|| id.to_string(), |(name, _)| name.clone())
    }
}

const NO_ID: &str = "the text is no key id";

fn ids_of(page: Page<KeyView>) -> Page<KeyId> {
    Page { items: page.items.iter().map(|view| view.id).collect(), next: page.next }
}

/// A changed key: its members, and how it changed.
fn changed(result: Result<KeyChanged, Error>) -> Answer {
    match result {
        Err(error) => failed(&error),
        Ok(change) => {
            let mut answer = with_ok(&change.key);
            answer.insert("changed".to_owned(), json!(change.changed));
            answer.insert("narrowed".to_owned(), json!(change.narrowed));
            answer.insert("widened".to_owned(), json!(change.widened));
            answer
        }
    }
}
