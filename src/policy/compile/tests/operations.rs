use super::{accepted, case, check, slip};

#[test]
fn an_operation_says_whom_it_acts_for() {
    check(&[
        case("operations.a = {}", (3, "a", "operations.a.level"), "`level` is missing"),
        slip(
            "operations.a.level = \"orgs\"",
            (3, "\"orgs\"", "operations.a.level"),
            "`orgs` is not one of",
            "org",
        ),
        case(
            "operations.\"a b\".level = \"org\"",
            (3, "\"a b\"", "operations.\"a b\""),
            "`a b` can't be a name",
        ),
    ]);
}

#[test]
fn an_operation_names_what_there_is() {
    check(&[
        slip(
            "operations.a = { level = \"org\", permission = [\"A:B\", \"A:D\"] }\npermissions = [{ group = \"A\", names = [\"A:B\", \"A:C\"] }]",
            (3, "\"A:D\"", "operations.a.permission[1]"),
            "there is no permission `A:D`",
            "A:B",
        ),
        case(
            "operations.a = { level = \"org\", permission = \"A:*\" }\npermissions = [{ group = \"A\", names = [\"A:B\"] }]",
            (3, "\"A:*\"", "operations.a.permission"),
            "an operation needs permissions by name",
        ),
        case(
            "operations.a = { level = \"org\", permission = \"A:B\" }\npermissions = [{ group = \"A\", names = [\"A:B\"] }]",
            (3, "\"A:B\"", "operations.a.permission"),
            "keys of kind `key` hold neither a role nor permissions",
        ),
        case(
            "operations.a = { level = \"org\", kinds = [\"key\", \"key\"] }",
            (3, "\"key\"", "operations.a.kinds[1]"),
            "`key` is in the list twice",
        ),
        slip(
            "operations.a = { level = \"org\", kinds = [\"kee\"] }",
            (3, "\"kee\"", "operations.a.kinds[0]"),
            "there is no kind `kee`",
            "key",
        ),
        slip(
            "operations.a = { level = \"org\", entitlement = \"analytic\" }\nentitlements = [\"analytics\"]",
            (3, "\"analytic\"", "operations.a.entitlement"),
            "there is no entitlement `analytic`",
            "analytics",
        ),
        slip(
            "operations.a = { level = \"org\", resource = \"agents\" }\nresource_types = [\"agent\"]",
            (3, "\"agents\"", "operations.a.resource"),
            "there is no resource type `agents`",
            "agent",
        ),
        slip(
            "operations.a = { level = \"org\", environment = \"life\" }\nenvironments.live = {}",
            (3, "\"life\"", "operations.a.environment"),
            "there is no environment `life`",
            "live",
        ),
        slip(
            "operations.a = { level = \"org\", dimensions = \"providr\" }\ndimensions = [\"provider\"]",
            (3, "\"providr\"", "operations.a.dimensions"),
            "there is no dimension `providr`",
            "provider",
        ),
    ]);
}

#[test]
fn costs_are_whole_and_on_a_meter() {
    check(&[
        case(
            "operations.a = { level = \"org\", cost = 1 }",
            (3, "1", "operations.a.cost"),
            "the policy has no meter",
        ),
        case(
            "operations.a = { level = \"org\", cost = 1 }\nmeters = { x = {}, y = {} }",
            (3, "1", "operations.a.cost"),
            "more than one meter; say which",
        ),
        case(
            "operations.a = { level = \"org\", cost = -1 }\nmeters.x = {}",
            (3, "-1", "operations.a.cost"),
            "expected a whole number from 0, or a table with one per meter, found `-1`",
        ),
        case(
            "operations.a = { level = \"org\", cost = { x = -1 } }\nmeters.x = {}",
            (3, "-1", "operations.a.cost.x"),
            "found `-1`",
        ),
        case(
            "operations.a = { level = \"org\", cost = 9007199254740992 }\nmeters.x = {}",
            (3, "9007199254740992", "operations.a.cost"),
            "a cost is at most 9007199254740991",
        ),
        slip(
            "operations.a = { level = \"org\", cost = { token = 1 } }\nmeters = { tokens = {} }",
            (3, "token", "operations.a.cost.token"),
            "there is no meter `token`",
            "tokens",
        ),
        slip(
            "operations.a = { level = \"org\", variable = \"tokns\" }\nmeters = { tokens = {} }",
            (3, "\"tokns\"", "operations.a.variable"),
            "there is no meter `tokns`",
            "tokens",
        ),
    ]);
}

#[test]
fn the_variable_meter_is_the_only_one_or_the_one_named() {
    let policy = accepted(
        "meters = { calls = {}, tokens = {} }\n[operations]\nfree = { level = \"org\", cost = 0 }\none = { level = \"org\", cost = { calls = 2 } }\ntwo = { level = \"org\", cost = { calls = 1, tokens = 5 } }\nlater = { level = \"org\", cost = { calls = 1 }, variable = \"tokens\" }\n",
    );
    let costs = |name| {
        let operation = policy.operation(name).unwrap();
        let costs: Vec<_> = operation.costs.iter().map(|cost| (cost.meter, cost.units)).collect();
        (costs, operation.variable, operation.is_counted())
    };
    assert_eq!(costs("free"), (vec![], None, false));
    assert_eq!(costs("one"), (vec![(0, 2)], Some(0), true));
    assert_eq!(costs("two"), (vec![(0, 1), (1, 5)], None, true));
    assert_eq!(costs("later"), (vec![(0, 1), (1, 0)], Some(1), true));
}

#[test]
fn publishable_keys_call_public_operations_only() {
    let web = "kinds.web = { native = \"w\", class = \"publishable\", presets.client = {} }\n";
    let found = super::faults(&format!("{web}operations.a = {{ level = \"org\", kinds = [\"web\"] }}"));
    let [fault] = found.iter().as_slice() else { panic!("{found}") };
    assert_eq!((fault.line(), fault.field()), (4, "operations.a.kinds[0]"));
    assert!(fault.message().contains("set `public = true`"));

    let policy = accepted(&format!(
        "{web}[operations]\nopen = {{ level = \"user\", public = true }}\nclosed = {{ level = \"org\" }}\nboth = {{ level = \"org\", public = true, kinds = [\"key\", \"web\"] }}\n"
    ));
    let accepts =
        |operation, kind| policy.operation(operation).unwrap().accepts(policy.kind(kind).unwrap().bit());
    assert_eq!((accepts("open", "web"), accepts("open", "key")), (true, false));
    assert_eq!((accepts("closed", "web"), accepts("closed", "key")), (false, true));
    assert_eq!((accepts("both", "web"), accepts("both", "key")), (true, true));
}

#[test]
fn keys_manage_keys_only_where_the_policy_says_so() {
    check(&[case(
        "operations.make = { level = \"org\", manages_keys = true, kinds = [\"key\"] }",
        (3, "[\"key\"]", "operations.make.kinds"),
        "keys do not manage keys here",
    )]);
    let make = "operations.make = { level = \"org\", manages_keys = true }\n";
    assert_eq!(accepted(make).operation("make").unwrap().kinds, 0);
    let managed = accepted(&format!("{make}keys.keys_manage_keys = true\n"));
    assert_eq!(managed.operation("make").unwrap().kinds, 1);
}

#[test]
fn every_request_means_one_operation() {
    check(&[
        case(
            "operations.a = { level = \"org\", routes = \"/v1\" }",
            (3, "\"/v1\"", "operations.a.routes"),
            "`/v1` is no route; write a method and a path",
        ),
        case(
            "operations.a = { level = \"org\", routes = \"get /v1\" }",
            (3, "\"get /v1\"", "operations.a.routes"),
            "`get /v1` is no route",
        ),
        case(
            "operations.a = { level = \"org\", routes = [\"GET /v1\", \"GET v1\"] }",
            (3, "\"GET v1\"", "operations.a.routes[1]"),
            "a path starts with `/`",
        ),
        case(
            "operations.a = { level = \"org\", routes = \"GET /a/{x}\" }\noperations.b = { level = \"org\", routes = \"GET /a/{y}\" }",
            (4, "\"GET /a/{y}\"", "operations.b.routes"),
            "`a` has this route already",
        ),
        case(
            "operations.a = { level = \"org\", tools = [\"x\", \"x\"] }",
            (3, "\"x\"", "operations.a.tools[1]"),
            "`a` has this name already",
        ),
        case(
            "operations.a = { level = \"org\", tools = \"*\" }\noperations.b = { level = \"org\", tools = \"*\" }",
            (4, "\"*\"", "operations.b.tools"),
            "`a` has this name already",
        ),
        case(
            "operations.a = { level = \"org\", tools = \"\" }",
            (3, "\"\"", "operations.a.tools"),
            "a name has 1 to 512 bytes",
        ),
        case(
            "operations.a = { level = \"org\", prompts = \"a\\u0000\" }",
            (3, "\"a\\u0000\"", "operations.a.prompts"),
            "without control characters",
        ),
        case(
            "operations.a = { level = \"org\", tools = \"github_*\" }",
            (3, "\"github_*\"", "operations.a.tools"),
            "`*` stands alone",
        ),
        slip(
            "mcp.free_operation = \"sesion\"\noperations.session.level = \"user\"",
            (3, "\"sesion\"", "mcp.free_operation"),
            "there is no operation `sesion`",
            "session",
        ),
        case(
            "mcp.free_operation = \"a\"\noperations.a = { level = \"user\", cost = 1 }\nmeters.x = {}",
            (3, "\"a\"", "mcp.free_operation"),
            "`a` counts, but these methods are free",
        ),
    ]);
}
