use super::{accepted, case, check, slip};

#[test]
fn keys_can_not_be_guessed() {
    check(&[
        case(
            "kinds.short = { prefix = \"s_\", body = { alphabet = \"hex\", length = 31 }, presets.solo = { org = \"none\" } }",
            (3, "31", "kinds.short.body.length"),
            "124 random bits; at least 128 are needed",
        ),
        case(
            "kinds.same = { prefix = \"s_\", body = { alphabet = { characters = \"abca\" }, length = 99 }, presets.solo = { org = \"none\" } }",
            (3, "{ characters = \"abca\" }", "kinds.same.body.alphabet"),
            "`a` is in the alphabet twice",
        ),
        case(
            "kinds.shown = { prefix = \"s_\", body = { alphabet = \"hex\", length = 32 }, display = { last = 1 }, presets.solo = { org = \"none\" } }",
            (3, "{ last = 1 }", "kinds.shown.display"),
            "leaves 124 unknown bits",
        ),
        case(
            "kinds.long = { prefix = \"s_\", body = { alphabet = \"hex\", length = 4294967295 }, presets.solo = { org = \"none\" } }",
            (3, "4294967295", "kinds.long.body.length"),
            "at most 512 are allowed",
        ),
        case(
            "kinds.native = { native = \"much_too_long_for_it\", presets.solo = { org = \"none\" } }\nenvironments.live = {}",
            (3, "\"much_too_long_for_it\"", "kinds.native.native"),
            "at most 55 are allowed",
        ),
        case(
            "kinds.odd = { prefix = \"s k_\", body = { alphabet = \"hex\", length = 32 }, presets.solo = { org = \"none\" } }",
            (3, "\"s k_\"", "kinds.odd.prefix"),
            "a key prefix has 1 to 64",
        ),
    ]);
}

#[test]
fn a_text_is_a_key_of_one_kind_in_one_environment() {
    check(&[
        case(
            "kinds.other = { prefix = \"ak_\", body = { alphabet = \"base62\", length = 38 }, presets.solo = { org = \"none\" } }",
            (3, "\"ak_\"", "kinds.other.prefix"),
            "a text could be a key of `other` (`ak_`) and of `key` (`ak_`)",
        ),
        case(
            // A longer prefix does not help where the shorter one's body may begin like it.
            "kinds.other = { prefix = \"ak_x\", body = { alphabet = \"base62\", length = 37 }, presets.solo = { org = \"none\" } }",
            (3, "\"ak_x\"", "kinds.other.prefix"),
            "a text could be a key of",
        ),
        case(
            "kinds.other = { native = \"ak\", presets.solo = { org = \"none\" } }",
            (3, "\"ak\"", "kinds.other.native"),
            "a text could be a key of",
        ),
        case(
            "kinds.one = { prefix = \"one_\", body = { alphabet = \"hex\", length = 64 }, presets.solo = { org = \"none\" } }\n[environments]\nlive = {}\ntest = {}",
            (3, "\"one_\"", "kinds.one.prefix"),
            "give one prefix for each: `{ live = \"...\", test = \"...\" }`",
        ),
        slip(
            "kinds.one = { prefix = { liv = \"one_\" }, body = { alphabet = \"hex\", length = 64 }, presets.solo = { org = \"none\" } }\n[environments]\nlive = {}\ntest = {}",
            (3, "liv", "kinds.one.prefix.liv"),
            "there is no environment `liv`",
            "live",
        ),
        case(
            "kinds.one = { prefix = {}, body = { alphabet = \"hex\", length = 64 }, presets.solo = { org = \"none\" } }\nenvironments.live = {}",
            (3, "{}", "kinds.one.prefix"),
            "at least one environment",
        ),
    ]);
    accepted(
        "kinds.other = { prefix = \"ak_\", body = { alphabet = \"base62\", length = 39 }, presets.solo = { org = \"none\" } }",
    );
}

#[test]
fn a_kind_says_what_its_keys_look_like_once() {
    check(&[
        case("name = \"acme\"\n", (1, "n", "kinds"), "`kinds` is missing"),
        case(
            "kinds.bare.presets.solo = { org = \"none\" }",
            (3, "bare", "kinds.bare.prefix"),
            "`prefix` is missing",
        ),
        case(
            "kinds.half = { prefix = \"h_\", presets.solo = { org = \"none\" } }",
            (3, "half", "kinds.half.body"),
            "`body` is missing",
        ),
        case(
            "kinds.half = { prefix = \"h_\", body = { length = 64 }, presets.solo = { org = \"none\" } }",
            (3, "body", "kinds.half.body.alphabet"),
            "`alphabet` is missing",
        ),
        case(
            "kinds.half = { prefix = \"h_\", body = { alphabet = \"hex\" }, presets.solo = { org = \"none\" } }",
            (3, "body", "kinds.half.body.length"),
            "`length` is missing",
        ),
        slip(
            "kinds.half = { prefix = \"h_\", body = { alphabet = \"base26\", length = 64 }, presets.solo = { org = \"none\" } }",
            (3, "\"base26\"", "kinds.half.body.alphabet"),
            "`base26` is not one of the words allowed here",
            "base62",
        ),
        case(
            "kinds.both = { native = \"b\", prefix = \"b_\", presets.solo = { org = \"none\" } }",
            (3, "prefix", "kinds.both.prefix"),
            "`native` chooses the whole format already",
        ),
        slip("default_kind = \"kay\"", (3, "\"kay\"", "default_kind"), "there is no kind `kay`", "key"),
    ]);
}

#[test]
fn what_can_be_shown_again_is_public_or_for_trying_out() {
    check(&[
        case(
            "kinds.seen = { native = \"s\", reveal = \"always\", presets.solo = { org = \"none\" } }",
            (3, "\"always\"", "kinds.seen.reveal"),
            "a secret can't be shown again",
        ),
        case(
            "kinds.seen = { native = \"s\", reveal = \"test_only\", presets.solo = { org = \"none\" } }",
            (3, "\"test_only\"", "kinds.seen.reveal"),
            "no environment is a sandbox",
        ),
    ]);
    accepted(
        "kinds.seen = { native = \"s\", reveal = \"test_only\", presets.solo = { org = \"none\" } }\nenvironments.test = { sandbox = true }",
    );
    accepted(
        "kinds.web = { native = \"w\", class = \"publishable\", reveal = \"always\", presets.client = {} }",
    );
}

#[test]
fn presets_hold_what_their_name_says() {
    check(&[
        case("kinds.p = { native = \"p\" }", (3, "p", "kinds.p.presets"), "`presets` is missing"),
        slip(
            "kinds.p = { native = \"p\", presets.plattform = {} }",
            (3, "plattform", "kinds.p.presets.plattform"),
            "there is no preset `plattform`",
            "platform",
        ),
        slip(
            "kinds.p = { native = \"p\", presets.solo = { org = \"none\" }, default_preset = \"sole\" }",
            (3, "\"sole\"", "kinds.p.default_preset"),
            "there is no preset of this kind `sole`",
            "solo",
        ),
        case(
            "kinds.p = { native = \"p\", presets.client = { org = \"open\", user = \"none\" } }\ntenancy.org_param.query = \"org\"",
            (3, "\"open\"", "kinds.p.presets.client.org"),
            "a client key has the org `fixed`, not `open`",
        ),
        case(
            "kinds.p = { native = \"p\", presets.solo = { user = [\"fixed\", \"optional\"] } }\ntenancy.user_param.query = \"u\"",
            (3, "[\"fixed\", \"optional\"]", "kinds.p.presets.solo.user"),
            "a solo key has the user `fixed`, not `optional`",
        ),
        case(
            "kinds.p = { native = \"p\", presets.solo = { org = [] } }",
            (3, "[]", "kinds.p.presets.solo.org"),
            "name at least one form",
        ),
        case(
            "kinds.p = { native = \"p\", presets.client = { user = \"open\" } }",
            (3, "\"open\"", "kinds.p.presets.client.user"),
            "`open` needs a parameter that says which user; name it in `tenancy.user_param`",
        ),
        case(
            "kinds.p = { native = \"p\", presets.platform = { org = \"list\", user = \"fixed\" } }",
            (3, "\"list\"", "kinds.p.presets.platform.org"),
            "name it in `tenancy.org_param`",
        ),
    ]);
}

#[test]
fn a_form_left_out_is_every_form_that_requests_can_name() {
    use crate::policy::BindingForm::{Fixed, List, None, Open, Optional};
    use crate::tenant::Preset;
    let kind = "kinds.p = { native = \"p\", presets = { client = {}, platform = {} } }\n";
    let forms = |tenancy: &str, preset| {
        let policy = accepted(&format!("{kind}{tenancy}"));
        let rule = policy.kind("p").unwrap().preset(preset).unwrap().clone();
        (rule.org.to_vec(), rule.user.to_vec())
    };
    let both = "tenancy = { org_param.query = \"o\", user_param.query = \"u\" }\n";
    assert_eq!(forms("", Preset::Client), (vec![Fixed], vec![Fixed, None]));
    assert_eq!(forms("", Preset::Platform), (vec![Fixed], vec![Fixed]));
    assert_eq!(forms(both, Preset::Client), (vec![Fixed], vec![Fixed, List, Open, None]));
    assert_eq!(forms(both, Preset::Platform), (vec![Fixed, List, Open], vec![Fixed, List, Open, Optional]));
}

#[test]
fn flexible_keys_create_tenants() {
    let flexible = "kinds.f = { native = \"f\", presets.flexible = {} }\n[tenancy]\norg_param.query = \"o\"\nuser_param.query = \"u\"\n";
    let found = super::faults(flexible);
    let [fault] = found.iter().as_slice() else { panic!("{found}") };
    assert_eq!((fault.line(), fault.field()), (3, "kinds.f.presets.flexible"));
    check(&[case(
        "kinds.f = { native = \"f\", presets.flexible = { org = \"open\" } }\ntenancy = { unknown_tenant = \"create\", org_param.query = \"o\" }",
        (3, "flexible", "kinds.f.presets.flexible.user"),
        "name it in `tenancy.user_param`",
    )]);
    assert!(fault.message().contains("set `tenancy.unknown_tenant = \"create\"`"));
    accepted(&format!("{flexible}unknown_tenant = \"create\"\n"));
}

#[test]
fn a_publishable_kind_has_one_org_and_no_user_of_its_own() {
    check(&[
        case(
            "kinds.w = { native = \"w\", class = \"publishable\", presets.solo = {} }",
            (3, "solo", "kinds.w.presets.solo"),
            "use the preset `client`",
        ),
        case(
            "kinds.w = { native = \"w\", class = \"publishable\", presets.client = { org = \"fixed\", user = \"fixed\" } }",
            (3, "\"fixed\"", "kinds.w.presets.client.user"),
            "callers of a publishable key are anonymous",
        ),
        case(
            "kinds.w = { native = \"w\", class = \"publishable\", presets.platform = { org = \"open\", user = \"optional\" } , user_id_proof = \"hmac\" }\ntenancy.org_param.query = \"org\"\ntenancy.user_param.query = \"user\"",
            (3, "\"open\"", "kinds.w.presets.platform.org"),
            "a publishable key is bound to one org",
        ),
        case(
            "kinds.w = { native = \"w\", user_id_proof = \"hmac\", presets.client = { user = \"none\" } }",
            (3, "\"hmac\"", "kinds.w.user_id_proof"),
            "a proof needs a user id to prove",
        ),
        slip(
            "kinds.w = { native = \"w\", user_id_proof = \"hmc\", presets.client = { user = \"none\" } }",
            (3, "\"hmc\"", "kinds.w.user_id_proof"),
            "`hmc` is not one of the words allowed here",
            "hmac",
        ),
        case(
            // A mode that is not kept yet is no word of the policy.
            "kinds.w = { native = \"w\", user_id_proof = \"jwt\", presets.client = { user = \"none\" } }",
            (3, "\"jwt\"", "kinds.w.user_id_proof"),
            "`jwt` is not one of the words allowed here",
        ),
    ]);
}

#[test]
fn origins_are_for_publishable_kinds_and_only_there_for_all() {
    check(&[
        case(
            "kinds.s = { native = \"s\", origin_match = \"any\", presets.client = { user = \"none\" } }",
            (3, "origin_match", "kinds.s.origin_match"),
            "only publishable kinds have origins",
        ),
        case(
            "kinds.s = { native = \"s\", empty_origins = \"allow_any\", presets.client = { user = \"none\" } }",
            (3, "empty_origins", "kinds.s.empty_origins"),
            "only publishable kinds have origins",
        ),
        case(
            "kinds.w = { native = \"w\", class = \"publishable\", secret_with_origin = \"allow\", presets.client = {} }",
            (3, "secret_with_origin", "kinds.w.secret_with_origin"),
            "this kind is not a secret",
        ),
    ]);
}

#[test]
fn a_kind_holds_what_the_policy_has() {
    check(&[
        case(
            "kinds.r = { native = \"r\", role = \"required\", presets.solo = { org = \"none\" } }",
            (3, "\"required\"", "kinds.r.role"),
            "no role may be held by keys",
        ),
        case(
            "kinds.r = { native = \"r\", permissions = \"optional\", presets.solo = { org = \"none\" } }",
            (3, "\"optional\"", "kinds.r.permissions"),
            "the policy has no permissions to hold",
        ),
        case(
            "kinds.r = { native = \"r\", default_permissions = [\"A:B\"], presets.solo = { org = \"none\" } }\npermissions = [{ group = \"A\", names = [\"A:B\"] }]",
            (3, "default_permissions", "kinds.r.default_permissions"),
            "set `permissions = \"optional\"`",
        ),
        slip(
            "kinds.r = { native = \"r\", permissions = \"optional\", default_permissions = [\"A:C\"], presets.solo = { org = \"none\" } }\npermissions = [{ group = \"A\", names = [\"A:B\"] }]",
            (3, "\"A:C\"", "kinds.r.default_permissions[0]"),
            "there is no permission `A:C`",
            "A:B",
        ),
        slip(
            "kinds.r = { native = \"r\", resources.types = \"agnet\", presets.solo = { org = \"none\" } }\nresource_types = [\"agent\"]",
            (3, "\"agnet\"", "kinds.r.resources.types"),
            "there is no resource type `agnet`",
            "agent",
        ),
        case(
            "kinds.r = { native = \"r\", resources = { types = \"agent\", count = \"one\", all = true }, presets.solo = { org = \"none\" } }\nresource_types = [\"agent\"]",
            (3, "true", "kinds.r.resources.all"),
            "can't stand for all",
        ),
        case(
            "kinds.r = { native = \"r\", resources = {}, presets.solo = { org = \"none\" } }",
            (3, "resources", "kinds.r.resources.types"),
            "`types` is missing",
        ),
        case(
            "resource_types = [\"Agent\"]",
            (3, "\"Agent\"", "resource_types[0]"),
            "lower-case letters, digits, `_` and `-` only",
        ),
        case(
            "kinds.r = { native = \"r\", carriers = [\"X-Key\"], presets.solo = { org = \"none\" } }",
            (3, "\"X-Key\"", "kinds.r.carriers[0]"),
            "the policy does not read this carrier",
        ),
        case(
            "kinds.r = { native = \"r\", session_idle = \"0s\", presets.solo = { org = \"none\" } }",
            (3, "\"0s\"", "kinds.r.session_idle"),
            "out of range; allowed are `1s` to `36500d`",
        ),
        case(
            "kinds.r = { native = \"r\", label = \" \", presets.solo = { org = \"none\" } }",
            (3, "\" \"", "kinds.r.label"),
            "a label is 1 to 128 characters",
        ),
    ]);
}
