//! A key record as a row of `tk_key`.

use super::columns::{Columns, blob, instant, instant_or_null, json, text, text_or_null};
use crate::key::digest::{DigestScheme, KeyDigest};
use crate::key::format::KeyDisplay;
use crate::key::record::{KeyRecord, Lineage, Owner, Revocation, TemplateUse};
use crate::store::{StoreError, StoredKey};
use crate::tenant::binding::Bindings;
use crate::tenant::id::{AccountId, OrgId, UserId};
use crate::tenant::preset::Preset;
use rusqlite::Row;
use rusqlite::types::Value;

const TABLE: &str = "tk_key";

/// What a change of a key writes, in the order of [`values`].
macro_rules! written_columns {
    () => {
        "account_id, id, kind, environment, name, digest, digest_scheme, pepper_version, display_first, display_last, \
         sealed, owner_type, owner_id, preset, org, user, role, permissions, template_name, template_version, \
         resources, origins, ip_allow, plan, labels, created_at, created_by, updated_at, expires_at, disabled_at, \
         revoked_at, revoked_by, revoked_reason, lineage_id, predecessor, successor, parent, secret_at"
    };
}
pub(super) const WRITTEN: &str = written_columns!();

/// What [`read`] reads.
macro_rules! read_columns {
    () => {
        concat!(written_columns!(), ", version, last_used_at, exercised")
    };
}

pub(super) const BY_DIGEST: &str = concat!("SELECT ", read_columns!(), " FROM tk_key WHERE digest = ?1");
pub(super) const BY_ID: &str =
    concat!("SELECT ", read_columns!(), " FROM tk_key WHERE account_id = ?1 AND id = ?2");
pub(super) const PAGE: &str =
    concat!("SELECT ", read_columns!(), " FROM tk_key WHERE account_id = ?1 AND id > ?2 ORDER BY id");

/// Reads a row that one of the statements above gave.
///
/// # Errors
/// [`Corrupt`](crate::store::StoreErrorKind::Corrupt) when a column holds what no release writes there.
pub(super) fn read(row: &Row<'_>) -> Result<StoredKey, StoreError> {
    let mut c = Columns::of(TABLE, row);
    let account_id = AccountId::from_stored(&c.text()?);
    let record = KeyRecord {
        account_id,
        id: c.key_id()?,
        kind: c.text()?,
        environment: c.text()?,
        name: c.text()?,
        digest: KeyDigest::from_bytes(c.bytes()?),
        scheme: read_scheme(&mut c)?,
        display: KeyDisplay::new(&c.text()?, &c.text()?),
        sealed: c.take()?,
        owner: read_owner(&mut c)?,
        bindings: read_bindings(&mut c)?,
        role: c.text_or_null()?,
        permissions: c.json()?,
        template: read_template(&mut c)?,
        resources: c.json()?,
        origins: c.json()?,
        ip_allow: c.json_or_null()?,
        plan: c.json_or_null()?,
        labels: c.json()?,
        created_at: c.instant()?,
        created_by: c.text()?,
        updated_at: c.instant()?,
        expires_at: c.instant_or_null()?,
        disabled_at: c.instant_or_null()?,
        revoked: read_revocation(&mut c)?,
        lineage: Lineage {
            id: c.key_id()?,
            predecessor: c.key_id_or_null()?,
            successor: c.key_id_or_null()?,
        },
        parent: c.key_id_or_null()?,
        secret_at: c.instant()?,
    };
    Ok(StoredKey { record, version: c.unsigned()?, last_used_at: c.instant_or_null()?, exercised: c.json()? })
}

/// The record's columns in the order of [`WRITTEN`].
///
/// # Errors
/// Only when a value can't be encoded.
pub(super) fn values(record: &KeyRecord) -> Result<Vec<Value>, StoreError> {
    // Every field is named, so a new one can't be left out.
    let KeyRecord {
        id,
        account_id,
        kind,
        environment,
        name,
        digest,
        scheme,
        display,
        sealed,
        owner,
        bindings,
        role,
        permissions,
        template,
        resources,
        origins,
        ip_allow,
        plan,
        labels,
        created_at,
        created_by,
        updated_at,
        expires_at,
        disabled_at,
        revoked,
        lineage: Lineage { id: lineage_id, predecessor, successor },
        parent,
        secret_at,
    } = record;
    let id_or_null =
        |id: &Option<crate::key::id::KeyId>| id.map_or(Value::Null, |id| Value::Text(id.to_string()));
    let (scheme, pepper) = scheme_columns(*scheme)?;
    let (owner_type, owner_id) = owner_columns(owner);
    Ok(vec![
        text(account_id.as_str()),
        Value::Text(id.to_string()),
        text(kind),
        text(environment),
        text(name),
        blob(digest.as_bytes()),
        scheme,
        pepper,
        text(display.first()),
        text(display.last()),
        sealed.as_ref().map_or(Value::Null, |bytes| blob(bytes)),
        text(owner_type),
        text(owner_id),
        text(bindings.preset().name()),
        json(bindings.org())?,
        json(bindings.user())?,
        text_or_null(role.as_deref()),
        json(permissions)?,
        text_or_null(template.as_ref().map(|template| &*template.name)),
        template.as_ref().map_or(Value::Null, |template| Value::Integer(i64::from(template.version))),
        json(resources)?,
        json(origins)?,
        ip_allow.as_ref().map_or(Ok(Value::Null), json)?,
        plan.as_ref().map_or(Ok(Value::Null), json)?,
        json(labels)?,
        instant(*created_at),
        text(created_by),
        instant(*updated_at),
        instant_or_null(*expires_at),
        instant_or_null(*disabled_at),
        instant_or_null(revoked.as_ref().map(|revoked| revoked.at)),
        text_or_null(revoked.as_ref().map(|revoked| &*revoked.by)),
        text_or_null(revoked.as_ref().map(|revoked| &*revoked.reason)),
        Value::Text(lineage_id.to_string()),
        id_or_null(predecessor),
        id_or_null(successor),
        id_or_null(parent),
        instant(*secret_at),
    ])
}

fn read_scheme(c: &mut Columns<'_, '_>) -> Result<DigestScheme, StoreError> {
    let word = c.text()?;
    let pepper: Option<u16> = c.take()?;
    match (&*word, pepper) {
        ("sha256", None) => Ok(DigestScheme::Sha256),
        ("hmac_sha256", Some(version)) => Ok(DigestScheme::HmacSha256(version)),
        _ => Err(c.unknown(&word)),
    }
}

fn scheme_columns(scheme: DigestScheme) -> Result<(Value, Value), StoreError> {
    match scheme {
        DigestScheme::Sha256 => Ok((text("sha256"), Value::Null)),
        DigestScheme::HmacSha256(version) => Ok((text("hmac_sha256"), Value::Integer(i64::from(version)))),
    }
}

fn read_owner(c: &mut Columns<'_, '_>) -> Result<Owner, StoreError> {
    let word = c.text()?;
    let id = c.text()?;
    match (&*word, &*id) {
        ("account", "") => Ok(Owner::Account),
        ("org", id) if !id.is_empty() => Ok(Owner::Org(OrgId::from_stored(id))),
        ("user", id) if !id.is_empty() => Ok(Owner::User(UserId::from_stored(id))),
        _ => Err(c.unknown(&word)),
    }
}

fn owner_columns(owner: &Owner) -> (&'static str, &str) {
    match owner {
        Owner::Account => ("account", ""),
        Owner::Org(id) => ("org", id.as_str()),
        Owner::User(id) => ("user", id.as_str()),
    }
}

fn read_bindings(c: &mut Columns<'_, '_>) -> Result<Bindings, StoreError> {
    let word = c.text()?;
    let preset = Preset::from_name(&word).ok_or_else(|| c.unknown(&word))?;
    let (org, user) = (c.json()?, c.json()?);
    Bindings::new(preset, org, user)
        .map_err(|e| super::failure::corrupt(format_args!("a row of `{TABLE}` is damaged: bindings: {e}")))
}

fn read_template(c: &mut Columns<'_, '_>) -> Result<Option<TemplateUse>, StoreError> {
    let name = c.text_or_null()?;
    let version: Option<u32> = c.take()?;
    match (name, version) {
        (Some(name), Some(version)) => Ok(Some(TemplateUse { name, version })),
        (None, None) => Ok(None),
        _ => Err(c.unknown("null")),
    }
}

fn read_revocation(c: &mut Columns<'_, '_>) -> Result<Option<Revocation>, StoreError> {
    let at = c.instant_or_null()?;
    match (at, c.text_or_null()?, c.text_or_null()?) {
        (Some(at), Some(by), Some(reason)) => Ok(Some(Revocation { at, by, reason })),
        (None, None, None) => Ok(None),
        _ => Err(c.unknown("null")),
    }
}
