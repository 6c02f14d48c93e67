-- Processes, their checkpoints and their history.
--
-- A process is one row that every step rewrites, so what never changes and may be large (its inputs)
-- and what is only added (checkpoints, events) lies beside it. Times are seconds since 1970 (UTC),
-- but for `owner.until`, which is seconds since the boot named beside it.

CREATE TABLE owner (
    name TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    until REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE process (
    pid TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    paused INTEGER NOT NULL,
    status TEXT,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT,
    attempts INTEGER NOT NULL,
    parent TEXT,
    generation INTEGER NOT NULL,
    retry_of TEXT,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    digest BLOB NOT NULL,
    tail TEXT NOT NULL -- the pid reversed: a search for its end is a search for this one's start
) WITHOUT ROWID;

-- State and paused take few values, so a list that does not filter by them merges one range for each;
-- with the other two in every combination, each list is a few ranges that are in order already.
CREATE INDEX process_by_state ON process (state, paused, created, pid);
CREATE INDEX process_by_kind ON process (kind, state, paused, created, pid);
CREATE INDEX process_by_parent ON process (parent, state, paused, created, pid);
CREATE INDEX process_by_kind_and_parent ON process (kind, parent, state, paused, created, pid);
CREATE INDEX process_by_tail ON process (tail);
CREATE INDEX process_by_owner ON process (owner) WHERE owner IS NOT NULL;

CREATE TABLE inputs (
    pid TEXT PRIMARY KEY REFERENCES process ON DELETE CASCADE,
    hash BLOB NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;

-- With rowids, unlike the others: a new checkpoint is written over the one that falls out of those kept, in
-- the same place and page, and only a small index learns of it. And a body may fill a page before it needs another.
CREATE TABLE checkpoint (
    pid TEXT NOT NULL REFERENCES process ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at REAL NOT NULL,
    hash BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (pid, seq)
);

CREATE TABLE event (
    pid TEXT NOT NULL REFERENCES process ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at REAL NOT NULL,
    event TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT,
    PRIMARY KEY (pid, seq)
) WITHOUT ROWID;
