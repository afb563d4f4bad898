//! A host in this process, on a port of its own and a clock that the test turns.

use crate::client::{Answer, Request};
use axum::Router;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tenantkit::clock::ManualClock;
use tenantkit::key::id::KeyId;
use tenantkit::seal::SealKey;
use tenantkit::{Authority, AuthorityBuilder, Caller, NewKey, Policy, Timestamp};

/// 2026-11-30T00:04:48Z.
pub const NOW: Timestamp = Timestamp::from_seconds(1_795_997_088);

pub struct Host {
    pub address: SocketAddr,
    pub authority: Authority,
    pub clock: Arc<ManualClock>,
    /// Serves until it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Host {
    /// Starts a host under the policy file of this name.
    pub fn start(policy: &str, app: impl FnOnce(Authority) -> Router) -> Self {
        Self::start_with(policy, |builder| builder, app)
    }

    pub fn start_with(
        policy: &str,
        setup: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder,
        app: impl FnOnce(Authority) -> Router,
    ) -> Self {
        let path = format!("{}/examples/policies/{policy}.toml", env!("CARGO_MANIFEST_DIR"));
        let policy = Policy::parse(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{e}"));
        let clock = Arc::new(ManualClock::new(NOW));
        let builder = Authority::builder(policy).clock(clock.clone()).seal_key(SealKey::new(1, [7; 32]));
        let authority = setup(builder).open().unwrap();

        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = app(authority.clone()).into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, authority, clock, _runtime: runtime }
    }

    pub fn send(&self, request: &Request) -> Answer {
        request.send(self.address)
    }

    pub fn get(&self, target: &str, key: &str) -> Answer {
        self.send(&Request::new("GET", target).bearer(key))
    }

    pub fn call(&self, method: &str, target: &str, key: &str, body: &Value) -> Answer {
        self.send(&Request::new(method, target).bearer(key).json(body))
    }

    /// Issues a key as the operator does, and gives its id and text.
    pub fn issue(&self, new: NewKey) -> (KeyId, String) {
        let issued = self.authority.issue(&admin(), &new).unwrap_or_else(|error| panic!("{error}"));
        (issued.view.id, issued.key.unwrap().reveal().to_owned())
    }
}

pub fn admin() -> Caller {
    Caller::admin("operator")
}

/// One JSON-RPC message to an MCP server, in a session if one is given.
pub fn rpc(path: &str, key: &str, method: &str, params: &Value) -> Request {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    Request::new("POST", path).bearer(key).header("Accept", "application/json, text/event-stream").json(&body)
}

/// Opens a session and gives its id.
pub fn open_session(host: &Host, path: &str, key: &str) -> (Answer, String) {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let answer = host.send(&rpc(path, key, "initialize", &params));
    let id = answer.header("mcp-session-id").unwrap_or_default().to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let ready = Request::new("POST", path)
        .bearer(key)
        .header("Accept", "application/json, text/event-stream")
        .json(&ready);
    host.send(&ready.header("Mcp-Session-Id", &id));
    (answer, id)
}

/// The one message of an answer, which is a document or the last event of a stream.
#[track_caller]
pub fn message(answer: &Answer) -> Value {
    let document = match answer.header("content-type") {
        Some("text/event-stream") => answer
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(str::trim)
            .rfind(|data| !data.is_empty()),
        _ => Some(answer.body.as_str()),
    };
    serde_json::from_str(document.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// Calls a tool without a session, as clients of the stateless protocol do.
pub fn call_tool(
    host: &Host,
    path: &str,
    request: impl FnOnce(Request) -> Request,
    tool: &str,
    arguments: Value,
) -> Answer {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let call = rpc(path, "", "tools/call", &json!({"name": tool, "arguments": arguments, "_meta": meta}));
    let call = call
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Method", "tools/call")
        .header("Mcp-Name", tool);
    host.send(&request(call))
}
