//! The life of a key.

use super::bounds;
use super::names::{self, MAX_DURATION_S};
use super::report::Report;
use super::tenancy::cap;
use crate::policy::document::{ExpiryDoc, KeysDoc, RotationDoc};
use crate::policy::knobs::Need;
use crate::policy::model::{ExpiryRule, Lifecycle, RotationRule};
use crate::policy::text::At;

/// The longest overlap of a rotation.
const MAX_GRACE_S: u32 = 7 * 86_400;
const DEFAULT_GRACE_S: u32 = 86_400;

pub(super) fn compile(report: &mut Report<'_, '_>, document: &KeysDoc) -> Lifecycle {
    let root = At::Root;
    let at = root.key("keys");
    let name_max_chars = document.name_max_chars.unwrap_or(255);
    if !(1..=255).contains(&name_max_chars) {
        report.value(&at.key("name_max_chars"), "a name has at most 1 to 255 characters");
    }
    Lifecycle {
        owner: document.owner,
        name_max_chars,
        unique_names: document.unique_names,
        labels: names::declare(report, &at.key("labels"), &document.labels, bounds::LABELS),
        max_keys: cap(report, &at.key("max_keys"), document.max_keys),
        keys_manage_keys: document.keys_manage_keys,
        expiry: expiry(report, &at.key("expiry"), &document.expiry),
        rotation: rotation(report, &at.key("rotation"), &document.rotation),
        removal: document.removal,
        confirm_removal: document.confirm_removal.unwrap_or(true),
        tombstone: document.tombstone,
        template_link: document.template_link,
        last_used_on: document.last_used_on,
    }
}

fn expiry(report: &mut Report<'_, '_>, at: &At<'_>, document: &ExpiryDoc) -> ExpiryRule {
    let mut lifetime = |field: &str, text: &Option<String>| {
        if document.need == Need::None && text.is_some() {
            report.name(
                &at.key(field),
                "keys have no expiry here; set `need` to `optional` or `required`, or leave this out",
            );
        }
        names::duration(report, &at.key(field), text.as_deref(), 1, MAX_DURATION_S)
    };
    let default_lifetime_s = lifetime("default_lifetime", &document.default_lifetime);
    let max_lifetime_s = lifetime("max_lifetime", &document.max_lifetime);
    if default_lifetime_s.zip(max_lifetime_s).is_some_and(|(default, max)| default > max) {
        report.value(&at.key("default_lifetime"), "the default is longer than `max_lifetime`");
    }
    ExpiryRule { need: document.need, default_lifetime_s, max_lifetime_s }
}

fn rotation(report: &mut Report<'_, '_>, at: &At<'_>, document: &RotationDoc) -> RotationRule {
    let mut time = |field: &str, text: &Option<String>, min_s, max_s| {
        names::duration(report, &at.key(field), text.as_deref(), min_s, max_s)
    };
    let max_grace_s = time("max_grace", &document.max_grace, 0, MAX_GRACE_S).unwrap_or(MAX_GRACE_S);
    let default_grace_s = time("default_grace", &document.default_grace, 0, MAX_GRACE_S);
    let reminder_s = time("reminder", &document.reminder, 3_600, MAX_DURATION_S);
    if default_grace_s.is_some_and(|default| default > max_grace_s) {
        report.value(&at.key("default_grace"), "the default is longer than `max_grace`");
    }
    RotationRule {
        max_grace_s,
        default_grace_s: default_grace_s.unwrap_or(DEFAULT_GRACE_S.min(max_grace_s)),
        carry_usage: document.carry_usage.unwrap_or(true),
        reminder_s,
    }
}
