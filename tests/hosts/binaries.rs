//! The hosts as programs of their own, on a database that this process shares with them.

use crate::client::Request;
use crate::host::{admin, rpc};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tenantkit::seal::SealKey;
use tenantkit::{Authority, NewKey, Policy};

const SEAL_KEY: [u8; 32] = [0xab; 32];

/// A host that runs until it is dropped.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    fn start(name: &str, db: &Path) -> Self {
        let mut child = Command::new(executable(name))
            .args(["--listen", "127.0.0.1:0", "--db"])
            .arg(db)
            .env("TENANTKIT_SEAL_KEY", "ab".repeat(32))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().parse().unwrap_or_else(|error| panic!("{error}: {first:?}"));
        Self { child, address }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The example's program, beside this test's own; built if nobody has.
fn executable(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples").join(name);
    if !path.exists() {
        let build = ["build", "--quiet", "--features", "axum-08,sqlite", "--example", name];
        assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success());
    }
    path
}

/// A database of its own for each host, gone with the test.
struct Database(PathBuf);

impl Database {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tenantkit-host-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("keys.db")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// RS-18, RT-23: a key made here works there at once, and one that ends here is refused there by the next request.
#[test]
fn rt_23_every_host_sees_what_another_process_does() {
    let mcp = |path: &str| rpc(path, "", "tools/list", &json!({}));
    let hosts: [(&str, NewKey, Request); 4] = [
        ("runstack", NewKey::new("acme", "k").user_id("ann"), mcp("/mcp")),
        (
            "mcpstack",
            NewKey::new("acme", "k").org_id("org_1"),
            Request::new("GET", "/api/v1/organizations/org_1/servers"),
        ),
        (
            "runtype",
            NewKey::new("acme", "k").org_id("o1").environment("live"),
            Request::new("GET", "/v1/flows"),
        ),
        ("allmcp", NewKey::new("acme", "k").preset("solo").org_id("o0").user_id("u0"), mcp("/mcp/")),
    ];
    for (name, new, request) in hosts {
        let database = Database::new(name);
        let program = Program::start(name, &database.file());
        let text =
            std::fs::read_to_string(format!("{}/examples/policies/{name}.toml", env!("CARGO_MANIFEST_DIR")));
        let policy = Policy::parse(&text.unwrap()).unwrap();
        let builder = Authority::builder(policy).seal_key(SealKey::new(1, SEAL_KEY));
        let authority = builder.sqlite(database.file()).open().unwrap();

        let issued = authority.issue(&admin(), &new).unwrap();
        let key = issued.key.unwrap().reveal().to_owned();
        let ask = || request.clone().bearer(&key).send(program.address);
        for _ in 0..3 {
            let answer = ask();
            assert!(answer.status != 401 && answer.refusal_code().is_none(), "{name}: {answer:?}");
        }
        match name {
            "runstack" => authority.delete(&admin(), "acme", &issued.view.id).unwrap(),
            _ => drop(authority.revoke(&admin(), "acme", &issued.view.id).unwrap()),
        }
        assert_eq!(ask().refusal(), (401, "invalid_key".into()), "{name}");
        assert_eq!(request.send(program.address).refusal(), (401, "missing_credential".into()), "{name}");
        authority.close(1_000).unwrap();
    }
}

#[test]
fn a_program_says_how_it_is_called() {
    for arguments in [&["--listen"][..], &["--port", "1"], &["--db", "x"]] {
        let output = Command::new(executable("runtype")).args(arguments).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().starts_with("usage: --listen"), "{arguments:?}");
    }
}
