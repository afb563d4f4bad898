//! Categories A, B and C: key texts.

use crate::Bytes;
use crate::headers::carriers;
use serde::Deserialize;
use tenantkit::credential::Credential;
use tenantkit::headers::Headers;
use tenantkit::key::alphabet::Alphabet;
use tenantkit::key::format::{Checksum, FormatSet, KeyFormat};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) good_key: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) id: String,
    note: String,
    surface: Option<String>,
    #[serde(default)]
    keys: Vec<Bytes>,
    family: Option<String>,
    of: Option<Bytes>,
    length_argument: Option<u64>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    code: String,
    store_calls: u32,
}

/// The formats of the corpus.
pub(crate) fn formats() -> FormatSet {
    let formats = [
        KeyFormat::native("acme", "live").unwrap(),
        KeyFormat::native("acme", "test").unwrap(),
        KeyFormat::new("rsk_", Alphabet::hex(), 64, Checksum::None).unwrap(),
    ];
    FormatSet::new(formats.into_iter().zip(0..).map(|(format, kind)| (format, kind, 0))).unwrap()
}

pub(crate) fn run(context: &Context, case: &Key) {
    let what = format!("{} {}", case.id, case.note);
    assert!(formats().parse(&context.good_key.get()).is_ok(), "the good key is good");
    if let Some(surface) = &case.surface {
        // A slice can't have another length than it has.
        assert_eq!((&**surface, case.id.as_str()), ("ffi", "A-19"));
        assert!(case.length_argument.unwrap() > isize::MAX as u64 - 1, "{what}");
        return;
    }
    assert_eq!(case.expect.code, "invalid_key", "{what}");
    let texts = match (&case.family, &case.of) {
        (Some(family), Some(of)) => make_family(family, &of.get()),
        _ => case.keys.iter().map(Bytes::get).collect(),
    };
    assert!(!texts.is_empty(), "{what}");
    for text in texts {
        check(&what, &text, case.expect.store_calls);
    }
}

/// Presented directly and in a header, the text never gets further than it may.
fn check(what: &str, text: &[u8], store_calls: u32) {
    let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
    let reaches_store = |credential: Credential<'_>| match credential {
        Credential::Key(text, _) => u32::from(formats().parse(text).is_ok()),
        Credential::Human(_) => panic!("{what}: {shown}"),
        Credential::Missing | Credential::Conflict | Credential::Malformed => 0,
    };
    assert_eq!(reaches_store(Credential::presented(text)), store_calls, "{what}: {shown}");
    let bearer = [b"Bearer ", text].concat();
    for line in [("X-API-Key", text), ("Authorization", &bearer)] {
        let lines = [line];
        let credential = carriers().extract(Headers::new(&lines), |text| formats().is_ours(text));
        assert_eq!(reaches_store(credential), store_calls, "{what}: {shown}");
        assert_eq!(
            credential == Credential::Conflict,
            text.contains(&b',') && text.len() <= 8_192,
            "{what}: {shown}"
        );
    }
}

fn make_family(name: &str, of: &[u8]) -> Vec<Vec<u8>> {
    let base62 = || Alphabet::base62().chars().to_vec();
    let replaced = |at: usize, with: u8| {
        let mut text = of.to_vec();
        text[at] = with;
        text
    };
    let mut family: Vec<Vec<u8>> = match name {
        "checksum_characters" => (of.len() - 6..of.len())
            .flat_map(|at| base62().into_iter().map(move |with| (at, with)))
            .map(|(at, with)| replaced(at, with))
            .collect(),
        "substitutions" => (0..of.len())
            .flat_map(|at| (0..=255).map(move |with| (at, with)))
            .map(|(at, with)| replaced(at, with))
            .collect(),
        "swapped_neighbours" => (1..of.len())
            .map(|at| {
                let mut text = of.to_vec();
                text.swap(at - 1, at);
                text
            })
            .collect(),
        "deleted_and_added" => (0..of.len())
            .flat_map(|at| {
                let mut text = of.to_vec();
                text.remove(at);
                [[&text, b"0".as_slice()].concat(), [b"0", text.as_slice()].concat()]
            })
            .collect(),
        other => panic!("no family `{other}`"),
    };
    family.retain(|text| text != of);
    family
}
