-- The series of a week in blocks: some 64 KiB of entries of one kind, in the order of their ids, with bytes and not with
-- letters compared. Kinds: 1 videos, 2 assets, 3 references, 4 uploaders. An entry is its id and its numbers; who has no
-- number in the week has none. A block has its first entry's id beside it, and how many entries it has.
-- A table with row numbers, so that a block is looked for in the key's own pages and read once it is found.
CREATE TABLE series_block (
    week INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    first TEXT NOT NULL,
    entries INTEGER NOT NULL,
    block BLOB NOT NULL,
    PRIMARY KEY (week, kind, first)
) STRICT;

-- What ends a whole week is no SHA-256 any more, but in the weeks that were kept before.
ALTER TABLE week RENAME COLUMN sha256 TO hash;
