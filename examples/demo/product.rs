//! An example host as a process of its own, and this process as an operator on the same database.

use super::Checked;
use super::client::{Answer, Request};
use parking_lot::Mutex;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use tenantkit::key::id::KeyId;
use tenantkit::seal::SealKey;
use tenantkit::{Authority, Caller, NewKey, Policy, UsageLine};

/// The account that all keys of the demo belong to.
pub(crate) const ACCOUNT: &str = "acme";
/// What seals public keys in this demo. A real host takes it from its store of secrets.
const SEAL_KEY: [u8; 32] = [7; 32];

/// Every process that was started, so that none outlives the demo, however it ends.
#[derive(Clone)]
pub(crate) struct Processes(Arc<Mutex<Option<Children>>>);

/// By process id.
type Children = Vec<(u32, Child)>;

impl Default for Processes {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl Processes {
    /// Starts a process, unless the demo is ending.
    fn start(&self, command: &mut Command) -> Checked<(u32, Option<ChildStdout>)> {
        let mut children = self.0.lock();
        let children = children.as_mut().ok_or("the demo was stopped")?;
        let mut child =
            command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let started = (child.id(), child.stdout.take());
        children.push((started.0, child));
        Ok(started)
    }

    /// Ends one process with SIGKILL: it gets no chance to write or close anything.
    pub(crate) fn kill(&self, pid: u32) {
        let mut children = self.0.lock();
        let Some(children) = children.as_mut() else { return };
        if let Some(index) = children.iter().position(|(known, _)| *known == pid) {
            end(children.swap_remove(index).1);
        }
    }

    /// Ends all processes; no other can be started then.
    pub(crate) fn kill_all(&self) {
        self.0.lock().take().into_iter().flatten().for_each(|(_, child)| end(child));
    }
}

fn end(mut child: Child) {
    // It may have ended by itself.
    child.kill().ok();
    child.wait().ok();
}

/// A product: its host, and its database.
pub(crate) struct Product {
    name: &'static str,
    policy: PathBuf,
    db: PathBuf,
    processes: Processes,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// The operator's own authority in this process. Host and operator share the database and nothing else.
    pub(crate) operator: Authority,
}

impl Product {
    /// Starts the host `name` under the policy file of the name `policy`, with its database in `folder`.
    pub(crate) fn start(
        name: &'static str,
        policy: &str,
        folder: &Path,
        processes: &Processes,
    ) -> Checked<Self> {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
        let policy = examples.join(format!("{policy}.toml"));
        let db = folder.join(format!("{name}.db"));
        let (pid, address) = spawn(name, &policy, &db, processes)?;
        let operator = open(&policy, &db).map_err(|error| format!("{}: {error}", db.display()))?;
        Ok(Self { name, policy, db, processes: processes.clone(), address, pid, operator })
    }

    /// Kills the host with SIGKILL.
    pub(crate) fn kill(&self) {
        self.processes.kill(self.pid);
    }

    /// Starts the host anew on the same database. The system chooses another port.
    pub(crate) fn restart(&mut self) -> Checked<()> {
        (self.pid, self.address) = spawn(self.name, &self.policy, &self.db, &self.processes)?;
        Ok(())
    }

    /// Issues a key as the operator does; gives its id and its text, which is shown only now.
    pub(crate) fn issue(&self, new: &NewKey) -> Checked<(KeyId, String)> {
        let issued = self.operator.issue(&operator(), new).map_err(|error| error.to_string())?;
        let key = issued.key.ok_or("a key that was just made has a text")?;
        Ok((issued.view.id, key.reveal().to_owned()))
    }

    pub(crate) fn send(&self, request: &Request) -> Checked<Answer> {
        request.send(self.address)
    }

    pub(crate) fn get(&self, target: &str, key: &str) -> Checked<Answer> {
        self.send(&Request::new("GET", target).bearer(key))
    }

    /// The first limit of a key, read from the database by this process.
    pub(crate) fn usage(&self, id: &KeyId) -> Checked<UsageLine> {
        let lines = self.operator.key_usage(&operator(), ACCOUNT, id, &[]);
        let lines = lines.map_err(|error| error.to_string())?;
        lines.into_iter().next().ok_or_else(|| "the key has no limit".to_owned())
    }
}

/// Who acts in this process.
pub(crate) fn operator() -> Caller {
    Caller::admin("demo operator")
}

fn open(policy: &Path, db: &Path) -> Result<Authority, Box<dyn std::error::Error>> {
    let policy = Policy::parse(&std::fs::read_to_string(policy)?)?;
    let builder = Authority::builder(policy).sqlite(db).seal_key(SealKey::new(1, SEAL_KEY));
    Ok(builder.plan_hook(|_question| Ok(true)).open()?)
}

/// Starts a host and waits until it says where it listens.
fn spawn(name: &str, policy: &Path, db: &Path, processes: &Processes) -> Checked<(u32, SocketAddr)> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let binary = own.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !binary.is_file() {
        return Err(format!("`{}` is not there; `make demo` builds it", binary.display()));
    }
    let seal_key: String = SEAL_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new(&binary);
    command.args(["--listen", "127.0.0.1:0", "--db"]).arg(db).arg("--policy").arg(policy);
    command.env("TENANTKIT_SEAL_KEY", seal_key).stdin(Stdio::null()).stdout(Stdio::piped());
    let (pid, stdout) = processes.start(&mut command)?;
    let mut line = String::new();
    if let Some(stdout) = stdout {
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
    }
    let address = line.trim().parse().map_err(|_| format!("the host {name} did not start"))?;
    Ok((pid, address))
}
