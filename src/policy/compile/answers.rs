//! What answers look like, over HTTP, over MCP and on the command line.

use super::credentials::{identity_message, is_identity_header};
use super::names;
use super::operations::Operations;
use super::report::Report;
use crate::headers::HeaderName;
use crate::policy::document::{CliDoc, Document, HeadersDoc, HttpDoc};
use crate::policy::model::{CliNames, HeaderNames, HttpRules, McpRules};
use crate::policy::text::read::short;
use crate::policy::text::{At, Place};

/// The longest `docs_url`, in bytes.
const MAX_URL_BYTES: usize = 512;
/// Headers that the answer has already.
const TAKEN_HEADERS: [&str; 6] =
    ["content-length", "content-type", "ratelimit", "ratelimit-policy", "retry-after", "www-authenticate"];

pub(super) struct Answers {
    pub(super) http: HttpRules,
    pub(super) mcp: McpRules,
    pub(super) cli: CliNames,
}

pub(super) fn compile(report: &mut Report<'_, '_>, document: &Document, operations: &Operations) -> Answers {
    let root = At::Root;
    Answers {
        http: http(report, &root.key("http"), &document.http),
        mcp: McpRules {
            usage_error: document.mcp.usage_error,
            free_operation: free_operation(report, &root.key("mcp"), document, operations),
        },
        cli: cli(report, &root.key("cli"), &document.cli),
    }
}

fn http(report: &mut Report<'_, '_>, at: &At<'_>, document: &HttpDoc) -> HttpRules {
    if let Some(url) = &document.docs_url {
        let filled = url.replacen("{code}", "code", 1);
        let web = url::Url::parse(&filled).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        if !web || filled.contains(['{', '}']) || url.len() > MAX_URL_BYTES {
            let message =
                "the address of a page starts with `https://`, with `{code}` at most once; at most 512 bytes";
            report.value(&at.key("docs_url"), message);
        }
    }
    HttpRules {
        error_body: document.error_body,
        docs_url: document.docs_url.as_deref().map(Into::into),
        public_reasons: document.public_reasons,
        headers: headers(report, &at.key("headers"), &document.headers),
    }
}

fn headers(report: &mut Report<'_, '_>, at: &At<'_>, document: &HeadersDoc) -> HeaderNames {
    let mut taken: Vec<HeaderName> = Vec::new();
    let mut header = |field: &str, name: &Option<String>| {
        let (here, name) = (at.key(field), name.as_deref()?);
        if is_identity_header(name) {
            report.value(&here, identity_message(name));
            return None;
        }
        let Ok(header) = name.parse::<HeaderName>() else {
            report.value(&here, format!("`{}` can't be the name of a header", short(name)));
            return None;
        };
        if TAKEN_HEADERS.contains(&header.as_str()) || taken.contains(&header) {
            report.value(&here, format!("answers have the header `{header}` already; use another name"));
        }
        taken.push(header.clone());
        Some(header)
    };
    HeaderNames {
        quota_limit: header("quota_limit", &document.quota_limit),
        quota_remaining: header("quota_remaining", &document.quota_remaining),
        quota_reset: header("quota_reset", &document.quota_reset),
        quota_warning: header("quota_warning", &document.quota_warning),
        rate_limit: header("rate_limit", &document.rate_limit),
        rate_remaining: header("rate_remaining", &document.rate_remaining),
        rate_reset: header("rate_reset", &document.rate_reset),
    }
}

fn free_operation(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    document: &Document,
    operations: &Operations,
) -> Option<u16> {
    let name = document.mcp.free_operation.as_deref()?;
    let here = at.key("free_operation");
    let index = names::position(report, &here, name, "operation", operations.table.names())?;
    if operations.table.at(index).is_some_and(crate::policy::model::Operation::is_counted) {
        report.value(
            &here,
            format!("`{name}` counts, but these methods are free; name an operation without cost"),
        );
    }
    Some(index)
}

fn cli(report: &mut Report<'_, '_>, at: &At<'_>, document: &CliDoc) -> CliNames {
    let program = document.program.as_deref().unwrap_or("tenantkit");
    names::check_name(report, &at.key("program"), Place::Value, program, names::MAX_NAME_BYTES);
    let mut variable = |field: &str, name: &Option<String>, default: &str| -> Box<str> {
        let name = name.as_deref().unwrap_or(default);
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=64).contains(&name.len())
            || !name.bytes().all(plain)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            report.value(
                &at.key(field),
                "a variable has upper-case letters, digits and `_`, as in `ACME_API_KEY`",
            );
        }
        name.into()
    };
    let key_env = variable("key_env", &document.key_env, "TENANTKIT_API_KEY");
    let org_env = variable("org_env", &document.org_env, "TENANTKIT_ORG_ID");
    if key_env == org_env {
        report.value(&at.key("org_env"), format!("`{key_env}` holds the key already; use another variable"));
    }
    let org_flag = document.org_flag.as_deref().unwrap_or("--org");
    let word = org_flag.strip_prefix("--").unwrap_or_default();
    if !(1..=32).contains(&word.len()) || !word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
        report.value(&at.key("org_flag"), "a flag has two dashes and lower-case letters, as in `--org`");
    }
    CliNames { program: program.into(), key_env, org_env, org_flag: org_flag.into() }
}
