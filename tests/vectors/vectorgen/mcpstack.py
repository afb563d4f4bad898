"""MCPStack's API keys and service accounts, fact by fact, on its policy alone."""

from .form import OK, Scenario, allow, deny, refused

ORG = "org_1"
APP = "https://app.example.com"
ROLES = {
    "admin": {"orgs:list", "members:read", "members:manage", "keys:read", "keys:manage", "billing:view", "billing:manage",
              "servers:read", "servers:create", "servers:update", "servers:delete", "agents:read", "agents:create",
              "agents:update", "agents:delete", "settings:read", "settings:manage", "logs:read", "usage:view"},
    "developer": {"orgs:list", "servers:read", "servers:create", "servers:update", "agents:read", "agents:create",
                  "agents:update", "keys:read", "billing:view", "usage:view", "logs:read"},
    "viewer": {"orgs:list", "servers:read", "agents:read", "logs:read"},
}
BASE = "/api/v1/organizations"
# Route, operation, permission.
OPERATIONS = [
    ("GET", BASE, "orgs.list", "orgs:list"),
    ("GET", BASE + "/{org}/servers", "servers.list", "servers:read"),
    ("GET", BASE + "/{org}/servers/s1", "servers.read", "servers:read"),
    ("POST", BASE + "/{org}/servers", "servers.create", "servers:create"),
    ("PATCH", BASE + "/{org}/servers/s1", "servers.update", "servers:update"),
    ("DELETE", BASE + "/{org}/servers/s1", "servers.delete", "servers:delete"),
    ("GET", BASE + "/{org}/agents", "agents.list", "agents:read"),
    ("POST", BASE + "/{org}/agents", "agents.create", "agents:create"),
    ("DELETE", BASE + "/{org}/agents/a1", "agents.delete", "agents:delete"),
    ("GET", BASE + "/{org}/api-keys", "keys.list", "keys:read"),
    ("POST", BASE + "/{org}/api-keys", "keys.create", "keys:manage"),
    ("DELETE", BASE + "/{org}/api-keys/k1", "keys.revoke", "keys:manage"),
    ("GET", BASE + "/{org}/members", "members.list", "members:read"),
    ("POST", BASE + "/{org}/members", "members.invite", "members:manage"),
    ("GET", BASE + "/{org}/billing", "billing.view", "billing:view"),
    ("PUT", BASE + "/{org}/billing", "billing.manage", "billing:manage"),
    ("PATCH", BASE + "/{org}/settings", "settings.update", "settings:manage"),
    ("GET", BASE + "/{org}/logs", "logs.read", "logs:read"),
]


def scenario(id, title, *rows, policy="examples:mcpstack"):
    return Scenario(f"mcpstack/{id}", title, list(rows), policy).host(resources=["agent:a1", "agent:a2"])


def service(s, name="a", role=None, expect=OK, by=None, **body):
    given = {"role": role} if role else {}
    return s.issue(name, expect, by=by, org_id=ORG, **given, **body)


def go(s, expect, method, path, key="a", org=ORG, **members):
    members.setdefault("headers", [["Authorization", f"Bearer $key:{key}"]])
    return s.step("authorize", expect, method=method, path=path.replace("{org}", org), **members)


def verified(s, agent="agent:a1", domain="example.com", account="acme", org=ORG):
    claim = {"domain": domain, "org_id": org, "resource": agent}
    s.step("claim_domain", {"ok": True, "state": "pending", "publish_at": f"_tenantkit-challenge.{domain}"},
           account=account, body=claim)
    return s.step("verify_domain", {"ok": True, "state": "verified"}, account=account, body=claim, found=True)


def public(s, name="pk", agent="agent:a1", origins=(APP,), expect=OK, **body):
    return s.issue(name, expect, kind="public", org_id=ORG, resources=[agent], origins=list(origins), **body)


def chat(s, expect, key="pk", agent="a1", origin=APP, **members):
    headers = [["Authorization", f"Bearer $key:{key}"]]
    if origin is not None:
        headers.append(["Origin", origin])
    return s.step("authorize", expect, method="POST", path=f"/embed/v1/agents/{agent}/chat", headers=headers, **members)


VISITOR = {**allow(ORG), "anonymous": True}


def service_keys():
    s = scenario("MS-01", "two kinds of credentials in one list", "MS-01", "A-19")
    service(s, "sk", expect={"ok": True, "kind": "service", "key_length": 55})
    s.advance(1)
    verified(s)
    public(s, expect={"ok": True, "kind": "public", "key_length": 44})
    s.step("list", {"keys": ["sk", "pk"]}, account="acme")
    s.step("list", {"keys": ["pk"]}, account="acme", filter={"kind": "public"})
    yield s

    s = service(scenario("MS-05", "a service key authenticates and has exactly one role", "MS-05", "MS-06", "MS-10", "MS-34"),
                expect={"ok": True, "role": "viewer", "warnings": []})
    service(s, "dev", "developer", {"ok": True, "role": "developer", "warnings": []})
    service(s, "adm", "admin", {"ok": True, "role": "admin", "warnings": ["role"]})
    service(s, "x", "root", refused("unknown_role"))
    service(s, "y", "owner", refused("unknown_role"))
    service(s, "z", "Developer", refused("unknown_role"))
    go(s, allow(ORG), "GET", BASE + "/{org}/servers")
    yield s

    for role, held in ROLES.items():
        s = service(scenario(f"MS-07-{role}", f"what the role {role} may do, operation by operation", "MS-07", "MS-11",
                             "MS-28", "MS-40", "A-13"), role=role)
        for method, path, operation, permission in OPERATIONS:
            expect = allow(None if operation == "orgs.list" else ORG) if permission in held else deny(
                "insufficient_permission", missing=[permission])
            go(s, expect, method, path, note=operation)
        yield s

    for role, held in {**ROLES, "owner": None}.items():
        s = scenario(f"MS-07-person-{role}", f"a person with the role {role} is judged as a key is, operation by operation",
                     "MS-07", "A-13")
        s.put(org=ORG)
        by = {"person": "alice", "role": role, "orgs": [ORG]}
        for method, path, operation, permission in OPERATIONS:
            if operation == "orgs.list":
                continue  # a role in one org says nothing about the account
            may = held is None or permission in held
            expect = allow(ORG, "alice") if may else deny("insufficient_permission", missing=[permission])
            s.step("authorize", expect, method=method, path=path.replace("{org}", ORG), by=by, account="acme", note=operation)
        s.step("authorize", deny("org_not_allowed", "T-36"), method="GET", path=BASE + "/org_2/servers", by=by, account="acme")
        yield s

    s = service(scenario("MS-07-people", "a person is judged as a key with the same role", "MS-07", "A-13", "INV-10"),
                role="developer")
    for role, may in [("owner", True), ("admin", True), ("developer", False), ("viewer", False), (None, False)]:
        person = {"person": "alice", "orgs": [ORG], **({"role": role} if role else {})}
        body = {"name": "b", "role": "admin", "org_id": ORG}
        s.step("issue", OK if may else refused("grant_exceeds_creator"), **{"as": f"by-{role}"}, account="acme",
               by=person, body=body)
    s.step("issue", refused("grant_exceeds_creator"), **{"as": "c"}, account="acme",
           by={"person": "alice", "role": "admin", "orgs": ["org_2"]}, body={"name": "c", "role": "viewer", "org_id": ORG})
    yield s

    s = scenario("MS-09", "the page lists active keys with role and last use", "MS-09", "MS-12", "A-10", "A-41")
    service(s, "a", "developer")
    s.advance(1)
    service(s, "b")
    go(s, allow(ORG), "GET", BASE + "/{org}/servers")
    s.step("maintain", OK)
    s.step("get", {"role": "developer", "last_used_at": "2026-03-10T12:00:01Z", "standing": "active"}, key="a")
    s.step("get", {"role": "viewer", "last_used_at": None}, key="b")
    s.key_step("revoke", "b", {"ok": True, "standing": "revoked"})
    s.step("list", {"keys": ["a"]}, account="acme")
    s.step("list", {"keys": ["a", "b"]}, account="acme", filter={"standing": "all"})
    yield s

    s = service(scenario("MS-12", "a revoked key is refused, and revoked once", "MS-12", "MS-31", "MS-37", "A-21"))
    s.key_step("revoke", expect={"ok": True, "standing": "revoked"})
    go(s, deny("invalid_key", reason="revoked", http={"status": 401}), "GET", BASE + "/{org}/servers")
    s.key_step("revoke", expect=refused("key_not_found"))
    s.key_step("delete", expect=refused("validation_error"))
    s.step("revoke", refused("key_not_found"), account="other", id="$id:a")
    s.step("revoke", refused("key_not_found"), account="acme", id="key_00000000000000000000000000")
    s.step("revoke", refused("key_not_found"), account="acme", id="nonsense")
    yield s

    s = service(scenario("MS-18", "service secrets do not stay visible", "MS-18", "MS-30", "INV-43"))
    s.step("get", {"ok": True, "value": None}, key="a")
    yield s

    s = scenario("MS-22", "a list for one org has no key of another", "MS-22")
    service(s, "a")
    s.issue("b", org_id="org_2")
    s.step("list", {"keys": ["a"]}, account="acme", filter={"org_id": ORG})
    s.step("list", {"keys": ["b"]}, account="acme", filter={"org_id": "org_2"})
    person = {"person": "alice", "role": "admin", "orgs": [ORG]}
    s.step("list", {"keys": ["a"]}, account="acme", by=person)
    s.step("get", refused("key_not_found"), key="b", by=person)
    yield s

    s = scenario("MS-29", "what is wrong with a request is named, member by member", "MS-29")
    service(s, "a", expect=refused("validation_error", fields=["colour"]), colour="red")
    s.step("issue", refused("validation_error", fields=["name"]), **{"as": "b"}, account="acme", body={"org_id": ORG})
    s.step("issue", refused("validation_error", fields=["account_id"]), **{"as": "b"}, account="acme",
           body={"name": "b", "org_id": ORG, "account_id": "other"})
    service(s, "c", expect=refused("validation_error", fields=["roleKey"]), role="viewer", roleKey="admin")
    service(s, "d", expect={"ok": True, "role": "developer"}, roleKey="developer")
    service(s, "e", expect={"ok": True, "role": "viewer"}, role="viewer", roleKey="viewer")
    s.step("issue", refused("binding_invalid"), **{"as": "f"}, account="acme", body={"name": "f"})
    s.document["rows"].append("A-20")
    yield s

    s = service(scenario("MS-32", "Bearer and X-API-Key are the same", "MS-32"))
    for headers in ([["Authorization", "Bearer $key:a"]], [["X-API-Key", "$key:a"]]):
        go(s, {**allow(ORG), "key_id": "$id:a"}, "GET", BASE + "/{org}/servers", headers=headers)
    go(s, deny("missing_credential"), "GET", BASE + "/{org}/servers", headers=[["Authorization", "Bearer person-token"]],
       note="a person's token goes to the human authenticator")
    yield s

    s = scenario("MS-33", "one key per environment is a label", "MS-33")
    for name in ("prod", "staging"):
        service(s, name, labels={"environment": name})
    s.step("list", {"keys": ["prod"]}, account="acme", filter={"label": ["environment", "prod"]})
    s.key_step("revoke", "prod")
    go(s, deny("invalid_key", reason="revoked"), "GET", BASE + "/{org}/servers", key="prod")
    go(s, allow(ORG), "GET", BASE + "/{org}/servers", key="staging")
    yield s

    s = service(scenario("MS-35", "rotation: both work during the overlap, then the new one alone", "MS-35", "A-40", "N-08"),
                role="developer")
    s.key_step("rotate", expect={"ok": True, "role": "developer", "name": "a", "org": {"fixed": ORG}, "user": "none"},
               grace_s=3600, **{"as": "b"})
    for key in ("a", "b"):
        go(s, allow(ORG), "POST", BASE + "/{org}/servers", key=key)
    s.key_step("rotate", expect=refused("rotation_in_progress"), grace_s=0, **{"as": "c"})
    s.key_step("revoke")
    go(s, deny("invalid_key", reason="revoked"), "GET", BASE + "/{org}/servers")
    go(s, allow(ORG), "GET", BASE + "/{org}/servers", key="b")
    yield s

    s = service(scenario("MS-38", "a wrong key is 401", "MS-38", "MS-37"))
    go(s, deny("invalid_key", reason="unknown", http={"status": 401}), "GET", BASE + "/{org}/servers",
       headers=[["Authorization", "Bearer $other:a"]])
    yield s

    scope = {"www-authenticate": "Bearer error=\"insufficient_scope\", scope=\"servers:create\""}
    s = service(scenario("MS-40", "403 names the missing permission", "MS-40"), role="viewer")
    message = "the key lacks a permission that this operation needs"
    go(s, deny("insufficient_permission", missing=["servers:create"], http={
        "status": 403, "headers": {"content-type": "application/json", "cache-control": "no-store", **scope},
        "body": {"error": {"code": "insufficient_permission", "message": message, "status": 403, "retryable": False,
                           "details": {"missing_permissions": ["servers:create"]}}}}),
       "POST", BASE + "/{org}/servers")
    go(s, allow(ORG), "GET", BASE + "/{org}/servers")
    yield s

    s = service(scenario("A-15", "another org in the path is refused, existing or not", "A-15", "MS-41"))
    s.put(org="org_2")
    for org in ("org_2", "org_9", "ORG_1"):
        go(s, deny("org_mismatch", "T-29", parameter="org_id"), "GET", BASE + "/{org}/servers", org=org)
    yield s


def managing_keys():
    s = service(scenario("A-14", "an admin key manages keys, as an admin may; no other key does", "A-14", "INV-10"),
                "adm", "admin")
    service(s, "dev", "developer")
    go(s, allow(ORG), "POST", BASE + "/{org}/api-keys", key="adm")
    go(s, deny("insufficient_permission", missing=["keys:manage"]), "POST", BASE + "/{org}/api-keys", key="dev")
    by = {"key": "adm", "operation": "keys.create"}
    s.issue("made", by=by, role="developer", expect={"ok": True, "org": {"fixed": ORG}, "created_by": "$id:adm"})
    go(s, allow(ORG), "POST", BASE + "/{org}/servers", key="made")
    s.issue("peer", by=by, role="admin", expect=OK)
    s.issue("elsewhere", by=by, role="viewer", org_id="org_2", expect=refused("grant_exceeds_creator"))
    s.step("issue", refused("grant_exceeds_creator"), **{"as": "x"}, account="other", by=by,
           body={"name": "x", "role": "viewer", "org_id": ORG})
    s.key_step("revoke", "made", by=by)
    go(s, deny("invalid_key", reason="revoked"), "GET", BASE + "/{org}/servers", key="made")
    s.key_step("rotate", "adm", refused("grant_exceeds_creator"), by=by, grace_s=0, **{"as": "y"})
    s.update("adm", refused("grant_exceeds_creator"), by=by, expires_at=None)
    yield s

    s = service(scenario("A-46", "a key outlives the key and the person that made it", "A-46", "INV-10"), "adm", "admin")
    s.issue("made", by={"key": "adm", "operation": "keys.create"}, role="developer")
    s.issue("by-person", by={"person": "alice", "role": "admin", "orgs": [ORG]}, role="viewer")
    s.key_step("revoke", "adm")
    for key in ("made", "by-person"):
        go(s, allow(ORG), "GET", BASE + "/{org}/servers", key=key)
    s.tenant_step("suspend_tenant", ORG)
    for key in ("made", "by-person"):
        go(s, deny("org_suspended", "X-06"), "GET", BASE + "/{org}/servers", key=key)
    yield s

    s = service(scenario("A-14-expiry", "a key that ends makes none that ends later", "A-14", "INV-10"), "adm", "admin",
                expires_at="2026-06-30T00:00:00Z")
    by = {"key": "adm", "operation": "keys.create"}
    s.issue("later", refused("grant_exceeds_creator"), by=by, expires_at="2026-07-01T00:00:00Z")
    s.issue("never", refused("grant_exceeds_creator"), by=by)
    s.issue("sooner", OK, by=by, expires_at="2026-06-29T00:00:00Z")
    yield s


def public_keys():
    s = verified(scenario("MS-02", "a public key calls the embed route and nothing else", "MS-02", "MS-42", "A-18", "X-12"))
    public(s)
    chat(s, VISITOR)
    for method, path, operation, _ in OPERATIONS[1:6]:
        headers = [["Authorization", "Bearer $key:pk"], ["Origin", APP]]
        go(s, deny("kind_not_allowed"), method, path, headers=headers, note=operation)
    yield s

    s = verified(scenario("MS-03", "a public key is for one agent", "MS-03"))
    public(s)
    chat(s, VISITOR)
    chat(s, deny("resource_not_allowed"), agent="a2")
    s.issue("two", refused("validation_error"), kind="public", org_id=ORG, resources=["agent:a1", "agent:a2"], origins=[APP])
    s.issue("none", refused("validation_error"), kind="public", org_id=ORG, resources=[], origins=[APP])
    s.issue("missing", refused("validation_error"), kind="public", org_id=ORG, origins=[APP])
    s.issue("other", refused("validation_error"), kind="public", org_id=ORG, resources=["server:s1"], origins=[APP])
    yield s

    s = verified(scenario("MS-04", "a public key works from its exact origins alone", "MS-04", "A-16"))
    public(s, origins=[APP, "https://app.example.com:8443"])
    for origin in [APP, "https://APP.example.com", "https://app.example.com:443", "https://app.example.com:8443"]:
        chat(s, VISITOR, origin=origin)
    for origin in ["http://app.example.com", "https://app.example.com:8444", "https://example.com",
                   "https://evilapp.example.com", "https://app.example.com.evil.net", "https://a.app.example.com",
                   "https://app.example.com/", "https://app.example.com.", "https://user@app.example.com", "",
                   "https://app.example.com, https://evil.net", "chrome-extension://abc", "file://"]:
        chat(s, deny("origin_not_allowed"), origin=origin)
    for origin in [None, "null"]:
        chat(s, deny("origin_required"), origin=origin)
    s.step("authorize", deny("origin_not_allowed"), operation="agent.chat", resource="agent:a1",
           headers=[["Authorization", "Bearer $key:pk"], ["Origin", APP], ["Origin", APP]], note="two lines")
    s.step("authorize", deny("origin_required"), operation="agent.chat", resource="agent:a1",
           headers=[["Authorization", "Bearer $key:pk"], ["Referer", APP + "/page"]], note="the Referer is not read")
    yield s

    s = scenario("MS-13", "the domain is verified before a public key is made", "MS-13", "A-17")
    public(s, "early", expect=refused("domain_not_verified"))
    claim = {"domain": "example.com", "org_id": ORG, "resource": "agent:a1"}
    s.step("verify_domain", refused("resource_not_found"), account="acme", body=claim, found=True)
    s.step("claim_domain", {"ok": True, "state": "pending"}, account="acme", body=claim)
    s.step("verify_domain", {"ok": True, "state": "pending"}, account="acme", body=claim, found=False)
    public(s, "still", expect=refused("domain_not_verified"))
    s.step("verify_domain", {"ok": True, "state": "verified"}, account="acme", body=claim, found=True)
    public(s, "pk")
    public(s, "sub", origins=["https://a.b.example.com"])
    public(s, "foreign", origins=["https://app.example.net"], expect=refused("domain_not_verified"))
    public(s, "look-alike", origins=["https://evilexample.com"], expect=refused("domain_not_verified"))
    public(s, "agent", agent="agent:a2", expect=refused("domain_not_verified"))
    public(s, "local", agent="agent:a2", origins=["http://localhost:3000", "http://127.0.0.1:8080"])
    s.step("issue", refused("domain_not_verified"), **{"as": "org"}, account="acme",
           body={"name": "org", "kind": "public", "org_id": "org_2", "resources": ["agent:a1"], "origins": [APP]})
    yield s

    s = verified(scenario("MS-14", "the agent must exist", "MS-14"), "agent:a9")
    public(s, agent="agent:a9", expect=refused("resource_not_found"))
    yield s

    s = verified(scenario("MS-15", "an origin is scheme, host and port, and is kept in its normal form", "MS-15", "A-16"))
    public(s, origins=["HTTPS://App.Example.com:443"], expect={"ok": True, "origins": [APP]})
    for origin in [APP + "/", APP + "/path", APP + "?x=1", "https://*.example.com", "https://app.example.com.", "null",
                   "https://user:pw@app.example.com", "app.example.com", "*", "", "javascript:alert(1)"]:
        public(s, "bad", origins=[origin], expect=refused("origin_invalid"))
    public(s, "none", origins=[], expect={"ok": False})
    yield s

    s = verified(scenario("MS-17", "public keys stay visible, so that snippets can be recovered", "MS-16", "MS-17"))
    public(s, expect={"ok": True, "value": "$key:pk"})
    s.advance(30 * 86400)
    s.step("get", {"ok": True, "value": "$key:pk"}, key="pk")
    yield s

    s = verified(scenario("MS-43", "a service secret from a browser is refused and audited; on an embed route it is no "
                          "public key", "MS-42", "MS-43", "A-18"))
    service(s)
    go(s, deny("secret_key_in_browser"), "GET", BASE + "/{org}/servers",
       headers=[["Authorization", "Bearer $key:a"], ["Origin", APP]])
    chat(s, deny("kind_not_allowed"), key="a", origin=None)
    s.step("maintain", OK)
    s.step("audit", {"verified": True, "refusals": ["secret_key_in_browser", "kind_not_allowed"]}, account="acme")
    yield s

    s = verified(scenario("X-12", "all callers of a public key share one user that no parameter can name", "X-12"))
    public(s)
    chat(s, {**VISITOR, "user_id": None})
    chat(s, deny("org_mismatch"), org_id="org_2")
    chat(s, VISITOR, org_id=ORG)
    chat(s, {"allowed": False, "code": "user_unexpected", "status": 400}, user_id="u1")
    yield s


def vectors():
    yield from service_keys()
    yield from managing_keys()
    yield from public_keys()
