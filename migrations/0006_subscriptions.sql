-- A topic may have so many filter policies: those that it has are counted by this index.
CREATE INDEX subscriptions_filtered ON subscriptions (topic)
    WHERE state < 2 AND attributes ->> 'FilterPolicy' IS NOT NULL;

-- Subscriptions that nobody confirms go when their token expires.
CREATE INDEX subscriptions_pending ON subscriptions (token_expires_at) WHERE state = 0;
