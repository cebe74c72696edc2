//! The journal's layout. Append a step for every change; never edit one that was released.

use assay_sqlite::Layout;

pub(super) const LAYOUT: Layout = Layout(&["
    -- Attempts that are or were ours. phase is the last report's name; ended counts as 1.
    CREATE TABLE jobs (
        job BLOB NOT NULL, attempt INTEGER NOT NULL,
        requester BLOB NOT NULL, model BLOB NOT NULL, model_digest BLOB NOT NULL,
        price INTEGER NOT NULL, earned INTEGER NOT NULL DEFAULT 0,
        phase TEXT NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
        claimed_at INTEGER NOT NULL, changed_at INTEGER NOT NULL,
        PRIMARY KEY (job, attempt)
    ) STRICT;
    -- Written before the commitment is sent, never changed; the files go when retention ends.
    CREATE TABLE results (
        job BLOB NOT NULL, attempt INTEGER NOT NULL,
        generation INTEGER NOT NULL, salt BLOB NOT NULL, worker_secret BLOB NOT NULL,
        root BLOB NOT NULL, hints_digest BLOB NOT NULL, commitment BLOB NOT NULL,
        runtime_class BLOB NOT NULL,
        model_error TEXT, outputs BLOB, hints BLOB, outputs_json TEXT NOT NULL,
        runtime TEXT NOT NULL, compute_ms INTEGER NOT NULL, saved_at INTEGER NOT NULL,
        PRIMARY KEY (job, attempt)
    ) STRICT;
    CREATE TABLE acknowledgements (
        job BLOB NOT NULL, attempt INTEGER NOT NULL, secret BLOB NOT NULL, saved_at INTEGER NOT NULL,
        PRIMARY KEY (job, attempt)
    ) STRICT;
    -- Signed bytes, written before they are sent. state: pending, landed, refused, expired.
    CREATE TABLE transactions (
        signature BLOB PRIMARY KEY,
        job BLOB NOT NULL, attempt INTEGER NOT NULL, step TEXT NOT NULL,
        bytes BLOB NOT NULL, last_valid_block_height INTEGER NOT NULL,
        state TEXT NOT NULL, error TEXT, fee INTEGER, compute_units INTEGER,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX transactions_pending ON transactions (state) WHERE state = 'pending';
    CREATE INDEX jobs_live ON jobs (ended) WHERE ended = 0;
", "
    -- Audits that we take or took part in, with the accounts as they were last seen.
    CREATE TABLE audits (
        job BLOB PRIMARY KEY, account BLOB NOT NULL, panel1 BLOB, panel2 BLOB,
        ended INTEGER NOT NULL DEFAULT 0, changed_at INTEGER NOT NULL
    ) STRICT;
    -- Written before a seat's commitment is sent, never changed; the outputs go when retention ends.
    CREATE TABLE seat_results (
        job BLOB NOT NULL, level INTEGER NOT NULL, attempt INTEGER NOT NULL, generation INTEGER NOT NULL,
        salt BLOB NOT NULL, root BLOB NOT NULL, commitment BLOB NOT NULL,
        model_error TEXT, outputs BLOB, outputs_json TEXT NOT NULL,
        runtime TEXT NOT NULL, compute_ms INTEGER NOT NULL, saved_at INTEGER NOT NULL,
        PRIMARY KEY (job, level, attempt, generation)
    ) STRICT;
    CREATE INDEX audits_live ON audits (ended) WHERE ended = 0;
    CREATE INDEX results_hints ON results (hints_digest);
", "
    -- What the operator decided and a restart must know, by name.
    CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, written_at INTEGER NOT NULL) STRICT;
", "
    -- What a transaction does, in the order of its instructions: one thing, or several in a batch.
    CREATE TABLE members (
        signature BLOB NOT NULL, position INTEGER NOT NULL,
        job BLOB NOT NULL, attempt INTEGER NOT NULL, step TEXT NOT NULL,
        PRIMARY KEY (signature, position)
    ) STRICT;
    INSERT INTO members SELECT signature, 0, job, attempt, step FROM transactions;
    CREATE INDEX members_job ON members (job);
    -- Computed from what was signed, in lamports; the priority fee is a part of the whole fee.
    ALTER TABLE transactions ADD COLUMN quoted_fee INTEGER;
    ALTER TABLE transactions ADD COLUMN priority_fee INTEGER;
    -- Lamports lent as rent, below zero if they came back.
    ALTER TABLE transactions ADD COLUMN rent INTEGER;
    -- Where fee and rent are known from: quote, chain; none if they are still to be asked for.
    ALTER TABLE transactions ADD COLUMN cost_from TEXT;
", "
    -- The terms that say what losing the job costs; none in rows of an earlier worker.
    ALTER TABLE jobs ADD COLUMN collateral INTEGER;
    ALTER TABLE jobs ADD COLUMN ceiling INTEGER;
    ALTER TABLE jobs ADD COLUMN fee_bps INTEGER;
    -- What ended audits changed of stake and earnings, for good: at level 0 as the primary (zeros for
    -- others, who learn there that it has ended), else with a seat of that level.
    CREATE TABLE brought (
        job BLOB NOT NULL, attempt INTEGER NOT NULL, level INTEGER NOT NULL,
        requester BLOB NOT NULL, model BLOB NOT NULL,
        stake INTEGER NOT NULL, earnings INTEGER NOT NULL, compute_ms INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (job, attempt, level)
    ) STRICT;
", "
    -- What runs took, by the bits of the input's size; 255 stands for loading the model.
    CREATE TABLE measurements (
        model_digest BLOB NOT NULL, class INTEGER NOT NULL, runtime TEXT NOT NULL,
        high_ms INTEGER NOT NULL, low_ms INTEGER NOT NULL, unfinished_ms INTEGER NOT NULL,
        runs INTEGER NOT NULL, measured_at INTEGER NOT NULL,
        PRIMARY KEY (model_digest, class, runtime)
    ) STRICT;
", "
    -- Millijoules that counters of this machine say a run took; none where nothing counted.
    ALTER TABLE results ADD COLUMN energy_mj INTEGER;
    ALTER TABLE seat_results ADD COLUMN energy_mj INTEGER;
    ALTER TABLE brought ADD COLUMN energy_mj INTEGER;
    -- What pruning has still to look at.
    CREATE INDEX results_bulky ON results (job, attempt) WHERE (outputs IS NOT NULL OR outputs_json <> '');
    CREATE INDEX transactions_bulky ON transactions (created_at) WHERE bytes <> x'';
"]);
