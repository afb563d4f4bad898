//! The tenant a request names: org id, user id and the proof of the user id, from query, headers and path.
//!
//! Only the names that the policy declares are read. Query values are percent-decoded once, and `+` is a plus; header
//! values stand as sent; path values come decoded from the host. A parameter given twice in one carrier is refused even if
//! equal; carriers must agree; nothing is trimmed, folded or repaired, and an empty value is not an absent one (rows A-28,
//! The org is judged before the user.

use crate::code::Code;
use crate::headers::{Headers, MAX_HEADER_VALUE_LEN};
use crate::policy::model::ParamNames;
use crate::tenant::id::IdSyntax;
use std::borrow::Cow;
use std::fmt;

/// The longest query string that is read, in bytes.
pub const MAX_QUERY_LEN: usize = 64 * 1024;
/// The longest proof of a user id, in bytes.
pub const MAX_PROOF_LEN: usize = 128;

/// The names under which a policy reads each parameter, and what an id looks like.
#[derive(Clone, Copy, Debug)]
pub struct ParamRules<'p> {
    /// Where the org id is read.
    pub org: &'p ParamNames,
    /// Where the user id is read.
    pub user: &'p ParamNames,
    /// Where the proof of the user id is read.
    pub proof: &'p ParamNames,
    /// What an org or user id looks like.
    pub syntax: IdSyntax,
}

/// Where a request may name its tenant.
#[derive(Clone, Copy, Default)]
pub struct ParamSources<'r> {
    /// The query string as sent, without `?`.
    pub query: &'r str,
    /// The headers as sent.
    pub headers: Headers<'r>,
    /// The org from the path, decoded by the host; also what a host passes without HTTP. Whatever names a policy
    /// declares, what the host itself passes is read.
    pub org_id: Option<&'r str>,
    /// The user, likewise.
    pub user_id: Option<&'r str>,
}

/// What the request names, well formed. Nothing is allocated unless a query value was percent-encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantParams<'r> {
    /// The org id.
    pub org: Option<Cow<'r, str>>,
    /// The user id.
    pub user: Option<Cow<'r, str>>,
    /// The proof of the user id.
    pub proof: ProofParam<'r>,
}

/// The proof of a user id, as sent. It is judged only where a proof is due, so a bad one is a value. `Debug` redacts it.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum ProofParam<'r> {
    /// Not given.
    #[default]
    Absent,
    /// Given more than once, too long, or badly encoded: no proof.
    Malformed,
    /// Given once, or equal in all carriers.
    Given(Cow<'r, str>),
}

impl<'r> TenantParams<'r> {
    /// Reads the parameters that `rules` declare.
    ///
    /// # Errors
    /// The first refusal: [`Code::OrgDuplicate`], [`Code::OrgInvalid`], [`Code::TenantConflict`], then the same of the
    /// user.
    pub fn read(rules: &ParamRules<'_>, sources: &ParamSources<'r>) -> Result<Self, Code> {
        let org = axis(rules.org, sources, sources.org_id, &rules.syntax);
        let org = org.map_err(|fault| fault.code(Code::OrgDuplicate, Code::OrgInvalid))?;
        let user = axis(rules.user, sources, sources.user_id, &rules.syntax);
        let user = user.map_err(|fault| fault.code(Code::UserDuplicate, Code::UserInvalid))?;
        let proof = collect(rules.proof, sources, None, |proof| proof.len() <= MAX_PROOF_LEN);
        let proof = match proof {
            Ok(None) => ProofParam::Absent,
            Ok(Some(proof)) => ProofParam::Given(proof),
            Err(_) => ProofParam::Malformed,
        };
        Ok(Self { org, user, proof })
    }
}

impl fmt::Debug for ProofParam<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Malformed => "Malformed",
            Self::Given(_) => "Given(redacted)",
        })
    }
}

impl fmt::Debug for ParamSources<'_> {
    /// Without values: a query may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParamSources").field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// What is wrong with one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Duplicate,
    Invalid,
    Conflict,
}

impl Fault {
    const fn code(self, duplicate: Code, invalid: Code) -> Code {
        match self {
            Self::Duplicate => duplicate,
            Self::Invalid => invalid,
            Self::Conflict => Code::TenantConflict,
        }
    }
}

/// One id.
fn axis<'r>(
    names: &ParamNames,
    sources: &ParamSources<'r>,
    path: Option<&'r str>,
    syntax: &IdSyntax,
) -> Result<Option<Cow<'r, str>>, Fault> {
    collect(names, sources, path, |id| syntax.check(id).is_ok())
}

/// The one value of a parameter over all its carriers. A repeated one is reported before a bad one, and that before two
/// that differ.
fn collect<'r>(
    names: &ParamNames,
    sources: &ParamSources<'r>,
    path: Option<&'r str>,
    is_valid: impl Fn(&str) -> bool,
) -> Result<Option<Cow<'r, str>>, Fault> {
    let query = match &names.query {
        Some(_) if sources.query.len() > MAX_QUERY_LEN => return Err(Fault::Invalid),
        Some(name) => {
            once(pairs(sources.query).filter(|(key, _)| is_named(key, name)).map(|(_, value)| value))?
        }
        None => None,
    };
    let header = match &names.header {
        Some(_) if sources.headers.are_too_many() => return Err(Fault::Invalid),
        Some(name) => once(sources.headers.values(name.as_str()))?,
        None => None,
    };
    let query = query.map(|value| decode(value).ok_or(Fault::Invalid)).transpose()?;
    let header = header.map(|value| utf8(value).ok_or(Fault::Invalid)).transpose()?;
    let values = [query, header.map(Cow::Borrowed), path.map(Cow::Borrowed)];
    if values.iter().flatten().any(|value| !is_valid(value)) {
        return Err(Fault::Invalid);
    }
    let mut values = values.into_iter().flatten();
    let first = values.next();
    if values.any(|value| first.as_ref() != Some(&value)) {
        return Err(Fault::Conflict);
    }
    Ok(first)
}

/// The only value there is.
fn once<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Fault> {
    let value = values.next();
    if values.next().is_some() { Err(Fault::Duplicate) } else { Ok(value) }
}

fn utf8(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|value| value.len() <= MAX_HEADER_VALUE_LEN)
}

/// Names and values of a query as sent; a name without `=` has an empty value.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether a name in a query, once decoded, is this parameter: `org%5Fid` is `org_id` to whoever reads it next.
fn is_named(encoded: &str, name: &str) -> bool {
    encoded == name || encoded.contains('%') && decode(encoded).is_some_and(|decoded| decoded == name)
}

/// One percent-decoding; `None` for a `%` without two hexadecimal digits, or if the bytes are not UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    let Some((plain, _)) = text.split_once('%') else { return Some(Cow::Borrowed(text)) };
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend_from_slice(plain.as_bytes());
    let mut rest = text.as_bytes().get(plain.len()..)?.iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(*rest.next()?).to_digit(16)?;
            let low = char::from(*rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
