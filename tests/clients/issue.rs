//! Issues and ends keys for `scripts/clients.sh`, as an operator beside a running host.
//!
//! `issue POLICY DB BODY` makes a key from a JSON body and prints its id and text; `issue POLICY DB --revoke ID` and
//! `--delete ID` end one.

use std::error::Error;
use std::process::ExitCode;
use tenantkit::key::id::KeyId;
use tenantkit::{Authority, Caller, NewKey, Policy};

const ACCOUNT: &str = "acme";
const USAGE: &str = "usage: issue POLICY DB (BODY | --revoke ID | --delete ID)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let [policy, db, act @ ..] = arguments else { return Err(USAGE.into()) };
    let policy = Policy::parse(&std::fs::read_to_string(policy)?)?;
    let authority = Authority::builder(policy).sqlite(*db).plan_hook(|_question| Ok(true)).open()?;
    let caller = Caller::admin("clients");
    match act {
        ["--revoke", id] => Ok(authority.revoke(&caller, ACCOUNT, &id.parse::<KeyId>()?)?.id.to_string()),
        ["--delete", id] => {
            authority.delete(&caller, ACCOUNT, &id.parse::<KeyId>()?)?;
            Ok((*id).to_owned())
        }
        [body] => {
            let issued = authority.issue(&caller, &NewKey::from_json(ACCOUNT, body.as_bytes())?)?;
            let key = issued.key.ok_or("a new key has a text")?;
            Ok(format!("{} {}", issued.view.id, key.reveal()))
        }
        _ => Err(USAGE.into()),
    }
}
