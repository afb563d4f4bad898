//! Verified domains: who may enter `https://app.example.com` as an allowed origin of a publishable key (row A-17).
//!
//! A claim is made for one (account, org, resource) and gets a random token. The domain's owner publishes the token, in
//! a DNS TXT record or a file, and a check through a [`Resolver`] or [`FileFetcher`] finds it there. A verified domain
//! covers itself and its sub-domains when origins are entered; the comparison at request time stays exact. A look-up
//! that fails says nothing: it neither verifies a domain nor takes the verification away.

#[cfg(feature = "dns")]
mod dns;
mod name;

#[cfg(feature = "dns")]
pub use dns::DnsResolver;
pub use name::{DomainError, DomainName, is_local_host};

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::resource::Resource;
use crate::tenant::id::{AccountId, OrgId};
use serde::{Deserialize, Serialize};

/// The label in front of the domain under which the TXT record is looked for.
pub const TXT_LABEL: &str = "_tenantkit-challenge";
/// The path of the file, below `https://` and the domain.
pub const FILE_PATH: &str = "/.well-known/tenantkit-challenge.txt";
/// Records of one name, and bytes of one record or file, beyond which an answer is not read.
const MAX_RECORDS: usize = 200;
const MAX_ANSWER_LEN: usize = 4_096;
const TOKEN_LEN: usize = 20;

/// For whom a domain is claimed. Claims are compared whole: one for an agent says nothing about another agent, nor
/// about the org without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainClaim {
    /// The account.
    pub account_id: AccountId,
    /// The org, for keys that are bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// The resource, such as `agent:a1`, for keys that are bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
}

/// A domain that someone claimed, with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifiedDomain {
    claim: DomainClaim,
    domain: DomainName,
    method: DomainMethod,
    token: Box<str>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verified_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checked_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_at: Option<Timestamp>,
}

/// How a domain is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DomainMethod {
    /// A token in a DNS TXT record.
    Dns,
    /// A token in a file on the domain's own web server.
    Http,
}

/// What is known about a claimed domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// The token has not been found yet.
    Pending,
    /// The token was found at the last check that got an answer.
    Verified,
    /// The token was found once, and then no longer.
    Lost,
}

/// Whether a check that got an answer found the token in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCheck {
    /// It was there.
    Found,
    /// It was not there.
    Missing,
}

/// Looks up DNS records.
///
/// # Contract
/// `txt` gives the texts of all TXT records of a name, the strings of each record joined. A name that has none, or does
/// not exist, is an empty list. Anything short of an answer is an error: a time-out, a refusing server.
///
/// # Writing your own
/// May block; the engine calls it from management calls and jobs only, never while it authorizes a request.
pub trait Resolver: Send + Sync {
    /// The TXT records of `name`, a full name without a final dot.
    ///
    /// # Errors
    /// When there was no answer.
    fn txt(&self, name: &str) -> Result<Vec<String>, LookupError>;
}

/// Fetches small files. The crate makes no HTTP requests itself, so a host that offers this method brings the client.
///
/// # Contract
/// `fetch` gives the body of a `200` answer, or `None` for `404` and `410`. Any other outcome is an error. The address
/// is chosen by a stranger: connect to public addresses only, follow no redirect to another host, and read at most a
/// few KiB.
pub trait FileFetcher: Send + Sync {
    /// The file at `url`.
    ///
    /// # Errors
    /// When there was no answer.
    fn fetch(&self, url: &str) -> Result<Option<String>, LookupError>;
}

/// A look-up that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not look up the domain: {reason}; try again later")]
pub struct LookupError {
    reason: String,
}

impl LookupError {
    /// A failed look-up; `reason` is for operators.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl VerifiedDomain {
    /// A new claim with a token of its own, 160 random bits, to be published by the domain's owner.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`](crate::error::ErrorKind::Entropy) when the random source fails.
    pub fn challenge(
        claim: DomainClaim,
        domain: DomainName,
        method: DomainMethod,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut bytes = [0; TOKEN_LEN];
        entropy.fill(&mut bytes)?;
        let token = data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
        Ok(Self {
            claim,
            domain,
            method,
            token: token.into(),
            created_at: now,
            verified_at: None,
            checked_at: None,
            lost_at: None,
        })
    }

    /// For whom the domain is claimed.
    #[must_use]
    pub fn claim(&self) -> &DomainClaim {
        &self.claim
    }

    /// The account that claims it.
    #[must_use]
    pub fn account_id(&self) -> &AccountId {
        &self.claim.account_id
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// How it is verified.
    #[must_use]
    pub fn method(&self) -> DomainMethod {
        self.method
    }

    /// When it was claimed.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When the token was first found; `None` before.
    #[must_use]
    pub fn verified_at(&self) -> Option<Timestamp> {
        self.verified_at
    }

    /// When a check last got an answer.
    #[must_use]
    pub fn checked_at(&self) -> Option<Timestamp> {
        self.checked_at
    }

    /// What is known about it.
    #[must_use]
    pub fn state(&self) -> DomainState {
        match (self.verified_at, self.lost_at) {
            (None, _) => DomainState::Pending,
            (Some(_), None) => DomainState::Verified,
            (Some(_), Some(_)) => DomainState::Lost,
        }
    }

    /// Whether both are the same domain claimed for the same (account, org, resource): the identity of a row.
    #[must_use]
    pub fn is_same_claim(&self, other: &Self) -> bool {
        self.claim == other.claim && self.domain == other.domain
    }

    /// The name whose TXT record must hold [`proof_text`](Self::proof_text).
    #[must_use]
    pub fn txt_name(&self) -> String {
        format!("{TXT_LABEL}.{}", self.domain)
    }

    /// The address of the file that must hold [`proof_text`](Self::proof_text).
    #[must_use]
    pub fn file_url(&self) -> String {
        format!("https://{}{FILE_PATH}", self.domain)
    }

    /// The text to publish. It is no secret: it proves something only where it stands.
    #[must_use]
    pub fn proof_text(&self) -> String {
        format!("tenantkit-verification={}", self.token)
    }

    /// Looks for the token in DNS.
    ///
    /// # Errors
    /// When there was no answer; then nothing is known that was not known before.
    pub fn look_up_txt(&self, resolver: &dyn Resolver) -> Result<TokenCheck, LookupError> {
        let proof = self.proof_text();
        let records = resolver.txt(&self.txt_name())?;
        let found = records.iter().take(MAX_RECORDS).any(|record| *record == proof);
        Ok(if found { TokenCheck::Found } else { TokenCheck::Missing })
    }

    /// Looks for the token in the file. A final line break is allowed, as editors write one.
    ///
    /// # Errors
    /// When there was no answer; then nothing is known that was not known before.
    pub fn look_up_file(&self, files: &dyn FileFetcher) -> Result<TokenCheck, LookupError> {
        let proof = self.proof_text();
        let found = files
            .fetch(&self.file_url())?
            .is_some_and(|body| body.len() <= MAX_ANSWER_LEN && body.trim_end_matches(['\r', '\n']) == proof);
        Ok(if found { TokenCheck::Found } else { TokenCheck::Missing })
    }

    /// The record after a check that got an answer at `now`.
    #[must_use]
    pub fn checked(mut self, check: TokenCheck, now: Timestamp) -> Self {
        self.checked_at = Some(now);
        match check {
            TokenCheck::Found => {
                self.verified_at = self.verified_at.or(Some(now));
                self.lost_at = None;
            }
            TokenCheck::Missing if self.verified_at.is_some() => {
                self.lost_at = self.lost_at.or(Some(now));
            }
            TokenCheck::Missing => {}
        }
        self
    }

    /// Whether a verified domain should be looked at again. `recheck_s` is the period in seconds; `None` is never.
    #[must_use]
    pub fn is_recheck_due(&self, recheck_s: Option<u32>, now: Timestamp) -> bool {
        let (Some(period), Some(checked)) = (recheck_s, self.checked_at) else { return false };
        self.verified_at.is_some() && now >= checked.plus_seconds(i64::from(period))
    }

    /// Whether `host`, in lower-case ASCII, is this domain or a sub-domain of it, and the verification stands. A loss
    /// counts only while re-checking is on.
    #[must_use]
    pub fn covers(&self, host: &str, recheck_s: Option<u32>) -> bool {
        let stands = match self.state() {
            DomainState::Pending => false,
            DomainState::Verified => true,
            DomainState::Lost => recheck_s.is_none(),
        };
        stands && self.domain.covers(host)
    }
}

/// Whether an origin with this host may be entered, or with re-checking still be used, by a key of `claim`: the host is
/// the local machine or one of the domains verified for that claim covers it. `host` is in lower-case ASCII, as a
/// normalised origin has it.
#[must_use]
pub fn is_host_verified(
    domains: &[VerifiedDomain],
    claim: &DomainClaim,
    host: &str,
    recheck_s: Option<u32>,
) -> bool {
    is_local_host(host)
        || domains.iter().any(|domain| domain.claim == *claim && domain.covers(host, recheck_s))
}

#[cfg(test)]
mod tests;
