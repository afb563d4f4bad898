use super::*;
use crate::entropy::{FixedEntropy, OsEntropy};
use proptest::prelude::*;
use std::collections::HashSet;

fn format(prefix: &str, alphabet: Alphabet, body_length: usize, checksum: Checksum) -> KeyFormat {
    KeyFormat::new(prefix, alphabet, body_length, checksum).unwrap()
}

/// The formats of four products and the native one, side by side.
fn formats() -> Vec<KeyFormat> {
    vec![
        format("rsk_", Alphabet::hex(), 64, Checksum::None),
        format("mcpstack_sk_", Alphabet::base62(), 43, Checksum::None),
        format("mcpstack_pk_", Alphabet::base62(), 32, Checksum::None),
        format("rt_live_", Alphabet::base62(), 43, Checksum::None),
        format("rt_test_", Alphabet::base62(), 43, Checksum::None),
        format("allmcp_", Alphabet::base36(), 32, Checksum::None),
        KeyFormat::native("acme", "live").unwrap(),
        KeyFormat::native("acme", "test").unwrap(),
    ]
}

fn set() -> FormatSet {
    FormatSet::new(formats().into_iter().zip(0..).map(|(f, i)| (f, i, i + 100))).unwrap()
}

fn check_bad(presented: &[u8], reason: MalformedKey) {
    assert_eq!(set().parse(presented), Err(reason), "{}", String::from_utf8_lossy(presented));
    assert!(formats().iter().all(|f| !f.is_match(presented)), "{}", String::from_utf8_lossy(presented));
}

/// A source that gives the same byte for ever.
struct Stuck(u8);

impl Entropy for Stuck {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        buffer.fill(self.0);
        Ok(())
    }
}

#[test]
fn rs_15_generated_keys_fit_their_format_and_never_repeat() {
    for (index, format) in (0..).zip(formats()) {
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            let key = format.generate(&OsEntropy).unwrap();
            let parsed = set().parse(key.reveal().as_bytes()).map(|k| (k.kind(), k.environment()));
            assert_eq!(parsed, Ok((index, index + 100)));
            assert_eq!(key.reveal().len(), format.key_length());
            assert!(seen.insert(key.reveal().to_owned()));
        }
    }
}

#[test]
fn the_body_is_drawn_by_rejection() {
    let format = format("k_", Alphabet::base36(), 32, Checksum::None);
    // 252 is the largest multiple of 36 in a byte: 252 to 255 stand for no character.
    assert_eq!(format.generate(&Stuck(251)).unwrap().reveal(), format!("k_{}", "z".repeat(32)));
    let error = format.generate(&Stuck(252)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Entropy);
}

#[test]
fn a_failing_source_makes_no_key() {
    struct Failing;
    impl Entropy for Failing {
        fn fill(&self, _: &mut [u8]) -> Result<(), Error> {
            Err(Error::new(ErrorKind::Entropy, "no randomness"))
        }
    }
    for format in formats() {
        assert_eq!(format.generate(&Failing).unwrap_err().kind(), ErrorKind::Entropy);
    }
}

#[test]
fn every_character_is_drawn_about_equally_often() {
    let format = format("k_", Alphabet::base62(), 500, Checksum::None);
    let mut counts = [0_u32; 256];
    for _ in 0..200 {
        format.generate(&OsEntropy).unwrap().reveal()[2..].bytes().for_each(|b| counts[usize::from(b)] += 1);
    }
    // 100,000 draws over 62 characters: mean 1613, standard deviation 40.
    for &c in Alphabet::base62().chars() {
        assert!(
            (1_300..1_930).contains(&counts[usize::from(c)]),
            "{} times {}",
            counts[usize::from(c)],
            c as char
        );
    }
}

#[test]
fn secret_buffers_never_grow() {
    for format in formats() {
        let mut text = String::with_capacity(format.key_length());
        let start = text.as_ptr();
        text.push_str(format.prefix());
        format.push_body(&mut text, &OsEntropy).unwrap();
        format.checksum.append_to(&mut text);
        assert_eq!(text.as_ptr(), start);
        assert_eq!(text.len(), format.key_length());
    }
}

#[test]
fn a_seeded_source_repeats_its_keys() {
    struct Counter(u8);
    impl rand_core::TryRng for Counter {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            rand_core::utils::next_word_via_fill(self)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            rand_core::utils::next_word_via_fill(self)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            for byte in bytes {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Counter {}
    let key = KeyFormat::native("acme", "live").unwrap().generate(&FixedEntropy::new(Counter(0))).unwrap();
    assert_eq!(key.reveal(), "acme_live_0123456789ABCDEFGHIJKLMNOPQRSTUV4IG2In");
}

#[test]
fn a_native_key_fits_one_block_of_sha_256() {
    let longest = KeyFormat::native("acmecorp", "staging").unwrap();
    assert_eq!(longest.key_length(), MAX_NATIVE_KEY_LEN);
    assert_eq!(longest.random_bits(), 190);
    assert!(matches!(
        KeyFormat::native("acmecorp1", "staging"),
        Err(FormatError::TooLong { length: 56, .. })
    ));
    for (prefix, environment) in
        [("", "live"), ("acme", ""), ("ac me", "live"), ("acme", "li,ve"), ("acmé", "x")]
    {
        assert!(matches!(KeyFormat::native(prefix, environment), Err(FormatError::Prefix(_))), "{prefix:?}");
    }
}

#[test]
fn weak_or_oversized_formats_are_load_errors() {
    let new = |prefix: &str, length| KeyFormat::new(prefix, Alphabet::hex(), length, Checksum::None);
    assert!(matches!(new("k_", 31), Err(FormatError::TooFewBits { bits: 124, .. })));
    assert!(new("k_", 32).is_ok());
    assert!(new("k_", 510).is_ok());
    assert!(matches!(new("k_", 511), Err(FormatError::TooLong { length: 513, .. })));
    assert!(matches!(new("k_", usize::MAX), Err(FormatError::TooLong { .. })));
    assert!(matches!(new("", 64), Err(FormatError::Prefix(_))));
    assert!(new(&"p".repeat(64), 64).is_ok());
    assert!(matches!(new(&"p".repeat(65), 64), Err(FormatError::Prefix(_))));
}

#[test]
fn what_is_no_key_says_why_to_the_audit() {
    let hex = |n| "0".repeat(n);
    check_bad(b"", MalformedKey::Length);
    check_bad(b"rsk_", MalformedKey::Length);
    check_bad(format!("rsk_{}", hex(63)).as_bytes(), MalformedKey::Length);
    check_bad(format!("rsk_{}", hex(65)).as_bytes(), MalformedKey::Length);
    check_bad(format!("rsk_{}\n", hex(64)).as_bytes(), MalformedKey::Length);
    check_bad(format!("rsk-{}", hex(64)).as_bytes(), MalformedKey::Prefix);
    check_bad(format!("Rsk_{}", hex(64)).as_bytes(), MalformedKey::Prefix);
    check_bad(format!("rsk_{}A", hex(63)).as_bytes(), MalformedKey::Alphabet);
    check_bad(format!("rsk_{}\u{e9}", hex(62)).as_bytes(), MalformedKey::NotAscii);
    check_bad(format!("mcpstack_xk_{}", hex(43)).as_bytes(), MalformedKey::Prefix);
    check_bad(b"rt_abc", MalformedKey::Length);
    check_bad(format!("rt_{}", hex(43)).as_bytes(), MalformedKey::Length);
    check_bad(&[b'a'; MAX_KEY_LEN + 1], MalformedKey::Length);
    check_bad(b"acme_live_0123456789ABCDEFGHIJKLMNOPQRSTUV4IG2Io", MalformedKey::Checksum);
    check_bad(b"acme_test_0123456789ABCDEFGHIJKLMNOPQRSTUV4IG2In", MalformedKey::Checksum);
}

#[test]
fn two_formats_that_share_a_text_conflict() {
    let new = |prefix: &str, chars: &str, length| {
        let alphabet = Alphabet::custom(chars).unwrap();
        format(prefix, alphabet, length, Checksum::None)
    };
    let hex = "0123456789abcdef";
    let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let cases = [
        (new("k_", hex, 40), new("k_", hex, 40), true),
        (new("k_", hex, 40), new("k_", hex, 41), false),
        (new("k_", hex, 40), new("p_", hex, 40), false),
        (new("k_", hex, 40), new("k_", upper, 40), false),
        (new("k_", hex, 40), new("k_a", hex, 39), true),
        (new("k_", hex, 40), new("k_x", hex, 39), false),
        (new("k_", "0123456789abcdef_", 40), new("k_live_", hex, 35), false),
        (
            new("k_", "abcdefghijklmnopqrstuvwxyz_", 40),
            new("k_live_", "abcdefghijklmnopqrstuvwxyz", 35),
            true,
        ),
        (KeyFormat::native("acme", "live").unwrap(), KeyFormat::native("acme", "test").unwrap(), false),
        (KeyFormat::native("a", "live").unwrap(), new("a_live_", upper, 38), true),
    ];
    for (a, b, expected) in cases {
        assert_eq!((conflict(&a, &b), conflict(&b, &a)), (expected, expected), "{a:?} and {b:?}");
        assert_eq!(FormatSet::new([(a, 0, 0), (b, 1, 0)]).is_err(), expected);
    }
}

#[test]
fn a_policy_has_1_to_64_formats() {
    let many =
        |n: u16| FormatSet::new((0..n).map(|i| (KeyFormat::native("p", &format!("e{i}")).unwrap(), i, 0)));
    assert_eq!(many(0).unwrap_err(), FormatError::Count(0));
    assert!(many(64).is_ok());
    assert_eq!(many(65).unwrap_err(), FormatError::Count(65));
}

#[test]
fn other_systems_tokens_are_told_by_their_prefix() {
    for ours in ["rsk_", "rsk_zz", "mcpstack_pk_1", "acme_live_"] {
        assert!(set().is_ours(ours.as_bytes()), "{ours}");
    }
    for foreign in ["", "rsk", "eyJhbGciOiJIUzI1NiJ9.e30.x", "sk-ant-api03-x", "RSK_", "mcpstack_"] {
        assert!(!set().is_ours(foreign.as_bytes()), "{foreign}");
    }
}

#[test]
fn rs_19_scan_rules_find_keys_of_their_format() {
    let rules: Vec<_> = formats().iter().map(KeyFormat::scan_rule).collect();
    assert_eq!(rules[0], r"\brsk_[0-9a-f]{64}\b");
    assert_eq!(rules[5], r"\ballmcp_[0-9a-z]{32}\b");
    assert_eq!(rules[6], r"\bacme_live_[0-9A-Za-z]{32}[0-9A-Za-z]{6}\b");
    let odd = format("sk-a.", Alphabet::custom("0123456789abcdef-").unwrap(), 40, Checksum::None);
    assert_eq!(odd.scan_rule(), r"\bsk\-a\.[\-0-9a-f]{40}");
}

#[test]
fn a_parsed_key_does_not_print_its_text() {
    let key = formats()[0].generate(&OsEntropy).unwrap();
    let set = set();
    let parsed = set.parse(key.reveal().as_bytes()).unwrap();
    assert_eq!(format!("{parsed:?}"), r#"ParsedKey { text: "redacted", kind: 0, environment: 100 }"#);
    assert_eq!(parsed.as_bytes(), key.reveal().as_bytes());
}

/// What [`FormatSet::parse`] must say about `text`, written the slow and obvious way.
fn oracle(text: &[u8]) -> Option<u16> {
    (0..).zip(formats()).find_map(|(index, format)| {
        let body = text.strip_prefix(format.prefix().as_bytes())?;
        let (body, crc) = body.split_at_checked(format.body_length())?;
        if !body.iter().all(|b| format.alphabet().chars().contains(b)) {
            return None;
        }
        let mut whole = String::from_utf8([format.prefix().as_bytes(), body].concat()).ok()?;
        format.checksum().append_to(&mut whole);
        (whole.as_bytes().ends_with(crc) && whole.len() == text.len()).then_some(index)
    })
}

proptest! {
    #[test]
    fn inv_02_any_changed_byte_is_refused(
        index in 6_usize..8, seed: [u8; 32], at in 0_usize..48, with: u8, act in 0_u8..4,
    ) {
        let key = formats()[index].generate(&OsEntropy).unwrap();
        let mut text = key.reveal().as_bytes().to_vec();
        match act {
            0 => text[at] = with,
            1 => { text.remove(at); }
            2 => text.insert(at, with),
            _ => text.swap(at, (at + usize::from(seed[0])) % 48),
        }
        let accepted = set().parse(&text).is_ok();
        prop_assert_eq!(accepted, text == key.reveal().as_bytes());
    }

    #[test]
    fn inv_03_the_parser_accepts_the_exact_grammar(index in 0_usize..8, edits in proptest::collection::vec((0_usize..80, any::<u8>()), 0..3)) {
        let key = formats()[index].generate(&OsEntropy).unwrap();
        let mut text = key.reveal().as_bytes().to_vec();
        for (at, with) in edits {
            if let Some(byte) = text.get_mut(at) {
                *byte = with;
            }
        }
        prop_assert_eq!(set().parse(&text).ok().map(|k| k.kind()), oracle(&text));
        let alone: Vec<_> = (0..).zip(formats()).filter(|(_, f)| f.is_match(&text)).map(|(i, _)| i).collect();
        prop_assert_eq!(alone, oracle(&text).into_iter().collect::<Vec<_>>());
    }
}
