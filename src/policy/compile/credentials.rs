//! Where keys may travel.

use super::report::Report;
use crate::credential::{BearerOther, Carrier, Carriers};
use crate::policy::document::CredentialsDoc;
use crate::policy::model::CredentialRules;
use crate::policy::text::At;
use crate::policy::text::read::short;

/// `None` only with a fault in the report.
pub(super) fn compile(report: &mut Report<'_, '_>, document: &CredentialsDoc) -> Option<CredentialRules> {
    let root = At::Root;
    let at = root.key("credentials");
    let default = ["bearer".to_owned(), "X-API-Key".to_owned()];
    let names = document.carriers.as_deref().unwrap_or(&default);
    let carriers = carriers(report, &at.key("carriers"), names, document.bearer_other)?;
    if document.bearer_other != BearerOther::Reject && !carriers.iter().any(|c| *c == Carrier::Bearer) {
        let message = "`bearer_other` says what other Bearer values mean, but `bearer` is no carrier; add it or leave this out";
        report.value(&at.key("bearer_other"), message);
    }
    Some(CredentialRules { carriers, digest: document.digest })
}

/// Reads a list of carriers. `None` with a fault in the report.
pub(super) fn carriers(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    names: &[String],
    bearer_other: BearerOther,
) -> Option<Carriers> {
    let mut carriers = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let here = at.index(i);
        if name.eq_ignore_ascii_case("bearer") {
            carriers.push(Carrier::Bearer);
        } else if is_identity_header(name) {
            report.value(&here, identity_message(name));
        } else {
            match name.parse() {
                Ok(header) => carriers.push(Carrier::ApiKeyHeader(header)),
                Err(_) => report
                    .value(&here, format!("`{}` is neither `bearer` nor the name of a header", short(name))),
            }
        }
    }
    if carriers.len() != names.len() {
        return None;
    }
    Carriers::new(carriers, bearer_other).map_err(|e| report.value(at, e.to_string())).ok()
}

/// Whether a header is one of those that carry a verified identity onwards, in any case and with `_` for `-`.
pub(super) fn is_identity_header(name: &str) -> bool {
    const START: &[u8] = b"x-tenantkit-";
    let fold = |b: u8| if b == b'_' { b'-' } else { b.to_ascii_lowercase() };
    name.len() >= START.len() && name.bytes().map(fold).zip(START).all(|(a, b)| a == *b)
}

pub(super) fn identity_message(name: &str) -> String {
    format!(
        "`{}` carries verified identities and is removed from every request; use another header",
        short(name)
    )
}
