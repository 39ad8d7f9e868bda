//! The custom-ID workflow end to end: real programs, real sockets.

use std::time::Duration;

use dn_sandbox::{Asset, ReportRow, Service, WorldBuilder};
use dn_tests::Rehearsal;
use serde_json::json;

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const VIDEO: &str = "vid00000001";
const ASSET: &str = "A1000000000000001";

fn one_of_each() -> WorldBuilder {
    WorldBuilder::new()
        .channel(CHANNEL, "artist-one", "Artist One")
        .asset(Asset::web(ASSET, VIDEO))
        .row(ReportRow::new(VIDEO, CHANNEL).asset(ASSET, VIDEO))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_channel_row_becomes_one_patch_by_way_of_the_bus() {
    let rehearsal = Rehearsal::of(one_of_each()).await.unwrap();

    let backfill = rehearsal.backfill(&["--json"]).await.unwrap();
    assert_eq!(backfill.code, Some(0), "{backfill:?}");
    let stored = rehearsal.sandbox.channels().unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].id, CHANNEL, "a new record's id is the channel ID");
    assert_eq!(stored[0].custom_id.as_deref(), Some("artist-one"));

    let started = rehearsal.sandbox.wait_invocation(1, Duration::from_mins(1)).await.unwrap();
    assert_eq!(started[0].container, "cms-customid-cleanup");
    assert_eq!(started[0].exit_code, Some(0), "{}", std::fs::read_to_string(&started[0].stderr).unwrap());

    let writes = rehearsal.sandbox.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!(rehearsal.sandbox.asset(ASSET).unwrap().custom_id.as_deref(), Some("artist-one"));
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "assets.patch"), 1);

    let completed = rehearsal.events("CMS Custom ID Cleanup Completed");
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0]["status"], json!("success"));
    assert_eq!(completed[0]["updatedCount"], json!(1));
    assert_eq!(completed[0]["triggeredBy"], json!(started[0].event_id));
}
