//! What the cache holds: records with every name resolved to an index or a bit set, ready to be judged without a look-up.

use crate::address::NetworkList;
use crate::clock::Timestamp;
use crate::domain::VerifiedDomain;
use crate::error::Error;
use crate::key::digest::{DigestScheme, KeyDigest};
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, PlanAssignment, Standing};
use crate::origin::OriginPattern;
use crate::permission::PermissionSet;
use crate::policy::Policy;
use crate::resource::ResourceBinding;
use crate::seal::SealKey;
use crate::store::{StoreError, StoreErrorKind, StoredKey, TenantKey, TenantRecord, TenantState, Touch};
use crate::tenant::binding::{Bindings, OrgBinding};
use crate::tenant::proof::ProofSecret;
use crate::tenant::resolve::TenantStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::slots::Slots;

/// A key, resolved against the policy in force.
pub(crate) struct KeyEntry {
    pub(crate) digest: KeyDigest,
    pub(crate) scheme: DigestScheme,
    pub(crate) id: KeyId,
    /// Names the count of limits with subject `key`.
    pub(crate) lineage: KeyId,
    pub(crate) kind: u16,
    pub(crate) environment: u16,
    pub(crate) plan: Option<PlanInForce>,
    pub(crate) permissions: PermissionSet,
    pub(crate) bindings: Bindings,
    revoked_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    pub(crate) account: Arc<TenantEntry>,
    /// The one org of a key with a fixed one.
    pub(crate) org: Option<Arc<TenantEntry>>,
    /// What most keys do not have.
    pub(crate) restrictions: Option<Box<Restrictions>>,
    pub(crate) slots: Slots,
    last_used_us: AtomicI64,
    exercised: [AtomicU64; 4],
    /// Whether uses wait to be written.
    dirty: AtomicBool,
    /// Whether it was used since the cache last made room.
    used: AtomicBool,
}

/// Resources, origins and addresses a key is bound to.
pub(crate) struct Restrictions {
    pub(crate) resources: ResourceBinding,
    pub(crate) origins: Vec<OriginPattern>,
    pub(crate) networks: Option<NetworkList>,
}

/// A plan of the policy, and what was agreed for this subject alone.
#[derive(Clone)]
pub(crate) struct PlanInForce {
    /// `None` where a record carries only amounts of its own, and no plan.
    pub(crate) index: Option<u16>,
    pub(crate) assignment: Option<Box<PlanAssignment>>,
}

/// A row of the tenant registry, or the knowledge that there is none.
pub(crate) struct TenantEntry {
    key: TenantKey,
    /// `None`: not registered.
    pub(crate) state: Option<TenantState>,
    pub(crate) plan: Option<PlanInForce>,
    proof_secret: Option<Box<[u8]>>,
    /// Of accounts: their domains.
    pub(crate) domains: Box<[VerifiedDomain]>,
    pub(crate) slots: Slots,
    stale: AtomicBool,
    used: AtomicBool,
}

impl KeyEntry {
    /// Resolves a stored key.
    ///
    /// # Errors
    /// `Corrupt` when the record names something that the policy does not have: that is neither an allow nor an
    /// invalid key, and it is loud.
    pub(crate) fn resolve(
        stored: &StoredKey,
        policy: &Policy,
        account: Arc<TenantEntry>,
        org: Option<Arc<TenantEntry>>,
    ) -> Result<Self, StoreError> {
        let record = &stored.record;
        let kind = policy.kinds().index(&record.kind).ok_or_else(|| unknown(record, "kind", &record.kind))?;
        let environment = policy
            .environments()
            .index(&record.environment)
            .ok_or_else(|| unknown(record, "environment", &record.environment))?;
        let plan = record.plan.as_ref().map(|plan| PlanInForce::resolve(plan, policy)).transpose()?;
        Ok(Self {
            digest: record.digest,
            scheme: record.scheme,
            id: record.id,
            lineage: record.lineage.id,
            kind,
            environment,
            plan,
            permissions: granted_permissions(record, policy)?,
            bindings: record.bindings.clone(),
            revoked_at: record.revoked.as_ref().map(|revocation| revocation.at),
            disabled_at: record.disabled_at,
            expires_at: record.expires_at,
            account,
            org,
            restrictions: Restrictions::resolve(record)?,
            slots: Slots::default(),
            last_used_us: AtomicI64::new(stored.last_used_at.map_or(i64::MIN, Timestamp::as_micros)),
            exercised: Default::default(),
            dirty: AtomicBool::new(false),
            used: AtomicBool::new(true),
        })
    }

    /// The key's standing at `now`.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        Standing::at(now, self.revoked_at, self.disabled_at, self.expires_at)
    }

    /// The tenant entries this one relies on.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = &Arc<TenantEntry>> {
        std::iter::once(&self.account).chain(self.org.as_ref())
    }

    /// Whether it is still what the store holds, as far as this process has been told.
    pub(crate) fn is_current(&self) -> bool {
        !self.account.stale.load(Ordering::Acquire)
            && self.org.as_ref().is_none_or(|org| !org.stale.load(Ordering::Acquire))
    }

    /// Marks it as used; whether the cache's clock hand had unmarked it.
    pub(crate) fn take_second_chance(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Notes an allowed call. Returns whether the key now waits to be written and did not before.
    pub(crate) fn touch(&self, now: Timestamp, needed: &PermissionSet) -> bool {
        // Each line is written only when it changes something, so that threads sharing a hot key share its lines.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        let mut news = false;
        if now.as_micros() - TOUCH_GRANULARITY_US >= self.last_used_us.load(Ordering::Relaxed) {
            self.last_used_us.fetch_max(now.as_micros(), Ordering::Relaxed);
            news = true;
        }
        for (bits, needed) in self.exercised.iter().zip(needed.words()) {
            if bits.load(Ordering::Relaxed) & needed != *needed {
                bits.fetch_or(*needed, Ordering::Relaxed);
                news = true;
            }
        }
        news && !self.dirty.swap(true, Ordering::AcqRel)
    }

    /// What is to be written of its use, if anything waits.
    pub(crate) fn take_touch(&self, policy: &Policy) -> Option<Touch> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut words = [0; 4];
        for (word, bits) in words.iter_mut().zip(&self.exercised) {
            *word = bits.load(Ordering::Relaxed);
        }
        Some(Touch {
            account_id: self.account.key.account_id.clone(),
            id: self.id,
            at: Timestamp::from_micros(self.last_used_us.load(Ordering::Relaxed)),
            permissions: policy.permissions().names(&PermissionSet::from_words(words)),
        })
    }
}

/// Last-used times are kept to this: uses closer together than 1 s count as one.
const TOUCH_GRANULARITY_US: i64 = 1_000_000;

impl Restrictions {
    fn resolve(record: &KeyRecord) -> Result<Option<Box<Self>>, StoreError> {
        let unrestricted = matches!(record.resources, ResourceBinding::None)
            && record.origins.is_empty()
            && record.ip_allow.is_none();
        if unrestricted {
            return Ok(None);
        }
        let origins = record
            .origins
            .iter()
            .map(|text| OriginPattern::from_stored(text).map_err(|_| unknown(record, "origin", text)));
        let networks = record.ip_allow.as_ref().map(|list| {
            NetworkList::parse(list).map_err(|error| unknown(record, "network list", &error.to_string()))
        });
        Ok(Some(Box::new(Self {
            resources: record.resources.clone(),
            origins: origins.collect::<Result<_, _>>()?,
            networks: networks.transpose()?,
        })))
    }
}

impl PlanInForce {
    pub(crate) fn resolve(assignment: &PlanAssignment, policy: &Policy) -> Result<Self, StoreError> {
        let index = policy.plans().index(&assignment.plan);
        if index.is_none() && !assignment.plan.is_empty() {
            let text = format!("a record has plan `{}`, which the policy does not have", assignment.plan);
            return Err(corrupt(text));
        }
        Ok(Self { index, assignment: Some(Box::new(assignment.clone())) })
    }

    /// The policy's default plan, assigned to nobody in particular.
    pub(crate) fn default_of(policy: &Policy) -> Option<Self> {
        policy.usage().default_plan.map(|index| Self { index: Some(index), assignment: None })
    }
}

impl TenantEntry {
    /// Resolves a row, or its absence.
    ///
    /// # Errors
    /// `Corrupt` when the row names a plan that the policy does not have.
    pub(crate) fn resolve(
        key: TenantKey,
        record: Option<&TenantRecord>,
        domains: Vec<VerifiedDomain>,
        policy: &Policy,
    ) -> Result<Self, StoreError> {
        let plan = record.and_then(|record| record.plan.as_ref());
        Ok(Self {
            key,
            state: record.map(|record| record.state),
            plan: plan.map(|plan| PlanInForce::resolve(plan, policy)).transpose()?,
            proof_secret: record.and_then(|record| record.proof_secret.as_deref().map(Into::into)),
            domains: domains.into(),
            slots: Slots::default(),
            stale: AtomicBool::new(false),
            used: AtomicBool::new(true),
        })
    }

    /// How the truth table sees it.
    pub(crate) fn status(&self) -> TenantStatus {
        match self.state {
            None => TenantStatus::Unknown,
            Some(TenantState::Active) => TenantStatus::Active,
            Some(TenantState::Suspended) => TenantStatus::Suspended,
            Some(TenantState::Deleted) => TenantStatus::Deleted,
        }
    }

    /// Of accounts: the secret that signs user ids, if there is one and the key it is sealed under is at hand.
    pub(crate) fn proof_secret(&self, seal_key: Option<&SealKey>) -> Result<Option<ProofSecret>, Error> {
        let (Some(sealed), Some(seal_key)) = (&self.proof_secret, seal_key) else { return Ok(None) };
        ProofSecret::unseal(seal_key, &self.key.account_id, sealed).map(Some)
    }

    /// Which tenant.
    pub(crate) fn key(&self) -> &TenantKey {
        &self.key
    }

    /// Its row has changed: whoever holds this entry loads anew.
    pub(crate) fn mark_stale(&self) {
        self.stale.store(true, Ordering::Release);
    }

    pub(crate) fn take_second_chance(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn touch(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

/// The key's own permissions and its role's.
pub(crate) fn granted_permissions(record: &KeyRecord, policy: &Policy) -> Result<PermissionSet, StoreError> {
    let catalogue = policy.permissions();
    // A permission that the policy no longer has grants nothing; one that it has is resolved as it stands today.
    let mut set = catalogue.resolve_known(record.permissions.iter().map(|name| &**name));
    if let Some(template) = &record.template
        && policy.lifecycle().template_link == crate::policy::TemplateLink::Live
        && let Some(template) = policy.template(&template.name)
    {
        set = template.permissions;
    }
    if let Some(role) = &record.role {
        let role = policy.role(role).ok_or_else(|| unknown(record, "role", role))?;
        set = set.union(&role.permissions);
    }
    Ok(set)
}

fn unknown(record: &KeyRecord, what: &str, value: &str) -> StoreError {
    corrupt(format!("key `{}` has {what} `{value}`, which the policy in force does not know", record.id))
}

fn corrupt(context: String) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, context)
}

/// The org that a key is bound to alone.
pub(crate) fn fixed_org(bindings: &Bindings) -> Option<&crate::tenant::id::OrgId> {
    match bindings.org() {
        OrgBinding::Fixed(org) => Some(org),
        _ => None,
    }
}
