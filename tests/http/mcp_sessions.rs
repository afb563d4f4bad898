//! Sessions belong to the key and tenant that opened them (row X-11).

use crate::mcp::{Server, layer, post, rpc};
use crate::support::{Answer, authority, bearer, issue, request};
use serde_json::{Value, json};
use tenantkit::http::tower::McpLayer;

const ID: &str = "session-1";

/// A message of a session.
async fn say(server: &Server, layer: &McpLayer, method: &str, headers: &[(&str, &str)]) -> Answer {
    let params = if method == "tools/call" { json!({"name": "run"}) } else { json!({}) };
    server.send(layer, post(&rpc(method, params), headers)).await
}

#[tokio::test]
async fn only_the_opener_goes_on() {
    let authority = authority();
    let layer = layer(&authority);
    let server = Server::default();
    let ann = bearer(&issue(&authority, |new| new));
    let bob = bearer(&issue(&authority, |new| new));
    let opened = say(&server, &layer, "initialize", &[("authorization", &ann)]).await;
    assert_eq!((opened.status, opened.header("mcp-session-id")), (200, Some(ID)));
    server.seen();

    let of_ann = [("authorization", &*ann), ("mcp-session-id", ID)];
    let of_bob = [("authorization", &*bob), ("mcp-session-id", ID)];
    for method in ["tools/list", "tools/call", "notifications/initialized"] {
        assert_eq!(say(&server, &layer, method, &of_ann).await.status, 200, "{method}");
        let foreign = say(&server, &layer, method, &of_bob).await;
        assert_eq!((foreign.status, &*foreign.code()), (404, "session_not_found"), "{method}");
    }
    assert_eq!(server.seen().len(), 3, "nothing of the other key reached the server");
    let alone = say(&server, &layer, "tools/call", &[("authorization", &bob)]).await;
    assert_eq!(alone.header("ratelimit"), Some("\"runs-day\";r=2;t=86112"), "and it was not charged");
}

#[tokio::test]
async fn another_user_of_the_same_key_is_another_caller() {
    let authority = authority();
    let layer = layer(&authority);
    let server = Server::default();
    let key = bearer(&issue(&authority, |new| new));
    let message = |method: &str, user: &str| {
        let body: Value = rpc(method, json!({}));
        let headers = [("authorization", &*key), ("mcp-session-id", ID)];
        request("POST", &format!("/mcp{user}"), &headers).map(|_| body.to_string())
    };
    assert_eq!(server.send(&layer, message("initialize", "?user_id=ann")).await.status, 200);
    assert_eq!(
        server.seen(),
        ["initialize acme/o1/ann in live "],
        "a session id is not taken along into a new one"
    );
    for (user, status) in [("?user_id=ann", 200), ("?user_id=bob", 404), ("", 404)] {
        assert_eq!(server.send(&layer, message("ping", user)).await.status, status, "{user}");
    }
}

#[tokio::test]
async fn streams_and_ends_are_the_openers_too() {
    let authority = authority();
    let layer = layer(&authority);
    let server = Server::default();
    let ann = bearer(&issue(&authority, |new| new));
    let bob = bearer(&issue(&authority, |new| new));
    say(&server, &layer, "initialize", &[("authorization", &ann)]).await;
    server.seen();
    assert_eq!(status(&server, &layer, "GET", &bob).await, 404);
    assert_eq!(status(&server, &layer, "DELETE", &bob).await, 404);
    assert_eq!(status(&server, &layer, "GET", &ann).await, 200);
    assert_eq!(status(&server, &layer, "DELETE", &ann).await, 200);
    assert_eq!(status(&server, &layer, "GET", &ann).await, 404, "it has ended");
    assert_eq!(server.seen(), ["GET acme/o1/- in live session-1", "DELETE acme/o1/- in live session-1"]);
    let stranger = server.send(&layer, request("DELETE", "/mcp", &[("mcp-session-id", ID)])).await;
    assert_eq!((stranger.status, &*stranger.code()), (401, "missing_credential"));
}

#[tokio::test]
async fn a_session_id_given_twice_is_nobodys() {
    let authority = authority();
    let layer = layer(&authority);
    let server = Server::default();
    let ann = bearer(&issue(&authority, |new| new));
    say(&server, &layer, "initialize", &[("authorization", &ann)]).await;
    let twice = [("authorization", &*ann), ("mcp-session-id", ID), ("mcp-session-id", ID)];
    assert_eq!(say(&server, &layer, "ping", &twice).await.status, 404);
}

/// The status of a request on the session that carries no message.
async fn status(server: &Server, layer: &McpLayer, method: &str, key: &str) -> u16 {
    server
        .send(layer, request(method, "/mcp", &[("authorization", key), ("mcp-session-id", ID)]))
        .await
        .status
}
