//! `<export-dir>/<filter-target>.json`: the filtered videos and what became of each.
//!
//! An array of `{videoId, channelId, assetId, old, new, outcome, reason}`, written as the run goes on and put in its
//! place when it ends. The export is for people and programs beside the run: where it cannot be written, the run
//! goes on without it.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use dn_domain::id::{AssetId, ChannelId, VideoId};
use serde::Serialize;

/// One video of the export.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportedVideo<'a> {
    pub video_id: VideoId,
    pub channel_id: Option<ChannelId>,
    /// `None` for a video that nothing is claimed on.
    pub asset_id: Option<AssetId>,
    pub old: Option<&'a str>,
    pub new: Option<&'a str>,
    /// `updated`, `planned` (dry run), `already_right`, `skipped`, `conflict`, `failed`, `unknown` (sent, its answer lost and
    /// the run ended before it was read back), `not_reached`.
    pub outcome: &'a str,
    pub reason: Option<&'a str>,
}

/// The export under way.
#[derive(Debug)]
pub(crate) struct Export {
    target: PathBuf,
    /// `None` once writing has failed: said once, and the run goes on.
    file: Option<BufWriter<tempfile::NamedTempFile>>,
    is_first: bool,
}

impl Export {
    /// Begins an export that is not put anywhere by itself: a dry run writes nothing outside its run folder.
    pub fn aside() -> std::io::Result<(Self, tempfile::TempDir)> {
        let directory = tempfile::tempdir()?;
        Ok((Self::begin(directory.path(), "export"), directory))
    }

    /// Begins an export beside its final place, so that putting it there is one step.
    pub fn begin(directory: &Path, filter_target: &str) -> Self {
        let target = directory.join(file_name(filter_target));
        let file = tempfile::Builder::new().prefix(".export-").tempfile_in(directory);
        let file = file.map_err(|error| warn(&target, &error)).ok().map(BufWriter::new);
        Self { target, file, is_first: true }
    }

    /// Adds a video.
    pub fn add(&mut self, video: &ExportedVideo<'_>) {
        let Some(file) = &mut self.file else { return };
        let opening: &[u8] = if self.is_first { b"[\n" } else { b",\n" };
        self.is_first = false;
        let written = file.write_all(opening).and_then(|()| Ok(serde_json::to_writer(&mut *file, video)?));
        if let Err(error) = written {
            warn(&self.target, &error);
            self.file = None;
        }
    }

    /// Puts the export in its place and says where it is; `None` when it could not be written.
    pub fn finish(self) -> Option<PathBuf> {
        let Self { target, file, is_first } = self;
        let mut file = file?;
        let closing: &[u8] = if is_first { b"[]\n" } else { b"\n]\n" };
        let placed = file.write_all(closing).and_then(|()| {
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            let kept = file.persist(&target).map_err(|error| error.error)?;
            make_readable(&kept)
        });
        placed.map_err(|error| warn(&target, &error)).ok().map(|()| target)
    }
}

/// Temporary files are for their owner alone; the export is for whoever looks into the directory.
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// A file name out of a filter target: what is not `[A-Za-z0-9._-]` becomes `_`, so that no target leaves the
/// directory.
fn file_name(filter_target: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    format!("{}.json", filter_target.chars().map(safe).collect::<String>())
}

fn warn(target: &Path, error: &dyn std::fmt::Display) {
    tracing::warn!(path = %target.display(), %error, "export not written; the run goes on without it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("all", "all.json")]
    #[case("UCabc-_12", "UCabc-_12.json")]
    #[case("artist/one@x", "artist_one_x.json")]
    #[case("../../etc/passwd", ".._.._etc_passwd.json")]
    fn a_filter_target_never_leaves_the_export_directory(#[case] target: &str, #[case] name: &str) {
        assert_eq!(file_name(target), name);
    }

    #[test]
    fn an_export_is_one_json_array_also_when_it_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = Export::begin(directory.path(), "none").finish().unwrap();
        assert_eq!(
            serde_json::from_slice::<Vec<serde_json::Value>>(&std::fs::read(path).unwrap()).unwrap().len(),
            0
        );

        let mut export = Export::begin(directory.path(), "all");
        for id in ["aaaaaaaaaaa", "bbbbbbbbbbb"] {
            export.add(&ExportedVideo {
                video_id: VideoId::parse(id).unwrap(),
                channel_id: None,
                asset_id: None,
                old: Some("quote \" and \u{1b}[31m"),
                new: None,
                outcome: "skipped",
                reason: Some("no_asset"),
            });
        }
        let path = export.finish().unwrap();
        let videos: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(videos.len(), 2);
        assert_eq!(videos[1]["videoId"], "bbbbbbbbbbb");
        assert_eq!(videos[1]["assetId"], serde_json::Value::Null);
    }

    #[test]
    fn p04_an_export_that_cannot_be_written_is_only_a_warning() {
        let mut export = Export::begin(Path::new("/nowhere/at/all"), "all");
        export.add(&ExportedVideo {
            video_id: VideoId::parse("aaaaaaaaaaa").unwrap(),
            channel_id: None,
            asset_id: None,
            old: None,
            new: None,
            outcome: "skipped",
            reason: None,
        });
        assert_eq!(export.finish(), None);
    }
}
