//! The videos of the internal content database: how they are listed, and what the weekly report makes of them.

use std::collections::BTreeSet;

use dn_core::graphql::{AppSync, ListError, StoredVideo, Versioning, VideosRead};
use dn_core::transport::{Authorization, Pace, Transport};
use dn_sandbox::{Fault, Service, WorldBuilder};
use dn_tests::{Rehearsal, Run, run, video};
use rstest::rstest;
use serde_json::{Value, json};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

fn asset(number: u64) -> String {
    format!("A{number:015}")
}

fn world() -> WorldBuilder {
    WorldBuilder::new().stored(CHANNEL, CHANNEL, Some("artist-one"), Some("Artist One"))
}

fn with_videos(count: u64) -> WorldBuilder {
    (0..count).fold(world(), |world, number| world.stored_video(&video(number), CHANNEL, &asset(number)))
}

async fn list(
    rehearsal: &Rehearsal,
    versioning: Versioning,
) -> Result<(VideosRead, Vec<StoredVideo>), ListError> {
    let environment = rehearsal.environment();
    let key = environment["GRAPHQL_API_KEY"].clone().into();
    let authorization = Authorization::Header(http::HeaderName::from_static("x-api-key"), key);
    let pace = Pace::unhurried(std::time::Duration::from_secs(1));
    let transport = Transport::new(authorization, pace, tokio_util::sync::CancellationToken::new()).unwrap();
    let appsync = AppSync::new(transport, environment["GRAPHQL_ENDPOINT"].parse().unwrap(), versioning);
    let mut videos = Vec::new();
    let read = appsync.list_videos(|video| videos.push(video)).await?;
    Ok((read, videos))
}

fn page(items: &[Value], next_token: Option<&str>) -> Fault {
    let page = json!({"items": items, "nextToken": next_token});
    Fault::status(200, json!({"data": {"listVideos": page}}).to_string())
}

fn inject(rehearsal: &Rehearsal, times: u64, fault: Fault) {
    rehearsal.sandbox.faults().inject(Service::AppSync, "listVideos", times, fault);
}

#[rstest]
#[case::found_out(Versioning::Auto)]
#[case::told(Versioning::No)]
#[tokio::test(flavor = "multi_thread")]
async fn every_video_is_handed_over_once_page_by_page(#[case] versioning: Versioning) {
    let rehearsal = Rehearsal::of(with_videos(2_300)).await.unwrap();
    let (read, videos) = list(&rehearsal, versioning).await.unwrap();
    assert_eq!(read, VideosRead::Read);
    let ids: BTreeSet<&str> = videos.iter().map(|video| video.id.as_str()).collect();
    assert_eq!((videos.len(), ids.len()), (2_300, 2_300));
    let one = videos.iter().find(|one| one.id == video(7)).unwrap();
    assert_eq!(
        (one.channel_id.as_deref(), one.asset_id.as_deref()),
        (Some(CHANNEL), Some(asset(7).as_str()))
    );
    assert_eq!(rehearsal.sandbox.journal().count(Service::AppSync, "listVideos"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_video_is_passed_over_where_versions_are_kept() {
    let rehearsal = Rehearsal::versioned(with_videos(3)).await.unwrap();
    rehearsal.sandbox.delete_video(&video(1)).unwrap();
    let (_, videos) = list(&rehearsal, Versioning::Auto).await.unwrap();
    let ids: BTreeSet<String> = videos.into_iter().map(|video| video.id).collect();
    assert_eq!(ids, BTreeSet::from([video(0), video(2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_without_videos_says_so_and_one_that_fails_is_an_error() {
    let rehearsal = Rehearsal::without_videos(world()).await.unwrap();
    match list(&rehearsal, Versioning::Auto).await.unwrap() {
        (VideosRead::NotThere { reason }, videos) => {
            assert!(reason.contains("listVideos") && videos.is_empty());
        }
        other => panic!("{other:?}"),
    }

    let rehearsal = Rehearsal::of(with_videos(3)).await.unwrap();
    let video = json!({"id": "a", "channelID": null, "assetId": null});
    let hole =
        json!({"path": ["listVideos", "items", 1], "errorType": "MappingTemplate", "message": "as injected"});
    let partial = json!({"data": {"listVideos": {"items": [video, null]}}, "errors": [hole]});
    inject(&rehearsal, 1, page(&[], Some("a")));
    inject(&rehearsal, 1, Fault::status(200, partial.to_string()));
    let error = list(&rehearsal, Versioning::No).await.unwrap_err();
    assert!(error.to_string().contains("MappingTemplate"), "{error}");

    // A field that is there on the first page is no longer missing on the second.
    inject(&rehearsal, 1, page(&[], Some("a")));
    let refused = json!({"errors": [{"path": null, "message": "Validation error of type FieldUndefined"}]});
    inject(&rehearsal, 1, Fault::status(200, refused.to_string()));
    assert!(matches!(list(&rehearsal, Versioning::No).await, Err(ListError::Call(_))));

    inject(&rehearsal, 3, page(&[video], Some("again")));
    let error = list(&rehearsal, Versioning::No).await.unwrap_err();
    assert!(matches!(error, ListError::TokenRepeated { page: 2, .. }), "{error}");
    assert!(error.to_string().contains("videos of the database"), "{error}");
}

/// A week of twenty assets, all right, of which the video report knows all but the last two: asset 18 carries another
/// custom ID than its channel gives, 19 the right one.
async fn week(rehearsal: &Rehearsal, week: &str, more: &[&str]) -> Run {
    let rows = |header: &str, count: u64, row: &dyn Fn(u64) -> String| {
        std::iter::once(header.to_owned()).chain((0..count).map(row)).collect::<Vec<_>>().join("\n") + "\n"
    };
    // Counters grow a little from week to week; a report that says what it said last week, or twice that, is not
    // believed, and a week that is not believed resolves nothing.
    let views = 1_000 + 10 * week[8..].parse::<u64>().unwrap();
    let custom_id = |number| if number == 18 { "somebody-else" } else { "artist-one" };
    let assets = rows("asset_id,custom_id,active_claims,asset_type,asset_title", 20, &|number| {
        format!("{},{},10,WEB,A song", asset(number), custom_id(number))
    });
    let videos = rows("video_id,channel_id,asset_id,custom_id,views,video_title", 18, &|number| {
        format!("{},{CHANNEL},{},artist-one,{},A song", video(number), asset(number), views + number)
    });
    let mut arguments = vec!["--json".to_owned(), "--week".to_owned(), week.to_owned()];
    for (name, text) in [("assets", assets), ("videos", videos)] {
        let path = rehearsal.directory().join(format!("{name}.csv"));
        std::fs::write(&path, text).unwrap();
        arguments.extend([format!("--{name}"), path.display().to_string()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let mut environment = rehearsal.environment();
    environment.remove("VIDEO_REPORT_URI");
    run("claims-report", &environment, &arguments).await.unwrap()
}

/// The mismatches of a run that ended well, and its source line of the database's videos.
fn told(run: &Run) -> (Vec<Value>, Value) {
    assert_eq!(run.code, Some(0), "{run:?}");
    let summary = run.summary().unwrap();
    let alerts = std::fs::read(summary["files"]["alerts.json"].as_str().unwrap()).unwrap();
    let alerts: Vec<Value> = serde_json::from_slice(&alerts).unwrap();
    let sources = summary["sources"].as_array().unwrap();
    let source = sources.iter().find(|source| source["name"] == "videos of the database").unwrap();
    (alerts.into_iter().filter(|one| one["kind"] == "custom_id_mismatch").collect(), source.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_without_a_row_of_a_video_is_found_with_a_wrong_custom_id_by_the_databases_video() {
    let videos = with_videos(0)
        .stored_video(&video(18), CHANNEL, &asset(18))
        .stored_video(&video(19), CHANNEL, &asset(19))
        // Of assets of a report nothing is learnt, of others there is nothing to say, and an id that is none is told.
        .stored_video(&video(1), "UCbbbbbbbbbbbbbbbbbbbbbb", &asset(1))
        .stored_video(&video(50), CHANNEL, &asset(50))
        .stored_video(&video(51), "UCshort", &asset(51));
    let rehearsal = Rehearsal::of(videos).await.unwrap();
    let first = week(&rehearsal, "2020-01-06", &[]).await;
    let (alerts, source) = told(&first);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!((&alerts[0]["subject"]["id"], &alerts[0]["severity"]), (&json!(asset(18)), &json!("high")));
    let evidence = &alerts[0]["evidence"];
    assert_eq!(
        (&evidence["channelId"], &evidence["expected"], &evidence["found"], &evidence["byDatabase"]),
        (&json!(CHANNEL), &json!("artist-one"), &json!("somebody-else"), &json!(1))
    );
    assert_eq!(source["state"], "used");
    assert_eq!((&source["facts"]["rows"], &source["facts"]["used"]), (&json!(5), &json!(4)));
    assert!(first.stderr.contains("not usable") && first.stderr.contains(&video(51)), "{}", first.stderr);
    assert_eq!(first.summary().unwrap()["assetCount"], 20, "{}", first.stdout);

    // A week in which the database has no videos cannot say that it was mended.
    inject(&rehearsal, 1, page(&[], None));
    let (alerts, source) = told(&week(&rehearsal, "2020-01-13", &[]).await);
    assert_eq!(
        (alerts.len(), &alerts[0]["state"], &source["state"]),
        (1, &json!("ongoing"), &json!("missing"))
    );
    // One in which the video is another channel's can.
    let moved = json!({"id": "a", "channelID": "UCbbbbbbbbbbbbbbbbbbbbbb", "assetId": asset(18)});
    inject(&rehearsal, 1, page(&[moved], None));
    let (alerts, _) = told(&week(&rehearsal, "2020-01-20", &[]).await);
    assert_eq!((alerts.len(), &alerts[0]["state"]), (1, &json!("resolved")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_videos_is_a_note_and_one_that_fails_ends_the_run() {
    let rehearsal = Rehearsal::without_videos(world()).await.unwrap();
    let noted = week(&rehearsal, "2020-01-06", &[]).await;
    let (alerts, source) = told(&noted);
    assert_eq!((alerts, &source["state"], &source["facts"]), (vec![], &json!("missing"), &Value::Null));
    assert!(noted.stderr.contains("has no videos"), "{}", noted.stderr);

    let rehearsal = Rehearsal::of(with_videos(20)).await.unwrap();
    inject(&rehearsal, 100, Fault::status(503, "busy"));
    let failed = week(&rehearsal, "2020-01-06", &["--max-wait", "1s"]).await;
    assert_eq!(failed.code, Some(5), "{failed:?}");
    assert!(failed.stderr.contains("videos of the database could not be listed"), "{}", failed.stderr);
    assert_eq!(rehearsal.events("Claims Report Failed").len(), 1);
}
