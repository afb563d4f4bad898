//! A key as tables show it.

use crate::output::bar::Gauge;
use crate::output::{Cell, Column, Style, Tone, time};
use serde::Serialize;
use tenantkit::key::record::Owner;
use tenantkit::resource::ResourceBinding;
use tenantkit::tenant::binding::{OrgBinding, UserBinding, UserEntry};
use tenantkit::{KeyStatus, KeyView};

/// A key with what it has used.
#[derive(Debug, Serialize)]
pub(crate) struct Key {
    #[serde(flatten)]
    pub(crate) view: KeyView,
    /// The first limit that is counted for this key; `null` without one.
    pub(crate) usage: Option<KeyUsage>,
}

/// What a key has used of the first limit that is counted for it alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KeyUsage {
    /// Units used.
    pub(crate) count: u64,
    /// Units there are; `null` is unlimited.
    pub(crate) limit: Option<u64>,
    /// Used in percent, rounded down; `null` where unlimited.
    pub(crate) percent: Option<u64>,
    /// The state of the highest threshold reached, as the policy names it, or `normal`.
    pub(crate) state: String,
    #[serde(skip)]
    pub(crate) gauge: Gauge,
}

pub(crate) const COLUMNS: &[Column<Key>] = &[
    Column::new("id", |key, _| Cell::new(key.view.id.to_string())),
    Column::detail("account id", |key, _| Cell::new(&key.view.account_id)),
    Column::new("name", |key, _| Cell::new(&key.view.name)),
    Column::new("kind", |key, _| Cell::new(&key.view.kind)),
    Column::new("environment", |key, _| {
        Cell::option(Some(&key.view.environment).filter(|name| &***name != "default"))
    }),
    Column::new("key", |key, _| Cell::new(key.view.value.as_ref().unwrap_or(&key.view.masked))),
    Column::new("acts for", |key, _| Cell::new(acts_for(&key.view))),
    Column::new("role", |key, _| Cell::option(key.view.role.as_ref())),
    Column::detail("permissions", |key, _| Cell::words(&key.view.permissions)),
    Column::new("plan", |key, _| Cell::option(key.view.plan.as_ref().and_then(|plan| plan.name.as_ref()))),
    Column::new("usage", |key, style| {
        key.usage.as_ref().map_or_else(|| Cell::option(None::<&str>), |usage| usage.gauge.cell(style))
    }),
    Column::detail("created at", |key, style| Cell::instant(Some(key.view.created_at), style)),
    Column::new("last used at", |key, style| Cell::instant(key.view.last_used_at, style)),
    Column::new("expires at", |key, style| Cell::instant(key.view.expires_at, style)),
    Column::detail("age days", |key, _| Cell::new(key.view.age_days.to_string())),
    Column::detail("rotation due", |key, _| Cell::new(key.view.rotation_due.to_string())),
    Column::new("status", |key, _| status(key)),
];

/// Everything about one key, for people.
pub(crate) fn fields(key: &Key, style: &Style) -> Vec<(&'static str, Cell)> {
    let view = &key.view;
    let mut fields = vec![
        ("id", Cell::new(view.id.to_string())),
        ("name", Cell::new(&view.name)),
        ("status", status(key)),
        ("account", Cell::new(&view.account_id)),
        ("kind", Cell::new(&view.kind)),
        ("environment", Cell::new(&view.environment)),
        ("key", Cell::new(view.value.as_ref().unwrap_or(&view.masked))),
        ("owner", Cell::new(owner(&view.owner))),
        ("acts for", Cell::new(acts_for(view))),
        ("role", Cell::option(view.role.as_ref())),
        ("permissions", Cell::words(&view.permissions)),
        (
            "template",
            Cell::option(
                view.template.as_ref().map(|used| format!("{} (version {})", used.name, used.version)),
            ),
        ),
        ("resources", resources(&view.resources)),
        ("origins", Cell::words(&view.origins)),
        ("addresses", Cell::option(view.ip_allow.as_ref().map(|list| addresses(list)))),
        ("plan", Cell::option(view.plan.as_ref().and_then(|plan| plan.name.as_ref()))),
        ("entitlements", Cell::words(view.plan.iter().flat_map(|plan| &plan.entitlements))),
    ];
    if let Some(usage) = &key.usage {
        fields.push(("usage", usage.gauge.cell(style)));
    }
    fields.extend([
        ("labels", Cell::words(view.labels.iter().map(|(name, value)| format!("{name}={value}")))),
        ("created", Cell::instant(Some(view.created_at), style)),
        ("created by", Cell::new(&view.created_by)),
        ("last used", Cell::instant(view.last_used_at, style)),
        ("expires", Cell::instant(view.expires_at, style)),
        ("replaces", Cell::option(view.lineage.predecessor.map(|id| id.to_string()))),
        ("replaced by", Cell::option(view.lineage.successor.map(|id| id.to_string()))),
        ("ends", ends(view, style)),
        ("version", Cell::new(view.version.to_string())),
    ]);
    fields.retain(|(_, cell)| cell.text != "-");
    fields
}

/// The one thing to tell about a key, with what to do.
fn status(key: &Key) -> Cell {
    let (words, tone) = match key.view.status {
        KeyStatus::Revoked => ("revoked", Tone::Bad),
        KeyStatus::Expired => ("expired", Tone::Bad),
        KeyStatus::Disabled => ("disabled", Tone::Warn),
        _ if key.usage.as_ref().is_some_and(|usage| usage.gauge.tone() == Tone::Bad) => {
            ("limit reached", Tone::Bad)
        }
        _ if key.usage.as_ref().is_some_and(|usage| usage.gauge.tone() == Tone::Warn) => {
            ("near limit", Tone::Warn)
        }
        KeyStatus::ExpiresSoon => ("expires soon", Tone::Warn),
        KeyStatus::BeingReplaced => ("being replaced", Tone::Warn),
        KeyStatus::RotationDue => ("rotation due", Tone::Warn),
        KeyStatus::Unused => ("unused", Tone::Warn),
        _ => ("active", Tone::Good),
    };
    Cell::new(words).tone(tone)
}

/// How a key was ended, or when a rotation ends it.
fn ends(view: &KeyView, style: &Style) -> Cell {
    let Some(end) = &view.revoked else { return Cell::option(None::<&str>) };
    let why = if end.reason.is_empty() { String::new() } else { format!(": {}", end.reason) };
    let when = time::relative(end.at, style.now);
    Cell::new(format!("{when} ({}) by {}{why}", time::to_the_second(end.at), end.by))
}

fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Account => "the account".to_owned(),
        Owner::Org(org) => format!("org {}", org.as_str()),
        Owner::User(user) => format!("user {}", user.as_str()),
    }
}

fn addresses(list: &[Box<str>]) -> String {
    if list.is_empty() { "none at all".to_owned() } else { list.join(" ") }
}

fn resources(resources: &ResourceBinding) -> Cell {
    match resources {
        ResourceBinding::None => Cell::option(None::<&str>),
        ResourceBinding::All => Cell::new("all"),
        ResourceBinding::List(_) => match serde_json::to_value(resources) {
            Ok(serde_json::Value::Array(list)) if !list.is_empty() => {
                Cell::words(list.iter().filter_map(|resource| resource.as_str()))
            }
            _ => Cell::new("none at all"),
        },
    }
}

/// Preset and bindings: `platform: any org / any user`.
pub(crate) fn acts_for(view: &KeyView) -> String {
    let parts: Vec<String> = [org(&view.org), user(&view.user)].into_iter().flatten().collect();
    let parts = if parts.is_empty() { "the account".to_owned() } else { parts.join(" / ") };
    format!("{}: {parts}", view.preset.name())
}

fn org(binding: &OrgBinding) -> Option<String> {
    Some(match binding {
        OrgBinding::None => return None,
        OrgBinding::Fixed(org) => format!("org {}", org.as_str()),
        OrgBinding::List { orgs, default } => {
            let names: Vec<&str> = orgs.iter().map(|org| org.as_str()).collect();
            one_of("orgs", &names, default.as_ref().map(|org| org.as_str()))
        }
        OrgBinding::Open { create, default } => {
            any("org", *create) + &usually(default.as_ref().map(|org| org.as_str()))
        }
    })
}

fn user(binding: &UserBinding) -> Option<String> {
    let name = |entry: &UserEntry| match &entry.org {
        Some(org) => format!("{}/{}", org.as_str(), entry.user.as_str()),
        None => entry.user.as_str().to_owned(),
    };
    Some(match binding {
        UserBinding::None => return None,
        UserBinding::Fixed(user) => format!("user {}", user.as_str()),
        UserBinding::List { entries, default } => {
            let names: Vec<String> = entries.iter().map(name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            one_of("users", &names, default.as_ref().map(name).as_deref())
        }
        UserBinding::Open { create, default } => {
            any("user", *create) + &usually(default.as_ref().map(name).as_deref())
        }
        UserBinding::Optional { create } => format!("{} or none", any("user", *create)),
    })
}

fn one_of(what: &str, names: &[&str], default: Option<&str>) -> String {
    let names = if names.is_empty() { "none at all".to_owned() } else { names.join(", ") };
    format!("{what} {names}{}", usually(default))
}

fn any(what: &str, create: bool) -> String {
    if create { format!("any {what}") } else { format!("any known {what}") }
}

fn usually(default: Option<&str>) -> String {
    default.map_or(String::new(), |default| format!(" (default {default})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding<T: serde::de::DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn bindings_are_told_in_words() {
        let orgs = [
            (r#""none""#, None),
            (r#"{"fixed":"o1"}"#, Some("org o1")),
            (r#"{"list":{"orgs":["a","b"],"default":"a"}}"#, Some("orgs a, b (default a)")),
            (r#"{"list":{"orgs":[]}}"#, Some("orgs none at all")),
            (r#"{"open":{"create":true}}"#, Some("any org")),
            (r#"{"open":{"create":false,"default":"a"}}"#, Some("any known org (default a)")),
        ];
        for (json, words) in orgs {
            assert_eq!(org(&binding(json)).as_deref(), words, "{json}");
        }
        let users = [
            (r#""none""#, None),
            (r#"{"fixed":"u1"}"#, Some("user u1")),
            (r#"{"list":{"entries":[{"user":"u"},{"org":"o","user":"v"}]}}"#, Some("users u, o/v")),
            (r#"{"open":{"create":true,"default":{"org":"o","user":"v"}}}"#, Some("any user (default o/v)")),
            (r#"{"optional":{"create":false}}"#, Some("any known user or none")),
        ];
        for (json, words) in users {
            assert_eq!(user(&binding(json)).as_deref(), words, "{json}");
        }
    }
}
