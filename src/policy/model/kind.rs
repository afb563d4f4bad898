//! Kinds of keys: what they look like, where they may travel and what they may be bound to.

use super::table::Named;
use crate::credential::Carriers;
use crate::key::format::DisplayRule;
use crate::origin::{MissingOrigin, OriginMatch};
use crate::policy::knobs::{BindingForm, EmptyOrigins, KindClass, Need, Reveal, SecretWithOrigin, UserProof};
use crate::tenant::Preset;

/// A kind of key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Kind {
    /// Position in [`super::Policy::kinds`], and in the bit sets of operations and limits.
    pub index: u16,
    /// Its name, as records and management calls give it.
    pub name: Box<str>,
    /// What people see; the name where the policy gives none.
    pub label: Box<str>,
    /// Secret or publishable.
    pub class: KindClass,
    /// Which characters of a key may be shown later.
    pub display: DisplayRule,
    /// Whether the text can be shown again.
    pub reveal: Reveal,
    /// The carriers of this kind, where they are fewer than the policy's: read the headers again with these, and a key
    /// that is not found counts as absent.
    pub carriers: Option<Carriers>,
    /// The presets its keys may have; the first is the default.
    pub presets: Box<[PresetRule]>,
    /// Roles.
    pub role: RoleRule,
    /// Permissions given one by one or by template.
    pub permissions: PermissionRule,
    /// Resources.
    pub resources: ResourceRule,
    /// Origins.
    pub origins: OriginRule,
    /// How a user id must be proved.
    pub user_proof: UserProof,
    /// Whether its keys may carry a list of addresses.
    pub ip_lists: bool,
    /// How long, in seconds, a session or conversation opened with such a key may rest before it ends. The MCP guard
    /// ends its own sessions; a host asks for this to end its conversations.
    pub session_idle_s: Option<u32>,
}

/// What keys of one preset may be bound to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PresetRule {
    /// The preset.
    pub preset: Preset,
    /// Forms allowed on the org axis; the first is taken when the issuer names none.
    pub org: Box<[BindingForm]>,
    /// Forms allowed on the user axis; the first is taken when the issuer names none.
    pub user: Box<[BindingForm]>,
}

/// Whether keys of a kind hold a role, and which.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RoleRule {
    /// Never, possibly, always.
    pub need: Need,
    /// Taken when the issuer names none; an index into [`super::Policy::roles`].
    pub default: Option<u16>,
}

/// Whether keys of a kind hold permissions of their own, and which when none are chosen.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PermissionRule {
    /// Never, possibly, always: what is required must be chosen, by name or by template.
    pub need: Need,
    /// What a key gets when nothing is chosen (RT-13), as the policy writes it. Empty is nothing.
    pub default: Box<[Box<str>]>,
}

/// Which resources keys of a kind are bound to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ResourceRule {
    /// How many.
    pub count: ResourceCount,
    /// The types they may have, as the policy names them.
    pub types: Box<[Box<str>]>,
    /// Whether a key may stand for all of them.
    pub all: bool,
}

/// How many resources a key is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceCount {
    /// Keys of this kind are not bound to resources.
    #[default]
    None,
    /// Exactly one, set at creation.
    One,
    /// A list, which may be empty: then the key reaches none.
    List,
}

/// How the origin of a request is judged.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OriginRule {
    /// Whether keys have an origin list; always so for publishable kinds.
    pub listed: bool,
    /// How an origin is compared with the list.
    pub matching: OriginMatch,
    /// A request without one.
    pub missing: MissingOrigin,
    /// A key without any.
    pub empty: EmptyOrigins,
    /// Whether each listed host must lie within a domain that is verified.
    pub verified: bool,
    /// Secret kinds: an origin although they should never be in a browser.
    pub with_secret: SecretWithOrigin,
}

impl Kind {
    /// Whether its keys may be published.
    #[must_use]
    pub fn is_publishable(&self) -> bool {
        self.class == KindClass::Publishable
    }

    /// The rule for one preset, if keys of this kind may have it.
    #[must_use]
    pub fn preset(&self, preset: Preset) -> Option<&PresetRule> {
        self.presets.iter().find(|rule| rule.preset == preset)
    }

    /// This kind as one bit, for the bit sets of operations and limits.
    #[must_use]
    pub fn bit(&self) -> u64 {
        1u64.checked_shl(u32::from(self.index)).unwrap_or(0)
    }
}

impl Named for Kind {
    fn name(&self) -> &str {
        &self.name
    }
}
