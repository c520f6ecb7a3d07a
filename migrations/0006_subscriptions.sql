-- A topic may have so many filter policies: those that it has are counted by this index.
CREATE INDEX subscriptions_filtered ON subscriptions (topic)
    WHERE state < 2 AND attributes ->> 'FilterPolicy' IS NOT NULL;
