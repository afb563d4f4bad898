//! Where the demo plays: a policy of its own on a SQLite database that is removed afterwards.

use crate::failure::Failure;
use std::path::PathBuf;
use std::sync::Arc;
use tenantkit::entropy::{Entropy, OsEntropy};
use tenantkit::store::sqlite::{SqliteOptions, SqliteStore};
use tenantkit::{Authority, Caller, Policy};

/// The account of the demo.
pub(super) const ACCOUNT: &str = "acme";

pub(super) struct Stage {
    pub(super) authority: Authority,
    pub(super) policy: Arc<Policy>,
    pub(super) caller: Caller,
    folder: PathBuf,
}

impl Stage {
    pub(super) fn new() -> Result<Self, Failure> {
        let policy =
            Policy::parse(include_str!("policy.toml")).map_err(|faults| Failure::policy(&faults.into()))?;
        let mut name = [0; 8];
        OsEntropy.fill(&mut name)?;
        let name = format!("tenantkit-demo-{}", data_encoding::HEXLOWER.encode(&name));
        let folder = std::env::temp_dir().join(name);
        let mut maker = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut maker, 0o700);
        maker.create(&folder).map_err(|e| Failure::file("can't make the folder", &folder, &e))?;
        let opened = SqliteStore::open(folder.join("demo.db"), SqliteOptions::default());
        let opened = opened.map_err(tenantkit::Error::from).and_then(|store| {
            let store = Arc::new(store);
            Authority::builder(policy).stores(store.clone(), store).open()
        });
        match opened {
            Ok(authority) => {
                let policy = authority.policy();
                Ok(Self { authority, policy, caller: Caller::admin("you"), folder })
            }
            Err(error) => {
                let _ = std::fs::remove_dir_all(&folder);
                Err(error.into())
            }
        }
    }

    pub(super) fn close(&self) -> Result<(), Failure> {
        let closed = self.authority.close(2_000);
        let removed = std::fs::remove_dir_all(&self.folder);
        closed?;
        removed.map_err(|e| Failure::file("can't remove the folder", &self.folder, &e))
    }
}
