//! The product's own words: a policy names the program, its variables and its org flag. And what must be known before
//! the command line is read: those words, the form of errors, and that nobody has put a key on it.

use crate::failure::Failure;
use crate::output::{Format, variable};
use std::ffi::OsString;
use std::path::PathBuf;
use tenantkit::policy::model::CliNames;
use tenantkit::{Error, Policy};

/// The command line at first sight.
pub(crate) struct Early {
    /// The policy in force, or why it can't be.
    pub(crate) policy: Result<Policy, Error>,
    /// The form of errors.
    pub(crate) format: Format,
    /// The product's words; those of the built-in policy where the policy can't be read.
    pub(crate) names: CliNames,
}

impl Early {
    pub(crate) fn read(arguments: &[OsString]) -> Self {
        let arguments: Vec<&str> =
            arguments.iter().skip(1).filter_map(|argument| argument.to_str()).collect();
        let named =
            value_of(&arguments, "--policy").map(str::to_owned).or_else(|| variable("TENANTKIT_POLICY"));
        let policy =
            named.map_or_else(|| Ok(Policy::builtin()), |path| Policy::from_file(PathBuf::from(path)));
        let format = match value_of(&arguments, "--output") {
            Some("jsonl") => Format::Jsonl,
            Some("json") => Format::Json,
            _ if options(&arguments).any(|argument| *argument == "--json") => Format::Json,
            _ => Format::Table,
        };
        let names =
            policy.as_ref().map_or_else(|_| Policy::builtin().cli().clone(), |policy| policy.cli().clone());
        Self { policy, format, names }
    }

    /// A key that stands on the command line is in the shell's history and in the list of processes by now.
    ///
    /// # Errors
    /// Names the argument by its place and repeats nothing of it.
    pub(crate) fn refuse_keys(&self, arguments: &[OsString]) -> Result<(), Failure> {
        let builtin = Policy::builtin();
        let policies = [Some(&builtin), self.policy.as_ref().ok()];
        for (place, argument) in arguments.iter().enumerate().skip(1) {
            let argument = argument.to_string_lossy();
            let words = argument.split(|c: char| !c.is_ascii_alphanumeric() && !"_-+/.".contains(c));
            if words
                .into_iter()
                .any(|word| policies.iter().flatten().any(|policy| looks_like_key(policy, word)))
            {
                let message = format!(
                    "argument {place} holds an API key, which is now in the shell's history and was seen by whoever lists \
                     processes; nothing was done"
                );
                let fix = format!(
                    "replace that key, and give keys on stdin (`--key -`), in a file (`--key FILE`) or in `{}`",
                    self.names.key_env
                );
                return Err(Failure::usage(message).code("key_on_command_line").fix(fix));
            }
        }
        Ok(())
    }
}

/// Whether a word is a key of the policy, or so much of one that it gives away more than listings show.
fn looks_like_key(policy: &Policy, word: &str) -> bool {
    let bytes = word.as_bytes();
    let is_part =
        |prefix: &str, length: usize| word.starts_with(prefix) && word.len() * 2 > length + prefix.len();
    policy.formats().parse(bytes).is_ok()
        || policy.formats().iter().any(|(format, _, _)| is_part(format.prefix(), format.key_length()))
}

/// The arguments that are options, which end at `--`.
fn options<'a>(arguments: &'a [&'a str]) -> impl Iterator<Item = &'a &'a str> {
    arguments.iter().take_while(|argument| **argument != "--")
}

/// The value of an option in either form.
fn value_of<'a>(arguments: &'a [&'a str], name: &str) -> Option<&'a str> {
    let mut options = options(arguments);
    while let Some(argument) = options.next() {
        if *argument == name {
            return options.next().copied();
        }
        if let Some(value) = argument.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantkit::entropy::OsEntropy;

    fn arguments(words: &[&str]) -> Vec<OsString> {
        std::iter::once("tenantkit").chain(words.iter().copied()).map(OsString::from).collect()
    }

    #[test]
    fn options_are_seen_in_both_forms_and_not_behind_the_end_of_options() {
        let cases = [
            (&["keys", "list", "--json"][..], Format::Json),
            (&["--output", "jsonl", "keys", "list"], Format::Jsonl),
            (&["--output=json", "keys"], Format::Json),
            (&["--output=csv", "keys"], Format::Table),
            (&["keys", "get", "--", "--json"], Format::Table),
        ];
        for (words, format) in cases {
            assert_eq!(Early::read(&arguments(words)).format, format, "{words:?}");
        }
    }

    #[test]
    fn a_key_is_found_wherever_it_hides_and_never_repeated() {
        let policy = Policy::builtin();
        let (format, _, _) = policy.formats().iter().next().unwrap();
        let key = format.generate(&OsEntropy).unwrap();
        let text = key.reveal();
        for argument in [
            text.to_owned(),
            format!("--key={text}"),
            format!("Authorization: Bearer {text}"),
            format!("'{text}'"),
            text[..text.len() - 4].to_owned(),
        ] {
            let words = arguments(&["check", "request", &argument]);
            let failure = Early::read(&words).refuse_keys(&words).unwrap_err();
            assert!(!format!("{failure:?}").contains(&text[10..22]), "{failure:?}");
        }
    }

    #[test]
    fn what_is_no_key_passes() {
        let words = arguments(&[
            "keys",
            "get",
            "key_01jz8m0c4qf9r8x7s6t5v4w3y2",
            "--name",
            "tk_live_server",
            "tk_live_0123abcd",
        ]);
        assert!(Early::read(&words).refuse_keys(&words).is_ok());
    }
}
