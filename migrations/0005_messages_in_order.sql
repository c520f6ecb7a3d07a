-- Messages are stored in the order in which they were sent, whatever their queue: a new one is written
-- behind the last, which splits no page and touches few, however many queues a transaction sends
-- to. `messages_by_age` has the sequences of a backlog in their order. Before its first receive a
-- message has the time of its send for the times of receives, so that its row does not grow then.
--
-- Messages are moved page by page, so that a start that is killed loses one page of work, and the
-- file needs no room for two copies of them. See src/store/migrations.rs for steps.
CREATE TABLE messages_in_order (
    sequence           INTEGER PRIMARY KEY,
    backlog            INTEGER NOT NULL,
    place              INTEGER NOT NULL,
    rank               INTEGER NOT NULL,
    message_group      INTEGER NOT NULL,
    content            INTEGER NOT NULL,
    message_id         BLOB    NOT NULL,
    sent_at            INTEGER NOT NULL,
    receive_count      INTEGER NOT NULL,
    received_at        INTEGER NOT NULL,
    first_received_at  INTEGER NOT NULL,
    dead_letter_source TEXT,
    body               TEXT,
    attributes         BLOB,
    sender_id          TEXT,
    trace_header       TEXT,
    deduplication_id   TEXT
);
DROP INDEX messages_by_place;
-- step, repeated
INSERT INTO messages_in_order
    SELECT sequence, backlog, place, rank, message_group, content, message_id, sent_at,
           receive_count, coalesce(received_at, sent_at), coalesce(first_received_at, sent_at),
           dead_letter_source, body, attributes, sender_id, trace_header, deduplication_id
    FROM messages ORDER BY backlog, sequence LIMIT 5000;
DELETE FROM messages WHERE (backlog, sequence) IN
    (SELECT backlog, sequence FROM messages ORDER BY backlog, sequence LIMIT 5000);
-- step
DROP TABLE messages;
ALTER TABLE messages_in_order RENAME TO messages;
-- step
CREATE INDEX messages_by_place ON messages (backlog, place, rank);
-- step
CREATE INDEX messages_by_age ON messages (backlog);
