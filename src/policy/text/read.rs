//! Reads a parsed document into plain serde types, and goes on after a fault.
//!
//! A derived `Deserialize` stops at the first fault. Here a fault carries the member it is about, that member is left
//! out, and the document is read again, until nothing is wrong: so all unknown fields and wrong types of a document are
//! found at once, and what is left can still be checked for its sense.

use super::At;
use super::nearest::nearest;
use super::source::Source;
use crate::policy::error::{MAX_ERRORS, PolicyError};
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use std::collections::HashSet;
use std::fmt::{self, Display};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The document as a `T`, without the members that are faulty, and the faults.
pub(crate) fn read<'i, T: de::Deserialize<'i> + Default>(source: &'i Source<'i>) -> (T, Vec<PolicyError>) {
    let mut faulty = Faulty::new();
    let mut errors = Vec::new();
    while errors.len() < MAX_ERRORS {
        let root = At::Root;
        let fault = match T::deserialize(TableReader { table: source.root(), at: &root, faulty: &faulty }) {
            Ok(document) => return (document, errors),
            Err(fault) => *fault.0,
        };
        let spot = fault.spot.unwrap_or_default();
        let mut error = source.error_in(spot.span, spot.field, fault.message);
        if let Some((found, words)) = fault.unknown {
            error = error.suggest(nearest(&found, words.iter().copied())).allow(words);
        }
        errors.push(error);
        if !faulty.insert(spot.member) {
            break;
        }
    }
    (T::default(), errors)
}

/// Members to leave out, by the address of their value in the tree.
type Faulty = HashSet<usize>;

fn address(value: &Spanned<DeValue<'_>>) -> usize {
    std::ptr::from_ref(value).addr()
}

/// What is wrong with one member.
#[derive(Debug)]
pub(crate) struct Fault(Box<FaultInner>);

#[derive(Debug)]
struct FaultInner {
    message: String,
    unknown: Option<(String, &'static [&'static str])>,
    spot: Option<Spot>,
}

#[derive(Debug, Default)]
struct Spot {
    member: usize,
    span: Range<usize>,
    field: String,
}

impl Fault {
    fn new(message: String) -> Self {
        Self(Box::new(FaultInner { message, unknown: None, spot: None }))
    }

    /// Says where the fault is, unless something nearer has said so.
    fn spotted(mut self, member: usize, span: Range<usize>, at: &At<'_>) -> Self {
        self.0.spot.get_or_insert_with(|| Spot { member, span, field: at.to_string() });
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", plain(&expected.to_string()), named(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", plain(&expected.to_string()), named(found)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut fault = Self::new(format!("unknown field `{}`", short(field)));
        fault.0.unknown = Some((field.to_owned(), expected));
        fault
    }

    fn unknown_variant(word: &str, expected: &'static [&'static str]) -> Self {
        let mut fault = Self::new(format!("`{}` is not one of the words allowed here", short(word)));
        fault.0.unknown = Some((word.to_owned(), expected));
        fault
    }
}

/// What serde expected, in the words of a document.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number from 0",
        "a string" => "text in quotes",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a table",
        text if text.starts_with("struct ") => "a table",
        text if text.starts_with("enum ") => "a word",
        text => text,
    }
}

fn named(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("`{value}`"),
        Unexpected::Float(value) => format!("`{value}`"),
        Unexpected::Str(text) => format!("\"{}\"", short(text)),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// Enough of a text to recognise it, safe to print.
pub(crate) fn short(text: &str) -> String {
    let cut: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() { cut + "..." } else { cut }
}

/// Reads a table.
struct TableReader<'s, 'i> {
    table: &'i DeTable<'i>,
    at: &'s At<'s>,
    faulty: &'s Faulty,
}

impl<'i> Deserializer<'i> for TableReader<'_, 'i> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, Fault> {
        let entries = self.table.iter();
        visitor.visit_map(Members { entries, at: self.at, faulty: self.faulty, current: None })
    }

    fn deserialize_option<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        <W: Visitor<'i>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Members<'s, 'i, I> {
    entries: I,
    at: &'s At<'s>,
    faulty: &'s Faulty,
    current: Option<Member<'i>>,
}

type Member<'i> = (&'i Spanned<DeString<'i>>, &'i Spanned<DeValue<'i>>);

impl<'i, I: Iterator<Item = Member<'i>>> MapAccess<'i> for Members<'_, 'i, I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'i>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let faulty = self.faulty;
        self.current = self.entries.find(|(_, value)| faulty.is_empty() || !faulty.contains(&address(value)));
        let Some((name, value)) = self.current else { return Ok(None) };
        let text: &'i str = name.get_ref();
        seed.deserialize(BorrowedStrDeserializer::new(text))
            .map(Some)
            .map_err(|fault: Fault| fault.spotted(address(value), name.span(), &self.at.key(text)))
    }

    fn next_value_seed<V: DeserializeSeed<'i>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((name, value)) = self.current else {
            return Err(Fault::new("a value was asked for before its name".to_owned()));
        };
        let at = self.at.key(name.get_ref());
        seed.deserialize(ValueReader { value, member: address(value), at: &at, faulty: self.faulty })
    }
}

/// Reads any value.
struct ValueReader<'s, 'i> {
    value: &'i Spanned<DeValue<'i>>,
    /// What is left out when this value is faulty: its own address, in an array that of the whole array, so that the
    /// other elements keep their index.
    member: usize,
    at: &'s At<'s>,
    faulty: &'s Faulty,
}

impl<'i> ValueReader<'_, 'i> {
    fn visit<V: Visitor<'i>>(&self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => {
                    Err(Fault::new("the number is too large; at most 9007199254740991 (2^53 - 1)".into()))
                }
            },
            DeValue::Float(number) => {
                Err(Fault::new(format!("`{}` is not a whole number", short(number.as_str()))))
            }
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            // An unquoted date or instant is the same as a quoted one.
            DeValue::Datetime(instant) => visitor.visit_string(instant.to_string()),
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                visitor.visit_seq(Items { items, member: self.member, at: self.at, faulty: self.faulty })
            }
            DeValue::Table(table) => {
                TableReader { table, at: self.at, faulty: self.faulty }.deserialize_any(visitor)
            }
        }
    }

    fn spotted(&self, fault: Fault) -> Fault {
        fault.spotted(self.member, self.value.span(), self.at)
    }
}

impl<'i> Deserializer<'i> for ValueReader<'_, 'i> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit(visitor).map_err(|fault| self.spotted(fault))
    }

    fn deserialize_option<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'i>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'i>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let word = match self.value.get_ref() {
            DeValue::String(word) => Ok::<StrDeserializer<'_, Fault>, _>((**word).into_deserializer()),
            _ => Err(Fault::new("expected a word in quotes".to_owned())),
        };
        word.and_then(|word| visitor.visit_enum(word)).map_err(|fault| self.spotted(fault))
    }

    forward_to_deserialize_any! {
        <W: Visitor<'i>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'s, I> {
    items: I,
    member: usize,
    at: &'s At<'s>,
    faulty: &'s Faulty,
}

impl<'i, I: Iterator<Item = (usize, &'i Spanned<DeValue<'i>>)>> SeqAccess<'i> for Items<'_, I> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'i>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.items.next() else { return Ok(None) };
        let at = self.at.index(index);
        seed.deserialize(ValueReader { value, member: self.member, at: &at, faulty: self.faulty }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Doc {
        name: Option<String>,
        size: Option<u16>,
        word: Option<Word>,
        list: Vec<String>,
        parts: BTreeMap<String, Part>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Hard,
        Soft,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Part {
        on: bool,
        since: Option<String>,
    }

    fn faults(text: &str) -> (Doc, Vec<String>) {
        let source = Source::parse(text).unwrap();
        let (doc, errors) = read::<Doc>(&source);
        let shown = errors.iter().map(|e| {
            let hint = e.suggestion().map_or(String::new(), |word| format!(" ({word}?)"));
            format!("{}:{} {}: {}{hint}", e.line(), e.column(), e.field(), e.message())
        });
        (doc, shown.collect())
    }

    #[test]
    fn what_is_well_formed_is_read() {
        let (doc, errors) =
            faults("name = 'x'\nsize = 0x10\nword = 'soft'\n[parts.a]\non = true\nsince = 2026-01-01\n");
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!((doc.size, doc.word), (Some(16), Some(Word::Soft)));
        assert_eq!(doc.parts["a"], Part { on: true, since: Some("2026-01-01".into()) });
    }

    #[test]
    fn all_faults_are_found_and_the_rest_is_kept() {
        let text = "nam = 'x'\nsize = 70000\nword = 'sof'\nlist = ['a', 5]\n[parts.a]\non = 'yes'\noff = 1\n[parts.b]\non = true\n";
        let (doc, mut errors) = faults(text);
        errors.sort();
        assert_eq!(
            errors,
            [
                "1:1 nam: unknown field `nam` (name?)",
                "2:8 size: expected a whole number from 0 to 65535, found `70000`",
                "3:8 word: `sof` is not one of the words allowed here (soft?)",
                "4:14 list[1]: expected text in quotes, found `5`",
                "6:6 parts.a.on: expected `true` or `false`, found \"yes\"",
                "7:1 parts.a.off: unknown field `off`",
            ]
        );
        assert!(doc.parts["b"].on);
        assert_eq!(doc.list, Vec::<String>::new());
    }

    #[test]
    fn numbers_are_whole_and_words_are_quoted() {
        for (text, message) in [
            ("size = -1", "expected a whole number from 0 to 65535, found `-1`"),
            ("size = 1.5", "`1.5` is not a whole number"),
            ("size = 99999999999999999999", "the number is too large; at most 9007199254740991 (2^53 - 1)"),
            ("word = true", "expected a word in quotes"),
            ("name = ['x']", "expected text in quotes, found a list"),
            ("parts = 5", "expected a table, found `5`"),
            ("parts = { a = 5 }", "expected a table, found `5`"),
        ] {
            let (_, errors) = faults(text);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].ends_with(message), "{errors:?}");
        }
    }

    #[test]
    fn no_more_than_a_hundred_faults_are_looked_for() {
        let text: String = (0..1_000).map(|i| format!("x{i} = 1\n")).collect();
        assert_eq!(faults(&text).1.len(), MAX_ERRORS);
    }
}
