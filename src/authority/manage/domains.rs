//! Domains: claimed, verified through the host's resolver, looked at again, given up.

use super::act::{Act, Draft};
use super::caller::Caller;
use super::view::{rfc3339, rfc3339_or_null};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::domain::{
    DomainClaim, DomainMethod, DomainName, DomainState, FileFetcher, LookupError, Resolver, TokenCheck,
    VerifiedDomain,
};
use crate::error::{Error, ErrorKind};
use crate::resource::Resource;
use crate::store::DomainWrite;
use crate::tenant::id::OrgId;
use serde::{Deserialize, Serialize};

/// Which domain, and for whom: keys of this org and resource may then be used from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct DomainRequest {
    pub(crate) domain: Box<str>,
    pub(crate) org_id: Option<Box<str>>,
    pub(crate) resource: Option<Box<str>>,
    pub(crate) method: Option<DomainMethod>,
}

/// How to look a domain up: through a resolver, a fetcher of files, or either.
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct Lookup<'a> {
    resolver: Option<&'a dyn Resolver>,
    files: Option<&'a dyn FileFetcher>,
}

/// A claimed domain, with what its owner has to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DomainView {
    /// The domain; it covers its sub-domains.
    pub domain: Box<str>,
    /// The org it is claimed for.
    pub org_id: Option<Box<str>>,
    /// The resource it is claimed for.
    pub resource: Option<Box<str>>,
    /// How it is verified.
    pub method: DomainMethod,
    /// What is known about it.
    pub state: DomainState,
    /// Where the proof must stand: the name of a TXT record, or the address of a file.
    pub publish_at: String,
    /// The proof to publish; it is no secret.
    pub publish: String,
    /// When it was claimed.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
    /// When the proof was first found.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub verified_at: Option<Timestamp>,
    /// When a check last got an answer.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub checked_at: Option<Timestamp>,
    /// Whether the policy wants it looked at again now: call [`verify_domain`](Authority::verify_domain).
    pub recheck_due: bool,
}

impl DomainRequest {
    /// This domain, for the account as a whole.
    pub fn new(domain: impl Into<Box<str>>) -> Self {
        Self { domain: domain.into(), ..Self::default() }
    }

    /// For keys of this org.
    pub fn org_id(mut self, org_id: impl Into<Box<str>>) -> Self {
        self.org_id = Some(org_id.into());
        self
    }

    /// For keys that are bound to this resource, such as `agent:a1`.
    pub fn resource(mut self, resource: impl Into<Box<str>>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Verified in this way; the policy's first if not given.
    pub fn method(mut self, method: DomainMethod) -> Self {
        self.method = Some(method);
        self
    }
}

impl<'a> Lookup<'a> {
    /// Through DNS.
    pub fn dns(resolver: &'a dyn Resolver) -> Self {
        Self { resolver: Some(resolver), files: None }
    }

    /// Through files on the domain's own server.
    pub fn files(files: &'a dyn FileFetcher) -> Self {
        Self { resolver: None, files: Some(files) }
    }

    /// The other way too.
    pub fn or(self, other: Self) -> Self {
        Self { resolver: self.resolver.or(other.resolver), files: self.files.or(other.files) }
    }

    fn check(&self, domain: &VerifiedDomain) -> Result<TokenCheck, Error> {
        let checked: Option<Result<TokenCheck, LookupError>> = match domain.method() {
            DomainMethod::Dns => self.resolver.map(|resolver| domain.look_up_txt(resolver)),
            DomainMethod::Http => self.files.map(|files| domain.look_up_file(files)),
        };
        let text = "the domain could not be looked up; nothing is known that was not known before";
        match checked {
            Some(Ok(check)) => Ok(check),
            Some(Err(error)) => Err(Error::new(ErrorKind::StoreUnavailable, text).with_source(error)),
            None => Err(Error::new(
                ErrorKind::InvalidArgument,
                "no resolver was given for the method of this domain",
            )),
        }
    }
}

impl Authority {
    /// Claims a domain and answers what its owner has to publish. A domain that is claimed already keeps its proof.
    ///
    /// # Errors
    /// `validation_error` about the domain, org, resource or method.
    pub fn claim_domain(
        &self,
        caller: &Caller,
        account_id: &str,
        request: &DomainRequest,
    ) -> Result<DomainView, Error> {
        self.act(caller, account_id, "domain.claim", |act| {
            let (claim, domain) = act.domain_request(request)?;
            act.commit(
                request,
                || {
                    let method = act.domain_method(request)?;
                    if let Some(known) =
                        act.claimed(&claim, &domain)?.filter(|known| known.method() == method)
                    {
                        return Ok(super::act::Step::Done(act.domain_view(&known)));
                    }
                    let entropy = &*act.inner.entropy;
                    let new =
                        VerifiedDomain::challenge(claim.clone(), domain.clone(), method, entropy, act.now)?;
                    Ok(domain_draft(&new, DomainWrite::Put(Box::new(new.clone())), act.domain_view(&new))
                        .write())
                },
                |_| Ok(act.domain_view(&act.known_domain(&claim, &domain)?)),
            )
        })
    }

    /// Looks for the proof of a claimed domain. It is verified if the proof is found; a verified one whose proof is gone
    /// is lost. A look-up without an answer changes nothing.
    ///
    /// # Errors
    /// `resource_not_found` for a domain that is not claimed; a retryable error when there was no answer.
    pub fn verify_domain(
        &self,
        caller: &Caller,
        account_id: &str,
        request: &DomainRequest,
        lookup: Lookup<'_>,
    ) -> Result<DomainView, Error> {
        self.act(caller, account_id, "domain.verify", |act| {
            let (claim, domain) = act.domain_request(request)?;
            let known = act.known_domain(&claim, &domain)?;
            let check = lookup.check(&known)?;
            act.commit(
                request,
                || {
                    // The claim may have been given up or made anew while the look-up ran.
                    let present = act.known_domain(&claim, &domain)?;
                    if present.proof_text() != known.proof_text() {
                        return Err(Error::refused(Code::VersionConflict));
                    }
                    let checked = present.checked(check, act.now);
                    let write = DomainWrite::Put(Box::new(checked.clone()));
                    let mut draft = domain_draft(&checked, write, act.domain_view(&checked));
                    draft.detail("state", checked.state());
                    Ok(draft.write())
                },
                |_| Ok(act.domain_view(&act.known_domain(&claim, &domain)?)),
            )
        })
    }

    /// All domains that the caller reaches, claimed or verified.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn domains(&self, caller: &Caller, account_id: &str) -> Result<Vec<DomainView>, Error> {
        self.look(caller, account_id, "domain.list", |act| {
            let domains = act.inner.store.domains(&act.account)?;
            let visible = domains.iter().filter(|domain| {
                *domain.account_id() == act.account && act.rights.reaches(domain.claim().org_id.as_ref())
            });
            Ok(visible.map(|domain| act.domain_view(domain)).collect())
        })
    }

    /// Gives a domain up. Keys that may be used from it keep their origins, unless the policy looks at domains again.
    ///
    /// # Errors
    /// `resource_not_found` for a domain that is not claimed.
    pub fn remove_domain(
        &self,
        caller: &Caller,
        account_id: &str,
        request: &DomainRequest,
    ) -> Result<(), Error> {
        self.act(caller, account_id, "domain.remove", |act| {
            let (claim, domain) = act.domain_request(request)?;
            act.commit(
                request,
                || {
                    let known = act.known_domain(&claim, &domain)?;
                    Ok(domain_draft(&known, DomainWrite::Delete(Box::new(known.clone())), ()).write())
                },
                |_| Ok(()),
            )
        })
    }
}

impl Act<'_> {
    fn domain_view(&self, domain: &VerifiedDomain) -> DomainView {
        DomainView::new(domain, domain.is_recheck_due(self.policy().domains().recheck_s, self.now))
    }

    /// The claim and the domain of a request, if the caller may manage them.
    fn domain_request(&self, request: &DomainRequest) -> Result<(DomainClaim, DomainName), Error> {
        let mut problems = super::problems::Problems::default();
        let domain = DomainName::parse(&request.domain).map_err(|e| problems.field("domain", e.to_string()));
        let syntax = &self.policy().tenancy().id_syntax;
        let org_id = request.org_id.as_deref().map(|org| OrgId::parse(org, syntax)).transpose();
        let org_id = org_id.map_err(|e| problems.field("org_id", e.to_string()));
        let resource = request.resource.as_deref().map(Resource::parse).transpose();
        let resource = resource.map_err(|e| problems.field("resource", e.to_string()));
        problems.finish()?;
        let (Ok(domain), Ok(org_id), Ok(resource)) = (domain, org_id, resource) else {
            return Err(Error::refused(Code::ValidationError));
        };
        if !self.rights.reaches(org_id.as_ref()) {
            let error = Error::refused(Code::GrantExceedsCreator);
            return Err(
                error.with_detail("the domain would be for an org that the caller does not belong to")
            );
        }
        Ok((DomainClaim { account_id: self.account.clone(), org_id, resource }, domain))
    }

    fn domain_method(&self, request: &DomainRequest) -> Result<DomainMethod, Error> {
        let methods = &self.policy().domains().methods;
        let method = request.method.or_else(|| methods.first().copied());
        method
            .filter(|method| methods.contains(method))
            .ok_or_else(|| Error::invalid_field("method", "is not one that the policy offers"))
    }

    fn claimed(&self, claim: &DomainClaim, domain: &DomainName) -> Result<Option<VerifiedDomain>, Error> {
        let domains = self.inner.store.domains(&self.account)?;
        Ok(domains.into_iter().find(|known| known.claim() == claim && known.domain() == domain))
    }

    fn known_domain(&self, claim: &DomainClaim, domain: &DomainName) -> Result<VerifiedDomain, Error> {
        self.claimed(claim, domain)?.ok_or_else(|| Error::refused(Code::ResourceNotFound))
    }
}

impl DomainView {
    fn new(domain: &VerifiedDomain, recheck_due: bool) -> Self {
        let publish_at = match domain.method() {
            DomainMethod::Dns => domain.txt_name(),
            DomainMethod::Http => domain.file_url(),
        };
        Self {
            domain: domain.domain().to_string().into(),
            org_id: domain.claim().org_id.as_ref().map(|org| org.as_str().into()),
            resource: domain.claim().resource.as_ref().map(|resource| resource.as_str().into()),
            method: domain.method(),
            state: domain.state(),
            publish_at,
            publish: domain.proof_text(),
            created_at: domain.created_at(),
            verified_at: domain.verified_at(),
            checked_at: domain.checked_at(),
            recheck_due,
        }
    }
}

fn domain_draft<T>(domain: &VerifiedDomain, write: DomainWrite, answer: T) -> Draft<T> {
    let mut draft = Draft::new(domain.domain(), answer);
    let claim = domain.claim();
    draft.tenant = super::compose::place(&claim.account_id, "", claim.org_id.as_ref(), None);
    if let Some(resource) = &domain.claim().resource {
        draft.detail("resource", resource.as_str());
    }
    draft.domains.push(write);
    draft
}
