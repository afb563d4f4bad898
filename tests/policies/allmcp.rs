use super::*;

#[test]
fn one_form_of_key_for_every_preset() {
    let policy = policy("allmcp");
    assert_eq!(policy.kinds().names().collect::<Vec<_>>(), ["key"]);
    let key = policy.kind("key").unwrap();
    assert_eq!((key.class, key.reveal), (KindClass::Secret, Reveal::Never));
    assert_eq!(format(&policy, "key", "default"), ("allmcp_".into(), 36, 32, (7, 0)));
    assert_eq!(policy.formats().iter().len(), 1);
    assert_eq!(carriers(&policy), ["x-api-key", "Authorization: Bearer"]);
    assert_eq!(presets(&policy, "key"), [Preset::Solo, Preset::Client, Preset::Platform, Preset::Flexible]);
    assert_eq!(forms(&policy, "key", Preset::Solo), (BindingForm::Owner, BindingForm::Owner));
    assert_eq!(forms(&policy, "key", Preset::Client), (BindingForm::Owner, BindingForm::Open));
    assert_eq!(forms(&policy, "key", Preset::Platform), (BindingForm::Open, BindingForm::Open));
    assert_eq!(forms(&policy, "key", Preset::Flexible), (BindingForm::Open, BindingForm::Open));
}

#[test]
fn the_url_names_the_tenant() {
    let policy = policy("allmcp");
    let tenancy = policy.tenancy();
    assert_eq!(
        (tenancy.org_param.query.as_deref(), tenancy.user_param.query.as_deref()),
        (Some("org_id"), Some("user_id"))
    );
    assert!(tenancy.org_param.header.is_none() && tenancy.org_param.path.is_none());
    assert_eq!(
        (tenancy.absent, tenancy.extra_param, tenancy.unknown_tenant),
        (Absent::Reject, ExtraParam::Reject, UnknownTenant::Create)
    );
    assert!(tenancy.max_orgs.is_some() && tenancy.max_users_per_org.is_some());
    let extended = super::policy("allmcp-extended");
    let header =
        |param: &tenantkit::policy::model::ParamNames| param.header.as_ref().unwrap().as_str().to_owned();
    assert_eq!(header(&extended.tenancy().org_param), "x-org-id");
    assert_eq!(header(&extended.tenancy().user_param), "x-user-id");
}

#[test]
fn system_tools_are_free_and_every_other_tool_is_a_provider_call() {
    let policy = policy("allmcp");
    for tool in [
        "list_connections",
        "list_providers",
        "connect_provider",
        "describe_category",
        "disconnect_provider",
        "get_usage",
        "report_issue",
    ] {
        let found = policy.operation_for_tool(tool).unwrap();
        assert_eq!((&*found.name, cost(&policy, tool), found.level), (tool, 0, Level::User));
        assert!(
            found.permissions == Default::default() && found.entitlements == 0,
            "{tool} is always visible"
        );
    }
    let tool = policy.operation_for_tool("bitrix24_create_deal").unwrap();
    assert_eq!((&*tool.name, cost(&policy, "provider_tool"), tool.level), ("provider_tool", 1, Level::User));
    assert_eq!(tool.dimensions.iter().map(|d| &**d).collect::<Vec<_>>(), ["provider"]);
}

#[test]
fn nothing_is_limited_and_keys_are_revoked() {
    let policy = policy("allmcp");
    assert!(policy.plans().is_empty() && policy.limits().is_empty() && policy.rates().is_empty());
    assert!(policy.roles().is_empty() && policy.permission_groups().is_empty());
    assert_eq!(policy.environments().names().collect::<Vec<_>>(), ["default"]);
    let keys = policy.lifecycle();
    assert_eq!(
        (keys.removal, keys.expiry.need, keys.last_used_on),
        (Removal::Revoke, Need::None, LastUsedOn::Any)
    );
    assert_eq!(&*policy.cli().key_env, "ALLMCP_API_KEY");
}

#[test]
fn extended_provider_calls_are_bounded_per_account() {
    let policy = policy("allmcp-extended");
    let limit = limit(&policy, None, "provider-calls-month");
    assert_eq!((limit.amount, limit.mode), (units(20_000), LimitMode::Hard));
    assert_eq!((&*limit.subject, policy.usage().block), ([Dimension::Account].as_slice(), Block::Counted));
    let rates: Vec<_> = policy
        .rates()
        .iter()
        .map(|rate| (&*rate.name, rate.subject.to_vec(), rate.rate.window_us()))
        .collect();
    assert_eq!(
        rates,
        [
            ("account-minute", vec![Dimension::Account], 60_000_000),
            ("user-minute", vec![Dimension::User], 60_000_000)
        ]
    );
    let tool = operation(&policy, "provider_tool");
    assert_eq!((policy.charges(None, tool).len(), policy.rate_charges(None, tool).len()), (1, 2));
    let free = operation(&policy, "get_usage");
    assert_eq!((policy.charges(None, free).len(), policy.rate_charges(None, free).len()), (0, 0));
    assert_eq!((limit.exhausted_status, policy.mcp().usage_error), (429, McpUsageError::ToolResult));
}
