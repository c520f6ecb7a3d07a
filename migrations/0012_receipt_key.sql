-- The secret of the codes in receipt handles, 32 bytes, made by the first receive.
CREATE TABLE receipt_key (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    secret BLOB NOT NULL
);
