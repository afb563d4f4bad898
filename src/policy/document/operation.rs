//! Operations and meters, as the document has them.

use super::OneOrMany;
use crate::policy::knobs::CountOn;
use crate::tenant::Level;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Something that requests do.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Operation", extend("required" = ["level"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OperationDoc {
    /// What people see. Left out: the name.
    pub(crate) label: Option<String>,
    /// Whom it acts for: the account, an org, a user. Required.
    pub(crate) level: Option<Level>,
    /// Whether publishable kinds may call it.
    pub(crate) public: bool,
    /// The kinds that may call it. Left out: all publishable kinds if it is public, else all secret ones.
    pub(crate) kinds: Option<Vec<String>>,
    /// The permissions it needs, all of them.
    pub(crate) permission: OneOrMany<String>,
    /// The entitlements the plan must have.
    pub(crate) entitlement: OneOrMany<String>,
    /// The type of the resource that the request names and the key must be bound to.
    pub(crate) resource: Option<String>,
    /// The environment the key must belong to.
    pub(crate) environment: Option<String>,
    /// Dimensions that the host passes with the call; from `dimensions`.
    pub(crate) dimensions: OneOrMany<String>,
    /// Units per call: a number where the policy has one meter, else a table by meter. Left out or 0: not counted.
    pub(crate) cost: Option<CostDoc>,
    /// The meter whose cost is replaced by a cost given with the call. Left out: the only meter it counts on.
    pub(crate) variable: Option<String>,
    /// When units count, if not as `usage.count_on` says.
    pub(crate) count_on: Option<CountOn>,
    /// Whether it creates, changes or ends keys. Unless keys manage keys, only people may call it then.
    pub(crate) manages_keys: bool,
    /// HTTP routes that mean this operation: `GET /v1/flows/{id}`, `* /mcp`, `GET /files/{*path}`.
    pub(crate) routes: OneOrMany<String>,
    /// MCP tools that mean this operation; `*` for all that no operation names.
    pub(crate) tools: OneOrMany<String>,
    /// MCP resources, by URI, whose reading means this operation; `*` for all others.
    pub(crate) mcp_resources: OneOrMany<String>,
    /// MCP prompts that mean this operation; `*` for all others.
    pub(crate) prompts: OneOrMany<String>,
}

/// Something that is counted.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Meter"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MeterDoc {
    /// What people see. Left out: the name.
    pub(crate) label: Option<String>,
    /// The unit as `RateLimit-Policy` names it: `requests`, `content-bytes` or a name of your own. Left out: the
    /// meter's name.
    pub(crate) unit: Option<String>,
}

/// Units per call.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Cost", untagged))]
pub(crate) enum CostDoc {
    /// On the policy's only meter.
    Units(u64),
    /// By meter.
    PerMeter(BTreeMap<String, u64>),
}

impl<'de> Deserialize<'de> for CostDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Cost;

        impl<'de> Visitor<'de> for Cost {
            type Value = CostDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0, or a table with one per meter")
            }

            fn visit_i64<E: de::Error>(self, units: i64) -> Result<CostDoc, E> {
                match u64::try_from(units) {
                    Ok(units) => Ok(CostDoc::Units(units)),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(units), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<CostDoc, A::Error> {
                let mut costs = BTreeMap::new();
                while let Some((meter, units)) = members.next_entry()? {
                    costs.insert(meter, units);
                }
                Ok(CostDoc::PerMeter(costs))
            }
        }

        deserializer.deserialize_any(Cost)
    }
}
