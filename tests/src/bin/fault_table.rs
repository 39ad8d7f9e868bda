//! Prints which rows of the fault matrix a test covers; with `--write`, brings docs/RELIABILITY.md up to date.

use std::io::Write as _;

use anyhow::Result;
use dn_tests::{faults, root};

fn main() -> Result<()> {
    if std::env::args().any(|argument| argument == "--write") {
        let (_, fresh) = faults::document(root())?;
        std::fs::write(root().join("docs/RELIABILITY.md"), fresh)?;
    }
    write!(std::io::stdout(), "{}", faults::covered(&faults::faults(root())?))?;
    Ok(())
}
