//! What every fuzz target checks, as plain functions of bytes: a violated property panics.
//!
//! The parsers of the library are compared with [`second`], parsers written a second time from the same grammar in the
//! slowest and plainest way, and with other people's code where there is some.

pub mod second;

use std::net::IpAddr;
use std::sync::LazyLock;
use tenantkit::address::{ForwardedHeader, Network, NetworkList, TrustedProxies, canonical};
use tenantkit::code::Code;
use tenantkit::credential::{BearerOther, Carrier, Carriers, Credential};
use tenantkit::headers::{HeaderLine, HeaderName, Headers};
use tenantkit::key::alphabet::Alphabet;
use tenantkit::key::digest::{DigestEncoding, KeyDigest};
use tenantkit::key::format::{Checksum, FormatSet, KeyFormat};
use tenantkit::key::id::KeyId;
use tenantkit::origin::{Origin, OriginMatch, OriginPattern, PresentedOrigin};

use tenantkit::policy::model::ParamNames;
use tenantkit::tenant::IdSyntax;
use tenantkit::tenant::params::{ParamRules, ParamSources, TenantParams};

/// A fuzz target: panics if the input shows a fault.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("key_parse", key_parse),
    ("two_parsers", two_parsers),
    ("checksum", checksum),
    ("header_extraction", header_extraction),
    ("authorization_grammar", authorization_grammar),
    ("origin", origin),
    ("addresses", addresses),
    ("id_encoding", id_encoding),
    ("query", query),
];

static FORMATS: LazyLock<Vec<KeyFormat>> = LazyLock::new(|| {
    let odd = Alphabet::custom("acegikmoqsuwy-_.~+/02468").expect("an alphabet of several runs");
    vec![
        KeyFormat::native("acme", "live").expect("a format"),
        KeyFormat::native("acme", "test").expect("a format"),
        KeyFormat::new("rsk_", Alphabet::hex(), 64, Checksum::None).expect("a format"),
        KeyFormat::new("mcpstack_sk_", Alphabet::base62(), 43, Checksum::None).expect("a format"),
        KeyFormat::new("allmcp_", Alphabet::base36(), 32, Checksum::None).expect("a format"),
        KeyFormat::new("x.", odd, 47, Checksum::Crc32).expect("a format"),
    ]
});

static SET: LazyLock<FormatSet> = LazyLock::new(|| {
    let formats = (0..).zip(FORMATS.iter().cloned());
    FormatSet::new(formats.map(|(kind, format)| (format, kind, 0))).expect("formats without conflict")
});

/// What is accepted is a text of exactly one format, whole; what is refused is a text of none.
pub fn key_parse(data: &[u8]) {
    let fitting: Vec<_> =
        (0..).zip(FORMATS.iter()).filter(|(_, format)| format.is_match(data)).map(|(kind, _)| kind).collect();
    match SET.parse(data) {
        Ok(parsed) => {
            assert_eq!(fitting, [parsed.kind()]);
            assert_eq!(parsed.as_bytes(), data);
            assert!(data.is_ascii() && SET.is_ours(data));
        }
        Err(_) => assert!(fitting.is_empty()),
    }
}

/// The parser and the second parser accept the same texts. A key is mended from the input first, so that the checksum is
/// reached.
pub fn two_parsers(data: &[u8]) {
    let check = |text: &[u8]| {
        let second = FORMATS.iter().position(|format| second::is_key(format, text));
        assert_eq!(SET.parse(text).ok().map(|key| usize::from(key.kind())), second);
    };
    check(data);
    let Some((&choice, body)) = data.split_first() else { return };
    let format = &FORMATS[usize::from(choice) % FORMATS.len()];
    let mut text = [format.prefix().as_bytes(), body].concat();
    check(&text);
    text.truncate(format.prefix().len() + format.body_length());
    if format.checksum() == Checksum::Crc32 {
        text.extend(second::checksum(&text));
    }
    check(&text);
}

/// The checksum is that of the second implementation, and no other digits fit.
pub fn checksum(data: &[u8]) {
    let format = &FORMATS[0];
    let chars = format.alphabet().chars();
    let body = (0..format.body_length())
        .map(|at| data.get(at).map_or(b'0', |byte| chars[usize::from(*byte) % chars.len()]));
    let mut text: Vec<u8> = format.prefix().bytes().chain(body).collect();
    text.extend(second::checksum(&text));
    assert!(SET.parse(&text).is_ok());
    let position = text.len() - 1 - data.len() % 6;
    let with = data.last().copied().unwrap_or_default();
    if std::mem::replace(&mut text[position], with) != with {
        assert!(SET.parse(&text).is_err());
    }
}

/// One line of the input is a header line, `name:value`.
fn lines(data: &[u8]) -> Vec<HeaderLine<'_>> {
    data.split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            Some((std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]))
        })
        .collect()
}

const MODES: [BearerOther; 3] = [BearerOther::Reject, BearerOther::Ignore, BearerOther::Human];

/// Reading all headers agrees with the second implementation in every mode.
pub fn header_extraction(data: &[u8]) {
    let lines = lines(data);
    let ours = |text: &[u8]| text.starts_with(b"acme_");
    for mode in MODES {
        let carriers = [Carrier::Bearer, Carrier::ApiKeyHeader(HeaderName::X_API_KEY)];
        let carriers = Carriers::new(carriers, mode).expect("two carriers");
        let found = carriers.extract(Headers::new(&lines), ours);
        assert_eq!(second::Outcome::from(&found), second::extract(&lines, mode, ours));
        if let Credential::Key(text, came_in) = found {
            assert!(text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b','));
            assert!(came_in != Default::default());
        }
    }
}

/// One `Authorization` value agrees with the second grammar; so does the input after a good scheme.
pub fn authorization_grammar(data: &[u8]) {
    let carriers = Carriers::new([Carrier::Bearer], BearerOther::Reject).expect("one carrier");
    for value in [data.to_vec(), [b"Bearer ", data].concat(), [b"bEARER", data].concat()] {
        let lines = [("Authorization", value.as_slice())];
        let found = carriers.extract(Headers::new(&lines), |_| true);
        assert_eq!(second::Outcome::from(&found), second::authorization(&value));
    }
}

/// Normal forms are stable, and are those of the WHATWG parser; patterns stay what they were when stored.
pub fn origin(data: &[u8]) {
    let presented = PresentedOrigin::from_value(Some(data));
    let Ok(text) = std::str::from_utf8(data) else {
        assert_eq!(presented, PresentedOrigin::Unusable);
        return;
    };
    if let Ok(origin) = Origin::parse(text) {
        let normal = origin.to_string();
        assert_eq!(Origin::parse(&normal).as_ref(), Ok(&origin));
        assert_eq!(presented, PresentedOrigin::Origin(origin.clone()));
        if matches!(origin.scheme(), "http" | "https") {
            let url = url::Url::parse(text).expect("what is an origin is a URL");
            assert_eq!(url.origin().ascii_serialization(), normal);
        }
        let pattern = OriginPattern::enter(text, OriginMatch::Exact).expect("an origin may be entered");
        assert!(pattern.matches(&origin));
    }
    for mode in [OriginMatch::Exact, OriginMatch::Subdomain, OriginMatch::Host, OriginMatch::Any] {
        if let Ok(pattern) = OriginPattern::enter(text, mode) {
            assert_eq!(OriginPattern::from_stored(&pattern.to_string()), Ok(pattern));
        }
    }
}

/// Networks print what they are; whatever a client sends, the hop that a proxy appends is the one that counts.
pub fn addresses(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(network) = text.parse::<Network>()
    {
        assert_eq!(network.to_string().parse(), Ok(network));
        let (address, _) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().expect("a network starts with an address");
        assert_eq!(network.contains(address), canonical(address) == address);
    }
    let trusted = NetworkList::parse(["10.0.0.0/8"]).expect("a network");
    let peer = IpAddr::from([10, 0, 0, 1]);
    let real = IpAddr::from([192, 0, 2, 7]);
    let find = |header, value: &[u8]| {
        let lines = [("X-Forwarded-For", value), ("Forwarded", value)];
        TrustedProxies::new(trusted.clone(), header).client_address(Some(peer), Headers::new(&lines))
    };
    let list = || ForwardedHeader::List(HeaderName::X_FORWARDED_FOR);
    let found = find(list(), data);
    assert!(found.is_none_or(|address| address == peer || !trusted.contains(address)));
    let appended = [data, b", 192.0.2.7, 10.0.0.9"].concat();
    let readable = std::str::from_utf8(&appended).is_ok() && appended.len() <= 8_192;
    assert_eq!(find(list(), &appended), readable.then_some(real));
    let appended = [data, b", for=\"192.0.2.7:80\";by=\"[::1]:1\""].concat();
    let found = find(ForwardedHeader::Forwarded, &appended);
    assert!(found.is_none() || found == Some(real));
}

/// Texts of key ids, digests and tenant ids are read back as they were written, and only those.
pub fn id_encoding(data: &[u8]) {
    if let Ok(bytes) = <[u8; 16]>::try_from(data) {
        let id = KeyId::from_bytes(bytes);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string(), text);
    }
    for encoding in [DigestEncoding::Hex, DigestEncoding::Base64, DigestEncoding::Base64Url] {
        if let Ok(digest) = KeyDigest::decode(encoding, text) {
            let written = second::encoded(digest.as_bytes(), encoding);
            assert!(
                text == written || text == written.to_uppercase() || text.strip_suffix('=') == Some(&written)
            );
        }
    }
    let (narrow, wide) = (IdSyntax::narrow().check(text), IdSyntax::wide().check(text));
    assert!(narrow.is_err() || wide.is_ok(), "the narrow alphabet lies in the wide one");
    assert!(wide.is_err() || (1..=255).contains(&text.len()) && !text.chars().any(char::is_control));
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let by_query = read_user(&format!("user_id={encoded}"), IdSyntax::wide());
    let by_path = read_params(ParamSources { user_id: Some(text), ..Default::default() }, IdSyntax::wide());
    assert_eq!(by_query.is_ok(), wide.is_ok());
    assert_eq!(by_query, by_path);
}

/// Reading a query agrees with the second implementation.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for syntax in [IdSyntax::narrow(), IdSyntax::wide()] {
        let found = read_user(text, syntax);
        let expected = match second::query_values(text, "user_id").as_slice() {
            [] => Ok(None),
            [Some(id)] if syntax.check(id).is_ok() => Ok(Some(id.clone())),
            [_] => Err(Code::UserInvalid),
            _ => Err(Code::UserDuplicate),
        };
        assert_eq!(found, expected);
    }
}

fn read_user(query: &str, syntax: IdSyntax) -> Result<Option<String>, Code> {
    read_params(ParamSources { query, ..Default::default() }, syntax)
}

fn read_params(sources: ParamSources<'_>, syntax: IdSyntax) -> Result<Option<String>, Code> {
    let mut user = ParamNames::default();
    user.query = Some("user_id".into());
    let none = ParamNames::default();
    let params = TenantParams::read(&ParamRules { org: &none, user: &user, proof: &none, syntax }, &sources)?;
    Ok(params.user.map(Into::into))
}
