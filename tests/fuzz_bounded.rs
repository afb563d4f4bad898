//! The fuzz targets on stable Rust, bounded: mutations of the corpus under a seed, so that a failure repeats.
//!
//! `TENANTKIT_FUZZ_INPUTS` sets the inputs per target (20,000), `TENANTKIT_FUZZ_SEED` the seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

#[path = "fuzz/src/lib.rs"]
mod targets;

use std::panic::catch_unwind;

/// The bytes of every case, from all files.
const CORPUS: [&str; 8] = [
    include_str!("corpus/a-key-text.json"),
    include_str!("corpus/b-checksum.json"),
    include_str!("corpus/c-unicode.json"),
    include_str!("corpus/d-headers.json"),
    include_str!("corpus/e-wrong-place.json"),
    include_str!("corpus/f-origins.json"),
    include_str!("corpus/g-addresses.json"),
    include_str!("corpus/h-tenant-ids.json"),
];

/// Pieces of the grammars, which random bytes seldom hit.
const PIECES: [&[u8]; 30] = [
    b"acme_live_",
    b"rsk_",
    b"x.",
    b"Bearer ",
    b"bearer",
    b"Authorization:",
    b"X-API-Key:",
    b"\nX-API-Key:",
    b"\n",
    b" ",
    b",",
    b"https://",
    b"http://",
    b"*.",
    b"xn--",
    b":443",
    b".example.com",
    b"[::1]",
    b"127.0.0.1",
    b"::ffff:",
    b"/24",
    b"for=",
    b"for=\"",
    b";",
    b"\"",
    b"user_id=",
    b"%75ser_id=",
    b"%",
    b"&",
    b"key_",
];

/// Inputs stay below this, in bytes.
const MAX_LEN: usize = 2_048;

struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Every string of hexadecimal digits in the corpus, as bytes, with the headers of a request as lines.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![Vec::new()];
    for file in CORPUS {
        collect(&serde_json::from_str(file).unwrap(), &mut seeds);
    }
    seeds.extend(PIECES.iter().map(|piece| piece.to_vec()));
    seeds.extend([b"10.0.0.0/8", b"fd00::/127"].map(|text| text.to_vec()));
    let digests: [&[u8]; 4] = [
        b"key_01fwhe4yfgy0c0000000000001",
        b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        b"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        b"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
    ];
    seeds.extend(digests.map(<[u8]>::to_vec));
    assert!(seeds.len() > 400, "the corpus has many more seeds than {}", seeds.len());
    seeds
}

fn collect(value: &serde_json::Value, seeds: &mut Vec<Vec<u8>>) {
    let bytes = |value: &serde_json::Value| data_encoding::HEXLOWER.decode(value.as_str()?.as_bytes()).ok();
    match value {
        serde_json::Value::Array(items) => {
            if let [serde_json::Value::String(name), text] = items.as_slice()
                && let Some(text) = bytes(text)
            {
                seeds.push([name.as_bytes(), b":", &text].concat());
            }
            items.iter().for_each(|item| collect(item, seeds));
        }
        serde_json::Value::Object(members) => members.values().for_each(|member| collect(member, seeds)),
        _ => seeds.extend(bytes(value)),
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(9) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.next() as u8,
        2 if at < input.len() => {
            input.remove(at);
        }
        3 => input.insert(at, random.next() as u8),
        4 => input.insert(at, b' ' + random.below(95) as u8),
        5 => input.truncate(at),
        6 if at < input.len() => {
            let part = input[at..].to_vec();
            input.extend(part);
        }
        7 => {
            let other = &seeds[random.below(seeds.len())];
            input.splice(at..at, other[..random.below(other.len() + 1)].iter().copied());
        }
        _ => {
            let piece = PIECES[random.below(PIECES.len())];
            input.splice(at..at, piece.iter().copied());
        }
    }
    input.truncate(MAX_LEN);
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

fn run(name: &str) {
    let (_, target) = targets::TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target");
    let (inputs, seed) = (number("TENANTKIT_FUZZ_INPUTS", 20_000), number("TENANTKIT_FUZZ_SEED", 1));
    let seeds = seeds();
    let mut random = Random(seed);
    let checked = |input: &[u8]| {
        if catch_unwind(|| target(input)).is_err() {
            panic!("`{name}` fails for seed {seed} on {}", data_encoding::HEXLOWER.encode(input));
        }
    };
    seeds.iter().for_each(|input| checked(input));
    for _ in 0..inputs {
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &seeds, &mut random);
        }
        checked(&input);
    }
}

macro_rules! targets {
    ($($name:ident)+) => {
        $( #[test] fn $name() { run(stringify!($name)); } )+

        #[test]
        fn every_target_runs_here_and_under_cargo_fuzz() {
            let here: Vec<_> = [$(stringify!($name)),+].to_vec();
            assert_eq!(here, targets::TARGETS.map(|(name, _)| name));
            for name in here {
                let file = format!("{}/tests/fuzz/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
                assert!(std::fs::read_to_string(file).unwrap().contains(&format!("tenantkit_fuzz::{name}(data)")));
            }
        }
    };
}

targets! {
    key_parse two_parsers checksum header_extraction authorization_grammar origin addresses id_encoding query
}
