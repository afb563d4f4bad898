"""What a vector file looks like, and how one is put together."""

import json

WIDTH = 118
NOW = "2026-03-10T12:00:00Z"

# code -> (number, status, public text): the frozen table, written down a second time.
CODES = {}
for line in """
1011 401 missing_credential      no API key was presented; send it in one of the accepted headers
1012 400 credential_conflict     more than one credential was presented; send exactly one
1021 401 invalid_key             the API key is not valid
1031 401 key_expired             the API key has expired; use its successor or create a new one
1041 403 environment_mismatch    the API key belongs to another environment than this endpoint
1051 403 ip_not_allowed          the API key may not be used from this address
1061 403 secret_key_in_browser   a secret key was sent by a browser; use a publishable key there and replace this one
1062 403 origin_required         this key works only from a web page that sends its Origin
1063 403 origin_not_allowed      the page's origin is not one of the key's allowed origins
1064 403 domain_not_verified     the domain of the origin is not verified; verify it first
1071 400 org_invalid             the org id is not well formed
1072 400 user_invalid            the user id is not well formed
1073 400 org_duplicate           the org id was given more than once; give it once
1074 400 user_duplicate          the user id was given more than once; give it once
1075 400 tenant_conflict         path, query and header name different tenants; make them agree
1081 403 account_suspended       the account is suspended
1082 400 org_required            this key needs an org id
1083 400 org_unexpected          this call takes no org id; leave it out
1084 403 org_mismatch            the key belongs to another org
1085 403 org_not_allowed         the key may not act for this org
1086 404 org_not_found           there is no such org
1087 403 org_suspended           the org is suspended
1088 403 tenant_deleted          this tenant was deleted; an administrator must release its id first
1089 403 tenant_limit_reached    no more tenants can be created under this account
1091 400 user_required           this key needs a user id
1092 400 user_unexpected         this call takes no user id; leave it out
1093 403 user_proof_invalid      the user id is not proved; sign it in your backend, at most 5 minutes ago
1094 403 user_mismatch           the key belongs to another user
1095 403 user_not_allowed        the key may not act for this user
1096 404 user_not_found          there is no such user
1097 403 user_suspended          the user is suspended
1101 403 kind_not_allowed        this kind of key may not call this operation
1111 403 insufficient_permission the key lacks a permission that this operation needs
1121 403 resource_not_allowed    the key is not bound to this resource
1131 403 entitlement_required    the plan does not include this feature; change the plan
1141 429 rate_limited            too many requests; wait and try again
1151 429 usage_limit_reached     the plan's usage limit is reached
1201 400 validation_error        the request is not valid
1202 400 unknown_plan            there is no such plan
1203 400 unknown_role            there is no such role, or keys may not hold it
1204 400 unknown_permission      there is no such permission
1205 400 origin_invalid          an origin is scheme, host and optional port, nothing else
1206 400 binding_invalid         the tenant binding does not fit the key's preset
1207 403 plan_not_allowed        this plan may not be chosen here
1208 403 grant_exceeds_creator   nobody grants more than they have
1209 403 key_limit_reached       the account has as many keys as it may have
1210 404 key_not_found           there is no such key
1211 404 resource_not_found      there is no such resource
1212 409 rotation_in_progress    this key is being replaced already; finish or cancel that rotation
1213 409 name_conflict           another key has this name; names are unique here
1251 429 provider_rate_limited   the provider behind this operation asks to wait
1252 404 session_not_found       there is no such session; start a new one
1253 503 store_unavailable       the request could not be decided just now; try again
1254 409 operation_conflict      this operation id was used for something else; use a new one
""".strip().splitlines():
    number, status, code, text = line.split(None, 3)
    CODES[code] = (int(number), int(status), text)


def status_of(code):
    return CODES[code][1]


# Expectations.

def allow(org=None, user=None, account="acme", **more):
    """Allowed, as this tenant. `None` says that the scope has no such id."""
    return {"allowed": True, "account_id": account, "org_id": org, "user_id": user, **more}


def deny(code, row=None, **more):
    """Refused with this code and its own status, by this row of the truth table."""
    expect = {"allowed": False, "code": code, "status": status_of(code)}
    if row is not None:
        expect["row"] = row
    return {**expect, **more}


OK = {"ok": True}


def refused(code, **more):
    """A management call that is refused."""
    return {"ok": False, "code": code, **more}


# Bindings, as a request for a key writes them.

def fixed(value):
    return {"fixed": value}


def orgs(*ids, default=None):
    return {"list": _some(ids=list(ids), default=default)}


def users(*ids, default=None):
    return {"list": _some(entries=list(ids), default=default)}


def pairs(*entries, default=None):
    entry = lambda pair: {"org": pair[0], "user": pair[1]}  # noqa: E731
    return {"list": _some(entries=[entry(p) for p in entries], default=default and entry(default))}


def open_org(create, default=None):
    return {"open": _some(create=create, default=default)}


def open_user(create, default=None):
    """`default` is an (org, user) pair."""
    return {"open": _some(create=create, default=default and {"org": default[0], "user": default[1]})}


def optional_user(create):
    return {"optional": {"create": create}}


def _some(**members):
    return {name: value for name, value in members.items() if value is not None}


class Scenario:
    """One file: steps that are run in order against a fresh store."""

    def __init__(self, id, title, rows, policy, now=NOW):
        depth = id.count("/")
        self.account = "acme"
        where = {"examples": "../" * (depth + 2) + "examples/policies/", "own": "../" * depth + "policies/"}
        folder, _, name = policy.rpartition(":")
        self.document = {
            "version": 1,
            "id": id,
            "title": title,
            "rows": rows,
            "policy": where[folder or "own"] + name + ".toml",
            "now": now,
            "steps": [],
        }

    def host(self, **answers):
        """What the host answers when it is asked: `plans` that may be chosen, `resources` that exist."""
        self.document["host"] = answers
        return self

    def step(self, do, expect=None, **members):
        step = {"do": do, **_some(**members)}
        if expect is not None:
            step["expect"] = expect
        self.document["steps"].append(step)
        return self

    # Keys.

    def issue(self, name="a", expect=OK, account=None, by=None, operation_id=None, **body):
        """Issues a key; `body` is the request body, in which the key is called as it is called here."""
        body = {"name": name, **body}
        return self.step("issue", expect, **{"as": name}, account=account or self.account, by=by,
                         operation_id=operation_id, body=body)

    def key_step(self, do, key="a", expect=OK, **members):
        return self.step(do, expect, key=key, **members)

    def update(self, key="a", expect=OK, by=None, **body):
        """Changes a key; `body` is the request body."""
        return self.step("update", expect, key=key, by=by, body=body)

    # Tenants.

    def tenant_step(self, do, org=None, user=None, expect=OK, account=None, **members):
        return self.step(do, expect, account=account or self.account, org=org, user=user, **members)

    def put(self, org=None, user=None, **members):
        return self.tenant_step("put_tenant", org, user, **members)

    def tenants(self, expect, org=None, account=None, environment=None):
        """Lists orgs, or the users of one org: `{"orgs": [...]}` or `{"users": [...]}`."""
        return self.step("tenants", expect, account=account or self.account, org=org, environment=environment)

    # Requests.

    def request(self, do, operation, expect, key="a", text=None, **members):
        """`key` names an issued key, `text` is presented as it stands; with neither, the headers hold it."""
        if text is not None or key is not None:
            members["key"] = text if text is not None else "$key:" + key
        return self.step(do, expect, operation=operation, **members)

    def authorize(self, operation, expect, key="a", **members):
        return self.request("authorize", operation, expect, key, **members)

    def inspect(self, operation, expect, key="a", **members):
        return self.request("inspect", operation, expect, key, **members)

    def advance(self, seconds=None, to=None):
        return self.step("advance", None, seconds=seconds, to=to)


class Cases:
    """One file: independent cases of one pure rule."""

    def __init__(self, id, title, rows, rule):
        self.document = {"version": 1, "id": id, "title": title, "rows": rows, "rule": rule, "cases": []}

    def case(self, **members):
        self.document["cases"].append(members)
        return self


def ordered(document):
    """The steps or cases stand last."""
    return {name: value for name, value in document.items() if name != "steps"} | (
        {"steps": document["steps"]} if "steps" in document else {})


def dump(value, indent=0, lead=0):
    """JSON with two spaces, short things on one line, members in the order given."""
    flat = json.dumps(value, ensure_ascii=True)
    if isinstance(value, (dict, list)) and value and (indent == 0 or lead + len(flat) > WIDTH):
        inner, pad = "  " * (indent + 1), "  " * indent
        if isinstance(value, dict):
            lines = []
            for name, item in value.items():
                label = json.dumps(name) + ": "
                lines.append(inner + label + dump(item, indent + 1, len(inner) + len(label) + 1))
            return "{\n" + ",\n".join(lines) + "\n" + pad + "}"
        lines = [inner + dump(item, indent + 1, len(inner) + 1) for item in value]
        return "[\n" + ",\n".join(lines) + "\n" + pad + "]"
    return flat


def render(vectors):
    """The files of all vectors: path to text."""
    files = {}
    for vector in vectors:
        path = vector.document["id"] + ".json"
        assert path not in files, f"two vectors are called {path}"
        files[path] = dump(ordered(vector.document)) + "\n"
    return files
