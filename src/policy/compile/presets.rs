//! What keys of a kind may be bound to.

use super::report::Report;
use crate::policy::document::{KindDoc, OneOrMany, PresetDoc};
use crate::policy::knobs::{BindingForm, KindClass, UnknownTenant, UserProof};
use crate::policy::model::{PresetRule, TenancyRules};
use crate::policy::text::{At, Place};
use crate::tenant::{BindingShape, Preset};
use std::collections::BTreeMap;

/// As many forms as there are.
const MAX_FORMS: usize = BindingForm::WORDS.len();

#[derive(Clone, Copy, PartialEq, Eq)]
enum Axis {
    Org,
    User,
}

impl Axis {
    fn name(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::User => "user",
        }
    }

    fn shapes(self, preset: Preset) -> &'static [BindingShape] {
        match self {
            Self::Org => preset.org_shapes(),
            Self::User => preset.user_shapes(),
        }
    }
}

/// The presets of the kind at `at`, the default first.
pub(super) fn compile(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    kind: &KindDoc,
    tenancy: &TenancyRules,
) -> Box<[PresetRule]> {
    let presets_at = at.key("presets");
    let mut rules = Vec::new();
    for (name, document) in ordered(report, &presets_at, &kind.presets) {
        let here = presets_at.key(name);
        match Preset::from_name(name) {
            Some(preset) => rules.push(rule(report, &here, preset, document, kind, tenancy)),
            None => report.unknown(&here, Place::Name, "preset", name, Preset::ALL.map(Preset::name)),
        }
    }
    if kind.presets.is_empty() && !report.source().has_members(&presets_at) {
        report.missing(at, "presets", "name at least one of `solo`, `client`, `platform`, `flexible`");
    }
    if let Some(name) = &kind.default_preset {
        match rules.iter().position(|rule: &PresetRule| rule.preset.name() == name) {
            Some(position) => rules.swap(0, position),
            None => {
                let known = rules.iter().map(|rule| rule.preset.name());
                report.unknown(&at.key("default_preset"), Place::Value, "preset of this kind", name, known);
            }
        }
    }
    rules.into()
}

fn ordered<'d>(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    presets: &'d BTreeMap<String, PresetDoc>,
) -> Vec<(&'d str, &'d PresetDoc)> {
    super::names::in_order(report, at, presets, 16)
}

fn rule(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    preset: Preset,
    document: &PresetDoc,
    kind: &KindDoc,
    tenancy: &TenancyRules,
) -> PresetRule {
    let publishable = kind.class == KindClass::Publishable;
    if publishable && matches!(preset, Preset::Solo | Preset::Flexible) {
        let message = "a publishable key has one org and no user of its own; use the preset `client`";
        report.name(at, message);
        return PresetRule { preset, org: Box::default(), user: Box::default() };
    }
    if preset == Preset::Flexible && tenancy.unknown_tenant == UnknownTenant::KnownOnly {
        let message = "flexible keys create what the URL names; set `tenancy.unknown_tenant = \"create\"`";
        report.name(at, message);
    }
    let mut forms = |axis, given| forms(report, at, axis, given, preset, kind, tenancy);
    PresetRule { preset, org: forms(Axis::Org, &document.org), user: forms(Axis::User, &document.user) }
}

/// The forms of one axis, checked one by one.
fn forms(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    axis: Axis,
    given: &Option<OneOrMany<BindingForm>>,
    preset: Preset,
    kind: &KindDoc,
    tenancy: &TenancyRules,
) -> Box<[BindingForm]> {
    let here = at.key(axis.name());
    let forms = match given.as_deref() {
        Some(forms) => super::names::at_most(report, &here, forms, MAX_FORMS).to_vec(),
        None => default_forms(axis, preset, kind, tenancy),
    };
    if forms.is_empty() {
        let message = "name at least one form, or leave the field out for all that keys can have here";
        report.value(&here, message);
    }
    let publishable = kind.class == KindClass::Publishable;
    for form in &forms {
        let shape = shape(*form);
        if !axis.shapes(preset).contains(&shape) {
            report.value(&here, preset.advice(axis.name(), shape, axis.shapes(preset)));
        } else if publishable && !suits_publishable(axis, *form, kind.user_id_proof) {
            report.value(&here, publishable_advice(axis));
        }
    }
    if let Some(form) = forms.iter().find(|form| !is_reachable(axis, **form, tenancy)) {
        let name = axis.name();
        let message = format!(
            "`{}` needs a parameter that says which {name}; name it in `tenancy.{name}_param`",
            form.word()
        );
        report.value(&here, message);
    }
    forms.into()
}

/// Everything the preset allows and requests can name; for publishable kinds what is left of it.
fn default_forms(axis: Axis, preset: Preset, kind: &KindDoc, tenancy: &TenancyRules) -> Vec<BindingForm> {
    let fits = |form: &BindingForm| {
        kind.class == KindClass::Secret || suits_publishable(axis, *form, kind.user_id_proof)
    };
    let allowed = axis.shapes(preset).iter().map(|shape| form(*shape)).filter(fits);
    let (reachable, other): (Vec<_>, Vec<_>) = allowed.partition(|form| is_reachable(axis, *form, tenancy));
    // Where nothing is reachable, the complaint about it says what is missing.
    if reachable.is_empty() { other } else { reachable }
}

/// A publishable key has one org. Its callers share the anonymous user, unless a request proves another.
fn suits_publishable(axis: Axis, form: BindingForm, proof: UserProof) -> bool {
    match axis {
        Axis::Org => matches!(form, BindingForm::Fixed | BindingForm::Owner),
        Axis::User if proof == UserProof::None => form == BindingForm::None,
        Axis::User => {
            matches!(form, BindingForm::None | BindingForm::Open | BindingForm::List | BindingForm::Optional)
        }
    }
}

fn publishable_advice(axis: Axis) -> &'static str {
    match axis {
        Axis::Org => "a publishable key is bound to one org; use `fixed` or `owner`",
        Axis::User => {
            "callers of a publishable key are anonymous unless they prove who they are; use `none`, or set `user_id_proof`"
        }
    }
}

/// A key that is bound to more than one id needs a way to be told which.
fn is_reachable(axis: Axis, form: BindingForm, tenancy: &TenancyRules) -> bool {
    let param = match axis {
        Axis::Org => &tenancy.org_param,
        Axis::User => &tenancy.user_param,
    };
    !matches!(form, BindingForm::List | BindingForm::Open | BindingForm::Optional) || !param.is_empty()
}

fn shape(form: BindingForm) -> BindingShape {
    match form {
        BindingForm::None => BindingShape::None,
        BindingForm::Fixed | BindingForm::Owner => BindingShape::Fixed,
        BindingForm::List => BindingShape::List,
        BindingForm::Open => BindingShape::Open,
        BindingForm::Optional => BindingShape::Optional,
    }
}

fn form(shape: BindingShape) -> BindingForm {
    match shape {
        BindingShape::None => BindingForm::None,
        BindingShape::Fixed => BindingForm::Fixed,
        BindingShape::List => BindingForm::List,
        BindingShape::Open => BindingForm::Open,
        BindingShape::Optional => BindingForm::Optional,
    }
}
