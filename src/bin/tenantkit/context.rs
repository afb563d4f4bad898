//! What a command works with: the policy, the streams and, once it is opened, the store.

use crate::cli::{Global, OrgOption};
use crate::dry_run::DryRecords;
use crate::failure::{Exit, Failure};
use crate::names::Early;
use crate::output::{Out, variable};
use crate::{prompt, secrets};
use std::path::PathBuf;
use std::sync::Arc;
use tenantkit::clock::{Clock, SystemClock};
use tenantkit::policy::model::CliNames;
use tenantkit::store::memory::{MemoryRecords, MemoryUsage};
use tenantkit::store::sqlite::{SqliteOptions, SqliteStore};
use tenantkit::store::{RecordStore, UsageStore};
use tenantkit::{Authority, Caller, Policy};

/// The account of whoever names none: enough for a product with one.
const DEFAULT_ACCOUNT: &str = "default";
/// How long the store may take to finish at the end, in milliseconds.
const CLOSE_MS: u64 = 5_000;

/// Everything that is known before a store is opened.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) out: Out,
    pub(crate) names: CliNames,
    policy: Result<Policy, tenantkit::Error>,
}

/// A policy at work on a store.
pub(crate) struct Session {
    pub(crate) authority: Authority,
    pub(crate) policy: Arc<Policy>,
    pub(crate) records: Arc<dyn RecordStore>,
}

/// Which store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreName {
    /// A SQLite database.
    Sqlite(PathBuf),
    /// Memory, which ends with the program.
    Memory,
}

/// What a command does with a database that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Makes it.
    Make,
    /// Says so: there can be nothing in it.
    Refuse,
}

impl Context {
    pub(crate) fn new(global: Global, early: Early) -> Self {
        let out = Out::new(global.format(), global.quiet, SystemClock.now());
        Self { global, out, names: early.names, policy: early.policy }
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Result<&Policy, Failure> {
        self.policy.as_ref().map_err(Failure::policy)
    }

    /// The policy in force, or its faults.
    pub(crate) fn policy_or_fault(&self) -> Result<&Policy, &tenantkit::Error> {
        self.policy.as_ref()
    }

    /// The account that the command is about.
    pub(crate) fn account(&self) -> &str {
        self.global.account.as_deref().unwrap_or(DEFAULT_ACCOUNT)
    }

    /// The org that the command is about: the flag beats the variable.
    pub(crate) fn org(&self, option: &OrgOption) -> Option<String> {
        option.org.clone().or_else(|| variable(&self.names.org_env))
    }

    /// Who acts: whoever may open the database is its operator.
    pub(crate) fn caller(&self) -> Caller {
        let login =
            || variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "operator".to_owned());
        let mut caller = Caller::admin(self.global.actor.clone().unwrap_or_else(login));
        if let Some(id) = &self.global.operation_id {
            caller = caller.operation_id(id.as_str());
        }
        if let Some(reason) = &self.global.reason {
            caller = caller.reason(reason.as_str());
        }
        caller
    }

    /// Asks before something is ended, unless that was answered already or nothing will happen.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.global.yes || self.global.dry_run { Ok(()) } else { prompt::confirm(question) }
    }

    /// Says what was changed, or what would have been.
    pub(crate) fn changed(&self, text: impl std::fmt::Display) {
        if self.global.dry_run {
            self.out.note(format_args!("dry run, nothing was changed: {text}"));
        } else {
            self.out.note(text);
        }
    }

    /// Runs a command on the store, and closes the store whatever became of it.
    pub(crate) fn with_session(
        &self,
        missing: Missing,
        run: impl FnOnce(&Session) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        let session = self.open(missing)?;
        let result = run(&session);
        let closed = session.authority.close(CLOSE_MS);
        let exit = result?;
        closed.map_err(|error| Failure::from(error).but("done, but the store could not be closed well"))?;
        Ok(exit)
    }

    fn open(&self, missing: Missing) -> Result<Session, Failure> {
        let policy = self.policy()?.clone();
        let (records, usage) = self.stores(missing)?;
        let mut builder = Authority::builder(policy.clone()).stores(Arc::clone(&records), usage);
        if let Some(digester) = secrets::digester(&policy)? {
            builder = builder.digester(digester);
        }
        if let Some(key) = self.seal_key()? {
            builder = builder.seal_key(key);
        }
        let authority = builder.open()?;
        Ok(Session { policy: authority.policy(), authority, records })
    }

    fn seal_key(&self) -> Result<Option<tenantkit::seal::SealKey>, Failure> {
        let key = secrets::seal_key()?;
        let shows_again = |kind: &tenantkit::policy::Kind| kind.reveal != tenantkit::policy::Reveal::Never;
        if key.is_none() && self.policy()?.kinds().iter().any(shows_again) {
            let name = secrets::SEAL_KEY;
            let message = format!(
                "this policy has kinds whose keys can be shown again; set `{name}_FILE` to a file with the key that seals them"
            );
            let fix = format!(
                "a new one: `(printf 1:; openssl rand -hex 32) > seal.key; chmod 600 seal.key; export {name}_FILE=seal.key`"
            );
            return Err(Failure::new("configuration_invalid", message).fix(fix));
        }
        Ok(key)
    }

    fn stores(&self, missing: Missing) -> Result<(Arc<dyn RecordStore>, Arc<dyn UsageStore>), Failure> {
        let name = self.store_name()?;
        let is_dry = self.global.dry_run;
        let path = match name {
            StoreName::Sqlite(path) if path.exists() => path,
            StoreName::Sqlite(path) if missing == Missing::Refuse => {
                let message = format!("there is no database at `{}`", path.display());
                let fix = format!(
                    "`--store sqlite:PATH` or `TENANTKIT_STORE` names another one; `{} keys create` makes one",
                    self.names.program
                );
                return Err(Failure::new("store_missing", message).fix(fix));
            }
            StoreName::Sqlite(path) if !is_dry => path,
            StoreName::Sqlite(_) | StoreName::Memory => {
                return Ok((
                    Arc::new(MemoryRecords::new()),
                    Arc::new(MemoryUsage::with_clock(Arc::new(SystemClock))),
                ));
            }
        };
        let store = SqliteStore::open(path, SqliteOptions::default()).map_err(tenantkit::Error::from)?;
        let store = Arc::new(store);
        let usage = Arc::clone(&store) as Arc<dyn UsageStore>;
        let records = store as Arc<dyn RecordStore>;
        Ok((if is_dry { Arc::new(DryRecords::new(records)) } else { records }, usage))
    }

    /// The store that the command line names. A name that is none is not repeated: it may hold a password.
    pub(crate) fn store_name(&self) -> Result<StoreName, Failure> {
        match self.global.store.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(StoreName::Sqlite(PathBuf::from(path))),
            Some(("memory", "")) => Ok(StoreName::Memory),
            _ => Err(Failure::usage("`--store` is neither `sqlite:PATH` nor `memory:`")
                .code("configuration_invalid")),
        }
    }
}
