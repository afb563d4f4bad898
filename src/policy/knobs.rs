//! The words a policy chooses between. Each enum is one field of the document; its `Default` is what holds when the
//! field is left out, and its words in TOML are the variants in `snake_case` unless a variant says otherwise.

use serde::{Deserialize, Serialize};

/// Declares enums that are read from one word of the document and carried unchanged into the compiled policy.
macro_rules! knobs {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$variant_doc:meta])* $variant:ident $word:literal, )+ } )+) => { $(
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        $(#[$doc])*
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_doc])* #[serde(rename = $word)] $variant, )+
        }

        impl $name {
            /// All words, in the order in which the reference lists them.
            pub const WORDS: &'static [&'static str] = &[ $( $word, )+ ];

            /// The word as the document writes it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }
    )+ };
}

knobs! {
    /// Whether a key of a kind may ever be seen by others than its holder.
    KindClass {
        /// A secret: shown once, kept out of browsers.
        #[default]
        Secret "secret",
        /// Made to be published, for example in a web page; it calls only operations marked `public`.
        Publishable "publishable",
    }

    /// Whether the text of a key can be shown again after its creation. Anything but `never` needs a sealing key.
    Reveal {
        /// Never: the text is not kept.
        #[default]
        Never "never",
        /// For keys of sandbox environments only.
        TestOnly "test_only",
        /// Always.
        Always "always",
    }

    /// How keys are turned into what is stored.
    DigestScheme {
        /// SHA-256 of the whole key.
        #[default]
        Sha256 "sha256",
        /// HMAC-SHA-256 of the whole key under a pepper that the host configures.
        HmacSha256 "hmac-sha256",
    }

    /// A form of binding that keys of a kind may have on the org or user axis.
    BindingForm {
        /// The axis does not exist for the key.
        None "none",
        /// One id, chosen when the key is issued.
        #[default]
        Fixed "fixed",
        /// One id: that of the org or user the key is issued for, never another.
        Owner "owner",
        /// A list of ids, with or without a default among them.
        List "list",
        /// Any id that the request names.
        Open "open",
        /// User axis only: no user is fine for operations of org level, else as `open`.
        Optional "optional",
    }

    /// Whether list and open bindings get a default when the issuer names none.
    Absent {
        /// No: a request that leaves the parameter out is refused, unless the issuer gave this key a default.
        #[default]
        Reject "reject",
        /// Yes: the org or user the key is issued for.
        Default "default",
    }

    /// What happens to a parameter that contradicts a fixed binding or names an axis the key does not have.
    ExtraParam {
        /// The request is refused.
        #[default]
        Reject "reject",
        /// The key's own binding holds, with a warning header and an audit line.
        Ignore "ignore",
    }

    /// What an open binding does with an id that nobody registered.
    UnknownTenant {
        /// Refuses it with 404.
        #[default]
        KnownOnly "known_only",
        /// Registers it on first use, up to the caps.
        Create "create",
    }

    /// How a request proves that it may act for the user it names.
    UserProof {
        /// It need not: the holder of the key is trusted. For publishable kinds: no user can be named.
        #[default]
        None "none",
        /// A signature under a secret of the account, at most 5 minutes old.
        Hmac "hmac",
    }

    /// Whether keys of a kind have something.
    Need {
        /// They never have it.
        #[default]
        None "none",
        /// They may have it.
        Optional "optional",
        /// They always have it.
        Required "required",
    }

    /// What an empty origin list means.
    EmptyOrigins {
        /// Such a key is not created.
        #[default]
        RefuseCreate "refuse_create",
        /// It may be used from any origin.
        AllowAny "allow_any",
    }

    /// What happens to a secret key that arrives with an `Origin`, as from a browser.
    SecretWithOrigin {
        /// It passes.
        Allow "allow",
        /// It passes, with a warning header and an audit line.
        Warn "warn",
        /// 403 `secret_key_in_browser`, and an audit line.
        #[default]
        Reject "reject",
    }

    /// When units count.
    CountOn {
        /// At admission, whatever becomes of the call.
        #[default]
        Admit "admit",
        /// When the host commits the call; until then they are reserved.
        Success "success",
    }

    /// What an exhausted limit stops.
    Block {
        /// Operations that count on it.
        #[default]
        Counted "counted",
        /// Every operation of the subject.
        All "all",
    }

    /// Whose record names the plan. A key's own plan wins wherever it has one.
    PlanOn {
        /// The key's.
        #[default]
        Key "key",
        /// The org's.
        Org "org",
        /// The account's.
        Account "account",
    }

    /// Who may choose a plan other than the default.
    PlanChoice {
        /// Administrators.
        #[default]
        Admin "admin",
        /// Anybody who may issue a key.
        Any "any",
        /// A function of the host decides.
        Hook "hook",
    }

    /// Which calls move `last_used_at`.
    LastUsedOn {
        /// Every allowed call.
        #[default]
        Any "any",
        /// Allowed calls that count.
        Counted "counted",
    }

    /// Which verbs end a key.
    Removal {
        /// `revoke`: the record stays.
        #[default]
        Revoke "revoke",
        /// `delete`: the record goes.
        Delete "delete",
        /// Both.
        Both "both",
    }

    /// What stays of a deleted key.
    Tombstone {
        /// An audit line: key id, name, time, actor.
        #[default]
        Audit "audit",
        /// Nothing.
        None "none",
    }

    /// Whether a template is copied into the key or followed.
    TemplateLink {
        /// Copied: editing a template never widens old keys.
        #[default]
        Frozen "frozen",
        /// Followed: keys hold what the template holds now.
        Live "live",
    }

    /// Which reasons an outsider may learn. Unknown, revoked, disabled and deleted keys are never told apart.
    PublicReasons {
        /// `key_expired` is told, to a caller that holds the key.
        #[default]
        Expired "expired",
        /// Nothing: an expired key is an `invalid_key` too.
        None "none",
    }

    /// Who a key belongs to.
    Owner {
        /// The org, so it outlives the person who made it.
        #[default]
        Org "org",
        /// The person who made it.
        User "user",
    }

    /// The form of error bodies.
    ErrorBody {
        /// `{"error": {"code": …}}`.
        #[default]
        Tenantkit "tenantkit",
        /// RFC 9457 problem details.
        Problem "problem",
    }

    /// How an exhausted limit travels over MCP.
    McpUsageError {
        /// A tool result with `isError`, so that the caller's model can read it.
        #[default]
        ToolResult "tool_result",
        /// A JSON-RPC error.
        JsonrpcError "jsonrpc_error",
        /// The HTTP status.
        Http "http",
    }

    /// Who a limit of the user axis is for.
    Who {
        /// Every user.
        #[default]
        Any "any",
        /// Users that a request or binding names.
        Named "named",
        /// The shared anonymous user of publishable keys.
        Anonymous "anonymous",
    }

    /// How strictly a rate is kept over several processes.
    RateMode {
        /// Each process counts for itself.
        #[default]
        Local "local",
        /// All processes count together, in the store.
        Strict "strict",
    }

    /// What a threshold does besides changing the state that is shown.
    ThresholdAction {
        /// Nothing more.
        #[default]
        None "none",
        /// Counted answers carry the warning header.
        Header "header",
        /// The limit refuses from here on; only at 100 percent of a hard limit, where it does so anyway.
        Block "block",
    }

    /// Which number thresholds, pages and bills go by.
    #[cfg_attr(feature = "schema", schemars(rename = "Basis"))]
    BasisWord {
        /// Units reported as used.
        #[default]
        Confirmed "confirmed",
        /// Units used or out with a process that may still use them.
        Charged "charged",
    }

    /// Whether a threshold that fired can fire again in the same period.
    #[cfg_attr(feature = "schema", schemars(rename = "Rearm"))]
    RearmWord {
        /// No.
        #[default]
        Never "never",
        /// Once the count fell below it.
        OnRecover "on_recover",
        /// Once the limit's configuration changed.
        OnChange "on_change",
    }

    /// What a plan change does to the units used so far in the period.
    OnPlanChange {
        /// They stay counted.
        #[default]
        Carry "carry",
        /// The count begins anew.
        Fresh "fresh",
    }

    /// What becomes of a reservation that its holder kept for longer than 5 minutes.
    OnHoldTimeout {
        /// Its maximum is counted.
        #[default]
        Commit "commit",
        /// It is given back.
        Release "release",
    }

    /// What happens when a call used more than it reserved and the rest is refused.
    Overrun {
        /// The units are recorded, above the cap if need be.
        #[default]
        Record "record",
        /// The commit fails with the number of unrecorded units.
        Error "error",
    }
}

impl From<BasisWord> for crate::limit::Basis {
    fn from(word: BasisWord) -> Self {
        match word {
            BasisWord::Confirmed => Self::Confirmed,
            BasisWord::Charged => Self::Charged,
        }
    }
}

impl From<RearmWord> for crate::limit::Rearm {
    fn from(word: RearmWord) -> Self {
        match word {
            RearmWord::Never => Self::Never,
            RearmWord::OnRecover => Self::OnRecover,
            RearmWord::OnChange => Self::OnChange,
        }
    }
}
