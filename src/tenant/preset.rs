//! Presets: the named combinations of bindings that an owner chooses from.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A named combination of bindings, as an owner chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// One developer, one user: org fixed or none, user fixed.
    Solo,
    /// One company, many users: org fixed; user fixed, list, open or none.
    Client,
    /// Many orgs and users: org fixed, list or open; user fixed, list, open or optional.
    Platform,
    /// The owner's own tenant by default, any other by parameter: both axes open with creation and a default.
    Flexible,
}

/// Which ids a binding accepts, without the ids: what presets are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingShape {
    /// The axis does not exist.
    None,
    /// One id.
    Fixed,
    /// Some ids.
    List,
    /// Any id.
    Open,
    /// Any id or, on the user axis, none.
    Optional,
}

impl Preset {
    /// All presets, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Solo, Self::Client, Self::Platform, Self::Flexible];

    /// The word used in policies and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Solo => "solo",
            Self::Client => "client",
            Self::Platform => "platform",
            Self::Flexible => "flexible",
        }
    }

    /// The preset with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// What the preset allows on the org axis.
    #[must_use]
    pub const fn org_shapes(self) -> &'static [BindingShape] {
        match self {
            Self::Solo => &[BindingShape::Fixed, BindingShape::None],
            Self::Client => &[BindingShape::Fixed],
            Self::Platform => &[BindingShape::Fixed, BindingShape::List, BindingShape::Open],
            Self::Flexible => &[BindingShape::Open],
        }
    }

    /// What the preset allows on the user axis.
    #[must_use]
    pub const fn user_shapes(self) -> &'static [BindingShape] {
        match self {
            Self::Solo => &[BindingShape::Fixed],
            Self::Client => {
                &[BindingShape::Fixed, BindingShape::List, BindingShape::Open, BindingShape::None]
            }
            Self::Platform => {
                &[BindingShape::Fixed, BindingShape::List, BindingShape::Open, BindingShape::Optional]
            }
            Self::Flexible => &[BindingShape::Open],
        }
    }

    pub(crate) fn advice(self, axis: &str, found: BindingShape, allowed: &[BindingShape]) -> String {
        let words: Vec<String> = allowed.iter().map(|shape| format!("`{shape}`")).collect();
        format!("a {} key has the {axis} {}, not `{found}`", self.name(), words.join(" or "))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for BindingShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Fixed => "fixed",
            Self::List => "list",
            Self::Open => "open",
            Self::Optional => "optional",
        })
    }
}
