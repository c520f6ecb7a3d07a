-- Topics, their subscriptions, and what is published on its way. Times are Unix milliseconds.

-- `attributes` is a JSON object: the settable attributes by AWS's names, as they were given.
-- `version` is another random number after each change of the topic or of a subscription: whoever
-- has compiled them may go on as long as it is the same. `archive_since` is when an archive begins.
CREATE TABLE topics (
    id            INTEGER PRIMARY KEY,
    account       TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    attributes    TEXT    NOT NULL,
    confirmed     INTEGER NOT NULL DEFAULT 0,
    pending       INTEGER NOT NULL DEFAULT 0,
    deleted       INTEGER NOT NULL DEFAULT 0,
    archive_since INTEGER
);
CREATE UNIQUE INDEX topics_by_name ON topics (account, region, name);
CREATE INDEX topics_with_archive ON topics (id) WHERE archive_since IS NOT NULL;

-- Deleted topics whose subscriptions and archive go in pages.
CREATE TABLE discarded_topics (
    id INTEGER PRIMARY KEY
);

-- Tags of whatever SNS has an ARN for.
CREATE TABLE resource_tags (
    arn   TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
) WITHOUT ROWID;

CREATE TABLE subscriptions (
    id               INTEGER PRIMARY KEY,
    uuid             BLOB    NOT NULL,
    topic            INTEGER NOT NULL,
    topic_arn        TEXT    NOT NULL,
    account          TEXT    NOT NULL,
    region           TEXT    NOT NULL,
    protocol         TEXT    NOT NULL,
    endpoint         TEXT    NOT NULL,
    principal        TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    -- 0 waits for its confirmation, 1 confirmed, 2 ended by a link: its token may restore it.
    state            INTEGER NOT NULL,
    -- Whether the confirmation was signed, and whether the end of the subscription must be.
    authenticated    INTEGER NOT NULL,
    protected        INTEGER NOT NULL,
    token            TEXT,
    token_expires_at INTEGER,
    attributes       TEXT    NOT NULL,
    -- How far a replay has come: the last publication that was replayed, and where it ends.
    replay_status    TEXT,
    replay_cursor    INTEGER,
    replay_from      INTEGER,
    replay_until     INTEGER
);
CREATE UNIQUE INDEX subscriptions_by_uuid ON subscriptions (uuid);
CREATE UNIQUE INDEX subscriptions_by_endpoint ON subscriptions (topic, protocol, endpoint);
CREATE INDEX subscriptions_by_topic ON subscriptions (topic, id) WHERE state < 2;
CREATE INDEX subscriptions_by_account ON subscriptions (account, region, id) WHERE state < 2;
CREATE INDEX subscriptions_by_token ON subscriptions (token) WHERE token IS NOT NULL;
CREATE INDEX subscriptions_ended ON subscriptions (token_expires_at) WHERE state = 2;
CREATE INDEX subscriptions_replaying ON subscriptions (id) WHERE replay_cursor IS NOT NULL;

-- What was published, for as long as a delivery, a fan-out or an archive needs it. `cursor` is the
-- last subscription that the fan-out has come to, NULL once it is done.
CREATE TABLE publications (
    id               INTEGER PRIMARY KEY,
    topic            INTEGER NOT NULL,
    message_id       BLOB    NOT NULL,
    published_at     INTEGER NOT NULL,
    subject          TEXT,
    message          TEXT    NOT NULL,
    structured       INTEGER NOT NULL,
    attributes       BLOB,
    message_group    TEXT,
    deduplication_id TEXT,
    trace_header     TEXT,
    base_url         TEXT    NOT NULL,
    signature        TEXT,
    version          TEXT,
    cert_url         TEXT,
    archived         INTEGER NOT NULL,
    cursor           INTEGER
);
CREATE INDEX publications_unfinished ON publications (id) WHERE cursor IS NOT NULL;
CREATE INDEX publications_archived ON publications (topic, id) WHERE archived = 1;

-- The outbox: what has to leave the process. A row is one message to one subscription. `kind` is 0
-- for a notification, 1 for a confirmation of a subscription, 2 for one of its end, which have
-- their own message id, token and base URL here.
CREATE TABLE deliveries (
    id           INTEGER PRIMARY KEY,
    subscription INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    publication  INTEGER,
    message_id   BLOB,
    token        TEXT,
    base_url     TEXT,
    created_at   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    due_at       INTEGER NOT NULL
);
CREATE INDEX deliveries_by_subscription ON deliveries (subscription, due_at, id);
CREATE INDEX deliveries_by_publication ON deliveries (publication) WHERE publication IS NOT NULL;

-- One row for each subscription that has deliveries, so that whoever looks for work sees a
-- subscription with a million of them, or a dead endpoint, once.
CREATE TABLE outboxes (
    subscription INTEGER PRIMARY KEY,
    next_due     INTEGER NOT NULL,
    -- Until when its policy lets it rest, even if something is put into it meanwhile.
    rests_until  INTEGER NOT NULL DEFAULT 0,
    -- Whether somebody is working on it.
    claimed      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX outboxes_by_time ON outboxes (next_due) WHERE claimed = 0;
CREATE INDEX outboxes_claimed ON outboxes (subscription) WHERE claimed = 1;

-- What would have left for a phone, a device, a mailbox or a stream, to be looked at. `target` is
-- the phone number, the endpoint's ARN, the address or the stream's ARN.
CREATE TABLE captured_messages (
    id       INTEGER PRIMARY KEY,
    account  TEXT    NOT NULL,
    region   TEXT    NOT NULL,
    protocol TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    message  TEXT    NOT NULL
);
CREATE INDEX captured_messages_by_target ON captured_messages (account, region, protocol, target, id);

-- Mobile push. `attributes` is a JSON object: what is shown, and digests of the credentials, which
-- are not kept themselves.
CREATE TABLE platform_applications (
    id         INTEGER PRIMARY KEY,
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    platform   TEXT NOT NULL,
    name       TEXT NOT NULL,
    attributes TEXT NOT NULL
);
CREATE UNIQUE INDEX platform_applications_by_name
    ON platform_applications (account, region, platform, name);

-- Deleted applications whose endpoints go in pages.
CREATE TABLE discarded_applications (
    id INTEGER PRIMARY KEY
);

-- `attributes` is a JSON object: the attributes by AWS's names, without the token.
CREATE TABLE platform_endpoints (
    id          INTEGER PRIMARY KEY,
    application INTEGER NOT NULL,
    uuid        BLOB    NOT NULL,
    token       TEXT    NOT NULL,
    attributes  TEXT    NOT NULL
);
CREATE UNIQUE INDEX platform_endpoints_by_uuid ON platform_endpoints (uuid);
CREATE UNIQUE INDEX platform_endpoints_by_token ON platform_endpoints (application, token);
CREATE INDEX platform_endpoints_by_application ON platform_endpoints (application, id);

-- SMS: the attributes of an account, the numbers that want none, those of the sandbox.
CREATE TABLE sms_attributes (
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;

-- A number that was opted in again stays for as long as that matters.
CREATE TABLE sms_opt_outs (
    account      TEXT    NOT NULL,
    region       TEXT    NOT NULL,
    phone_number TEXT    NOT NULL,
    opted_out    INTEGER NOT NULL,
    -- When the number was last opted in by a call, which is allowed every 30 days.
    opted_in_at  INTEGER,
    PRIMARY KEY (account, region, phone_number)
) WITHOUT ROWID;
CREATE INDEX sms_opted_out ON sms_opt_outs (account, region, phone_number) WHERE opted_out = 1;
CREATE INDEX sms_opted_in ON sms_opt_outs (opted_in_at) WHERE opted_out = 0;

CREATE TABLE sms_sandbox_phone_numbers (
    account           TEXT    NOT NULL,
    region            TEXT    NOT NULL,
    phone_number      TEXT    NOT NULL,
    one_time_password TEXT    NOT NULL,
    verified          INTEGER NOT NULL,
    PRIMARY KEY (account, region, phone_number)
) WITHOUT ROWID;

-- One row: the key that signs notifications, and its certificate.
CREATE TABLE signing_key (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    private_key BLOB NOT NULL,
    certificate BLOB NOT NULL
);
