//! Rules about ids, origins, addresses, domains and resources.

use crate::address::{ForwardedHeader, NetworkList, TrustedProxies};
use crate::domain::DomainName;
use crate::headers::{HeaderName, Headers};
use crate::origin::{Origin, OriginMatch, OriginPattern};
use crate::resource::{Resource, ResourceBinding};
use crate::tenant::proof::{ProofSecret, UserClaim};
use crate::tenant::{IdSyntax, ScopeUser, TenantScope};
use crate::vectors::answer::{Answer, instant, object};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantIdCase {
    alphabet: String,
    text: String,
}

/// Whether a text is an org or user id.
pub(super) fn tenant_id(case: &TenantIdCase) -> Result<Answer, String> {
    let syntax = match case.alphabet.as_str() {
        "wide" => IdSyntax::wide(),
        "narrow" => IdSyntax::narrow(),
        other => return Err(format!("`{other}` is no alphabet of ids")),
    };
    Ok(object(json!({ "ok": syntax.check(&case.text).is_ok() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OriginCase {
    text: String,
}

/// An origin in its normal form.
pub(super) fn origin(case: &OriginCase) -> Result<Answer, String> {
    let normal = OriginPattern::enter(&case.text, OriginMatch::Exact)
        .map_or(Value::Null, |origin| json!(origin.to_string()));
    Ok(object(json!({ "origin": normal })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OriginMatchCase {
    mode: OriginMatch,
    pattern: String,
    origin: String,
}

/// Whether what an owner entered stands for what a browser sent.
pub(super) fn origin_match(case: &OriginMatchCase) -> Result<Answer, String> {
    let Ok(pattern) = OriginPattern::enter(&case.pattern, case.mode) else {
        return Ok(object(json!({ "ok": false })));
    };
    let matches = Origin::parse(&case.origin).is_ok_and(|origin| pattern.matches(&origin));
    Ok(object(json!({ "ok": true, "matches": matches })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IpAllowCase {
    networks: Vec<String>,
    address: Option<IpAddr>,
}

/// Whether an address lies in a list.
pub(super) fn ip_allow(case: &IpAllowCase) -> Result<Answer, String> {
    let Ok(networks) = NetworkList::parse(&case.networks) else { return Ok(object(json!({ "ok": false }))) };
    Ok(object(json!({ "ok": true, "allowed": networks.allows(case.address) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientAddressCase {
    proxies: Vec<String>,
    peer: IpAddr,
    forwarded_for: Vec<String>,
}

/// The client behind proxies that write `X-Forwarded-For`.
pub(super) fn client_address(case: &ClientAddressCase) -> Result<Answer, String> {
    let networks = NetworkList::parse(&case.proxies).map_err(|e| e.to_string())?;
    let header: HeaderName = "x-forwarded-for".parse().map_err(|_| "the header has no name")?;
    let lines: Vec<(&str, &[u8])> =
        case.forwarded_for.iter().map(|line| ("X-Forwarded-For", line.as_bytes())).collect();
    let proxies = TrustedProxies::new(networks, ForwardedHeader::List(header));
    let client = proxies.client_address(Some(case.peer), Headers::new(&lines));
    Ok(object(json!({ "client": client.map(|client| client.to_string()) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainCase {
    domain: String,
    host: String,
}

/// Whether a host lies within a domain.
pub(super) fn domain(case: &DomainCase) -> Result<Answer, String> {
    let Ok(domain) = DomainName::parse(&case.domain) else { return Ok(object(json!({ "ok": false }))) };
    Ok(object(json!({ "ok": true, "covers": domain.covers(&case.host) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceCase {
    text: String,
}

/// A resource and its two parts.
pub(super) fn resource(case: &ResourceCase) -> Result<Answer, String> {
    let Ok(resource) = Resource::parse(&case.text) else { return Ok(object(json!({ "ok": false }))) };
    Ok(object(json!({ "ok": true, "type": resource.kind(), "id": resource.id() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceAllowCase {
    binding: ResourceBinding,
    resource: String,
}

/// Whether a binding reaches a resource.
pub(super) fn resource_allow(case: &ResourceAllowCase) -> Result<Answer, String> {
    Ok(object(json!({ "allowed": case.binding.allows(&case.resource) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserProofCase {
    secret: String,
    account_id: String,
    org_id: Option<String>,
    key_id: String,
    user_id: String,
    proof: String,
    at: String,
}

/// Whether a user id is proved at an instant.
pub(super) fn user_proof(case: &UserProofCase) -> Result<Answer, String> {
    let secret = data_encoding::HEXLOWER.decode(case.secret.as_bytes()).map_err(|e| e.to_string())?;
    let secret = ProofSecret::new(&secret).map_err(|e| e.to_string())?;
    let key_id = case.key_id.parse().map_err(|_| "`key_id` is no key id")?;
    let (account_id, user_id) = (case.account_id.as_str(), case.user_id.as_str());
    let claim = UserClaim { account_id, org_id: case.org_id.as_deref(), key_id, user_id };
    Ok(object(json!({ "proved": claim.is_proved_by(&case.proof, &secret, instant(&case.at)?) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StorageKeyCase {
    account_id: String,
    environment: String,
    org_id: Option<String>,
    user_id: Option<String>,
    namespace: String,
    name: String,
}

/// The storage key of a name in a scope.
pub(super) fn storage_key(case: &StorageKeyCase) -> Result<Answer, String> {
    let user = case.user_id.as_deref().map_or(ScopeUser::None, ScopeUser::Named);
    let scope = TenantScope::new(&case.account_id, &case.environment, case.org_id.as_deref(), user);
    Ok(object(json!({ "key": scope.storage_key(&case.namespace, &case.name) })))
}
