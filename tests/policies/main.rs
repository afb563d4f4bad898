//! The policies of the four products, read as their users would read them: each primitive has the value that the
//! product's page states.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use tenantkit::limit::{Basis, Units};
use tenantkit::policy::model::{Dimension, LimitDef, LimitMode, Operation, ResourceCount};
use tenantkit::policy::{
    Absent, BindingForm, Block, CountOn, EmptyOrigins, ExtraParam, KindClass, LastUsedOn, McpUsageError,
    Need, Owner, PlanChoice, PlanOn, Policy, Removal, Reveal, SecretWithOrigin, TemplateLink,
    ThresholdAction, Tombstone, UnknownTenant, UserProof, Who,
};
use tenantkit::tenant::{Level, Preset};

fn policy(name: &str) -> Policy {
    let path = format!("{}/examples/policies/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    Policy::from_file(path).unwrap_or_else(|e| panic!("{e}"))
}

/// Prefix, alphabet size, body length and display of the only format of a kind in an environment.
fn format(policy: &Policy, kind: &str, environment: &str) -> (String, usize, usize, (u16, u16)) {
    let kind = policy.kind(kind).unwrap();
    let environment = policy.environment(environment).unwrap();
    let format = policy.formats().format(kind.index, environment.index).unwrap();
    let characters = (0..128).filter(|&byte| format.alphabet().contains(byte)).count();
    (format.prefix().to_owned(), characters, format.body_length(), (kind.display.first, kind.display.last))
}

fn carriers(policy: &Policy) -> Vec<String> {
    policy.credentials().carriers.iter().map(ToString::to_string).collect()
}

fn forms(policy: &Policy, kind: &str, preset: Preset) -> (BindingForm, BindingForm) {
    let rule = policy.kind(kind).unwrap().preset(preset).unwrap();
    (rule.org[0], rule.user[0])
}

fn presets(policy: &Policy, kind: &str) -> Vec<Preset> {
    policy.kind(kind).unwrap().presets.iter().map(|rule| rule.preset).collect()
}

fn operation<'p>(policy: &'p Policy, name: &str) -> &'p Operation {
    policy.operation(name).unwrap_or_else(|| panic!("there is no operation `{name}`"))
}

fn cost(policy: &Policy, name: &str) -> u64 {
    operation(policy, name).costs.iter().map(|cost| cost.units).sum()
}

fn limit<'p>(policy: &'p Policy, plan: Option<&str>, name: &str) -> &'p LimitDef {
    let plan = plan.map(|name| policy.plan(name).unwrap().index);
    policy.limits_under(plan).find(|limit| &*limit.name == name).unwrap()
}

fn states(limit: &LimitDef) -> Vec<(u16, &str, ThresholdAction)> {
    limit.thresholds.iter().map(|threshold| (threshold.at, &*threshold.state, threshold.action)).collect()
}

fn units(amount: u64) -> Option<Units> {
    Units::new(amount)
}

mod allmcp;
mod mcpstack;
mod runstack;
mod runtype;

#[test]
fn every_example_names_its_schema_and_is_valid() {
    let folder = format!("{}/examples/policies", env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("#:schema ./policy.schema.json\n"), "{}", path.display());
            Policy::from_file(&path).unwrap_or_else(|e| panic!("{e}"));
            found += 1;
        }
    }
    assert_eq!(found, 7);
}

#[test]
fn an_extended_policy_keeps_every_operation_and_format_of_its_base() {
    for product in ["mcpstack", "runtype", "allmcp"] {
        let (base, extended) = (policy(product), policy(&format!("{product}-extended")));
        assert_eq!(base.name(), extended.name());
        for operation in base.operations() {
            let other = extended.operation(&operation.name).unwrap_or_else(|| panic!("{}", operation.name));
            assert_eq!(other.level, operation.level, "{}", operation.name);
            assert_eq!(other.permission_names, operation.permission_names, "{}", operation.name);
            assert_eq!(other.routes, operation.routes, "{}", operation.name);
        }
        for (format, kind, environment) in base.formats().iter() {
            let kind = extended.kind(&base.kinds().at(kind).unwrap().name).unwrap();
            let environment =
                extended.environment(&base.environments().at(environment).unwrap().name).unwrap();
            assert_eq!(extended.formats().format(kind.index, environment.index), Some(format));
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_or_has_faults_is_named() {
    let missing = Policy::from_file("examples/policies/none.toml").unwrap_err().to_string();
    assert!(missing.contains("none.toml"), "{missing}");
    let folder = std::env::temp_dir().join(format!("tenantkit-policy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("acme.toml");
    std::fs::write(&path, "name = \"acme\"\nkind = 1\n").unwrap();
    let error = Policy::from_file(&path).unwrap_err();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(error.to_string().contains("acme.toml:2:1: unknown field `kind`"), "{error}");
    let faults = std::error::Error::source(&error).unwrap().downcast_ref::<tenantkit::policy::PolicyErrors>();
    assert_eq!(faults.unwrap().iter().len(), 1);
}

#[test]
fn the_digest_is_that_of_the_text() {
    let text = tenantkit::policy::BUILTIN_POLICY;
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.digest(), Policy::builtin().digest());
    assert_ne!(policy.digest(), Policy::parse(&format!("{text}\n")).unwrap().digest());
}
