"""Pure rules about ids, origins, addresses and domains."""

from .form import Cases
from .parameters import IDS


def tenant_ids():
    cases = Cases("rules/tenant-id", "what an org or user id may be", ["A-28", "X-04"], "tenant_id")
    for note, text, wide, narrow in [*IDS, ("nothing", "", False, False)]:
        for alphabet, ok in [("wide", wide), ("narrow", narrow)]:
            cases.case(note=note, alphabet=alphabet, text=text, expect={"ok": ok})
    yield cases


def origins():
    cases = Cases("rules/origin", "an origin is scheme, host and optional port, normalised", ["MS-15", "A-16"], "origin")
    for text, normal in [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ]:
        cases.case(text=text, expect={"origin": normal})
    for text in ["", "null", "app.example.com", "https://", "https://app.example.com/", "https://app.example.com/path",
                 "https://app.example.com?x=1", "https://app.example.com#x", "https://user@app.example.com",
                 "https://user:pass@app.example.com", "https://*.example.com", "*", "https://app.example.com.",
                 "https://app.example.com:", "https://app.example.com:0", "https://app.example.com:65536",
                 "https://app.example.com:0443", "https://app_example.com ", " https://app.example.com",
                 "https://app.example.com\n", "https://app..example.com", "https://b\u00fccher.example",
                 "https://app.example.com, https://evil.example", "https:/app.example.com", "//app.example.com",
                 "https://" + "a" * 300 + ".com"]:
        cases.case(text=text, expect={"origin": None})
    yield cases

    cases = Cases("rules/origin-match", "when a listed origin stands for the one that a browser sends",
                  ["MS-04", "A-16", "RT-34"], "origin_match")
    app = "https://app.example.com"
    for mode, pattern, origin, matches in [
        ("exact", app, app, True), ("exact", app, "https://APP.example.com:443", True),
        ("exact", app, "http://app.example.com", False), ("exact", app, app + ":8443", False),
        ("exact", app, "https://evilapp.example.com", False), ("exact", app, "https://app.example.com.evil.net", False),
        ("exact", app, "https://example.com", False), ("exact", app, "https://a.app.example.com", False),
        ("exact", app, "https://app-example.com", False), ("exact", app, "https://appXexample.com", False),
        ("exact", app + ":8443", app, False),
        ("subdomain", "https://*.example.com", app, True),
        ("subdomain", "https://*.example.com", "https://example.com", False),
        ("subdomain", "https://*.example.com", "https://a.b.example.com", False),
        ("subdomain", "https://*.example.com", "https://evilexample.com", False),
        ("subdomain", "https://*.example.com", "https://app.example.com.evil.net", False),
        ("subdomain", "https://*.example.com", "http://app.example.com", False),
        ("subdomain", app, app, True),
        ("host", "app.example.com", "http://app.example.com:8080", True),
        ("host", "app.example.com", "https://a.app.example.com", False),
        ("any", "*", "https://anything.example", True),
    ]:
        cases.case(mode=mode, pattern=pattern, origin=origin, expect={"ok": True, "matches": matches})
    for mode, pattern in [("exact", "https://*.example.com"), ("exact", "*"), ("exact", "app.example.com"),
                          ("subdomain", "*"), ("subdomain", "https://*.com"), ("subdomain", "https://*.co.uk"),
                          ("subdomain", "https://a*.example.com"), ("subdomain", "https://*.*.example.com"),
                          ("subdomain", "https://app.*.com"), ("host", "*")]:
        cases.case(mode=mode, pattern=pattern, origin=app, expect={"ok": False})
    yield cases


def addresses():
    cases = Cases("rules/ip-allow", "whether an address lies in a list of networks", ["N-14"], "ip_allow")
    for networks, address, allowed in [
        (["192.0.2.0/24"], "192.0.2.1", True), (["192.0.2.0/24"], "192.0.3.1", False), (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False), (["192.0.2.0/24", "10.0.0.0/8"], "10.255.255.255", True),
        (["0.0.0.0/0"], "203.0.113.9", True), (["0.0.0.0/0"], "2001:db8::1", False), (["::/0"], "2001:db8::1", True),
        (["2001:db8::/32"], "2001:db8:ffff::1", True), (["2001:db8::/32"], "2001:db9::1", False),
        (["192.0.2.0/24"], "::ffff:192.0.2.1", True), (["192.0.2.0/24"], "::ffff:192.0.3.1", False),
        (["2001:db8::1"], "2001:0DB8:0:0:0:0:0:1", True), ([], "192.0.2.1", False), (["192.0.2.0/24"], None, False),
        ([], None, False), (["127.0.0.0/8"], "::1", False),
    ]:
        given = {"address": address} if address else {}
        cases.case(networks=networks, **given, expect={"ok": True, "allowed": allowed})
    for network in ["192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "192.0.2", "010.0.0.1", "2130706433",
                    "0x7f.1", "256.1.1.1", "::ffff:192.0.2.0/120", "2001:db8::/129", "2001:db8::1/32", "example.com", "",
                    "fe80::1%eth0", "192.0.2.0/024", "[::1]"]:
        cases.case(networks=[network], address="192.0.2.1", expect={"ok": False})
    yield cases

    cases = Cases("rules/client-address", "which address is the client's, behind trusted proxies", ["INV-64"],
                  "client_address")
    proxies = ["10.0.0.0/8"]
    for note, peer, lines, client in [
        ("no proxy, no header", "203.0.113.9", [], "203.0.113.9"),
        ("an untrusted peer's header is not read", "203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("one hop", "10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("a trusted peer without the header", "10.0.0.1", [], "10.0.0.1"),
        ("the rightmost that is no proxy", "10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("a forged entry in front", "10.0.0.1", ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("over two lines", "10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("only proxies", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.1"),
        ("an unreadable entry that counts", "10.0.0.1", ["unknown"], None),
        ("an unreadable entry that does not", "10.0.0.1", ["unknown, 198.51.100.1"], "198.51.100.1"),
        ("a mapped address", "::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("IPv6", "10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
    ]:
        cases.case(note=note, proxies=proxies, peer=peer, forwarded_for=lines, expect={"client": client})
    yield cases


def domains():
    cases = Cases("rules/domain", "which hosts a verified domain covers", ["MS-13", "A-17"], "domain")
    for domain, host, covers in [
        ("example.com", "example.com", True), ("example.com", "app.example.com", True),
        ("example.com", "a.b.example.com", True), ("example.com", "evilexample.com", False),
        ("example.com", "example.com.evil.net", False), ("app.example.com", "example.com", False),
        ("EXAMPLE.com", "app.example.com", True),
    ]:
        cases.case(domain=domain, host=host, expect={"ok": True, "covers": covers})
    for domain in ["", "com", "localhost", "*.example.com", "example.com.", "https://example.com", "example.com:443",
                   "192.0.2.1", "[::1]", "exa mple.com", "example..com", "-example.com", "user@example.com", "a" * 64 + ".com"]:
        cases.case(domain=domain, host="app.example.com", expect={"ok": False})
    yield cases


def resources():
    cases = Cases("rules/resource", "a resource is a type and an id", ["MS-03", "RT-33", "N-14"], "resource")
    for text, kind, id in [("agent:a1", "agent", "a1"), ("agent:a:1", "agent", "a:1"), ("flow-run_2:x", "flow-run_2", "x")]:
        cases.case(text=text, expect={"ok": True, "type": kind, "id": id})
    for text in ["", "agent", "agent:", ":a1", "Agent:a1", "agent a1", "agent:a\u0000", "agent:\u200ba", " agent:a1",
                 "agent:" + "a" * 256]:
        cases.case(text=text, expect={"ok": False})
    yield cases

    cases = Cases("rules/resource-allow", "absent, empty and all are three values", ["INV-15", "RT-33"], "resource_allow")
    for binding, resource, allowed in [
        (None, "agent:a1", False), ("all", "agent:a1", True), ([], "agent:a1", False), (["agent:a1"], "agent:a1", True),
        (["agent:a1"], "agent:a2", False), (["agent:a1"], "flow:a1", False), (["agent:a1"], "agent:a11", False),
        (["agent:a1", "flow:f1"], "flow:f1", True), ("all", "agent", False),
    ]:
        cases.case(binding=binding, resource=resource, expect={"allowed": allowed})
    yield cases


def storage_keys():
    cases = Cases("rules/storage-key", "scope, namespace and name make one storage key and no other", ["INV-20", "A-29"],
                  "storage_key")

    def part(text):
        return f"{len(text.encode())}:{text}"

    scopes = [("acme", "live", "o1", "u1"), ("acme", "live", "o1", None), ("acme", "live", None, "u1"),
              ("acme", "live", None, None), ("acme", "test", "o1", "u1"), ("a", "c", "mel", "iveo1"),
              ("acme", "live", "o", "1u1"), ("acme", "live", "o1:u1", None), ("acme", "live", "3:o1", "-"),
              ("acme", "live", "\u00e9", "\U0001f642")]
    for account, environment, org, user in scopes:
        for namespace, name in [("connections", "slack"), ("connections", ""), ("", "connectionsslack")]:
            key = part(account) + part(environment) + (part(org) if org is not None else "-")
            key += (part(user) if user is not None else "-") + part(namespace) + part(name)
            given = {k: v for k, v in [("org_id", org), ("user_id", user)] if v is not None}
            cases.case(account_id=account, environment=environment, **given, namespace=namespace, name=name,
                       expect={"key": key})
    yield cases


def vectors():
    for group in (tenant_ids, origins, addresses, domains, resources, storage_keys):
        yield from group()
