//! Category F: origins.

use crate::Bytes;
use serde::Deserialize;
use tenantkit::code::Code;
use tenantkit::headers::{HeaderLine, Headers};
use tenantkit::origin::{MissingOrigin, OriginMatch, OriginPattern, PresentedOrigin, judge};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    allowed: Vec<String>,
    missing_origin: MissingOrigin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Presented {
    pub(crate) id: String,
    note: String,
    allowed: Option<Vec<String>>,
    #[serde(default)]
    requests: Vec<Vec<Bytes>>,
    #[serde(default)]
    enter: Vec<String>,
    origin_match: Option<OriginMatch>,
    #[serde(default)]
    secret: bool,
    expect: Expect,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Expect {
    Code(String),
    Accept(bool),
}

impl From<Result<(), Code>> for Expect {
    fn from(result: Result<(), Code>) -> Self {
        result.map_or_else(|code| Self::Code(code.name().to_owned()), |()| Self::Accept(true))
    }
}

pub(crate) fn run(context: &Context, case: &Presented) {
    assert!(!case.requests.is_empty() || !case.enter.is_empty(), "{}", case.id);
    let allowed = case.allowed.as_ref().unwrap_or(&context.allowed);
    let allowed: Vec<_> = allowed.iter().map(|text| OriginPattern::from_stored(text).unwrap()).collect();
    for (values, number) in case.requests.iter().zip(1..) {
        let values: Vec<_> = values.iter().map(Bytes::get).collect();
        let lines: Vec<HeaderLine<'_>> = values.iter().map(|value| ("Origin", value.as_slice())).collect();
        let presented = PresentedOrigin::from_headers(Headers::new(&lines));
        let outcome = Expect::from(judge(&presented, &allowed, context.missing_origin));
        assert_eq!(outcome, case.expect, "{} {}, request {number}", case.id, case.note);
    }
    for text in &case.enter {
        let entered = OriginPattern::enter(text, case.origin_match.unwrap());
        let entered = if case.secret { entered.and_then(OriginPattern::for_secret_kind) } else { entered };
        let outcome = Expect::from(entered.map(drop).map_err(|_| Code::OriginInvalid));
        assert_eq!(outcome, case.expect, "{} {}: {text}", case.id, case.note);
    }
}
