//! Credentials, tenancy and domains, as the document has them.

use crate::credential::BearerOther;
use crate::domain::DomainMethod;
use crate::policy::knobs::{Absent, DigestScheme, ExtraParam, UnknownTenant};
use serde::Deserialize;

/// How keys arrive and what is stored of them.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Credentials"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CredentialsDoc {
    /// Where a key may travel, in the order in which callers are told: `bearer` for `Authorization: Bearer`, else a
    /// header such as `X-API-Key`. 1 to 4. Default `["bearer", "X-API-Key"]`.
    pub(crate) carriers: Option<Vec<String>>,
    /// What a Bearer value that is no key of this policy means.
    pub(crate) bearer_other: BearerOther,
    /// How a key is turned into what is stored.
    pub(crate) digest: DigestScheme,
}

/// How requests name their tenant.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Tenancy"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TenancyDoc {
    /// Where the org id is read. Left out: nowhere.
    pub(crate) org_param: Option<ParamDoc>,
    /// Where the user id is read. Left out: nowhere.
    pub(crate) user_param: Option<ParamDoc>,
    /// Where the proof of the user id is read. Left out: `user_proof` in the query and `X-User-Proof` in the headers,
    /// wherever the user id may stand.
    pub(crate) proof_param: Option<ParamDoc>,
    /// What an org or user id looks like.
    pub(crate) tenant_id: TenantIdDoc,
    /// Whether bindings get a default when the issuer names none.
    pub(crate) absent: Absent,
    /// What happens to a parameter that contradicts a fixed binding.
    pub(crate) extra_param: ExtraParam,
    /// The status for an org that a key does not reach: 403 or 404. Default 403.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = [403, 404])))]
    pub(crate) foreign_org: Option<u16>,
    /// What an open binding does with an unknown id.
    pub(crate) unknown_tenant: UnknownTenant,
    /// Orgs per account that requests may create. Left out: no cap.
    pub(crate) max_orgs: Option<u64>,
    /// Users per org that requests may create. Left out: no cap.
    pub(crate) max_users_per_org: Option<u64>,
}

/// Where a parameter is read from, and under which name. A carrier without a name is not read.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Parameter"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ParamDoc {
    /// The name in the query string, such as `org_id`.
    pub(crate) query: Option<String>,
    /// The header, such as `X-Org-Id`.
    pub(crate) header: Option<String>,
    /// The placeholder in route patterns, such as `orgId` for `/orgs/{orgId}`.
    pub(crate) path: Option<String>,
}

/// What an org or user id looks like.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TenantId"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TenantIdDoc {
    /// The most bytes, 1 to 255. Default 255.
    pub(crate) max_len: Option<u16>,
    /// Which characters.
    pub(crate) alphabet: TenantIdAlphabet,
}

/// Which characters an org or user id may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum TenantIdAlphabet {
    /// UTF-8 without control, bidirectional and zero-width characters.
    #[default]
    Wide,
    /// `A-Z a-z 0-9 . _ - @ + =`, and none of the words that broken clients send for no id, such as `null`.
    Narrow,
}

/// How domains of origins are verified.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Domains"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DomainsDoc {
    /// The methods offered, in order of preference. Default `["dns"]`.
    pub(crate) methods: Option<Vec<DomainMethod>>,
    /// How often a verified domain is looked at again: `off`, or a time such as `24h`. Default `off`.
    pub(crate) recheck: Option<String>,
}
