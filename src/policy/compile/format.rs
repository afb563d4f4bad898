//! What the keys of a kind look like, environment by environment.

use super::report::Report;
use super::vocabulary::Vocabulary;
use crate::key::alphabet::Alphabet;
use crate::key::format::{Checksum, DisplayRule, FormatError, KeyFormat, conflict};
use crate::policy::document::{AlphabetDoc, BodyDoc, ChecksumWord, KindDoc, PrefixDoc};
use crate::policy::model::Environment;
use crate::policy::text::{At, Place};

const ALPHABETS: [&str; 3] = ["base62", "base36", "hex"];
/// The body of the native format.
const NATIVE_LENGTH: usize = 32;

/// One format of a kind, with its environment.
pub(super) type KindFormat = (KeyFormat, u16);

/// The formats of the kind at `at`; fewer than it should have only with a fault in the report.
pub(super) fn formats(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    kind: &KindDoc,
    words: &Vocabulary,
) -> Vec<KindFormat> {
    if let Some(native) = &kind.native {
        for (field, given) in [("prefix", kind.prefix.is_some()), ("body", kind.body.is_some())] {
            if given {
                report.name(
                    &at.key(field),
                    format!("`native` chooses the whole format already; leave `{field}` out"),
                );
            }
        }
        return native_formats(report, &at.key("native"), native, words);
    }
    let Some(prefix) = &kind.prefix else {
        report.missing_one_of(
            at,
            &["prefix", "native"],
            "say what keys of this kind look like, with `native`, or with `prefix` and `body`",
        );
        return Vec::new();
    };
    let prefixes = prefixes(report, &at.key("prefix"), prefix, words);
    let Some(body) = &kind.body else {
        report.missing(at, "body", "give the `alphabet` and the `length` of the random part");
        return Vec::new();
    };
    let body_at = at.key("body");
    let Some((alphabet, length, checksum)) = body_parts(report, &body_at, body) else { return Vec::new() };
    let mut formats = Vec::new();
    for (prefix, environment) in prefixes {
        match KeyFormat::new(prefix, alphabet.clone(), length, checksum) {
            Ok(format) => formats.push((format, environment)),
            Err(e @ FormatError::Prefix(_)) => report.value(&at.key("prefix"), e.to_string()),
            Err(e) => {
                report.value(&body_at.key("length"), e.to_string());
                break;
            }
        }
    }
    formats
}

/// The characters that may be shown: the prefix, unless the document says otherwise.
pub(super) fn display(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    kind: &KindDoc,
    formats: &[KindFormat],
) -> DisplayRule {
    let shortest = formats.iter().map(|(format, _)| format.prefix().len()).min().unwrap_or(0);
    let first = kind.display.first.unwrap_or(u16::try_from(shortest).unwrap_or(0));
    let rule = DisplayRule { first, last: kind.display.last };
    if let Some(Err(e)) = formats.iter().map(|(format, _)| rule.check(format)).find(Result::is_err) {
        report.value(&at.key("display"), e.to_string());
    }
    rule
}

/// Refuses formats that share a text, so that a key never has two meanings.
pub(super) fn check_conflicts(
    report: &mut Report<'_, '_>,
    formats: &[(KeyFormat, u16, u16)],
    kinds: &[&str],
) {
    let root = At::Root;
    let kinds_at = root.key("kinds");
    let name = |kind: u16| kinds.get(usize::from(kind)).copied().unwrap_or_default();
    for (i, (format, kind, _)) in formats.iter().enumerate() {
        let clash = formats.iter().take(i).find(|(other, _, _)| conflict(format, other));
        if let Some((other, other_kind, _)) = clash {
            let kind_at = kinds_at.key(name(*kind));
            let prefix_at = kind_at.key("prefix");
            let at = if report.source().has(&prefix_at) { prefix_at } else { kind_at.key("native") };
            let message = format!(
                "a text could be a key of `{}` (`{}`) and of `{}` (`{}`); change a prefix or a length",
                name(*kind),
                format.prefix(),
                name(*other_kind),
                other.prefix()
            );
            report.value(&at, message);
        }
    }
}

fn native_formats(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    native: &str,
    words: &Vocabulary,
) -> Vec<KindFormat> {
    let mut formats = Vec::new();
    for environment in &words.environments {
        match native_format(native, environment, words.has_environments) {
            Ok(format) => formats.push((format, environment.index)),
            Err(e) => {
                report.value(at, e.to_string());
                break;
            }
        }
    }
    formats
}

/// The implicit environment of a policy that lists none stands in no key.
fn native_format(native: &str, environment: &Environment, shown: bool) -> Result<KeyFormat, FormatError> {
    if shown {
        return KeyFormat::native(native, &environment.name);
    }
    KeyFormat::new(&format!("{native}_"), Alphabet::base62(), NATIVE_LENGTH, Checksum::Crc32)
}

fn prefixes<'d>(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    prefix: &'d PrefixDoc,
    words: &Vocabulary,
) -> Vec<(&'d str, u16)> {
    let per_environment = match prefix {
        PrefixDoc::One(text) => {
            if words.environments.len() > 1 {
                let names: Vec<String> =
                    words.environments.names().map(|name| format!("{name} = \"...\"")).collect();
                let message = "the environment could not be told from a key; give one prefix for each";
                report.value(at, format!("{message}: `{{ {} }}`", names.join(", ")));
            }
            return vec![(text, 0)];
        }
        PrefixDoc::PerEnvironment(prefixes) => prefixes,
    };
    let mut found = Vec::new();
    for (name, text) in per_environment {
        match words.environments.index(name).filter(|_| words.has_environments) {
            Some(index) => found.push((text.as_str(), index)),
            None => {
                let known = words.environments.names().filter(|_| words.has_environments);
                report.unknown(&at.key(name), Place::Name, "environment", name, known);
            }
        }
    }
    if per_environment.is_empty() && !report.source().has_members(at) {
        report.value(at, "give at least one environment a prefix");
    }
    found.sort_by_key(|(_, index)| *index);
    found
}

fn body_parts(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    body: &BodyDoc,
) -> Option<(Alphabet, usize, Checksum)> {
    let alphabet = match &body.alphabet {
        Some(AlphabetDoc::Named(name)) => Alphabet::named(name).or_else(|| {
            report.not_one_of(&at.key("alphabet"), name, &ALPHABETS);
            None
        }),
        Some(AlphabetDoc::Custom(custom)) => {
            let parsed = Alphabet::custom(&custom.characters);
            parsed.map_err(|e| report.value(&at.key("alphabet"), e.to_string())).ok()
        }
        None => {
            report.missing(at, "alphabet", "use `base62`, `base36`, `hex` or `{ characters = \"...\" }`");
            None
        }
    };
    if body.length.is_none() {
        report.missing(at, "length", "say how many random characters follow the prefix");
    }
    let checksum = match body.checksum {
        ChecksumWord::None => Checksum::None,
        ChecksumWord::Crc32 => Checksum::Crc32,
    };
    // What is longer than a key may be stays so after the cut.
    let length = usize::try_from(body.length?).unwrap_or(usize::MAX).min(1 << 16);
    Some((alphabet?, length, checksum))
}
