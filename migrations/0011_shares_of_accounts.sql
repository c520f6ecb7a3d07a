-- What waits or is kept for each account, in bytes: captured messages, and the outbox. Deliveries and
-- publications of earlier versions do not count; they are gone when they have been delivered.
CREATE TABLE account_usage (
    account  TEXT PRIMARY KEY,
    captured INTEGER NOT NULL,
    outbox   INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO account_usage (account, captured, outbox)
    SELECT account, sum(octet_length(target) + octet_length(message) + 128), 0
    FROM captured_messages GROUP BY account;
-- The oldest messages of an account, and its latest.
CREATE INDEX captured_messages_by_account ON captured_messages (account, id);

-- step
-- Whose outbox it is that a row counts in, `-` for rows of earlier versions, and with how many bytes.
-- `reserved` is for deliveries that the fan-out has yet to make.
ALTER TABLE deliveries ADD COLUMN account TEXT NOT NULL DEFAULT '-';
ALTER TABLE publications ADD COLUMN account TEXT NOT NULL DEFAULT '-';
ALTER TABLE publications ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE publications ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;

-- step
-- Slots for deliveries are shared by the accounts of subscriptions and by destinations. `ready` is 1
-- for an outbox whose time has come, so that those that wait for theirs cost nothing.
ALTER TABLE outboxes ADD COLUMN account TEXT NOT NULL DEFAULT '-';
ALTER TABLE outboxes ADD COLUMN destination TEXT NOT NULL DEFAULT '-';
ALTER TABLE outboxes ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;
DROP INDEX outboxes_by_time;
CREATE INDEX outboxes_waiting ON outboxes (next_due) WHERE claimed = 0 AND ready = 0;
CREATE INDEX outboxes_ready ON outboxes (account, destination, next_due)
    WHERE claimed = 0 AND ready = 1;
