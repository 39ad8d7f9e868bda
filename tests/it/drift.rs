//! `drift`: the channel sheet, the database and the CMS side by side, and how that grows.

use dn_sandbox::{Asset, Profile, ReportRow, Service, Standing, WorldBuilder};
use dn_tests::Rehearsal;
use serde_json::{Value, json};

const AGREES: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const MISSING: &str = "UCbbbbbbbbbbbbbbbbbbbbbb";
const DIFFERS: &str = "UCcccccccccccccccccccccc";
const DOUBLED: &str = "UCdddddddddddddddddddddd";
const EXTRA: &str = "UCeeeeeeeeeeeeeeeeeeeeee";

fn asset(number: u64) -> String {
    format!("A{number:016}")
}

fn video(number: u64) -> String {
    format!("vid{number:08}")
}

fn with(world: WorldBuilder, number: u64, channel: &str, asset: Asset) -> WorldBuilder {
    let reported = asset.custom_id.clone().unwrap_or_default();
    world.row(ReportRow::new(video(number), channel).asset(&asset.id, reported)).asset(asset)
}

/// One of each difference, and one of each that is none.
fn world() -> WorldBuilder {
    let world = WorldBuilder::new()
        .channel(AGREES, "artist-a", "A")
        .channel(MISSING, "artist-b", "B")
        .channel(DIFFERS, "artist-c", "C")
        .channel(DOUBLED, "artist-d", "D")
        .stored(AGREES, AGREES, Some("artist-a"), None)
        .stored(DIFFERS, DIFFERS, Some("artist-x"), None)
        .stored("record-1", DOUBLED, Some("artist-d"), None)
        .stored("record-2", DOUBLED, Some("artist-e"), None)
        .stored(EXTRA, EXTRA, Some("artist-e"), None);
    let world = with(world, 1, AGREES, Asset::web(asset(1), "artist-a"));
    let world = with(world, 2, AGREES, Asset::web(asset(2), "by\u{1b}hand"));
    let world = with(world, 3, AGREES, Asset::web(asset(3), video(3)));
    let world = with(world, 4, AGREES, Asset::web(asset(4), ""));
    let world = with(world, 5, AGREES, Asset::web(asset(5), "").standing(Standing::Gone));
    let world =
        with(world, 6, AGREES, Asset::web(asset(6), "").standing(Standing::Merged { into: asset(1) }));
    let world = with(world, 7, DOUBLED, Asset::web(asset(7), "artist-d"));
    with(world, 8, MISSING, Asset::web(asset(8), "by-hand"))
}

fn told(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let differences = answer["differences"].as_array().unwrap().iter();
    differences.map(|one| (text(&one["class"]), text(&one["id"]))).collect()
}

fn owned(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(class, id)| ((*class).to_owned(), (*id).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_and_asset_is_in_one_class_and_nothing_is_written() {
    let rehearsal = Rehearsal::of(world()).await.unwrap();
    let run = rehearsal.cleanup(&["drift", "--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let answer = run.summary().unwrap();
    let (two, five, six) = (asset(2), asset(5), asset(6));
    let mut expected = owned(&[
        ("duplicate", DOUBLED),
        ("missing", MISSING),
        ("differs", DIFFERS),
        ("extra", EXTRA),
        ("differs", &two),
        ("unreachable", &five),
        ("unreachable", &six),
    ]);
    let mut found = told(&answer);
    assert_eq!(found[..4], expected[..4], "channels come first, by class");
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(
        answer["counts"],
        json!({
            "channels": {"missing": 1, "extra": 1, "differs": 1, "duplicate": 1, "agree": 1, "notCompared": 0},
            "assets": {"differs": 1, "unreachable": 2, "unset": 2, "conflict": 1, "agree": 1},
        })
    );
    assert_eq!(answer["previous"], json!(null));
    assert!(rehearsal.sandbox.writes().is_empty() && rehearsal.sandbox.events().is_empty());
    assert_eq!(rehearsal.sandbox.journal().count(Service::YouTube, "assets.list"), 1);
    let state = rehearsal.sandbox.env().remove("STATE_URI").unwrap();
    assert!(!std::path::Path::new(&state).join("cms-customid-cleanup/lock.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_are_kept_and_stand_beside_the_next_ones_with_the_same_filter() {
    let rehearsal = Rehearsal::of(world()).await.unwrap();
    let first = rehearsal.cleanup(&["drift", "--json"]).await.unwrap().summary().unwrap();
    let state = rehearsal.sandbox.env().remove("STATE_URI").unwrap();
    let folder = std::path::Path::new(&state).join("cms-customid-cleanup/drift");
    let kept = std::fs::read(folder.join(format!("{}.json", first["runId"].as_str().unwrap()))).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap()["counts"], first["counts"]);

    rehearsal.sandbox.set_asset_custom_id(&asset(2), Some("artist-a"));
    rehearsal.sandbox.set_asset_custom_id(&asset(1), Some("edited"));
    rehearsal.sandbox.set_asset_custom_id(&asset(3), Some("edited"));
    assert!(rehearsal.sandbox.delete_channel(EXTRA).unwrap());
    // Another filter is no measure, and a dry run keeps nothing.
    let run = rehearsal.cleanup(&["drift", "--json", "--filter-target", MISSING]).await.unwrap();
    let filtered = run.summary().unwrap();
    assert_eq!(told(&filtered), owned(&[("missing", MISSING)]));
    assert_eq!(filtered["previous"], json!(null));
    rehearsal.cleanup(&["drift", "--dry-run"]).await.unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);

    let run = rehearsal.cleanup(&["drift"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    let row = |begins: &str| {
        let line = run.stdout.lines().find(|line| line.trim_start().starts_with(begins));
        line.unwrap_or_else(|| panic!("{begins}: {}", run.stdout)).split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("extra"), ["extra", "0", "1", "-1"]);
    assert_eq!(row("assets"), ["assets", "differs", "2", "1", "+1"]);
    assert_eq!(row("unreachable"), ["unreachable", "2", "2", "="]);
    assert!(run.stdout.contains(first["runId"].as_str().unwrap()), "{}", run.stdout);
    assert!(run.stdout.contains("carries edited, its channel's custom ID is artist-a"), "{}", run.stdout);
    assert!(!run.stdout.contains('\u{1b}'), "hostile text is escaped: {}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_sheet_that_must_be_mended_is_no_reason_to_call_its_record_extra() {
    let world = WorldBuilder::new()
        .sheet_row(&[AGREES, "artist a", "A"])
        .sheet_row(&[MISSING, "artist-b", "B"])
        .stored(AGREES, AGREES, Some("artist-a"), None)
        .row(ReportRow::new(video(1), AGREES));
    let rehearsal = Rehearsal::of(world).await.unwrap();
    let run = rehearsal.cleanup(&["drift", "--json"]).await.unwrap();
    assert_eq!(run.code, Some(3), "somebody has to mend the row: {run:?}");
    let answer = run.summary().unwrap();
    assert_eq!(told(&answer), owned(&[("missing", MISSING)]));
    assert_eq!(answer["counts"]["channels"]["notCompared"], json!(1));
    assert_eq!(answer["sheetRejects"][0]["line"], json!(2));

    let run = rehearsal.cleanup(&["drift", "--csv", "/nowhere/sheet.csv"]).await.unwrap();
    assert_eq!(run.code, Some(4), "{run:?}");
    let run = rehearsal.cleanup(&["drift", "--filter-target", "nobody"]).await.unwrap();
    assert_eq!(run.code, Some(2), "{run:?}");

    let mut environment = rehearsal.environment();
    environment.remove("YOUTUBE_CREDENTIALS");
    environment.remove("YOUTUBE_CREDENTIALS_FILE");
    let run = dn_tests::run("cms-customid-cleanup", &environment, &["drift"]).await.unwrap();
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(rehearsal.sandbox.events().is_empty(), "who only asks tells the bus nothing, however it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_all_missing_and_a_full_one_shows_twenty_rows() {
    let rehearsal = Rehearsal::generated(7, 60, 400, Profile::Calm).await.unwrap();
    for channel in rehearsal.sandbox.channels().unwrap() {
        rehearsal.sandbox.delete_channel(&channel.id).unwrap();
    }
    let run = rehearsal.cleanup(&["drift", "--json"]).await.unwrap();
    let answer = run.summary().unwrap();
    let missing = rehearsal.sandbox.world().channels.len();
    assert_eq!(answer["counts"]["channels"]["missing"], json!(missing), "{answer}");
    assert_eq!(told(&answer).len(), missing);

    let text = rehearsal.cleanup(&["drift"]).await.unwrap().stdout;
    assert_eq!(text.lines().filter(|line| line.starts_with("missing ")).count(), 20, "{text}");
    assert!(text.contains(&format!("({} differences more", missing - 20)), "{text}");
}
