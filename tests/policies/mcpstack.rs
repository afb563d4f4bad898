use super::*;
use tenantkit::credential::BearerOther;
use tenantkit::domain::DomainMethod;
use tenantkit::origin::{MissingOrigin, OriginMatch};
use tenantkit::tenant::resolve::ForeignOrg;

#[test]
fn a_secret_and_a_publishable_kind() {
    let policy = policy("mcpstack");
    assert_eq!(policy.kinds().names().collect::<Vec<_>>(), ["service", "public"]);
    assert_eq!(&*policy.default_kind().unwrap().name, "service");
    let (service, public) = (policy.kind("service").unwrap(), policy.kind("public").unwrap());
    assert_eq!((service.class, service.reveal), (KindClass::Secret, Reveal::Never));
    assert_eq!((public.class, public.reveal), (KindClass::Publishable, Reveal::Always));
    assert_eq!(format(&policy, "service", "default"), ("mcpstack_sk_".into(), 62, 43, (12, 0)));
    assert_eq!(format(&policy, "public", "default"), ("mcpstack_pk_".into(), 62, 32, (12, 0)));
    assert_eq!(carriers(&policy), ["Authorization: Bearer", "x-api-key"]);
    assert_eq!(policy.credentials().carriers.bearer_other(), BearerOther::Human);
    for kind in ["service", "public"] {
        assert_eq!(presets(&policy, kind), [Preset::Client]);
        assert_eq!(forms(&policy, kind, Preset::Client), (BindingForm::Fixed, BindingForm::None));
    }
}

#[test]
fn a_public_key_has_one_agent_and_verified_origins() {
    let policy = policy("mcpstack");
    let public = policy.kind("public").unwrap();
    assert_eq!(public.resources.count, ResourceCount::One);
    assert_eq!(public.resources.types.iter().map(|t| &**t).collect::<Vec<_>>(), ["agent"]);
    let origins = public.origins;
    assert!(origins.listed && origins.verified);
    assert_eq!(
        (origins.matching, origins.missing, origins.empty),
        (OriginMatch::Exact, MissingOrigin::Reject, EmptyOrigins::RefuseCreate)
    );
    assert_eq!(policy.kind("service").unwrap().origins.with_secret, SecretWithOrigin::Reject);
    assert_eq!(*policy.domains().methods, [DomainMethod::Dns, DomainMethod::Http]);
    assert_eq!(policy.domains().recheck_s, None);
    assert_eq!(public.user_proof, UserProof::None);

    let callable: Vec<&str> =
        policy.operations().iter().filter(|o| o.accepts(public.bit())).map(|o| &*o.name).collect();
    assert_eq!(callable, ["agent.chat"]);
    let chat = operation(&policy, "agent.chat");
    assert!(chat.public && !chat.accepts(policy.kind("service").unwrap().bit()));
    assert_eq!((chat.level, chat.resource.as_deref()), (Level::User, Some("agent")));
}

/// The table of roles: for each operation, the lowest role that may call it.
#[test]
fn roles_may_what_the_page_says() {
    let policy = policy("mcpstack");
    assert_eq!(policy.roles().names().collect::<Vec<_>>(), ["owner", "admin", "developer", "viewer"]);
    let assignable: Vec<&str> =
        policy.roles().iter().filter(|r| r.key_assignable).map(|r| &*r.name).collect();
    assert_eq!(assignable, ["admin", "developer", "viewer"]);
    let rule = &policy.kind("service").unwrap().role;
    assert_eq!((rule.need, rule.default), (Need::Required, policy.roles().index("viewer")));
    assert!(policy.role("admin").unwrap().warn);

    let may = |role: &str, operation: &str| {
        let role = policy.role(role).unwrap();
        role.permissions.contains_all(&policy.operation(operation).unwrap().permissions)
    };
    for (operation, roles) in [
        ("orgs.list", "owner admin developer viewer"),
        ("servers.list", "owner admin developer viewer"),
        ("servers.read", "owner admin developer viewer"),
        ("servers.create", "owner admin developer"),
        ("servers.update", "owner admin developer"),
        ("servers.delete", "owner admin"),
        ("agents.list", "owner admin developer viewer"),
        ("agents.create", "owner admin developer"),
        ("agents.delete", "owner admin"),
        ("keys.list", "owner admin developer"),
        ("keys.create", "owner admin"),
        ("keys.revoke", "owner admin"),
        ("members.list", "owner admin"),
        ("members.invite", "owner admin"),
        ("billing.view", "owner admin developer"),
        ("billing.manage", "owner admin"),
        ("settings.update", "owner admin"),
        ("logs.read", "owner admin developer viewer"),
    ] {
        for role in policy.roles() {
            let expected = roles.split(' ').any(|name| name == &*role.name);
            assert_eq!(may(&role.name, operation), expected, "{} {operation}", role.name);
        }
    }
}

#[test]
fn the_organisation_stands_in_the_path() {
    let policy = policy("mcpstack");
    let (found, route) = policy.operation_for_route("GET", "/api/v1/organizations/org_1/servers").unwrap();
    assert_eq!(&*found.name, "servers.list");
    let parameter = policy.tenancy().org_param.path.as_deref().unwrap();
    assert_eq!(route.params.iter().find(|(name, _)| *name == parameter).unwrap().1, "org_1");
    assert!(policy.tenancy().org_param.query.is_none() && policy.tenancy().user_param.is_empty());
    assert_eq!(policy.tenancy().foreign_org, ForeignOrg::Forbidden);
    for (method, path, name) in [
        ("GET", "/api/v1/organizations", "orgs.list"),
        ("GET", "/api/v1/organizations/o/api-keys", "keys.list"),
        ("POST", "/api/v1/organizations/o/api-keys", "keys.create"),
        ("DELETE", "/api/v1/organizations/o/api-keys/k", "keys.revoke"),
        ("POST", "/embed/v1/agents/a/chat", "agent.chat"),
    ] {
        assert_eq!(&*policy.operation_for_route(method, path).unwrap().0.name, name, "{method} {path}");
    }
    for operation in policy.operations() {
        let level = match &*operation.name {
            "orgs.list" => Level::Account,
            "agent.chat" => Level::User,
            _ => Level::Org,
        };
        assert_eq!(operation.level, level, "{}", operation.name);
    }
}

#[test]
fn keys_are_revoked_and_rotated_with_an_overlap() {
    let policy = policy("mcpstack");
    let keys = policy.lifecycle();
    assert_eq!((keys.removal, keys.owner, keys.keys_manage_keys), (Removal::Revoke, Owner::Org, true));
    assert_eq!((keys.expiry.need, keys.rotation.max_grace_s), (Need::Optional, 7 * 86_400));
    assert_eq!((keys.last_used_on, keys.rotation.reminder_s), (LastUsedOn::Any, None));
    assert!(policy.plans().is_empty() && policy.limits().is_empty() && policy.meters().is_empty());
    let cli = policy.cli();
    assert_eq!(
        (&*cli.program, &*cli.key_env, &*cli.org_env, &*cli.org_flag),
        ("mcpstack", "MCPSTACK_API_KEY", "MCPSTACK_ORG_ID", "--org")
    );
}

#[test]
fn extended_embedded_agents_have_layered_budgets() {
    let policy = policy("mcpstack-extended");
    let chat = operation(&policy, "agent.chat");
    assert_eq!((chat.count_on, chat.variable), (CountOn::Success, Some(0)));
    let subjects = [
        ("agent-pool", vec![Dimension::Named("agent".into())], Who::Any),
        ("external-user", vec![Dimension::User], Who::Named),
        ("anonymous", vec![Dimension::Named("agent".into()), Dimension::User], Who::Anonymous),
    ];
    for (name, subject, who) in subjects {
        let limit = limit(&policy, None, name);
        assert_eq!(
            (limit.subject.to_vec(), limit.filter.who, limit.mode),
            (subject, who, LimitMode::Hard),
            "{name}"
        );
        let start = tenantkit::clock::Timestamp::parse("2026-02-10T12:00:00Z").unwrap();
        let window = limit.period.of(start).window_at(start);
        assert_eq!(window.start.to_string(), "2026-02-01T00:00:00Z");
        assert_eq!(window.end.to_string(), "2026-03-01T00:00:00Z");
    }
    assert!(limit(&policy, None, "external-user").overridable);
    assert_eq!(policy.charges(None, chat).len(), 3);
    let public = policy.kind("public").unwrap();
    assert_eq!(public.user_proof, UserProof::Hmac);
    assert_eq!(policy.tenancy().proof_param.query.as_deref(), Some("user_proof"));
}
