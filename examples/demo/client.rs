//! An HTTP/1.1 client of a few lines, with the MCP calls that the demo makes.

use super::Checked;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request, built header by header.
pub(crate) struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// `Authorization: Bearer`.
    pub(crate) fn bearer(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("Content-Type", "application/json")
    }

    /// A call of an MCP tool, without a session, as clients of the stateless protocol make it.
    pub(crate) fn tool(target: &str, tool: &str, arguments: &Value) -> Self {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "demo", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        Self::new("POST", target)
            .header("Accept", "application/json, text/event-stream")
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", "tools/call")
            .header("Mcp-Name", tool)
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
    }

    /// Sends it on a connection of its own.
    ///
    /// # Errors
    /// What became of the connection, in words.
    pub(crate) fn send(&self, to: SocketAddr) -> Checked<Answer> {
        let bytes = self.exchange(to).map_err(|error| format!("no answer from {to}: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| "the answer is no text".to_owned())?;
        Answer::parse(&text).ok_or_else(|| format!("not a whole HTTP answer: {text:?}"))
    }

    fn exchange(&self, to: SocketAddr) -> std::io::Result<Vec<u8>> {
        let mut text =
            format!("{} {} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body));
        let mut stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(text.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked { unchunked(body)? } else { body.to_owned() };
        let answer = Self { status, headers, body };
        let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
        // A process that is killed may leave half an answer behind.
        length.is_none_or(|length| length == answer.body.len()).then_some(answer)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body: a JSON document, or the last message of an event stream; `null` if it is neither.
    pub(crate) fn json(&self) -> Value {
        let document = match self.header("content-type") {
            Some("text/event-stream") => self
                .body
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .next_back()
                .unwrap_or_default(),
            _ => self.body.as_str(),
        };
        serde_json::from_str(document).unwrap_or_default()
    }

    /// A member of the body, by its JSON pointer; empty if it is no text.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.json().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The code of a refusal: of the HTTP answer, or of a tool's result that tells the caller's model why.
    pub(crate) fn code(&self) -> Option<String> {
        let body = self.json();
        if let Some(code) = body.pointer("/error/code").and_then(Value::as_str) {
            return Some(code.to_owned());
        }
        let told = body.pointer("/result/content/1/text")?.as_str()?;
        let told: Value = serde_json::from_str(told).ok()?;
        told.pointer("/error/code")?.as_str().map(str::to_owned)
    }
}

fn unchunked(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.push_str(after.get(..length)?);
        rest = after.get(length + 2..)?;
    }
}
