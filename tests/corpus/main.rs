//! Replays the bad-input corpus (`README.md` beside this file describes it) on the parsers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod addresses;
mod headers;
mod keys;
mod origins;
mod tenants;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One file. `C` is what holds for every case, `K` a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<C, K> {
    category: String,
    #[serde(rename = "about")]
    _about: String,
    context: C,
    cases: Vec<K>,
}

/// Bytes as the corpus writes them.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Bytes {
    Hex(String),
    Repeated { start: String, repeat: String, to_length: usize },
}

impl Bytes {
    fn get(&self) -> Vec<u8> {
        let decode = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        match self {
            Self::Hex(hex) => decode(hex),
            Self::Repeated { start, repeat, to_length } => {
                let mut bytes = decode(start);
                bytes.resize(*to_length, decode(repeat)[0]);
                bytes
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.get()).unwrap()
    }
}

/// Something with an id such as `A-01`.
trait Case: DeserializeOwned {
    fn id(&self) -> &str;
}

macro_rules! case {
    ($($type:ty),+) => {$(
        impl Case for $type {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )+};
}

case!(keys::Key, headers::Request, headers::WrongPlace, origins::Presented, addresses::Hop, tenants::Id);

/// Reads a file and runs each of its cases; `count` is how many there must be.
fn replay<C: DeserializeOwned, K: Case>(text: &str, count: usize, run: impl Fn(&C, &K)) {
    let file: File<C, K> = serde_json::from_str(text).unwrap();
    for (case, number) in file.cases.iter().zip(1..) {
        assert_eq!(case.id(), format!("{}-{number:02}", file.category));
        run(&file.context, case);
    }
    assert_eq!(file.cases.len(), count, "category {}", file.category);
}

#[test]
fn a_key_text() {
    replay(include_str!("a-key-text.json"), 27, keys::run);
}

#[test]
fn b_checksum_and_alphabet() {
    replay(include_str!("b-checksum.json"), 21, keys::run);
}

#[test]
fn c_unicode_and_bytes() {
    replay(include_str!("c-unicode.json"), 28, keys::run);
}

#[test]
fn d_credential_headers() {
    replay(include_str!("d-headers.json"), 32, headers::run);
}

#[test]
fn e_wrong_place() {
    replay(include_str!("e-wrong-place.json"), 11, headers::run_wrong_place);
}

#[test]
fn f_origins() {
    replay(include_str!("f-origins.json"), 32, origins::run);
}

#[test]
fn g_addresses() {
    replay(include_str!("g-addresses.json"), 29, addresses::run);
}

#[test]
fn h_tenant_ids() {
    replay(include_str!("h-tenant-ids.json"), 31, tenants::run);
}
