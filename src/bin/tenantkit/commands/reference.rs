//! The reference of all commands as Markdown, written from the definitions that read the command line.

use clap::{Arg, Command};
use std::fmt::Write;

const HEAD: &str = "# Command line

What `tenantkit` takes, command by command. This page is written from the program's own definitions; a test proves it
fresh (`TENANTKIT_BLESS=1` writes it anew).

## Streams and exit status

Data is on stdout, everything else on stderr. Tables are for people; `--output json`, `jsonl` and `csv` are for
programs, and what they hold does not depend on the terminal. With JSON, errors are JSON too:
`{\"error\": {\"code\", \"message\", \"exit\", \"fix\", ...}}`. Colour is used on terminals only, never without words that say
the same, and not at all where `NO_COLOR` is set or `TERM` is `dumb`.

| exit | meaning |
|---|---|
| 0 | done, or allowed |
| 1 | failed |
| 2 | wrong usage; nothing was done |
| 3 | denied: `check` and `explain` decided, and the answer is no |
| 130 | interrupted (ended by the signal, as shells show it) |

Codes of failures are those of [codes](codes.md), and: `usage`, `confirmation_needed`, `not_confirmed`,
`key_on_command_line`, `policy_invalid`, `configuration_invalid`, `store_missing`, `store_unavailable`, `store_timeout`,
`store_corrupt`, `store_schema`, `store_unsafe`, `outcome_unknown`, `overloaded`, `entropy_failed`, `file_error`,
`file_exists`, `output_error`, `partly_done`, `audit_broken`, `vectors_failed`, `unhealthy`, `unknown_operation`,
`internal_error`.

## Secrets

Keys, peppers and seal keys never stand on the command line: they come from stdin (`-`), from a file, or from a
variable; each variable has a form with `_FILE` that names a file. A command line that holds a key is refused.

| variable | holds |
|---|---|
| the policy's `cli.key_env`, by default `TENANTKIT_API_KEY` | the key that `check` and `explain` judge |
| the policy's `cli.org_env`, by default `TENANTKIT_ORG_ID` | the org, where the org flag is not given |
| `TENANTKIT_PEPPER` | peppers as `NUMBER:HEX`, the one in use first, for policies with `digest = \"hmac-sha256\"` |
| `TENANTKIT_SEAL_KEY` | keys as `NUMBER:HEX` that seal texts which can be shown again, the one in use first |

A new key is printed once, alone, on stdout, so that it can be piped to where it belongs.

## A product's own words

A policy names the program, its variables and its org flag (`[cli]`); help, errors and completions use them. Link the
program under the product's name, or call it as `tenantkit`: both are the same.

";

/// The page.
pub(crate) fn markdown(command: &Command) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "## Options of every command\n");
    options(&mut page, command.get_arguments().filter(|argument| is_shown(argument)));
    for group in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(&mut page, &[command.get_name()], group, 2);
    }
    page.trim_end().to_owned() + "\n"
}

fn section(page: &mut String, above: &[&str], command: &Command, depth: usize) {
    let mut path = above.to_vec();
    path.push(command.get_name());
    let _ = writeln!(page, "{} `{}`\n", "#".repeat(depth), path.join(" "));
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        let _ = writeln!(page, "{}.\n", sentence(&about.to_string()));
    }
    let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        let _ = writeln!(page, "Also: {}.\n", aliases.join(", "));
    }
    if let Some(examples) = command.get_before_help() {
        let examples = examples.to_string();
        let lines: Vec<&str> =
            examples.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).collect();
        let _ = writeln!(page, "```console\n{}\n```\n", lines.join("\n"));
    }
    let own = command.get_arguments().filter(|argument| is_shown(argument) && !argument.is_global_set());
    options(page, own);
    for child in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(page, &path, child, depth + 1);
    }
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let rows: Vec<String> = arguments.map(row).collect();
    if !rows.is_empty() {
        let _ = writeln!(page, "| option | meaning |\n|---|---|\n{}\n", rows.join("\n"));
    }
}

fn row(argument: &Arg) -> String {
    let takes = argument.get_action().takes_values();
    let values: Vec<String> =
        argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let values = values.join(" ");
    let mut name = match (argument.get_long(), argument.get_short()) {
        (Some(long), Some(short)) => format!("-{short}, --{long}"),
        (Some(long), None) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => values.clone(),
    };
    if takes && !argument.is_positional() {
        name += &format!(" {values}");
    }
    let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if takes && !possible.is_empty() {
        help += &format!(": {}", possible.join(", "));
    }
    let default: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
    if takes && !default.is_empty() {
        help += &format!(" (default {})", default.join(", "));
    }
    if let Some(variable) = argument.get_env() {
        help += &format!(" (variable `{}`)", variable.display());
    }
    format!("| `{name}` | {} |", help.replace('|', "\\|"))
}

fn is_shown(argument: &Arg) -> bool {
    !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
}

/// Text of several lines as one, without a final stop.
fn sentence(text: &str) -> String {
    let paragraphs: Vec<String> =
        text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let text = paragraphs.iter().map(|part| part.trim_end_matches('.')).collect::<Vec<_>>().join(".\n\n");
    text.trim_end_matches('.').to_owned()
}
