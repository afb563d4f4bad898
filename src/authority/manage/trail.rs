//! The audit trail of an account: read, verified, and its head taken elsewhere.

use super::caller::Caller;
use crate::audit::{AuditEntry, Broken, ChainHead, ChainVerifier, Checkpoint, CheckpointKey, Verified};
use crate::authority::Authority;
use crate::error::Error;

/// Entries of one page.
const ENTRIES_MAX: u32 = 1_000;

impl Authority {
    /// At most `limit` (1 to 1,000) entries of the account's chain, from number `from` on; the first is 1.
    ///
    /// # Errors
    /// `grant_exceeds_creator` for a caller that does not belong to the account as a whole; when the store does not
    /// answer.
    pub fn audit(
        &self,
        caller: &Caller,
        account_id: &str,
        from: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, Error> {
        self.look(caller, account_id, "audit.list", |act| {
            act.check_account_wide()?;
            Ok(act.inner.store.audit(&act.account, from.max(1), limit.clamp(1, ENTRIES_MAX))?)
        })
    }

    /// Checks the whole chain: every entry follows the one before it and has the hash of its content. A cut tail shows
    /// only against a `head` that was kept elsewhere.
    ///
    /// # Errors
    /// As [`audit`](Self::audit). A broken chain is no error but the answer: where it is broken, and why.
    pub fn audit_verify(
        &self,
        caller: &Caller,
        account_id: &str,
        head: Option<ChainHead>,
    ) -> Result<Result<Verified, Broken>, Error> {
        self.look(caller, account_id, "audit.verify", |act| {
            act.check_account_wide()?;
            let mut verifier = ChainVerifier::new(act.account.clone());
            if let Some(head) = head {
                verifier = verifier.expect(head);
            }
            let mut from = 1;
            loop {
                let page = act.inner.store.audit(&act.account, from, ENTRIES_MAX)?;
                let Some(last) = page.last() else { return Ok(verifier.finish()) };
                from = last.number.saturating_add(1).max(from.saturating_add(1));
                for entry in &page {
                    if let Err(broken) = verifier.push(entry) {
                        return Ok(Err(broken));
                    }
                }
            }
        })
    }

    /// How far the account's chain goes: keep it elsewhere, so that a cut tail shows. `None` before the first entry.
    ///
    /// # Errors
    /// As [`audit`](Self::audit).
    pub fn audit_head(&self, caller: &Caller, account_id: &str) -> Result<Option<ChainHead>, Error> {
        self.look(caller, account_id, "audit.head", |act| {
            act.check_account_wide()?;
            Ok(act.inner.store.audit_head(&act.account)?)
        })
    }

    /// Signs the present head with a key that the store does not have. `None` before the first entry.
    ///
    /// # Errors
    /// As [`audit`](Self::audit), and for a key that can't be used.
    pub fn audit_checkpoint(
        &self,
        caller: &Caller,
        account_id: &str,
        key: &CheckpointKey,
    ) -> Result<Option<Checkpoint>, Error> {
        self.look(caller, account_id, "audit.head", |act| {
            act.check_account_wide()?;
            let head = act.inner.store.audit_head(&act.account)?;
            head.map(|head| Checkpoint::sign(key, act.account.clone(), head, act.now)).transpose()
        })
    }
}

impl super::act::Act<'_> {
    /// What concerns the account as a whole is for administrators and for people who belong to all of it.
    pub(super) fn check_account_wide(&self) -> Result<(), Error> {
        if self.rights.reaches(None) {
            return Ok(());
        }
        let error = Error::refused(crate::code::Code::GrantExceedsCreator);
        Err(error.with_detail("this call is for those who belong to the account as a whole"))
    }
}
