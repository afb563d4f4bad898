//! Which of the host's own objects a key may act on, such as one agent or a list of flows.

use crate::tenant::id::{IdError, IdSyntax};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// The greatest number of resources in one list.
pub const MAX_RESOURCES: usize = 1_000;
/// The greatest length of the type of a resource, in bytes.
pub const MAX_TYPE_LEN: usize = 64;

/// The resources of a key. Absent, empty and all are three values (INV-15); only the last gives more than it names.
///
/// Written as `null`, `"all"` or a list of `type:id`; `[]` is the empty list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ResourceBinding {
    /// The kind of key has no resources, so an operation that acts on one is refused.
    #[default]
    None,
    /// Every resource, also future ones.
    All,
    /// These and no others; an empty list reaches nothing.
    List(ResourceList),
}

/// Resources in byte order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceList(Box<[Resource]>);

/// One resource, as `type:id`: a type of `[a-z0-9_-]`, a colon, and the host's own id of 1 to 255
/// bytes without control, bidirectional and zero-width characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(Box<str>);

impl ResourceBinding {
    /// A list of resources, sorted and without repeats.
    ///
    /// # Errors
    /// When a text is no `type:id`, or there are more than [`MAX_RESOURCES`].
    pub fn list<T: AsRef<str>>(resources: impl IntoIterator<Item = T>) -> Result<Self, ResourceError> {
        let mut list = Vec::new();
        for text in resources {
            if list.len() == MAX_RESOURCES {
                return Err(ResourceError::TooMany);
            }
            list.push(Resource::parse(text.as_ref())?);
        }
        list.sort_unstable();
        list.dedup();
        Ok(Self::List(ResourceList(list.into())))
    }

    /// Whether the key may act on `resource`, a `type:id`. A text that is none is not allowed, whatever the binding.
    #[must_use]
    pub fn allows(&self, resource: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => split(resource).is_ok(),
            Self::List(list) => list.has(resource),
        }
    }

    /// Whether everything this binding allows is allowed by `other` too: the subset rule for child keys.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, _) | (Self::All | Self::List(_), Self::All) => true,
            (Self::All, _) => false,
            (Self::List(ours), Self::List(theirs)) => ours.iter().all(|r| theirs.has(r.as_str())),
            (Self::List(ours), Self::None) => ours.is_empty(),
        }
    }

    /// Whether something that this binding allows is no longer allowed once it is replaced by `new`.
    #[must_use]
    pub fn is_narrowed_by(&self, new: &Self) -> bool {
        !self.is_within(new)
    }

    /// Every resource that the binding names.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        let list: &[Resource] = if let Self::List(list) = self { &list.0 } else { &[] };
        list.iter()
    }
}

impl ResourceList {
    /// The resources, in byte order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Resource> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list reaches nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, resource: &str) -> bool {
        self.0.binary_search_by(|listed| listed.as_str().cmp(resource)).is_ok()
    }
}

impl Resource {
    /// Reads a `type:id`. The first colon ends the type, so an id may have colons.
    ///
    /// # Errors
    /// The first rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, ResourceError> {
        split(text).map(|_| Self(text.into()))
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon, such as `agent`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// The part after the first colon.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({:?})", self.0)
    }
}

/// Why a text is no resource, or a list none of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// It is not a type, a colon and an id.
    #[error("a resource is written `type:id`, with a type of `a-z 0-9 _ -` in at most {MAX_TYPE_LEN} bytes")]
    Form,
    /// The id breaks a rule that every id follows.
    #[error("the id of a resource is not well formed: {0}")]
    Id(IdError),
    /// The list is too long.
    #[error("a key is bound to at most {MAX_RESOURCES} resources")]
    TooMany,
}

/// Type and id of a resource's text.
fn split(text: &str) -> Result<(&str, &str), ResourceError> {
    let (kind, id) = text.split_once(':').ok_or(ResourceError::Form)?;
    let is_kind = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    if kind.is_empty() || kind.len() > MAX_TYPE_LEN || !kind.bytes().all(is_kind) {
        return Err(ResourceError::Form);
    }
    IdSyntax::wide().check(id).map_err(ResourceError::Id)?;
    Ok((kind, id))
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&<Box<str>>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for ResourceBinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::All => serializer.serialize_str("all"),
            Self::List(list) => serializer.collect_seq(list.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for ResourceBinding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Word(Box<str>),
            List(Vec<Box<str>>),
        }
        match Option::<Raw>::deserialize(deserializer)? {
            None => Ok(Self::None),
            Some(Raw::Word(word)) if &*word == "all" => Ok(Self::All),
            Some(Raw::Word(_)) => {
                Err(D::Error::custom("resources are `null`, `\"all\"` or a list of `type:id`"))
            }
            Some(Raw::List(list)) => Self::list(list).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(resources: &[&str]) -> ResourceBinding {
        ResourceBinding::list(resources).unwrap()
    }

    #[test]
    fn inv_15_absent_empty_and_all_are_three_values() {
        let (absent, empty, all) = (ResourceBinding::None, list(&[]), ResourceBinding::All);
        assert!(absent != empty && empty != all && all != absent);
        assert!(!absent.allows("agent:a"));
        assert!(!empty.allows("agent:a"));
        assert!(all.allows("agent:a"));
        for (binding, json) in [(absent, "null"), (empty, "[]"), (all, "\"all\"")] {
            assert_eq!(serde_json::to_string(&binding).unwrap(), json);
            assert_eq!(serde_json::from_str::<ResourceBinding>(json).unwrap(), binding);
        }
    }

    #[test]
    fn a_list_allows_exactly_what_it_names() {
        let binding = list(&["flow:b", "agent:1", "agent:10", "flow:b"]);
        assert_eq!(binding.iter().count(), 3);
        for (resource, allowed) in [
            ("agent:1", true),
            ("agent:10", true),
            ("flow:b", true),
            ("agent:2", false),
            ("agent:", false),
            ("agent", false),
            ("flow:1", false),
            ("Agent:1", false),
            ("agent:1 ", false),
        ] {
            assert_eq!(binding.allows(resource), allowed, "{resource}");
        }
    }

    #[test]
    fn a_text_that_is_no_resource_is_never_allowed() {
        for text in [
            "",
            "agent",
            ":1",
            "agent:",
            "Agent:1",
            "a b:1",
            "agent:a\nb",
            &format!("agent:{}", "x".repeat(256)),
        ] {
            assert!(Resource::parse(text).is_err(), "{text:?}");
            assert!(!ResourceBinding::All.allows(text), "{text:?}");
        }
        let colons = Resource::parse("agent:a:b").unwrap();
        assert_eq!((colons.kind(), colons.id()), ("agent", "a:b"));
    }

    #[test]
    fn lists_are_bounded_and_wildcards_are_words_of_their_own() {
        let many: Vec<String> = (0..=MAX_RESOURCES).map(|i| format!("agent:{i}")).collect();
        assert!(ResourceBinding::list(&many[..MAX_RESOURCES]).is_ok());
        assert_eq!(ResourceBinding::list(&many), Err(ResourceError::TooMany));
        for bad in ["\"*\"", "\"\"", "true", "{}", "[\"agent\"]", "[1]", "\"agent:1\""] {
            assert!(serde_json::from_str::<ResourceBinding>(bad).is_err(), "{bad}");
        }
        assert!(!list(&["agent:*"]).allows("agent:1"));
    }

    fn binding() -> impl Strategy<Value = ResourceBinding> {
        prop_oneof![
            1 => Just(ResourceBinding::None),
            1 => Just(ResourceBinding::All),
            4 => proptest::collection::vec("a:[0-3]", 0..4).prop_map(|l| ResourceBinding::list(l).unwrap()),
        ]
    }

    proptest! {
        #[test]
        fn within_means_allowing_no_more(child in binding(), parent in binding()) {
            let probes = ["a:0", "a:1", "a:2", "a:3", "b:0"];
            let no_more = probes.iter().all(|r| !child.allows(r) || parent.allows(r));
            // Four named resources are not all of them, so only `All` holds `All`.
            prop_assert_eq!(child.is_within(&parent), no_more);
            prop_assert_eq!(child.is_narrowed_by(&parent), !no_more);
        }
    }
}
