//! `RateLimit`, `RateLimit-Policy` and `Retry-After`: what is left, and how long to wait.
//!
//! The first two follow draft-ietf-httpapi-ratelimit-headers-11, which is not yet a standard. They go on refusals and
//! on allowed answers alike. Unlimited limits are left out, and so are limits that count for more than the key's own
//! binding, unless the policy exposes them: what others have left is not the caller's to know.

use crate::clock::Timestamp;
use crate::decision::{Denial, Grant, LimitKind, LimitState};
use crate::limit::Units;
use crate::policy::Policy;
use crate::policy::knobs::ThresholdAction;
use crate::policy::model::{HeaderNames, LimitDef};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;

/// The largest integer of a structured field (RFC 9651 section 3.3.1): 15 digits.
const INTEGER_MAX: u64 = 999_999_999_999_999;

/// One header: its name and its value.
pub type Header = (Cow<'static, str>, String);

/// The headers of an allowed call.
pub(crate) fn grant_headers(policy: &Policy, grant: &Grant) -> Vec<Header> {
    let lines: Vec<Line<'_>> = grant
        .limits()
        .iter()
        .filter_map(|state| Line::new(state, grant.limit_name(state), grant.texts.text(state.unit)))
        .collect();
    headers(policy, &lines, grant.decided_at(), grant.plan())
}

/// The headers of a refused call.
pub(crate) fn denial_headers(policy: &Policy, denial: &Denial) -> Vec<Header> {
    let lines: Vec<Line<'_>> = denial
        .limits()
        .iter()
        .filter_map(|state| Line::new(state, denial.limit_name(state), denial.texts.text(state.unit)))
        .collect();
    headers(policy, &lines, denial.decided_at(), denial.identity().and_then(|who| who.plan()))
}

/// `Retry-After` in whole seconds: never before the refusing limit has more, and spread by up to 3 % so that callers
/// who were refused together do not come back together. `None` where waiting does not help.
pub(crate) fn retry_after_s(denial: &Denial, request_id: Option<&str>) -> Option<u64> {
    let wait_s = denial.retry_after_ms()?.div_ceil(1_000).max(1);
    let until_more_s = denial
        .refusing_limit()
        .and_then(|state| state.resets_at)
        .map_or(0, |at| seconds_until(at, denial.decided_at()));
    let wait_s = wait_s.max(until_more_s);
    Some(wait_s.saturating_add(jitter_s(wait_s, request_id)))
}

/// 0 to 3 % of `wait_s`, the same for the same request id; nothing without one.
fn jitter_s(wait_s: u64, request_id: Option<&str>) -> u64 {
    let Some(request_id) = request_id else { return 0 };
    let hash: [u8; 32] = Sha256::digest(request_id.as_bytes()).into();
    let fraction = hash.iter().take(4).fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let share = u128::from(wait_s) * 3 * u128::from(fraction) / (100 << 32);
    u64::try_from(share).unwrap_or(0)
}

/// A limit that the caller may see.
struct Line<'a> {
    state: &'a LimitState,
    name: &'a str,
    unit: &'a str,
}

/// A line with the units it is bounded by.
#[derive(Clone, Copy)]
struct Bounded<'l, 'a> {
    line: &'l Line<'a>,
    quota: u64,
    remaining: u64,
}

impl<'a> Line<'a> {
    fn new(state: &'a LimitState, name: &'a str, unit: &'a str) -> Option<Self> {
        state.exposed.then_some(Self { state, name, unit })
    }

    /// This line under `quota`.
    fn bounded(&self, quota: u64) -> Bounded<'_, 'a> {
        let left = quota.saturating_sub(self.state.used);
        let remaining = self.state.quota.and(self.state.remaining).unwrap_or(left);
        Bounded { line: self, quota, remaining }
    }

    fn reset_s(&self, now: Timestamp) -> Option<u64> {
        self.state.resets_at.map(|at| seconds_until(at, now))
    }
}

fn headers(policy: &Policy, lines: &[Line<'_>], now: Timestamp, plan: Option<&str>) -> Vec<Header> {
    let mut headers = Vec::new();
    let bounded = || lines.iter().filter_map(|line| line.state.quota.map(|quota| line.bounded(quota)));
    if bounded().next().is_some() {
        headers.push((Cow::Borrowed("RateLimit-Policy"), list(bounded(), push_policy)));
        headers.push((Cow::Borrowed("RateLimit"), list(bounded(), |text, line| push_state(text, line, now))));
    }
    push_product_headers(&mut headers, policy, lines, now, plan);
    headers
}

fn list<'l, 'a: 'l>(
    lines: impl Iterator<Item = Bounded<'l, 'a>>,
    push: impl Fn(&mut String, Bounded<'l, 'a>),
) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push_str(", ");
        }
        push(&mut text, line);
    }
    text
}

/// `"name";q=quota;w=seconds;qu="unit";pk=:digest:`. Writing to a `String` cannot fail.
fn push_policy(text: &mut String, Bounded { line, quota, .. }: Bounded<'_, '_>) {
    push_string(text, line.name);
    let _ = write!(text, ";q={}", quota.min(INTEGER_MAX));
    if let Some(window_s) = line.state.window_s {
        let _ = write!(text, ";w={}", window_s.min(INTEGER_MAX));
    }
    if !matches!(line.unit, "" | "requests") {
        text.push_str(";qu=");
        push_string(text, line.unit);
    }
    let _ = write!(text, ";pk=:{}:", data_encoding::BASE64.encode(line.state.id.as_bytes()));
}

/// `"name";r=remaining;t=seconds`.
fn push_state(text: &mut String, Bounded { line, remaining, .. }: Bounded<'_, '_>, now: Timestamp) {
    push_string(text, line.name);
    let _ = write!(text, ";r={}", remaining.min(INTEGER_MAX));
    if let Some(seconds) = line.reset_s(now) {
        let _ = write!(text, ";t={}", seconds.min(INTEGER_MAX));
    }
}

/// A string of a structured field: printable ASCII, quotes and backslashes escaped.
fn push_string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

/// The same figures under the names that a product's clients know already, for the tightest quota and the tightest rate.
///
/// A soft limit without a cap is told by what the plan includes: nothing ends there, but overage begins.
fn push_product_headers(
    headers: &mut Vec<Header>,
    policy: &Policy,
    lines: &[Line<'_>],
    now: Timestamp,
    plan: Option<&str>,
) {
    let names = &policy.http().headers;
    if *names == HeaderNames::default() {
        return;
    }
    let plan = plan.and_then(|name| policy.plans().index(name));
    let limits: Vec<(&Line<'_>, Option<&LimitDef>)> = lines
        .iter()
        .map(|line| (line, policy.limits_under(plan).find(|limit| *limit.name == *line.name)))
        .collect();
    let groups = [
        (LimitKind::Quota, [&names.quota_limit, &names.quota_remaining, &names.quota_reset]),
        (LimitKind::Rate, [&names.rate_limit, &names.rate_remaining, &names.rate_reset]),
    ];
    for (kind, [limit, remaining, reset]) in groups {
        let of_kind = limits.iter().filter(|(line, _)| line.state.kind == kind);
        let bounded = of_kind.filter_map(|(line, limit)| {
            let quota = line.state.quota.or_else(|| limit.and_then(|limit| limit.amount).map(Units::get))?;
            Some(line.bounded(quota))
        });
        let Some(tightest) = bounded.min_by(by_share) else { continue };
        let values = [
            (limit, Some(tightest.quota)),
            (remaining, Some(tightest.remaining)),
            (reset, tightest.line.reset_s(now)),
        ];
        for (name, value) in values {
            if let (Some(name), Some(value)) = (name, value) {
                headers.push((Cow::Owned(name.to_string()), value.to_string()));
            }
        }
    }
    if let Some((name, state)) = names.quota_warning.as_ref().zip(warning_state(&limits)) {
        headers.push((Cow::Owned(name.to_string()), state.to_owned()));
    }
}

/// By the share that is left: remaining_a / quota_a against remaining_b / quota_b, without dividing.
fn by_share(a: &Bounded<'_, '_>, b: &Bounded<'_, '_>) -> Ordering {
    let share =
        |x: &Bounded<'_, '_>, y: &Bounded<'_, '_>| u128::from(x.remaining) * u128::from(y.quota.max(1));
    share(a, b).cmp(&share(b, a))
}

/// The state of the fullest limit among those that have reached a threshold whose action is the warning header.
fn warning_state<'p>(limits: &[(&Line<'_>, Option<&'p LimitDef>)]) -> Option<&'p str> {
    let mut fullest: Option<(u16, &str)> = None;
    for (line, limit) in limits {
        let Some(limit) = limit else { continue };
        let percent = line.state.percent;
        let reached = || limit.thresholds.iter().filter(|threshold| percent >= threshold.at);
        let warns = reached().any(|threshold| threshold.action == ThresholdAction::Header);
        if let (true, Some(last)) = (warns, reached().next_back())
            && fullest.is_none_or(|(other, _)| percent > other)
        {
            fullest = Some((percent, &last.state));
        }
    }
    fullest.map(|(_, state)| state)
}

/// Whole seconds from `now` to `at`, rounded up; 0 if it is past.
fn seconds_until(at: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(at.micros_since(now)).unwrap_or(0).div_ceil(1_000_000)
}
