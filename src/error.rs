//! What went wrong when no decision could be made. An [`Error`] is never an allow and never "invalid key".

use crate::code::Code;
use std::borrow::Cow;
use std::fmt;

/// The class of an [`Error`]; numbers in the C ABI follow it one to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is outside what the call accepts.
    InvalidArgument,
    /// The authority or store is closed.
    Closed,
    /// The process was forked since the handle was opened; open it anew in the child.
    Forked,
    /// The reservation or grant was already settled.
    AlreadySettled,
    /// What the management call names does not exist.
    NotFound,
    /// The management call contradicts the present state, or an operation id was used for something else.
    Conflict,
    /// The management call is refused; [`Error::code`] says why.
    Refused,
    /// The policy document is not valid.
    InvalidPolicy,
    /// The store does not answer; trying again may help.
    StoreUnavailable,
    /// The store did not answer in time; trying again may help.
    StoreTimeout,
    /// The store holds something that cannot be read; nothing is repaired silently.
    StoreCorrupt,
    /// The store's schema is newer than this library, or foreign.
    StoreSchema,
    /// The store's settings do not keep the promises; the message names the remedy.
    StoreUnsafe,
    /// A custom store broke its contract.
    StoreCallback,
    /// The change may have been applied; repeat it with the same operation id.
    OutcomeUnknown,
    /// Too many calls are waiting; trying again may help.
    Overloaded,
    /// The random source failed.
    Entropy,
}

impl ErrorKind {
    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::StoreUnavailable | Self::StoreTimeout | Self::Overloaded)
    }
}

/// Could not decide, or a management call that was refused.
///
/// The message is fit for the caller; details of the store stay in [`std::error::Error::source`] and in `Debug`, which
/// never hold a secret.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Option<Code>,
    message: Cow<'static, str>,
    detail: Option<String>,
    fields: Vec<FieldError>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// One invalid field of a management request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct FieldError {
    /// The field, as the caller wrote it.
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl FieldError {
    /// A complaint about `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Error {
    /// An error of `kind` with a message that says what to do.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: None,
            message: message.into(),
            detail: None,
            fields: Vec::new(),
            source: None,
        }))
    }

    /// A refused management call: the code's own text, its kind from its status.
    #[must_use]
    pub fn refused(code: Code) -> Self {
        let kind = match code.http_status() {
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            503 => ErrorKind::StoreUnavailable,
            _ => ErrorKind::Refused,
        };
        let mut error = Self::new(kind, code.text());
        error.0.code = Some(code);
        error
    }

    /// A `validation_error` about these fields.
    #[must_use]
    pub fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let mut error = Self::refused(Code::ValidationError);
        error.0.fields = fields;
        error
    }

    /// A `validation_error` about one field.
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError::new(field, message)])
    }

    /// Adds the fields concerned to a refusal that has a code of its own, such as `unknown_role`.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.0.fields = fields;
        self
    }

    /// Adds what the caller should know besides the fixed text.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Keeps the cause, which is shown to operators only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code; every error that is not a refusal is `store_unavailable` to the outside.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code.unwrap_or(Code::StoreUnavailable)
    }

    /// The HTTP status of [`Error::code`].
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.code().http_status()
    }

    /// What is wrong, and what to do where there is something to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the caller should know besides the message, such as the words that would have been allowed.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The invalid fields of a `validation_error`.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        for (i, field) in self.0.fields.iter().enumerate() {
            write!(f, "{}`{}` {}", if i == 0 { ": " } else { "; " }, field.field, field.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Error");
        s.field("kind", &self.0.kind).field("message", &self.to_string());
        if let Some(code) = self.0.code {
            s.field("code", &code.name());
        }
        if let Some(source) = &self.0.source {
            s.field("source", &source.to_string());
        }
        s.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| &**e as &(dyn std::error::Error + 'static))
    }
}
