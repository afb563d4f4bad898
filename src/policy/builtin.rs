//! The policy in force when a program names none.

use super::Policy;

/// The document of the built-in policy: a beginning to copy and change.
pub const BUILTIN_POLICY: &str = include_str!("builtin.toml");

impl Policy {
    /// The built-in policy: keys like `tk_live_...` for one developer, one company or many, in the environments `live` and
    /// `test`; one operation `request`; a plan `free` with 10 requests a minute and a plan `unlimited`.
    #[must_use]
    pub fn builtin() -> Self {
        match Self::parse(BUILTIN_POLICY) {
            Ok(policy) => policy,
            // A test reads it; a build in which this can happen does not pass.
            Err(faults) => unreachable!("the built-in policy is valid: {faults}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::format::MAX_NATIVE_KEY_LEN;
    use crate::limit::Units;
    use crate::tenant::{Level, Preset};

    #[test]
    fn the_builtin_policy_is_valid_and_shows_a_429_soon() {
        let policy = Policy::builtin();
        let plan = policy.plan("free").unwrap();
        let operation = policy.operation("request").unwrap();
        let charges = policy.charges(Some(plan.index), operation);
        assert_eq!(charges.len(), 1);
        assert_eq!(policy.limits()[usize::from(charges[0].limit)].cap(), Units::new(10));
        assert_eq!(policy.usage().default_plan, Some(plan.index));
    }

    #[test]
    fn its_keys_are_native() {
        let policy = Policy::builtin();
        assert_eq!(policy.formats().iter().len(), 2);
        for (format, _, environment) in policy.formats().iter() {
            let environment = policy.environments().at(environment).unwrap();
            assert_eq!(format.prefix(), format!("tk_{}_", environment.name));
            assert!(format.random_bits() >= 190 && format.key_length() <= MAX_NATIVE_KEY_LEN);
        }
    }

    #[test]
    fn a_newcomer_needs_no_route_tool_or_parameter() {
        let policy = Policy::builtin();
        for path in ["/", "/v1/things", "/v1/things/7"] {
            let (operation, _) = policy.operation_for_route("GET", path).unwrap();
            assert_eq!((&*operation.name, operation.level), ("request", Level::User), "{path}");
        }
        assert_eq!(&*policy.operation_for_tool("anything").unwrap().name, "request");
        assert_eq!(policy.default_kind().unwrap().presets[0].preset, Preset::Solo);
        assert_eq!(&*policy.default_environment().unwrap().name, "live");
    }

    #[test]
    fn its_tenant_ids_are_narrow() {
        let policy = Policy::builtin();
        for bad in ["null", "undefined", "a/b", ""] {
            assert!(policy.tenancy().id_syntax.check(bad).is_err(), "{bad}");
        }
        assert!(policy.tenancy().id_syntax.check("org_1@example.com").is_ok());
    }
}
