-- Schema 1 of the SQLite store. Statements are separated by lines that hold `--;` alone.
--
-- Instants are microseconds since 1970 in UTC. Empty text in `org_id` and `user_id` stands for "none"; ids are never
-- empty. Lists and maps are JSON. Change rows by hand only if you must: the triggers below make sure that running
-- processes notice within 250 ms.

CREATE TABLE tk_store (
  one               INTEGER PRIMARY KEY CHECK (one = 1),
  database_id       BLOB    NOT NULL CHECK (length(database_id) = 16),
  generation        INTEGER NOT NULL CHECK (generation >= 1),
  -- Changes up to this generation are no longer listed in tk_change.
  forgotten_upto    INTEGER NOT NULL CHECK (forgotten_upto >= 0),
  -- 1 while the library writes records; the triggers stand aside then.
  writing           INTEGER NOT NULL CHECK (writing IN (0, 1)),
  policy_revision   INTEGER NOT NULL CHECK (policy_revision BETWEEN 0 AND 1048575),
  policy_digest     BLOB    NOT NULL,
  clock_mark        INTEGER NOT NULL
) STRICT;
--;
CREATE TABLE tk_key (
  account_id        TEXT    NOT NULL CHECK (account_id <> ''),
  id                TEXT    NOT NULL CHECK (length(id) = 30),
  version           INTEGER NOT NULL CHECK (version >= 1),
  kind              TEXT    NOT NULL,
  environment       TEXT    NOT NULL,
  name              TEXT    NOT NULL,
  digest            BLOB    NOT NULL CHECK (length(digest) = 32),
  digest_scheme     TEXT    NOT NULL CHECK (digest_scheme IN ('sha256', 'hmac_sha256')),
  pepper_version    INTEGER          CHECK ((pepper_version IS NULL) = (digest_scheme = 'sha256')),
  display_first     TEXT    NOT NULL,
  display_last      TEXT    NOT NULL,
  sealed            BLOB,
  owner_type        TEXT    NOT NULL CHECK (owner_type IN ('account', 'org', 'user')),
  owner_id          TEXT    NOT NULL CHECK ((owner_id = '') = (owner_type = 'account')),
  preset            TEXT    NOT NULL CHECK (preset IN ('solo', 'client', 'platform', 'flexible')),
  org               TEXT    NOT NULL CHECK (json_valid(org)),
  user              TEXT    NOT NULL CHECK (json_valid(user)),
  role              TEXT,
  permissions       TEXT    NOT NULL CHECK (json_type(permissions) = 'array'),
  template_name     TEXT,
  template_version  INTEGER CHECK ((template_version IS NULL) = (template_name IS NULL)),
  resources         TEXT    NOT NULL CHECK (json_valid(resources)),
  origins           TEXT    NOT NULL CHECK (json_type(origins) = 'array'),
  ip_allow          TEXT             CHECK (ip_allow IS NULL OR json_type(ip_allow) = 'array'),
  plan              TEXT             CHECK (plan IS NULL OR json_type(plan) = 'object'),
  labels            TEXT    NOT NULL CHECK (json_type(labels) = 'object'),
  created_at        INTEGER NOT NULL,
  created_by        TEXT    NOT NULL,
  updated_at        INTEGER NOT NULL,
  expires_at        INTEGER,
  disabled_at       INTEGER,
  revoked_at        INTEGER,
  revoked_by        TEXT             CHECK ((revoked_by IS NULL) = (revoked_at IS NULL)),
  revoked_reason    TEXT             CHECK ((revoked_reason IS NULL) = (revoked_at IS NULL)),
  lineage_id        TEXT    NOT NULL,
  predecessor       TEXT,
  successor         TEXT,
  parent            TEXT,
  secret_at         INTEGER NOT NULL,
  last_used_at      INTEGER,
  exercised         TEXT    NOT NULL DEFAULT '[]' CHECK (json_type(exercised) = 'array'),
  PRIMARY KEY (account_id, id)
) STRICT;
--;
CREATE UNIQUE INDEX tk_key_digest ON tk_key (digest);
--;
CREATE INDEX tk_key_id ON tk_key (id);
--;
CREATE INDEX tk_key_name ON tk_key (account_id, name);
--;
CREATE TABLE tk_tenant (
  account_id        TEXT    NOT NULL CHECK (account_id <> ''),
  environment       TEXT    NOT NULL,
  org_id            TEXT    NOT NULL,
  user_id           TEXT    NOT NULL,
  version           INTEGER NOT NULL CHECK (version >= 1),
  state             TEXT    NOT NULL CHECK (state IN ('active', 'suspended', 'deleted')),
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL,
  plan              TEXT             CHECK (plan IS NULL OR json_type(plan) = 'object'),
  proof_secret      BLOB,
  labels            TEXT    NOT NULL CHECK (json_type(labels) = 'object'),
  PRIMARY KEY (account_id, environment, org_id, user_id)
) STRICT, WITHOUT ROWID;
--;
CREATE INDEX tk_tenant_orgs ON tk_tenant (account_id, environment)
  WHERE org_id <> '' AND user_id = '' AND state <> 'deleted';
--;
CREATE TABLE tk_domain (
  account_id        TEXT    NOT NULL CHECK (account_id <> ''),
  org_id            TEXT    NOT NULL,
  resource          TEXT    NOT NULL,
  domain            TEXT    NOT NULL CHECK (domain <> ''),
  record            TEXT    NOT NULL CHECK (json_type(record) = 'object'),
  PRIMARY KEY (account_id, org_id, resource, domain)
) STRICT, WITHOUT ROWID;
--;
CREATE TABLE tk_change (
  generation        INTEGER NOT NULL,
  number            INTEGER NOT NULL DEFAULT 0,
  what              TEXT    NOT NULL CHECK (what IN ('key', 'tenant', 'domain')),
  account_id        TEXT    NOT NULL,
  key_id            TEXT,
  digest            BLOB,
  digest_before     BLOB,
  environment       TEXT,
  org_id            TEXT,
  user_id           TEXT,
  PRIMARY KEY (generation, number)
) STRICT, WITHOUT ROWID;
--;
CREATE TABLE tk_operation (
  account_id        TEXT    NOT NULL,
  id                TEXT    NOT NULL CHECK (id <> ''),
  fingerprint       BLOB    NOT NULL CHECK (length(fingerprint) = 32),
  answer            BLOB    NOT NULL,
  expires_at        INTEGER NOT NULL,
  PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
--;
CREATE INDEX tk_operation_expiry ON tk_operation (expires_at);
--;
CREATE TABLE tk_audit (
  account_id        TEXT    NOT NULL,
  number            INTEGER NOT NULL CHECK (number >= 1),
  previous          BLOB    NOT NULL CHECK (length(previous) = 32),
  at                INTEGER NOT NULL,
  actor             TEXT    NOT NULL,
  act               TEXT    NOT NULL,
  object            TEXT    NOT NULL,
  tenant            TEXT    NOT NULL,
  outcome           TEXT    NOT NULL,
  operation_id      TEXT    NOT NULL,
  details           TEXT    NOT NULL,
  hash              BLOB    NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;
--;
-- The head of each account's chain. Kept apart so that a tail that was cut off shows.
CREATE TABLE tk_audit_head (
  account_id        TEXT    NOT NULL PRIMARY KEY,
  number            INTEGER NOT NULL CHECK (number >= 1),
  hash              BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;
--;
-- The ledger of limits. A row of tk_bucket counts one limit over one period; a row of tk_lease is what one process took
-- out of it. The checks hold parts of the ledger's invariants. No index has a column that changes with every exchange.
CREATE TABLE tk_bucket (
  limit_id          BLOB    NOT NULL CHECK (length(limit_id) = 16),
  epoch             INTEGER NOT NULL,
  period_start      INTEGER NOT NULL,
  period_end        INTEGER NOT NULL,
  cap               INTEGER,
  bonus             INTEGER NOT NULL,
  carried           INTEGER NOT NULL,
  included          INTEGER,
  ver               INTEGER NOT NULL,
  marks             TEXT    NOT NULL CHECK (json_type(marks) = 'array'),
  base              INTEGER NOT NULL,
  charged           INTEGER NOT NULL,
  confirmed         INTEGER NOT NULL,
  forfeited         INTEGER NOT NULL,
  overrun           INTEGER NOT NULL,
  healed            INTEGER NOT NULL,
  live              INTEGER NOT NULL CHECK (live >= 0),
  rate              INTEGER NOT NULL,
  rate_at           INTEGER NOT NULL,
  rate_from         INTEGER NOT NULL,
  fired             TEXT    NOT NULL CHECK (json_type(fired) = 'array'),
  closed            INTEGER NOT NULL CHECK (closed IN (0, 1)),
  clk               INTEGER NOT NULL,
  next_sweep        INTEGER NOT NULL,
  fold_mark         INTEGER NOT NULL,
  incarnation       BLOB    NOT NULL CHECK (length(incarnation) = 16),
  PRIMARY KEY (limit_id, epoch, period_start),
  CHECK (confirmed >= 0 AND forfeited >= 0 AND overrun >= 0 AND charged >= confirmed + forfeited)
) STRICT, WITHOUT ROWID;
--;
CREATE INDEX tk_bucket_end ON tk_bucket (period_end) WHERE closed = 0;
--;
CREATE INDEX tk_bucket_sweep ON tk_bucket (next_sweep) WHERE live > 0;
--;
CREATE INDEX tk_bucket_closed ON tk_bucket (clk) WHERE closed = 1;
--;
CREATE TABLE tk_lease (
  limit_id          BLOB    NOT NULL CHECK (length(limit_id) = 16),
  epoch             INTEGER NOT NULL,
  period_start      INTEGER NOT NULL,
  holder            BLOB    NOT NULL CHECK (length(holder) = 16),
  life              INTEGER NOT NULL,
  seq               INTEGER NOT NULL CHECK (seq >= 0),
  nonce             BLOB    NOT NULL CHECK (length(nonce) = 16),
  why               TEXT    NOT NULL CHECK (json_valid(why)),
  last_at           INTEGER NOT NULL,
  granted           INTEGER NOT NULL,
  returned          INTEGER NOT NULL,
  used              INTEGER NOT NULL,
  refunded          INTEGER NOT NULL,
  overrun           INTEGER NOT NULL,
  ahead             INTEGER NOT NULL,
  state             TEXT    NOT NULL CHECK (state IN ('live', 'expired', 'closed')),
  expires_at        INTEGER NOT NULL,
  PRIMARY KEY (limit_id, epoch, period_start, holder, life),
  CHECK (ahead >= 0 AND refunded <= used AND used + ahead - refunded + returned <= granted)
) STRICT, WITHOUT ROWID;
--;
CREATE INDEX tk_lease_expired ON tk_lease (holder) WHERE state = 'expired';
--;
CREATE TABLE tk_rate (
  limit_id          BLOB    NOT NULL PRIMARY KEY CHECK (length(limit_id) = 16),
  ver               INTEGER NOT NULL,
  p                 INTEGER NOT NULL,
  level             INTEGER NOT NULL CHECK (level >= 0),
  at                INTEGER NOT NULL,
  expires_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
--;
CREATE TABLE tk_op (
  scope             BLOB    NOT NULL,
  op_key            BLOB    NOT NULL,
  fingerprint       BLOB    NOT NULL,
  attempt           BLOB    NOT NULL,
  units             TEXT    NOT NULL CHECK (json_type(units) = 'array'),
  expires_at        INTEGER NOT NULL,
  PRIMARY KEY (scope, op_key)
) STRICT, WITHOUT ROWID;
--;
CREATE INDEX tk_op_expiry ON tk_op (expires_at);
--;
CREATE TABLE tk_refund (
  limit_id          BLOB    NOT NULL CHECK (length(limit_id) = 16),
  epoch             INTEGER NOT NULL,
  period_start      INTEGER NOT NULL,
  refund_id         BLOB    NOT NULL,
  n                 INTEGER NOT NULL CHECK (n > 0),
  PRIMARY KEY (limit_id, epoch, period_start, refund_id)
) STRICT, WITHOUT ROWID;
--;
CREATE TABLE tk_event (
  id                INTEGER PRIMARY KEY AUTOINCREMENT,
  limit_id          BLOB    NOT NULL CHECK (length(limit_id) = 16),
  epoch             INTEGER NOT NULL,
  period_start      INTEGER NOT NULL,
  kind              TEXT    NOT NULL,
  payload           TEXT    NOT NULL CHECK (json_valid(payload)),
  created_at        INTEGER NOT NULL
) STRICT;
--;
-- A change by another program gets a generation of its own, as the library's changes do.
CREATE TRIGGER tk_key_added AFTER INSERT ON tk_key WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id, key_id, digest)
    SELECT generation, 'key', NEW.account_id, NEW.id, NEW.digest FROM tk_store;
END;
--;
CREATE TRIGGER tk_key_changed AFTER UPDATE OF account_id, id, version, kind, environment, name, digest, digest_scheme,
  pepper_version, display_first, display_last, sealed, owner_type, owner_id, preset, org, user, role, permissions, template_name,
  template_version, resources, origins, ip_allow, plan, labels, created_at, created_by, updated_at, expires_at,
  disabled_at, revoked_at, revoked_by, revoked_reason, lineage_id, predecessor, successor, parent, secret_at
  ON tk_key WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id, key_id, digest, digest_before)
    SELECT generation, 'key', NEW.account_id, NEW.id, NEW.digest, OLD.digest FROM tk_store;
END;
--;
CREATE TRIGGER tk_key_removed AFTER DELETE ON tk_key WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id, key_id, digest)
    SELECT generation, 'key', OLD.account_id, OLD.id, OLD.digest FROM tk_store;
END;
--;
CREATE TRIGGER tk_tenant_added AFTER INSERT ON tk_tenant WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id, environment, org_id, user_id)
    SELECT generation, 'tenant', NEW.account_id, NEW.environment, NEW.org_id, NEW.user_id FROM tk_store;
END;
--;
CREATE TRIGGER tk_tenant_changed AFTER UPDATE ON tk_tenant WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id, environment, org_id, user_id)
    SELECT generation, 'tenant', NEW.account_id, NEW.environment, NEW.org_id, NEW.user_id FROM tk_store;
END;
--;
CREATE TRIGGER tk_tenant_removed AFTER DELETE ON tk_tenant WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id, environment, org_id, user_id)
    SELECT generation, 'tenant', OLD.account_id, OLD.environment, OLD.org_id, OLD.user_id FROM tk_store;
END;
--;
CREATE TRIGGER tk_domain_added AFTER INSERT ON tk_domain WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id)
    SELECT generation, 'domain', NEW.account_id FROM tk_store;
END;
--;
CREATE TRIGGER tk_domain_changed AFTER UPDATE ON tk_domain WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id)
    SELECT generation, 'domain', NEW.account_id FROM tk_store;
END;
--;
CREATE TRIGGER tk_domain_removed AFTER DELETE ON tk_domain WHEN (SELECT writing FROM tk_store) = 0
BEGIN
  UPDATE tk_store SET generation = generation + 1;
  INSERT INTO tk_change (generation, what, account_id)
    SELECT generation, 'domain', OLD.account_id FROM tk_store;
END;
