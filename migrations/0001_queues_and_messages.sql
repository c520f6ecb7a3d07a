-- Queues, their messages, and what FIFO remembers. Times are Unix milliseconds.

-- One row: the last sequence that was given out. Sequences order everything and are never reused.
CREATE TABLE sequence (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
);
INSERT INTO sequence (id, last) VALUES (1, 0);

CREATE TABLE queues (
    id                          INTEGER PRIMARY KEY,
    account                     TEXT    NOT NULL,
    region                      TEXT    NOT NULL,
    name                        TEXT    NOT NULL,
    backlog                     INTEGER NOT NULL,
    created_at                  INTEGER NOT NULL,
    modified_at                 INTEGER NOT NULL,
    purged_at                   INTEGER,
    fifo                        INTEGER NOT NULL,
    visibility_timeout          INTEGER NOT NULL,
    delay_seconds               INTEGER NOT NULL,
    maximum_message_size        INTEGER NOT NULL,
    message_retention_period    INTEGER NOT NULL,
    receive_wait_seconds        INTEGER NOT NULL,
    content_based_deduplication INTEGER NOT NULL,
    deduplication_scope         INTEGER NOT NULL,
    fifo_throughput_limit       INTEGER NOT NULL,
    sqs_managed_sse             INTEGER NOT NULL,
    kms_master_key_id           TEXT,
    kms_reuse_period_seconds    INTEGER,
    policy                      TEXT,
    redrive_policy              TEXT,
    dead_letter_target_arn      TEXT,
    max_receive_count           INTEGER,
    redrive_allow_policy        TEXT
);
CREATE UNIQUE INDEX queues_by_name ON queues (account, region, name);
CREATE INDEX queues_by_dead_letter_target ON queues (dead_letter_target_arn, name)
    WHERE dead_letter_target_arn IS NOT NULL;

CREATE TABLE queue_tags (
    queue INTEGER NOT NULL,
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL,
    PRIMARY KEY (queue, key)
) WITHOUT ROWID;

-- Names whose queue was deleted a moment ago, for the 60-second rule.
CREATE TABLE deleted_queues (
    account    TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
CREATE INDEX deleted_queues_by_time ON deleted_queues (deleted_at);

-- What a queue holds. Purging gives the queue a new backlog and discards the old one, which is
-- then emptied in pages: the purge itself costs the same whatever it throws away.
CREATE TABLE backlogs (
    id        INTEGER PRIMARY KEY,
    discarded INTEGER NOT NULL DEFAULT 0,
    ready     INTEGER NOT NULL DEFAULT 0,
    in_flight INTEGER NOT NULL DEFAULT 0,
    delayed   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX backlogs_discarded ON backlogs (id) WHERE discarded = 1;

-- The part of a message that changes. `place` is where it stands: -2 delayed, -1 in flight, 0 in
-- the line of messages without a group, otherwise the id of its message group, in whose line it
-- stands. `rank` orders a place: a sequence in a line, the time when it becomes ready elsewhere.
CREATE TABLE messages (
    backlog            INTEGER NOT NULL,
    sequence           INTEGER NOT NULL,
    place              INTEGER NOT NULL,
    rank               INTEGER NOT NULL,
    message_group      INTEGER NOT NULL,
    content            INTEGER NOT NULL,
    message_id         BLOB    NOT NULL,
    sent_at            INTEGER NOT NULL,
    receive_count      INTEGER NOT NULL,
    received_at        INTEGER,
    first_received_at  INTEGER,
    dead_letter_source TEXT,
    PRIMARY KEY (backlog, sequence)
) WITHOUT ROWID;
CREATE INDEX messages_by_place ON messages (backlog, place, rank);

-- The part that does not change, apart from the rows above because these can be a megabyte.
CREATE TABLE contents (
    id               INTEGER PRIMARY KEY,
    body             TEXT NOT NULL,
    attributes       BLOB,
    sender_id        TEXT NOT NULL,
    trace_header     TEXT,
    deduplication_id TEXT
);

-- Message groups that have messages. `head` is the rank of the message that may be received next,
-- NULL while there is none (FIFO: while one of the group is in flight).
CREATE TABLE message_groups (
    id           INTEGER PRIMARY KEY,
    backlog      INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    head         INTEGER,
    size         INTEGER NOT NULL,
    in_flight    INTEGER NOT NULL,
    last_sent_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX message_groups_by_name ON message_groups (backlog, name);
CREATE INDEX message_groups_by_head ON message_groups (backlog, head) WHERE head IS NOT NULL;

-- Five minutes of deduplication. `digest` stands for the scope and the deduplication id.
CREATE TABLE deduplication (
    queue      INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    message_id BLOB    NOT NULL,
    sequence   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (queue, digest)
) WITHOUT ROWID;
CREATE INDEX deduplication_by_expiry ON deduplication (expires_at);

-- Five minutes of receive attempts: which messages one returned, and until when they are hidden.
CREATE TABLE receive_attempts (
    queue      INTEGER NOT NULL,
    attempt    TEXT    NOT NULL,
    messages   BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (queue, attempt)
) WITHOUT ROWID;
CREATE INDEX receive_attempts_by_expiry ON receive_attempts (expires_at);

CREATE TABLE move_tasks (
    id              BLOB    PRIMARY KEY,
    source_queue    INTEGER NOT NULL,
    source_arn      TEXT    NOT NULL,
    destination_arn TEXT,
    max_per_second  INTEGER,
    status          INTEGER NOT NULL,
    moved           INTEGER NOT NULL,
    to_move         INTEGER NOT NULL,
    started_at      INTEGER NOT NULL,
    failure_reason  TEXT,
    -- The messages to move are those up to `boundary`; those up to `cursor` have been looked at.
    boundary        INTEGER NOT NULL,
    cursor          INTEGER NOT NULL,
    next_at         INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX move_tasks_by_source ON move_tasks (source_arn, started_at);
CREATE INDEX move_tasks_active ON move_tasks (next_at) WHERE status < 2;
