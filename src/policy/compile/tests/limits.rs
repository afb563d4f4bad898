use super::{accepted, case, check, slip};
use crate::limit::Units;
use crate::policy::model::{Dimension, LimitMode};

/// One operation that counts and one limit on it, whose fields come after.
macro_rules! limit {
    ($fields:literal) => {
        concat!(
            "operations.a = { level = \"user\", cost = 1 }\nmeters.x = {}\n[[limits]]\nname = \"l\"\n",
            $fields
        )
    };
}

macro_rules! rate {
    ($fields:literal) => {
        concat!(
            "operations.a = { level = \"user\", cost = 1 }\nmeters.x = {}\n[[rates]]\nname = \"r\"\nsubject = [\"key\"]\n",
            $fields
        )
    };
}

#[test]
fn a_limit_is_complete() {
    check(&[
        case(limit!("period = \"day\""), (5, "[[limits]]", "limits[0].subject"), "`subject` is missing"),
        case(
            limit!("period = \"day\"\nsubject = []"),
            (8, "[]", "limits[0].subject"),
            "say whose count it is",
        ),
        case(limit!("subject = [\"key\"]"), (5, "[[limits]]", "limits[0].period"), "`period` is missing"),
        case(
            "operations.a = { level = \"user\", cost = 1 }\nmeters.x = {}\nlimits = [{ subject = [\"key\"], period = \"day\" }]",
            (5, "{ subject = [\"key\"], period = \"day\" }", "limits[0].name"),
            "`name` is missing",
        ),
        case(
            "limits = [{ name = \"l\", subject = [\"key\"], period = \"day\" }]",
            (3, "{ name = \"l\", subject = [\"key\"], period = \"day\" }", "limits[0]"),
            "the policy has no meter to bound",
        ),
        case(
            "operations.a = { level = \"user\", cost = { x = 1 } }\nmeters = { x = {}, y = {} }\nlimits = [{ name = \"l\", subject = [\"key\"], period = \"day\" }]",
            (5, "{ name = \"l\", subject = [\"key\"], period = \"day\" }", "limits[0].meter"),
            "`meter` is missing; the policy has more than one",
        ),
        slip(
            "operations.a = { level = \"user\", cost = { execs = 1 } }\nmeters.execs = {}\nlimits = [{ name = \"l\", meter = \"exes\", subject = [\"key\"], period = \"day\" }]",
            (5, "\"exes\"", "limits[0].meter"),
            "there is no meter `exes`",
            "execs",
        ),
    ]);
}

#[test]
fn a_name_fits_its_bounds() {
    let long = |n: usize| "n".repeat(n);
    let limit = |n| {
        let name = long(n);
        format!(
            "operations.a = {{ level = \"user\", cost = 1 }}\nmeters.x = {{}}\nlimits = [{{ name = \"{name}\", subject = [\"key\"], period = \"day\" }}]\n"
        )
    };
    let plan = |n| format!("default_plan = \"{0}\"\nplans.{0} = {{}}\n", long(n));
    let environment = |n| {
        let kind = "kinds.key = { prefix = \"a_\", body = { alphabet = \"hex\", length = 64 }, presets.solo = { org = \"none\" } }";
        format!("name = \"acme\"\n{kind}\nenvironments.{} = {{}}\n", long(n))
    };
    for (text, most) in [(&limit as &dyn Fn(usize) -> String, 64), (&plan, 64), (&environment, 32)] {
        accepted(&text(most));
        let found = super::faults(&text(most + 1));
        assert!(found.to_string().contains(&format!("use 1 to {most} letters")), "{found}");
    }
}

#[test]
fn amounts_are_units() {
    check(&[
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 9007199254740992"),
            (9, "9007199254740992", "limits[0].amount"),
            "an amount is at most 9007199254740991 (2^53 - 1)",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = -1"),
            (9, "-1", "limits[0].amount"),
            "expected a whole number from 0, found `-1`",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 99999999999999999999"),
            (9, "99999999999999999999", "limits[0].amount"),
            "the number is too large",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 1.5"),
            (9, "1.5", "limits[0].amount"),
            "`1.5` is not a whole number",
        ),
    ]);
    let policy = accepted(limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 9007199254740991"));
    assert_eq!(policy.limits()[0].cap(), Some(Units::MAX));
}

#[test]
fn a_mode_has_its_fields() {
    check(&[
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 5\noverage_cap = 9"),
            (10, "overage_cap", "limits[0].overage_cap"),
            "set `mode = \"soft\"`",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 5\nmode = \"soft\"\noverage_cap = 4"),
            (11, "4", "limits[0].overage_cap"),
            "the cap lies below `amount`",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\nmode = \"soft\""),
            (5, "[[limits]]", "limits[0].amount"),
            "`amount` is missing",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 5\nmode = \"slow\""),
            (5, "[[limits]]", "limits[0].slow"),
            "`slow` is missing",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 5\nslow = {}"),
            (10, "slow", "limits[0].slow.rate"),
            "`rate` is missing",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nslow = { rate = \"10/hour\", delay_s = 3601 }"
            ),
            (10, "3601", "limits[0].slow.delay_s"),
            "a delay is at most 3600 seconds",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nmode = \"hard\"\nslow = { rate = \"10/hour\" }"
            ),
            (11, "slow", "limits[0].slow"),
            "only a slow limit goes on slowly",
        ),
        slip(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 5\nmode = \"sotf\""),
            (10, "\"sotf\"", "limits[0].mode"),
            "`sotf` is not one of the words allowed here",
            "soft",
        ),
    ]);
    let policy = accepted(limit!(
        "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nslow = { rate = \"10/hour\", delay_s = 10 }"
    ));
    assert!(matches!(policy.limits()[0].mode, LimitMode::Slow { delay_s: 10, .. }));
}

#[test]
fn thresholds_are_percentages_that_can_be_reached() {
    check(&[
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nthresholds = [{ at = 0, state = \"s\" }]"
            ),
            (10, "0", "limits[0].thresholds[0].at"),
            "at 1 to 100 percent",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nthresholds = [{ at = 101, state = \"s\" }]"
            ),
            (10, "101", "limits[0].thresholds[0].at"),
            "at 1 to 100 percent",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nmode = \"soft\"\nthresholds = [{ at = 1001, state = \"s\" }]"
            ),
            (11, "1001", "limits[0].thresholds[0].at"),
            "at 1 to 1000 percent",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nthresholds = [{ at = 80, state = \"s\" }, { at = 80, state = \"t\" }]"
            ),
            (10, "80", "limits[0].thresholds[1].at"),
            "a threshold at 80 percent already",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\namount = 5\nthresholds = [{ at = 80 }]"),
            (10, "{ at = 80 }", "limits[0].thresholds[0].state"),
            "`state` is missing",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nthresholds = [{ at = 80, state = \"s\", action = \"block\" }]"
            ),
            (10, "\"block\"", "limits[0].thresholds[0].action"),
            "a limit blocks at 100 percent if it is hard",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 5\nmode = \"soft\"\nthresholds = [{ at = 100, state = \"s\", action = \"block\" }]"
            ),
            (11, "\"block\"", "limits[0].thresholds[0].action"),
            "a limit blocks at 100 percent if it is hard",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\nthresholds = [{ at = 80, state = \"s\" }]"),
            (9, "[{ at = 80, state = \"s\" }]", "limits[0].thresholds"),
            "percentages need an `amount` above 0",
        ),
        case(
            limit!(
                "subject = [\"key\"]\nperiod = \"day\"\namount = 0\nthresholds = [{ at = 80, state = \"s\" }]"
            ),
            (10, "[{ at = 80, state = \"s\" }]", "limits[0].thresholds"),
            "percentages need an `amount` above 0",
        ),
    ]);
}

#[test]
fn periods_are_calendars_or_lengths() {
    check(&[
        slip(
            limit!("subject = [\"key\"]\nperiod = \"mont\""),
            (8, "\"mont\"", "limits[0].period"),
            "`mont` is not one of the words allowed here",
            "month",
        ),
        slip(
            limit!("subject = [\"key\"]\nperiod = { every = \"mnth\" }"),
            (8, "\"mnth\"", "limits[0].period.every"),
            "`mnth` is not one of the words allowed here",
            "month",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = {}"),
            (8, "period", "limits[0].period.every"),
            "`every` is missing",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { every = \"day\", length_s = 5 }"),
            (8, "5", "limits[0].period.length_s"),
            "`every` or `length_s`, not both",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { length_s = 0 }"),
            (8, "0", "limits[0].period.length_s"),
            "a length is 1 to 3153600000 seconds",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { length_s = 3153600001 }"),
            (8, "3153600001", "limits[0].period.length_s"),
            "a length is 1 to 3153600000 seconds",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { every = \"day\", zone = \"Europe/Berln\" }"),
            (8, "\"Europe/Berln\"", "limits[0].period.zone"),
            "`Europe/Berln` is no time zone",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { length_s = 60, zone = \"Europe/Berlin\" }"),
            (8, "zone", "limits[0].period.zone"),
            "a fixed length follows no calendar",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { every = \"month\", week_start = \"sunday\" }"),
            (8, "week_start", "limits[0].period.week_start"),
            "only weeks have a first day",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { every = \"day\", anchor = \"2026-01-01T00:00:00Z\" }"),
            (8, "anchor", "limits[0].period.anchor"),
            "only months and years are counted from an anchor",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { every = \"month\", anchor = \"2026-01-01\" }"),
            (8, "\"2026-01-01\"", "limits[0].period.anchor"),
            "`2026-01-01` is no anchor",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = { every = \"month\", anchor = \"plan_start\" }"),
            (8, "\"plan_start\"", "limits[0].period.anchor"),
            "this limit belongs to no plan",
        ),
    ]);
}

#[test]
fn every_way_to_write_a_period_means_what_it_says() {
    use crate::clock::Timestamp;
    let now = Timestamp::parse("2026-03-31T10:00:00Z").unwrap();
    let plan_start = Timestamp::parse("2026-01-31T08:00:00Z").unwrap();
    for (period, start, end) in [
        ("\"day\"", "2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("\"week\"", "2026-03-30T00:00:00Z", "2026-04-06T00:00:00Z"),
        ("{ every = \"week\", week_start = \"sunday\" }", "2026-03-29T00:00:00Z", "2026-04-05T00:00:00Z"),
        ("{ every = \"month\", zone = \"Europe/Berlin\" }", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        (
            "{ every = \"month\", anchor = 2026-01-15T00:00:00Z }",
            "2026-03-15T00:00:00Z",
            "2026-04-15T00:00:00Z",
        ),
        ("{ every = \"month\", anchor = \"plan_start\" }", "2026-03-31T08:00:00Z", "2026-04-30T08:00:00Z"),
        ("{ length_s = 3600, anchor = \"plan_start\" }", "2026-03-31T10:00:00Z", "2026-03-31T11:00:00Z"),
        ("{ length_s = 5400 }", "2026-03-31T09:00:00Z", "2026-03-31T10:30:00Z"),
    ] {
        let policy = accepted(&format!(
            "default_plan = \"p\"\nmeters.x = {{}}\noperations.a = {{ level = \"user\", cost = 1 }}\n[[plans.p.limits]]\nname = \"l\"\nsubject = [\"key\"]\nperiod = {period}\n"
        ));
        let window = policy.limits()[0].period.of(plan_start).window_at(now);
        assert_eq!(
            (window.start.to_string(), window.end.to_string()),
            (start.to_owned(), end.to_owned()),
            "{period}"
        );
    }
}

#[test]
fn rates_are_counted_exactly() {
    check(&[
        case(rate!("rate = \"0/s\""), (8, "\"0/s\"", "rates[0].rate"), "a rate needs at least 1 unit"),
        case(rate!("rate = \"10\""), (8, "\"10\"", "rates[0].rate"), "a rate is written like `200/10s`"),
        case(rate!("rate = \"1/0s\""), (8, "\"1/0s\"", "rates[0].rate"), "at least 1 unit and 1 microsecond"),
        // 9,007,199,254,740,991 units of one day each are more than 53 bits of unit-microseconds.
        case(
            rate!("rate = \"9007199254740991/day\""),
            (8, "\"9007199254740991/day\"", "rates[0].rate"),
            "too large together",
        ),
        case(
            rate!("rate = \"1/day\"\nburst = 104250"),
            (9, "104250", "rates[0].burst"),
            "too large together",
        ),
        case(rate!("rate = \"1/s\"\nburst = 0"), (9, "0", "rates[0].burst"), "a burst is at least 1"),
        case(rate!(""), (5, "[[rates]]", "rates[0].rate"), "`rate` is missing"),
    ]);
    accepted(rate!("rate = \"1/day\"\nburst = 104249"));
}

#[test]
fn a_subject_is_somebody() {
    check(&[
        slip(
            limit!("subject = [\"usr\"]\nperiod = \"day\""),
            (7, "\"usr\"", "limits[0].subject[0]"),
            "there is no subject or dimension `usr`",
            "user",
        ),
        case(
            limit!("subject = [\"key\", \"key\"]\nperiod = \"day\""),
            (7, "\"key\"", "limits[0].subject[1]"),
            "part of the subject already",
        ),
        case(
            "dimensions = [\"user\"]",
            (3, "\"user\"", "dimensions[0]"),
            "`user` is part of every subject already",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\nwho = \"anonymous\""),
            (9, "\"anonymous\"", "limits[0].who"),
            "only callers of publishable keys are anonymous",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\nkinds = []"),
            (9, "[]", "limits[0].kinds"),
            "an empty list applies to nothing",
        ),
        slip(
            limit!("subject = [\"key\"]\nperiod = \"day\"\nkinds = [\"keys\"]"),
            (9, "\"keys\"", "limits[0].kinds[0]"),
            "there is no kind `keys`",
            "key",
        ),
        case(
            limit!("subject = [\"key\"]\nperiod = \"day\"\nenvironments = [\"live\"]"),
            (9, "\"live\"", "limits[0].environments[0]"),
            "there is no environment `live`",
        ),
    ]);
    let policy = accepted(concat!(
        "dimensions = [\"provider\"]\noperations.a = { level = \"user\", cost = 1, dimensions = \"provider\" }\nmeters.x = {}\n",
        "limits = [{ name = \"l\", subject = [\"account\", \"user\", \"provider\"], period = \"day\" }]"
    ));
    assert_eq!(*policy.limits()[0].subject, [Dimension::Named("provider".into()), Dimension::User]);
}

#[test]
fn inv_35_a_limit_that_could_never_refuse_is_a_load_error() {
    check(&[
        case(
            "meters = { x = {}, y = {} }\noperations.a = { level = \"user\", cost = { x = 1 } }\nlimits = [{ name = \"l\", meter = \"y\", subject = [\"key\"], period = \"day\" }]",
            (5, "\"y\"", "limits[0].meter"),
            "no operation counts on `y`",
        ),
        case(
            "dimensions = [\"provider\"]\nmeters.x = {}\noperations.a = { level = \"user\", cost = 1 }\nlimits = [{ name = \"l\", subject = [\"provider\"], period = \"day\" }]",
            (6, "[\"provider\"]", "limits[0].subject"),
            "passes the dimension or resource `provider`",
        ),
        case(
            "meters.x = {}\noperations.a = { level = \"account\", cost = 1 }\nlimits = [{ name = \"l\", subject = [\"user\"], period = \"day\" }]",
            (5, "[\"user\"]", "limits[0].subject"),
            "acts for an org or user",
        ),
    ]);
}

#[test]
fn names_tell_the_limits_of_one_call_apart() {
    let start = "default_plan = \"A\"\nmeters.x = {}\noperations.a = { level = \"user\", cost = 1 }\n";
    let limit = "{ name = \"l\", subject = [\"key\"], period = \"day\" }";
    let rate = "{ name = \"l\", subject = [\"key\"], rate = \"1/s\" }";
    for (rest, field) in [
        (format!("plans.A.limits = [{limit}, {limit}]"), "plans.A.limits[1].name"),
        (format!("plans.A = {{ limits = [{limit}], rates = [{rate}] }}"), "plans.A.rates[0].name"),
        (format!("limits = [{limit}]\nplans.A.limits = [{limit}]"), "plans.A.limits[0].name"),
        (format!("limits = [{limit}]\nrates = [{rate}]\nplans.A = {{}}"), "rates[0].name"),
    ] {
        let found = super::faults(&format!("{start}{rest}\n"));
        let [fault] = found.iter().as_slice() else { panic!("{found}") };
        assert_eq!(fault.field(), field);
        assert!(fault.message().contains("names another limit or rate of the same calls already"));
    }
    accepted(&format!("{start}plans.A.limits = [{limit}]\nplans.B.limits = [{limit}]\n"));
}

#[test]
fn one_call_meets_at_most_eight_limits() {
    let start =
        "meters.x = {}\n[operations]\na = { level = \"user\", cost = 1 }\nfree = { level = \"user\" }\n";
    let limits = |n: usize, more: &str| -> String {
        let limit = |i| format!("[[limits]]\nname = \"l{i}\"\nsubject = [\"key\"]\nperiod = \"day\"\n{more}");
        (0..n).map(limit).collect()
    };
    let rates = |n: usize| -> String {
        (0..n).map(|i| format!("[[rates]]\nname = \"r{i}\"\nsubject = [\"key\"]\nrate = \"1/s\"\n")).collect()
    };
    accepted(&format!("{start}{}{}", limits(5, ""), rates(3)));
    let found = super::faults(&format!("{start}{}{}", limits(5, ""), rates(4)));
    assert!(found.to_string().contains("a call of `a` by a person would meet 9 limits and rates"), "{found}");

    // Filters that exclude each other do not add up.
    let web = "kinds.web = { native = \"w\", class = \"publishable\", presets.client = {} }\n";
    let who = |who: &str, n: usize, name: &str| limits(n, &format!("who = \"{who}\"\n")).replace("\"l", name);
    let text = format!("{web}{start}{}{}", who("named", 8, "\"n"), who("anonymous", 8, "\"m"));
    accepted(&text);
    let found = super::faults(&format!("{text}{}", rates(1)));
    assert!(found.to_string().contains("at most 8 are judged together"), "{found}");

    // What blocks everything is met by operations that do not count, too.
    let blocking = "usage.on_exhausted.block = \"all\"\n";
    let policy = accepted(&format!("{blocking}{start}{}", limits(1, "amount = 5\n")));
    assert_eq!(policy.charges(None, policy.operation("free").unwrap()).len(), 1);
    let policy = accepted(&format!("{start}{}", limits(1, "amount = 5\n")));
    assert_eq!(policy.charges(None, policy.operation("free").unwrap()).len(), 0);
}

#[test]
fn charges_come_narrowest_first() {
    let policy = accepted(concat!(
        "dimensions = [\"provider\"]\nmeters.x = {}\noperations.a = { level = \"user\", cost = 1, dimensions = \"provider\" }\n",
        "limits = [\n",
        "  { name = \"account\", subject = [\"account\"], period = \"day\" },\n",
        "  { name = \"org\", subject = [\"org\"], period = \"day\" },\n",
        "  { name = \"user\", subject = [\"user\"], period = \"day\" },\n",
        "  { name = \"key\", subject = [\"key\"], period = \"day\" },\n",
        "  { name = \"provider\", subject = [\"account\", \"provider\"], period = \"day\" },\n",
        "]\n"
    ));
    let charges = policy.charges(None, policy.operation("a").unwrap());
    let names: Vec<&str> = charges.iter().map(|c| &*policy.limits()[usize::from(c.limit)].name).collect();
    assert_eq!(names, ["provider", "key", "user", "org", "account"]);
}
