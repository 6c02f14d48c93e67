-- Processes, their checkpoints and history, orders to them with their receipts, and tasks that nobody has done yet.
--
-- Times are seconds since 1970 (UTC); those of leases and of tasks that are not due are by the database's own clock.
-- Texts are compared byte by byte ("C"), as every other store does. No table refers to another one by a constraint:
-- whoever writes holds the row of the process, and a check for every row that is added costs as much as the row.

CREATE TABLE owner (
    name text COLLATE "C" PRIMARY KEY,
    lease float8 NOT NULL, -- how long it lasts, seconds
    until float8 NOT NULL
);

-- A process is one row that every step rewrites, so what never changes and may be large (its inputs) and what is only
-- added (checkpoints, events) lies beside it. Room is left on each page for the row's next version.
CREATE TABLE process (
    pid text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    version int8 NOT NULL,
    state text COLLATE "C" NOT NULL,
    paused boolean NOT NULL,
    status text,
    seq int8 NOT NULL,
    epoch int8 NOT NULL,
    owner text COLLATE "C",
    attempts int8 NOT NULL,
    parent text COLLATE "C",
    generation int8 NOT NULL,
    retry_of text COLLATE "C",
    created float8 NOT NULL,
    updated float8 NOT NULL,
    digest bytea NOT NULL,
    parked boolean NOT NULL DEFAULT FALSE,
    wake_at float8,
    tail text COLLATE "C" NOT NULL -- the pid reversed: a search for its end is a search for this one's start
) WITH (fillfactor = 60);

-- State and paused take few values, so a list that does not filter by them merges one range for each;
-- with the other two in every combination, each list is a few ranges that are in order already. That a column is
-- NULL is no value to PostgreSQL, by which a range could be in order: roots have indexes of their own.
CREATE INDEX process_by_state ON process (state, paused, created, pid);
CREATE INDEX process_by_kind ON process (kind, state, paused, created, pid);
CREATE INDEX process_by_parent ON process (parent, state, paused, created, pid) WHERE parent IS NOT NULL;
CREATE INDEX process_by_kind_and_parent ON process (kind, parent, state, paused, created, pid) WHERE parent IS NOT NULL;
CREATE INDEX process_root_by_state ON process (state, paused, created, pid) WHERE parent IS NULL;
CREATE INDEX process_root_by_kind ON process (kind, state, paused, created, pid) WHERE parent IS NULL;
CREATE INDEX process_by_tail ON process (tail);
CREATE INDEX process_by_owner ON process (owner) WHERE owner IS NOT NULL;

-- What can go on and is held by nobody is in a small index of its own, and so is what is to be woken at a time: a worker
-- that looks for work does not meet those that wait, however many they are.
CREATE INDEX process_free ON process (created, pid)
WHERE owner IS NULL AND NOT parked AND NOT paused AND state IN ('created', 'running', 'waiting');
CREATE INDEX process_wakes ON process (wake_at) WHERE wake_at IS NOT NULL AND owner IS NULL AND NOT paused;

CREATE TABLE inputs (
    pid text COLLATE "C" PRIMARY KEY,
    hash bytea NOT NULL,
    body bytea NOT NULL
);

CREATE TABLE checkpoint (
    pid text COLLATE "C" NOT NULL,
    seq int8 NOT NULL,
    at float8 NOT NULL,
    hash bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (pid, seq)
);

CREATE TABLE event (
    pid text COLLATE "C" NOT NULL,
    seq int8 NOT NULL,
    at float8 NOT NULL,
    event text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    detail text,
    PRIMARY KEY (pid, seq)
);

-- Most orders were answered long ago, and are looked up by their id; those that were not are few, and a partial index
-- has them alone. The same holds for tasks and who holds them.
CREATE TABLE inbox (
    number int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order in which they came
    id text COLLATE "C" NOT NULL UNIQUE,
    pid text COLLATE "C" NOT NULL,
    verb text COLLATE "C" NOT NULL,
    name text COLLATE "C",
    body bytea NOT NULL,
    at float8 NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    detail text,
    answered float8
);

CREATE INDEX inbox_by_process ON inbox (pid);
CREATE INDEX inbox_open ON inbox (pid, number) WHERE outcome = 'requested';
CREATE INDEX inbox_asked ON inbox (number) WHERE outcome = 'requested' AND verb <> 'signal';
CREATE INDEX inbox_signal ON inbox (pid, name, number) WHERE outcome = 'requested' AND verb = 'signal';

CREATE TABLE task (
    number int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- its place in the queue: tasks go back to where they were
    id text COLLATE "C" NOT NULL UNIQUE,
    queue text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    attempt int8 NOT NULL DEFAULT 0,
    holder text COLLATE "C",
    due float8 -- NULL: at once
);

CREATE INDEX task_free ON task (queue, number) WHERE holder IS NULL;
CREATE INDEX task_held ON task (holder) WHERE holder IS NOT NULL;

-- What a step writes of its own in the transaction of its checkpoint must not be this: said of a mistake, not of an attack,
-- since whoever may write here can do so anyway.
CREATE FUNCTION refuse_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('drupe.of_step', TRUE) = 'on' THEN
        RAISE EXCEPTION 'the tables of the store are not for a step to write';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER not_of_steps BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON owner
FOR EACH STATEMENT EXECUTE FUNCTION refuse_step();
CREATE TRIGGER not_of_steps BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON process
FOR EACH STATEMENT EXECUTE FUNCTION refuse_step();
CREATE TRIGGER not_of_steps BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON inputs
FOR EACH STATEMENT EXECUTE FUNCTION refuse_step();
CREATE TRIGGER not_of_steps BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON checkpoint
FOR EACH STATEMENT EXECUTE FUNCTION refuse_step();
CREATE TRIGGER not_of_steps BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_step();
CREATE TRIGGER not_of_steps BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON inbox
FOR EACH STATEMENT EXECUTE FUNCTION refuse_step();
CREATE TRIGGER not_of_steps BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON task
FOR EACH STATEMENT EXECUTE FUNCTION refuse_step();
