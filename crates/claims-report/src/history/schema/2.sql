-- What says that an open claim is weak: the codes of the reasons that hold, and what they come to.
ALTER TABLE open_claim ADD COLUMN signs TEXT;
ALTER TABLE open_claim ADD COLUMN risk TEXT;

-- Claims whose risk was assessed in a week, and what the twelve weeks after it said of them: in each of the last four
-- columns a bit for each of these weeks, the lowest for the one after. Each claim is noted in one week of twelve.
CREATE TABLE candidate (
    week INTEGER NOT NULL,
    claim_id TEXT NOT NULL,
    asset_id TEXT,
    channel_id TEXT NOT NULL,
    -- The codes of the reasons that held, with blanks between.
    signs TEXT NOT NULL,
    is_manual INTEGER NOT NULL,
    -- One of those with the most at stake, and one that the lot fell on; one of the two at least.
    is_ranked INTEGER NOT NULL,
    is_drawn INTEGER NOT NULL,
    probability REAL NOT NULL,
    at_stake TEXT NOT NULL,
    -- Looked at, in a report that could be believed; then seen disputed, given up, or not at all.
    looked INTEGER NOT NULL,
    disputed INTEGER NOT NULL,
    released INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    PRIMARY KEY (week, claim_id)
) STRICT, WITHOUT ROWID;
