//! Kinds of keys, as the document has them.

use super::OneOrMany;
use crate::origin::{MissingOrigin, OriginMatch};
use crate::policy::knobs::{BindingForm, EmptyOrigins, KindClass, Need, Reveal, SecretWithOrigin, UserProof};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// A kind of key.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Kind", extend("required" = ["presets"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KindDoc {
    /// What people see. Left out: the name.
    pub(crate) label: Option<String>,
    /// Secret or publishable.
    pub(crate) class: KindClass,
    /// The native format under this prefix: `<native>_<environment>_`, 32 base62 characters (190 random bits) and a
    /// checksum of 6; at most 55 bytes. Instead of `prefix` and `body`.
    pub(crate) native: Option<String>,
    /// What every key begins with, separators included: one text, or one per environment.
    pub(crate) prefix: Option<PrefixDoc>,
    /// The random part.
    pub(crate) body: Option<BodyDoc>,
    /// Which characters of a key may be shown later.
    pub(crate) display: DisplayDoc,
    /// Whether the text of a key can be shown again.
    pub(crate) reveal: Reveal,
    /// Where these keys may travel, if not in all of `credentials.carriers`.
    pub(crate) carriers: Option<Vec<String>>,
    /// The tenancy presets its keys may have, and what each may be bound to, at least one. Required.
    pub(crate) presets: BTreeMap<String, PresetDoc>,
    /// The preset of a new key when none is named. Left out: the first.
    pub(crate) default_preset: Option<String>,
    /// Whether its keys hold a role.
    pub(crate) role: Need,
    /// Whether its keys hold permissions of their own, one by one or by template.
    pub(crate) permissions: Need,
    /// What a key holds when nothing is chosen (RT-13). Empty is nothing.
    pub(crate) default_permissions: Vec<String>,
    /// The resources its keys are bound to.
    pub(crate) resources: Option<ResourcesDoc>,
    /// Publishable kinds: how an `Origin` is compared with the key's list.
    pub(crate) origin_match: Option<OriginMatch>,
    /// Publishable kinds: what a request without `Origin` means.
    pub(crate) missing_origin: Option<MissingOrigin>,
    /// Publishable kinds: what an empty origin list means.
    pub(crate) empty_origins: Option<EmptyOrigins>,
    /// Publishable kinds: whether each listed host must lie in a verified domain.
    pub(crate) verified_domains: Option<bool>,
    /// Secret kinds: what happens to a key that arrives with an `Origin`. Default `reject`.
    pub(crate) secret_with_origin: Option<SecretWithOrigin>,
    /// How a request proves that it may act for the user it names.
    pub(crate) user_id_proof: UserProof,
    /// Whether keys may carry a list of addresses. Default true.
    pub(crate) ip_lists: Option<bool>,
    /// How long a session or conversation opened with such a key may rest before it ends, such as `30m`.
    pub(crate) session_idle: Option<String>,
}

/// The random part of a key.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Body", extend("required" = ["alphabet", "length"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BodyDoc {
    /// The characters: `base62`, `base36`, `hex`, or a table with ones of your own. Required.
    pub(crate) alphabet: Option<AlphabetDoc>,
    /// How many characters; at least 128 random bits. Required.
    pub(crate) length: Option<u32>,
    /// What follows: `none`, or `crc32` in 6 base62 digits.
    pub(crate) checksum: ChecksumWord,
}

/// What follows the body of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Checksum"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChecksumWord {
    /// Nothing.
    #[default]
    None,
    /// The CRC-32 of all before it, in 6 base62 digits.
    Crc32,
}

/// Which characters of a key may be shown later; at least 128 bits stay unknown.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Display"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DisplayDoc {
    /// Characters from the start, the prefix included. Left out: the prefix.
    pub(crate) first: Option<u16>,
    /// Characters from the end. Default 0.
    pub(crate) last: u16,
}

/// What keys of one preset may be bound to.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Preset"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PresetDoc {
    /// Forms allowed on the org axis; the first holds when the issuer names none. Left out: all
    /// that the preset allows and requests can name.
    pub(crate) org: Option<OneOrMany<BindingForm>>,
    /// Forms allowed on the user axis; the first holds when the issuer names none. Left out: all
    /// that the preset allows and requests can name.
    pub(crate) user: Option<OneOrMany<BindingForm>>,
}

/// The resources that keys of a kind are bound to.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Resources", extend("required" = ["types"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResourcesDoc {
    /// `one`: exactly one, set at creation. `list`: any number; an empty list reaches nothing.
    pub(crate) count: ResourceCountWord,
    /// Their types, from `resource_types`, at least one. Required.
    pub(crate) types: OneOrMany<String>,
    /// Whether a key may stand for all of them.
    pub(crate) all: bool,
}

/// How many resources a key is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ResourceCount"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResourceCountWord {
    /// Exactly one.
    One,
    /// A list.
    #[default]
    List,
}

/// One prefix for all environments, or one for each.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Prefix", untagged))]
pub(crate) enum PrefixDoc {
    /// For a policy with one environment.
    One(String),
    /// By environment.
    PerEnvironment(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for PrefixDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Prefix;

        impl<'de> Visitor<'de> for Prefix {
            type Value = PrefixDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, or a table with one text per environment")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PrefixDoc, E> {
                Ok(PrefixDoc::One(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<PrefixDoc, A::Error> {
                let mut prefixes = BTreeMap::new();
                while let Some((environment, prefix)) = members.next_entry()? {
                    prefixes.insert(environment, prefix);
                }
                Ok(PrefixDoc::PerEnvironment(prefixes))
            }
        }

        deserializer.deserialize_any(Prefix)
    }
}

/// A known alphabet by name, or one's own characters.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Alphabet", untagged))]
pub(crate) enum AlphabetDoc {
    /// `base62`, `base36` or `hex`.
    Named(String),
    /// Characters, each once.
    Custom(CustomAlphabet),
}

/// Characters of one's own.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["characters"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CustomAlphabet {
    /// ASCII letters, digits and `-._~+/`, each once. Required.
    pub(crate) characters: String,
}

impl<'de> Deserialize<'de> for AlphabetDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Alphabet;

        impl<'de> Visitor<'de> for Alphabet {
            type Value = AlphabetDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`base62`, `base36` or `hex` in quotes, or a table with `characters`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<AlphabetDoc, E> {
                Ok(AlphabetDoc::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<AlphabetDoc, A::Error> {
                CustomAlphabet::deserialize(de::value::MapAccessDeserializer::new(members))
                    .map(AlphabetDoc::Custom)
            }
        }

        deserializer.deserialize_any(Alphabet)
    }
}
