//! The secret of an account that signs user ids (row A-30).

use super::act::Draft;
use super::caller::Caller;
use super::compose::new_tenant;
use crate::authority::Authority;
use crate::error::{Error, ErrorKind};
use crate::store::{Expected, TenantKey, TenantWrite};
use crate::tenant::proof::ProofSecret;

impl Authority {
    /// Makes a new secret for the account's backend to sign user ids with, and shows it once. An older one is dead when
    /// the call returns, with everything signed under it. `None` when a repeated operation id is answered.
    ///
    /// # Errors
    /// `grant_exceeds_creator` for a caller that does not belong to the account as a whole;
    /// [`ErrorKind::InvalidArgument`] without a seal key, under which the secret is kept.
    pub fn new_user_proof_secret(
        &self,
        caller: &Caller,
        account_id: &str,
    ) -> Result<Option<ProofSecret>, Error> {
        self.act(caller, account_id, "tenant.proof_secret", |act| {
            act.check_account_wide()?;
            let seal_key = act.inner.seal_key.as_ref().ok_or_else(|| {
                let text = "secrets that sign user ids are kept sealed; give the builder a seal key";
                Error::new(ErrorKind::InvalidArgument, text)
            })?;
            let key = TenantKey::account(act.account.clone());
            act.commit(
                &(),
                || {
                    let before = act.inner.store.tenant(&key)?;
                    let expected =
                        before.as_ref().map_or(Expected::Absent, |row| Expected::Version(row.version));
                    let mut after = before.unwrap_or_else(|| new_tenant(key.clone(), act.now));
                    let secret = ProofSecret::generate(&*act.inner.entropy)?;
                    after.proof_secret = Some(secret.seal(seal_key, &*act.inner.entropy, &act.account)?);
                    after.updated_at = act.now;
                    let mut draft = Draft::new("account", Some(secret));
                    draft.tenants.push(TenantWrite::Put { record: Box::new(after), expected });
                    Ok(draft.write())
                },
                |_| Ok(None),
            )
        })
    }
}
