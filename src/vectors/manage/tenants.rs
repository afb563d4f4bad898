//! Steps about tenants, their domains and the proofs of their users.

use super::{Act, By, shown_as};
use crate::authority::{DomainRequest, Lookup, TenantEdit, TenantName};
use crate::domain::{LookupError, Resolver};
use crate::error::Error;
use crate::tenant::proof::UserClaim;
use crate::vectors::answer::{Answer, done, failed, instant, object};
use crate::vectors::document::{Step, read};
use crate::vectors::world::World;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantArguments {
    account: String,
    environment: Option<String>,
    org: Option<String>,
    user: Option<String>,
    by: Option<By>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantsArguments {
    account: String,
    environment: Option<String>,
    org: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainArguments {
    account: String,
    body: Map<String, Value>,
    /// `verify_domain`: whether the owner has published the proof.
    found: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretArguments {
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignArguments {
    #[serde(rename = "as")]
    name: String,
    key: String,
    org: Option<String>,
    user: String,
    at: Option<String>,
}

/// Tenants of one page of a listing.
const PAGE: u32 = 200;

impl World {
    pub(super) fn change_tenant(&mut self, step: &Step) -> Result<Answer, String> {
        let TenantArguments { account, environment, org, user, by } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act { by, operation_id: None })?;
        let name = match (&org, user) {
            (org, Some(user)) => TenantName::user(account, org.as_deref(), user),
            (Some(org), None) => TenantName::org(account, org.as_str()),
            (None, None) => TenantName::account(account),
        };
        let name = environment.into_iter().fold(name, TenantName::environment);
        Ok(match step.verb.as_str() {
            "put_tenant" => shown_as(authority.put_tenant(&caller, &name, &TenantEdit::default())),
            "suspend_tenant" => shown_as(authority.suspend_tenant(&caller, &name)),
            "resume_tenant" => shown_as(authority.resume_tenant(&caller, &name)),
            "delete_tenant" => shown_as(authority.delete_tenant(&caller, &name)),
            "erase_tenant" => done(authority.erase_tenant(&caller, &name).map(drop)),
            _ => done(authority.release_tenant(&caller, &name)),
        })
    }

    /// The orgs of an account, or the users of one org, in the environment named or the default one.
    pub(super) fn tenants(&mut self, step: &Step) -> Result<Answer, String> {
        let TenantsArguments { account, environment, org } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act::default())?;
        let default = self.policy().default_environment().map(|environment| environment.name.to_string());
        let environment = environment.or(default).ok_or("`environment` must be named under this policy")?;
        let name = match &org {
            Some(org) => TenantName::org(account, org.as_str()),
            None => TenantName::account(account),
        };
        let name = name.environment(environment);
        let (mut after, mut orgs, mut users) = (None, Vec::new(), Vec::new());
        loop {
            let page = match authority.tenants(&caller, &name, None, after, PAGE) {
                Ok(page) => page,
                Err(error) => return Ok(failed(&error)),
            };
            for tenant in page.items {
                match (tenant.org_id, tenant.user_id) {
                    (_, Some(user)) if org.is_some() => users.push(user),
                    (Some(org), None) => orgs.push(org),
                    _ => {}
                }
            }
            after = page.next;
            if after.is_none() {
                let members = if org.is_some() { json!({ "users": users }) } else { json!({ "orgs": orgs }) };
                return Ok(object(members));
            }
        }
    }

    pub(super) fn change_domain(&mut self, step: &Step) -> Result<Answer, String> {
        let DomainArguments { account, body: members, found } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act::default())?;
        let request: DomainRequest = read(&members)?;
        Ok(match step.verb.as_str() {
            "claim_domain" => shown_as(authority.claim_domain(&caller, &account, &request)),
            "remove_domain" => done(authority.remove_domain(&caller, &account, &request)),
            _ => {
                // A claim that stands is answered with the proof to publish.
                let domains = authority.domains(&caller, &account).map_err(|e| e.to_string())?;
                let published =
                    domains.into_iter().filter(|_| found == Some(true)).map(|domain| domain.publish);
                let records = TxtRecords(published.collect());
                shown_as(authority.verify_domain(&caller, &account, &request, Lookup::dns(&records)))
            }
        })
    }

    pub(super) fn make_proof_secret(&mut self, step: &Step) -> Result<Answer, String> {
        let SecretArguments { account } = step.arguments()?;
        let authority = self.process(&step.process)?;
        let caller = self.caller(&step.process, &account, Act::default())?;
        Ok(match authority.new_user_proof_secret(&caller, &account) {
            Ok(secret) => {
                let made = secret.is_some();
                self.proof_secrets.extend(secret.map(|secret| (account, secret)));
                object(json!({ "ok": made }))
            }
            Err(error) => failed(&error),
        })
    }

    /// A proof of a user id, as the account's backend makes it, for `$proof:NAME`.
    pub(super) fn sign(&mut self, step: &Step) -> Result<Answer, String> {
        let SignArguments { name, key, org, user, at } = step.arguments()?;
        let at = at.map_or_else(|| Ok(crate::clock::Clock::now(&*self.clock)), |at| instant(&at))?;
        let key = self.key(&key)?;
        let secret = self.proof_secrets.get(&key.account_id).ok_or("the account has no proof secret")?;
        let claim =
            UserClaim { account_id: &key.account_id, org_id: org.as_deref(), key_id: key.id, user_id: &user };
        let proof = claim.sign(secret, at).map_err(|e: Error| e.to_string())?;
        self.proofs.insert(name, proof);
        Ok(object(json!({ "ok": true })))
    }
}

/// The TXT records that a domain's owner has published, whatever the name.
struct TxtRecords(Vec<String>);

impl Resolver for TxtRecords {
    fn txt(&self, _: &str) -> Result<Vec<String>, LookupError> {
        Ok(self.0.clone())
    }
}
