//! The Data API as its description has it, asked by a bare client.

use dn_sandbox::{CredentialKind, Profile, Service, VideoRecord};
use serde_json::{Value, json};

use crate::harness::{Bench, json};

fn video(number: u64, likes: Option<u64>, comments: Option<u64>, privacy: &str) -> VideoRecord {
    VideoRecord {
        id: format!("vid{number:08}"),
        channel_id: "UCzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        title: "=Song\n<b>".to_owned(),
        published: "2026-10-01T10:00:00Z".parse().unwrap(),
        views: 9_007_199_254_740_993,
        likes,
        comments,
        privacy: privacy.to_owned(),
    }
}

async fn get(bench: &Bench, query: &str) -> (u16, Value) {
    let key: Value = serde_json::from_str(&bench.sandbox.credentials(CredentialKind::Static)).unwrap();
    let url = format!("{}/videos?{query}", bench.env("YOUTUBE_DATA_BASE_URL"));
    let reply = bench.client.get(url).bearer_auth(key["token"].as_str().unwrap()).send().await.unwrap();
    (reply.status().as_u16(), json(reply).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_texts_and_what_is_hidden_or_gone_is_left_out() {
    let bench = Bench::small().await;
    bench.sandbox.set_live_video(video(1, Some(7), Some(0), "public"));
    bench.sandbox.set_live_video(video(2, None, None, "unlisted"));
    bench.sandbox.set_live_video(video(3, Some(1), Some(1), "private"));
    bench.sandbox.set_live_video(video(4, Some(1), Some(1), "public"));
    assert!(bench.sandbox.delete_live_video("vid00000004"));
    let all = "id=vid00000003,vid00000002,vid00000001,vid00000001,vid00000004,nonsense";
    let fields = "fields=kind,items(id,statistics(viewCount,likeCount,commentCount),status(privacyStatus))";
    let (status, list) = get(&bench, &format!("part=snippet,statistics,status&{all}&{fields}")).await;
    let views = "9007199254740993";
    let expected = json!({"kind": "youtube#videoListResponse", "items": [
        {"id": "vid00000002", "statistics": {"viewCount": views}, "status": {"privacyStatus": "unlisted"}},
        {"id": "vid00000001", "statistics": {"viewCount": views, "likeCount": "7", "commentCount": "0"},
            "status": {"privacyStatus": "public"}},
    ]});
    assert_eq!((status, list), (200, expected));
    let (_, whole) = get(&bench, "part=snippet&id=vid00000001").await;
    let video = &whole["items"][0];
    assert_eq!(
        (&video["snippet"]["title"], video.get("statistics")),
        (&json!("=Song\n<b>"), None),
        "{whole}"
    );
    let (_, none) = get(&bench, "part=statistics&id=vid00000099").await;
    assert_eq!(none["items"], json!([]));
    let entry = &bench.sandbox.journal().entries()[0];
    assert_eq!((entry.service, &*entry.operation, entry.ids.len()), (Service::Data, "videos.list", 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_costs_a_unit_too_and_without_one_nothing_is_answered() {
    let bench = Bench::small().await;
    bench.sandbox.set_data_units(4);
    let many: Vec<String> = (0..51).map(|number| format!("vid{number:08}")).collect();
    let fifty = many[..50].join(",");
    for (query, status, reason) in [
        (format!("part=statistics&id={}", many.join(",")), 400, "invalidFilters"),
        ("part=statistics".to_owned(), 400, "missingRequiredParameter"),
        ("part=views&id=vid00000001".to_owned(), 400, "unknownPart"),
        (format!("part=statistics&id={fifty}"), 200, ""),
        ("part=statistics&id=vid00000001".to_owned(), 403, "quotaExceeded"),
    ] {
        let (found, body) = get(&bench, &query).await;
        let why = body["error"]["errors"][0]["reason"].as_str().unwrap_or_default();
        assert_eq!((found, why), (status, reason), "{query}: {body}");
    }
    let walled = Bench::generated(Profile::QuotaWall).await;
    assert_eq!(get(&walled, "part=statistics&id=vid00000001").await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_without_a_token() {
    let bench = Bench::small().await;
    let url = format!("{}/videos?part=statistics&id=vid00000001", bench.env("YOUTUBE_DATA_BASE_URL"));
    assert_eq!(bench.client.get(url).send().await.unwrap().status(), 401);
}
