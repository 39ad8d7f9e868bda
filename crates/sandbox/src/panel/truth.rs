//! What was done to a panel: `scope,id,kind,from,to,views`, a row for each surge and for each thing that is none.

use std::io::{Read, Write};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One series.
    Series,
    /// All series of a channel.
    Channel,
    /// Every series.
    Report,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub scope: Scope,
    /// The series' or channel's id; empty of the report.
    pub id: String,
    /// What it is: `surge` is to be found, a `fault_…` is a finding about the data, everything else is neither.
    pub kind: String,
    /// The first week of it.
    pub from: usize,
    /// The last week of it.
    pub to: usize,
    /// The views of a surge beyond what would have been; nought for everything else.
    pub views: u64,
}

impl Note {
    /// Whether it is to be found.
    pub fn is_surge(&self) -> bool {
        self.kind.starts_with("surge")
    }

    /// Whether the report or channel as a whole was not to be believed.
    pub fn is_fault(&self) -> bool {
        self.kind.starts_with("fault_")
    }
}

/// Everything that was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// In the order in which it was done.
    pub notes: Vec<Note>,
}

impl Truth {
    pub(super) fn note(&mut self, scope: Scope, id: String, kind: &str, from: usize, to: usize, views: u64) {
        self.notes.push(Note { scope, id, kind: kind.to_owned(), from, to, views });
    }

    /// Writes the truth.
    pub fn write(&self, to: impl Write) -> Result<()> {
        let mut out = csv::Writer::from_writer(to);
        for note in &self.notes {
            out.serialize(note)?;
        }
        out.flush()?;
        Ok(())
    }

    /// Reads it back.
    pub fn read(from: impl Read) -> Result<Self> {
        let notes = csv::Reader::from_reader(from).deserialize().collect::<Result<_, _>>();
        Ok(Self { notes: notes.context("the truth cannot be read")? })
    }
}
