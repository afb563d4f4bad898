//! People: one authoriser for humans and keys (row MS-07). The host signs people in itself; here they are judged by the
//! same steps as a key with the same rights.

use super::call::{Call, Stop, Want};
use super::charge::Next;
use super::principal::Principal;
use super::registry::Source;
use super::{Authority, Inner, Person, Request};
use crate::decision::Decision;
use crate::error::Error;
use crate::permission::PermissionSet;
use crate::policy::Policy;
use crate::records::Noted;
use crate::store::TenantKey;
use crate::tenant::{AccountId, Bindings, OrgBinding, OrgId, Preset, UserBinding, UserId};

impl Authority {
    /// Judges a request of a person that the host has signed in: operation, tenant and limits as for a key. The person's
    /// memberships act as a list of orgs; the user is the person.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize); `validation_error` for a person whose ids or role the policy does not know.
    pub fn authorize_person(&self, person: &Person, request: &Request<'_>) -> Result<Decision, Error> {
        let decided = self.inner.decide_person(person, request).map(|(decision, _)| decision);
        self.inner.tell(request, Stop::into_decision(decided))
    }

    /// The value of an `Authorization: Bearer` header that is no key of this policy, where the policy hands such to the
    /// host's own authenticator of people.
    #[must_use]
    pub fn human_token<'r>(&self, request: &Request<'r>) -> Option<&'r str> {
        use crate::credential::Credential;
        let engine = self.inner.engine.load();
        let formats = engine.policy.formats();
        let headers = crate::headers::Headers::new(request.headers);
        match engine.policy.credentials().carriers.extract(headers, |text| formats.is_ours(text)) {
            Credential::Human(token) => Some(token),
            _ => None,
        }
    }
}

impl Inner {
    fn decide_person(
        &self,
        person: &Person,
        request: &Request<'_>,
    ) -> Result<(Decision, Vec<crate::ledger::HeldLine>), Stop> {
        let engine = self.engine.load();
        let call = Call::new(&engine, request, Want::Charge, self.now(), self.seal_key.as_ref())?;
        let policy = &*engine.policy;
        let syntax = &policy.tenancy().id_syntax;
        let account_id = AccountId::parse(&person.account_id, syntax)
            .map_err(|error| Error::invalid_field("account_id", error.to_string()))?;
        let user_id = UserId::parse(&person.user_id, syntax)
            .map_err(|error| Error::invalid_field("user_id", error.to_string()))?;
        let environment =
            request.environment.map_or_else(|| policy.default_environment(), |name| policy.environment(name));
        let environment = environment
            .ok_or_else(|| Error::invalid_field("environment", "must be named: the policy has several"))?;
        let roles = PersonRoles::new(person, policy)?;
        let bindings = roles.bindings(user_id)?;
        let account = engine.records.tenant(TenantKey::account(account_id), Noted::Nothing)?;
        let principal = Principal::of_person(
            &account,
            environment.index,
            &environment.name,
            &bindings,
            &roles.everywhere,
            &roles.by_org,
        );
        let judged = call.judge_principal(principal, Source::Store(&engine.records, Noted::Nothing))?;
        match self.charge_local(&call, judged)? {
            Next::Done(decision) => Ok((decision, Vec::new())),
            Next::Ask(pending) => self.charge(*pending),
        }
    }
}

/// What a person may do, and where.
struct PersonRoles {
    everywhere: PermissionSet,
    by_org: Vec<(OrgId, PermissionSet)>,
    whole_account: bool,
}

impl PersonRoles {
    fn new(person: &Person, policy: &Policy) -> Result<Self, Error> {
        let catalogue = policy.permissions();
        let own = catalogue.resolve(person.permissions.iter().map(|name| &**name)).map_err(|name| {
            Error::invalid_field("permission", format!("the policy has no permission `{name}`"))
        })?;
        let mut roles = Self { everywhere: own, by_org: Vec::new(), whole_account: false };
        for membership in &person.memberships {
            let role = membership.role.as_deref().map(|name| {
                policy
                    .role(name)
                    .map(|role| role.permissions)
                    .ok_or_else(|| Error::invalid_field("role", format!("the policy has no role `{name}`")))
            });
            let held = role.transpose()?.unwrap_or_default().union(&own);
            match &membership.org_id {
                Some(org_id) => {
                    let org_id = OrgId::parse(org_id, &policy.tenancy().id_syntax)
                        .map_err(|error| Error::invalid_field("org_id", error.to_string()))?;
                    roles.by_org.push((org_id, held));
                }
                None => {
                    roles.everywhere = roles.everywhere.union(&held);
                    roles.whole_account = true;
                }
            }
        }
        Ok(roles)
    }

    /// Memberships act as a list of orgs (row A-15); one who belongs to the account as a whole reaches all of them.
    fn bindings(&self, user_id: UserId) -> Result<Bindings, Error> {
        let user = UserBinding::Fixed(user_id);
        if self.whole_account {
            return Bindings::new(Preset::Platform, OrgBinding::Open { create: false, default: None }, user);
        }
        if self.by_org.is_empty() {
            return Bindings::new(Preset::Solo, OrgBinding::None, user);
        }
        let orgs: Vec<OrgId> = self.by_org.iter().map(|(org, _)| org.clone()).collect();
        let default = (orgs.len() == 1).then(|| orgs.first().cloned()).flatten();
        Bindings::new(Preset::Platform, OrgBinding::List { orgs, default }, user)
    }
}
