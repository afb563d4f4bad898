//! Taking over keys that exist elsewhere, by their digests: their texts are never seen, and go on working.
//!
//! Lines are read one after the other and written in batches, so memory stays bounded whatever the file's length. A key
//! whose digest or external id is there already is passed over, so an import that was interrupted is simply run again.

use super::act::{Act, Draft, Written};
use super::caller::Caller;
use super::compose::{demand_active_tenants, guard_keys, register_tenants};
use super::new_key::NewKey;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::key::digest::{DigestEncoding, DigestScheme, KeyDigest};
use crate::key::format::KeyDisplay;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Lineage};
use crate::store::{Expected, KeyWrite};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::io::BufRead;

/// Keys of one change.
const BATCH_MAX: usize = 100;
/// Bytes of one line.
const LINE_MAX: usize = 64 * 1024;
/// Display characters from one end.
const DISPLAY_MAX: usize = 32;

/// How keys are taken over.
#[derive(Clone, Debug)]
#[must_use]
pub struct ImportOptions {
    encoding: DigestEncoding,
}

/// One thing that happened during an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImportEvent {
    /// A line was not taken over.
    Refused(RefusedLine),
    /// A batch was written.
    Progress(ImportReport),
}

/// A line that was not taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedLine {
    /// Its number; the first is 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// Lines read.
    pub lines: u64,
    /// Keys taken over.
    pub imported: u64,
    /// Keys that were there already.
    pub present: u64,
    /// Lines refused.
    pub refused: u64,
}

impl ImportOptions {
    /// Digests are SHA-256 of the whole key text in this encoding. The encoding is named, never guessed.
    pub fn sha256(encoding: DigestEncoding) -> Self {
        Self { encoding }
    }
}

impl Authority {
    /// Takes over the keys of an account from JSON Lines: one object per line with `digest` and `name`, and any other
    /// member of a [`NewKey`] but `like`; besides `key_prefix` and `key_suffix` (the characters to show, at most 32
    /// each), `external_id`, `created_at` and `disabled`. `on_event` hears of each refused line and each batch.
    ///
    /// Keys are written in batches of 100, each whole or not at all, with one audit line. To resume, run the import
    /// again.
    ///
    /// # Errors
    /// When the reader or the store fails; what was written by then stays. `grant_exceeds_creator` for anybody but
    /// administrators. Wrong lines are no error.
    pub fn import_jsonl(
        &self,
        caller: &Caller,
        account_id: &str,
        reader: impl BufRead,
        options: &ImportOptions,
        on_event: impl FnMut(&ImportEvent),
    ) -> Result<ImportReport, Error> {
        let mut lines = Lines { reader, number: 0 };
        self.import(caller, account_id, options, on_event, || lines.next_object())
    }

    /// Takes over keys from a source of rows; `None` ends it.
    pub(super) fn import(
        &self,
        caller: &Caller,
        account_id: &str,
        options: &ImportOptions,
        on_event: impl FnMut(&ImportEvent),
        mut next: impl FnMut() -> Result<Option<Row>, Error>,
    ) -> Result<ImportReport, Error> {
        self.act(caller, account_id, "key.import", |act| {
            act.rights.check_admin()?;
            if !act.inner.digester.supports(DigestScheme::Sha256) {
                let text = "imported digests are plain SHA-256, which this authority does not look up; give the builder a \
                            digester `with_unpeppered`";
                return Err(Error::new(ErrorKind::InvalidArgument, text));
            }
            let mut import =
                Import { act, options, report: ImportReport::default(), batch: Vec::new(), on_event };
            while let Some(row) = next()? {
                import.take(row)?;
            }
            import.flush()?;
            Ok(import.report)
        })
    }
}

/// A line and what it holds, or what is wrong with it.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) members: Result<Map<String, Value>, String>,
}

struct Import<'i, 'a, F> {
    act: &'i Act<'a>,
    options: &'i ImportOptions,
    report: ImportReport,
    batch: Vec<(u64, KeyRecord)>,
    on_event: F,
}

impl<F: FnMut(&ImportEvent)> Import<'_, '_, F> {
    fn take(&mut self, row: Row) -> Result<(), Error> {
        self.report.lines += 1;
        let read = row.members.map_err(|reason| Error::invalid_field("line", reason));
        match read.and_then(|members| self.record(members)) {
            Ok(Some(record)) => self.batch.push((row.line, record)),
            Ok(None) => self.report.present += 1,
            Err(error) if is_about_the_line(&error) => self.refuse(row.line, &error),
            Err(error) => return Err(error.with_detail(format!("the import stopped at line {}", row.line))),
        }
        if self.batch.len() == BATCH_MAX { self.flush() } else { Ok(()) }
    }

    /// The record that a line asks for; `None` for a key that is there already.
    fn record(&self, mut members: Map<String, Value>) -> Result<Option<KeyRecord>, Error> {
        let foreign = Foreign::take_from(&mut members)?;
        let digest = KeyDigest::decode(self.options.encoding, &foreign.digest)
            .map_err(|e| Error::invalid_field("digest", e.to_string()))?;
        let id = foreign.external_id.as_deref().map(|external| self.id_of(external, foreign.created_at));
        if self.is_present(&digest, id.as_ref())? {
            return Ok(None);
        }
        let body = Value::Object(members).to_string();
        let new = NewKey::from_json(self.act.account.as_str(), body.as_bytes())?;
        if new.like.is_some() {
            return Err(Error::invalid_field("like", "can't be given in an import; leave it out"));
        }
        let composed = self.act.compose(&new, None)?;
        let created_at = foreign.created_at.unwrap_or(self.act.now);
        let id = id.unwrap_or(composed.id);
        Ok(Some(KeyRecord {
            id,
            digest,
            scheme: DigestScheme::Sha256,
            display: KeyDisplay::new(&foreign.key_prefix, &foreign.key_suffix),
            created_at,
            secret_at: created_at,
            disabled_at: foreign.disabled.then_some(self.act.now),
            lineage: Lineage { id, predecessor: None, successor: None },
            ..composed
        }))
    }

    fn is_present(&self, digest: &KeyDigest, id: Option<&KeyId>) -> Result<bool, Error> {
        let taken = |what: &str| Error::invalid_field(what, "belongs to another key already");
        if self.batch.iter().any(|(_, record)| record.digest == *digest) {
            return Ok(true);
        }
        if let Some(stored) = self.act.inner.store.key_by_digest(digest)? {
            let is_ours = stored.record.account_id == self.act.account;
            return if is_ours { Ok(true) } else { Err(taken("digest")) };
        }
        // The digest is new here, so an id that is taken names a key with another text.
        let Some(id) = id else { return Ok(false) };
        let is_waiting = self.batch.iter().any(|(_, record)| record.id == *id);
        if is_waiting || self.act.inner.store.key_by_id(&self.act.account, id)?.is_some() {
            return Err(taken("external_id"));
        }
        Ok(false)
    }

    /// The id that an external id always gives: a UUID of version 8 that begins with the time of issue, as others do,
    /// and goes on with a hash of account and external id.
    fn id_of(&self, external: &str, created_at: Option<Timestamp>) -> KeyId {
        let mut hash = Sha256::new();
        for part in [b"tenantkit imported key 1", self.act.account.as_str().as_bytes(), external.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let hash = hash.first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        let millis = created_at.map_or(0, Timestamp::as_millis);
        let millis = u128::try_from(millis).unwrap_or(0) & ((1 << 48) - 1);
        let bits =
            millis << 80 | 0x8 << 76 | (hash >> 64 & 0xfff) << 64 | 0b10 << 62 | hash & ((1 << 62) - 1);
        KeyId::from_bytes(bits.to_be_bytes())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        if let Written::Done(()) = self.write(&batch)? {
            self.report.imported += batch.len() as u64;
        } else {
            // Some line of the batch is in the way of all; one by one shows which.
            for one in batch.chunks(1) {
                let refused = match self.write(one)? {
                    Written::Done(()) => {
                        self.report.imported += 1;
                        continue;
                    }
                    Written::Refused(error) => error,
                    Written::Replayed(_) | Written::Conflict => {
                        Error::invalid_field("digest", "was taken by another key during the import")
                    }
                };
                let line = one.first().map_or(0, |(line, _)| *line);
                self.refuse(line, &refused);
            }
        }
        (self.on_event)(&ImportEvent::Progress(self.report));
        Ok(())
    }

    fn write(&self, batch: &[(u64, KeyRecord)]) -> Result<Written<()>, Error> {
        let mut draft = Draft::new(format!("{} keys", batch.len()), ());
        let ids: Vec<KeyId> = batch.iter().map(|(_, record)| record.id).collect();
        draft.detail("ids", ids);
        for (_, record) in batch {
            guard_keys(self.act, &mut draft, record);
            demand_active_tenants(&mut draft, record);
            register_tenants(&mut draft, record, self.act.now);
            draft.keys.push(KeyWrite::Put { record: Box::new(record.clone()), expected: Expected::Absent });
        }
        draft.drop_repeats();
        self.act.write(draft, None)
    }

    fn refuse(&mut self, line: u64, error: &Error) {
        self.report.refused += 1;
        (self.on_event)(&ImportEvent::Refused(RefusedLine { line, reason: error.to_string() }));
    }
}

/// What an imported key has besides the members of a new one.
struct Foreign {
    digest: String,
    key_prefix: String,
    key_suffix: String,
    external_id: Option<String>,
    created_at: Option<Timestamp>,
    disabled: bool,
}

impl Foreign {
    fn take_from(members: &mut Map<String, Value>) -> Result<Self, Error> {
        let mut text = |name: &'static str, max: usize| match members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if (1..=max).contains(&text.len()) => Ok(Some(text)),
            Some(_) => Err(Error::invalid_field(name, format!("must be text of 1 to {max} bytes"))),
        };
        let digest = text("digest", 128)?.ok_or_else(|| Error::invalid_field("digest", "is needed"))?;
        let key_prefix = text("key_prefix", DISPLAY_MAX)?.unwrap_or_default();
        let key_suffix = text("key_suffix", DISPLAY_MAX)?.unwrap_or_default();
        let external_id = text("external_id", 255)?;
        let created_at = text("created_at", 40)?
            .map(|text| {
                Timestamp::parse(&text)
                    .ok_or_else(|| Error::invalid_field("created_at", "must be an RFC 3339 instant"))
            })
            .transpose()?;
        let disabled = match members.remove("disabled") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => return Err(Error::invalid_field("disabled", "must be `true` or `false`")),
        };
        Ok(Self { digest, key_prefix, key_suffix, external_id, created_at, disabled })
    }
}

/// Whether the line is at fault, and not the store or a hook.
fn is_about_the_line(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Conflict)
}

/// Lines of at most 64 KiB each.
struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line that is not blank, as an object.
    fn next_object(&mut self) -> Result<Option<Row>, Error> {
        loop {
            let mut bytes = Vec::new();
            let failed = |e: std::io::Error| {
                Error::new(ErrorKind::InvalidArgument, "the file to import can't be read").with_source(e)
            };
            let limit = LINE_MAX as u64 + 2;
            let read =
                std::io::Read::take(&mut self.reader, limit).read_until(b'\n', &mut bytes).map_err(failed)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_whole = bytes.ends_with(b"\n") || (read as u64) < limit;
            if !is_whole {
                self.skip_line().map_err(failed)?;
            }
            let members = match serde_json::from_slice::<Map<String, Value>>(&bytes) {
                _ if !is_whole || bytes.len() > LINE_MAX + 1 => Err("has more than 64 KiB".to_owned()),
                _ if bytes.trim_ascii().is_empty() => continue,
                Ok(members) => Ok(members),
                Err(_) => Err("must be one JSON object".to_owned()),
            };
            return Ok(Some(Row { line: self.number, members }));
        }
    }

    /// Reads to the end of the line without keeping it.
    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(());
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(available.len(), |end| end + 1);
            self.reader.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}
