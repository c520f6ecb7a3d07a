-- The content of most messages stands with the message: one row to write and to delete instead of
-- two. `content` is 0 then. Contents that would not fit a page well stay apart, in `contents`.
ALTER TABLE messages ADD COLUMN body TEXT;
ALTER TABLE messages ADD COLUMN attributes BLOB;
ALTER TABLE messages ADD COLUMN sender_id TEXT;
ALTER TABLE messages ADD COLUMN trace_header TEXT;
ALTER TABLE messages ADD COLUMN deduplication_id TEXT;
