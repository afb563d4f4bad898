use super::*;
use crate::headers::HeaderLine;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn networks(texts: &[&str]) -> NetworkList {
    NetworkList::parse(texts).unwrap()
}

fn proxies(header: ForwardedHeader) -> TrustedProxies {
    TrustedProxies::new(networks(&["10.0.0.0/8", "fd00::/8"]), header)
}

/// The client behind a trusted peer; `None` is "can't be told".
fn list(values: &[&str], expected: Option<&str>) {
    let lines: Vec<HeaderLine<'_>> = values.iter().map(|v| ("x-forwarded-for", v.as_bytes())).collect();
    let proxies = proxies(ForwardedHeader::List(HeaderName::X_FORWARDED_FOR));
    let client = proxies.client_address(Some(ip("10.0.0.1")), Headers::new(&lines));
    assert_eq!(client, expected.map(ip), "{values:?}");
}

fn forwarded(values: &[&str], expected: Option<&str>) {
    let lines: Vec<HeaderLine<'_>> = values.iter().map(|v| ("Forwarded", v.as_bytes())).collect();
    let client =
        proxies(ForwardedHeader::Forwarded).client_address(Some(ip("10.0.0.1")), Headers::new(&lines));
    assert_eq!(client, expected.map(ip), "{values:?}");
}

#[test]
fn inv_64_the_rightmost_untrusted_hop_is_the_client() {
    list(&[], Some("10.0.0.1"));
    list(&[""], Some("10.0.0.1"));
    list(&["192.0.2.7"], Some("192.0.2.7"));
    list(&["198.51.100.1, 192.0.2.7"], Some("192.0.2.7"));
    list(&["127.0.0.1,192.0.2.7"], Some("192.0.2.7"));
    list(&["192.0.2.7, 10.1.2.3, 10.9.9.9"], Some("192.0.2.7"));
    list(&["198.51.100.1, 192.0.2.7", "10.1.2.3"], Some("192.0.2.7"));
    list(&["10.1.2.3", "192.0.2.7"], Some("192.0.2.7"));
    list(&["10.1.2.3, 10.2.3.4"], Some("10.0.0.1"));
    list(&[" , ,192.0.2.7,,"], Some("192.0.2.7"));
    list(&["\t192.0.2.7 \t"], Some("192.0.2.7"));
}

#[test]
fn an_entry_is_an_address_in_its_plain_form() {
    for (text, expected) in [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("2001:db8:0:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
    ] {
        list(&[text], Some(expected));
    }
    for bad in [
        "unknown",
        "_hidden",
        "fe80::1%eth0",
        "[fe80::1%1]:80",
        "010.0.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "256.1.1.1",
        "192.0.2.7.",
        "192.0.2.7:",
        "192.0.2.7:x",
        "192.0.2.7:99999",
        "[192.0.2.7]",
        "2001:db8::7]",
        "\"192.0.2.7\"",
        "192.0.2.7 10.0.0.1",
        "192.0.2.7;",
        "1.2.3.4/32",
        "\u{661}.1.1.1",
        "for=192.0.2.7",
    ] {
        list(&[bad], None);
        list(&["192.0.2.7", bad], None);
        list(&[bad, "192.0.2.7"], Some("192.0.2.7"));
        list(&[bad, "10.1.1.1"], None);
    }
}

#[test]
fn the_header_of_an_untrusted_peer_is_not_read() {
    let proxies = proxies(ForwardedHeader::List(HeaderName::X_FORWARDED_FOR));
    let lines: &[HeaderLine<'_>] = &[("X-Forwarded-For", b"192.0.2.7"), ("Forwarded", b"for=192.0.2.8")];
    let client = |proxies: &TrustedProxies, peer: Option<&str>| {
        proxies.client_address(peer.map(ip), Headers::new(lines))
    };
    assert_eq!(client(&proxies, Some("203.0.113.9")), Some(ip("203.0.113.9")));
    assert_eq!(client(&proxies, Some("10.0.0.1")), Some(ip("192.0.2.7")), "the other header is not read");
    assert_eq!(client(&proxies, Some("::ffff:10.0.0.1")), Some(ip("192.0.2.7")));
    assert_eq!(client(&proxies, Some("fd00::1")), Some(ip("192.0.2.7")));
    assert_eq!(client(&proxies, Some("::ffff:203.0.113.9")), Some(ip("203.0.113.9")));
    assert_eq!(client(&proxies, None), None, "a Unix socket is trusted only if said so");
    assert_eq!(client(&proxies.with_local_socket(), None), Some(ip("192.0.2.7")));
}

#[test]
fn rfc_7239_elements_are_read_with_their_quotes() {
    forwarded(&["for=192.0.2.7"], Some("192.0.2.7"));
    forwarded(&["For=\"192.0.2.7:4711\";proto=https;by=10.0.0.1"], Some("192.0.2.7"));
    forwarded(&["by=\"a,;b\\\",for=1.1.1.1\"; for=\"[2001:db8::7]:443\""], Some("2001:db8::7"));
    forwarded(&["for=198.51.100.1, for=192.0.2.7, for=10.1.2.3"], Some("192.0.2.7"));
    forwarded(&["for=198.51.100.1", "for=192.0.2.7"], Some("192.0.2.7"));
    forwarded(&["for=192.0.2.7, ,"], Some("192.0.2.7"));
    forwarded(&["for=10.1.2.3"], Some("10.0.0.1"));
    // A client that opens a quote does not swallow what a proxy appends.
    forwarded(&["for=198.51.100.1;x=\", for=192.0.2.7"], None);
    forwarded(&["for=198.51.100.1;x=\"\\, for=\"192.0.2.7:1\""], None);
    forwarded(&["for=198.51.100.1;x=\"", "for=192.0.2.7"], Some("192.0.2.7"));
    for bad in [
        "for=unknown",
        "for=_hidden",
        "for=",
        "proto=https",
        "for",
        "for=192.0.2.7:80",
        "for=[2001:db8::7]",
        "for=192.0.2.7;for=192.0.2.7",
        "for=\"192.0.2.7",
        "for=\"\"",
        "192.0.2.7",
        "x=\"1, for=192.0.2.7",
    ] {
        forwarded(&[bad], None);
        forwarded(&["for=192.0.2.7", bad], None);
    }
}

#[test]
fn inv_63_forwarded_lines_are_bounded() {
    let long = "192.0.2.7,".repeat(900);
    assert!(long.len() > MAX_HEADER_VALUE_LEN);
    list(&[&long], None);
    list(&[&long[..MAX_HEADER_VALUE_LEN - 2]], Some("192.0.2.7"));
    list(&["192.0.2.7"; crate::headers::MAX_HEADERS], Some("192.0.2.7"));
    list(&["192.0.2.7"; crate::headers::MAX_HEADERS + 1], None);
}

#[test]
fn networks_have_no_host_bits() {
    let check = |text: &str, expected: Result<&str, &str>| {
        let parsed = text.parse::<Network>().map(|n| n.to_string()).map_err(|e| format!("{e:?}"));
        match (parsed, expected) {
            (Ok(parsed), Ok(expected)) => assert_eq!(parsed, expected),
            (Err(error), Err(variant)) => assert!(error.starts_with(variant), "{text}: {error}"),
            (parsed, _) => panic!("{text}: {parsed:?}"),
        }
    };
    for (text, normal) in [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
    ] {
        check(text, Ok(normal));
    }
    for (text, error) in [
        ("", "Address"),
        ("/24", "Address"),
        ("192.0.2/24", "Address"),
        ("010.0.0.0/8", "Address"),
        (" 192.0.2.0/24", "Address"),
        ("fe80::1%eth0", "Address"),
        ("192.0.2.0/", "PrefixLength"),
        ("192.0.2.0/33", "PrefixLength"),
        ("2001:db8::/129", "PrefixLength"),
        ("192.0.2.0/024", "PrefixLength"),
        ("192.0.2.0/+24", "PrefixLength"),
        ("192.0.2.0/24/24", "PrefixLength"),
        ("192.0.2.0/255.255.255.0", "PrefixLength"),
        ("192.0.2.0/99999999999", "PrefixLength"),
        ("192.0.2.7/24", "HostBits"),
        ("2001:db8::1/32", "HostBits"),
        ("::ffff:192.0.2.0/120", "Mapped"),
        ("::ffff:192.0.2.7", "Mapped"),
    ] {
        check(text, Err(error));
    }
    let error = "192.0.2.7/24".parse::<Network>().unwrap_err();
    assert!(error.to_string().contains("write `192.0.2.0/24`"), "{error}");
}

#[test]
fn lists_are_bounded_and_an_empty_one_has_no_address() {
    let many = |n: usize| NetworkList::parse(vec!["192.0.2.7"; n]);
    assert!(many(MAX_NETWORKS).unwrap().contains(ip("192.0.2.7")));
    assert_eq!(many(10_000), Err(InvalidNetwork::Count(10_000)));
    assert!(!networks(&[]).contains(ip("192.0.2.7")));
    let list = networks(&["192.0.2.0/24", "2001:db8::/32"]);
    assert!(list.allows(Some(ip("192.0.2.255"))) && list.allows(Some(ip("::ffff:192.0.2.1"))));
    assert!(!list.allows(Some(ip("192.0.3.0"))) && !list.allows(Some(ip("2001:db9::"))));
    assert!(!list.allows(None), "an address that can't be told is in no list");
    assert!(!networks(&["::/0"]).contains(ip("::ffff:192.0.2.1")), "IPv4 is not in an IPv6 network");
}

#[test]
fn limiters_count_ipv6_by_64_bits() {
    for (address, counted) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::ffff", "2001:db8:1:3::"),
    ] {
        assert_eq!(limiter_address(ip(address)), ip(counted));
    }
}

proptest! {
    #[test]
    fn inv_64_what_a_client_sends_never_moves_the_answer(forged in "[ -~]{0,60}|([0-9.:,;=\"\\\\]|for=1\\.1\\.1\\.1|;x=\"){0,6}", real: [u8; 4]) {
        let real = IpAddr::from(real);
        prop_assume!(!networks(&["10.0.0.0/8"]).contains(real));
        let client = |header, appended: String| {
            let lines: &[HeaderLine<'_>] =
                &[("X-Forwarded-For", appended.as_bytes()), ("Forwarded", appended.as_bytes())];
            proxies(header).client_address(Some(ip("10.0.0.1")), Headers::new(lines))
        };
        let list = client(ForwardedHeader::List(HeaderName::X_FORWARDED_FOR), format!("{forged}, {real}"));
        prop_assert_eq!(list, Some(real));
        for appended in [format!("{forged}, for={real}"), format!("{forged}, by=\"[::1]:80\";for=\"{real}:4711\"")] {
            let elements = client(ForwardedHeader::Forwarded, appended);
            prop_assert!(elements.is_none() || elements == Some(real), "{:?}", elements);
        }
    }
}
