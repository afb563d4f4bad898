//! Lists without what the caller may not use.

use crate::code::Code;
use crate::decision::Decision;
use crate::policy::Policy;
use crate::policy::model::Operation;
use serde_json::Value;

/// Which operations of a policy one caller may see: those that kind, permission, resource and entitlement allow. A
/// limit that is exhausted just now hides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    /// One flag per operation of the policy.
    operations: Vec<bool>,
}

impl Visible {
    /// Asks about each operation that some tool, prompt or resource means: whether the caller may use it, as
    /// [`is_usable`] reads the answer of [`Authority::inspect`](crate::Authority::inspect).
    ///
    /// # Errors
    /// The first that `is_usable` gives.
    pub fn find<E>(
        policy: &Policy,
        mut is_usable: impl FnMut(&Operation) -> Result<bool, E>,
    ) -> Result<Self, E> {
        let mut operations = Vec::with_capacity(policy.operations().len());
        for operation in policy.operations() {
            let names = &operation.mcp;
            let is_listed =
                !(names.tools.is_empty() && names.prompts.is_empty() && names.resources.is_empty());
            operations.push(is_listed && is_usable(operation)?);
        }
        Ok(Self { operations })
    }

    /// Whether this tool stands in the caller's list.
    #[must_use]
    pub fn tool(&self, policy: &Policy, name: &str) -> bool {
        policy.operation_for_tool(name).is_some_and(|operation| self.has(operation))
    }

    /// Whether this prompt stands in the caller's list; one that the policy does not name is free to all.
    #[must_use]
    pub fn prompt(&self, policy: &Policy, name: &str) -> bool {
        policy.operation_for_prompt(name).is_none_or(|operation| self.has(operation))
    }

    /// Whether this resource stands in the caller's list; one that the policy does not name is free to all.
    #[must_use]
    pub fn resource(&self, policy: &Policy, uri: &str) -> bool {
        policy.operation_for_mcp_resource(uri).is_none_or(|operation| self.has(operation))
    }

    /// Takes what the caller may not see out of the result of a list method. The order stays. A list that depends on the
    /// caller is marked `cacheScope: "private"`, so that no shared cache shows it to another tenant.
    pub fn filter(&self, policy: &Policy, method: &str, result: &mut Value) {
        type IsVisible = fn(&Visible, &Policy, &str) -> bool;
        let (entries, key, is_visible): (&str, &str, IsVisible) = match method {
            "tools/list" => ("tools", "name", Self::tool),
            "prompts/list" => ("prompts", "name", Self::prompt),
            "resources/list" => ("resources", "uri", Self::resource),
            _ => return,
        };
        let Some(members) = result.as_object_mut() else { return };
        if let Some(entries) = members.get_mut(entries).and_then(Value::as_array_mut) {
            entries.retain(|entry| {
                entry.get(key).and_then(Value::as_str).is_some_and(|name| is_visible(self, policy, name))
            });
        }
        members.insert("cacheScope".to_owned(), Value::from("private"));
    }

    fn has(&self, operation: &Operation) -> bool {
        self.operations.get(usize::from(operation.index)).copied().unwrap_or(false)
    }
}

/// Whether an operation belongs in the caller's lists: it is allowed, or only a limit stands in its way just now.
#[must_use]
pub fn is_usable(decision: &Decision) -> bool {
    match decision {
        Decision::Allow(_) => true,
        Decision::Deny(denial) => matches!(denial.code(), Code::RateLimited | Code::UsageLimitReached),
    }
}
