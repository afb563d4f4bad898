//! The life of a key, as the document has it.

use crate::policy::knobs::{LastUsedOn, Need, Owner, Removal, TemplateLink, Tombstone};
use serde::Deserialize;

/// The life of a key.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Keys"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KeysDoc {
    /// Who a key belongs to.
    pub(crate) owner: Owner,
    /// The longest name, in characters, 1 to 255. Default 255.
    pub(crate) name_max_chars: Option<u16>,
    /// Whether names are unique among the keys of an account.
    pub(crate) unique_names: bool,
    /// Labels that a key may carry besides its name, such as `environment` or `client`. At most 16.
    pub(crate) labels: Vec<String>,
    /// Keys per account. Left out: no cap.
    pub(crate) max_keys: Option<u64>,
    /// Whether keys may create, change and end keys.
    pub(crate) keys_manage_keys: bool,
    /// Whether keys expire.
    pub(crate) expiry: ExpiryDoc,
    /// How keys are replaced.
    pub(crate) rotation: RotationDoc,
    /// Which verbs end a key.
    pub(crate) removal: Removal,
    /// Whether surfaces ask before they end a key. Default true.
    pub(crate) confirm_removal: Option<bool>,
    /// What stays of a deleted key.
    pub(crate) tombstone: Tombstone,
    /// Whether a template is copied into the key or followed.
    pub(crate) template_link: TemplateLink,
    /// Which calls move `last_used_at`.
    pub(crate) last_used_on: LastUsedOn,
}

/// Whether keys expire.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Expiry"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExpiryDoc {
    /// Whether keys have an expiry.
    pub(crate) need: Need,
    /// The lifetime when the issuer names no instant, such as `90d`. Left out: none.
    pub(crate) default_lifetime: Option<String>,
    /// The longest lifetime, such as `365d`. Left out: no bound.
    pub(crate) max_lifetime: Option<String>,
}

/// How keys are replaced.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Rotation"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RotationDoc {
    /// The longest time for which old and new key both work, `0s` to `7d`. Default `7d`.
    pub(crate) max_grace: Option<String>,
    /// The time when none is named. Default `24h`, or `max_grace` if that is shorter.
    pub(crate) default_grace: Option<String>,
    /// Whether the successor goes on with the count. Default true.
    pub(crate) carry_usage: Option<bool>,
    /// The age at which a key is listed as due, such as `90d`. Left out: never.
    pub(crate) reminder: Option<String>,
}
