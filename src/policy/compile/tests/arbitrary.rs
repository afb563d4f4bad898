//! Whatever stands in a document, reading it ends, in a policy or in faults that can be shown.

use crate::policy::{BUILTIN_POLICY, MAX_ERRORS, Policy};
use proptest::prelude::*;

const EXAMPLES: [&str; 8] = [
    BUILTIN_POLICY,
    include_str!("../../../../examples/policies/runstack.toml"),
    include_str!("../../../../examples/policies/mcpstack.toml"),
    include_str!("../../../../examples/policies/mcpstack-extended.toml"),
    include_str!("../../../../examples/policies/runtype.toml"),
    include_str!("../../../../examples/policies/runtype-extended.toml"),
    include_str!("../../../../examples/policies/allmcp.toml"),
    include_str!("../../../../examples/policies/allmcp-extended.toml"),
];

/// Pieces that mean something at many places.
const PIECES: [&str; 24] = [
    "\n",
    "=",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "\"",
    "'''",
    "#",
    ",",
    ".",
    "-1",
    "0",
    "9007199254740992",
    "1e400",
    "nan",
    "true",
    "2026-01-01",
    "\"\"",
    "\u{202e}",
    "\u{0}",
    "[limits]\n",
    "name = []\n",
];

/// Whether it has faults.
fn ends_well(text: &str) -> bool {
    let Err(faults) = Policy::parse(text) else { return false };
    assert!((1..=MAX_ERRORS).contains(&faults.iter().len()));
    let lines = text.split('\n').count();
    for fault in &faults {
        assert!((1..=lines).contains(&fault.line()), "{fault}");
        assert!(fault.column() >= 1 && fault.end_column() > fault.column(), "{fault}");
        assert!(!fault.message().is_empty() && !fault.message().ends_with('.'), "{fault}");
        assert!(fault.to_string().len() < 20_000, "{fault}");
    }
    true
}

fn nearest_boundary(text: &str, mut at: usize) -> usize {
    at %= text.len() + 1;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

proptest! {
    #[test]
    fn any_text_ends_well(text in ".{0,300}") {
        ends_well(&text);
    }

    #[test]
    fn any_pieces_end_well(pieces in prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..60)) {
        ends_well(&pieces.concat());
    }

    #[test]
    fn a_damaged_policy_ends_well(
        which in 0..EXAMPLES.len(),
        cuts in prop::collection::vec((any::<usize>(), 0..40_usize, prop::sample::select(PIECES.as_slice())), 1..6),
    ) {
        let mut text = EXAMPLES[which].to_owned();
        for (at, length, piece) in cuts {
            let from = nearest_boundary(&text, at);
            let to = nearest_boundary(&text, (from + length).min(text.len()));
            text.replace_range(from..to.max(from), piece);
        }
        ends_well(&text);
    }

    #[test]
    fn a_policy_without_one_line_ends_well(which in 0..EXAMPLES.len(), line in any::<prop::sample::Index>()) {
        let lines: Vec<&str> = EXAMPLES[which].lines().collect();
        let without = line.index(lines.len());
        let kept: Vec<&str> = lines.iter().enumerate().filter(|(i, _)| *i != without).map(|(_, l)| *l).collect();
        ends_well(&kept.join("\n"));
    }

    #[test]
    fn a_policy_with_other_numbers_ends_well(which in 0..EXAMPLES.len(), number in any::<u64>()) {
        let digits = |c: char| c.is_ascii_digit();
        let text: Vec<String> = EXAMPLES[which].split_inclusive('\n').map(|line| match line.split_once("= ") {
            Some((field, value)) if value.starts_with(digits) => format!("{field}= {number}\n"),
            _ => line.to_owned(),
        }).collect();
        ends_well(&text.concat());
    }
}

#[test]
fn hostile_documents_end_too() {
    let many = |piece: &str| piece.repeat(50_000 / piece.len());
    for text in [
        many("["),
        many("{"),
        many("a={"),
        many("a."),
        many("\""),
        many("=\n"),
        many("a=1\n"),
        (0..5_000).map(|i| format!("a{i}=1\n")).collect(),
        (0..5_000).map(|i| format!("[t{i}]\n")).collect(),
        format!("name='x'\nentitlements=[{}]", many("'a',")),
        format!("name='x'\n[operations.a]\nlevel='org'\npermission=[{}]", many("'abc',")),
        // Work that grew with the square of a list would not end here.
        format!("name='x'\n[domains]\nmethods=[{}]", "'dns',".repeat(160_000)),
        format!("name='x'\nlimits=[{}]", "{name='l'},".repeat(90_000)),
        format!("name='x'\npermissions=[{{group='a',names=[{}]}}]", "'p',".repeat(200_000)),
    ] {
        assert!(ends_well(&text));
    }
}
