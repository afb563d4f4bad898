//! Replacing a key: by another one while both work for a time, or by another text under the same id.

use super::Caller;
use super::act::{Act, Draft, Step};
use super::compose::{guard_name, tenant_of};
use super::issue::IssuedKey;
use super::json;
use super::update::KeyChanged;
use super::view::KeyView;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::error::Error;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Lineage, Revocation, Standing};
use crate::store::{Expected, KeyWrite, StoredKey};
use serde::{Deserialize, Serialize};

/// How a key is replaced.
///
/// ```
/// # use tenantkit::Rotation;
/// let at_once = Rotation::default().grace_s(0);
/// assert_eq!(at_once, Rotation::from_json(br#"{"grace_s":0}"#)?);
/// # Ok::<(), tenantkit::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Rotation {
    pub(crate) grace_s: Option<u32>,
}

/// Seconds of grace that must be left for a rotation to be cancelled, so that no process has refused the old key by the
/// time it is restored.
const CANCEL_MARGIN_S: i64 = 5;

impl Rotation {
    /// For how many seconds the old key still works: 0 to the policy's `rotation.max_grace`, which is at most 7 days. The
    /// policy's default if not given. The old key's own end stays where it is.
    pub fn grace_s(mut self, seconds: u32) -> Self {
        self.grace_s = Some(seconds);
        self
    }

    /// Reads a request body.
    ///
    /// # Errors
    /// `validation_error` that names every member that is unknown or of the wrong type.
    pub fn from_json(body: &[u8]) -> Result<Self, Error> {
        json::read(body, &[("grace_s", "a number of seconds")])
    }
}

impl Authority {
    /// Makes a successor with the same attributes and, where the policy carries usage, the same counts. The old key works
    /// until its grace ends and is revoked then; nobody has to do anything for that.
    ///
    /// # Errors
    /// `rotation_in_progress` while the key is being replaced already; `key_not_found` for a revoked key;
    /// `validation_error` for a key that is disabled or expired, or a grace that is too long; `grant_exceeds_creator` for
    /// a key that would renew itself or a key above it.
    pub fn rotate(
        &self,
        caller: &Caller,
        account_id: &str,
        id: &KeyId,
        rotation: &Rotation,
    ) -> Result<IssuedKey, Error> {
        self.act(caller, account_id, "key.rotate", |act| {
            act.commit(
                &(id, rotation),
                || {
                    let old = act.changeable(id)?;
                    let grace_s = act.check_rotation(&old, rotation)?;
                    let (successor, old_after, key) = act.succeed(&old.record, grace_s)?;
                    let mut draft = Draft::new(successor.id, act.issued(&successor, key));
                    draft.tenant = tenant_of(&successor);
                    draft.detail("name", &successor.name);
                    draft.detail("replaces", old.record.id);
                    draft.detail("grace_s", grace_s);
                    draft
                        .keys
                        .push(KeyWrite::Put { record: Box::new(successor), expected: Expected::Absent });
                    let expected = Expected::Version(old.version);
                    draft.keys.push(KeyWrite::Put { record: Box::new(old_after), expected });
                    Ok(draft.write())
                },
                |id| act.replayed_key(id),
            )
        })
    }

    /// Undoes a rotation while its grace runs: the successor is revoked, the old key goes on as before. Either of the two
    /// may be named.
    ///
    /// # Errors
    /// `key_not_found`, and `validation_error` when no rotation of the key is running.
    pub fn cancel_rotation(&self, caller: &Caller, account_id: &str, id: &KeyId) -> Result<KeyView, Error> {
        self.act(caller, account_id, "key.cancel_rotation", |act| {
            act.commit(
                id,
                || {
                    let (old, successor) = act.running_rotation(id)?;
                    let mut restored = old.record.clone();
                    restored.revoked = None;
                    restored.lineage.successor = None;
                    restored.updated_at = act.now;
                    let mut ended = successor.record.clone();
                    ended.revoked = Some(act.revocation("the rotation was cancelled", act.now));
                    ended.updated_at = act.now;
                    let after = StoredKey { record: restored, version: old.version + 1, ..old.clone() };
                    let mut draft = Draft::new(after.record.id, act.view(&after));
                    draft.tenant = tenant_of(&after.record);
                    draft.detail("name", &after.record.name);
                    draft.detail("successor", ended.id);
                    let put = |record, version| KeyWrite::Put {
                        record: Box::new(record),
                        expected: Expected::Version(version),
                    };
                    guard_name(act, &mut draft, &after.record);
                    draft.keys.push(put(after.record, old.version));
                    draft.keys.push(put(ended, successor.version));
                    Ok(draft.write())
                },
                |id| act.key(&id.parse::<KeyId>()?).map(|stored| act.view(&stored)),
            )
        })
    }

    /// Gives a key another text under the same id; the old text is dead when the call returns (row A-40).
    ///
    /// # Errors
    /// As [`rotate`](Self::rotate).
    pub fn regenerate(&self, caller: &Caller, account_id: &str, id: &KeyId) -> Result<IssuedKey, Error> {
        self.act(caller, account_id, "key.regenerate", |act| {
            act.commit(
                id,
                || {
                    let stored = act.changeable(id)?;
                    act.check_replaceable(&stored.record)?;
                    let mut record = stored.record.clone();
                    let key = act.make_text(&mut record)?;
                    record.updated_at = act.now;
                    let after = StoredKey { record, version: stored.version + 1, ..stored.clone() };
                    let mut answer = act.issued(&after.record, key);
                    answer.view = act.view(&after);
                    let mut draft = Draft::new(id, answer);
                    draft.tenant = tenant_of(&after.record);
                    draft.detail("name", &after.record.name);
                    let expected = Expected::Version(stored.version);
                    draft.keys.push(KeyWrite::Put { record: Box::new(after.record), expected });
                    Ok(draft.write())
                },
                |id| act.replayed_key(id),
            )
        })
    }

    /// Switches a key off until it is enabled again. No process accepts it when the call returns.
    ///
    /// # Errors
    /// `key_not_found`, also for a revoked key.
    pub fn disable(&self, caller: &Caller, account_id: &str, id: &KeyId) -> Result<KeyChanged, Error> {
        self.act(caller, account_id, "key.disable", |act| {
            act.switch(id, |record| record.disabled_at = record.disabled_at.or(Some(act.now)))
        })
    }

    /// Switches a disabled key on again.
    ///
    /// # Errors
    /// `key_not_found`, also for a revoked key.
    pub fn enable(&self, caller: &Caller, account_id: &str, id: &KeyId) -> Result<KeyChanged, Error> {
        self.act(caller, account_id, "key.enable", |act| act.switch(id, |record| record.disabled_at = None))
    }
}

impl Act<'_> {
    /// The grace in seconds, if the key can be rotated now.
    fn check_rotation(&self, old: &StoredKey, rotation: &Rotation) -> Result<u32, Error> {
        let rule = self.policy().lifecycle().rotation;
        let grace_s = rotation.grace_s.unwrap_or(rule.default_grace_s);
        if grace_s > rule.max_grace_s {
            return Err(Error::invalid_field(
                "grace_s",
                format!("must be at most {} seconds", rule.max_grace_s),
            ));
        }
        self.check_replaceable(&old.record)?;
        // With an overlap a third key of the chain would work; without one their number stays the same.
        if grace_s > 0
            && let Some(predecessor) = &old.record.lineage.predecessor
            && let Some(predecessor) = self.inner.store.key_by_id(&self.account, predecessor)?
            && predecessor.record.standing(self.now) == Standing::Active
        {
            return Err(Error::refused(Code::RotationInProgress));
        }
        Ok(grace_s)
    }

    /// Only a key that may be used is replaced: a successor would undo what disabled the key, or outlive its end.
    fn check_replaceable(&self, record: &KeyRecord) -> Result<(), Error> {
        let text = match record.standing(self.now) {
            Standing::Active if record.is_being_replaced(self.now) => {
                return Err(Error::refused(Code::RotationInProgress));
            }
            Standing::Active => return Ok(()),
            Standing::Revoked => return Err(Error::refused(Code::KeyNotFound)),
            Standing::Disabled => "names a key that is disabled; enable it first",
            Standing::Expired => "names a key that has expired; make a new one like it",
        };
        Err(Error::invalid_field("id", text))
    }

    /// The successor with its text, and the old key as it is from now on.
    fn succeed(
        &self,
        old: &KeyRecord,
        grace_s: u32,
    ) -> Result<(KeyRecord, KeyRecord, crate::key::secret::ApiKey), Error> {
        let id = KeyId::generate(&*self.inner.entropy, self.now)?;
        let carries_usage = self.policy().lifecycle().rotation.carry_usage;
        let lineage_id = if carries_usage { old.lineage.id } else { id };
        let mut successor = KeyRecord {
            id,
            created_at: self.now,
            created_by: self.rights.actor.clone(),
            updated_at: self.now,
            expires_at: self.same_lifetime(old),
            disabled_at: None,
            revoked: None,
            lineage: Lineage { id: lineage_id, predecessor: Some(old.id), successor: None },
            ..old.clone()
        };
        self.rights.check_lifetime(successor.expires_at)?;
        let key = self.make_text(&mut successor)?;
        let ends_at = self.now.plus_seconds(i64::from(grace_s));
        let ends_at = old.expires_at.map_or(ends_at, |own_end| ends_at.min(own_end));
        let mut old_after = old.clone();
        old_after.revoked = Some(self.revocation("replaced by a rotation", ends_at));
        old_after.lineage.successor = Some(id);
        old_after.updated_at = self.now;
        Ok((successor, old_after, key))
    }

    /// The successor lives as long as its predecessor was meant to, from now on.
    fn same_lifetime(&self, old: &KeyRecord) -> Option<Timestamp> {
        let lifetime_us = old.expires_at?.micros_since(old.created_at);
        let max_s = self.policy().lifecycle().expiry.max_lifetime_s;
        let max_us = max_s.map_or(i64::MAX, |seconds| i64::from(seconds) * 1_000_000);
        Some(self.now.plus_micros(lifetime_us.min(max_us)))
    }

    /// The two keys of a rotation whose grace runs: the one that is replaced, and its successor.
    fn running_rotation(&self, id: &KeyId) -> Result<(StoredKey, StoredKey), Error> {
        let named = self.changeable(id)?;
        let none = || Error::invalid_field("id", "names a key of which no rotation is running");
        let (old, successor) = match (named.record.lineage.successor, named.record.lineage.predecessor) {
            (Some(successor), _) => (named, self.key(&successor)),
            (None, Some(predecessor)) => (self.key(&predecessor)?, Ok(named)),
            (None, None) => return Err(none()),
        };
        let successor = successor.map_err(|_| none())?;
        let is_pair = old.record.lineage.successor == Some(successor.record.id);
        // A key whose end has come stays ended (INV-05), and one that was replaced again has moved on.
        let soon = self.now.plus_seconds(CANCEL_MARGIN_S);
        let is_running = old.record.standing(soon) != Standing::Revoked
            && successor.record.standing(self.now) != Standing::Revoked
            && successor.record.lineage.successor.is_none();
        if !is_pair || !is_running {
            return Err(none());
        }
        for key in [&old, &successor] {
            self.rights.check_grant(&key.record, self.policy())?;
            if self.rights.is_own(&key.record) {
                let error = Error::refused(Code::GrantExceedsCreator);
                return Err(error.with_detail("a key does not change itself"));
            }
        }
        Ok((old, successor))
    }

    /// How a key is ended by this act; the caller's reason, where there is one, else `why`.
    pub(super) fn revocation(&self, why: &str, at: Timestamp) -> Revocation {
        let reason = if self.caller.reason.is_empty() { why.into() } else { self.caller.reason.clone() };
        Revocation { at, by: self.rights.actor.clone(), reason }
    }

    /// Disables or enables a key. A key may disable itself, but nothing that it may not change enables it.
    fn switch(&self, id: &KeyId, set: impl Fn(&mut KeyRecord)) -> Result<KeyChanged, Error> {
        self.commit(
            id,
            || {
                let stored = self.target(id)?;
                if stored.record.standing(self.now) == Standing::Revoked {
                    return Err(Error::refused(Code::KeyNotFound));
                }
                let mut record = stored.record.clone();
                set(&mut record);
                if record == stored.record {
                    return Ok(Step::Done(KeyChanged::unchanged(self.view(&stored))));
                }
                record.updated_at = self.now;
                let narrowed = record.disabled_at.is_some();
                let after = StoredKey { record, version: stored.version + 1, ..stored.clone() };
                let mut draft = Draft::new(id, KeyChanged::switched(self.view(&after), narrowed));
                draft.tenant = tenant_of(&after.record);
                draft.detail("name", &after.record.name);
                let expected = Expected::Version(stored.version);
                draft.keys.push(KeyWrite::Put { record: Box::new(after.record), expected });
                Ok(draft.write())
            },
            |id| Ok(KeyChanged::unchanged(self.view(&self.key(&id.parse::<KeyId>()?)?))),
        )
    }
}
