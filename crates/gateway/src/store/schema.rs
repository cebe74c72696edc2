//! The ledger's layout. Append a step for every change; never edit one that was released.

use assay_sqlite::Layout;

pub(super) const LAYOUT: Layout = Layout(&["
    -- Written before the transaction that opens it is sent. cluster is the chain's genesis hash, key the session key's
    -- secret, deposit and settled are the chain's as last seen, paid is the highest voucher handed out.
    -- doubt_*: a request that was sent and whose receipt has not been accepted.
    CREATE TABLE sessions (
        address BLOB PRIMARY KEY, cluster BLOB NOT NULL,
        requester BLOB NOT NULL, provider BLOB NOT NULL, generation INTEGER NOT NULL,
        operator BLOB NOT NULL, endpoint TEXT NOT NULL, key BLOB NOT NULL,
        open_slot INTEGER NOT NULL, position INTEGER NOT NULL, grace_secs INTEGER NOT NULL,
        deposit INTEGER NOT NULL, settled INTEGER NOT NULL, paid INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL,
        doubt_sequence INTEGER, doubt_model BLOB, doubt_request BLOB, doubt_max_price INTEGER
    ) STRICT;
    -- Written before the answer is passed on, never changed. receipt is the signed message.
    CREATE TABLE receipts (
        session BLOB NOT NULL REFERENCES sessions (address), sequence INTEGER NOT NULL,
        receipt BLOB NOT NULL, signature BLOB NOT NULL, operator BLOB NOT NULL,
        received_at INTEGER NOT NULL,
        PRIMARY KEY (session, sequence)
    ) STRICT;
", "
    -- Providers that broke the rules: how often, and how many of their answers were paid since, each of which counts
    -- towards forgiving one.
    CREATE TABLE breaches (
        provider BLOB PRIMARY KEY, count INTEGER NOT NULL, answers INTEGER NOT NULL, reason TEXT NOT NULL
    ) STRICT;
", "
    -- What the request in doubt is worth by what came of it, so that its answer can be asked for again after a restart. None
    -- for one of before this step.
    ALTER TABLE sessions ADD COLUMN doubt_generates INTEGER;
    ALTER TABLE sessions ADD COLUMN doubt_base INTEGER;
    ALTER TABLE sessions ADD COLUMN doubt_token INTEGER;
    ALTER TABLE sessions ADD COLUMN doubt_tokens INTEGER;
    ALTER TABLE sessions ADD COLUMN doubt_seen INTEGER;
    ALTER TABLE sessions ADD COLUMN doubt_most INTEGER;
"]);
