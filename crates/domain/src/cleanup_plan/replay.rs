//! What a kept plan line means now: compare before write.
//!
//! A plan may be hours old when it is applied, and days old when it is taken back. A write happens only where the live
//! value that was read for it still is the one that the plan saw: what somebody has set since is his. What is set after
//! that read, while the writes are under way, is not seen.

use super::decide::{Live, artists_to_send, present};
use super::plan_line::PlanLine;

/// What is to be done about one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// The live value is the plan's old one: write.
    Write(PlanLine),
    /// The live value is the plan's new one: nothing to do.
    AlreadyRight,
    /// Somebody has set another value since.
    ChangedSince {
        /// Which; none for an empty one.
        found: Option<String>,
    },
    /// It cannot be done.
    Reject {
        /// Why, as a stable word for machines.
        code: &'static str,
        /// Why, as a sentence for people.
        reason: String,
    },
}

/// Judges a line by the live value.
pub fn replay(line: &PlanLine, now: &Live<'_>) -> Replay {
    let asset = match present(now) {
        Ok(asset) => asset,
        Err((code, reason)) => return Replay::Reject { code, reason },
    };
    let found = asset.custom_id.filter(|value| !value.trim().is_empty());
    if found == line.new.as_deref() {
        return Replay::AlreadyRight;
    }
    if found != line.old.as_deref() {
        return Replay::ChangedSince { found: found.map(str::to_owned) };
    }
    match artists_to_send(asset) {
        Ok(artists) => Replay::Write(PlanLine { artists, ..line.clone() }),
        Err((code, reason)) => Replay::Reject { code, reason },
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use rstest::rstest;

    use super::super::decide::LiveAsset;
    use super::*;
    use crate::id::{AssetId, ChannelId, VideoId};

    fn line(old: Option<&str>, new: Option<&str>) -> PlanLine {
        PlanLine {
            asset_id: AssetId::parse("A1000000000000001").unwrap(),
            videos: vec![VideoId::parse("vid00000001").unwrap()],
            channel_id: ChannelId::parse("UCaaaaaaaaaaaaaaaaaaaaaa").unwrap(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            reason: Cow::Borrowed("empty"),
            artists: Vec::new(),
            row: 1,
            report_etag: None,
        }
    }

    fn live(custom_id: Option<&str>) -> Live<'_> {
        let asset_id = AssetId::parse("A1000000000000001").unwrap();
        Live::Found(LiveAsset { asset_id, asset_type: Some("web"), custom_id, artists: &[] })
    }

    #[rstest]
    #[case::as_planned(None, Some("new"), None, "Write")]
    #[case::default_as_planned(Some("vid00000001"), Some("new"), Some("vid00000001"), "Write")]
    #[case::done_already(None, Some("new"), Some("new"), "AlreadyRight")]
    #[case::edited_since(None, Some("new"), Some("by-hand"), "ChangedSince")]
    #[case::cleared_since(Some("old"), Some("new"), None, "ChangedSince")]
    #[case::undo(Some("new"), None, Some("new"), "Write")]
    #[case::undone_already(Some("new"), None, None, "AlreadyRight")]
    fn a_line_is_written_only_over_the_value_that_it_knows(
        #[case] old: Option<&str>,
        #[case] new: Option<&str>,
        #[case] found: Option<&str>,
        #[case] expected: &str,
    ) {
        let replay = replay(&line(old, new), &live(found));
        assert!(format!("{replay:?}").starts_with(expected), "{replay:?}");
    }

    #[test]
    fn a_line_taken_back_twice_is_the_line() {
        let line = line(Some("old"), Some("new"));
        let back = line.reversed();
        assert_eq!((back.old.as_deref(), back.new.as_deref()), (Some("new"), Some("old")));
        assert_eq!(PlanLine { reason: line.reason.clone(), ..back.reversed() }, line);
    }

    #[test]
    fn a_plan_for_an_asset_that_is_gone_is_rejected() {
        assert!(matches!(replay(&line(None, Some("new")), &Live::Gone), Replay::Reject { code: "gone", .. }));
    }
}
