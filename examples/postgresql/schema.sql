-- The outbox. Whoever changes tables inserts what others are to learn of it, in the same transaction.
CREATE TABLE outbox (
    -- Numbers are given when a transaction writes, not when it commits: the order that counts is (transaction, id).
    id bigserial PRIMARY KEY,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    topic text NOT NULL,
    payload jsonb NOT NULL
);
CREATE INDEX ON outbox (transaction, id);

-- Wakes the spout. It looks by itself as well, so a notification that nobody hears does no harm.
CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY outbox;
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();
