//! The smallest program: a policy, a key, and the answers 200, 401 and 429.
//! `cargo run --example quickstart`

use tenantkit::{Authority, Caller, Error, NewKey, Policy, Request};

fn main() -> Result<(), Error> {
    let authority = Authority::builder(Policy::builtin()).open()?;
    let issued = authority.issue(&Caller::admin("me"), &NewKey::new("acme", "first key").user_id("ada"))?;
    let key = issued.key.as_ref().map_or("", |key| key.reveal());
    println!(
        "wrong key: {}",
        authority.authorize(&Request::new("request").key("tk_live_guess"))?.http_status()
    );
    for call in 1..=11 {
        println!("call {call}: {}", authority.authorize(&Request::new("request").key(key))?.http_status());
    }
    Ok(())
}
