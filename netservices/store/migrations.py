"""The schema of the database, as the sequence of changes that made it.

Theory.  ``MIGRATIONS[n - 1]`` leads from version ``n - 1`` to version ``n``; version 0
is an empty file.  A migration that has been released is never edited: databases made by
it exist.  Only tables of what the program does today are here.

Habits of the schema: STRICT everywhere; WITHOUT ROWID where rows are small and looked
up by key; references are rows, never counters; what people gave letter case to is
stored with it beside a folded key; texts that may hold any octets (paths, the objects
of notices) are BLOBs; times are seconds since 1970; ids are never used twice.
"""

from __future__ import annotations

_VERSION_1 = """
CREATE TABLE meta(
  key TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE applied(
  token BLOB PRIMARY KEY, at REAL NOT NULL, results TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX applied_at ON applied(at);

CREATE TABLE domain(
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created REAL NOT NULL
) STRICT;

CREATE TABLE account(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain INTEGER NOT NULL REFERENCES domain(id),
  name TEXT NOT NULL,
  login TEXT NOT NULL UNIQUE,
  is_admin INTEGER NOT NULL,
  is_enabled INTEGER NOT NULL,
  quota_octets INTEGER,
  revision INTEGER NOT NULL,
  created REAL NOT NULL
) STRICT;
CREATE INDEX account_domain ON account(domain);

CREATE TABLE account_group(
  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  PRIMARY KEY(account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  secret BLOB NOT NULL,
  label TEXT NOT NULL,
  protocols TEXT NOT NULL,
  created REAL NOT NULL,
  expires REAL,
  UNIQUE(account, kind, label)
) STRICT;

CREATE TABLE alias(
  address TEXT PRIMARY KEY, targets TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blob(
  hash BLOB PRIMARY KEY,
  size INTEGER NOT NULL,
  is_inline INTEGER NOT NULL,
  created REAL NOT NULL,
  condemned REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_condemned ON blob(condemned) WHERE condemned IS NOT NULL;
CREATE TABLE blob_data(
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE REFERENCES blob(hash) ON DELETE CASCADE,
  data BLOB NOT NULL
) STRICT;
CREATE TABLE blob_ref(
  hash BLOB NOT NULL REFERENCES blob(hash),
  kind INTEGER NOT NULL,
  account INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  PRIMARY KEY(hash, kind, account, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE file_record(
  tree TEXT NOT NULL,
  path BLOB NOT NULL,
  stat_key TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  lf_count INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  size_octets INTEGER NOT NULL,
  PRIMARY KEY(tree, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage(
  tree TEXT PRIMARY KEY, octets INTEGER NOT NULL, files INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE partial(
  tree TEXT NOT NULL,
  path BLOB NOT NULL,
  account INTEGER NOT NULL,
  file TEXT NOT NULL,
  size_octets INTEGER NOT NULL,
  expires REAL NOT NULL,
  PRIMARY KEY(tree, path, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX partial_expires ON partial(expires);

CREATE TABLE zone(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL UNIQUE,
  name BLOB NOT NULL,
  serial INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT;
CREATE TABLE zone_past(
  key BLOB PRIMARY KEY, revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE rrset(
  zone INTEGER NOT NULL REFERENCES zone(id) ON DELETE CASCADE,
  key BLOB NOT NULL,
  type INTEGER NOT NULL,
  owner BLOB NOT NULL,
  ttl INTEGER NOT NULL,
  rdatas BLOB NOT NULL,
  PRIMARY KEY(zone, key, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE zone_diff(
  zone INTEGER NOT NULL REFERENCES zone(id) ON DELETE CASCADE,
  revision INTEGER NOT NULL,
  from_serial INTEGER NOT NULL,
  to_serial INTEGER NOT NULL,
  removed BLOB NOT NULL,
  added BLOB NOT NULL,
  PRIMARY KEY(zone, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE kv(
  namespace TEXT NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  expires REAL,
  PRIMARY KEY(namespace, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kv_expires ON kv(expires) WHERE expires IS NOT NULL;

CREATE TABLE lease(
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  fence INTEGER NOT NULL,
  until REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE change(
  seq INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL,
  object BLOB NOT NULL,
  at REAL NOT NULL
) STRICT;
"""

_VERSION_2 = """
CREATE TABLE file_digest(
  tree TEXT NOT NULL,
  path BLOB NOT NULL,
  algorithm TEXT NOT NULL,
  stat_key TEXT NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY(tree, path, algorithm)
) STRICT, WITHOUT ROWID;
"""

# ``octets_so_far`` counts the octets of a zone's journal up to and with that change.
_VERSION_3 = """
ALTER TABLE zone ADD COLUMN made_at REAL;
ALTER TABLE zone ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE zone ADD COLUMN made_revision INTEGER;
ALTER TABLE zone ADD COLUMN made_serial INTEGER;
ALTER TABLE zone ADD COLUMN made_records INTEGER;
ALTER TABLE zone_diff ADD COLUMN at REAL;
ALTER TABLE zone_diff ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE zone_diff ADD COLUMN removed_records INTEGER;
ALTER TABLE zone_diff ADD COLUMN added_records INTEGER;
ALTER TABLE zone_diff ADD COLUMN octets_so_far INTEGER NOT NULL DEFAULT 0;
UPDATE zone_diff SET octets_so_far=sums.octets FROM (
  SELECT zone, revision, sum(length(removed) + length(added))
    OVER (PARTITION BY zone ORDER BY revision) AS octets FROM zone_diff
) AS sums WHERE sums.zone=zone_diff.zone AND sums.revision=zone_diff.revision;
"""

_VERSION_4 = """
CREATE TABLE file_property(
  tree TEXT NOT NULL,
  path BLOB NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY(tree, path, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE file_lock(
  tree TEXT NOT NULL,
  path BLOB NOT NULL,
  token TEXT NOT NULL,
  account INTEGER NOT NULL,
  owner TEXT NOT NULL,
  is_exclusive INTEGER NOT NULL,
  is_deep INTEGER NOT NULL,
  expires REAL NOT NULL,
  PRIMARY KEY(tree, path, token)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX file_lock_token ON file_lock(token);
CREATE INDEX file_lock_expires ON file_lock(expires);
CREATE INDEX file_lock_account ON file_lock(account);
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
VERSION = len(MIGRATIONS)
