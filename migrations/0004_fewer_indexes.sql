-- Records of deduplication are swept by going through all of them now and then, in the order of
-- their keys, which costs less than to keep a second order for every message that is sent.
DROP INDEX deduplication_by_expiry;
