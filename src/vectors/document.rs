//! Vector files as JSON has them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::Path;

/// The form that this runner reads.
const VERSION: u32 = 1;

/// A vector file.
pub(super) struct Document {
    pub(super) rows: Vec<String>,
    pub(super) content: Content,
}

/// What a file holds.
pub(super) enum Content {
    Scenario(Scenario),
    Cases { rule: String, cases: Vec<Map<String, Value>> },
}

/// Steps against a fresh store.
pub(super) struct Scenario {
    /// The policy's file, relative to the vector's own.
    pub(super) policy: String,
    /// What the clock shows at first, RFC 3339.
    pub(super) now: String,
    pub(super) host: Host,
    pub(super) steps: Vec<Step>,
}

/// What the host answers when the engine asks it; where a list is missing, it is not asked.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    /// Plans that may be chosen.
    pub(super) plans: Option<Vec<String>>,
    /// Resources that exist.
    pub(super) resources: Option<Vec<String>>,
}

/// One step.
#[derive(Clone)]
pub(super) struct Step {
    /// What is done.
    pub(super) verb: String,
    /// Which process does it.
    pub(super) process: String,
    /// With what.
    pub(super) arguments: Map<String, Value>,
    /// What must come of it.
    pub(super) expect: Map<String, Value>,
}

/// Verbs that have no answer.
const SILENT: [&str; 2] = ["advance", "restart"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    id: String,
    title: String,
    rows: Vec<String>,
    policy: Option<String>,
    now: Option<String>,
    #[serde(default)]
    host: Host,
    steps: Option<Vec<Map<String, Value>>>,
    rule: Option<String>,
    cases: Option<Vec<Map<String, Value>>>,
}

impl Document {
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let raw: Raw = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        if raw.version != VERSION {
            return Err(format!("is of version {}; this runner reads version {VERSION}", raw.version));
        }
        let ends_with_id = file.with_extension("").ends_with(&raw.id);
        if raw.id.is_empty() || !ends_with_id || raw.title.is_empty() {
            return Err(format!("`{}` is not the end of its path, or it has no title", raw.id));
        }
        let content = match (raw.policy, raw.now, raw.steps, raw.rule, raw.cases) {
            (Some(policy), Some(now), Some(steps), None, None) if !steps.is_empty() => {
                let steps = steps.into_iter().map(Step::new).collect::<Result<_, _>>()?;
                Content::Scenario(Scenario { policy, now, host: raw.host, steps })
            }
            (None, None, None, Some(rule), Some(cases)) if !cases.is_empty() => {
                Content::Cases { rule, cases }
            }
            _ => return Err("has either `policy`, `now` and `steps`, or `rule` and `cases`".to_owned()),
        };
        let document = Self { rows: raw.rows, content };
        document.check_expectations()?;
        Ok(document)
    }

    /// A scenario that expects nothing proves nothing.
    fn check_expectations(&self) -> Result<(), String> {
        let Content::Scenario(scenario) = &self.content else { return Ok(()) };
        for (index, step) in scenario.steps.iter().enumerate() {
            if step.expect.is_empty() != SILENT.contains(&step.verb.as_str()) {
                return Err(format!("step {index}, `{}`, needs an expectation, or may have none", step.verb));
            }
        }
        let decides = scenario.steps.iter().any(|step| !step.expect.is_empty());
        if decides { Ok(()) } else { Err("expects nothing".to_owned()) }
    }
}

impl Step {
    fn new(mut members: Map<String, Value>) -> Result<Self, String> {
        let mut text = |name: &str| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` of a step is a text")),
        };
        let verb = text("do")?.ok_or("a step says what to `do`")?;
        let process = text("process")?.unwrap_or_else(|| "1".to_owned());
        text("note")?;
        let expect = match members.remove("expect") {
            None => Map::new(),
            Some(Value::Object(expect)) => expect,
            Some(_) => return Err("`expect` of a step is an object".to_owned()),
        };
        Ok(Self { verb, process, arguments: members, expect })
    }

    /// The arguments as `T`, which knows every member there may be.
    pub(super) fn arguments<T: DeserializeOwned>(&self) -> Result<T, String> {
        read(&self.arguments)
    }
}

/// A JSON object as `T`.
pub(super) fn read<T: DeserializeOwned>(members: &Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(members.clone())).map_err(|e| e.to_string())
}
