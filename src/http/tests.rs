//! The mapping, byte for byte.

use super::*;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::decision::{
    Decision, Denial, Flags, Grant, Identity, LimitKind, LimitState, LimitStates, Reason, Texts,
};
use crate::error::{Error, ErrorKind, FieldError};
use crate::key::id::KeyId;
use crate::limit::LimitId;
use crate::policy::Policy;
use crate::tenant::resolve::Warning;
use crate::tenant::{ScopeUser, TenantScope};
use proptest::prelude::*;

/// 2026-11-30T00:04:48Z: 86,112 s before the end of the month.
const NOW: Timestamp = Timestamp::from_seconds(1_795_997_088);
const MONTH_END: Timestamp = Timestamp::from_seconds(1_796_083_200);

fn policy(more: &str) -> Policy {
    let text = format!("{POLICY}\n{more}");
    Policy::parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

const POLICY: &str = r#"
name = "test"
entitlements = []
default_plan = "FREE"

[credentials]
carriers = ["bearer", "X-API-Key"]

[kinds.api]
native = "tk"
[kinds.api.presets.client]
org = ["fixed"]
user = ["none"]

[meters.executions]

[operations.run]
level = "org"
cost = 1

[[plans.FREE.limits]]
name = "executions-month"
meter = "executions"
subject = ["key"]
period = "month"
amount = 1000
thresholds = [{ at = 80, state = "warning", action = "header" }, { at = 90, state = "amber" }]
"#;

/// One limit as a decision tells of it.
#[derive(Clone, Copy)]
struct Told {
    name: &'static str,
    unit: &'static str,
    kind: LimitKind,
    quota: Option<u64>,
    remaining: Option<u64>,
    resets_at: Option<Timestamp>,
    window_s: Option<u64>,
    exposed: bool,
}

const MONTHLY: Told = Told {
    name: "executions-month",
    unit: "requests",
    kind: LimitKind::Quota,
    quota: Some(1_000),
    remaining: Some(0),
    resets_at: Some(MONTH_END),
    window_s: Some(2_592_000),
    exposed: true,
};

const BURST: Told = Told {
    name: "burst",
    unit: "requests",
    kind: LimitKind::Rate,
    quota: Some(200),
    remaining: Some(188),
    resets_at: Some(NOW.plus_micros(600_000)),
    window_s: Some(10),
    exposed: true,
};

const LIFETIME: Told = Told {
    name: "lifetime",
    unit: "executions",
    quota: Some(50),
    resets_at: None,
    window_s: None,
    ..MONTHLY
};

fn states(texts: &mut Texts, told: &[Told]) -> LimitStates {
    let mut states = LimitStates::new();
    for told in told {
        let used = told.quota.unwrap_or(7).saturating_sub(told.remaining.unwrap_or(0));
        states.push(LimitState {
            name: texts.push(told.name),
            unit: texts.push(told.unit),
            id: LimitId::from_bytes([0; 16]),
            kind: told.kind,
            quota: told.quota,
            used,
            remaining: told.remaining,
            resets_at: told.resets_at,
            window_s: told.window_s,
            percent: u16::try_from(used * 100 / told.quota.unwrap_or(1).max(1)).unwrap(),
            exposed: told.exposed,
            per_process: false,
        });
    }
    states
}

fn identity() -> Identity {
    let scope = TenantScope::new("acme", "default", Some("org_1"), ScopeUser::Named("ann"));
    Identity::new(KeyId::from_bytes([7; 16]), scope, Some("FREE"))
}

/// A refusal by the first of these limits.
fn exhausted(code: Code, reason: Reason, wait_ms: Option<u64>, told: &[Told]) -> Denial {
    let mut denial = Denial::new(code, NOW);
    denial.reason = reason;
    denial.who = Some(Box::new(identity()));
    denial.limits = states(&mut denial.texts, told);
    denial.refusing_limit = Some(0);
    denial.asked = 1;
    denial.retry_after_ms = wait_ms;
    denial
}

fn grant(told: &[Told]) -> Grant {
    let mut texts = Texts::new();
    let limits = states(&mut texts, told);
    Grant {
        who: identity(),
        texts,
        decided_at: NOW,
        policy_revision: 1,
        cost: 1,
        delay_ms: 0,
        flags: Flags::default(),
        limits,
        entitlements: 0,
        warning: None,
        charges: None,
    }
}

fn lines(response: &HttpResponse) -> Vec<String> {
    response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn every_code_has_its_body_and_headers() {
    let policy = policy("[http]\ndocs_url = \"https://docs.example.com/{code}\"");
    for &code in Code::ALL {
        let answer = denial_response(&policy, &Denial::new(code, NOW), Some("req_1"));
        let (name, text, status) = (code.name(), code.text(), code.http_status());
        let is_retryable = status == 503;
        let details = match code {
            Code::MissingCredential => r#","details":{"carriers":["Authorization: Bearer","x-api-key"]}"#,
            _ => "",
        };
        let body = format!(
            r#"{{"error":{{"code":"{name}","message":"{text}","status":{status},"request_id":"req_1","retryable":{is_retryable},"docs":"https://docs.example.com/{name}"{details}}}}}"#
        );
        assert_eq!(answer.body.as_deref(), Some(&*body));
        assert_eq!(answer.status, status);
        let mut headers = vec!["Content-Type: application/json", "Cache-Control: no-store"];
        headers.extend(match (code, status) {
            (Code::MissingCredential, _) => vec!["WWW-Authenticate: Bearer"],
            (_, 401) => vec!["WWW-Authenticate: Bearer error=\"invalid_token\""],
            (Code::InsufficientPermission, _) => {
                vec!["WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"\""]
            }
            (_, 503) => vec!["Retry-After: 1"],
            _ => vec![],
        });
        assert_eq!(lines(&answer), headers, "{name}");
    }
}

/// INV-08: nothing tells an unknown key from a wrong, revoked, deleted or disabled one.
#[test]
fn inv_08_all_invalid_keys_get_the_same_bytes() {
    for body in ["tenantkit", "problem"] {
        let policy = policy(&format!("[http]\nerror_body = \"{body}\"\npublic_reasons = \"none\""));
        let plain = denial_response(&policy, &Denial::new(Code::InvalidKey, NOW), Some("r"));
        for reason in [Reason::None, Reason::Malformed, Reason::Unknown, Reason::Revoked, Reason::Disabled] {
            for code in [Code::InvalidKey, Code::KeyExpired] {
                let mut denial = exhausted(code, reason, Some(5_000), &[MONTHLY, BURST]);
                denial.row = "T-14";
                denial.parameter = Some("org_id");
                denial.missing = vec!["FLOWS:READ".into()];
                denial.status = 403;
                denial.decided_at = MONTH_END;
                assert_eq!(denial_response(&policy, &denial, Some("r")), plain, "{code} {reason:?}");
            }
        }
    }
    let told = policy("");
    let expired = denial_response(&told, &Denial::new(Code::KeyExpired, NOW), None);
    assert!(expired.body.unwrap().contains("key_expired"), "its holder may know, unless the policy hides it");
}

#[test]
fn details_say_what_to_change() {
    let policy = policy("");
    let mut denial = Denial::new(Code::InsufficientPermission, NOW);
    denial.missing = vec!["FLOWS:WRITE".into(), "AGENTS:DEPLOY:LIVE".into()];
    let answer = denial_response(&policy, &denial, None);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\", scope=\"FLOWS:WRITE AGENTS:DEPLOY:LIVE\"")
    );
    assert_eq!(
        answer.body.unwrap(),
        r#"{"error":{"code":"insufficient_permission","message":"the key lacks a permission that this operation needs","status":403,"retryable":false,"details":{"missing_permissions":["FLOWS:WRITE","AGENTS:DEPLOY:LIVE"]}}}"#
    );

    let mut denial = Denial::new(Code::UserRequired, NOW);
    denial.parameter = Some("user_id");
    let body = denial_response(&policy, &denial, None).body.unwrap();
    assert!(body.ends_with(r#""retryable":false,"details":{"parameter":"user_id"}}}"#), "{body}");
}

#[test]
fn an_exhausted_month_names_limit_and_reset() {
    let policy = policy("");
    let denial = exhausted(Code::UsageLimitReached, Reason::Exhausted, Some(86_112_000), &[MONTHLY, BURST]);
    let answer = denial_response(&policy, &denial, None);
    assert_eq!(answer.status, 429);
    assert_eq!(
        lines(&answer)[2..],
        [
            "Retry-After: 86112",
            "RateLimit-Policy: \"executions-month\";q=1000;w=2592000;pk=:AAAAAAAAAAAAAAAAAAAAAA==:, \
             \"burst\";q=200;w=10;pk=:AAAAAAAAAAAAAAAAAAAAAA==:",
            "RateLimit: \"executions-month\";r=0;t=86112, \"burst\";r=188;t=1",
        ]
    );
    assert_eq!(
        answer.body.unwrap(),
        r#"{"error":{"code":"usage_limit_reached","message":"the plan's usage limit is reached; it resets at 2026-12-01T00:00:00Z","status":429,"retryable":true,"details":{"limit":{"name":"executions-month","kind":"quota","reason":"exhausted","unit":"requests","asked":1,"quota":1000,"used":1000,"available":0,"resets_at":"2026-12-01T00:00:00Z"}}}}"#
    );
}

#[test]
fn a_lifetime_is_not_worth_waiting_for() {
    let policy = policy("");
    let mut denial = exhausted(Code::UsageLimitReached, Reason::Exhausted, None, &[LIFETIME]);
    denial.status = 402;
    let answer = denial_response(&policy, &denial, Some("r"));
    assert_eq!((answer.status, answer.header("Retry-After")), (402, None));
    assert_eq!(answer.header("RateLimit"), Some("\"lifetime\";r=0"));
    let quota = "\"lifetime\";q=50;qu=\"executions\";pk=:AAAAAAAAAAAAAAAAAAAAAA==:";
    assert_eq!(answer.header("RateLimit-Policy"), Some(quota));
    assert!(answer.body.unwrap().contains(r#""status":402,"request_id":"r","retryable":false"#));
}

#[test]
fn limits_of_others_stay_hidden() {
    let policy = policy("");
    let wide = Told { exposed: false, remaining: Some(3), ..MONTHLY };
    let unlimited = Told { quota: None, remaining: None, ..LIFETIME };
    let mut denial =
        exhausted(Code::UsageLimitReached, Reason::Insufficient, Some(86_112_000), &[wide, unlimited]);
    denial.available = 3;
    let answer = denial_response(&policy, &denial, None);
    assert_eq!(lines(&answer)[2..], ["Retry-After: 86112"]);
    let limit = r#""limit":{"name":"executions-month","kind":"quota","reason":"insufficient","unit":"requests","asked":1,"resets_at":"2026-12-01T00:00:00Z"}"#;
    assert!(answer.body.unwrap().contains(limit));
    assert!(lines(&grant_response(&policy, &grant(&[wide, unlimited]))).is_empty());
}

#[test]
fn retry_after_is_never_early_and_spread_by_the_request_id() {
    let wait = |ms: Option<u64>, id: Option<&str>| {
        ratelimit::retry_after_s(&exhausted(Code::RateLimited, Reason::Rate, ms, &[BURST]), id)
    };
    for (ms, seconds) in
        [(None, None), (Some(0), Some(1)), (Some(1), Some(1)), (Some(1_000), Some(1)), (Some(1_001), Some(2))]
    {
        assert_eq!(wait(ms, None), seconds, "{ms:?}");
    }
    let early = exhausted(Code::UsageLimitReached, Reason::Exhausted, Some(1), &[MONTHLY]);
    assert_eq!(ratelimit::retry_after_s(&early, None), Some(86_112), "not before the limit itself has more");
    assert_eq!(wait(Some(100_000_000), Some("a")), wait(Some(100_000_000), Some("a")));
    assert_ne!(wait(Some(100_000_000), Some("a")), wait(Some(100_000_000), Some("b")));
}

proptest! {
    #[test]
    fn the_spread_is_at_most_three_percent(ms in 0_u64..10_000_000_000, id in ".{0,20}") {
        let denial = exhausted(Code::RateLimited, Reason::Rate, Some(ms), &[]);
        let base = ratelimit::retry_after_s(&denial, None).unwrap();
        let spread = ratelimit::retry_after_s(&denial, Some(&id)).unwrap();
        prop_assert!(base * 1_000 >= ms);
        prop_assert!(spread >= base && (spread - base) * 100 <= base * 3);
    }
}

#[test]
fn allowed_answers_tell_what_is_left() {
    let policy = policy(
        "[http.headers]\nquota_remaining = \"X-Quota-Remaining\"\nquota_warning = \"X-Quota-Warning\"\n\
         rate_limit = \"X-RateLimit-Limit\"\nrate_remaining = \"X-RateLimit-Remaining\"\nrate_reset = \"X-RateLimit-Reset\"",
    );
    let cases = [
        (201, None),
        (200, Some("warning")),
        (101, Some("warning")),
        (100, Some("amber")),
        (0, Some("amber")),
    ];
    for (remaining, warning) in cases {
        let mut grant = grant(&[Told { remaining: Some(remaining), ..MONTHLY }, BURST]);
        grant.warning = Some(Warning::BothIgnored);
        let answer = grant_response(&policy, &grant);
        assert_eq!((answer.status, &answer.body), (200, &None));
        assert_eq!(answer.header("X-Quota-Remaining"), Some(&*remaining.to_string()));
        assert_eq!(answer.header("X-Quota-Warning"), warning, "{remaining}");
        assert_eq!(answer.header("X-RateLimit-Limit"), Some("200"));
        assert_eq!(answer.header("X-RateLimit-Remaining"), Some("188"));
        assert_eq!(answer.header("X-RateLimit-Reset"), Some("1"));
        assert_eq!(answer.header("X-Tenantkit-Warning"), Some("org_ignored, user_ignored"));
        assert_eq!(response(&policy, &Decision::Allow(grant), None), answer);
    }
    let two =
        [Told { remaining: Some(500), ..MONTHLY }, Told { name: "day", remaining: Some(499), ..MONTHLY }];
    let tightest = grant_response(&policy, &grant(&two));
    assert_eq!(tightest.header("X-Quota-Remaining"), Some("499"));
}

#[test]
fn fields_stay_well_formed() {
    let policy = policy("");
    let odd = Told {
        name: "a\"b\\c\né",
        unit: "",
        quota: Some((1 << 53) - 1),
        remaining: Some(u64::MAX),
        ..LIFETIME
    };
    let answer = grant_response(&policy, &grant(&[odd]));
    assert_eq!(answer.header("RateLimit"), Some(r#""a\"b\\c";r=999999999999999"#));
    let past = Told { resets_at: Some(NOW.plus_seconds(-5)), ..MONTHLY };
    let answer = grant_response(&policy, &grant(&[past]));
    assert_eq!(answer.header("RateLimit"), Some("\"executions-month\";r=0;t=0"));
}

#[test]
fn problems_follow_rfc_9457() {
    let plain = policy("[http]\nerror_body = \"problem\"");
    let documented = policy("[http]\nerror_body = \"problem\"\ndocs_url = \"https://d.example/{code}\"");
    let limited = exhausted(Code::RateLimited, Reason::Rate, Some(1_500), &[BURST]);
    let cases = [
        (
            denial_response(&plain, &limited, Some("r")),
            r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"detail":"too many requests; wait and try again","code":"rate_limited","request_id":"r","retryable":true,"violated-policies":["burst"],"details":{"limit":{"name":"burst","kind":"rate","reason":"rate","unit":"requests","asked":1,"quota":200,"used":12,"available":0,"resets_at":"2026-11-30T00:04:48.6Z"}}}"#,
        ),
        (
            error_response(&plain, &Error::new(ErrorKind::StoreTimeout, "the disk is gone"), None),
            r#"{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","title":"Request cannot be satisfied due to temporary server capacity constraints","status":503,"detail":"the request could not be decided just now; try again","code":"store_unavailable","retryable":true}"#,
        ),
        (
            denial_response(&plain, &Denial::new(Code::OrgMismatch, NOW), None),
            r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"the key belongs to another org","code":"org_mismatch","retryable":false}"#,
        ),
        (
            denial_response(&documented, &Denial::new(Code::OrgMismatch, NOW), None),
            r#"{"type":"https://d.example/org_mismatch","title":"the key belongs to another org","status":403,"detail":"the key belongs to another org","code":"org_mismatch","retryable":false,"docs":"https://d.example/org_mismatch"}"#,
        ),
    ];
    for (answer, body) in cases {
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
        assert_eq!(answer.body.as_deref(), Some(body));
    }
}

#[test]
fn errors_keep_their_cause_to_themselves() {
    let policy = policy("");
    let source = std::io::Error::other("/var/lib/secret.db: disk I/O error");
    let store = Error::new(ErrorKind::StoreUnavailable, "the store at db7 is away")
        .with_detail("x")
        .with_source(source);
    let answer = error_response(&policy, &store, Some("r"));
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")));
    assert_eq!(
        answer.body.unwrap(),
        r#"{"error":{"code":"store_unavailable","message":"the request could not be decided just now; try again","status":503,"request_id":"r","retryable":true}}"#
    );
    let closed = error_response(&policy, &Error::new(ErrorKind::InvalidArgument, "no operation `x`"), None);
    assert_eq!(closed.status, 503, "an argument of the host is not the caller's fault");

    let fields = vec![FieldError::new("name", "is missing"), FieldError::new("colour", "is not a field")];
    let invalid =
        error_response(&policy, &Error::invalid_fields(fields).with_detail("see the reference"), None);
    assert_eq!(
        invalid.body.unwrap(),
        r#"{"error":{"code":"validation_error","message":"the request is not valid","status":400,"retryable":false,"details":{"fields":[{"field":"name","message":"is missing"},{"field":"colour","message":"is not a field"}],"fix":"see the reference"}}}"#
    );
    let conflict = error_response(&policy, &Error::refused(Code::OperationConflict), None);
    assert_eq!((conflict.status, conflict.header("Retry-After")), (409, None));
}

#[test]
fn a_host_refuses_in_the_same_form() {
    let policy = policy("");
    let upstream = code_response(&policy, Code::ProviderRateLimited, Some(17), Some("r"));
    assert_eq!(
        (upstream.status, upstream.header("Retry-After")),
        (429, Some("17")),
        "kept as the provider said it"
    );
    assert!(upstream.body.unwrap().contains(r#""code":"provider_rate_limited""#));
    let missing = code_response(&policy, Code::ResourceNotFound, None, None);
    assert_eq!((missing.status, missing.header("Retry-After")), (404, None));
}
