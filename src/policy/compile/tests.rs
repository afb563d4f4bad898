//! Faults, one rule each: the smallest document that breaks it, and where and how it is reported.
//!
//! Most documents are [`BASE`] with something behind it, so that their own lines begin at 3.

use crate::policy::{MAX_ERRORS, Policy, PolicyError, PolicyErrors};

const BASE: &str = "name = \"acme\"\nkinds.key = { native = \"ak\", presets.solo = { org = \"none\" } }\n";

mod arbitrary;
mod kinds;
mod limits;
mod operations;
mod rights;
mod rules;

/// A fault that must be reported, and the only one.
struct Case {
    /// The document; `BASE` stands before it unless it begins with `name`.
    text: &'static str,
    /// Line, what is marked in it, and field.
    place: (usize, &'static str, &'static str),
    /// A part of the message.
    says: &'static str,
    /// The word that was probably meant.
    suggests: Option<&'static str>,
}

const fn case(text: &'static str, place: (usize, &'static str, &'static str), says: &'static str) -> Case {
    Case { text, place, says, suggests: None }
}

const fn slip(
    text: &'static str,
    place: (usize, &'static str, &'static str),
    says: &'static str,
    suggests: &'static str,
) -> Case {
    Case { text, place, says, suggests: Some(suggests) }
}

fn document(text: &str) -> String {
    if text.starts_with("name") { text.to_owned() } else { format!("{BASE}{text}") }
}

fn faults(text: &str) -> PolicyErrors {
    match Policy::parse(&document(text)) {
        Ok(_) => panic!("nothing is wrong with:\n{}", document(text)),
        Err(faults) => faults,
    }
}

/// The part of the text that a fault points at.
fn marked(text: &str, fault: &PolicyError) -> String {
    let document = document(text);
    let line = document.lines().nth(fault.line() - 1).unwrap_or_default();
    line.chars().take(fault.end_column() - 1).skip(fault.column() - 1).collect()
}

fn check(cases: &[Case]) {
    for Case { text, place: (line, marks, field), says, suggests } in cases {
        let found = faults(text);
        let shown = format!("of:\n{}\nfound:\n{found}", document(text));
        let [fault] = found.iter().as_slice() else { panic!("more than one fault {shown}") };
        assert_eq!((fault.line(), fault.field()), (*line, *field), "{shown}");
        assert_eq!(marked(text, fault), *marks, "{shown}");
        assert!(fault.message().contains(says), "`{says}` is not in the message {shown}");
        assert_eq!(fault.suggestion(), *suggests, "{shown}");
    }
}

#[track_caller]
fn accepted(text: &str) -> Policy {
    Policy::parse(&document(text)).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_smallest_policy_is_a_name_and_a_kind() {
    let policy = accepted("");
    assert_eq!(policy.environments().names().collect::<Vec<_>>(), ["default"]);
    assert_eq!(policy.default_environment().unwrap().index, 0);
    assert_eq!(policy.formats().iter().next().unwrap().0.prefix(), "ak_");
    assert!(policy.limits().is_empty() && policy.plans().is_empty() && policy.operations().is_empty());
}

#[test]
fn inv_35_unknown_fields_and_all_other_faults_are_reported_in_the_order_of_the_text() {
    let found = faults(
        "[operations.a]\nlevel = \"users\"\ncost = 1\nrote = \"GET /\"\n[plans.FREE]\nlabell = \"x\"\n",
    );
    let lines: Vec<usize> = found.iter().map(|fault| fault.line()).collect();
    assert_eq!(lines, [1, 4, 5, 6, 8], "{found}");
}

#[test]
fn a_misspelt_field_is_not_reported_as_missing_too() {
    check(&[slip(
        "name = \"acme\"\n[kinds.key]\nnativ = \"ak\"\npresets.solo = {}\n",
        (3, "nativ", "kinds.key.nativ"),
        "unknown field `nativ`",
        "native",
    )]);
}

#[test]
fn no_more_faults_are_reported_than_can_be_read() {
    let mut text = String::from("entitlements = [\n");
    for i in 0..500 {
        text.push_str(&format!("  \"b\\u0000{i}\",\n"));
    }
    let found = faults(&(text + "]\n"));
    assert!(found.iter().len() <= MAX_ERRORS);
    let mut text = String::new();
    for i in 0..500 {
        text.push_str(&format!("[operations.o{i}]\nlevel = \"org\"\npermission = \"X\"\n"));
    }
    let found = faults(&text);
    assert_eq!((found.iter().len(), found.omitted()), (MAX_ERRORS, 500 - MAX_ERRORS));
    assert!(found.to_string().ends_with("and 400 more"));
}
