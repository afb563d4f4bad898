"""The life of a key: made, changed, replaced, ended. What was ended is refused from the next call on, everywhere."""

from .form import OK, Scenario, allow, deny, fixed, open_org, open_user, orgs, refused, users

ME = dict(preset="solo", org="none", user=fixed("u0"))
ALLOW = allow(None, "u0")
UNAUTHORIZED = {
    "status": 401,
    "headers": {"content-type": "application/json", "cache-control": "no-store",
                "www-authenticate": "Bearer error=\"invalid_token\""},
    "body": {"error": {"code": "invalid_key", "message": "the API key is not valid", "status": 401, "retryable": False}},
}


def scenario(id, title, *rows, policy="keys"):
    return Scenario(f"lifecycle/{id}", title, list(rows), policy)


def gone(reason):
    return deny("invalid_key", reason=reason, http=UNAUTHORIZED)


def everywhere(s, expect, key="a", operation="ping", **members):
    """The same answer from two processes, whatever they had in their caches."""
    for process in ("1", "2"):
        s.authorize(operation, expect, key=key, process=process, **members)
    return s


def ending():
    for verb, reason in [("revoke", "revoked"), ("delete", "unknown"), ("disable", "disabled")]:
        s = scenario(f"end-{verb}", f"{verb} ends a key in every process before it returns", "A-12", "RS-18", "RT-23",
                     "INV-04", "INV-08")
        everywhere(s.issue(**ME), ALLOW)
        s.key_step(verb)
        everywhere(s, gone(reason))
        s.step("restart")
        everywhere(s, gone(reason))
        yield s

    s = scenario("end-one-answer", "unknown, revoked, deleted and disabled keys have one answer, to the byte", "A-42", "INV-08",
                 "RS-30")
    for name in ("revoked", "deleted", "disabled"):
        s.issue(name, **ME)
    s.key_step("revoke", "revoked").key_step("delete", "deleted").key_step("disable", "disabled")
    for name, reason in [("revoked", "revoked"), ("deleted", "unknown"), ("disabled", "disabled")]:
        s.authorize("ping", gone(reason), key=name)
    s.authorize("ping", gone("unknown"), text="kk_" + "0" * 43)
    s.authorize("ping", gone("malformed"), text="garbage")
    yield s

    s = scenario("end-twice", "what is gone can't be ended again: one answer for revoked, deleted, foreign and unknown",
                 "A-21", "MS-31")
    for name in ("revoked", "deleted", "other"):
        s.issue(name, account="theirs" if name == "other" else "acme", **ME)
    s.key_step("revoke", "revoked").key_step("delete", "deleted")
    for id in ("$id:revoked", "$id:deleted", "$id:other", "key_00000000000000000000000000", "key_x", ""):
        s.step("revoke", refused("key_not_found", status=404), account="acme", id=id)
    s.authorize("ping", ALLOW | {"account_id": "theirs"}, key="other")
    yield s

    s = scenario("disable", "a disabled key works again when it is enabled", "INV-04")
    everywhere(s.issue(**ME), ALLOW)
    s.key_step("disable", expect={"ok": True, "narrowed": True, "standing": "disabled"})
    s.key_step("disable", expect={"ok": True, "narrowed": False, "changed": []})
    everywhere(s, gone("disabled"))
    s.key_step("enable", expect={"ok": True, "widened": True, "standing": "active"})
    everywhere(s, ALLOW)
    s.key_step("revoke").key_step("enable", expect=refused("key_not_found"))
    everywhere(s, gone("revoked"))
    yield s

    s = scenario("delete-revoked", "the record of a revoked key can be deleted", "A-41")
    s.issue(**ME).key_step("revoke").step("get", {"standing": "revoked"}, key="a")
    s.key_step("delete").step("get", refused("key_not_found"), key="a")
    s.authorize("ping", gone("unknown"))
    yield s

    for policy, verb, other in [("keys-revoke-only", "revoke", "delete"), ("keys-delete-only", "delete", "revoke")]:
        s = scenario(f"removal-{verb}", f"with removal = {verb} there is no other verb", "A-41", policy=policy)
        s.issue(**ME).key_step(other, expect=refused("validation_error"))
        s.authorize("ping", ALLOW).key_step(verb)
        s.authorize("ping", gone("revoked" if verb == "revoke" else "unknown"))
        yield s

    s = scenario("revoke-by-value", "a leaked text ends its key, wherever it was found", "N-09")
    s.issue(**ME).issue("b", **ME)
    s.step("revoke_by_value", {"ok": True, "key": "a"}, text="$key:a")
    s.step("revoke_by_value", {"ok": True, "key": None}, text="$key:a")
    for text in ("$other:b", "kk_" + "0" * 43, "sk-other", "", "$id:b", "$digest:b"):
        s.step("revoke_by_value", {"ok": True, "key": None}, text=text)
    s.authorize("ping", gone("revoked")).authorize("ping", ALLOW, key="b")
    yield s

    s = scenario("precedence", "revoked beats disabled beats expired", "A-42", "INV-06")
    for name in ("all", "two", "one"):
        s.issue(name, expires_at="2026-03-10T13:00:00Z", **ME)
    s.key_step("disable", "all").key_step("disable", "two")
    s.advance(7200)
    s.authorize("ping", deny("key_expired"), key="one")
    s.authorize("ping", gone("disabled"), key="two")
    s.key_step("revoke", "all").authorize("ping", gone("revoked"), key="all")
    yield s


def expiring():
    s = scenario("expiry-edge", "valid until the last microsecond before its end", "A-37", "RT-10", "INV-06")
    s.issue(expires_at="2026-03-10T12:00:01.5Z", **ME)
    everywhere(s, ALLOW)
    s.advance(to="2026-03-10T12:00:01.499999Z")
    everywhere(s, ALLOW)
    s.advance(to="2026-03-10T12:00:01.5Z")
    everywhere(s, deny("key_expired"))
    yield s

    s = scenario("expiry-clock-back", "a clock that goes back revives nothing, also over a restart", "INV-05", "INV-06", "B9")
    s.issue(expires_at="2026-03-10T13:00:00Z", **ME).authorize("ping", ALLOW)
    s.advance(7200).authorize("ping", deny("key_expired"))
    s.step("maintain", OK)
    s.advance(-7200).authorize("ping", deny("key_expired"))
    s.step("restart")
    s.authorize("ping", deny("key_expired"))
    yield s

    s = scenario("expiry-hidden", "with public_reasons = none an expired key is an invalid one", "A-42",
                 policy="keys-no-reasons")
    s.issue(expires_at="2026-03-10T13:00:00Z", **ME)
    s.advance(3600).authorize("ping", {"allowed": False, "code": "invalid_key", "http": UNAUTHORIZED})
    yield s

    s = scenario("expiry-edit", "an earlier end holds at once; an end that has passed is not moved", "A-37", "INV-04", "INV-05")
    everywhere(s.issue(expires_at="2026-03-12T00:00:00Z", **ME), ALLOW)
    s.update(expect={"ok": True, "narrowed": True}, expires_at="2026-03-10T12:30:00Z")
    s.advance(1800)
    everywhere(s, deny("key_expired"))
    s.update(expect={"ok": False}, expires_at="2026-03-20T00:00:00Z")
    s.update(expect={"ok": False}, expires_at=None)
    everywhere(s, deny("key_expired"))
    yield s

    s = scenario("expiry-bounds", "default and longest lifetime", "A-37", "RT-30", policy="keys-lifetimes")
    s.issue("default", {"ok": True, "expires_at": "2026-04-09T12:00:00Z"}, **ME)
    s.issue("longest", {"ok": True, "expires_at": "2026-06-08T12:00:00Z"}, expires_at="2026-06-08T12:00:00Z", **ME)
    s.issue("too-long", refused("validation_error", fields=["expires_at"]), expires_at="2026-06-08T12:00:01Z", **ME)
    yield s


def replacing():
    s = scenario("rotate", "a successor with the same attributes; both work until the grace ends", "A-40", "RT-20", "MS-35",
                 "N-08")
    s.issue(permissions=["THINGS:WRITE"], labels={"client": "ci"}, ip_allow=["10.0.0.0/8"], **ME)
    s.advance(86400)
    s.key_step("rotate", grace_s=3600, **{"as": "b"}, expect={
        "ok": True, "name": "a", "permissions": ["THINGS:WRITE"], "labels": {"client": "ci"}, "ip_allow": ["10.0.0.0/8"],
        "created_at": "2026-03-11T12:00:00Z", "standing": "active", "preset": "solo"})
    s.step("get", {"standing": "active", "status": "being_replaced"}, key="a")
    for key in ("a", "b"):
        everywhere(s, ALLOW, key=key, operation="write", client_ip="10.0.0.1")
        everywhere(s, deny("ip_not_allowed"), key=key, operation="write", client_ip="192.0.2.1")
    s.advance(3599)
    s.authorize("ping", ALLOW, client_ip="10.0.0.1")
    s.advance(1)
    everywhere(s, gone("revoked"), client_ip="10.0.0.1")
    everywhere(s, ALLOW, key="b", client_ip="10.0.0.1")
    yield s

    s = scenario("rotate-now", "a grace of nothing ends the old key before the answer", "A-40", "RT-21", "INV-04")
    everywhere(s.issue(**ME), ALLOW)
    s.key_step("rotate", grace_s=0, **{"as": "b"})
    everywhere(s, gone("revoked"))
    everywhere(s, ALLOW, key="b")
    yield s

    s = scenario("rotate-once", "one rotation at a time", "A-40", "N-08")
    s.issue(**ME).key_step("rotate", grace_s=3600, **{"as": "b"})
    s.key_step("rotate", expect=refused("rotation_in_progress", status=409), grace_s=3600, **{"as": "c"})
    s.key_step("rotate", "b", refused("rotation_in_progress"), grace_s=3600, **{"as": "c"})
    s.key_step("regenerate", expect=refused("rotation_in_progress"), **{"as": "c"})
    s.advance(3600)
    s.key_step("rotate", expect=refused("key_not_found"), grace_s=0, **{"as": "c"})
    s.key_step("rotate", "b", grace_s=3600, **{"as": "c"})
    s.authorize("ping", ALLOW, key="b").authorize("ping", ALLOW, key="c")
    yield s

    s = scenario("rotate-cancel", "a rotation is cancelled while its grace runs", "A-40")
    s.issue(**ME).key_step("rotate", grace_s=3600, **{"as": "b"})
    s.advance(3000)
    s.key_step("cancel_rotation", expect={"ok": True, "standing": "active"})
    everywhere(s, gone("revoked"), key="b")
    s.advance(7200)
    everywhere(s, ALLOW)
    s.key_step("cancel_rotation", expect={"ok": False})
    s.key_step("rotate", grace_s=60, **{"as": "c"})
    s.advance(60)
    s.key_step("cancel_rotation", "c", expect={"ok": False})
    everywhere(s, gone("revoked"))
    yield s

    s = scenario("rotate-bounds", "a grace within what the policy allows, for a key that works", "A-40")
    s.issue(**ME)
    s.key_step("rotate", expect=refused("validation_error", fields=["grace_s"]), grace_s=7 * 86400 + 1, **{"as": "b"})
    s.key_step("disable").key_step("rotate", expect=refused("validation_error"), grace_s=0, **{"as": "b"})
    s.key_step("enable").key_step("rotate", grace_s=7 * 86400, **{"as": "b"})
    yield s

    s = scenario("rotate-revoked", "revoking the old key ends the overlap; the successor stays", "RT-20", "MS-35")
    s.issue(**ME).key_step("rotate", grace_s=3600, **{"as": "b"})
    s.key_step("revoke")
    everywhere(s, gone("revoked"))
    everywhere(s, ALLOW, key="b")
    yield s

    s = scenario("rotate-expiry", "the grace never outlasts the key's own end; the successor lives as long anew", "A-40", "A-37")
    s.issue(expires_at="2026-03-10T13:00:00Z", **ME)
    s.advance(1800)
    s.key_step("rotate", grace_s=86400, **{"as": "b"}, expect={"ok": True, "expires_at": "2026-03-10T13:30:00Z"})
    s.advance(1799).authorize("ping", ALLOW)
    s.advance(1).authorize("ping", {"allowed": False, "status": 401})
    s.authorize("ping", ALLOW, key="b")
    yield s

    s = scenario("regenerate", "another text under the same id; the old one is dead at once", "A-40", "INV-04")
    everywhere(s.issue(**ME), {**ALLOW, "key_id": "$id:a"})
    s.key_step("regenerate", **{"as": "b"}, expect={"ok": True, "id": "$id:a", "name": "a"})
    everywhere(s, gone("unknown"))
    everywhere(s, {**ALLOW, "key_id": "$id:a"}, key="b")
    s.step("list", {"keys": ["a"]}, account="acme")
    yield s

    s = scenario("retry", "repeating issue or rotate with its operation id never leaves a second live key", "INV-16")
    s.issue(operation_id="op-1", expect={"ok": True, "replayed": False}, **ME)
    s.step("issue", {"ok": True, "replayed": True, "id": "$id:a", "key_length": None}, **{"as": "again"}, account="acme",
           operation_id="op-1", body={"name": "a", **ME})
    s.step("issue", refused("operation_conflict", status=409), **{"as": "other"}, account="acme", operation_id="op-1",
           body={"name": "other", **ME})
    s.key_step("rotate", expect=refused("operation_conflict"), operation_id="op-1", grace_s=0, **{"as": "r"})
    s.key_step("rotate", expect={"ok": True, "replayed": False}, operation_id="op-2", grace_s=60, **{"as": "b"})
    s.key_step("rotate", expect={"ok": True, "replayed": True, "id": "$id:b"}, operation_id="op-2", grace_s=60,
               **{"as": "again"})
    s.step("list", {"ok": True}, account="acme", filter={"standing": "all"})
    s.issue("theirs", account="other", operation_id="op-1", expect={"ok": True, "replayed": False}, **ME)
    s.advance(25 * 3600)
    s.issue("late", operation_id="op-1", expect={"ok": True, "replayed": False}, **ME)
    yield s


def narrowing():
    def edit(id, title, before, after, request, good, bad, *rows, operation="ping"):
        """After `before` the request is `good`, in every process; after `after` it is `bad`; and back again."""
        s = scenario(f"narrow-{id}", title, "A-12", "INV-04", "AM-09", *rows)
        s.put(org="o1").put(org="o2").put(org="o1", user="u1").put(org="o1", user="u2").put(org="o2", user="u1")
        s.issue(**before)
        everywhere(s, good, operation=operation, **request)
        s.update(expect={"ok": True, "narrowed": True, "widened": False}, **after)
        everywhere(s, bad, operation=operation, **request)
        s.step("restart")
        everywhere(s, bad, operation=operation, **request)
        back = {name: before.get(name, value) for name, value in after.items()}
        s.update(expect={"ok": True, "narrowed": False, "widened": True}, **back)
        everywhere(s, good, operation=operation, **request)
        return s

    platform = dict(preset="platform", org=open_org(True), user=open_user(True))
    q = {"query": "org_id=o1&user_id=u1"}
    yield edit("org", "a smaller org binding holds from the next call", platform, dict(org=orgs("o2")), q,
               allow("o1", "u1"), deny("org_not_allowed", "T-36"))
    yield edit("user", "a smaller user binding holds from the next call", platform, dict(user=users("u2")), q,
               allow("o1", "u1"), deny("user_not_allowed", "T-49"))
    yield known_only()
    yield edit("permissions", "fewer permissions hold from the next call", {**ME, "permissions": ["THINGS:WRITE"]},
               dict(permissions=[]), {}, ALLOW, deny("insufficient_permission", missing=["THINGS:WRITE"]), operation="write")
    yield edit("resources", "a shorter list of resources holds from the next call",
               {**ME, "resources": ["agent:a1", "agent:a2"]}, dict(resources=["agent:a2"]), {"resource": "agent:a1"}, ALLOW,
               deny("resource_not_allowed"), "INV-15", operation="agent")
    yield edit("resources-all", "all resources, then none", {**ME, "resources": "all"}, dict(resources=[]),
               {"resource": "agent:a1"}, ALLOW, deny("resource_not_allowed"), "INV-15", operation="agent")
    yield edit("addresses", "a shorter list of addresses holds from the next call",
               {**ME, "ip_allow": ["10.0.0.0/8", "192.0.2.0/24"]}, dict(ip_allow=["10.0.0.0/8"]), {"client_ip": "192.0.2.7"},
               ALLOW, deny("ip_not_allowed"), "N-14")
    yield edit("addresses-none", "an empty list of addresses is no address at all", {**ME, "ip_allow": ["192.0.2.0/24"]},
               dict(ip_allow=[]), {"client_ip": "192.0.2.7"}, ALLOW, deny("ip_not_allowed"), "INV-15", "N-14")

    s = scenario("widen", "a wider binding holds from the next request", "AM-09")
    s.issue(preset="client", org=fixed("o1"), user=users("u1"))
    everywhere(s, deny("user_not_allowed"), query="user_id=u2")
    s.update(expect={"ok": True, "widened": True, "narrowed": False}, user=users("u1", "u2"))
    everywhere(s, allow("o1", "u2"), query="user_id=u2")
    yield s

    s = scenario("addresses-unknown", "without a readable address a list allows nothing", "N-14")
    s.issue(ip_allow=["0.0.0.0/0", "::/0"], **ME)
    s.authorize("ping", deny("ip_not_allowed"))
    s.authorize("ping", ALLOW, client_ip="203.0.113.9")
    s.authorize("ping", ALLOW, client_ip="::ffff:203.0.113.9")
    yield s

    s = scenario("edit-same", "an edit that changes nothing narrows and widens nothing", "AM-09")
    s.issue(permissions=["THINGS:WRITE"], **ME)
    s.update(expect={"ok": True, "changed": [], "narrowed": False, "widened": False}, permissions=["THINGS:WRITE"])
    s.update(expect={"ok": True, "changed": ["name"], "narrowed": False, "widened": False}, name="renamed")
    s.authorize("write", ALLOW)
    yield s

    s = scenario("metadata", "name and labels never feed a scope", "INV-25")
    s.issue(labels={"client": "acme"}, **ME)
    for value in ("org_id=o9", "other", "u9", "{\"account_id\":\"other\"}"):
        s.update(name=value, labels={"client": value})
        everywhere(s, ALLOW)
    yield s


def known_only():
    s = scenario("narrow-known-only", "an open binding that no longer creates finds only what is registered", "A-12", "INV-04",
                 "A-27")
    s.issue(preset="client", org=fixed("o1"), user=open_user(True))
    everywhere(s, {"allowed": True}, query="user_id=u1")
    s.update(expect={"ok": True, "narrowed": True}, user=open_user(False))
    everywhere(s, allow("o1", "u1"), query="user_id=u1")
    everywhere(s, deny("user_not_found", "T-21"), query="user_id=u2")
    return s


def bounds():
    s = scenario("max-keys", "no more keys than the policy allows; an ended one makes room", "RS-31", policy="keys-capped")
    s.issue("a", **ME).issue("b", **ME)
    s.issue("c", refused("key_limit_reached", status=403), **ME)
    s.issue("theirs", account="other", **ME)
    s.key_step("revoke", "a")
    s.issue("c", **ME)
    s.issue("d", refused("key_limit_reached"), **ME)
    yield s

    s = scenario("max-keys-parallel", "rotation keeps their number", "RS-31", "A-40", policy="keys-capped")
    s.issue("a", **ME).issue("b", **ME)
    s.key_step("rotate", grace_s=0, **{"as": "a2"})
    s.authorize("ping", ALLOW, key="a2")
    yield s

    s = scenario("unique-names", "where names are unique a second one is refused, until the first is gone", "RS-12",
                 policy="keys-unique")
    s.issue("a", **ME)
    s.step("issue", refused("name_conflict", status=409), **{"as": "b"}, account="acme", body={"name": "a", **ME})
    s.step("issue", OK, **{"as": "b"}, account="other", body={"name": "a", **ME})
    s.issue("c", **ME).update("c", refused("name_conflict"), name="a")
    s.key_step("revoke", "a")
    s.step("issue", OK, **{"as": "d"}, account="acme", body={"name": "a", **ME})
    yield s

    s = scenario("suspended-account", "nothing is issued for a tenant that is not in use", "X-06", "X-07")
    s.put(org="o1")
    s.tenant_step("suspend_tenant", "o1")
    s.issue("a", refused("org_suspended"), preset="client", org=fixed("o1"), user=open_user(True))
    s.tenant_step("resume_tenant", "o1").tenant_step("delete_tenant", "o1")
    s.issue("b", refused("tenant_deleted"), preset="client", org=fixed("o1"), user=open_user(True))
    s.tenant_step("suspend_tenant")
    s.issue("c", refused("account_suspended"), **ME)
    yield s

    s = scenario("requests", "what a caller may not say is refused, member by member", "INV-09", "INV-63", "MS-29")
    for member, value in [("account_id", "other"), ("id", "key_1"), ("digest", "00"), ("created_by", "root"),
                          ("lineage", {}), ("version", 7), ("secret_at", 0), ("scheme", "sha256")]:
        s.issue("x", refused("validation_error", fields=[member]), **{member: value}, **ME)
    s.issue("y", refused("validation_error", fields=["kind"]), kind="root", **ME)
    s.issue("z", refused("validation_error", fields=["ip_allow[0]"]), ip_allow=["10.0.0.1/8"], **ME)
    s.issue("w", refused("validation_error", fields=["resources"]), resources=["agent"], **ME)
    s.issue("v", {"ok": False}, resources=["server:s1"], **ME)
    yield s


def reading():
    s = scenario("list", "listings filter, and never cross accounts", "MS-01", "MS-09", "MS-22", "RT-29")
    s.issue("a", labels={"client": "x"}, **ME)
    s.advance(1)
    s.issue("b", permissions=["THINGS:WRITE"], **ME)
    s.advance(1)
    s.issue("c", expires_at="2026-03-11T00:00:00Z", **ME)
    s.issue("theirs", account="other", **ME)
    everything = {"standing": "all"}
    s.step("list", {"keys": ["a", "b", "c"]}, account="acme")
    s.step("list", {"keys": ["theirs"]}, account="other")
    s.step("list", {"keys": []}, account="nobody")
    s.step("list", {"keys": ["a"]}, account="acme", filter={"label": ["client", "x"]})
    s.step("list", {"keys": ["b"]}, account="acme", filter={"name_prefix": "b"})
    s.key_step("disable", "a").key_step("revoke", "b")
    s.step("list", {"keys": ["a", "c"]}, account="acme")
    s.step("list", {"keys": ["c"]}, account="acme", filter={"standing": "active"})
    s.step("list", {"keys": ["a", "b", "c"]}, account="acme", filter=everything)
    s.advance(86400)
    s.step("list", {"keys": ["a"]}, account="acme")
    yield s

    s = scenario("overgranted", "permissions that no call has needed are named", "N-09")
    s.issue("used", permissions=["THINGS:WRITE"], **ME)
    s.advance(1)
    s.issue("unused", permissions=["THINGS:WRITE"], **ME)
    s.step("overgranted", {"keys": ["used", "unused"]}, account="acme")
    s.authorize("write", ALLOW, key="used")
    s.step("maintain", OK)
    s.step("overgranted", {"keys": ["unused"]}, account="acme")
    yield s

    for policy, after_ping in [("keys", "2026-03-10T12:00:00Z"), ("keys-counted", None)]:
        s = scenario(f"last-used-{policy}", f"last use, as {policy} counts it", "A-10", "RS-22", "MS-09", policy=policy)
        s.issue(**ME).authorize("ping", ALLOW)
        s.step("maintain", OK).step("get", {"last_used_at": after_ping}, key="a")
        s.advance(60)
        s.authorize("run", ALLOW)
        s.authorize("write", deny("insufficient_permission"))
        s.step("maintain", OK).step("get", {"last_used_at": "2026-03-10T12:01:00Z"}, key="a")
        s.advance(60)
        s.authorize("write", deny("insufficient_permission"), note="a refused call is no use")
        s.inspect("ping", {"allowed": True}, note="nor is an inspection")
        s.step("maintain", OK).step("get", {"last_used_at": "2026-03-10T12:01:00Z"}, key="a")
        yield s

    s = scenario("audit", "every act leaves one line, and the chain is whole", "N-12", "RT-26", "INV-61")
    s.issue(**ME).update(name="renamed").key_step("disable").key_step("enable")
    s.key_step("rotate", grace_s=60, **{"as": "b"}).key_step("cancel_rotation").key_step("regenerate", **{"as": "c"})
    s.key_step("revoke").key_step("delete")
    s.tenant_step("put_tenant", "o1").tenant_step("suspend_tenant", "o1").tenant_step("resume_tenant", "o1")
    s.issue("x", refused("unknown_permission"), permissions=["NO:SUCH"], **ME)
    acts = ["key.issue", "key.update", "key.disable", "key.enable", "key.rotate", "key.cancel_rotation", "key.regenerate",
            "key.revoke", "key.delete", "tenant.put", "tenant.suspend", "tenant.resume"]
    s.step("audit", {"acts": acts, "actors": ["vectors"] * len(acts), "verified": True}, account="acme")
    s.step("audit", {"acts": [], "verified": True}, account="other")
    yield s


def vectors():
    for group in (ending, expiring, replacing, narrowing, bounds, reading):
        yield from group()
