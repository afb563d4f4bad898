//! An authority with one policy, keys to it, and a runtime that runs everything at once.

use http::{Request, Response};
use http_body::Body;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tenantkit::clock::ManualClock;
use tenantkit::http::tower::{BoxFuture, Runtime, Work};
use tenantkit::key::id::KeyId;
use tenantkit::{Authority, Caller, NewKey, Policy, Timestamp};

/// 2026-11-30T00:04:48Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_997_088);

pub(crate) const POLICY: &str = r#"
name = "test"
default_plan = "FREE"
default_role = "reader"
default_environment = "live"
key_assignable_roles = ["reader", "writer"]
resource_types = ["agent"]
dimensions = ["provider"]

[environments]
live = {}
test = {}

[tenancy]
org_param = { path = "orgId", header = "X-Org-Id" }
user_param = { query = "user_id" }
unknown_tenant = "create"

[kinds.secret]
native = "sk"
role = "required"
[kinds.secret.presets.platform]
org = "fixed"
user = ["optional", "open"]

[kinds.public]
class = "publishable"
native = "pk"
resources = { count = "one", types = "agent" }
verified_domains = false
[kinds.public.presets.client]
org = "fixed"
user = "none"

[[permissions]]
group = "Things"
names = ["things:read", "things:write"]

[[roles]]
name = "writer"
permissions = ["*"]
[[roles]]
name = "reader"
permissions = ["things:read"]

[meters.runs]

[operations]
"things.list" = { level = "org", permission = "things:read", routes = "GET /orgs/{orgId}/things" }
"things.create" = { level = "org", permission = "things:write", routes = "POST /orgs/{orgId}/things" }
"things.run" = { level = "org", permission = "things:read", cost = 1, routes = "POST /orgs/{orgId}/things/run", tools = ["run", "slow"] }
"things.build" = { level = "org", permission = "things:read", cost = 1, count_on = "success", routes = "POST /orgs/{orgId}/things/build", tools = "build" }
"things.delete" = { level = "org", permission = "things:write", cost = 1, tools = "delete", prompts = "confirm" }
"provider" = { level = "org", dimensions = "provider", cost = 1, tools = "provider" }
"agent.chat" = { level = "user", public = true, resource = "agent", routes = "POST /agents/{agentId}/chat" }
"session" = { level = "org", routes = ["POST /mcp", "GET /mcp", "DELETE /mcp"] }

[[plans.FREE.limits]]
name = "runs-day"
meter = "runs"
subject = ["key"]
period = "day"
amount = 3

[[plans.SLOW.limits]]
name = "runs-day"
meter = "runs"
subject = ["key"]
period = "day"
amount = 1
slow = { rate = "10/hour", delay_s = 10 }

[mcp]
free_operation = "session"
"#;

/// Runs work where it stands and writes down how long it was asked to sleep.
#[derive(Clone, Default)]
pub(crate) struct AtOnce {
    pub slept: Arc<Mutex<Vec<Duration>>>,
}

impl Runtime for AtOnce {
    fn run_blocking(&self, work: Work) {
        work();
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.slept.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

/// Drops all work.
pub(crate) struct ShuttingDown;

impl Runtime for ShuttingDown {
    fn run_blocking(&self, _: Work) {}

    fn sleep(&self, _: Duration) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

pub(crate) fn authority() -> Authority {
    authority_of(POLICY)
}

pub(crate) fn authority_of(policy: &str) -> Authority {
    let policy = Policy::parse(policy).unwrap_or_else(|errors| panic!("{errors}"));
    let seal_key = tenantkit::seal::SealKey::new(1, [7; 32]);
    Authority::builder(policy).clock(Arc::new(ManualClock::new(NOW))).seal_key(seal_key).open().unwrap()
}

/// Issues a key of account `acme` and gives its text.
pub(crate) fn issue(authority: &Authority, change: impl FnOnce(NewKey) -> NewKey) -> String {
    issue_with_id(authority, change).1
}

/// The same with the key's id.
pub(crate) fn issue_with_id(authority: &Authority, change: impl FnOnce(NewKey) -> NewKey) -> (KeyId, String) {
    let new = change(NewKey::new("acme", "test").environment("live").org_id("o1"));
    let issued = authority.issue(&Caller::admin("test"), &new).unwrap_or_else(|error| panic!("{error}"));
    (issued.view.id, issued.key.unwrap().reveal().to_owned())
}

/// A request with these headers.
pub(crate) fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request<String> {
    let mut request = Request::builder().method(method).uri(uri).header("x-request-id", "req_1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(String::new()).unwrap()
}

pub(crate) fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// An answer that has been read: status, headers as lines, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The code of the error body.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) async fn read<B>(response: Response<B>) -> Answer
where
    B: Body<Data = bytes::Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    let headers = parts.headers.iter();
    Answer {
        status: parts.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: String::from_utf8(bytes).unwrap(),
    }
}
