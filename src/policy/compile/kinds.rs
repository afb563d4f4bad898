//! Kinds of keys.

use super::bounds;
use super::credentials::carriers;
use super::format::{self, KindFormat};
use super::names::{self, MAX_DURATION_S, MAX_NAME_BYTES};
use super::presets;
use super::report::Report;
use super::rights::{Rights, grants, written};
use super::vocabulary::Vocabulary;
use crate::credential::{BearerOther, Carriers};
use crate::key::format::{FormatSet, KeyFormat};
use crate::policy::document::{Document, KindDoc, ResourcesDoc};
use crate::policy::knobs::{KindClass, Need, Reveal, UserProof};
use crate::policy::model::{
    CredentialRules, Kind, OriginRule, PermissionRule, ResourceCount, ResourceRule, RoleRule, Table,
    TenancyRules,
};
use crate::policy::text::{At, Place};

/// The kinds and what their keys look like.
pub(super) struct Kinds {
    pub(super) table: Table<Kind>,
    pub(super) default: u16,
    /// `None` only with a fault in the report.
    pub(super) formats: Option<FormatSet>,
}

impl Kinds {
    /// The kinds of one class, one bit each.
    pub(super) fn of_class(&self, class: KindClass) -> u64 {
        self.table.iter().filter(|kind| kind.class == class).fold(0, |set, kind| set | kind.bit())
    }
}

pub(super) fn compile(
    report: &mut Report<'_, '_>,
    document: &Document,
    words: &Vocabulary,
    rights: &Rights,
    credentials: Option<&CredentialRules>,
    tenancy: &TenancyRules,
) -> Kinds {
    let root = At::Root;
    let at = root.key("kinds");
    let mut kinds = Vec::new();
    let mut formats: Vec<(KeyFormat, u16, u16)> = Vec::new();
    let members = names::in_order(report, &at, &document.kinds, bounds::KINDS);
    if members.is_empty() {
        report.missing(&root, "kinds", "a policy has at least one kind of key, such as `[kinds.key]`");
    }
    for (index, (name, kind)) in (0..).zip(&members) {
        let here = at.key(name);
        names::check_name(report, &here, Place::Name, name, MAX_NAME_BYTES);
        let own = format::formats(report, &here, kind, words);
        let context =
            Context { words, rights, credentials, bearer_other: document.credentials.bearer_other, tenancy };
        let compiled = compile_kind(report, &here, kind, (index, name), &own, &context);
        formats.extend(own.into_iter().map(|(format, environment)| (format, index, environment)));
        kinds.push(compiled);
    }
    let kind_names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    format::check_conflicts(report, &formats, &kind_names);
    let formats = if report.is_clean() {
        FormatSet::new(formats).map_err(|e| report.value(&at, e.to_string())).ok()
    } else {
        None
    };
    let default = document.default_kind.as_deref().and_then(|name| {
        names::position(report, &root.key("default_kind"), name, "kind", kind_names.iter().copied())
    });
    Kinds { table: Table::new(kinds), default: default.unwrap_or(0), formats }
}

/// What a kind may name.
struct Context<'a> {
    words: &'a Vocabulary,
    rights: &'a Rights,
    credentials: Option<&'a CredentialRules>,
    bearer_other: BearerOther,
    tenancy: &'a TenancyRules,
}

fn compile_kind(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    kind: &KindDoc,
    (index, name): (u16, &str),
    formats: &[KindFormat],
    context: &Context<'_>,
) -> Kind {
    let Context { words, rights, tenancy, .. } = context;
    check_reveal(report, at, kind, words);
    if kind.user_id_proof != UserProof::None && tenancy.user_param.is_empty() {
        let message = "a proof needs a user id to prove; name its parameter in `tenancy.user_param`";
        report.value(&at.key("user_id_proof"), message);
    }
    Kind {
        index,
        name: name.into(),
        label: names::label(report, at, kind.label.as_deref(), name),
        class: kind.class,
        display: format::display(report, at, kind, formats),
        reveal: kind.reveal,
        carriers: kind_carriers(report, at, kind, context),
        presets: presets::compile(report, at, kind, tenancy),
        role: role(report, at, kind, rights),
        permissions: permissions(report, at, kind, rights),
        resources: kind.resources.as_ref().map_or_else(ResourceRule::default, |resources| {
            resource_rule(report, &at.key("resources"), resources, words)
        }),
        origins: origins(report, at, kind),
        user_proof: kind.user_id_proof,
        ip_lists: kind.ip_lists.unwrap_or(true),
        session_idle_s: names::duration(
            report,
            &at.key("session_idle"),
            kind.session_idle.as_deref(),
            1,
            MAX_DURATION_S,
        ),
    }
}

/// What can be read again is only as secret as the store's sealing key, so secrets of real environments never are.
fn check_reveal(report: &mut Report<'_, '_>, at: &At<'_>, kind: &KindDoc, words: &Vocabulary) {
    let here = at.key("reveal");
    match kind.reveal {
        Reveal::Always if kind.class == KindClass::Secret => {
            let message =
                "a secret can't be shown again; make the kind publishable, or use `test_only` or `never`";
            report.value(&here, message);
        }
        Reveal::TestOnly if !words.environments.iter().any(|environment| environment.sandbox) => {
            let message =
                "no environment is a sandbox, so no key could be shown; mark one with `sandbox = true`";
            report.value(&here, message);
        }
        _ => {}
    }
}

fn kind_carriers(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    kind: &KindDoc,
    context: &Context<'_>,
) -> Option<Carriers> {
    let (names, rules) = (kind.carriers.as_ref()?, context.credentials?);
    let here = at.key("carriers");
    let own = carriers(report, &here, names, context.bearer_other)?;
    let position = own.iter().position(|carrier| !rules.carriers.iter().any(|known| known == carrier));
    if let Some(position) = position {
        report.value(
            &here.index(position),
            "the policy does not read this carrier; add it to `credentials.carriers`",
        );
    }
    Some(own)
}

fn role(report: &mut Report<'_, '_>, at: &At<'_>, kind: &KindDoc, rights: &Rights) -> RoleRule {
    if kind.role == Need::None {
        return RoleRule::default();
    }
    if !rights.assignable {
        report.value(&at.key("role"), "no role may be held by keys; name some in `key_assignable_roles`");
    }
    RoleRule { need: kind.role, default: rights.default_role }
}

fn permissions(report: &mut Report<'_, '_>, at: &At<'_>, kind: &KindDoc, rights: &Rights) -> PermissionRule {
    let here = at.key("default_permissions");
    if kind.permissions != Need::Optional && !kind.default_permissions.is_empty() {
        report
            .name(&here, "a default holds where permissions are optional; set `permissions = \"optional\"`");
    }
    if kind.permissions != Need::None && rights.catalogue.iter().next().is_none() {
        report.value(
            &at.key("permissions"),
            "the policy has no permissions to hold; list them in `[[permissions]]`",
        );
    }
    grants(report, &here, &rights.catalogue, &kind.default_permissions);
    PermissionRule { need: kind.permissions, default: written(&kind.default_permissions) }
}

fn resource_rule(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    resources: &ResourcesDoc,
    words: &Vocabulary,
) -> ResourceRule {
    use crate::policy::document::ResourceCountWord;
    let types_at = at.key("types");
    if resources.types.is_empty() {
        report.missing(at, "types", "name at least one of `resource_types`");
    }
    names::bits(report, &types_at, &resources.types, "resource type", words.resource_type_names());
    let count = match resources.count {
        ResourceCountWord::One => ResourceCount::One,
        ResourceCountWord::List => ResourceCount::List,
    };
    if resources.all && count == ResourceCount::One {
        report.value(
            &at.key("all"),
            "a key bound to exactly one resource can't stand for all; use `count = \"list\"`",
        );
    }
    ResourceRule { count, types: written(&resources.types), all: resources.all }
}

fn origins(report: &mut Report<'_, '_>, at: &At<'_>, kind: &KindDoc) -> OriginRule {
    let publishable = kind.class == KindClass::Publishable;
    let lists = [
        ("origin_match", kind.origin_match.is_some()),
        ("missing_origin", kind.missing_origin.is_some()),
        ("empty_origins", kind.empty_origins.is_some()),
        ("verified_domains", kind.verified_domains.is_some()),
    ];
    for (field, _) in lists.iter().filter(|(_, given)| *given && !publishable) {
        report.name(
            &at.key(field),
            "only publishable kinds have origins; leave this out or set `class = \"publishable\"`",
        );
    }
    if publishable && kind.secret_with_origin.is_some() {
        report.name(&at.key("secret_with_origin"), "this kind is not a secret; leave the field out");
    }
    OriginRule {
        listed: publishable,
        matching: kind.origin_match.unwrap_or_default(),
        missing: kind.missing_origin.unwrap_or_default(),
        empty: kind.empty_origins.unwrap_or_default(),
        verified: kind.verified_domains.unwrap_or(false),
        with_secret: kind.secret_with_origin.unwrap_or_default(),
    }
}
