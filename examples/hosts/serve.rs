//! What the four hosts do alike: read the arguments, open the authority, serve, and close.

use axum::Router;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tenantkit::seal::SealKey;
use tenantkit::{Authority, AuthorityBuilder, Policy};

const USAGE: &str = "usage: --listen ADDRESS:PORT --db PATH [--policy PATH]

  --listen  where to serve; port 0 takes a free one, and the first line on stdout says which
  --db      the SQLite database of keys, tenants and counts, made if it is not there
  --policy  another policy than the product's own, such as its extended one

  TENANTKIT_SEAL_KEY holds 64 hex digits where the policy keeps keys that can be shown again";

/// Runs a host: `policy` is the text of the product's policy, `setup` adds to the authority what only this product
/// knows, and `app` makes its routes.
pub async fn run(
    policy: &str,
    setup: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder,
    app: impl FnOnce(Authority) -> Router,
) -> ExitCode {
    match try_run(policy, setup, app).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn try_run(
    policy: &str,
    setup: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder,
    app: impl FnOnce(Authority) -> Router,
) -> Result<(), Box<dyn StdError>> {
    let arguments = Arguments::read()?;
    let authority = setup(arguments.builder(policy)?).open()?;
    let listener = tokio::net::TcpListener::bind(&arguments.listen).await?;
    println!("{}", listener.local_addr()?);

    let app = app(authority.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let upkeep = tokio::spawn(maintain(authority.clone()));
    axum::serve(listener, app).with_graceful_shutdown(asked_to_stop()).await?;
    upkeep.abort();
    // Reports what was used and gives back what was not.
    tokio::task::spawn_blocking(move || authority.close(2_000)).await??;
    Ok(())
}

struct Arguments {
    listen: String,
    db: PathBuf,
    policy: Option<PathBuf>,
}

impl Arguments {
    fn read() -> Result<Self, String> {
        let (mut listen, mut db, mut policy) = (None, None, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or(USAGE)?;
            match flag.as_str() {
                "--listen" => listen = Some(value),
                "--db" => db = Some(value.into()),
                "--policy" => policy = Some(value.into()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(Self { listen: listen.ok_or(USAGE)?, db: db.ok_or(USAGE)?, policy })
    }

    fn builder(&self, policy: &str) -> Result<AuthorityBuilder, Box<dyn StdError>> {
        let policy = match &self.policy {
            Some(path) => Policy::parse(&std::fs::read_to_string(path)?)?,
            None => Policy::parse(policy)?,
        };
        let mut builder = Authority::builder(policy).sqlite(&self.db);
        if let Ok(secret) = std::env::var("TENANTKIT_SEAL_KEY") {
            builder = builder.seal_key(seal_key(&secret)?);
        }
        Ok(builder)
    }
}

/// The key that seals what can be shown again. It comes from the host's own store of secrets, never from the database
/// that it protects.
fn seal_key(hex: &str) -> Result<SealKey, &'static str> {
    let wrong = "TENANTKIT_SEAL_KEY has to be 64 hex digits";
    let digits = hex.as_bytes();
    if digits.len() != 64 {
        return Err(wrong);
    }
    let mut secret = [0; 32];
    for (byte, pair) in secret.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong)?;
    }
    Ok(SealKey::new(1, secret))
}

/// Writes what waits to be written, every second.
async fn maintain(authority: Authority) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let authority = authority.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || authority.maintain()).await {
            eprintln!("maintenance failed and is tried again: {error}");
        }
    }
}

async fn asked_to_stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
