//! What went wrong: a code for programs, words for people, what to do next, and the exit status.

use crate::output::{Format, say};
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use tenantkit::error::FieldError;
use tenantkit::policy::model::CliNames;
use tenantkit::{Code, Error, ErrorKind};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or allowed.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line, or what it needs from outside, is not complete or not valid; nothing was done.
    Usage = 2,
    /// The request that was to be judged is denied.
    Denied = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: &'static str,
    message: String,
    fields: Vec<FieldError>,
    cause: Option<String>,
    fix: Option<String>,
    /// Nobody reads what would be said.
    is_silent: bool,
}

impl Failure {
    /// A failure with a code of the program's own.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            exit: Exit::Failed,
            code,
            message,
            fields: Vec::new(),
            cause: None,
            fix: None,
            is_silent: false,
        }
    }

    /// A command line, or an input it names, that can't be used: exit status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new("usage", message) }
    }

    /// The policy can't be used. It is asked for again and again, so its error is told without being given away.
    pub(crate) fn policy(error: &Error) -> Self {
        Self::new(code_of_kind(error.kind()), words(error))
    }

    /// A file that can't be read or written.
    pub(crate) fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new("file_error", format!("{what} `{}`: {error}", path.display()))
    }

    /// Stdout does not take what was to be printed. A reader that has gone is told nothing.
    pub(crate) fn stdout(error: &std::io::Error) -> Self {
        let is_silent = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self { is_silent, ..Self::new("output_error", format!("the output can't be written: {error}")) }
    }

    /// Something that a test would have found.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        Self::new("internal_error", format!("this should not happen; please report it: {error}"))
    }

    /// With what to do next.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// With another exit status.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// With another code.
    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// With something said besides, before what was said already.
    pub(crate) fn but(mut self, first: impl std::fmt::Display) -> Self {
        self.message = format!("{first}: {}", self.message);
        self.is_silent = false;
        self
    }

    pub(crate) fn status(&self) -> Exit {
        self.exit
    }

    /// Whether nothing was done because of how the program was called.
    pub(crate) fn is_usage(&self) -> bool {
        self.exit == Exit::Usage
    }

    /// Says it on stderr. `names` are the product's own words for the remedies.
    pub(crate) fn tell(&self, format: Format, names: &CliNames) {
        if self.is_silent {
            return;
        }
        let fix = self.fix.clone().or_else(|| remedy(self.code, names));
        match format {
            Format::Table | Format::Csv => say(&self.text(fix.as_deref())),
            Format::Json | Format::Jsonl => say(&format!("{}\n", self.json(fix.as_deref()))),
        }
    }

    fn text(&self, fix: Option<&str>) -> String {
        let mut text = format!("error: {}\n", self.message);
        for field in &self.fields {
            text += &format!("  `{}` {}\n", field.field, field.message);
        }
        if let Some(cause) = &self.cause {
            text += &format!("  because: {cause}\n");
        }
        if let Some(fix) = fix {
            text += &format!("  fix: {fix}\n");
        }
        text
    }

    fn json(&self, fix: Option<&str>) -> Value {
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.code));
        error.insert("message".to_owned(), json!(self.message));
        error.insert("exit".to_owned(), json!(self.exit as u8));
        if !self.fields.is_empty() {
            error.insert("fields".to_owned(), json!(self.fields));
        }
        if let Some(cause) = &self.cause {
            error.insert("cause".to_owned(), json!(cause));
        }
        if let Some(fix) = fix {
            error.insert("fix".to_owned(), json!(fix));
        }
        json!({ "error": error })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.cause.iter().try_for_each(|cause| write!(f, "; {cause}"))?;
        self.fix.iter().try_for_each(|fix| write!(f, "; {fix}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let is_refusal =
            matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Conflict);
        let code = if is_refusal { error.code().name() } else { code_of_kind(error.kind()) };
        let message = words(&error);
        // Whoever runs this program is the operator: what the store said is for them. The faults of a policy are told
        // in the detail already.
        let source = std::error::Error::source(&error).filter(|_| error.kind() != ErrorKind::InvalidPolicy);
        let cause = source.map(ToString::to_string).filter(|cause| !message.contains(cause.as_str()));
        Self { fields: error.fields().to_vec(), cause, ..Self::new(code, message) }
    }
}

/// Message and detail; the fields stand apart.
fn words(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.message()),
        None => error.message().to_owned(),
    }
}

/// What `--json` says of an error that is no refusal.
fn code_of_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidPolicy => "policy_invalid",
        ErrorKind::InvalidArgument => "configuration_invalid",
        ErrorKind::StoreTimeout => "store_timeout",
        ErrorKind::StoreCorrupt => "store_corrupt",
        ErrorKind::StoreSchema => "store_schema",
        ErrorKind::StoreUnsafe => "store_unsafe",
        ErrorKind::OutcomeUnknown => "outcome_unknown",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::Entropy => "entropy_failed",
        _ => "store_unavailable",
    }
}

/// What to do about a code, in the product's own words.
pub(crate) fn remedy(code: &str, names: &CliNames) -> Option<String> {
    let CliNames { program, key_env, org_env, org_flag, .. } = names;
    Some(match Code::from_name(code) {
        Some(Code::OrgMismatch | Code::OrgNotAllowed | Code::OrgRequired | Code::OrgUnexpected) => {
            format!(
                "name the right org with `{org_flag} ID` for this command, or set `{org_env}` for all of them"
            )
        }
        Some(Code::UserRequired | Code::UserMismatch | Code::UserNotAllowed) => {
            "name the right user with `--user ID`".to_owned()
        }
        Some(Code::BindingInvalid) => {
            format!(
                "`{org_flag} ID` and `--user ID` name whom the key is for; `{program} keys options` shows the presets"
            )
        }
        Some(Code::MissingCredential) => format!("set `{key_env}`, or give the key on stdin with `--key -`"),
        Some(Code::InvalidKey | Code::KeyExpired) => {
            format!("`{program} keys list --all` shows which keys there are and how they stand")
        }
        Some(Code::KeyNotFound) => {
            format!(
                "`{program} keys list --all` shows the keys of the account; `--account` names another one"
            )
        }
        Some(Code::UnknownPlan | Code::UnknownRole | Code::UnknownPermission) => {
            format!("`{program} keys options` shows what may be chosen")
        }
        Some(Code::OrgNotFound | Code::UserNotFound | Code::ResourceNotFound) => {
            format!("`{program} tenants list` shows the tenants; `{program} tenants put` registers one")
        }
        Some(Code::OrgSuspended | Code::UserSuspended | Code::AccountSuspended) => {
            format!("`{program} tenants resume` puts it into use again")
        }
        Some(Code::TenantDeleted) => format!("`{program} tenants release` frees the id"),
        Some(Code::RotationInProgress) => {
            format!("`{program} keys cancel-rotation ID` ends the one that is running")
        }
        Some(Code::VersionConflict) => {
            format!("read it again with `{program} keys get ID` and repeat the change")
        }
        Some(Code::OperationConflict) => "give another `--operation-id`".to_owned(),
        Some(Code::UsageLimitReached) => {
            format!("`{program} keys update ID --plan PLAN` changes the plan; the count stays")
        }
        Some(Code::DomainNotVerified) => "verify the domain in the host first".to_owned(),
        _ => match code {
            "policy_invalid" => format!("mend the file; `{program} policy check FILE` checks it"),
            "store_unavailable" | "store_timeout" | "store_corrupt" | "store_schema" | "store_unsafe" => {
                format!("`{program} doctor` shows what is wrong and what helps")
            }
            "outcome_unknown" => "repeat the command with the same `--operation-id`".to_owned(),
            "usage" => format!("`{program} --help` shows the commands; `--help` after a command its options"),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantkit::Policy;

    #[test]
    fn the_remedy_for_a_wrong_org_names_flag_and_variable() {
        let names = Policy::builtin().cli().clone();
        for code in ["org_mismatch", "org_not_allowed"] {
            let text = remedy(code, &names).unwrap();
            assert!(text.contains("--org") && text.contains("TENANTKIT_ORG_ID"), "{text}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_code_and_its_fields() {
        let error = Error::refused(Code::UnknownRole)
            .with_fields(vec![FieldError::new("role", "is not one of `viewer`")]);
        let failure = Failure::from(error);
        assert_eq!((failure.code, failure.exit), ("unknown_role", Exit::Failed));
        let json = failure.json(Some("do this"));
        assert_eq!(json["error"]["fields"][0]["field"], "role");
        assert_eq!(
            failure.text(None),
            "error: there is no such role, or keys may not hold it\n  `role` is not one of `viewer`\n"
        );
    }

    #[test]
    fn every_kind_of_error_has_a_code() {
        let failure = Failure::from(Error::new(ErrorKind::InvalidPolicy, "the policy is not valid"));
        assert_eq!(failure.code, "policy_invalid");
        assert!(remedy(failure.code, Policy::builtin().cli()).unwrap().contains("policy check"));
    }
}
