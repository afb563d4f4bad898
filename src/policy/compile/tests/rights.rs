use super::{accepted, case, check, slip};
use crate::policy::Need;

#[test]
fn permissions_are_listed_once_and_well_formed() {
    check(&[
        case(
            "permissions = [{ group = \"A\", names = [\"FLOWS READ\"] }]",
            (3, "\"FLOWS READ\"", "permissions[0].names[0]"),
            "`FLOWS READ` is none: a permission is parts of",
        ),
        case(
            "permissions = [{ group = \"A\", names = [\"A:B\"] }, { group = \"B\", names = [\"A:B\"] }]",
            (3, "\"A:B\"", "permissions[1].names[0]"),
            "`A:B` is in the catalogue twice",
        ),
        case(
            "permissions = [{ names = [\"A:B\"] }]",
            (3, "{ names = [\"A:B\"] }", "permissions[0].group"),
            "`group` is missing",
        ),
        slip(
            "permissions = [{ group = \"A\", names = [\"A:READ\", \"A:WRITE\"] }]\nimplies.\"A:WRIT\" = [\"A:READ\"]",
            (4, "\"A:WRIT\"", "implies.\"A:WRIT\""),
            "there is no permission `A:WRIT`",
            "A:WRITE",
        ),
        slip(
            "permissions = [{ group = \"A\", names = [\"A:READ\", \"A:WRITE\"] }]\nimplies.\"A:WRITE\" = [\"A:REED\"]",
            (4, "\"A:REED\"", "implies.\"A:WRITE\"[0]"),
            "there is no permission `A:REED`",
            "A:READ",
        ),
    ]);
}

#[test]
fn implications_may_go_in_circles() {
    let policy = accepted(
        "permissions = [{ group = \"A\", names = [\"A:READ\", \"A:WRITE\", \"B\"] }]\nimplies.\"A:WRITE\" = [\"A:READ\"]\nimplies.\"A:READ\" = [\"A:WRITE\"]\nroles = [{ name = \"r\", permissions = [\"A:READ\"] }, { name = \"all\", permissions = [\"A:*\"] }]\n",
    );
    let role = |name| policy.role(name).unwrap().permissions;
    assert_eq!(role("r"), role("all"));
}

#[test]
fn a_policy_has_as_many_permissions_as_fit_a_set() {
    let names = |n: usize| (0..n).map(|i| format!("\"P:{i}\"")).collect::<Vec<_>>().join(", ");
    accepted(&format!("permissions = [{{ group = \"A\", names = [{}] }}]\n", names(256)));
    let found = super::faults(&format!("permissions = [{{ group = \"A\", names = [{}] }}]\n", names(257)));
    let [fault] = found.iter().as_slice() else { panic!("{found}") };
    assert_eq!(
        (fault.field(), fault.message()),
        ("permissions[0].names[256]", "a policy has at most 256 permissions")
    );
}

#[test]
fn roles_and_templates_hold_known_permissions() {
    check(&[
        slip(
            "permissions = [{ group = \"A\", names = [\"servers:read\"] }]\nroles = [{ name = \"r\", permissions = [\"server:read\"] }]",
            (4, "\"server:read\"", "roles[0].permissions[0]"),
            "there is no permission `server:read`",
            "servers:read",
        ),
        case(
            "permissions = [{ group = \"A\", names = [\"servers:read\"] }]\nroles = [{ name = \"r\", permissions = [\"logs:*\"] }]",
            (4, "\"logs:*\"", "roles[0].permissions[0]"),
            "there is no permission `logs:*`",
        ),
        case("roles = [{ label = \"R\" }]", (3, "{ label = \"R\" }", "roles[0].name"), "`name` is missing"),
        case(
            "roles = [{ name = \"r\" }, { name = \"r\" }]",
            (3, "\"r\"", "roles[1].name"),
            "there is a role `r` already",
        ),
        slip(
            "key_assignable_roles = [\"viewr\"]\nroles = [{ name = \"viewer\" }]",
            (3, "\"viewr\"", "key_assignable_roles[0]"),
            "there is no role `viewr`",
            "viewer",
        ),
        case(
            "default_role = \"owner\"\nkey_assignable_roles = [\"viewer\"]\nroles = [{ name = \"owner\" }, { name = \"viewer\" }]",
            (3, "\"owner\"", "default_role"),
            "keys may not hold `owner`",
        ),
        slip(
            "default_role = \"viwer\"\nkey_assignable_roles = [\"viewer\"]\nroles = [{ name = \"owner\" }, { name = \"viewer\" }]",
            (3, "\"viwer\"", "default_role"),
            "there is no role `viwer`",
            "viewer",
        ),
        slip(
            "warn_roles = [\"ownr\"]\nroles = [{ name = \"owner\" }]",
            (3, "\"ownr\"", "warn_roles[0]"),
            "there is no role `ownr`",
            "owner",
        ),
        case("templates.t = {}", (3, "t", "templates.t.permissions"), "`permissions` is missing"),
        case(
            "permissions = [{ group = \"A\", names = [\"A\"] }]\ntemplates.t = { permissions = [\"A\"], version = 0 }",
            (4, "0", "templates.t.version"),
            "versions begin at 1",
        ),
    ]);
}

#[test]
fn an_empty_role_holds_nothing_and_ranks_stand() {
    let policy = accepted(
        "permissions = [{ group = \"A\", names = [\"A\", \"B\"] }]\nkey_assignable_roles = [\"low\"]\nwarn_roles = [\"high\"]\nroles = [{ name = \"high\", permissions = [\"*\"] }, { name = \"low\" }]\n",
    );
    let (high, low) = (policy.role("high").unwrap(), policy.role("low").unwrap());
    assert!(high.index < low.index && high.warn && !low.warn);
    assert!(low.key_assignable && !high.key_assignable);
    assert_ne!(high.permissions, low.permissions);
    assert_eq!(low.permissions, Default::default());
    assert_eq!(policy.kind("key").unwrap().role.need, Need::None);
}
