//! Ending keys: revoked, the record stays; deleted, it goes. Both are finished, in every process, when the call returns.

use super::act::{Act, Draft};
use super::caller::Caller;
use super::compose::tenant_of;
use super::view::KeyView;
use crate::authority::Authority;
use crate::code::Code;
use crate::error::Error;
use crate::key::id::KeyId;
use crate::key::record::Standing;
use crate::policy::knobs::{Removal, Tombstone};
use crate::store::{Expected, KeyFilter, KeyQuery, KeyWrite, StandingFilter, StoredKey};
use serde::Serialize;

/// Generations of keys narrowed from keys.
const DEPTH_MAX: usize = 16;

/// A key that was ended because its text was found where it does not belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndedByValue {
    /// The account it belonged to, for whoever tells its owner.
    pub account_id: Box<str>,
    /// The key.
    pub id: KeyId,
}

impl Authority {
    /// Ends a key for good; its record stays for the audit, with the keys narrowed from it ended too. A key whose
    /// rotation is running ends now instead of at the end of its grace.
    ///
    /// # Errors
    /// `key_not_found`, one answer for a key that is revoked already, was deleted, is another account's or never existed
    /// (row A-21); `grant_exceeds_creator` for a key with more rights than the caller; `validation_error` in a policy
    /// where keys are deleted instead.
    pub fn revoke(&self, caller: &Caller, account_id: &str, id: &KeyId) -> Result<KeyView, Error> {
        self.act(caller, account_id, "key.revoke", |act| {
            act.check_verb(&[Removal::Revoke, Removal::Both], "revoke")?;
            act.revoke(id)
        })
    }

    /// Removes a key with its digest and display characters; a new key of the same name starts at 0 (row RS-28). By the
    /// policy's word the audit line keeps its name. Nothing brings it back.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke); the record of a revoked key can be deleted.
    pub fn delete(&self, caller: &Caller, account_id: &str, id: &KeyId) -> Result<(), Error> {
        self.act(caller, account_id, "key.delete", |act| {
            act.check_verb(&[Removal::Delete, Removal::Both], "delete")?;
            act.delete(id)
        })
    }

    /// Ends the key with this text, wherever it was found: for secret scanners (row N-09). Publishable keys are meant to
    /// be found and stay. Answer the reporter the same way whatever comes back, so that nobody learns which texts are
    /// keys.
    ///
    /// # Errors
    /// `grant_exceeds_creator` for anybody but administrators, and when the store does not answer.
    pub fn revoke_by_value(&self, caller: &Caller, text: &str) -> Result<Option<EndedByValue>, Error> {
        let engine = self.inner.engine.load_full();
        if engine.policy.formats().parse(text.as_bytes()).is_err() {
            return Ok(None);
        }
        for (scheme, digest) in self.inner.digester.candidates(text.as_bytes()) {
            let stored = self.inner.store.key_by_digest(&digest)?;
            let Some(record) = stored.map(|stored| stored.record) else { continue };
            let is_it = record.digest == digest && record.scheme == scheme;
            if !is_it || engine.policy.kind(&record.kind).is_none_or(|kind| kind.is_publishable()) {
                continue;
            }
            let ended = self.act(caller, record.account_id.as_str(), "key.revoke_by_value", |act| {
                act.rights.check_admin()?;
                match act.policy().lifecycle().removal {
                    Removal::Delete => act.delete(&record.id),
                    Removal::Revoke | Removal::Both => act.revoke(&record.id).map(drop),
                }
            });
            return match ended {
                Ok(()) => {
                    Ok(Some(EndedByValue { account_id: record.account_id.as_str().into(), id: record.id }))
                }
                // It was ended already.
                Err(error) if error.code() == Code::KeyNotFound => Ok(None),
                Err(error) => Err(error),
            };
        }
        Ok(None)
    }
}

impl Act<'_> {
    fn check_verb(&self, allowed: &[Removal], verb: &str) -> Result<(), Error> {
        let removal = self.policy().lifecycle().removal;
        if allowed.contains(&removal) {
            return Ok(());
        }
        let text = format!("this policy has no `{verb}`; use `{}`", removal.word());
        Err(Error::refused(Code::ValidationError).with_detail(text))
    }

    fn revoke(&self, id: &KeyId) -> Result<KeyView, Error> {
        self.commit(
            id,
            || {
                let stored = self.target(id)?;
                if stored.record.standing(self.now) == Standing::Revoked {
                    return Err(Error::refused(Code::KeyNotFound));
                }
                let mut after = stored.clone();
                after.version += 1;
                after.record.revoked = Some(self.revocation("", self.now));
                after.record.updated_at = self.now;
                let mut draft = self.ending(&stored, self.view(&after))?;
                let expected = Expected::Version(stored.version);
                draft.keys.insert(0, KeyWrite::Put { record: Box::new(after.record), expected });
                Ok(draft.write())
            },
            |id| self.key(&id.parse::<KeyId>()?).map(|stored| self.view(&stored)),
        )
    }

    fn delete(&self, id: &KeyId) -> Result<(), Error> {
        self.commit(
            id,
            || {
                let stored = self.target(id)?;
                let mut draft = self.ending(&stored, ())?;
                if self.policy().lifecycle().tombstone == Tombstone::None {
                    draft.details.clear();
                }
                let (account_id, expected) = (self.account.clone(), stored.version);
                draft.keys.insert(0, KeyWrite::Delete { account_id, id: *id, expected });
                Ok(draft.write())
            },
            |_| Ok(()),
        )
    }

    /// The draft of a key's end, which ends the keys narrowed from it too (INV-10).
    fn ending<T>(&self, stored: &StoredKey, answer: T) -> Result<Draft<T>, Error> {
        let mut draft = Draft::new(stored.record.id, answer);
        draft.tenant = tenant_of(&stored.record);
        draft.detail("name", &stored.record.name);
        let mut ended = Vec::new();
        for child in self.descendants(stored.record.id)? {
            let mut record = child.record;
            record.revoked = Some(self.revocation("its parent was ended", self.now));
            record.updated_at = self.now;
            ended.push(record.id);
            let expected = Expected::Version(child.version);
            draft.keys.push(KeyWrite::Put { record: Box::new(record), expected });
        }
        if !ended.is_empty() {
            draft.detail("children", &ended);
        }
        Ok(draft)
    }

    /// The keys narrowed from `id`, and those narrowed from them, as far as they are not revoked.
    fn descendants(&self, id: KeyId) -> Result<Vec<StoredKey>, Error> {
        let mut found: Vec<StoredKey> = Vec::new();
        let mut parents = vec![id];
        for _ in 0..DEPTH_MAX {
            let children =
                parents.iter().map(|parent| self.children(*parent)).collect::<Result<Vec<_>, _>>()?;
            let children: Vec<StoredKey> = children.into_iter().flatten().collect();
            if children.is_empty() {
                break;
            }
            parents = children.iter().map(|child| child.record.id).collect();
            found.extend(children);
        }
        found.retain(|child| child.record.standing(self.now) != Standing::Revoked);
        Ok(found)
    }

    fn children(&self, parent: KeyId) -> Result<Vec<StoredKey>, Error> {
        let filter =
            KeyFilter { parent: Some(parent), standing: StandingFilter::All, ..KeyFilter::default() };
        let mut query =
            KeyQuery { account_id: self.account.clone(), filter, now: self.now, after: None, limit: 200 };
        let mut children = Vec::new();
        loop {
            let page = self.inner.store.keys(&query)?;
            query.after = page.keys.last().map(|key| key.record.id);
            children.extend(page.keys);
            if !page.more || query.after.is_none() {
                return Ok(children);
            }
        }
    }
}
