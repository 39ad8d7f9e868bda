//! CloudWatch metrics in the embedded format: one JSON line on stderr at the end of a run, no call and no permission.

use std::time::SystemTime;

use metrique::emf::Emf;
use metrique::writer::{Entry, EntryIoStream as _, EntryWriter, FormatExt as _};

/// The namespace that the alarms read.
const NAMESPACE: &str = "DistroNation/Maintenance";

/// One finished run.
#[derive(Debug)]
pub struct RunMetrics<'a> {
    /// The dimension.
    pub task: &'static str,
    /// When it ended.
    pub at: SystemTime,
    /// How long it took.
    pub duration_ms: u64,
    /// The process's exit code.
    pub exit_code: u8,
    /// Whether somebody has to be told.
    pub failed: bool,
    /// The task's own counts.
    pub counts: &'a [(&'static str, u64)],
}

impl Entry for RunMetrics<'_> {
    fn write<'a>(&'a self, writer: &mut impl EntryWriter<'a>) {
        writer.timestamp(self.at);
        writer.value("Task", self.task);
        writer.value("DurationMs", &self.duration_ms);
        writer.value("ExitCode", &u64::from(self.exit_code));
        writer.value("Failed", &u64::from(self.failed));
        for (name, count) in self.counts {
            writer.value(*name, count);
        }
    }
}

/// Writes the line.
pub fn emit(run: &RunMetrics<'_>, output: impl std::io::Write) -> std::io::Result<()> {
    let mut stream =
        Emf::all_validations(NAMESPACE.to_owned(), vec![vec!["Task".to_owned()]]).output_to(output);
    stream.next(run).map_err(|error| std::io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_one_line_of_the_embedded_metric_format() {
        let mut line = Vec::new();
        let run = RunMetrics {
            task: "channelbackfill",
            at: SystemTime::UNIX_EPOCH,
            duration_ms: 12,
            exit_code: 3,
            failed: false,
            counts: &[("ErrorCount", 2)],
        };
        emit(&run, &mut line).unwrap();
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.trim_end().lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let directive = &value["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], NAMESPACE);
        assert_eq!(directive["Dimensions"], serde_json::json!([["Task"]]));
        assert_eq!(value["ErrorCount"], 2);
        assert_eq!(value["ExitCode"], 3);
        assert_eq!(value["Task"], "channelbackfill");
    }
}
