//! What a scenario runs in: stores, processes, a clock, and the names it has given to keys, grants and reservations.

use super::answer::{Answer, instant};
use super::document::{Host, Scenario, Step};
use super::{Setup, Store, compare};
use crate::authority::{Authority, AuthorityBuilder, Reservation};
use crate::clock::ManualClock;
use crate::decision::Grant;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::key::id::KeyId;
use crate::key::secret::ApiKey;
use crate::policy::Policy;
use crate::seal::SealKey;
use crate::store::{RecordStore, UsageStore};
use crate::tenant::proof::ProofSecret;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One scenario under way.
pub(super) struct World {
    policy: Policy,
    setup: Setup,
    pub(super) clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
    stores: Stores,
    processes: BTreeMap<String, Authority>,
    pub(super) keys: BTreeMap<String, NamedKey>,
    pub(super) grants: BTreeMap<String, Grant>,
    pub(super) reservations: BTreeMap<String, Reservation>,
    /// The secrets that sign user ids, by account, and the proofs made with them, by name.
    pub(super) proof_secrets: BTreeMap<String, ProofSecret>,
    pub(super) proofs: BTreeMap<String, String>,
    /// The vector's folder, which paths are relative to.
    pub(super) folder: PathBuf,
    host: Host,
}

/// A key that a scenario issued, under the name it gave it.
pub(super) struct NamedKey {
    pub(super) account_id: String,
    pub(super) id: KeyId,
    /// Absent where an act was only repeated.
    pub(super) text: Option<ApiKey>,
    /// Whether its kind shows the text again.
    pub(super) shown: bool,
}

/// What all processes of a scenario share.
enum Stores {
    Memory(Arc<dyn RecordStore>, Arc<dyn UsageStore>),
    #[cfg(feature = "sqlite")]
    Sqlite(Folder),
}

impl World {
    pub(super) fn new(file: &Path, scenario: &Scenario, setup: Setup) -> Result<Self, String> {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let path = folder.join(&scenario.policy);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let policy = Policy::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        let now = instant(&scenario.now)?;
        let clock = Arc::new(ManualClock::new(now));
        let stores = Stores::new(setup.store, &clock)?;
        Ok(Self {
            policy,
            setup,
            clock,
            entropy: Arc::new(SeededEntropy::default()),
            stores,
            processes: BTreeMap::new(),
            keys: BTreeMap::new(),
            grants: BTreeMap::new(),
            reservations: BTreeMap::new(),
            proof_secrets: BTreeMap::new(),
            proofs: BTreeMap::new(),
            folder,
            host: scenario.host.clone(),
        })
    }

    /// Runs one step: what is wrong with its answer.
    pub(super) fn run(&mut self, step: &Step) -> Vec<String> {
        let answer = self.expand(&step.arguments).and_then(|arguments| {
            let expect = self.expand(&step.expect).unwrap_or_default();
            let step = Step { arguments, expect, ..step.clone() };
            self.act(&step)
        });
        // A step may expect what it has just made.
        let answer = answer.and_then(|answer| Ok((self.expand(&step.expect)?, answer)));
        match answer {
            Err(what) => vec![what],
            Ok((expect, answer)) => {
                let mut problems = compare::differences(&expect, &answer);
                problems.extend(self.leaks(&answer));
                problems
            }
        }
    }

    fn act(&mut self, step: &Step) -> Result<Answer, String> {
        match step.verb.as_str() {
            "advance" => self.advance(step.arguments()?).map(|()| Answer::new()),
            "restart" => self.restart(step.arguments()?).map(|()| Answer::new()),
            "authorize" | "inspect" | "parallel" | "answer" => self.decide(step),
            "reserve" | "commit" | "release" | "refund" | "refund_operation" => self.hold(step),
            _ => self.manage(step),
        }
    }

    /// The authority of a process, opened when it is first named.
    pub(super) fn process(&mut self, name: &str) -> Result<Authority, String> {
        if let Some(authority) = self.processes.get(name) {
            return Ok(authority.clone());
        }
        let authority = self.open().map_err(|e| format!("could not be opened: {e}"))?;
        self.processes.insert(name.to_owned(), authority.clone());
        Ok(authority)
    }

    fn open(&self) -> Result<Authority, Error> {
        let builder = Authority::builder(self.policy.clone())
            .clock(self.clock.clone())
            .entropy(self.entropy.clone())
            .seal_key(SealKey::new(1, [7; 32]))
            .mode(self.setup.mode);
        let builder = self.host.answer(builder);
        let builder = match &self.stores {
            Stores::Memory(records, usage) => builder.stores(records.clone(), usage.clone()),
            #[cfg(feature = "sqlite")]
            Stores::Sqlite(folder) => {
                let mut options = crate::store::sqlite::SqliteOptions::default();
                options.clock = self.clock.clone();
                // A slow disk is no finding of a vector.
                (options.deadline, options.exchange_deadline) = (PATIENCE, PATIENCE);
                let store =
                    Arc::new(crate::store::sqlite::SqliteStore::open(folder.0.join("store.db"), options)?);
                builder.stores(store.clone(), store)
            }
        };
        builder.open()
    }

    /// Puts another policy in force in all processes, the first that fails ending it.
    pub(super) fn reload_all(&mut self, policy: &Policy) -> Result<(), Error> {
        self.policy = policy.clone();
        self.processes.values().try_for_each(|authority| authority.reload(policy.clone()))
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    fn advance(&mut self, arguments: AdvanceArguments) -> Result<(), String> {
        match arguments {
            AdvanceArguments { seconds: Some(seconds), micros: None, to: None } => {
                self.clock.advance_seconds(seconds)
            }
            AdvanceArguments { seconds: None, micros: Some(micros), to: None } => {
                self.clock.advance_micros(micros)
            }
            AdvanceArguments { seconds: None, micros: None, to: Some(to) } => self.clock.set(instant(&to)?),
            _ => return Err("`advance` takes one of `seconds`, `micros` and `to`".to_owned()),
        }
        Ok(())
    }

    /// Every process ends and begins again on what the store holds.
    fn restart(&mut self, _: NoArguments) -> Result<(), String> {
        self.grants.clear();
        self.reservations.clear();
        for (_, authority) in std::mem::take(&mut self.processes) {
            authority.close(1_000).map_err(|e| format!("could not be closed: {e}"))?;
        }
        Ok(())
    }

    pub(super) fn key(&self, name: &str) -> Result<&NamedKey, String> {
        self.keys.get(name).ok_or_else(|| format!("there is no key `{name}`"))
    }

    /// The arguments with the placeholders in their texts filled in.
    fn expand(&self, members: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        members.iter().map(|(name, value)| Ok((name.clone(), self.expand_value(value)?))).collect()
    }

    fn expand_value(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) if text.contains('$') => self.expand_text(text).map(Value::String),
            Value::Array(items) => items.iter().map(|item| self.expand_value(item)).collect(),
            Value::Object(members) => self.expand(members).map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    /// `$key:a` is the text of key `a`, `$id:a` its id, `$other:a` its text with another last character, `$digest:a` the
    /// SHA-256 of its text in hexadecimal; `$proof:p` is the proof `p` of a user id. A dollar before anything else is itself.
    fn expand_text(&self, text: &str) -> Result<String, String> {
        let mut parts = text.split('$');
        let mut expanded = parts.next().unwrap_or("").to_owned();
        for part in parts {
            let (word, rest) = part.split_once(':').unwrap_or((part, ""));
            if !["key", "id", "other", "digest", "proof"].contains(&word) {
                expanded.push('$');
                expanded.push_str(part);
                continue;
            }
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            expanded += &self.placeholder(word, name)?;
            expanded.push_str(rest);
        }
        Ok(expanded)
    }

    fn placeholder(&self, word: &str, name: &str) -> Result<String, String> {
        if word == "proof" {
            return self.proofs.get(name).cloned().ok_or_else(|| format!("there is no proof `{name}`"));
        }
        let key = self.key(name)?;
        if word == "id" {
            return Ok(key.id.to_string());
        }
        let text = key.text.as_ref().ok_or_else(|| format!("key `{name}` has no text"))?.reveal();
        Ok(match word {
            "other" => {
                let mut other = text.to_owned();
                let last = other.pop();
                other.push(if last == Some('0') { '1' } else { '0' });
                other
            }
            "digest" => Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => text.to_owned(),
        })
    }

    /// Texts of keys that stand in an answer, in whole or in part (INV-43).
    fn leaks(&self, answer: &Answer) -> Vec<String> {
        let answer = Value::Object(answer.clone()).to_string();
        let secret = self.keys.iter().filter(|(_, key)| !key.shown);
        let leaked = secret.filter(|(_, key)| {
            let text = key.text.as_ref().map_or("", |text| text.reveal());
            // The ends may be displayed; twelve characters from the middle may not.
            text.len() > 40 && text.get(20..32).is_some_and(|middle| answer.contains(middle))
        });
        leaked.map(|(name, _)| format!("the answer holds text of key `{name}`")).collect()
    }
}

impl Host {
    /// Has the host answer what it is asked, as the scenario says.
    fn answer(&self, builder: AuthorityBuilder) -> AuthorityBuilder {
        let (plans, resources) = (self.plans.clone(), self.resources.clone());
        let builder = match plans {
            Some(plans) => builder.plan_hook(move |asked| Ok(plans.iter().any(|plan| plan == asked.plan))),
            None => builder,
        };
        match resources {
            Some(known) => {
                builder.resource_hook(move |asked| Ok(known.iter().any(|one| one == asked.resource.as_str())))
            }
            None => builder,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceArguments {
    seconds: Option<i64>,
    micros: Option<i64>,
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

/// Repeatable bytes: block n is the SHA-256 of n. For vectors only.
#[derive(Default)]
pub(super) struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        for chunk in buffer.chunks_mut(32) {
            let block: [u8; 32] = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes()).into();
            chunk.iter_mut().zip(block).for_each(|(byte, random)| *byte = random);
        }
        Ok(())
    }
}

impl Stores {
    fn new(store: Store, clock: &Arc<ManualClock>) -> Result<Self, String> {
        match store {
            Store::Memory => Ok(Self::Memory(
                Arc::new(crate::store::memory::MemoryRecords::new()),
                Arc::new(crate::store::memory::MemoryUsage::with_clock(clock.clone())),
            )),
            #[cfg(feature = "sqlite")]
            Store::Sqlite => Folder::new().map(Self::Sqlite),
        }
    }
}

/// How long a call on a store of a vector may take.
#[cfg(feature = "sqlite")]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A folder that goes with its owner.
#[cfg(feature = "sqlite")]
struct Folder(PathBuf);

#[cfg(feature = "sqlite")]
impl Folder {
    fn new() -> Result<Self, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tenantkit-vectors-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

#[cfg(feature = "sqlite")]
impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
