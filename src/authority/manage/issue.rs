//! Making keys: the one moment at which a key's text exists outside its holder's hands.

use super::act::{Act, Draft};
use super::attributes::Rules;
use super::compose::{demand_active_tenants, guard_keys, register_tenants, tenant_of};
use super::new_key::NewKey;
use super::view::KeyView;
use super::{Caller, KeyWarning};
use crate::authority::Authority;
use crate::error::{Error, ErrorKind};
use crate::key::id::KeyId;
use crate::key::record::KeyRecord;
use crate::key::secret::ApiKey;
use crate::policy::knobs::Reveal;
use crate::store::{Expected, KeyWrite, StoredKey};

/// A key that was made: its text, once, and its record.
#[derive(Debug)]
#[must_use = "the text of a key is shown once"]
pub struct IssuedKey {
    /// The text. `None` when a repeated operation id is answered: the text was shown the first time.
    pub key: Option<ApiKey>,
    /// The record.
    pub view: KeyView,
    /// What deserves a word although it is allowed.
    pub warnings: Vec<KeyWarning>,
    /// Whether this answers an operation id that was used before.
    pub replayed: bool,
}

impl Authority {
    /// Makes a key. Its rights come from the policy, the proved caller and the request, and never exceed the caller's
    /// own. The org and user it is bound to are registered with it.
    ///
    /// # Errors
    /// `validation_error` with every field that is wrong, or the code of the only thing that is wrong: `unknown_plan`,
    /// `unknown_role`, `unknown_permission`, `origin_invalid`, `binding_invalid`. Then `grant_exceeds_creator`,
    /// `plan_not_allowed`, `resource_not_found`, `domain_not_verified`, `key_limit_reached`, `name_conflict`, the code
    /// of a tenant that is not in use, and `operation_conflict` for an operation id that was used for something else.
    pub fn issue(&self, caller: &Caller, new: &NewKey) -> Result<IssuedKey, Error> {
        self.act(caller, &new.account_id, "key.issue", |act| {
            act.commit(
                new,
                || {
                    let base = new.like.as_ref().map(|id| act.key(id)).transpose()?;
                    let mut record = act.compose(new, base.as_ref().map(|stored| &stored.record))?;
                    let key = act.make_text(&mut record)?;
                    let mut draft = Draft::new(record.id, act.issued(&record, key));
                    draft.tenant = tenant_of(&record);
                    describe(&mut draft, &record);
                    guard_keys(act, &mut draft, &record);
                    demand_active_tenants(&mut draft, &record);
                    register_tenants(&mut draft, &record, act.now);
                    draft.keys.push(KeyWrite::Put { record: Box::new(record), expected: Expected::Absent });
                    Ok(draft.write())
                },
                |id| act.replayed_key(id),
            )
        })
    }
}

impl Act<'_> {
    /// Makes a text for the record, and puts into the record what is kept of it: digest, display characters and, for
    /// kinds that may be shown again, the text under seal.
    pub(super) fn make_text(&self, record: &mut KeyRecord) -> Result<ApiKey, Error> {
        let policy = self.policy();
        let unknown =
            || Error::new(ErrorKind::StoreCorrupt, "the key's kind or environment is not in the policy");
        let kind = policy.kind(&record.kind).ok_or_else(unknown)?;
        let environment = policy.environment(&record.environment).ok_or_else(unknown)?;
        let format = policy.formats().format(kind.index, environment.index).ok_or_else(unknown)?;
        let key = format.generate(&*self.inner.entropy)?;
        (record.scheme, record.digest) = self.inner.digester.digest(key.reveal().as_bytes());
        record.display = kind.display.apply(&key);
        let is_kept = match kind.reveal {
            Reveal::Never => false,
            Reveal::TestOnly => environment.sandbox,
            Reveal::Always => true,
        };
        record.sealed = if is_kept { Some(self.seal(&record.id, &key)?) } else { None };
        record.secret_at = self.now;
        Ok(key)
    }

    /// The answer for a record that is about to be written for the first time.
    pub(super) fn issued(&self, record: &KeyRecord, key: ApiKey) -> IssuedKey {
        let stored =
            StoredKey { record: record.clone(), version: 1, last_used_at: None, exercised: Vec::new() };
        let kind = self.policy().kind(&record.kind);
        let rules = kind.map(|kind| Rules { policy: self.policy(), kind, now: self.now });
        IssuedKey {
            key: Some(key),
            view: self.view(&stored),
            warnings: rules.map_or_else(Vec::new, |rules| rules.warnings(record.role.as_deref())),
            replayed: false,
        }
    }

    /// The answer to a repeated call: the record as it is now, without its text (INV-16).
    pub(super) fn replayed_key(&self, id: &str) -> Result<IssuedKey, Error> {
        let stored = self.key(&id.parse::<KeyId>()?)?;
        Ok(IssuedKey { key: None, view: self.view(&stored), warnings: Vec::new(), replayed: true })
    }

    fn seal(&self, id: &KeyId, key: &ApiKey) -> Result<Vec<u8>, Error> {
        let seal_key = self.inner.seal_key.as_ref().ok_or_else(no_seal_key)?;
        seal_key.seal(&*self.inner.entropy, &seal_context(id), key.reveal().as_bytes())
    }

    /// The text of a key whose kind may be shown again, if it is kept.
    pub(super) fn unseal(&self, stored: &StoredKey) -> Result<Option<ApiKey>, Error> {
        let record = &stored.record;
        let may_be_shown = match self.policy().kind(&record.kind).map(|kind| kind.reveal) {
            Some(Reveal::Always) => true,
            Some(Reveal::TestOnly) => {
                self.policy().environment(&record.environment).is_some_and(|e| e.sandbox)
            }
            _ => false,
        };
        let Some(sealed) = record.sealed.as_deref().filter(|_| may_be_shown) else { return Ok(None) };
        let seal_key = self.inner.seal_key.as_ref().ok_or_else(no_seal_key)?;
        let text = seal_key.open(&seal_context(&record.id), sealed)?;
        let text = String::from_utf8(text.to_vec())
            .map_err(|_| Error::new(ErrorKind::StoreCorrupt, "a sealed key text is damaged"))?;
        Ok(Some(ApiKey::new(text)))
    }
}

/// What a sealed text is bound to, so that it opens in no other row.
fn seal_context(id: &KeyId) -> Vec<u8> {
    format!("key text {id}").into_bytes()
}

fn no_seal_key() -> Error {
    let text = "texts that can be shown again are sealed; give the builder the seal key they were made under";
    Error::new(ErrorKind::InvalidArgument, text)
}

/// What the audit line says of a new key.
pub(super) fn describe<T>(draft: &mut Draft<T>, record: &KeyRecord) {
    draft.detail("name", &record.name);
    draft.detail("kind", &record.kind);
    draft.detail("environment", &record.environment);
    draft.detail("preset", record.bindings.preset());
    if let Some(role) = &record.role {
        draft.detail("role", role);
    }
    if !record.permissions.is_empty() {
        draft.detail("permissions", &record.permissions);
    }
    if let Some(plan) = &record.plan {
        draft.detail("plan", &plan.plan);
    }
}
