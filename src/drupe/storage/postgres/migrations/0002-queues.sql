-- Whose workers may have a process that nobody holds.
--
-- A worker looks for what is of its own queue, and for what is of none: each is a range of these indexes, so that it does not
-- meet those of another queue for which perhaps no worker is there. An index of PostgreSQL has no range of what is NULL that is
-- in order: that is the empty text here.

ALTER TABLE process ADD COLUMN queue text COLLATE "C";

DROP INDEX process_free;
DROP INDEX process_wakes;

CREATE INDEX process_free ON process (coalesce(queue, ''), created, pid)
WHERE owner IS NULL AND NOT parked AND NOT paused AND state IN ('created', 'running', 'waiting');
CREATE INDEX process_wakes ON process (coalesce(queue, ''), wake_at)
WHERE wake_at IS NOT NULL AND owner IS NULL AND NOT paused AND epoch > 0;

-- What was handed in and nobody has taken so far may be much; what was begun is not to be looked for among it.
CREATE INDEX process_queued ON process (coalesce(queue, ''), wake_at)
WHERE wake_at IS NOT NULL AND owner IS NULL AND NOT paused AND epoch = 0;
