use super::*;
use crate::code::Code;
use crate::headers::{HeaderLine, Headers};
use InvalidOrigin as Bad;
use proptest::prelude::*;

fn check(text: &str, expected: Result<&str, Bad>) {
    assert_eq!(Origin::parse(text).map(|o| o.to_string()), expected.map(str::to_owned), "{text:?}");
}

#[test]
fn origins_have_one_normal_form() {
    for (text, normal) in [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.EXAMPLE.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("https://app.example.com:65535", "https://app.example.com:65535"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[0:0::0001]", "http://[::1]"),
        ("http://[2001:DB8::A]", "http://[2001:db8::a]"),
        ("http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]"),
        ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"),
        ("https://XN--Mnchen-3yA.example", "https://xn--mnchen-3ya.example"),
        ("https://r3---a.example", "https://r3---a.example"),
        ("http://my_app.localhost:5173", "http://my_app.localhost:5173"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ] {
        check(text, Ok(normal));
    }
}

#[test]
fn ms_15_nothing_else_is_an_origin() {
    let long_label = format!("https://{}.com", "a".repeat(64));
    let long_host = format!("https://{}com", "abcdefghi.".repeat(26));
    let huge = format!("https://{}", "a".repeat(10_240));
    for (text, error) in [
        ("", Bad::Length),
        (&huge, Bad::Length),
        ("null", Bad::Null),
        ("NULL", Bad::Null),
        ("app.example.com", Bad::Scheme),
        ("//app.example.com", Bad::Scheme),
        ("://app.example.com", Bad::Scheme),
        ("1http://a.com", Bad::Scheme),
        ("ht tp://a.com", Bad::Scheme),
        ("data:text/html,x", Bad::Scheme),
        ("https:app.example.com", Bad::Scheme),
        ("https://app.example.com/", Bad::Path),
        ("https://app.example.com/a", Bad::Path),
        ("https://app.example.com?a", Bad::Path),
        ("https://app.example.com#a", Bad::Path),
        ("https://app.example.com\\a", Bad::Path),
        ("file:///", Bad::Path),
        ("https://u@app.example.com", Bad::UserInfo),
        ("https://u:p@app.example.com", Bad::UserInfo),
        ("https://", Bad::Host),
        ("file://", Bad::Host),
        ("https://.", Bad::Host),
        ("https://app.example.com.", Bad::Host),
        ("https://.app.example.com", Bad::Host),
        ("https://app..example.com", Bad::Host),
        (&long_label, Bad::Host),
        (&long_host, Bad::Host),
        ("https://app.example.com https://b.com", Bad::Path),
        ("https://a.com, b.com", Bad::Host),
        ("https://app.example.com\n", Bad::Host),
        (" https://app.example.com", Bad::Scheme),
        ("https://app%2eexample.com", Bad::Host),
        ("https://аpp.example.com", Bad::Host),
        ("https://münchen.example", Bad::Host),
        ("https://app。example.com", Bad::Host),
        ("https://xn--example-.com", Bad::Host),
        ("https://xn--app-.example.com", Bad::Host),
        ("https://xn--.com", Bad::Host),
        ("https://xn--zzzzzzzzzzz.com", Bad::Host),
        ("http://2130706433", Bad::Host),
        ("http://0x7f.1", Bad::Host),
        ("http://127.1", Bad::Host),
        ("http://010.0.0.1", Bad::Host),
        ("http://1.2.3.4.5", Bad::Host),
        ("http://a.0x", Bad::Host),
        ("http://[::1", Bad::Port),
        ("http://::1", Bad::Port),
        ("http://[fe80::1%25eth0]", Bad::Host),
        ("http://[::1]a", Bad::Host),
        ("https://app.example.com:", Bad::Port),
        ("https://app.example.com:0", Bad::Port),
        ("https://app.example.com:0443", Bad::Port),
        ("https://app.example.com:65536", Bad::Port),
        ("https://app.example.com:+443", Bad::Port),
        ("https://app.example.com:443:443", Bad::Port),
        ("https://app.example.com::443", Bad::Port),
        ("https://*.example.com", Bad::Wildcard),
        ("https://app.*", Bad::Wildcard),
        ("*", Bad::Scheme),
    ] {
        check(text, Err(error));
    }
}

#[test]
fn an_origin_that_is_normal_already_is_borrowed() {
    let origin = Origin::parse("https://app.example.com").unwrap();
    assert!(matches!((&origin.scheme, &origin.host), (Cow::Borrowed(_), Cow::Borrowed(_))));
}

#[test]
fn a_16_each_mode_has_its_forms_and_those_before_it() {
    use OriginMatch::{Any, Exact, Host, Subdomain};
    let check = |text: &str, results: [Result<&str, Bad>; 4]| {
        for (mode, expected) in [Exact, Subdomain, Host, Any].into_iter().zip(results) {
            let entered = OriginPattern::enter(text, mode).map(|p| p.to_string());
            assert_eq!(entered, expected.map(str::to_owned), "{text:?} in {mode:?}");
        }
    };
    let all = |expected| [expected; 4];
    check("https://App.Example.com:443", all(Ok("https://app.example.com")));
    let wild = Ok("https://*.example.com:8443");
    check("https://*.Example.com:8443", [Err(Bad::Wildcard), wild, wild, wild]);
    let host = Ok("app.example.com");
    check("App.Example.com", [Err(Bad::Scheme), Err(Bad::NotInMode), host, host]);
    check("*", [Err(Bad::Wildcard), Err(Bad::Wildcard), Err(Bad::Wildcard), Ok("*")]);
    for bad in ["https://*", "https://**.example.com", "https://*.*.example.com", "https://a*.example.com"] {
        check(bad, all(Err(Bad::Wildcard)));
    }
    for bad in ["https://*.127.0.0.1", "https://*.[::1]"] {
        check(bad, all(Err(Bad::Wildcard)));
    }
    check("https://*.example.com/", all(Err(Bad::Path)));
    check("app.example.com/", all(Err(Bad::Host)));
    check("app.example.com.", all(Err(Bad::Host)));
    check("null", all(Err(Bad::Null)));
    check("", all(Err(Bad::Length)));
}

#[test]
fn a_wildcard_needs_a_domain_of_ones_own() {
    let enter = |domain: &str| OriginPattern::enter(&format!("https://*.{domain}"), OriginMatch::Subdomain);
    for public in ["com", "co.uk", "github.io", "vercel.app", "s3.amazonaws.com", "foo.ck", "internal"] {
        assert_eq!(enter(public), Err(Bad::PublicSuffix), "{public}");
    }
    for own in ["example.com", "example.co.uk", "me.github.io", "corp.internal", "localhost", "www.ck"] {
        assert!(enter(own).is_ok(), "{own}");
    }
}

#[test]
fn any_origin_is_refused_for_a_secret_kind() {
    let enter = |text| OriginPattern::enter(text, OriginMatch::Any).and_then(OriginPattern::for_secret_kind);
    assert_eq!(enter("*"), Err(Bad::AnyForSecret));
    assert!(enter("https://app.example.com").is_ok());
}

#[test]
fn patterns_match_whole_parts_only() {
    let matches = |pattern: &str, yes: &[&str], no: &[&str]| {
        let pattern = OriginPattern::from_stored(pattern).unwrap();
        for (origins, expected) in [(yes, true), (no, false)] {
            for text in origins {
                assert_eq!(pattern.matches(&Origin::parse(text).unwrap()), expected, "{pattern} and {text}");
            }
        }
    };
    matches(
        "https://app.example.com",
        &["https://app.example.com", "https://APP.example.com:443"],
        &[
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://example.com",
            "https://a.app.example.com",
            "https://evilapp.example.com",
            "https://app.example.com.evil.net",
            "https://app-example.com",
            "https://appxexample.com",
        ],
    );
    matches(
        "https://*.example.com",
        &["https://app.example.com", "https://x.example.com"],
        &[
            "https://example.com",
            "https://a.b.example.com",
            "https://evilexample.com",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.net",
        ],
    );
    matches(
        "app.example.com",
        &["https://app.example.com", "http://app.example.com:3000"],
        &["https://a.app.example.com", "https://example.com"],
    );
    matches("*", &["https://a.b", "chrome-extension://abc"], &[]);
}

#[test]
fn domains_cover_themselves_and_what_is_below() {
    let within = |text: &str, domain: &str| OriginPattern::from_stored(text).unwrap().is_within(domain);
    assert!(within("https://example.com", "example.com"));
    assert!(within("https://a.b.example.com:8443", "example.com"));
    assert!(within("https://*.example.com", "example.com"));
    assert!(!within("https://*.example.com", "app.example.com"));
    assert!(!within("https://evilexample.com", "example.com"));
    assert!(!within("https://example.com.evil.net", "example.com"));
    assert!(!within("https://example.com", ""));
    assert!(!within("*", "example.com"));
}

#[test]
fn a_17_loopback_hosts_are_the_users_own() {
    let loopback = |text: &str| OriginPattern::from_stored(text).unwrap().is_loopback();
    for own in [
        "http://localhost:3000",
        "http://a.localhost",
        "http://127.0.0.1",
        "http://127.9.9.9",
        "http://[::1]",
    ] {
        assert!(loopback(own) && Origin::parse(own).unwrap().is_loopback(), "{own}");
    }
    for other in ["http://localhost.evil.net", "http://xlocalhost", "http://128.0.0.1", "http://[::2]", "*"] {
        assert!(!loopback(other), "{other}");
    }
}

#[test]
fn ms_04_the_header_decides_and_nothing_is_guessed() {
    let allowed = [OriginPattern::from_stored("https://app.example.com").unwrap()];
    let judge = |lines: &[HeaderLine<'_>], missing| {
        let presented = PresentedOrigin::from_headers(Headers::new(lines));
        (judge(&presented, &allowed, missing), presented.is_from_browser())
    };
    let good: HeaderLine<'_> = ("Origin", b"https://app.example.com");
    let cases: &[(&[HeaderLine<'_>], Result<(), Code>, bool)] = &[
        (&[good], Ok(()), true),
        (&[], Err(Code::OriginRequired), false),
        (&[("Referer", b"https://app.example.com/")], Err(Code::OriginRequired), false),
        (&[("origin", b"null")], Err(Code::OriginRequired), true),
        (&[("Origin", b"")], Err(Code::OriginNotAllowed), true),
        (&[("Origin", b"NULL")], Err(Code::OriginNotAllowed), true),
        (&[("Origin", b"https://\xff")], Err(Code::OriginNotAllowed), true),
        (&[("Origin", b"https://other.example.com")], Err(Code::OriginNotAllowed), true),
        (&[good, good], Err(Code::OriginNotAllowed), true),
        (&[good, ("origin", b"null")], Err(Code::OriginNotAllowed), true),
    ];
    for (lines, expected, from_browser) in cases {
        assert_eq!(judge(lines, MissingOrigin::Reject), (*expected, *from_browser), "{lines:?}");
        let lenient = if *expected == Err(Code::OriginRequired) { Ok(()) } else { *expected };
        assert_eq!(judge(lines, MissingOrigin::Allow).0, lenient, "{lines:?}");
    }
    let presented = PresentedOrigin::from_value(Some(good.1));
    assert_eq!(
        super::judge(&presented, &[], MissingOrigin::Allow),
        Err(Code::OriginNotAllowed),
        "empty is nothing"
    );
}

proptest! {
    #[test]
    fn normal_forms_are_stable(scheme in "[a-zA-Z][a-z+.-]{0,5}", host in "[a-zA-Z0-9_.-]{1,20}", port in 0_u32..70_000) {
        for text in [format!("{scheme}://{host}"), format!("{scheme}://{host}:{port}")] {
            if let Ok(origin) = Origin::parse(&text) {
                let normal = origin.to_string();
                prop_assert_eq!(Origin::parse(&normal).unwrap(), origin);
                prop_assert_eq!(OriginPattern::from_stored(&normal).unwrap().to_string(), normal);
            }
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}", pattern in "[a-z:/*.\\[\\]0-9@-]{0,30}") {
        let _ = (Origin::parse(&text), OriginPattern::from_stored(&text));
        if let Ok(parsed) = OriginPattern::from_stored(&pattern) {
            prop_assert_eq!(OriginPattern::from_stored(&parsed.to_string()), Ok(parsed));
        }
    }
}
