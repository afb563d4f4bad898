//! Looking keys up: one, many, those that need attention.

use super::act::Act;
use super::view::{KeyView, is_rotation_due};
use super::{Caller, KeyPageView, OverGranted};
use crate::authority::Authority;
use crate::code::Code;
use crate::error::Error;
use crate::key::id::{InvalidKeyId, KeyId};
use crate::permission::PermissionSet;
use crate::policy::knobs::Reveal;
use crate::records::granted_permissions;
use crate::store::{KeyFilter, KeyQuery, StandingFilter, StoredKey};

/// Keys of one page.
pub const PAGE_MAX: u32 = 200;
/// Pages that one listing reads for a caller who sees only some of the keys; then it answers with what it has.
const PAGES_READ_MAX: usize = 50;

/// A text that is no key id names no key (row A-21).
impl From<InvalidKeyId> for Error {
    fn from(_: InvalidKeyId) -> Self {
        Self::refused(Code::KeyNotFound)
    }
}

impl Authority {
    /// One key, whatever its standing.
    ///
    /// # Errors
    /// `key_not_found` for a key that does not exist, is another account's, or lies outside what the caller reaches:
    /// the same answer for all.
    pub fn key(&self, caller: &Caller, account_id: &str, id: &KeyId) -> Result<KeyView, Error> {
        self.look(caller, account_id, "key.get", |act| act.key(id).map(|stored| act.view(&stored)))
    }

    /// A page of keys in the order of issue: at most `limit` (1 to 200) of those that match, after the key `after`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn keys(
        &self,
        caller: &Caller,
        account_id: &str,
        filter: &KeyFilter,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<KeyPageView, Error> {
        self.look(caller, account_id, "key.list", |act| {
            act.page(filter, after, limit, |act, stored| Some(act.view(stored)))
        })
    }

    /// Keys whose text is older than the policy's reminder (row RT-28). Empty where the policy has none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn due(
        &self,
        caller: &Caller,
        account_id: &str,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<KeyPageView, Error> {
        self.look(caller, account_id, "key.list", |act| {
            let filter = KeyFilter { standing: StandingFilter::Present, ..KeyFilter::default() };
            let is_due = |act: &Act<'_>, stored: &StoredKey| {
                let replaced = stored.record.is_being_replaced(act.now);
                (is_rotation_due(&stored.record, act.policy(), act.now) && !replaced)
                    .then(|| act.view(stored))
            };
            act.page(&filter, after, limit, is_due)
        })
    }

    /// Keys that nobody used in the last `days` (row RT-29). A key issued since then is not yet unused.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn unused(
        &self,
        caller: &Caller,
        account_id: &str,
        days: u32,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<KeyPageView, Error> {
        self.look(caller, account_id, "key.list", |act| {
            let since = act.now.plus_seconds(-i64::from(days) * 86_400);
            let filter = KeyFilter { unused_since: Some(since), ..KeyFilter::default() };
            act.page(&filter, after, limit, |act, stored| Some(act.view(stored)))
        })
    }

    /// Keys that hold permissions which no call of theirs has needed so far (row N-09), with those permissions.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn overgranted(
        &self,
        caller: &Caller,
        account_id: &str,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<super::Page<OverGranted>, Error> {
        self.look(caller, account_id, "key.list", |act| {
            act.page(&KeyFilter::default(), after, limit, |act, stored| {
                let never_needed = act.never_needed(stored).ok()?;
                (!never_needed.is_empty()).then(|| OverGranted { key: act.view(stored), never_needed })
            })
        })
    }

    /// The whole text of a key whose kind may be shown again (row A-39). It leaves an audit line.
    ///
    /// # Errors
    /// `key_not_found`, or `validation_error` for a kind whose keys are shown once.
    pub fn reveal(
        &self,
        caller: &Caller,
        account_id: &str,
        id: &KeyId,
    ) -> Result<crate::key::secret::ApiKey, Error> {
        self.act(caller, account_id, "key.reveal", |act| {
            let stored = act.target(id)?;
            let key = act.unseal(&stored)?.ok_or_else(|| {
                Error::invalid_field(
                    "id",
                    "names a key that is shown once, when it is made; rotate it to get a new one",
                )
            })?;
            let line = act.audit(&id.to_string(), "", "ok", serde_json::Map::new());
            act.inner.store.append_audit(&[line])?;
            act.tell(&id.to_string());
            Ok(key)
        })
    }
}

impl Act<'_> {
    /// A key that the caller sees.
    pub(super) fn key(&self, id: &KeyId) -> Result<StoredKey, Error> {
        let stored = self.inner.store.key_by_id(&self.account, id)?;
        // What came back is compared again: a store that mixes rows up opens no door (INV-22).
        stored
            .filter(|stored| stored.record.account_id == self.account && stored.record.id == *id)
            .filter(|stored| self.rights.sees(&stored.record, self.policy()))
            .ok_or_else(|| Error::refused(Code::KeyNotFound))
    }

    /// A key that the caller may change: one that it sees, with no more rights than its own.
    pub(super) fn target(&self, id: &KeyId) -> Result<StoredKey, Error> {
        let stored = self.key(id)?;
        self.rights.check_grant(&stored.record, self.policy())?;
        if self.caller.if_version.is_some_and(|version| version != stored.version) {
            return Err(Error::refused(Code::VersionConflict));
        }
        Ok(stored)
    }

    /// The key as answers show it; publishable keys that are always shown with their text.
    pub(super) fn view(&self, stored: &StoredKey) -> KeyView {
        let mut view = KeyView::new(stored, self.policy(), self.now);
        let kind = self.policy().kind(&stored.record.kind);
        if kind.is_some_and(|kind| kind.is_publishable() && kind.reveal == Reveal::Always) {
            // A text that can't be opened hides no other row; `reveal` says what is wrong with it.
            view.value = self.unseal(stored).ok().flatten().map(|key| key.reveal().into());
        }
        view
    }

    /// The page of what `pick` makes of the keys that match and that the caller sees.
    fn page<T>(
        &self,
        filter: &KeyFilter,
        mut after: Option<KeyId>,
        limit: u32,
        pick: impl Fn(&Self, &StoredKey) -> Option<T>,
    ) -> Result<super::Page<T>, Error> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut items = Vec::new();
        for _ in 0..PAGES_READ_MAX {
            let query = KeyQuery {
                account_id: self.account.clone(),
                filter: filter.clone(),
                now: self.now,
                after,
                limit,
            };
            let page = self.inner.store.keys(&query)?;
            for stored in &page.keys {
                if items.len() == limit as usize {
                    return Ok(super::Page { items, next: after });
                }
                after = Some(stored.record.id);
                let is_own = stored.record.account_id == self.account;
                if is_own && self.rights.sees(&stored.record, self.policy()) {
                    items.extend(pick(self, stored));
                }
            }
            if !page.more {
                return Ok(super::Page { items, next: None });
            }
            if items.len() == limit as usize {
                break;
            }
        }
        Ok(super::Page { items, next: after })
    }

    /// The permissions that the key holds and no call of it has needed.
    fn never_needed(&self, stored: &StoredKey) -> Result<Vec<Box<str>>, Error> {
        let catalogue = self.policy().permissions();
        let granted = granted_permissions(&stored.record, self.policy())?;
        let needed = stored.exercised.iter().filter_map(|name| catalogue.need(name));
        Ok(catalogue.names(&granted.minus(&needed.fold(PermissionSet::EMPTY, |set, more| set.union(&more)))))
    }
}
