//! How requests name their tenant, and how domains are verified.

use super::credentials::{identity_message, is_identity_header};
use super::names::{self, MAX_DURATION_S};
use super::report::Report;
use crate::domain::DomainMethod;
use crate::headers::HeaderName;
use crate::limit::Units;
use crate::policy::document::{DomainsDoc, ParamDoc, TenancyDoc, TenantIdAlphabet};
use crate::policy::model::{CredentialRules, DomainRules, ParamNames, TenancyRules};
use crate::policy::text::At;
use crate::policy::text::read::short;
use crate::tenant::IdSyntax;
use crate::tenant::resolve::ForeignOrg;

/// Headers that mean something to every server, so none may carry a tenant.
const RESERVED_HEADERS: [&str; 10] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "origin",
    "proxy-authorization",
    "transfer-encoding",
    "x-check-secret",
];

pub(super) fn compile(
    report: &mut Report<'_, '_>,
    document: &TenancyDoc,
    credentials: Option<&CredentialRules>,
) -> TenancyRules {
    let root = At::Root;
    let at = root.key("tenancy");
    let mut names =
        |field: &str, param: &Option<ParamDoc>| param_names(report, &at.key(field), param, credentials);
    let org_param = names("org_param", &document.org_param);
    let user_param = names("user_param", &document.user_param);
    let proof_param = match &document.proof_param {
        None => ParamNames {
            query: user_param.query.as_ref().map(|_| "user_proof".into()),
            header: user_param.header.as_ref().and_then(|_| "x-user-proof".parse().ok()),
            path: None,
        },
        given => names("proof_param", given),
    };
    distinct(
        report,
        &at,
        [("org_param", &org_param), ("user_param", &user_param), ("proof_param", &proof_param)],
    );
    TenancyRules {
        org_param,
        user_param,
        proof_param,
        id_syntax: id_syntax(report, &at.key("tenant_id"), document),
        absent: document.absent,
        extra_param: document.extra_param,
        foreign_org: match document.foreign_org {
            None | Some(403) => ForeignOrg::Forbidden,
            Some(404) => ForeignOrg::NotFound,
            Some(other) => {
                report.value(&at.key("foreign_org"), format!("`{other}` is not 403 or 404"));
                ForeignOrg::Forbidden
            }
        },
        unknown_tenant: document.unknown_tenant,
        max_orgs: cap(report, &at.key("max_orgs"), document.max_orgs),
        max_users_per_org: cap(report, &at.key("max_users_per_org"), document.max_users_per_org),
    }
}

pub(super) fn domains(report: &mut Report<'_, '_>, document: &DomainsDoc) -> DomainRules {
    let root = At::Root;
    let at = root.key("domains");
    let default = [DomainMethod::Dns];
    let listed = document.methods.as_deref().unwrap_or(&default);
    let methods = names::at_most(report, &at.key("methods"), listed, 2).to_vec();
    let repeated = methods.iter().enumerate().any(|(i, method)| methods.iter().take(i).any(|m| m == method));
    if methods.is_empty() || repeated {
        report.value(&at.key("methods"), "name each method once: `dns`, `http` or both");
    }
    let recheck = document.recheck.as_deref().filter(|text| *text != "off");
    DomainRules {
        methods: methods.into(),
        recheck_s: names::duration(report, &at.key("recheck"), recheck, 60, 365 * 86_400),
    }
}

/// A cap on how many of something there may be.
pub(super) fn cap(report: &mut Report<'_, '_>, at: &At<'_>, cap: Option<u64>) -> Option<u64> {
    if cap.is_some_and(|cap| Units::new(cap).is_none()) {
        report.value(at, format!("a cap is at most {}", Units::MAX));
    }
    cap
}

fn id_syntax(report: &mut Report<'_, '_>, at: &At<'_>, document: &TenancyDoc) -> IdSyntax {
    let syntax = match document.tenant_id.alphabet {
        TenantIdAlphabet::Wide => IdSyntax::wide(),
        TenantIdAlphabet::Narrow => IdSyntax::narrow(),
    };
    match document.tenant_id.max_len.map(u8::try_from) {
        None => syntax,
        Some(Ok(max_len @ 1..)) => syntax.with_max_len(max_len),
        Some(_) => {
            report.value(&at.key("max_len"), "an id has at most 1 to 255 bytes");
            syntax
        }
    }
}

fn param_names(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    document: &Option<ParamDoc>,
    credentials: Option<&CredentialRules>,
) -> ParamNames {
    let Some(ParamDoc { query, header, path }) = document else { return ParamNames::default() };
    if query.is_none() && header.is_none() && path.is_none() && !report.source().has_members(at) {
        report
            .value(at, "name the parameter in at least one of `query`, `header`, `path`, or leave this out");
    }
    for (field, name) in [("query", query), ("path", path)] {
        let plain = |name: &&String| {
            (1..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        if let Some(name) = name.as_ref().filter(|name| !plain(name)) {
            let message =
                format!("`{}` can't be a parameter; use 1 to 64 letters, digits and `_ - .`", short(name));
            report.value(&at.key(field), message);
        }
    }
    let header =
        header.as_deref().and_then(|name| param_header(report, &at.key("header"), name, credentials));
    let boxed = |name: &Option<String>| name.as_deref().map(Into::into);
    ParamNames { query: boxed(query), header, path: boxed(path) }
}

fn param_header(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    name: &str,
    credentials: Option<&CredentialRules>,
) -> Option<HeaderName> {
    if is_identity_header(name) {
        report.value(at, identity_message(name));
        return None;
    }
    let Ok(header) = name.parse::<HeaderName>() else {
        report.value(at, format!("`{}` can't be the name of a header", short(name)));
        return None;
    };
    let is_carrier =
        credentials.is_some_and(|rules| rules.carriers.iter().any(|carrier| *carrier.header() == header));
    if is_carrier || RESERVED_HEADERS.contains(&header.as_str()) {
        report.value(
            at,
            format!("`{header}` has another meaning; use a header of its own, such as `X-Org-Id`"),
        );
    }
    Some(header)
}

/// One name in one carrier means one parameter.
fn distinct(report: &mut Report<'_, '_>, at: &At<'_>, params: [(&str, &ParamNames); 3]) {
    for (i, (field, names)) in params.iter().enumerate() {
        for (other, others) in params.iter().take(i) {
            let shared = [
                ("query", names.query.is_some() && names.query == others.query),
                ("header", names.header.is_some() && names.header == others.header),
                ("path", names.path.is_some() && names.path == others.path),
            ];
            for (carrier, _) in shared.into_iter().filter(|(_, is_shared)| *is_shared) {
                let here = at.key(field);
                report.value(&here.key(carrier), format!("`{other}` has this name in the {carrier} already"));
            }
        }
    }
}

const _: () = assert!(365 * 86_400 <= MAX_DURATION_S);
