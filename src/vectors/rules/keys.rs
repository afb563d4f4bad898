//! Rules about key texts, and the table of codes.

use crate::code::Code;
use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind};
use crate::key::alphabet::Alphabet;
use crate::key::digest::KeyDigest;
use crate::key::format::{Checksum, DisplayRule, KeyFormat};
use crate::key::secret::ApiKey;
use crate::vectors::answer::{Answer, object};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeCase {
    name: String,
}

/// The frozen table.
pub(super) fn code(case: CodeCase) -> Result<Answer, String> {
    let code = Code::from_name(&case.name).ok_or("there is no such code")?;
    Ok(object(json!({ "number": code.number(), "status": code.http_status(), "text": code.text() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerateCase {
    prefix: String,
    alphabet: String,
    length: usize,
    checksum: Checksum,
    random: String,
}

/// A key from given random bytes.
pub(super) fn generate(case: GenerateCase) -> Result<Answer, String> {
    let random = data_encoding::HEXLOWER.decode(case.random.as_bytes()).map_err(|e| e.to_string())?;
    let format = format(&case.prefix, &case.alphabet, case.length, case.checksum)?;
    let key = format.generate(&GivenBytes(Mutex::new(random))).map_err(|e| e.to_string())?;
    Ok(object(json!({ "text": key.reveal() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScanCase {
    prefix: String,
    alphabet: String,
    length: usize,
    checksum: Checksum,
}

/// The pattern that secret scanners find keys by.
pub(super) fn scan(case: ScanCase) -> Result<Answer, String> {
    let format = format(&case.prefix, &case.alphabet, case.length, case.checksum)?;
    Ok(object(json!({ "pattern": format.scan_rule() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParseCase {
    prefix: String,
    alphabet: String,
    length: usize,
    checksum: Checksum,
    text: String,
}

/// Whether a text is one of a format.
pub(super) fn parse(case: ParseCase) -> Result<Answer, String> {
    let format = format(&case.prefix, &case.alphabet, case.length, case.checksum)?;
    Ok(object(json!({ "ok": format.is_match(&case.text) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DisplayCase {
    text: String,
    first: u16,
    last: u16,
}

/// The characters that may be shown.
pub(super) fn display(case: DisplayCase) -> Result<Answer, String> {
    let shown = DisplayRule { first: case.first, last: case.last }.apply(&ApiKey::new(case.text));
    Ok(object(json!({ "first": shown.first(), "last": shown.last() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DigestCase {
    text: String,
}

/// What is stored.
pub(super) fn digest(case: DigestCase) -> Result<Answer, String> {
    let digest = KeyDigest::sha256(case.text.as_bytes());
    Ok(object(json!({ "sha256": data_encoding::HEXLOWER.encode(digest.as_bytes()) })))
}

fn format(prefix: &str, alphabet: &str, length: usize, checksum: Checksum) -> Result<KeyFormat, String> {
    let named = Alphabet::named(alphabet)
        .map_or_else(|| Alphabet::custom(alphabet).map_err(|e| e.to_string()), Ok)?;
    KeyFormat::new(prefix, named, length, checksum).map_err(|e| e.to_string())
}

/// A source that gives these bytes and then fails.
struct GivenBytes(Mutex<Vec<u8>>);

impl Entropy for GivenBytes {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        let mut rest = self.0.lock();
        if rest.len() < buffer.len() {
            return Err(Error::new(ErrorKind::Entropy, "the given bytes are used up"));
        }
        rest.drain(..buffer.len()).zip(buffer).for_each(|(byte, slot)| *slot = byte);
        Ok(())
    }
}
