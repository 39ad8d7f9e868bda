-- Weeks are counted from that of Monday, 1970-01-05. A number that is unknown is NULL; a week without data has no row.
CREATE TABLE week (
    week INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    generated_at TEXT NOT NULL,
    -- The object with the whole week beside the database, and the SHA-256 at its end; NULL once it is not kept.
    object TEXT,
    sha256 TEXT,
    assets INTEGER,
    videos INTEGER,
    claims INTEGER,
    views INTEGER,
    engaged_views INTEGER,
    active_claims INTEGER
) STRICT;

CREATE TABLE report (
    week INTEGER NOT NULL,
    source TEXT NOT NULL,
    report_id TEXT NOT NULL,
    uri TEXT NOT NULL,
    modified TEXT,
    covers_until TEXT,
    is_suspect INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (week, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE total (
    week INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    views INTEGER,
    engaged_views INTEGER,
    active_claims INTEGER,
    PRIMARY KEY (week, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    week INTEGER NOT NULL,
    place INTEGER NOT NULL,
    is_told INTEGER NOT NULL,
    alert TEXT NOT NULL,
    PRIMARY KEY (week, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE open_claim (
    week INTEGER NOT NULL,
    claim_id TEXT NOT NULL,
    asset_id TEXT,
    video_id TEXT,
    status TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (week, claim_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX open_claim_by_id ON open_claim (claim_id, week);

CREATE TABLE platform_week (
    week INTEGER NOT NULL,
    platform TEXT NOT NULL,
    key_kind TEXT NOT NULL,
    key TEXT NOT NULL,
    metric TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (week, platform, key_kind, key, metric)
) STRICT, WITHOUT ROWID;

-- Whose series there are, each once: 1 videos, 2 assets, 3 references, 4 uploaders.
CREATE TABLE subject (
    number INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    id TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;

CREATE TABLE video_week (
    week INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    views INTEGER,
    engaged_views INTEGER,
    PRIMARY KEY (week, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE asset_week (
    week INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    active_claims INTEGER,
    claims INTEGER,
    created INTEGER,
    inactive INTEGER,
    disputed INTEGER,
    short INTEGER,
    daily_views INTEGER,
    daily_engaged_views INTEGER,
    claimed_views INTEGER,
    claimed_engaged_views INTEGER,
    PRIMARY KEY (week, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE reference_week (
    week INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    claims INTEGER,
    created INTEGER,
    inactive INTEGER,
    disputed INTEGER,
    short INTEGER,
    median_seconds INTEGER,
    PRIMARY KEY (week, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploader_week (
    week INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    claims INTEGER,
    created INTEGER,
    inactive INTEGER,
    disputed INTEGER,
    short INTEGER,
    PRIMARY KEY (week, subject)
) STRICT, WITHOUT ROWID;
