use super::*;
use crate::headers::HeaderLine;
use Credential::{Conflict, Human, Malformed, Missing};

const GOOD: &[u8] = b"rsk_good";
const OTHER: &[u8] = b"rsk_other";

/// A key, whatever it came in.
#[allow(non_snake_case)]
fn Key(text: &[u8]) -> Credential<'_> {
    Credential::Key(text, CarrierSet::default())
}

fn carriers(bearer_other: BearerOther) -> Carriers {
    Carriers::new([Carrier::Bearer, Carrier::ApiKeyHeader(HeaderName::X_API_KEY)], bearer_other).unwrap()
}

fn extract<'r>(bearer_other: BearerOther, lines: &'r [HeaderLine<'r>]) -> Credential<'r> {
    let found = carriers(bearer_other).extract(Headers::new(lines), |text| text.starts_with(b"rsk_"));
    found.came_in(CarrierSet::default())
}

/// The same answer whatever becomes of other Bearer values.
fn check(lines: &[HeaderLine<'_>], expected: Credential<'_>) {
    for bearer_other in [BearerOther::Reject, BearerOther::Ignore, BearerOther::Human] {
        assert_eq!(extract(bearer_other, lines), expected, "{bearer_other:?} {lines:?}");
    }
}

fn bearer(value: &[u8], expected: Credential<'_>) {
    check(&[("Authorization", value)], expected);
}

#[test]
fn rt_14_the_scheme_has_no_case_and_exactly_one_space() {
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        bearer(format!("{scheme} rsk_good").as_bytes(), Key(GOOD));
    }
    for absent in
        ["", "Bearer", "Bearer ", "rsk_good", "Token rsk_good", "Basic cnNrX2dvb2Q6", "Bearerrsk_good"]
    {
        bearer(absent.as_bytes(), Missing);
    }
    for absent in
        ["Bearer: rsk_good", "Bearer=rsk_good", "Bearers rsk_good", " Bearer rsk_good", "\tBearer rsk_good"]
    {
        bearer(absent.as_bytes(), Missing);
    }
    for malformed in
        ["Bearer  rsk_good", "Bearer\trsk_good", "Bearer rsk_good ", "Bearer rsk_go od", "Bearer  "]
    {
        bearer(malformed.as_bytes(), Malformed);
    }
    for byte in (0..=0x20).chain(0x7f..=0xff) {
        bearer(&[b"Bearer rsk_", [byte].as_slice(), b"good"].concat(), Malformed);
        bearer(&[b"Bearer ", [byte].as_slice(), b"rsk_good"].concat(), Malformed);
        let after_scheme = if byte == b' ' { Key(GOOD) } else { Malformed };
        bearer(&[b"Bearer", [byte].as_slice(), b"rsk_good"].concat(), after_scheme);
    }
}

#[test]
fn a_key_header_is_the_key_and_nothing_else() {
    let api_key = |value: &[u8], expected| check(&[("x-Api-kEy", value)], expected);
    api_key(b"rsk_good", Key(GOOD));
    api_key(b"", Missing);
    for malformed in ["Bearer rsk_good", " rsk_good", "rsk_good ", " ", "rsk_good\r\n", "rsk_\0good", "rsk_é"]
    {
        api_key(malformed.as_bytes(), Malformed);
    }
}

#[test]
fn two_lines_or_a_comma_conflict_even_if_equal() {
    let pairs: [(&[u8], &[u8]); 4] = [
        (b"Bearer rsk_good", b"Bearer rsk_good"),
        (b"Bearer rsk_good", b""),
        (b"", b""),
        (b"Basic x", b"Bearer rsk_good"),
    ];
    for (a, b) in pairs {
        check(&[("Authorization", a), ("authorization", b)], Conflict);
        check(&[("Authorization", a), ("Accept", b"*/*"), ("Authorization", b)], Conflict);
    }
    check(&[("X-API-Key", GOOD), ("X-API-Key", GOOD)], Conflict);
    check(&[("X-API-Key", GOOD), ("X-API-Key", GOOD), ("Authorization", b"Bearer rsk_good")], Conflict);
    bearer(b"Bearer rsk_good,Bearer rsk_good", Conflict);
    bearer(b"Basic x, Bearer rsk_good", Conflict);
    bearer(b"Bearer ,", Conflict);
    check(&[("X-API-Key", b"rsk_good,rsk_good")], Conflict);
}

#[test]
fn am_05_two_carriers_must_agree() {
    let both = |authorization: &[u8], expected| {
        check(&[("Authorization", authorization), ("X-API-Key", GOOD)], expected);
        check(&[("X-API-Key", GOOD), ("Authorization", authorization)], expected);
    };
    both(b"Bearer rsk_good", Key(GOOD));
    both(b"Bearer rsk_other", Conflict);
    both(b"Bearer rsk_goo", Conflict);
    both(b"Bearer rsk_gooe", Conflict);
    both(b"Bearer  rsk_good", Conflict);
    both(b"Basic rsk_good", Key(GOOD));
    both(b"Bearer", Key(GOOD));
    check(&[("Authorization", b"Bearer rsk_good"), ("X-API-Key", b"")], Key(GOOD));
    check(&[("Authorization", b"Bearer rsk_other")], Key(OTHER));
}

#[test]
fn am_07_a_bearer_value_of_another_system_follows_the_policy() {
    let jwt: HeaderLine<'_> = ("Authorization", b"Bearer e30.e30.x");
    let key: HeaderLine<'_> = ("X-API-Key", GOOD);
    let cases = [
        (BearerOther::Reject, Key(b"e30.e30.x"), Conflict),
        (BearerOther::Ignore, Missing, Key(GOOD)),
        (BearerOther::Human, Human("e30.e30.x"), Conflict),
    ];
    for (bearer_other, alone, beside_a_key) in cases {
        assert_eq!(extract(bearer_other, &[jwt]), alone);
        assert_eq!(extract(bearer_other, &[jwt, key]), beside_a_key);
        assert_eq!(extract(bearer_other, &[key, jwt]), beside_a_key);
    }
}

#[test]
fn rt_32_a_kind_may_travel_in_some_of_the_carriers() {
    let carriers = carriers(BearerOther::Reject);
    let bearer = carriers.set_of(&[Carrier::Bearer]);
    let api_key = carriers.set_of(&[Carrier::ApiKeyHeader(HeaderName::X_API_KEY)]);
    let came_in = |lines: &[HeaderLine<'_>]| match carriers.extract(Headers::new(lines), |_| true) {
        Credential::Key(_, set) => set,
        other => panic!("{other:?}"),
    };
    let authorization: HeaderLine<'_> = ("Authorization", b"Bearer rsk_good");
    assert_eq!(came_in(&[authorization]), bearer);
    assert_eq!(came_in(&[("X-API-Key", GOOD)]), api_key);
    let both = came_in(&[("X-API-Key", GOOD), authorization]);
    assert_eq!(both, carriers.set_of(carriers.iter()));
    assert!(
        bearer.contains(bearer)
            && !bearer.contains(api_key)
            && !bearer.contains(both)
            && both.contains(bearer)
    );
    assert!(bearer.contains(CarrierSet::default()), "a key that was handed over directly fits every kind");
    assert_eq!(carriers.set_of(&[Carrier::ApiKeyHeader("x-other".parse().unwrap())]), CarrierSet::default());
}

#[test]
fn only_the_carriers_of_the_policy_are_read() {
    let elsewhere: &[HeaderLine<'_>] = &[
        ("Cookie", b"api_key=rsk_good"),
        ("Proxy-Authorization", b"Bearer rsk_good"),
        ("X_API_Key", GOOD),
        ("Referer", b"https://h/?api_key=rsk_good"),
        ("User-Agent", GOOD),
        ("Idempotency-Key", GOOD),
    ];
    check(elsewhere, Missing);
    let bearer_only = Carriers::new([Carrier::Bearer], BearerOther::Reject).unwrap();
    assert_eq!(bearer_only.extract(Headers::new(&[("X-API-Key", GOOD)]), |_| true), Missing);
    let own =
        Carriers::new([Carrier::ApiKeyHeader("Api-Token".parse().unwrap())], BearerOther::Reject).unwrap();
    let found = own.extract(Headers::new(&[("api-token", GOOD)]), |_| true);
    assert_eq!(found, Credential::Key(GOOD, own.set_of(own.iter())));
}

#[test]
fn inv_63_headers_are_bounded() {
    let long = [b'a'; MAX_HEADER_VALUE_LEN + 1];
    check(&[("X-API-Key", &long[1..])], Key(&long[1..]));
    check(&[("X-API-Key", &long)], Malformed);
    let longest = [b"Bearer rsk_", &long[11..MAX_HEADER_VALUE_LEN]].concat();
    bearer(&longest, Key(&longest[7..]));
    bearer(&[b"Bearer rsk_", &long[10..MAX_HEADER_VALUE_LEN]].concat(), Malformed);

    let mut lines: Vec<HeaderLine<'_>> = vec![("Accept", b"*/*"); crate::headers::MAX_HEADERS];
    check(&lines, Missing);
    lines[0] = ("X-API-Key", GOOD);
    check(&lines, Key(GOOD));
    lines.push(("Accept", b"*/*"));
    check(&lines, Malformed);
}

#[test]
fn a_key_presented_directly_is_taken_as_it_is() {
    assert_eq!(Credential::presented(b""), Malformed);
    assert_eq!(Credential::presented(b" rsk_good,\xff"), Key(b" rsk_good,\xff"));
    assert_eq!(Credential::presented(&[b'a'; MAX_HEADER_VALUE_LEN + 1]), Malformed);
}

#[test]
fn inv_43_credentials_do_not_print_what_they_hold() {
    for credential in [Key(b"rsk_secret"), Human("eyJ.secret"), Missing, Conflict, Malformed] {
        assert!(!format!("{credential:?} {credential:#?}").contains("secret"));
    }
}

#[test]
fn lists_of_carriers_are_checked() {
    let header = |name: &str| Carrier::ApiKeyHeader(name.parse().unwrap());
    let check = |carriers: &[Carrier], expected: Option<InvalidCarriers>| {
        assert_eq!(Carriers::new(carriers.to_vec(), BearerOther::Reject).err(), expected);
    };
    check(&[], Some(InvalidCarriers::Count(0)));
    check(&["a", "b", "c", "d", "e"].map(header), Some(InvalidCarriers::Count(5)));
    check(&[header("X-Key"), header("x-key")], Some(InvalidCarriers::Repeated("x-key".parse().unwrap())));
    check(&[Carrier::Bearer, Carrier::Bearer], Some(InvalidCarriers::Repeated(HeaderName::AUTHORIZATION)));
    check(&[header("Cookie")], Some(InvalidCarriers::Reserved("cookie".parse().unwrap())));
    check(&[header("Authorization")], Some(InvalidCarriers::Reserved(HeaderName::AUTHORIZATION)));
    check(&[header("x-api-key"), Carrier::Bearer], None);
    let names: Vec<_> = carriers(BearerOther::Reject).iter().map(Carrier::to_string).collect();
    assert_eq!(names, ["Authorization: Bearer", "x-api-key"]);
}
