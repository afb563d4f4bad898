//! What a key is made with, or changed to.

use crate::cli::OrgOption;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::time;
use clap::Args;
use serde::de::DeserializeOwned;
use std::io::Read;
use tenantkit::clock::{Clock, SystemClock};
use tenantkit::{KeyEdit, NewKey, OrgSpec, UserRef, UserSpec};

/// Bytes of a request given as JSON.
const BODY_MAX: u64 = 64 * 1024;

/// Attributes of a key, for `create` and `update` alike.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Attributes {
    /// A name, for the owner's reference only
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Its role
    #[arg(long)]
    role: Option<String>,
    /// A permission it gets; give it several times for several
    #[arg(long = "permission", value_name = "PERMISSION", conflicts_with = "no_permissions")]
    permissions: Vec<String>,
    /// No permission at all
    #[arg(long)]
    no_permissions: bool,
    /// The permissions of a template
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// A resource it is bound to, as `type:id`; several times for several
    #[arg(long = "resource", value_name = "TYPE:ID", conflicts_with = "all_resources")]
    resources: Vec<String>,
    /// All resources, also future ones
    #[arg(long)]
    all_resources: bool,
    /// An origin it may be used from, such as `https://app.example.com`; several times for several
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// A network it may be used from, such as `10.0.0.0/8`; several times for several
    #[arg(long = "ip", value_name = "NETWORK")]
    networks: Vec<String>,
    /// Its plan
    #[arg(long)]
    plan: Option<String>,
    /// A label; several times for several
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Its end: a date, an RFC 3339 instant, or a duration from now such as `90d`
    #[arg(long, value_name = "WHEN", conflicts_with = "never_expires")]
    expires: Option<String>,
    /// No end
    #[arg(long)]
    never_expires: bool,
    /// The tenancy preset: `solo`, `client`, `platform` or `flexible`
    #[arg(long)]
    preset: Option<String>,
    #[command(flatten)]
    org: OrgOption,
    /// The user it is for
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The orgs it may act for: `none`, `fixed=ID`, `list=ID,ID`, `open`, `open-create`, or JSON as in the API
    #[arg(long, value_name = "BINDING", value_parser = org_spec)]
    org_binding: Option<OrgSpec>,
    /// The users it may act for: `none`, `fixed=ID`, `list=ID,ID`, `open`, `open-create`, `optional`, or JSON
    #[arg(long, value_name = "BINDING", value_parser = user_spec)]
    user_binding: Option<UserSpec>,
}

/// Puts what was given onto a request, `NewKey` or `KeyEdit`: their setters have the same names.
macro_rules! apply {
    ($given:expr, $request:ident: $($option:ident => $setter:ident),+) => {
        $(if let Some(value) = &$given.$option {
            $request = $request.$setter(value.as_str());
        })+
        if !$given.permissions.is_empty() || $given.no_permissions {
            $request = $request.permissions($given.permissions.iter().map(String::as_str));
        }
        if !$given.resources.is_empty() {
            $request = $request.resources($given.resources.iter().map(String::as_str));
        }
        if $given.all_resources {
            $request = $request.all_resources();
        }
        if !$given.origins.is_empty() {
            $request = $request.origins($given.origins.iter().map(String::as_str));
        }
        if !$given.networks.is_empty() {
            $request = $request.ip_allow($given.networks.iter().map(String::as_str));
        }
        if let Some(when) = &$given.expires {
            $request = $request.expires_at(instant(when));
        }
        if $given.never_expires {
            $request = $request.never_expires();
        }
        if let Some(binding) = &$given.org_binding {
            $request = $request.org(binding.clone());
        }
        if let Some(binding) = &$given.user_binding {
            $request = $request.user(binding.clone());
        }
    };
}

impl Attributes {
    /// The preset that was named.
    pub(super) fn preset(&self) -> Option<&str> {
        self.preset.as_deref()
    }

    /// Whether an org was named, by a flag or by the policy's variable.
    pub(super) fn names_org(&self, context: &Context) -> bool {
        self.org_binding.is_some() || context.org(&self.org).is_some()
    }

    /// The request for a new key: `new` with everything that was given.
    pub(super) fn onto_new(&self, mut new: NewKey, context: &Context) -> NewKey {
        apply!(self, new: name => name, role => role, template => template, plan => plan, preset => preset, user => user_id);
        if let Some(org) = context.org(&self.org) {
            new = new.org_id(org);
        }
        for (name, value) in &self.labels {
            new = new.label(name.as_str(), value.as_str());
        }
        new
    }

    /// The change of a key: `edit` with everything that was given. Only a flag names another org here.
    pub(super) fn onto_edit(&self, mut edit: KeyEdit) -> KeyEdit {
        apply!(self, edit: name => name, role => role, template => template, plan => plan, preset => preset, user => user_id);
        if let Some(org) = &self.org.org {
            edit = edit.org_id(org.as_str());
        }
        if !self.labels.is_empty() {
            edit = edit.labels(self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        edit
    }
}

/// Reads a request as JSON, from stdin (`-`) or a file.
pub(crate) fn body(source: &str) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let unreadable = |e: std::io::Error| Failure::file("can't read", source.as_ref(), &e);
    let read = if source == "-" {
        std::io::stdin().lock().take(BODY_MAX + 1).read_to_end(&mut body)
    } else {
        std::fs::File::open(source).map_err(unreadable)?.take(BODY_MAX + 1).read_to_end(&mut body)
    };
    if read.map_err(unreadable)? as u64 > BODY_MAX {
        return Err(Failure::usage("a request has at most 64 KiB"));
    }
    Ok(body)
}

/// A duration is told from now; all else is left to the engine, which says what is wrong with it.
fn instant(when: &str) -> String {
    match time::parse_duration(when) {
        Ok(seconds) => SystemClock.now().plus_seconds(i64::from(seconds)).to_string(),
        Err(_) => when.to_owned(),
    }
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is written `NAME=VALUE`".to_owned()),
    }
}

fn org_spec(text: &str) -> Result<OrgSpec, String> {
    let form =
        "an org binding is `none`, `fixed=ID`, `list=ID,ID`, `open`, `open-create`, or JSON as in the API";
    Ok(match split(text) {
        ("none", None) => OrgSpec::None,
        ("fixed", Some(id)) => OrgSpec::Fixed(id.into()),
        ("list", Some(ids)) => OrgSpec::List { ids: ids.split(',').map(Into::into).collect(), default: None },
        ("open", None) => OrgSpec::Open { create: Some(false), default: None },
        ("open-create", None) => OrgSpec::Open { create: Some(true), default: None },
        _ => return json(text, form),
    })
}

fn user_spec(text: &str) -> Result<UserSpec, String> {
    let form = "a user binding is `none`, `fixed=ID`, `list=ID,ID`, `open`, `open-create`, `optional`, or JSON as in the API";
    Ok(match split(text) {
        ("none", None) => UserSpec::None,
        ("fixed", Some(id)) => UserSpec::Fixed(id.into()),
        ("list", Some(ids)) => UserSpec::List {
            entries: ids.split(',').map(|id| UserRef::User(id.into())).collect(),
            default: None,
        },
        ("open", None) => UserSpec::Open { create: Some(false), default: None },
        ("open-create", None) => UserSpec::Open { create: Some(true), default: None },
        ("optional", None) => UserSpec::Optional { create: None },
        _ => return json(text, form),
    })
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('=').map_or((text, None), |(word, ids)| (word, Some(ids)))
}

fn json<T: DeserializeOwned>(text: &str, form: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|_| form.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_words_or_json() {
        let cases = [
            ("none", OrgSpec::None),
            ("fixed=o=1", OrgSpec::Fixed("o=1".into())),
            ("list=a,b", OrgSpec::List { ids: vec!["a".into(), "b".into()], default: None }),
            ("open-create", OrgSpec::Open { create: Some(true), default: None }),
            (
                r#"{"list":{"ids":["a,b"],"default":"a,b"}}"#,
                OrgSpec::List { ids: vec!["a,b".into()], default: Some("a,b".into()) },
            ),
        ];
        for (text, spec) in cases {
            assert_eq!(org_spec(text), Ok(spec), "{text}");
        }
        for wrong in ["", "fixed", "none=x", "open=create", "{", "optional"] {
            assert!(org_spec(wrong).is_err(), "{wrong}");
        }
        assert_eq!(user_spec("optional"), Ok(UserSpec::Optional { create: None }));
    }

    #[test]
    fn a_label_has_a_name() {
        assert_eq!(pair("env=prod=1"), Ok(("env".to_owned(), "prod=1".to_owned())));
        assert!(pair("env").is_err() && pair("=prod").is_err());
    }
}
