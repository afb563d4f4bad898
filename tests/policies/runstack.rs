use super::*;

#[test]
fn one_secret_kind_bound_to_its_owner() {
    let policy = policy("runstack");
    assert_eq!(policy.kinds().names().collect::<Vec<_>>(), ["key"]);
    let kind = policy.kind("key").unwrap();
    assert_eq!((kind.class, kind.reveal), (KindClass::Secret, Reveal::Never));
    assert_eq!(format(&policy, "key", "default"), ("rsk_".into(), 16, 64, (12, 0)));
    assert_eq!(presets(&policy, "key"), [Preset::Solo]);
    assert_eq!(forms(&policy, "key", Preset::Solo), (BindingForm::None, BindingForm::Owner));
    assert_eq!(
        (kind.role.need, kind.permissions.need, kind.resources.count),
        (Need::None, Need::None, ResourceCount::None)
    );
    assert_eq!(carriers(&policy), ["Authorization: Bearer"]);
    assert_eq!(policy.credentials().digest.word(), "sha256");
    assert_eq!(policy.environments().names().collect::<Vec<_>>(), ["default"]);
    assert!(policy.tenancy().org_param.is_empty() && policy.tenancy().user_param.is_empty());
}

#[test]
fn keys_are_deleted_and_executions_are_their_last_use() {
    let policy = policy("runstack");
    let keys = policy.lifecycle();
    assert_eq!((keys.owner, keys.removal, keys.tombstone), (Owner::User, Removal::Delete, Tombstone::Audit));
    assert_eq!(
        (keys.last_used_on, keys.expiry.need, keys.rotation.max_grace_s),
        (LastUsedOn::Counted, Need::None, 0)
    );
    assert_eq!((keys.max_keys, keys.unique_names, keys.keys_manage_keys), (None, false, false));
    assert!(
        policy.roles().is_empty() && policy.templates().is_empty() && policy.permission_groups().is_empty()
    );
}

#[test]
fn only_executions_count() {
    let policy = policy("runstack");
    for (tool, units) in
        [("execute_tool", 1), ("search_tools", 0), ("check_authentication", 0), ("initiate_connection", 0)]
    {
        let found = policy.operation_for_tool(tool).unwrap();
        assert_eq!((&*found.name, cost(&policy, tool), found.level), (tool, units, Level::User));
        assert_eq!(found.count_on, CountOn::Admit);
    }
    assert!(policy.operation_for_tool("delete_everything").is_none());
    assert_eq!(policy.usage().block, Block::Counted);
    assert_eq!(policy.mcp().usage_error, McpUsageError::ToolResult);
}

#[test]
fn three_plans_with_one_meter() {
    let policy = policy("runstack");
    assert_eq!(policy.plans().names().collect::<Vec<_>>(), ["FREE", "STARTER", "PRO"]);
    assert_eq!(policy.usage().default_plan, Some(policy.plan("FREE").unwrap().index));
    assert_eq!((policy.usage().plan_on, policy.usage().plan_choice), (PlanOn::Key, PlanChoice::Hook));
    for (plan, amount) in [("FREE", units(50)), ("STARTER", None), ("PRO", None)] {
        let limit = limit(&policy, Some(plan), "executions");
        assert_eq!(
            (limit.amount, limit.mode, limit.exhausted_status),
            (amount, LimitMode::Hard, 429),
            "{plan}"
        );
        assert_eq!(*limit.subject, [Dimension::Key]);
        assert_eq!(&*policy.meters().at(limit.meter).unwrap().name, "executions");
        assert_eq!(limit.basis, Basis::Confirmed);
        let start = tenantkit::clock::Timestamp::EPOCH;
        assert!(limit.period.of(start).window_at(start).is_lifetime(), "{plan}");
    }
    let free = limit(&policy, Some("FREE"), "executions");
    assert_eq!(states(free), [(80, "yellow", ThresholdAction::None), (100, "red", ThresholdAction::Block)]);
    let marks: Vec<u64> = free.thresholds.iter().map(|t| t.mark(free.amount.unwrap()).get()).collect();
    assert_eq!(marks, [40, 50]);
}

#[test]
fn entitlements_go_with_plans() {
    let policy = policy("runstack");
    let has = |plan: &str, name: &str| {
        let bit = policy.entitlements().iter().position(|known| &**known == name).unwrap();
        policy.plan(plan).unwrap().entitlements >> bit & 1 == 1
    };
    for (name, plans) in [
        ("priority_email_support", ["STARTER"]),
        ("private_endpoints", ["PRO"]),
        ("enterprise_analytics", ["PRO"]),
    ] {
        for plan in ["FREE", "STARTER", "PRO"] {
            assert_eq!(has(plan, name), plans.contains(&plan), "{plan} {name}");
        }
    }
    let (private, _) = policy.operation_for_route("POST", "/private/tools/7").unwrap();
    assert_eq!(
        private.entitlements,
        1 << policy.entitlements().iter().position(|n| &**n == "private_endpoints").unwrap()
    );
}
