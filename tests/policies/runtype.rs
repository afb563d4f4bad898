use super::*;
use tenantkit::origin::OriginMatch;

#[test]
fn one_kind_in_two_environments() {
    let policy = policy("runtype");
    assert_eq!(policy.kinds().names().collect::<Vec<_>>(), ["api"]);
    let api = policy.kind("api").unwrap();
    assert_eq!((api.class, api.reveal), (KindClass::Secret, Reveal::Never));
    assert_eq!(format(&policy, "api", "live"), ("rt_live_".into(), 62, 43, (8, 4)));
    assert_eq!(format(&policy, "api", "test"), ("rt_test_".into(), 62, 43, (8, 4)));
    let labels: Vec<_> = policy.environments().iter().map(|e| (&*e.name, &*e.label, e.sandbox)).collect();
    assert_eq!(labels, [("live", "Production", false), ("test", "Test", true)]);
    assert!(policy.default_environment().is_none(), "issue asks for the environment");
    assert!(policy.formats().parse(b"rt_xxxxx").is_err());
    assert_eq!(carriers(&policy), ["Authorization: Bearer"]);
    assert_eq!(presets(&policy, "api"), [Preset::Client]);
    assert_eq!(forms(&policy, "api", Preset::Client), (BindingForm::Fixed, BindingForm::None));
    assert!(policy.tenancy().org_param.is_empty() && policy.tenancy().user_param.is_empty());
    assert_eq!(api.origins.with_secret, SecretWithOrigin::Reject);
}

#[test]
fn permissions_groups_and_templates() {
    let policy = policy("runtype");
    let listed: Vec<String> =
        policy.permission_groups().iter().flat_map(|g| g.permissions.iter().map(|p| p.to_string())).collect();
    assert_eq!(
        listed.join(" "),
        "DISPATCH:* FLOWS:READ FLOWS:WRITE FLOWS:EXECUTE FLOWS:DELETE RECORDS:READ RECORDS:WRITE RECORDS:DELETE \
         AGENTS:READ AGENTS:WRITE AGENTS:EXECUTE AGENTS:DEPLOY:LIVE TOOLS:READ TOOLS:EXECUTE PRODUCTS:* ANALYTICS:READ \
         API_KEYS:*"
    );
    assert_eq!(
        policy.templates().names().collect::<Vec<_>>(),
        ["read_only", "run_flows", "ci_deploy", "full_access"]
    );
    let rule = &policy.kind("api").unwrap().permissions;
    assert_eq!(rule.need, Need::Optional);
    assert_eq!(rule.default.iter().map(|p| &**p).collect::<Vec<_>>(), ["FLOWS:READ", "RECORDS:READ"]);
    assert_eq!(policy.lifecycle().template_link, TemplateLink::Frozen);

    let full = policy.template("full_access").unwrap().permissions;
    assert!(policy.operations().iter().all(|operation| full.contains_all(&operation.permissions)));
    let read = policy.template("read_only").unwrap().permissions;
    assert!(read.contains_all(&operation(&policy, "flows.list").permissions));
    // READ, WRITE and EXECUTE do not imply each other.
    for name in ["flows.create", "flows.execute", "dispatch"] {
        assert!(!read.contains_all(&operation(&policy, name).permissions), "{name}");
    }
}

#[test]
fn keys_do_not_manage_keys_and_deploying_is_live() {
    let policy = policy("runtype");
    let api = policy.kind("api").unwrap().bit();
    for name in ["api_keys.create", "api_keys.revoke", "api_keys.regenerate"] {
        assert!(!operation(&policy, name).accepts(api), "{name}");
    }
    assert!(operation(&policy, "api_keys.list").accepts(api));
    let deploy = operation(&policy, "agents.deploy");
    assert_eq!(deploy.environment, policy.environments().index("live"));
    assert_eq!(&*policy.operation_for_route("GET", "/v1/flows").unwrap().0.name, "flows.list");
    assert!(policy.operations().iter().all(|operation| operation.level == Level::Org));
}

#[test]
fn keys_expire_if_asked_and_are_due_after_90_days() {
    let policy = policy("runtype");
    let keys = policy.lifecycle();
    assert_eq!((keys.removal, keys.confirm_removal, keys.name_max_chars), (Removal::Revoke, true, 255));
    assert_eq!((keys.expiry.need, keys.expiry.default_lifetime_s), (Need::Optional, None));
    assert_eq!(keys.rotation.reminder_s, Some(90 * 86_400));
    assert_eq!((keys.rotation.max_grace_s, keys.rotation.carry_usage), (7 * 86_400, true));
    assert!(policy.plans().is_empty() && policy.limits().is_empty());
}

#[test]
fn extended_plans_belong_to_the_org() {
    let policy = policy("runtype-extended");
    assert_eq!(
        policy.plans().names().collect::<Vec<_>>(),
        ["build", "startup", "growth", "team", "enterprise"]
    );
    assert_eq!(policy.usage().plan_on, PlanOn::Org);
    let build = limit(&policy, Some("build"), "executions-day");
    assert_eq!((build.amount, &*build.subject), (units(50), [Dimension::Org].as_slice()));
    let LimitMode::Slow { rate, delay_s } = build.mode else { panic!("{:?}", build.mode) };
    assert_eq!((rate.burst().get(), rate.window_us(), delay_s), (10, 3_600_000_000, 10));
    for (plan, amount, burst) in [("startup", 15_000, 50), ("growth", 60_000, 200), ("team", 300_000, 500)] {
        let limit = limit(&policy, Some(plan), "executions-month");
        assert_eq!(
            (limit.amount, limit.mode),
            (units(amount), LimitMode::Soft { overage_cap: None }),
            "{plan}"
        );
        let index = policy.plan(plan).unwrap().index;
        let rate = policy.rates_under(Some(index)).find(|rate| &*rate.name == "burst").unwrap();
        assert_eq!((rate.rate.burst().get(), rate.rate.window_us()), (burst, 10_000_000), "{plan}");
        let shown: Vec<_> = states(limit).into_iter().map(|(at, state, _)| (at, state)).collect();
        assert_eq!(shown, [(80, "warning"), (90, "amber"), (100, "purple")]);
    }
    assert_eq!(states(build).last().unwrap().1, "orange");
    assert_eq!(limit(&policy, Some("enterprise"), "executions-month").cap(), None);
    for name in ["dispatch", "batch.run", "schedule.run", "flows.execute", "agents.execute", "product.call"] {
        assert_eq!(cost(&policy, name), 1, "{name}");
    }
    let headers = &policy.http().headers;
    let name = |header: &Option<tenantkit::headers::HeaderName>| header.as_ref().unwrap().as_str().to_owned();
    assert_eq!(name(&headers.quota_remaining), "x-quota-remaining");
    assert_eq!(name(&headers.quota_warning), "x-quota-warning");
    assert_eq!(name(&headers.rate_remaining), "ratelimit-remaining");
}

#[test]
fn extended_product_keys_and_client_tokens_have_operations_of_their_own() {
    let policy = policy("runtype-extended");
    let bit = |kind| policy.kind(kind).unwrap().bit();
    let callable = |kind| -> Vec<&str> {
        policy.operations().iter().filter(|o| o.accepts(bit(kind))).map(|o| &*o.name).collect()
    };
    assert_eq!(callable("product"), ["product.call"]);
    assert_eq!(callable("client_token"), ["widget.flow", "widget.agent"]);
    assert!(!operation(&policy, "product.call").accepts(bit("api")));

    let (product, token) = (policy.kind("product").unwrap(), policy.kind("client_token").unwrap());
    assert_eq!(format(&policy, "product", "live").0, "papi_");
    assert_eq!((product.resources.count, product.resources.all), (ResourceCount::List, true));
    assert!(product.carriers.as_ref().unwrap().iter().len() == 2);
    assert_eq!(policy.kind("api").unwrap().carriers.as_ref().unwrap().iter().len(), 1);
    assert_eq!((token.class, token.reveal), (KindClass::Publishable, Reveal::Always));
    assert_eq!(token.resources.types.iter().map(|t| &**t).collect::<Vec<_>>(), ["flow", "agent"]);
    assert_eq!((token.origins.matching, token.session_idle_s), (OriginMatch::Subdomain, Some(1_800)));
    for environment in ["live", "test"] {
        assert_eq!(format(&policy, "client_token", environment).0, format!("ct_{environment}_"));
    }
    let conversation = limit(&policy, None, "conversation");
    assert_eq!(*conversation.subject, [Dimension::Named("conversation".into()), Dimension::Key]);
    for (name, kind) in
        [("product-day", "product"), ("client-hour", "client_token"), ("conversation", "client_token")]
    {
        assert_eq!(limit(&policy, None, name).filter.kinds, Some(bit(kind)), "{name}");
    }
}

#[test]
fn extended_people_have_roles_and_members_do_not_manage_billing() {
    let policy = policy("runtype-extended");
    assert!(policy.roles().iter().all(|role| !role.key_assignable));
    let may = |role: &str, name: &str| {
        policy.role(role).unwrap().permissions.contains_all(&operation(&policy, name).permissions)
    };
    assert!(may("admin", "billing.manage") && !may("member", "billing.manage"));
    assert!(may("member", "flows.create") && may("member", "billing.read"));
}
