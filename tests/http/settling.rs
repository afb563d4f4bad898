//! Calls that count only if they succeed, and calls that are not over yet.

use crate::mcp::{layer, post, rpc};
use crate::support::{Answer, AtOnce, authority, bearer, issue, read, request};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use std::convert::Infallible;
use tenantkit::http::tower::{BufferedBody, GuardLayer};
use tenantkit::{Authority, Grant};
use tower::{Layer, Service, ServiceExt, service_fn};

/// What is left of the three runs of the day, as a call that counts at once sees it; or why it is refused.
async fn left(authority: &Authority, key: &str) -> String {
    let run = request("POST", "/orgs/o1/things/run", &[("authorization", key)]);
    let answer = send(authority, StatusCode::OK, run).await;
    match answer.status {
        200 => answer.header("ratelimit").unwrap().to_owned(),
        _ => answer.code(),
    }
}

/// Sends a request to a service that always answers with this status.
async fn send(authority: &Authority, status: StatusCode, request: Request<String>) -> Answer {
    let layer = GuardLayer::new(authority.clone(), AtOnce::default());
    let inner = service_fn(move |_: Request<String>| async move {
        Ok::<_, Infallible>(Response::builder().status(status).body(String::new()).unwrap())
    });
    read(layer.layer(inner).oneshot(request).await.unwrap()).await
}

fn build(key: &str) -> Request<String> {
    request("POST", "/orgs/o1/things/build", &[("authorization", key)])
}

#[tokio::test]
async fn a_failed_call_does_not_count_where_success_does() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    for status in [StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND] {
        for _ in 0..2 {
            assert_eq!(send(&authority, status, build(&key)).await.status, status);
        }
    }
    for status in [StatusCode::OK, StatusCode::SEE_OTHER] {
        assert_eq!(send(&authority, status, build(&key)).await.status, status);
    }
    assert_eq!(left(&authority, &key).await, "\"runs-day\";r=0;t=86112", "two counted, and this one");
    let refused = send(&authority, StatusCode::OK, build(&key)).await;
    assert_eq!((refused.status, &*refused.code()), (429, "usage_limit_reached"));
}

#[tokio::test]
async fn while_it_runs_a_call_holds_its_units() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let service = |_: Request<String>| std::future::pending::<Result<Response<BufferedBody>, Infallible>>();
    let mut guard = GuardLayer::new(authority.clone(), AtOnce::default()).layer(service_fn(service));
    let mut running = Vec::new();
    for _ in 0..3 {
        let mut call = guard.ready().await.unwrap().call(build(&key));
        assert!(poll_once(&mut call).is_pending());
        running.push(call);
    }
    assert_eq!(left(&authority, &key).await, "rate_limited", "held, not used: it pays to come back soon");
    running.clear();
    assert_eq!(left(&authority, &key).await, "\"runs-day\";r=2;t=86112", "three clients went away");
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context)
}

/// An MCP server that answers every call with this message, as a document or an event.
async fn tool(
    authority: &Authority,
    key: &str,
    tool: &str,
    stateless: bool,
    answer: Value,
    streams: bool,
) -> Answer {
    let (content_type, body) = match streams {
        true => (
            "text/event-stream",
            format!(": wait\n\ndata: {{\"method\":\"progress\"}}\n\ndata: {answer}\n\n"),
        ),
        false => ("application/json", answer.to_string()),
    };
    let server = service_fn(move |request: Request<BufferedBody>| {
        assert!(request.extensions().get::<std::sync::Arc<Grant>>().is_some());
        let response = Response::builder().header("content-type", content_type).body(body.clone()).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let mut headers = vec![("authorization", key)];
    if stateless {
        headers.extend([
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ]);
    }
    let call = post(&rpc("tools/call", json!({"name": tool})), &headers);
    read(layer(authority).layer(server).oneshot(call).await.unwrap()).await
}

fn result(result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "result": result})
}

/// One logical call is one charge, however often the server asks for input.
#[tokio::test]
async fn a_call_that_needs_input_first_is_charged_once() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let unfinished = || result(json!({"resultType": "input_required", "inputRequests": {}}));
    for streams in [false, true, false, true] {
        let answer = tool(&authority, &key, "run", true, unfinished(), streams).await;
        assert_eq!(answer.header("ratelimit"), Some("\"runs-day\";r=2;t=86112"));
        assert!(answer.body.contains("input_required"));
    }
    tool(&authority, &key, "run", true, result(json!({"resultType": "complete"})), true).await;
    assert_eq!(left(&authority, &key).await, "\"runs-day\";r=1;t=86112");
    let failed = result(json!({"isError": true}));
    tool(&authority, &key, "run", true, failed, false).await;
    assert_eq!(
        left(&authority, &key).await,
        "usage_limit_reached",
        "what was let in counts, whatever became of it"
    );
}

#[tokio::test]
async fn tools_that_count_on_success() {
    let authority = authority();
    let key = bearer(&issue(&authority, |new| new));
    let failures = [
        result(json!({"isError": true})),
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "x"}}),
        json!("no message"),
    ];
    for stateless in [false, true] {
        for streams in [false, true] {
            for failure in &failures {
                tool(&authority, &key, "build", stateless, failure.clone(), streams).await;
            }
        }
    }
    tool(&authority, &key, "build", false, result(json!({"isError": false})), true).await;
    assert_eq!(left(&authority, &key).await, "\"runs-day\";r=1;t=86112");
}
