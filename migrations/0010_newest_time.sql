-- The newest time that a transaction has seen, to within a second. A start whose wall clock is behind
-- goes on from here, so that no deadline is later by the difference.
CREATE TABLE newest_time (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
);
INSERT INTO newest_time (id, at)
    SELECT 1, coalesce((SELECT sent_at FROM messages ORDER BY sequence DESC LIMIT 1), 0);
