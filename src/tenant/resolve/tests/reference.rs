//! A second resolver, written from the table of bindings instead of the rows: an axis is a set of names it may take, a
//! name it takes by itself, and whether that name must be registered. Slow, owning, and with no code of the first.

use super::*;
use crate::tenant::binding::OrgBinding;
use crate::tenant::binding::tests::{org_binding, user_binding};
use crate::tenant::within::tests::all;
use proptest::prelude::*;
use std::sync::LazyLock;

struct Axis {
    exists: bool,
    /// The names that are allowed; `None` for any.
    only: Option<Vec<String>>,
    /// What an absent parameter means.
    default: Option<String>,
    /// The name has to be in the registry, or be put there.
    open: bool,
    create: bool,
    /// A contradicting parameter can be ignored.
    rigid: bool,
    codes: Codes,
}

#[derive(Clone, Copy)]
struct Codes {
    required: Code,
    unexpected: Code,
    mismatch: Code,
    not_allowed: Code,
    not_found: Code,
    suspended: Code,
}

const ORG: Codes = Codes {
    required: Code::OrgRequired,
    unexpected: Code::OrgUnexpected,
    mismatch: Code::OrgMismatch,
    not_allowed: Code::OrgNotAllowed,
    not_found: Code::OrgNotFound,
    suspended: Code::OrgSuspended,
};

const USER: Codes = Codes {
    required: Code::UserRequired,
    unexpected: Code::UserUnexpected,
    mismatch: Code::UserMismatch,
    not_allowed: Code::UserNotAllowed,
    not_found: Code::UserNotFound,
    suspended: Code::UserSuspended,
};

struct Found {
    name: Option<String>,
    created: bool,
    ignored: bool,
}

fn judge_axis(
    axis: &Axis,
    given: Option<&str>,
    ignore: bool,
    status: impl Fn(&str) -> TenantStatus,
    full: bool,
) -> Result<Found, Code> {
    let fits =
        |name: &str| axis.exists && axis.only.as_ref().is_none_or(|only| only.iter().any(|n| n == name));
    let mut found = Found { name: None, created: false, ignored: false };
    let mut name = given.map(str::to_owned);
    if given.is_some_and(|name| !fits(name)) {
        let code = match (axis.exists, axis.rigid) {
            (false, _) => axis.codes.unexpected,
            (true, true) => axis.codes.mismatch,
            (true, false) => axis.codes.not_allowed,
        };
        if !(ignore && axis.rigid) {
            return Err(code);
        }
        found.ignored = true;
        name = None;
    }
    if !axis.exists {
        return Ok(found);
    }
    let name = name.or_else(|| axis.default.clone()).ok_or(axis.codes.required)?;
    match (status(&name), axis.open) {
        (TenantStatus::Suspended, _) => return Err(axis.codes.suspended),
        (TenantStatus::Deleted, true) if !axis.create => return Err(axis.codes.not_found),
        (TenantStatus::Deleted, _) => return Err(Code::TenantDeleted),
        (TenantStatus::Unknown, true) if !axis.create => return Err(axis.codes.not_found),
        (TenantStatus::Unknown, true) if full => return Err(Code::TenantLimitReached),
        (TenantStatus::Unknown, true) => found.created = true,
        (TenantStatus::Unknown, false) | (TenantStatus::Active, _) => {}
    }
    found.name = Some(name);
    Ok(found)
}

fn org_axis(binding: &OrgBinding, foreign: ForeignOrg) -> Axis {
    let mut codes = ORG;
    if foreign == ForeignOrg::NotFound {
        codes.mismatch = Code::OrgNotFound;
        codes.not_allowed = Code::OrgNotFound;
    }
    let text = |id: &crate::tenant::id::OrgId| id.as_str().to_owned();
    let mut axis =
        Axis { exists: true, only: None, default: None, open: false, create: false, rigid: false, codes };
    match binding {
        OrgBinding::None => (axis.exists, axis.rigid) = (false, true),
        OrgBinding::Fixed(id) => {
            (axis.only, axis.default, axis.rigid) = (Some(vec![text(id)]), Some(text(id)), true);
        }
        OrgBinding::List { orgs, default } => {
            (axis.only, axis.default) = (Some(orgs.iter().map(text).collect()), default.as_ref().map(text));
        }
        OrgBinding::Open { create, default } => {
            (axis.open, axis.create, axis.default) = (true, *create, default.as_ref().map(text));
        }
    }
    axis
}

fn user_axis(binding: &UserBinding, org: Option<&str>) -> Axis {
    let here = |entry: &crate::tenant::binding::UserEntry| match &entry.org {
        None => true,
        Some(home) => Some(home.as_str()) == org,
    };
    let name = |entry: &crate::tenant::binding::UserEntry| entry.user.as_str().to_owned();
    let mut axis = Axis {
        exists: true,
        only: None,
        default: None,
        open: false,
        create: false,
        rigid: false,
        codes: USER,
    };
    match binding {
        UserBinding::None => (axis.exists, axis.rigid) = (false, true),
        UserBinding::Fixed(id) => {
            let id = id.as_str().to_owned();
            (axis.only, axis.default, axis.rigid) = (Some(vec![id.clone()]), Some(id), true);
        }
        UserBinding::List { entries, default } => {
            axis.only = Some(entries.iter().filter(|e| here(e)).map(name).collect());
            axis.default = default.as_ref().filter(|e| here(e)).map(name);
        }
        UserBinding::Open { create, default } => {
            (axis.open, axis.create) = (true, *create);
            axis.default = default.as_ref().filter(|e| here(e)).map(name);
        }
        UserBinding::Optional { create } => (axis.open, axis.create) = (true, *create),
    }
    axis
}

/// The answer as [`shown`] writes it.
fn reference(q: &TenantRequest<'_>, world: &World) -> String {
    match reference_answer(q, world) {
        Ok(text) => text,
        Err(code) => format!("{} {code}", code.http_status()),
    }
}

fn reference_answer(q: &TenantRequest<'_>, world: &World) -> Result<String, Code> {
    match q.account {
        TenantStatus::Suspended => return Err(Code::AccountSuspended),
        TenantStatus::Deleted => return Err(Code::TenantDeleted),
        _ => {}
    }
    if q.level == Level::Account {
        return match (q.org_id, q.user_id) {
            (Some(_), _) => Err(Code::OrgUnexpected),
            (None, Some(_)) => Err(Code::UserUnexpected),
            (None, None) => Ok("200 A/none/none".to_owned()),
        };
    }
    let ignore = q.rules.extra_param == ExtraParam::Ignore;
    let org_status = |id: &str| world.orgs.get(id).copied().unwrap_or(TenantStatus::Unknown);
    let axis = org_axis(q.bindings.org(), q.rules.foreign_org);
    let org = judge_axis(&axis, q.org_id, ignore, org_status, world.org_cap_reached)?;

    let place = org.name.clone();
    let user_status = |id: &str| {
        let key = (place.clone(), id.to_owned());
        world.users.get(&key).copied().unwrap_or(TenantStatus::Unknown)
    };
    let mut axis = user_axis(q.bindings.user(), org.name.as_deref());
    let published = q.class == KeyClass::Publishable;
    if q.user_id.is_some() && axis.exists {
        match q.user_proof {
            UserProof::NotAsked if published => return Err(Code::UserUnexpected),
            UserProof::Invalid => return Err(Code::UserProofInvalid),
            _ => {}
        }
    }
    let optional = matches!(q.bindings.user(), UserBinding::Optional { .. }) && q.level == Level::Org;
    let mut user = None;
    let mut anonymous = published && q.user_id.is_none();
    let left_out = optional && q.user_id.is_none();
    if !anonymous && !left_out {
        let would_ignore = axis.rigid
            && ignore
            && q.user_id.is_some_and(|given| {
                !axis.exists || axis.only.as_ref().is_some_and(|only| !only.iter().any(|n| n == given))
            });
        if published && would_ignore {
            // What is ignored leaves what a request without it gets.
            anonymous = true;
            axis.exists = false;
            user = Some(Found { name: None, created: false, ignored: true });
        } else {
            user = Some(judge_axis(&axis, q.user_id, ignore, user_status, world.user_cap_reached)?);
        }
    }
    let user = user.unwrap_or(Found { name: None, created: false, ignored: false });
    let enough = match q.level {
        Level::Account => true,
        Level::Org => org.name.is_some(),
        Level::User => user.name.is_some() || anonymous,
    };
    if !enough {
        return Err(Code::KindNotAllowed);
    }
    let name = if anonymous { "anonymous".to_owned() } else { user.name.unwrap_or("none".to_owned()) };
    let mut text = format!("200 A/{}/{name}", org.name.as_deref().unwrap_or("none"));
    if org.created {
        text += ", org created";
    }
    if user.created {
        text += ", user created";
    }
    text += match (org.ignored, user.ignored) {
        (false, false) => "",
        (true, false) => ", OrgIgnored",
        (false, true) => ", UserIgnored",
        (true, true) => ", BothIgnored",
    };
    Ok(text)
}

const STATUSES: [TenantStatus; 4] =
    [TenantStatus::Unknown, TenantStatus::Active, TenantStatus::Suspended, TenantStatus::Deleted];
const CREDENTIALS: [(KeyClass, UserProof); 6] = [
    (KeyClass::Secret, UserProof::NotAsked),
    (KeyClass::Secret, UserProof::Valid),
    (KeyClass::Secret, UserProof::Invalid),
    (KeyClass::Publishable, UserProof::NotAsked),
    (KeyClass::Publishable, UserProof::Valid),
    (KeyClass::Publishable, UserProof::Invalid),
];

/// Every org and every user in one status, and both caps.
fn uniform_worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for org in STATUSES {
        for user in STATUSES {
            for full in [false, true] {
                // A cap is looked at only where something is unknown.
                if full && org != TenantStatus::Unknown && user != TenantStatus::Unknown {
                    continue;
                }
                let mut world = World { org_cap_reached: full, user_cap_reached: full, ..World::default() };
                for place in [None, Some("a"), Some("b"), Some("c")] {
                    world.orgs.extend(place.map(|place| (place.to_owned(), org)));
                    for name in ["u", "v", "w"] {
                        world.users.insert((place.map(str::to_owned), name.to_owned()), user);
                    }
                }
                worlds.push(world);
            }
        }
    }
    worlds
}

#[test]
fn inv_18_both_resolvers_agree_on_every_binding_and_every_parameter() {
    let worlds = uniform_worlds();
    let flexible = bindings(Preset::Flexible, "create =a", "create =a/u");
    let (mut compared, mut allowed) = (0u32, 0u32);
    for key in all().iter().chain([&flexible]) {
        for org_id in [None, Some("a"), Some("b"), Some("c")] {
            for user_id in [None, Some("u"), Some("v"), Some("w")] {
                for level in [Level::Account, Level::Org, Level::User] {
                    for extra_param in [ExtraParam::Reject, ExtraParam::Ignore] {
                        for (class, user_proof) in CREDENTIALS {
                            let rules = ResolveRules { extra_param, ..Default::default() };
                            let q = TenantRequest {
                                bindings: key,
                                class,
                                level,
                                account: TenantStatus::Active,
                                org_id,
                                user_id,
                                user_proof,
                                rules,
                            };
                            for world in &worlds {
                                let found = shown(resolve(&q, world));
                                assert_eq!(found, reference(&q, world), "{q:?} in {world:?}");
                                world.asked.borrow_mut().clear();
                                compared += 1;
                                allowed += u32::from(found.starts_with("200"));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 1_000_000 && allowed > compared / 20, "{allowed} of {compared}");
}

/// Worlds in which each tenant has a status of its own.
pub(super) fn world() -> impl Strategy<Value = World> {
    let status = || proptest::sample::select(&STATUSES[..]);
    let orgs = proptest::collection::vec(status(), 3);
    let users = proptest::collection::vec(status(), 12);
    (orgs, users, any::<bool>(), any::<bool>()).prop_map(
        |(orgs, users, org_cap_reached, user_cap_reached)| {
            let places = [None, Some("a"), Some("b"), Some("c")];
            let names = ["u", "v", "w"];
            World {
                orgs: ["a", "b", "c"].map(str::to_owned).into_iter().zip(orgs).collect(),
                users: users
                    .into_iter()
                    .enumerate()
                    .map(|(i, s)| ((places[i / 3].map(str::to_owned), names[i % 3].to_owned()), s))
                    .collect(),
                org_cap_reached,
                user_cap_reached,
                ..World::default()
            }
        },
    )
}

/// What a request asks besides its bindings.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    key: usize,
    org_id: Option<&'static str>,
    user_id: Option<&'static str>,
    level: Level,
    credential: (KeyClass, UserProof),
    account: TenantStatus,
    rules: ResolveRules,
}

impl Ask {
    pub(super) fn of<'a>(&self, keys: &'a [Bindings]) -> TenantRequest<'a> {
        TenantRequest {
            bindings: &keys[self.key % keys.len()],
            class: self.credential.0,
            level: self.level,
            account: self.account,
            org_id: self.org_id,
            user_id: self.user_id,
            user_proof: self.credential.1,
            rules: self.rules,
        }
    }
}

pub(super) fn ask() -> impl Strategy<Value = Ask> {
    use proptest::sample::select;
    let ids = (
        select(vec![None, Some("a"), Some("b"), Some("c"), Some("new")]),
        select(vec![None, Some("u"), Some("v"), Some("w"), Some("new")]),
    );
    let level = select(vec![Level::Account, Level::Org, Level::User, Level::User]);
    let account = select(vec![
        TenantStatus::Active,
        TenantStatus::Active,
        TenantStatus::Unknown,
        TenantStatus::Suspended,
        TenantStatus::Deleted,
    ]);
    let rules = (
        select(vec![ExtraParam::Reject, ExtraParam::Ignore]),
        select(vec![ForeignOrg::Forbidden, ForeignOrg::NotFound]),
    )
        .prop_map(|(extra_param, foreign_org)| ResolveRules { extra_param, foreign_org });
    (any::<usize>(), ids, level, select(&CREDENTIALS[..]), account, rules).prop_map(
        |(key, (org_id, user_id), level, credential, account, rules)| Ask {
            key,
            org_id,
            user_id,
            level,
            credential,
            account,
            rules,
        },
    )
}

pub(super) fn keys() -> &'static [Bindings] {
    static KEYS: LazyLock<Vec<Bindings>> = LazyLock::new(|| {
        let flexible = ["create =a/u", "create =a/v"].map(|user| {
            Bindings::new(Preset::Flexible, org_binding("create =a"), user_binding(user)).unwrap()
        });
        all().into_iter().chain(flexible).collect()
    });
    &KEYS
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn inv_18_both_resolvers_agree_in_mixed_worlds(ask in ask(), world in world()) {
        let q = ask.of(keys());
        prop_assert_eq!(shown(resolve(&q, &world)), reference(&q, &world));
    }
}
