-- Orders to processes with their receipts, and tasks that nobody has done yet.
--
-- Most orders were answered long ago, and are looked up by their id; those that were not are few, and a
-- partial index has them alone. The same holds for tasks and who holds them.

CREATE TABLE inbox (
    number INTEGER PRIMARY KEY, -- the order in which they came
    id TEXT NOT NULL UNIQUE,
    pid TEXT NOT NULL REFERENCES process ON DELETE CASCADE,
    verb TEXT NOT NULL,
    name TEXT,
    body BLOB NOT NULL,
    at REAL NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT,
    answered REAL
);

CREATE INDEX inbox_by_process ON inbox (pid);
CREATE INDEX inbox_open ON inbox (pid, number) WHERE outcome = 'requested';
CREATE INDEX inbox_asked ON inbox (pid, number) WHERE outcome = 'requested' AND verb <> 'signal';
CREATE INDEX inbox_signal ON inbox (pid, name, number) WHERE outcome = 'requested' AND verb = 'signal';

CREATE TABLE task (
    number INTEGER PRIMARY KEY, -- its place in the queue: tasks go back to where they were
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    body BLOB NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    boot TEXT, -- of the machine, for which `due` is a steady time; NULL: due at once
    due REAL
);

CREATE INDEX task_free ON task (queue, number) WHERE holder IS NULL;
CREATE INDEX task_held ON task (holder) WHERE holder IS NOT NULL;
