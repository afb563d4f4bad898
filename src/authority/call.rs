//! One request being judged: steps 1 to 7, each a small function that answers or refuses.

use super::principal::Principal;
use super::registry::{Held, Registry, Source};
use super::{Engine, Request};
use crate::address::canonical;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::credential::{CarrierSet, Credential};
use crate::decision::{Decision, Denial, Identity, Reason};
use crate::domain::is_host_verified;
use crate::error::Error;
use crate::headers::Headers;
use crate::key::format::ParsedKey;
use crate::key::record::Standing;
use crate::limit::Units;
use crate::origin::{PresentedOrigin, judge as judge_origin};
use crate::permission::PermissionSet;
use crate::policy::{
    EmptyOrigins, Kind, LastUsedOn, Operation, PlanOn, Policy, PublicReasons, SecretWithOrigin,
    UserProof as ProofMode,
};
use crate::records::{KeyEntry, PlanInForce};
use crate::seal::SealKey;
use crate::store::TenantKey;
use crate::tenant::params::{ParamRules, ParamSources, ProofParam, TenantParams};
use crate::tenant::proof::UserClaim;
use crate::tenant::resolve::{
    KeyClass, Resolution, ResolveRules, Resolved, TenantRequest, UserProof, Warning, resolve,
};
use crate::tenant::row::Row;
use crate::tenant::{OrgId, ScopeUser, TenantScope};

/// What is wanted of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Charge and create.
    Charge,
    /// Change nothing.
    Inspect,
    /// Take so many units for later.
    Reserve(Units),
}

/// How far a judgement may go for what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only to what is in memory.
    Cache,
    /// To the store.
    Store,
}

/// Why a judgement ended early.
pub(super) enum Stop {
    /// The request is refused.
    Deny(Box<Denial>),
    /// The cache lacks this tenant.
    NeedTenant(Box<TenantKey>),
    /// The store must be asked.
    NeedStore,
    /// Something it was judged on has moved: judge again.
    Again,
    /// Could not decide.
    Fail(Error),
}

impl Stop {
    pub(super) fn into_decision(decided: Result<Decision, Self>) -> Result<Decision, Error> {
        match decided {
            Ok(decision) => Ok(decision),
            Err(Self::Deny(denial)) => Ok(Decision::Deny(*denial)),
            Err(Self::Fail(error)) => Err(error),
            Err(Self::NeedStore | Self::Again | Self::NeedTenant(_)) => {
                Err(Error::refused(Code::StoreUnavailable)
                    .with_detail("a read that may reach the store asked for more"))
            }
        }
    }
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

/// One request, with what does not change while it is judged.
pub(super) struct Call<'c> {
    pub(super) engine: &'c Engine,
    pub(super) request: &'c Request<'c>,
    pub(super) operation: &'c Operation,
    pub(super) want: Want,
    pub(super) now: Timestamp,
    pub(super) seal_key: Option<&'c SealKey>,
}

/// What steps 4 to 7 found: who calls, for which tenant. Borrows the records it was judged on.
pub(super) struct Judged<'g> {
    pub(super) principal: Principal<'g>,
    pub(super) identity: Identity,
    pub(super) org: Option<Held<'g>>,
    pub(super) user: Option<Held<'g>>,
    pub(super) create_org: bool,
    pub(super) create_user: bool,
    pub(super) warning: Option<Warning>,
    /// What the plan in force includes, one bit per entitlement of the policy.
    pub(super) entitlements: u64,
    pub(super) row: Row,
}

/// The longest request id, in bytes.
const REQUEST_ID_LEN_MAX: usize = 128;
/// The longest operation id, resource or dimension value, in bytes.
const TEXT_LEN_MAX: usize = 255;

impl<'c> Call<'c> {
    /// Takes up a request; what the host itself got wrong is an error, not a refusal.
    pub(super) fn new(
        engine: &'c Engine,
        request: &'c Request<'c>,
        want: Want,
        now: Timestamp,
        seal_key: Option<&'c SealKey>,
    ) -> Result<Self, Error> {
        let operation = engine.policy.operation(request.operation).ok_or_else(|| {
            Error::invalid_field("operation", format!("the policy has no operation `{}`", request.operation))
        })?;
        let call = Self { engine, request, operation, want, now, seal_key };
        call.check_bounds()?;
        Ok(call)
    }

    fn check_bounds(&self) -> Result<(), Error> {
        let request = self.request;
        let within = |field: &'static str, text: Option<&str>, max: usize| match text {
            Some(text) if text.is_empty() || text.len() > max => {
                Err(Error::invalid_field(field, format!("has 1 to {max} bytes")))
            }
            _ => Ok(()),
        };
        within("request_id", request.request_id, REQUEST_ID_LEN_MAX)?;
        within("operation_id", request.operation_id, TEXT_LEN_MAX)?;
        within("resource", request.resource, TEXT_LEN_MAX)?;
        for (_, value) in request.dimensions {
            within("dimensions", Some(value), TEXT_LEN_MAX)?;
        }
        if request.cost.is_some_and(|cost| Units::new(cost).is_none()) {
            return Err(Error::invalid_field("cost", "is at most 9007199254740991 (2^53 - 1)"));
        }
        if request.cost.is_some() && self.operation.variable.is_none() {
            let text = format!("operation `{}` has no variable meter; leave it out", self.operation.name);
            return Err(Error::invalid_field("cost", text));
        }
        if let Some(environment) = request.environment
            && self.policy().environment(environment).is_none()
        {
            return Err(Error::invalid_field(
                "environment",
                format!("the policy has no environment `{environment}`"),
            ));
        }
        Ok(())
    }

    pub(super) fn policy(&self) -> &'c Policy {
        &self.engine.policy
    }

    fn headers(&self) -> Headers<'c> {
        Headers::new(self.request.headers)
    }

    /// Step 1: the one credential of the request.
    pub(super) fn credential(&self) -> Result<(&'c [u8], CarrierSet), Stop> {
        let credential = match self.request.key {
            Some(key) => Credential::presented(key.as_bytes()),
            None => {
                let formats = self.policy().formats();
                self.policy().credentials().carriers.extract(self.headers(), |text| formats.is_ours(text))
            }
        };
        match credential {
            Credential::Key(key, carriers) => Ok((key, carriers)),
            // A person's token is not a key: the host's own authenticator looks at it before it asks for a key.
            Credential::Missing | Credential::Human(_) => {
                Err(self.deny(Code::MissingCredential, Reason::None))
            }
            Credential::Conflict => Err(self.deny(Code::CredentialConflict, Reason::None)),
            Credential::Malformed => Err(self.deny(Code::InvalidKey, Reason::Malformed)),
        }
    }

    /// Step 2: the text is a key of this policy, in a carrier of its kind. No store is asked for anything else.
    pub(super) fn parse(&self, (presented, carriers): (&'c [u8], CarrierSet)) -> Result<ParsedKey<'c>, Stop> {
        let parsed = self
            .policy()
            .formats()
            .parse(presented)
            .map_err(|_| self.deny(Code::InvalidKey, Reason::Malformed))?;
        let kind = self.policy().kinds().at(parsed.kind());
        let accepted = kind.is_some_and(|kind| {
            let policy = &self.policy().credentials().carriers;
            kind.carriers.as_ref().is_none_or(|own| policy.set_of(own.iter()).contains(carriers))
        });
        if accepted { Ok(parsed) } else { Err(self.deny(Code::MissingCredential, Reason::None)) }
    }

    /// Step 3 found nothing.
    pub(super) fn unknown_key(&self) -> Stop {
        self.deny(Code::InvalidKey, Reason::Unknown)
    }

    /// Steps 4 to 7 for a key.
    pub(super) fn judge<'g>(&self, entry: &'g KeyEntry, source: Source<'g>) -> Result<Judged<'g>, Stop>
    where
        'c: 'g,
    {
        self.standing(entry)?; // 4
        self.judge_principal(Principal::of_key(entry, self.policy()), source)
    }

    /// Steps 5 to 7 for a key or a person: there is one way for both.
    pub(super) fn judge_principal<'g>(
        &self,
        principal: Principal<'g>,
        source: Source<'g>,
    ) -> Result<Judged<'g>, Stop> {
        self.environment(&principal)?; // 5
        self.address(&principal)?;
        self.origin(&principal)?;
        let params = self.params()?; // 6
        let proof = self.user_proof(&principal, &params)?;
        let request = self.tenant_request(&principal, &params, proof);
        let tenancy = self.policy().tenancy();
        let caps = (tenancy.max_orgs, tenancy.max_users_per_org);
        let registry =
            Registry::new(source, principal.account, principal.environment_name, principal.fixed_org, caps);
        let resolved = match resolve(&request, &registry)? {
            Resolution::Resolved(resolved) => resolved,
            Resolution::Refused(refused) => {
                let mut denial = self.denial(refused.code, Reason::None);
                denial.row = refused.row.name();
                denial.parameter = refused.parameter.map(|parameter| parameter.name());
                return Err(self.refuse(denial, &principal));
            }
        };
        let (org, user) = registry.into_found();
        self.kind(&principal)?; // 7
        self.permission(&principal, &resolved)?;
        self.resource(&principal)?;
        let plan = self.plan(&principal, org.as_ref());
        self.entitlement(&principal, plan)?;
        let plan = plan.and_then(|plan| self.policy().plans().at(plan.index?));
        let plan_name = plan.map(|plan| &*plan.name);
        let scope = resolved.scope(principal.account.key().account_id.as_str(), principal.environment_name);
        Ok(Judged {
            entitlements: plan.map_or(0, |plan| plan.entitlements),
            identity: Identity::new(principal.id, scope, plan_name),
            create_org: resolved.create_org,
            create_user: resolved.create_user,
            warning: resolved.warning,
            row: resolved.row,
            org,
            user,
            principal,
        })
    }

    fn standing(&self, entry: &KeyEntry) -> Result<(), Stop> {
        let (code, reason) = match entry.standing(self.now) {
            Standing::Active => return Ok(()),
            Standing::Revoked => (Code::InvalidKey, Reason::Revoked),
            Standing::Disabled => (Code::InvalidKey, Reason::Disabled),
            Standing::Expired => (Code::KeyExpired, Reason::None),
        };
        // A policy may hide from outsiders that a key has merely expired (row A-42).
        let hidden = code == Code::KeyExpired && self.policy().http().public_reasons == PublicReasons::None;
        let code = if hidden { Code::InvalidKey } else { code };
        let principal = Principal::of_key(entry, self.policy());
        Err(self.refuse(self.denial(code, reason), &principal))
    }

    fn environment(&self, principal: &Principal<'_>) -> Result<(), Stop> {
        let demanded = self.request.environment.is_none_or(|wanted| wanted == principal.environment_name);
        let fits = self.operation.environment.is_none_or(|wanted| wanted == principal.environment);
        if demanded && fits { Ok(()) } else { Err(self.refuse_with(Code::EnvironmentMismatch, principal)) }
    }

    fn address(&self, principal: &Principal<'_>) -> Result<(), Stop> {
        let Some(networks) = principal.restrictions.and_then(|r| r.networks.as_ref()) else { return Ok(()) };
        // Without a readable address a list allows nothing.
        let allowed = self.request.client_ip.is_some_and(|ip| networks.contains(canonical(ip)));
        if allowed { Ok(()) } else { Err(self.refuse_with(Code::IpNotAllowed, principal)) }
    }

    fn origin(&self, principal: &Principal<'_>) -> Result<(), Stop> {
        let Some(kind) = principal.kind else { return Ok(()) };
        let presented = match self.request.origin {
            Some(origin) => PresentedOrigin::from_value(Some(origin.as_bytes())),
            None if self.request.headers.is_empty() => PresentedOrigin::Absent,
            None => PresentedOrigin::from_headers(self.headers()),
        };
        if !kind.is_publishable()
            && presented.is_from_browser()
            && kind.origins.with_secret == SecretWithOrigin::Reject
        {
            return Err(self.refuse_with(Code::SecretKeyInBrowser, principal));
        }
        if !kind.origins.listed {
            return Ok(());
        }
        let allowed = principal.restrictions.map_or(&[][..], |r| &r.origins);
        if allowed.is_empty() && kind.origins.empty == EmptyOrigins::AllowAny {
            return Ok(());
        }
        judge_origin(&presented, allowed, kind.origins.missing)
            .map_err(|code| self.refuse_with(code, principal))?;
        self.verified_domain(kind, &presented, principal)
    }

    /// With re-checking on, a domain that is no longer verified ends its origins (row A-17).
    fn verified_domain(
        &self,
        kind: &Kind,
        presented: &PresentedOrigin<'_>,
        principal: &Principal<'_>,
    ) -> Result<(), Stop> {
        let recheck_s = self.policy().domains().recheck_s;
        let PresentedOrigin::Origin(origin) = presented else { return Ok(()) };
        if !kind.origins.verified || recheck_s.is_none() {
            return Ok(());
        }
        let verified =
            is_host_verified(&principal.account.domains, &principal.domain_claim(), origin.host(), recheck_s);
        if verified { Ok(()) } else { Err(self.refuse_with(Code::DomainNotVerified, principal)) }
    }

    fn params(&self) -> Result<TenantParams<'c>, Stop> {
        let tenancy = self.policy().tenancy();
        let rules = ParamRules {
            org: &tenancy.org_param,
            user: &tenancy.user_param,
            proof: &tenancy.proof_param,
            syntax: tenancy.id_syntax,
        };
        let sources = ParamSources {
            query: self.request.query.unwrap_or(""),
            headers: self.headers(),
            org_id: self.request.org_id,
            user_id: self.request.user_id,
        };
        TenantParams::read(&rules, &sources).map_err(|code| self.deny(code, Reason::None))
    }

    /// Whether the user parameter is proved, where the kind of key asks for a proof (rows ).
    fn user_proof(&self, principal: &Principal<'_>, params: &TenantParams<'_>) -> Result<UserProof, Stop> {
        let asked = principal.kind.is_some_and(|kind| kind.user_proof == ProofMode::Hmac);
        let Some(user_id) = params.user.as_deref().filter(|_| asked) else { return Ok(UserProof::NotAsked) };
        let ProofParam::Given(proof) = &params.proof else { return Ok(UserProof::Invalid) };
        let Some(secret) = principal.account.proof_secret(self.seal_key)? else {
            return Ok(UserProof::Invalid);
        };
        let org_id = principal.fixed_org.and_then(|org| org.key().org_id.as_ref()).map(OrgId::as_str);
        let claim = UserClaim {
            account_id: principal.account.key().account_id.as_str(),
            org_id: org_id.or(params.org.as_deref()),
            key_id: principal.id,
            user_id,
        };
        Ok(if claim.is_proved_by(proof, &secret, self.now) { UserProof::Valid } else { UserProof::Invalid })
    }

    fn tenant_request<'r>(
        &self,
        principal: &Principal<'r>,
        params: &'r TenantParams<'_>,
        user_proof: UserProof,
    ) -> TenantRequest<'r> {
        let tenancy = self.policy().tenancy();
        let publishable = principal.kind.is_some_and(Kind::is_publishable);
        TenantRequest {
            bindings: principal.bindings,
            class: if publishable { KeyClass::Publishable } else { KeyClass::Secret },
            level: self.operation.level,
            account: principal.account.status(),
            org_id: params.org.as_deref(),
            user_id: params.user.as_deref(),
            user_proof,
            rules: ResolveRules { extra_param: tenancy.extra_param, foreign_org: tenancy.foreign_org },
        }
    }

    /// The key's own plan, else that of the tenant whose record names it, else the default one.
    pub(super) fn plan<'p>(
        &'p self,
        principal: &Principal<'p>,
        org: Option<&'p Held<'_>>,
    ) -> Option<&'p PlanInForce> {
        let named = |plan: &&PlanInForce| plan.index.is_some();
        let assigned = principal.plan.filter(named).or(match self.policy().usage().plan_on {
            PlanOn::Key => None,
            PlanOn::Org => org.and_then(|org| org.plan.as_ref()),
            PlanOn::Account => principal.account.plan.as_ref(),
        });
        assigned.filter(named).or(self.engine.default_plan.as_ref())
    }

    fn kind(&self, principal: &Principal<'_>) -> Result<(), Stop> {
        let allowed = match principal.kind {
            None => true,
            Some(kind) => {
                self.operation.accepts(kind.bit())
                    && (self.operation.public || !kind.is_publishable())
                    && (!self.operation.manages_keys || self.policy().lifecycle().keys_manage_keys)
            }
        };
        if allowed { Ok(()) } else { Err(self.refuse_with(Code::KindNotAllowed, principal)) }
    }

    fn permission(&self, principal: &Principal<'_>, resolved: &Resolved<'_>) -> Result<(), Stop> {
        let held = principal.permissions_in(resolved.org_id);
        if held.contains_all(&self.operation.permissions) {
            return Ok(());
        }
        let mut denial = self.denial(Code::InsufficientPermission, Reason::None);
        denial.missing = self.policy().permissions().missing(&self.operation.permissions, &held);
        Err(self.refuse(denial, principal))
    }

    fn resource(&self, principal: &Principal<'_>) -> Result<(), Stop> {
        let Some(resource_type) = &self.operation.resource else { return Ok(()) };
        let named = self.request.resource.filter(|resource| {
            resource.split_once(':').is_some_and(|(kind, id)| kind == &**resource_type && !id.is_empty())
        });
        let Some(resource) = named else {
            let text = format!("operation `{}` acts on a `{resource_type}:ID`; pass it", self.operation.name);
            return Err(Stop::Fail(Error::invalid_field("resource", text)));
        };
        // Kinds without resources are bound by org and permission alone.
        let bound = !principal.is_bound_to_resources()
            || principal.restrictions.is_some_and(|bound| bound.resources.allows(resource));
        if bound { Ok(()) } else { Err(self.refuse_with(Code::ResourceNotAllowed, principal)) }
    }

    fn entitlement(&self, principal: &Principal<'_>, plan: Option<&PlanInForce>) -> Result<(), Stop> {
        let held =
            plan.and_then(|plan| self.policy().plans().at(plan.index?)).map_or(0, |plan| plan.entitlements);
        let missing = self.operation.entitlements & !held;
        if missing == 0 {
            return Ok(());
        }
        let mut denial = self.denial(Code::EntitlementRequired, Reason::None);
        let names = self.policy().entitlements().iter().enumerate();
        denial.missing =
            names.filter(|(bit, _)| missing >> bit & 1 == 1).map(|(_, name)| name.clone()).collect();
        Err(self.refuse(denial, principal))
    }

    /// Whether an allowed call moves the key's last-used time (row A-10).
    pub(super) fn counts_as_use(&self) -> bool {
        match self.policy().lifecycle().last_used_on {
            LastUsedOn::Any => true,
            LastUsedOn::Counted => self.operation.is_counted() && self.request.cost != Some(0),
        }
    }

    /// The permissions that the operation needs.
    pub(super) fn needed(&self) -> &PermissionSet {
        &self.operation.permissions
    }

    pub(super) fn denial(&self, code: Code, reason: Reason) -> Box<Denial> {
        let mut denial = Box::new(Denial::new(code, self.now));
        denial.reason = reason;
        denial
    }

    fn deny(&self, code: Code, reason: Reason) -> Stop {
        Stop::Deny(self.denial(code, reason))
    }

    fn refuse_with(&self, code: Code, principal: &Principal<'_>) -> Stop {
        self.refuse(self.denial(code, Reason::None), principal)
    }

    /// A refusal of a proved key or person: the host may know whose it was.
    pub(super) fn refuse(&self, mut denial: Box<Denial>, principal: &Principal<'_>) -> Stop {
        let account_id = principal.account.key().account_id.as_str();
        let scope = TenantScope::new(account_id, principal.environment_name, None, ScopeUser::None);
        denial.who = Some(Box::new(Identity::new(principal.id, scope, None)));
        Stop::Deny(denial)
    }
}
