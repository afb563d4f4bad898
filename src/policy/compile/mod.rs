//! From the document to the compiled policy: names become indexes, words become rules, and whatever contradicts itself,
//! names nothing or could not be kept is refused. Nothing stops at the first fault.

mod answers;
mod charges;
mod credentials;
mod format;
mod kinds;
mod lifecycle;
mod limits;
mod names;
mod operations;
mod period;
mod plans;
mod presets;
mod report;
mod rights;
mod tenancy;
#[cfg(test)]
mod tests;
mod vocabulary;

use crate::policy::document::Document;
use crate::policy::error::PolicyErrors;
use crate::policy::model::Policy;
use crate::policy::text::read::read;
use crate::policy::text::{At, Source};
use report::Report;
use sha2::{Digest, Sha256};
use vocabulary::Vocabulary;

/// Most entries of each section. Bit sets have 64 bits, and nothing here grows with a caller.
pub(crate) mod bounds {
    pub(crate) const ENVIRONMENTS: usize = 16;
    pub(crate) const KINDS: usize = 32;
    pub(crate) const GROUPS: usize = 64;
    pub(crate) const ROLES: usize = 32;
    pub(crate) const TEMPLATES: usize = 64;
    pub(crate) const RESOURCE_TYPES: usize = 32;
    pub(crate) const DIMENSIONS: usize = 16;
    pub(crate) const OPERATIONS: usize = 1_024;
    pub(crate) const NEEDED: usize = 32;
    pub(crate) const ROUTES: usize = 32;
    pub(crate) const MCP_NAMES: usize = 256;
    pub(crate) const METERS: usize = 32;
    pub(crate) const ENTITLEMENTS: usize = 64;
    pub(crate) const PLANS: usize = 64;
    pub(crate) const LIMITS: usize = 16;
    pub(crate) const SUBJECT: usize = 4;
    pub(crate) const THRESHOLDS: usize = 8;
    pub(crate) const LABELS: usize = 16;
    /// Limits and rates that one call can meet.
    pub(crate) const LIMITS_PER_CALL: usize = 8;
}

/// Parses and compiles the text of a policy.
pub(crate) fn compile(text: &str) -> Result<Policy, PolicyErrors> {
    let source = Source::parse(text)?;
    let (document, errors) = read::<Document>(&source);
    let mut report = Report::new(&source, errors);
    match assemble(&mut report, &document, text) {
        Some(policy) if report.is_clean() => Ok(policy),
        _ => Err(report.into_errors()),
    }
}

/// The sections in the order in which they name each other. `None` only with a fault in the report.
fn assemble(report: &mut Report<'_, '_>, document: &Document, text: &str) -> Option<Policy> {
    let root = At::Root;
    let words = Vocabulary::compile(report, document);
    let rights = rights::compile(report, document);
    let credentials = credentials::compile(report, &document.credentials);
    let tenancy = tenancy::compile(report, &document.tenancy, credentials.as_ref());
    let lifecycle = lifecycle::compile(report, &document.keys);
    let domains = tenancy::domains(report, &document.domains);
    let kinds = kinds::compile(report, document, &words, &rights, credentials.as_ref(), &tenancy);
    let operations = operations::compile(report, document, &words, &rights, &kinds, &lifecycle);
    let plans = plans::compile(report, document, &words, &kinds, &operations);
    let charges =
        charges::compile(report, &operations, &plans, &kinds, &words, document.usage.on_exhausted.block);
    let answers = answers::compile(report, document, &operations);
    let name = document.name.as_deref().unwrap_or_default();
    match &document.name {
        Some(name) => names::check_name(
            report,
            &root.key("name"),
            super::text::Place::Value,
            name,
            names::MAX_NAME_BYTES,
        ),
        None => report.missing(&root, "name", "give the product's name"),
    }
    if !report.is_clean() {
        return None;
    }
    Some(Policy {
        name: name.into(),
        digest: Sha256::digest(text.as_bytes()).into(),
        default_environment: words.default_environment,
        environments: words.environments,
        resource_types: words.resource_types,
        dimensions: words.dimensions,
        entitlements: words.entitlements,
        meters: words.meters,
        formats: kinds.formats?,
        default_kind: kinds.default,
        kinds: kinds.table,
        permissions: rights.catalogue,
        groups: rights.groups,
        roles: rights.roles,
        templates: rights.templates,
        router: operations.router,
        mcp_names: operations.mcp_names,
        operations: operations.table,
        plans: plans.table,
        limits: plans.limits.into(),
        rates: plans.rates.into(),
        charges,
        credentials: credentials?,
        tenancy,
        lifecycle,
        usage: plans.usage,
        domains,
        http: answers.http,
        mcp: answers.mcp,
        cli: answers.cli,
    })
}
