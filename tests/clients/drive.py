"""Drives the example hosts with clients that nobody here wrote: the official MCP client and curl.

Called by scripts/clients.sh, which builds the hosts and installs the client: drive.py EXAMPLES_FOLDER POLICIES_FOLDER
"""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

EXAMPLES, POLICIES = Path(sys.argv[1]), Path(sys.argv[2])
# The client warns of a session's end that is answered with 202, as the Rust MCP server does.
logging.getLogger("mcp.client.streamable_http").setLevel(logging.ERROR)
ACCEPT = "Accept: application/json, text/event-stream"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Host("runstack", "runstack", folder) as host:
            for mode in ("legacy", "auto"):
                asyncio.run(runstack(host, mode))
            runstack_by_curl(host)
        with Host("allmcp", "allmcp-extended", folder) as host:
            asyncio.run(allmcp(host))
            allmcp_by_curl(host)
    print(f"clients: {check.passed} checks passed")


async def runstack(host: "Host", mode: str) -> None:
    """A session of a free key: discovery is free, executions count, the 51st is refused in words."""
    _, key = host.issue(name="Claude Desktop", user_id="ann")
    async with connect(f"{host.url}/mcp", mode, Authorization=f"Bearer {key}") as client:
        check(f"runstack, {mode}: the session speaks {client.protocol_version}", bool(client.protocol_version))
        tools = [tool.name for tool in (await client.list_tools()).tools]
        expected = ["search_tools", "check_authentication", "initiate_connection", "execute_tool"]
        check(f"runstack, {mode}: tools/list", tools == expected, tools)
        found = await client.call_tool("search_tools", {"query": "git"})
        check(f"runstack, {mode}: search_tools", "github_create_issue" in text(found), found)
        await client.call_tool("initiate_connection", {"product": "github"})
        for call in range(1, 51):
            done = await client.call_tool("execute_tool", {"tool": "github_create_issue"})
            if done.is_error:
                check(f"runstack, {mode}: execution {call} of 50", False, done)
        refused = await client.call_tool("execute_tool", {"tool": "github_create_issue"})
        check(f"runstack, {mode}: execution 51 is a tool result with isError", refused.is_error, refused)
        error = json.loads(text(refused, 1))["error"]
        check(f"runstack, {mode}: its code is usage_limit_reached", error["code"] == "usage_limit_reached", error)
        found = await client.call_tool("search_tools", {"query": "git"})
        check(f"runstack, {mode}: search_tools is still free", not found.is_error, found)


def runstack_by_curl(host: "Host") -> None:
    key_id, key = host.issue(name="curl", user_id="ann")
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})

    def post(*headers: str) -> tuple[int, str]:
        options = [part for header in (ACCEPT, "Content-Type: application/json", *headers) for part in ("-H", header)]
        return curl(f"{host.url}/mcp", "-d", call, *options)

    status, body = curl(f"{host.url}/analytics", "-H", f"Authorization: Bearer {key}")
    check("curl: 403 entitlement_required", (status, code(body)) == (403, "entitlement_required"), body)
    status, body = post()
    check("curl: 401 missing_credential", (status, code(body)) == (401, "missing_credential"), body)
    status, body = post(f"Authorization: Bearer {key}", f"Authorization: Bearer {key}x")
    check("curl: 400 credential_conflict", (status, code(body)) == (400, "credential_conflict"), body)
    _, pro = host.issue(name="curl", user_id="ann", plan="PRO")
    status, body = curl(f"{host.url}/analytics", "-H", f"Authorization: Bearer {pro}")
    check("curl: 200", status == 200, body)

    ended_id, ended = host.issue(name="old", user_id="ann")
    host.end("--delete", ended_id)
    same_id = "X-Request-Id: 0123456789abcdef"
    answers = [post(f"Authorization: Bearer {text}", same_id) for text in (ended, "rsk_" + "0" * 64)]
    alike("a deleted key and one that never was", *answers)


async def allmcp(host: "Host") -> None:
    """What a key is bound to, and what the URL may say."""
    keys = {preset: host.issue(name=preset, preset=preset, org_id="o0", user_id="u0")[1] for preset in PRESETS}
    for preset, query in PRESETS.items():
        async with connect(f"{host.url}/mcp/{query}", "legacy", **{"X-API-Key": keys[preset]}) as client:
            listed = await client.call_tool("list_providers", {})
            check(f"allmcp: a {preset} key at /mcp/{query}", not listed.is_error and "slack" in text(listed), listed)
    host.client_key = keys["client"]
    wrong = [
        ("solo", "?user_id=ann", 403, "user_mismatch"),
        ("client", "", 400, "user_required"),
        ("client", "?user_id=ann&org_id=o1", 403, "org_mismatch"),
        ("platform", "?user_id=ann", 400, "org_required"),
    ]
    for preset, query, status, expected in wrong:
        got, body = host.list_providers(keys[preset], query)
        told = f"allmcp: {status} {expected} for a {preset} key at /mcp/{query}"
        check(told, (got, code(body)) == (status, expected), body)
        refused = False
        try:
            async with connect(f"{host.url}/mcp/{query}", "legacy", **{"X-API-Key": keys[preset]}):
                pass
        except Exception:  # Which one is the client's business; curl has just seen the answer itself.
            refused = True
        check(f"allmcp: the MCP client opens no session there ({preset} key)", refused)


UNKNOWN = "allmcp_" + "a" * 32
PRESETS = {"solo": "", "client": "?user_id=ann", "platform": "?org_id=o1&user_id=ann"}


def allmcp_by_curl(host: "Host") -> None:
    """60 provider calls a minute for one user: the numbers behind `#` stay in curl."""
    revoked_id, revoked = host.issue(name="old", preset="solo", org_id="o0", user_id="u0")
    host.end("--revoke", revoked_id)
    alike("a revoked key and one that never was", *(host.list_providers(key, "") for key in (revoked, UNKNOWN)))

    statuses = host.call_provider("?user_id=bob#[1-300]").split()
    check("curl: the first 60 provider calls of a minute pass", statuses[:60] == ["200"] * 60, statuses)
    check("curl: 429 after that", "429" in statuses[60:], statuses)
    check("curl: 200 for another user of the same key", host.call_provider("?user_id=cleo").split() == ["200"])


class Host:
    """An example host on a port of the system's choice, and its operator beside it."""

    def __init__(self, name: str, policy: str, folder: str):
        self.policy, self.db = POLICIES / f"{policy}.toml", Path(folder) / f"{name}.db"
        command = [EXAMPLES / name, "--listen", "127.0.0.1:0", "--db", self.db, "--policy", self.policy]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://{self.process.stdout.readline().strip()}"
        self.client_key = ""

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def issue(self, **body: str) -> tuple[str, str]:
        key_id, key = self._operate(json.dumps(body)).split()
        return key_id, key

    def end(self, how: str, key_id: str) -> None:
        self._operate(how, key_id)

    def list_providers(self, key: str, query: str) -> tuple[int, str]:
        headers = ["-H", f"X-API-Key: {key}", "-H", "X-Request-Id: 0123456789abcdef"]
        return curl(f"{self.url}/mcp/{query}", *tool_call("list_providers"), *headers)

    def call_provider(self, query: str) -> str:
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n", *tool_call("slack_post_message")]
        command += ["-H", f"X-API-Key: {self.client_key}", f"{self.url}/mcp/{query}"]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    def _operate(self, *act: str) -> str:
        command = [EXAMPLES / "issue", self.policy, self.db, *act]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def connect(url: str, mode: str, **headers: str) -> Client:
    http_client = httpx2.AsyncClient(headers=headers, timeout=30)
    return Client(streamable_http_client(url, http_client=http_client), mode=mode)


def tool_call(tool: str) -> list[str]:
    """curl options of a tool call without a session."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "curl", "version": "8"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": {}, "_meta": meta}
    headers = ["Content-Type: application/json", ACCEPT, "MCP-Protocol-Version: 2026-07-28"]
    headers += ["Mcp-Method: tools/call", f"Mcp-Name: {tool}"]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    return ["-d", body, *(part for header in headers for part in ("-H", header))]


def curl(url: str, *options: str) -> tuple[int, str]:
    command = ["curl", "-sS", "-w", "\n%{http_code}", *options, url]
    body, _, status = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.rpartition("\n")
    return int(status), body


def code(body: str) -> str:
    return json.loads(body)["error"]["code"]


def text(result: object, index: int = 0) -> str:
    return result.content[index].text


def alike(what: str, one: tuple[int, str], other: tuple[int, str]) -> None:
    """Two refusals of requests with one id: nobody learns which keys there were."""
    check(f"curl: 401 for {what}", [one[0], other[0]] == [401, 401], (one, other))
    check("curl: byte for byte the same body", "0123456789abcdef" in one[1] and one[1] == other[1], (one, other))


def check(what: str, holds: bool, seen: object = "") -> None:
    if not holds:
        sys.exit(f"FAILED  {what}\n        {seen}")
    check.passed += 1
    print(f"ok      {what}")


check.passed = 0

if __name__ == "__main__":
    main()
