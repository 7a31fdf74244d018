-- Raise SCHEMA_VERSION in store.py with every change here.

CREATE TABLE customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT UNIQUE,
    first_name TEXT,
    last_name TEXT,
    phone_number TEXT,
    third_party_id TEXT UNIQUE,
    pos_account_id TEXT UNIQUE,
    has_account INTEGER NOT NULL DEFAULT 0,
    opted_in INTEGER NOT NULL DEFAULT 1,
    opted_in_at TEXT,
    birth_day INTEGER,
    birthday_month INTEGER,
    birthday_year INTEGER,
    tags TEXT NOT NULL DEFAULT '',
    total_purchases INTEGER NOT NULL DEFAULT 0,
    total_spend_cents INTEGER NOT NULL DEFAULT 0,
    last_purchase_at TEXT,
    last_seen_at TEXT,
    expires_on TEXT,
    expires_amount INTEGER,
    -- Seconds since the epoch, by the true clock: new customers can't be read at once.
    readable_at REAL NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX customers_phone ON customers (phone_number);

-- Every movement of points, for ever. A balance is the sum of its customer's rows; `balance` is
-- that sum after the row, checked as it is written. `earned` is what counts for the tiers.
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    points INTEGER NOT NULL,
    earned INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL CHECK (kind IN
        ('seed', 'redemption', 'reversal', 'order', 'refund', 'adjust', 'expiry')),
    ref TEXT NOT NULL,
    title TEXT NOT NULL,
    visible INTEGER NOT NULL DEFAULT 1,
    balance INTEGER NOT NULL
);
CREATE INDEX ledger_customer ON ledger (customer_id, seq);

CREATE TRIGGER ledger_is_never_changed BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER ledger_is_never_deleted BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER ledger_balance_is_the_sum BEFORE INSERT ON ledger
WHEN NEW.balance <> NEW.points
    + (SELECT coalesce(sum(points), 0) FROM ledger WHERE customer_id = NEW.customer_id)
BEGIN SELECT RAISE(ABORT, 'the balance is not the sum of the ledger'); END;

CREATE TABLE options (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    cost INTEGER,
    is_offline INTEGER NOT NULL,
    supply TEXT NOT NULL CHECK (supply IN ('made', 'pool', 'none')),
    needs_tag TEXT,
    public TEXT NOT NULL
);

CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id TEXT NOT NULL,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    total_cents INTEGER NOT NULL,
    currency TEXT NOT NULL,
    status TEXT,
    coupon_codes TEXT NOT NULL DEFAULT '',
    placed_at TEXT NOT NULL,
    queued INTEGER NOT NULL DEFAULT 0,
    points INTEGER NOT NULL DEFAULT 0,
    refunded_cents INTEGER NOT NULL DEFAULT 0,
    spent_returned INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX orders_order_id ON orders (order_id);

CREATE TABLE redemptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    option_id INTEGER NOT NULL REFERENCES options (id),
    title TEXT NOT NULL,
    points INTEGER NOT NULL CHECK (points > 0),
    code TEXT NOT NULL,
    token TEXT NOT NULL,
    third_party_id TEXT,
    delayed INTEGER NOT NULL,
    deducted INTEGER NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('api', 'online', 'seed')),
    state TEXT NOT NULL DEFAULT 'made' CHECK (state IN ('made', 'cancelled')),
    -- How the cancellation shows in history: the switch's value when it was cancelled.
    shown_as TEXT,
    used_by INTEGER REFERENCES orders (id),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX redemptions_used_by ON redemptions (used_by);

CREATE TABLE codes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    option_id INTEGER NOT NULL REFERENCES options (id),
    code TEXT NOT NULL,
    third_party_id TEXT,
    redemption_id INTEGER REFERENCES redemptions (id),
    state TEXT NOT NULL CHECK (state IN ('free', 'out', 'used', 'dead'))
);
-- A code that was cancelled may be uploaded and handed out again, as a new record.
CREATE UNIQUE INDEX codes_live ON codes (code) WHERE state <> 'dead';
CREATE INDEX codes_code ON codes (code);
CREATE INDEX codes_pool ON codes (option_id, state);
CREATE INDEX codes_redemption ON codes (redemption_id);

CREATE TABLE refunds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    refund_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    amount_cents INTEGER NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX refunds_refund_id ON refunds (refund_id);

-- Work that is done later; `due` is in seconds since the epoch, by the true clock.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    due REAL NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('order', 'refund')),
    ref INTEGER NOT NULL
);

-- Ids that look like the vendor's: redemptions and code records are numbered apart.
INSERT INTO sqlite_sequence (name, seq) VALUES
    ('customers', 40100), ('redemptions', 10869300), ('codes', 771200), ('ledger', 900);
