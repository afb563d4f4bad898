//! Objects of tenants, in memory: what a real product keeps in its database.
//!
//! Every object lies under its whole tenant (account, environment, org and user), so what is looked for under one tenant
//! is never found under another, and test keys never see what live keys made.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tenantkit::tenant::TenantScope;

/// Named objects, by tenant and kind.
#[derive(Default)]
pub struct Shelf {
    objects: Mutex<Objects>,
}

#[derive(Default)]
struct Objects {
    by_place: HashMap<String, BTreeMap<String, Value>>,
    made: u64,
}

impl Shelf {
    /// Puts a new object there and gives it back with its id.
    pub fn add(&self, scope: &TenantScope, kind: &str, object: Map<String, Value>) -> Value {
        let mut objects = self.objects();
        objects.made += 1;
        let id = format!("{kind}_{}", objects.made);
        put(&mut objects, scope, kind, &id, object)
    }

    /// Puts an object there under this id.
    pub fn put(&self, scope: &TenantScope, kind: &str, id: &str, object: Map<String, Value>) -> Value {
        put(&mut self.objects(), scope, kind, id, object)
    }

    /// One object.
    pub fn get(&self, scope: &TenantScope, kind: &str, id: &str) -> Option<Value> {
        self.objects().by_place.get(&place(scope, kind))?.get(id).cloned()
    }

    /// All objects, by id.
    pub fn list(&self, scope: &TenantScope, kind: &str) -> Vec<Value> {
        self.objects()
            .by_place
            .get(&place(scope, kind))
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect()
    }

    /// Takes an object away; whether it was there.
    pub fn remove(&self, scope: &TenantScope, kind: &str, id: &str) -> bool {
        self.objects().by_place.get_mut(&place(scope, kind)).is_some_and(|shelf| shelf.remove(id).is_some())
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(
    objects: &mut Objects,
    scope: &TenantScope,
    kind: &str,
    id: &str,
    mut object: Map<String, Value>,
) -> Value {
    object.insert("id".to_owned(), id.into());
    let object = Value::Object(object);
    objects.by_place.entry(place(scope, kind)).or_default().insert(id.to_owned(), object.clone());
    object
}

fn place(scope: &TenantScope, kind: &str) -> String {
    scope.storage_key("shelf", kind)
}
