-- Processes that wait and that nobody needs to hold before something happens.
--
-- What can go on and is held by nobody is in a small index of its own, and so is what is to be woken at a time: a worker that
-- looks for work does not meet those that wait, however many they are.

ALTER TABLE process ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE process ADD COLUMN wake_at REAL;

CREATE INDEX process_free ON process (created, pid)
WHERE owner IS NULL AND parked = 0 AND paused = 0 AND state IN ('created', 'running', 'waiting');
CREATE INDEX process_wakes ON process (wake_at)
WHERE wake_at IS NOT NULL AND owner IS NULL AND paused = 0;
