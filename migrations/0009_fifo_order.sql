-- A message of a FIFO queue may be received if no earlier one of its group is hidden: in flight or
-- delayed. What is hidden in a FIFO queue has places of its own, -3 in flight and -4 delayed, so
-- that an index has these rows alone and other queues pay nothing for it.
UPDATE messages SET place = place - 2
    WHERE backlog IN (SELECT backlog FROM queues WHERE fifo = 1) AND place IN (-2, -1);
-- step
CREATE INDEX messages_hidden ON messages (message_group) WHERE place < -2;

-- step
-- `first_hidden` is the sequence of the earliest hidden message of a group (FIFO), `head` the rank
-- of the message that may be received next: the first of the line, unless that is later. `turn`
-- orders groups: those of FIFO queues by when they were served last, others by their heads. Groups
-- with messages in flight were served last.
ALTER TABLE message_groups ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message_groups ADD COLUMN first_hidden INTEGER;
UPDATE message_groups SET first_hidden =
    (SELECT sequence FROM messages INDEXED BY messages_hidden
     WHERE message_group = message_groups.id AND place < -2 ORDER BY sequence LIMIT 1);
UPDATE message_groups SET turn = coalesce(head, (SELECT last FROM sequence));
UPDATE message_groups SET head =
    (SELECT rank FROM messages
     WHERE backlog = message_groups.backlog AND place = message_groups.id
         AND rank < first_hidden
     ORDER BY rank LIMIT 1)
    WHERE first_hidden IS NOT NULL;
DROP INDEX message_groups_by_head;
CREATE INDEX message_groups_by_turn ON message_groups (backlog, turn) WHERE head IS NOT NULL;

-- step
-- What a queue remembers goes with its backlog, so that a purge forgets it at no cost. Topics have
-- records of deduplication, too, under their ids.
ALTER TABLE deduplication RENAME COLUMN queue TO owner;
UPDATE deduplication SET owner = (SELECT backlog FROM queues WHERE queues.id = deduplication.owner)
    WHERE owner IN (SELECT id FROM queues);
ALTER TABLE receive_attempts RENAME COLUMN queue TO backlog;
UPDATE receive_attempts
    SET backlog = (SELECT q.backlog FROM queues AS q WHERE q.id = receive_attempts.backlog)
    WHERE backlog IN (SELECT id FROM queues);

-- step
-- The DeduplicationScope at creation keeps applying when the attribute changes.
ALTER TABLE queues ADD COLUMN created_deduplication_scope INTEGER NOT NULL DEFAULT 0;
UPDATE queues SET created_deduplication_scope = deduplication_scope;

-- step
-- Receives in other queues, before a message came here as a dead letter: maxReceiveCount is about
-- those of one queue.
ALTER TABLE messages ADD COLUMN received_elsewhere INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET received_elsewhere = receive_count WHERE dead_letter_source IS NOT NULL;
