//! [`McpLayer`]: what is judged, what is charged, and how refusals travel.

use crate::support::{Answer, AtOnce, POLICY, authority, authority_of, bearer, issue, read, request};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tenantkit::Authority;
use tenantkit::http::mcp::message::BODY_MAX;
use tenantkit::http::tower::{BufferedBody, McpLayer};
use tenantkit::tenant::TenantScope;
use tower::{Layer, ServiceExt, service_fn};

/// A small MCP server: it answers each request with one JSON document, or one event, and notes what it saw.
#[derive(Clone, Default)]
pub(crate) struct Server {
    pub seen: Arc<Mutex<Vec<String>>>,
    pub streams: bool,
}

impl Server {
    async fn serve(self, request: Request<BufferedBody>) -> Result<Response<String>, Infallible> {
        let (parts, body) = request.into_parts();
        let session = parts.headers.get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        let scope = parts.extensions.get::<TenantScope>().unwrap().to_string();
        let message: Value = serde_json::from_str(&collect(body).await).unwrap_or_default();
        let method = message["method"].as_str().unwrap_or(parts.method.as_str()).to_owned();
        self.seen.lock().unwrap().push(format!("{method} {scope} {}", session.unwrap_or_default()));
        let result = match &*method {
            "tools/list" => {
                json!({"tools": [{"name": "run"}, {"name": "delete"}, {"name": "provider"}, {"name": "unmapped"}]})
            }
            _ => json!({"content": [{"type": "text", "text": "done"}]}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
        let (content_type, body) = match self.streams {
            true => ("text/event-stream", format!(": hello\n\nid: 1\ndata: {answer}\n\n")),
            false => ("application/json", answer),
        };
        let mut response = Response::builder().header("content-type", content_type);
        response = response.header("content-length", body.len());
        if method == "initialize" {
            response = response.header("mcp-session-id", "session-1");
        }
        Ok(response.body(body).unwrap())
    }

    pub(crate) async fn send(&self, layer: &McpLayer, request: Request<String>) -> Answer {
        let server = self.clone();
        let service = layer.layer(service_fn(move |request| server.clone().serve(request)));
        read(service.oneshot(request).await.unwrap()).await
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn collect<B: Body<Data = Bytes, Error = Infallible>>(body: B) -> String {
    read(Response::new(body)).await.body
}

pub(crate) fn layer(authority: &Authority) -> McpLayer {
    McpLayer::new(authority.clone(), AtOnce::default()).dimensions(|message| match message.name.as_deref() {
        Some("provider") => vec![("provider".to_owned(), "github".to_owned())],
        _ => Vec::new(),
    })
}

pub(crate) fn post(body: &Value, headers: &[(&str, &str)]) -> Request<String> {
    request("POST", "/mcp", headers).map(|_| body.to_string())
}

pub(crate) fn rpc(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn tool(name: &str) -> Value {
    rpc("tools/call", json!({"name": name}))
}

#[tokio::test]
async fn tools_are_charged_and_the_protocol_is_free() {
    let authority = authority();
    let (server, key) = (Server::default(), bearer(&issue(&authority, |new| new)));
    let headers = [("authorization", &*key)];
    let layer = layer(&authority);
    for method in ["initialize", "ping", "tools/list", "server/discover", "resources/list", "notifications/x"]
    {
        let answer = server.send(&layer, post(&rpc(method, json!({})), &headers)).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, None), "{method}");
    }
    for left in [2, 1, 0] {
        let answer = server.send(&layer, post(&tool("run"), &headers)).await;
        assert_eq!(answer.header("ratelimit"), Some(&*format!("\"runs-day\";r={left};t=86112")));
        assert!(answer.body.contains("done"));
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 9);
    assert_eq!(seen[8], "tools/call acme/o1/- in live ");

    let refused = server.send(&layer, post(&tool("run"), &headers)).await;
    assert_eq!((refused.status, refused.header("retry-after")), (200, None));
    let body: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!((&body["id"], &body["result"]["isError"]), (&json!(1), &json!(true)));
    assert_eq!(
        body["result"]["content"][0]["text"],
        "Daily limit of 3 runs used; resets 2026-12-01 00:00 UTC; do not retry before."
    );
    assert!(body["result"]["content"][1]["text"].as_str().unwrap().contains("usage_limit_reached"));
    let still = server.send(&layer, post(&rpc("tools/list", json!({})), &headers)).await;
    assert!(still.body.contains("\"run\""), "an exhausted limit hides nothing");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn strangers_learn_nothing_and_others_what_is_wrong() {
    let authority = authority();
    let (server, key) = (Server::default(), bearer(&issue(&authority, |new| new)));
    let layer = layer(&authority);
    let batch = request("POST", "/mcp", &[]).map(|_| "[]".to_owned());
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#;
    let new_version = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
    let requests = [
        (post(&tool("run"), &[]), 200, ""),
        (post(&tool("delete"), &[]), 403, "insufficient_permission"),
        (post(&rpc("prompts/get", json!({"name": "confirm"})), &[]), 403, "insufficient_permission"),
        (post(&tool("none"), &[]), 200, "-32602"),
        (batch, 400, "-32600"),
        (request("POST", "/mcp", &[]).map(|_| twice.to_owned()), 400, "-32600"),
        (request("POST", "/mcp", &[]).map(|_| "{".to_owned()), 400, "-32700"),
        (request("POST", "/mcp", &[]).map(|_| " ".repeat(BODY_MAX + 1)), 413, "-32600"),
        (post(&tool("run"), &new_version), 400, "-32020"),
        (post(&tool("run"), &[("mcp-protocol-version", "soon")]), 400, "-32020"),
        (
            post(
                &json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
                &[("mcp-protocol-version", "2026-07-28")],
            ),
            400,
            "-32600",
        ),
        (request("GET", "/mcp", &[("mcp-protocol-version", "x")]), 400, "-32020"),
    ];
    for (mut request, status, code) in requests {
        let stranger = clone(&request);
        request.headers_mut().insert("authorization", key.parse().unwrap());
        let answer = server.send(&layer, request).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let found = match &body["error"]["code"] {
            Value::Number(number) => number.to_string(),
            found => found.as_str().unwrap_or_default().to_owned(),
        };
        assert_eq!((answer.status, &*found), (status, code), "{body}");

        let refused = server.send(&layer, stranger).await;
        assert_eq!((refused.status, &*refused.code()), (401, "missing_credential"));
        assert!(refused.header("www-authenticate").is_some());
    }
    assert_eq!(server.seen(), ["tools/call acme/o1/- in live "]);
    for method in ["PUT", "PATCH", "OPTIONS"] {
        let answer = server.send(&layer, request(method, "/mcp", &[("authorization", &key)])).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    }
}

fn clone(request: &Request<String>) -> Request<String> {
    let mut copy = Request::builder().method(request.method()).uri(request.uri());
    for (name, value) in request.headers() {
        copy = copy.header(name, value);
    }
    copy.body(request.body().clone()).unwrap()
}

#[tokio::test]
async fn stateless_clients_name_what_they_send() {
    let authority = authority();
    let (server, key) = (Server::default(), bearer(&issue(&authority, |new| new)));
    let layer = layer(&authority);
    let call = rpc(
        "tools/call",
        json!({"name": "run", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
    );
    let headers = |name: &'static str| {
        [
            ("authorization", &*key),
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", name),
        ]
    };
    for name in ["run", "=?base64?cnVu?="] {
        let answer = server.send(&layer, post(&call, &headers(name))).await;
        assert!(answer.header("ratelimit").is_some(), "{}", answer.body);
    }
    let mut with_session = headers("run").to_vec();
    with_session.push(("mcp-session-id", "somebody's"));
    assert_eq!(server.send(&layer, post(&call, &with_session)).await.status, 200);
    assert_eq!(server.seen(), ["tools/call acme/o1/- in live "; 3], "and no session id reaches the server");
    for method in ["GET", "DELETE"] {
        let answer = server.send(&layer, request(method, "/mcp", &headers("run"))).await;
        assert_eq!(answer.status, 405, "{method}");
    }
    let differs = server.send(&layer, post(&call, &headers("delete"))).await;
    assert_eq!(differs.status, 400);
    assert_eq!(server.seen(), [""; 0]);
}

#[tokio::test]
async fn lists_show_what_the_caller_may_use() {
    let authority = authority();
    let reader = bearer(&issue(&authority, |new| new));
    let writer = bearer(&issue(&authority, |new| new.role("writer")));
    let layer = layer(&authority);
    for streams in [false, true] {
        let server = Server { streams, ..Server::default() };
        for (key, tools) in [(&reader, vec!["run", "provider"]), (&writer, vec!["run", "delete", "provider"])]
        {
            let list = post(&rpc("tools/list", json!({})), &[("authorization", key)]);
            let answer = server.send(&layer, list).await;
            assert_eq!(answer.header("content-length"), None, "the list has another length now");
            let document = match streams {
                true => answer.body.strip_prefix(": hello\n\nid: 1\ndata: ").unwrap(),
                false => &*answer.body,
            };
            let result = serde_json::from_str::<Value>(document).unwrap()["result"].take();
            let names: Vec<&str> = result["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tool| tool["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, tools);
            assert_eq!(result["cacheScope"], "private");
        }
    }
}

#[tokio::test]
async fn a_policy_without_a_free_operation_serves_tools_alone() {
    let authority = authority_of(&POLICY.replace("free_operation = \"session\"", ""));
    let (server, key) = (Server::default(), bearer(&issue(&authority, |new| new)));
    let headers = [("authorization", &*key)];
    let layer = layer(&authority);
    assert_eq!(server.send(&layer, post(&tool("run"), &headers)).await.status, 200);
    for request in [
        post(&rpc("initialize", json!({})), &headers),
        post(&tool("none"), &headers),
        request("POST", "/mcp", &headers).map(|_| "[]".to_owned()),
        request("GET", "/mcp", &headers),
    ] {
        let answer = server.send(&layer, request).await;
        assert_eq!((answer.status, &*answer.code()), (404, "resource_not_found"));
    }
    assert_eq!(server.seen().len(), 1);
}
