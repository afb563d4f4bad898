use super::{accepted, case, check, slip};

#[test]
fn a_policy_has_a_name() {
    check(&[
        case(
            "name = \"\"\nkinds.key = { native = \"ak\", presets.solo = { org = \"none\" } }",
            (1, "\"\"", "name"),
            "can't be a name",
        ),
        case(
            "name = 5\nkinds.key = { native = \"ak\", presets.solo = { org = \"none\" } }",
            (1, "5", "name"),
            "expected text in quotes, found `5`",
        ),
        slip("nme = \"x\"", (3, "nme", "nme"), "unknown field `nme`", "name"),
    ]);
}

#[test]
fn it_is_toml() {
    check(&[
        case("a = \n", (3, "", ""), "this is not TOML"),
        case(
            "default_kind = \"key\"\ndefault_kind = \"key\"",
            (4, "default_kind", ""),
            "this is not TOML: duplicate key",
        ),
    ]);
}

#[test]
fn plans_have_a_default() {
    check(&[
        case("plans.FREE = {}", (1, "n", "default_plan"), "`default_plan` is missing"),
        slip(
            "default_plan = \"FRE\"\nplans.FREE = {}",
            (3, "\"FRE\"", "default_plan"),
            "there is no plan `FRE`",
            "FREE",
        ),
        slip(
            "default_plan = \"FREE\"\nplans.FREE.entitlements = [\"suport\"]\nentitlements = [\"support\"]",
            (4, "\"suport\"", "plans.FREE.entitlements[0]"),
            "there is no entitlement `suport`",
            "support",
        ),
        case(
            "default_plan = \"FREE\"\nplans.FREE.exhausted_status = 503",
            (4, "503", "plans.FREE.exhausted_status"),
            "`503` is not 429, 402 or 403",
        ),
        case(
            "usage.exhausted_status = 200",
            (3, "200", "usage.exhausted_status"),
            "`200` is not 429, 402 or 403",
        ),
        case("entitlements = [\"a\", \"a\"]", (3, "\"a\"", "entitlements[1]"), "`a` is in the list twice"),
        slip(
            "default_environment = \"liv\"\nenvironments.live = {}",
            (3, "\"liv\"", "default_environment"),
            "there is no environment `liv`",
            "live",
        ),
    ]);
}

#[test]
fn carriers_are_headers_that_may_hold_a_key() {
    check(&[
        case("credentials.carriers = []", (3, "[]", "credentials.carriers"), "1 to 4 credential carriers"),
        case(
            "credentials.carriers = [\"bearer\", \"Bearer\"]",
            (3, "[\"bearer\", \"Bearer\"]", "credentials.carriers"),
            "is a carrier twice",
        ),
        case(
            "credentials.carriers = [\"Cookie\"]",
            (3, "[\"Cookie\"]", "credentials.carriers"),
            "can't be a carrier",
        ),
        case(
            "credentials.carriers = [\"a b\"]",
            (3, "\"a b\"", "credentials.carriers[0]"),
            "neither `bearer` nor the name",
        ),
        case(
            "credentials.carriers = [\"X_Tenantkit_Key\"]",
            (3, "\"X_Tenantkit_Key\"", "credentials.carriers[0]"),
            "carries verified identities",
        ),
        case(
            "credentials = { carriers = [\"X-API-Key\"], bearer_other = \"human\" }",
            (3, "\"human\"", "credentials.bearer_other"),
            "`bearer` is no carrier",
        ),
        slip(
            "credentials.bearer_other = \"humn\"",
            (3, "\"humn\"", "credentials.bearer_other"),
            "`humn` is not one of",
            "human",
        ),
        slip(
            "credentials.digest = \"sha265\"",
            (3, "\"sha265\"", "credentials.digest"),
            "`sha265` is not one of",
            "sha256",
        ),
    ]);
}

#[test]
fn tenant_parameters_are_nobody_elses() {
    check(&[
        case(
            "tenancy.org_param = {}",
            (3, "{}", "tenancy.org_param"),
            "at least one of `query`, `header`, `path`",
        ),
        case(
            "tenancy.org_param.header = \"X-Tenantkit-Org\"",
            (3, "\"X-Tenantkit-Org\"", "tenancy.org_param.header"),
            "verified identities",
        ),
        case(
            "tenancy.user_param.header = \"x_tenantkit_user\"",
            (3, "\"x_tenantkit_user\"", "tenancy.user_param.header"),
            "verified identities",
        ),
        case(
            "tenancy.org_param.header = \"Authorization\"",
            (3, "\"Authorization\"", "tenancy.org_param.header"),
            "another meaning",
        ),
        case(
            "tenancy.org_param.header = \"X-API-Key\"",
            (3, "\"X-API-Key\"", "tenancy.org_param.header"),
            "another meaning",
        ),
        case(
            "tenancy.org_param.header = \"X Org\"",
            (3, "\"X Org\"", "tenancy.org_param.header"),
            "can't be the name of a header",
        ),
        case(
            "tenancy.org_param.query = \"org id\"",
            (3, "\"org id\"", "tenancy.org_param.query"),
            "can't be a parameter",
        ),
        case(
            "tenancy.org_param.query = \"id\"\ntenancy.user_param.query = \"id\"",
            (4, "\"id\"", "tenancy.user_param.query"),
            "`org_param` has this name in the query already",
        ),
        case(
            "tenancy.org_param.query = \"user_proof\"\ntenancy.user_param.query = \"id\"\ntenancy.proof_param.query = \"user_proof\"",
            (5, "\"user_proof\"", "tenancy.proof_param.query"),
            "`org_param` has this name in the query already",
        ),
        case("tenancy.foreign_org = 402", (3, "402", "tenancy.foreign_org"), "`402` is not 403 or 404"),
        case(
            "tenancy.tenant_id.max_len = 0",
            (3, "0", "tenancy.tenant_id.max_len"),
            "at most 1 to 255 bytes",
        ),
        case(
            "tenancy.tenant_id.max_len = 256",
            (3, "256", "tenancy.tenant_id.max_len"),
            "at most 1 to 255 bytes",
        ),
        case(
            "tenancy.max_orgs = 9007199254740992",
            (3, "9007199254740992", "tenancy.max_orgs"),
            "a cap is at most",
        ),
        slip(
            "tenancy.absent = \"defualt\"",
            (3, "\"defualt\"", "tenancy.absent"),
            "`defualt` is not one of",
            "default",
        ),
    ]);
}

#[test]
fn the_proof_travels_as_the_user_id_does() {
    let policy = accepted("tenancy.user_param = { query = \"uid\", header = \"X-Uid\" }");
    let proof = &policy.tenancy().proof_param;
    assert_eq!(proof.query.as_deref(), Some("user_proof"));
    assert_eq!(proof.header.as_ref().map(|name| name.as_str()), Some("x-user-proof"));
    assert!(accepted("").tenancy().proof_param.is_empty());
}

#[test]
fn times_are_neither_nothing_nor_for_ever() {
    check(&[
        case(
            "keys.expiry = { need = \"optional\", max_lifetime = \"0d\" }",
            (3, "\"0d\"", "keys.expiry.max_lifetime"),
            "allowed are `1s` to `36500d`",
        ),
        case(
            "keys.expiry = { need = \"optional\", max_lifetime = \"36501d\" }",
            (3, "\"36501d\"", "keys.expiry.max_lifetime"),
            "out of range",
        ),
        case(
            "keys.expiry = { need = \"optional\", max_lifetime = \"-1d\" }",
            (3, "\"-1d\"", "keys.expiry.max_lifetime"),
            "is not a time",
        ),
        case(
            "keys.expiry = { need = \"optional\", max_lifetime = \"90\" }",
            (3, "\"90\"", "keys.expiry.max_lifetime"),
            "is not a time",
        ),
        case(
            "keys.expiry = { need = \"optional\", max_lifetime = \"1d\", default_lifetime = \"2d\" }",
            (3, "\"2d\"", "keys.expiry.default_lifetime"),
            "longer than `max_lifetime`",
        ),
        case(
            "keys.expiry.default_lifetime = \"2d\"",
            (3, "default_lifetime", "keys.expiry.default_lifetime"),
            "keys have no expiry here",
        ),
        case(
            "keys.rotation.max_grace = \"8d\"",
            (3, "\"8d\"", "keys.rotation.max_grace"),
            "allowed are `0s` to `7d`",
        ),
        case(
            "keys.rotation = { max_grace = \"1h\", default_grace = \"2h\" }",
            (3, "\"2h\"", "keys.rotation.default_grace"),
            "longer than `max_grace`",
        ),
        case("keys.rotation.reminder = \"1s\"", (3, "\"1s\"", "keys.rotation.reminder"), "out of range"),
        case("domains.recheck = \"1s\"", (3, "\"1s\"", "domains.recheck"), "out of range"),
        case("domains.methods = []", (3, "[]", "domains.methods"), "name each method once"),
        case("keys.name_max_chars = 256", (3, "256", "keys.name_max_chars"), "at most 1 to 255 characters"),
        case("keys.labels = [\"a\", \"a\"]", (3, "\"a\"", "keys.labels[1]"), "`a` is in the list twice"),
        slip(
            "keys.removal = \"remove\"",
            (3, "\"remove\"", "keys.removal"),
            "`remove` is not one of",
            "revoke",
        ),
    ]);
    accepted("keys.rotation = { max_grace = \"1h\", default_grace = \"1h\" }");
    accepted("keys.expiry = { need = \"optional\", max_lifetime = \"1d\", default_lifetime = \"1d\" }");
    let rotation = accepted("keys.rotation.max_grace = \"1h\"").lifecycle().rotation;
    assert_eq!((rotation.max_grace_s, rotation.default_grace_s), (3_600, 3_600));
}

#[test]
fn answers_keep_to_their_own_headers_and_addresses() {
    check(&[
        case(
            "http.docs_url = \"docs.example.com\"",
            (3, "\"docs.example.com\"", "http.docs_url"),
            "starts with `https://`",
        ),
        case(
            "http.docs_url = \"https://e.com/{page}\"",
            (3, "\"https://e.com/{page}\"", "http.docs_url"),
            "`{code}` at most once",
        ),
        case(
            "http.headers.quota_limit = \"Retry-After\"",
            (3, "\"Retry-After\"", "http.headers.quota_limit"),
            "the header `retry-after` already",
        ),
        case(
            "http.headers = { quota_limit = \"X-A\", quota_reset = \"x-a\" }",
            (3, "\"x-a\"", "http.headers.quota_reset"),
            "the header `x-a` already",
        ),
        case(
            "http.headers.rate_reset = \"X-Tenantkit-Reset\"",
            (3, "\"X-Tenantkit-Reset\"", "http.headers.rate_reset"),
            "verified identities",
        ),
        slip(
            "http.error_body = \"problme\"",
            (3, "\"problme\"", "http.error_body"),
            "`problme` is not one of",
            "problem",
        ),
        slip(
            "mcp.usage_error = \"tool_results\"",
            (3, "\"tool_results\"", "mcp.usage_error"),
            "`tool_results` is not one of",
            "tool_result",
        ),
        case("cli.key_env = \"acme-key\"", (3, "\"acme-key\"", "cli.key_env"), "upper-case letters"),
        case(
            "cli.org_env = \"TENANTKIT_API_KEY\"",
            (3, "\"TENANTKIT_API_KEY\"", "cli.org_env"),
            "holds the key already",
        ),
        case("cli.org_flag = \"-o\"", (3, "\"-o\"", "cli.org_flag"), "a flag has two dashes"),
        case("cli.program = \"../x\"", (3, "\"../x\"", "cli.program"), "can't be a name"),
    ]);
}

#[test]
fn lists_have_an_end() {
    let list = |n: usize| (0..n).map(|i| format!("\"e{i}\"")).collect::<Vec<_>>().join(", ");
    accepted(&format!("entitlements = [{}]", list(64)));
    for (text, says) in [
        (format!("entitlements = [{}]", list(65)), "the list has 65 entries; at most 64 are allowed"),
        (
            (0..33).map(|i| format!("meters.m{i} = {{}}\n")).collect(),
            "`meters` has 33 members; at most 32 are allowed",
        ),
        (
            format!("operations.a = {{ level = \"org\", tools = [{}] }}", list(257)),
            "the list has 257 entries; at most 256 are allowed",
        ),
    ] {
        let found = super::faults(&text);
        assert!(found.to_string().contains(says), "{found}");
    }
}
