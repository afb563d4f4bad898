"""The policies that the vectors use besides the examples. Variants of one text are complete files of their own."""

import os

TENANCY = '''\
# One kind of key with every preset and every form of binding; both ids in query, header and path.
name = "tenancy"

[credentials]
carriers = ["bearer"]

[kinds.key]
prefix = "tt_"
body = { alphabet = "base62", length = 43 }

[kinds.key.presets.solo]
[kinds.key.presets.client]
[kinds.key.presets.platform]
[kinds.key.presets.flexible]

[tenancy]
org_param = { query = "org_id", header = "X-Org-Id", path = "orgId" }
user_param = { query = "user_id", header = "X-User-Id", path = "userId" }
tenant_id = { alphabet = "narrow" }
unknown_tenant = "create"

[operations."user.read"]
level = "user"

[operations."org.read"]
level = "org"

[operations."orgs.list"]
level = "account"
'''

CREATION = '''\
# What a call that creates its tenant may be refused for afterwards.
name = "creation"
entitlements = ["premium"]
resource_types = ["agent"]
default_plan = "basic"

[credentials]
carriers = ["bearer"]

[kinds.key]
prefix = "ck_"
body = { alphabet = "base62", length = 43 }
permissions = "optional"
resources = { count = "list", types = ["agent"] }

[kinds.key.presets.client]
[kinds.key.presets.platform]

[kinds.other]
prefix = "co_"
body = { alphabet = "base62", length = 43 }

[kinds.other.presets.client]

[tenancy]
org_param = { query = "org_id" }
user_param = { query = "user_id" }
unknown_tenant = "create"

[[permissions]]
group = "Users"
names = ["USERS:ADMIN"]

[[permissions]]
group = "Orgs"
names = ["ORGS:LIST"]

[meters.runs]
[meters.fast]

[operations."user.read"]
level = "user"
kinds = ["key"]

[operations."user.admin"]
level = "user"
kinds = ["key"]
permission = "USERS:ADMIN"

[operations."user.other"]
level = "user"
kinds = ["other"]

[operations."user.agent"]
level = "user"
kinds = ["key"]
resource = "agent"

[operations."user.premium"]
level = "user"
kinds = ["key"]
entitlement = "premium"

[operations."user.fast"]
level = "user"
kinds = ["key"]
cost = { fast = 1 }

[operations."user.run"]
level = "user"
kinds = ["key"]
cost = { runs = 1 }

[operations."orgs.list"]
level = "account"
kinds = ["key"]
permission = "ORGS:LIST"

[plans.basic]

[[plans.basic.limits]]
name = "runs"
meter = "runs"
subject = ["key"]
period = "lifetime"
amount = 2

[[plans.basic.rates]]
name = "fast"
meter = "fast"
subject = ["key"]
rate = "2/s"
'''

ENVIRONMENTS = '''\
# Two environments, each a world of its own.
name = "environments"

[environments.live]
label = "Production"

[environments.test]
label = "Test"
sandbox = true

[credentials]
carriers = ["bearer"]

[kinds.key]
prefix = { live = "ek_live_", test = "ek_test_" }
body = { alphabet = "base62", length = 43 }

[kinds.key.presets.client]
[kinds.key.presets.platform]

[tenancy]
org_param = { query = "org_id" }
user_param = { query = "user_id" }
unknown_tenant = "create"

[meters.runs]

[operations."user.read"]
level = "user"

[operations."user.run"]
level = "user"
cost = 1

[operations."live.run"]
level = "user"
environment = "live"

[[limits]]
name = "runs"
subject = ["org"]
period = "lifetime"
amount = 3
'''

CARRIERS = '''\
# Two carriers; what a Bearer value of another system means is the one difference between the variants.
name = "carriers"

[credentials]
carriers = ["bearer", "X-API-Key"]
bearer_other = "reject"

[kinds.key]
prefix = "cc_"
body = { alphabet = "base62", length = 43 }

[kinds.key.presets.solo]

[operations.ping]
level = "user"
'''

PROOFS = '''\
# Kinds that ask for a proof of the user id: one for pages, one that is secret.
name = "proofs"

[credentials]
carriers = ["bearer"]

[kinds.page]
class = "publishable"
prefix = "pp_"
body = { alphabet = "base62", length = 32 }
reveal = "always"
user_id_proof = "hmac"

[kinds.page.presets.client]

[kinds.signed]
prefix = "ps_"
body = { alphabet = "base62", length = 43 }
user_id_proof = "hmac"

[kinds.signed.presets.client]

[tenancy]
user_param = { query = "user_id", header = "X-User-Id" }
unknown_tenant = "create"

[operations.chat]
level = "user"
public = true

[operations.read]
level = "user"
'''

KEYS = '''\
# A policy about keys themselves: every attribute, every verb.
name = "keys"
resource_types = ["agent"]

[credentials]
carriers = ["bearer"]

[kinds.key]
prefix = "kk_"
body = { alphabet = "base62", length = 43 }
permissions = "optional"
resources = { count = "list", types = ["agent"], all = true }

[kinds.key.presets.solo]
[kinds.key.presets.client]
[kinds.key.presets.platform]

[tenancy]
org_param = { query = "org_id" }
user_param = { query = "user_id" }
unknown_tenant = "create"

[keys]
removal = "both"
last_used_on = "any"
labels = ["client"]
expiry = { need = "optional" }
rotation = { max_grace = "7d", default_grace = "1h" }

[[permissions]]
group = "Things"
names = ["THINGS:WRITE"]

[meters.runs]

[operations.ping]
level = "user"

[operations.run]
level = "user"
cost = 1

[operations.write]
level = "user"
permission = "THINGS:WRITE"

[operations.agent]
level = "user"
resource = "agent"
'''


def order():
    """Operations for every subset of kind, permission and entitlement that may be wrong at the same time."""
    text = '''\
# Everything that can refuse a request, each of it on its own: for the order of the checks.
name = "order"
default_plan = "basic"
entitlements = ["extra"]
resource_types = ["agent"]

[environments.live]
[environments.test]
sandbox = true

[credentials]
carriers = ["bearer"]

[kinds.key]
prefix = { live = "ok_live_", test = "ok_test_" }
body = { alphabet = "base62", length = 43 }
permissions = "optional"
resources = { count = "list", types = ["agent"] }
secret_with_origin = "reject"

[kinds.key.presets.platform]

[kinds.other]
prefix = { live = "oo_live_", test = "oo_test_" }
body = { alphabet = "base62", length = 43 }
permissions = "optional"

[kinds.other.presets.platform]

[keys.expiry]
need = "optional"

[tenancy]
org_param = { query = "org_id", header = "X-Org-Id" }
user_param = { query = "user_id", header = "X-User-Id" }

[[permissions]]
group = "Things"
names = ["THINGS:WRITE"]

[meters.fast]
[meters.runs]

[operations."burn.fast"]
level = "user"
cost = { fast = 1 }

[operations."burn.runs"]
level = "user"
cost = { runs = 1 }
'''
    for kind in ("", "k"):
        for permission in ("", "p"):
            for entitlement in ("", "e"):
                text += f'\n[operations."act{kind}{permission}{entitlement}"]\nlevel = "user"\nresource = "agent"\n'
                text += f'kinds = ["{"other" if kind else "key"}"]\n'
                text += 'permission = "THINGS:WRITE"\n' if permission else ""
                text += 'entitlement = "extra"\n' if entitlement else ""
                text += "cost = { fast = 1, runs = 1 }\n"
    return text + '''
[plans.basic]

[[plans.basic.limits]]
name = "runs"
meter = "runs"
subject = ["key"]
period = "day"
amount = 2

[[plans.basic.rates]]
name = "fast"
meter = "fast"
subject = ["key"]
rate = "2/h"
'''


def variant(base, comment, *changes):
    """`base` with another first line, and each (old, new) pair replaced exactly once."""
    text = f"# {comment}\n" + base.split("\n", 1)[1]
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


CREATE = 'unknown_tenant = "create"\n'

POLICIES = {
    "tenancy": TENANCY,
    "tenancy-wide": variant(TENANCY, "As tenancy, with the wide alphabet of ids.", ('"narrow"', '"wide"')),
    "tenancy-capped": variant(TENANCY, "As tenancy, with at most two orgs and two users per org made by requests.",
                              (CREATE, CREATE + "max_orgs = 2\nmax_users_per_org = 2\n")),
    "tenancy-ignore": variant(TENANCY, "As tenancy, but parameters that contradict a fixed binding are ignored.",
                              (CREATE, CREATE + 'extra_param = "ignore"\n')),
    "tenancy-foreign-404": variant(TENANCY, "As tenancy, but an org that the key does not reach is not found.",
                                   (CREATE, CREATE + "foreign_org = 404\n")),
    "tenancy-no-parameters": variant(
        TENANCY, "As tenancy, without any parameter name.",
        ('org_param = { query = "org_id", header = "X-Org-Id", path = "orgId" }\n', ""),
        ('user_param = { query = "user_id", header = "X-User-Id", path = "userId" }\n', ""),
        ("[kinds.key.presets.client]\n[kinds.key.presets.platform]\n[kinds.key.presets.flexible]\n", "")),
    "http-tenancy": variant(TENANCY, "As tenancy, with pages about codes.",
                            ("[tenancy]\n", '[http]\ndocs_url = "https://docs.example.com/errors/{code}"\n\n[tenancy]\n')),
    "http-order": variant(order(), "As order, with pages about codes.",
                          ("[tenancy]\n", '[http]\ndocs_url = "https://docs.example.com/errors/{code}"\n\n[tenancy]\n')),
    "creation": CREATION,
    "environments": ENVIRONMENTS,
    "order": order(),
    "proofs": PROOFS,
    "keys": KEYS,
    "keys-revoke-only": variant(KEYS, "As keys, where keys are revoked and never deleted.", ('"both"', '"revoke"')),
    "keys-delete-only": variant(KEYS, "As keys, where keys are deleted and never revoked.", ('"both"', '"delete"')),
    "keys-counted": variant(KEYS, "As keys, where only counted calls are use.", ('last_used_on = "any"', 'last_used_on = "counted"')),
    "keys-capped": variant(KEYS, "As keys, with at most two keys an account.", ('removal = "both"\n', 'removal = "both"\nmax_keys = 2\n')),
    "keys-unique": variant(KEYS, "As keys, where names are unique.", ('removal = "both"\n', 'removal = "both"\nunique_names = true\n')),
    "keys-no-reasons": variant(KEYS, "As keys, where callers are told no reasons.",
                               ("[meters.runs]\n", '[http]\npublic_reasons = "none"\n\n[meters.runs]\n')),
    "keys-lifetimes": variant(KEYS, "As keys, with a default and a longest lifetime.",
                              ('expiry = { need = "optional" }', 'expiry = { need = "required", default_lifetime = "30d", max_lifetime = "90d" }')),
    "carriers-reject": CARRIERS,
    "carriers-ignore": variant(CARRIERS, "As carriers-reject, but foreign Bearer values are left to others.",
                               ('"reject"', '"ignore"')),
    "carriers-human": variant(CARRIERS, "As carriers-reject, but foreign Bearer values are people's tokens.",
                              ('"reject"', '"human"')),
}


def example(name):
    """The text of an example policy, without its comments at the top."""
    path = os.path.join(os.path.dirname(__file__), "../../../examples/policies", name + ".toml")
    with open(path, encoding="utf-8", newline="") as file:
        return "# \n" + file.read()


POLICIES["runstack-60"] = variant(example("runstack"), "Runstack's policy with 60 executions in FREE.",
                                  ("amount = 50\n", "amount = 60\n"))
POLICIES["runstack-4"] = variant(example("runstack"), "Runstack's policy with 4 executions in FREE.",
                                 ("amount = 50\n", "amount = 4\n"))

POLICIES["runtype-wider-template"] = variant(
    example("runtype"), "Runtype's policy with a template that was widened.",
    ('[templates.read_only]\nlabel = "Read only"\npermissions = ["FLOWS:READ",',
     '[templates.read_only]\nlabel = "Read only"\nversion = 2\npermissions = ["FLOWS:READ", "FLOWS:WRITE",'))


def documents():
    return {f"policies/{name}.toml": text for name, text in POLICIES.items()}
