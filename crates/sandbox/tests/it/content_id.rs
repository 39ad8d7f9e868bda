//! The Content ID API.

use std::io::Read;

use dn_sandbox::{Asset, ReportRow, Service, Standing, WorldBuilder};
use serde_json::{Value, json};

use crate::harness::{Bench, json};

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

async fn bench() -> Bench {
    Bench::over(|dir| {
        WorldBuilder::new()
            .channel(CHANNEL, "IND-0001", "First")
            .asset(Asset::web("A100000000000001", "vid00000001"))
            .asset(Asset::web("A100000000000002", "").of_type("music_video").by(&["The Band"]))
            .asset(Asset::web("A100000000000003", "").standing(Standing::Gone))
            .asset(Asset::web("A100000000000004", "").standing(Standing::Foreign))
            .asset(
                Asset::web("A100000000000005", "x")
                    .standing(Standing::Merged { into: "A100000000000006".into() }),
            )
            .asset(Asset::web("A100000000000006", "IND-0001"))
            .row(ReportRow::new("vid00000001", CHANNEL).asset("A100000000000001", "vid00000001"))
            .build(dir)
    })
    .await
}

async fn patch(bench: &Bench, asset: &str, body: Value) -> (u16, Value) {
    let reply = bench.youtube("PATCH", &format!("/assets/{asset}")).json(&body).send().await.unwrap();
    (reply.status().as_u16(), json(reply).await)
}

fn reason(body: &Value) -> &str {
    body["error"]["errors"][0]["reason"].as_str().unwrap()
}

#[tokio::test]
async fn lists_merged_assets_once_under_their_new_id_and_leaves_out_those_that_are_gone() {
    let bench = bench().await;
    let ids: Vec<String> = (1..=6).map(|n| format!("A10000000000000{n}")).collect();
    let reply = bench
        .youtube("GET", &format!("/assets?id={}&fetchMetadata=mine,effective", ids.join(",")))
        .send()
        .await
        .unwrap();
    let body = json(reply).await;
    let items = body["items"].as_array().unwrap();
    let found: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(found.len(), 4);
    assert!(!found.contains(&"A100000000000003") && !found.contains(&"A100000000000005"));
    let item = |id: &str| items.iter().find(|item| item["id"] == id).unwrap();
    assert_eq!(item("A100000000000006")["aliasId"], json!(["A100000000000005"]));
    assert_eq!(item("A100000000000001")["metadataMine"]["customId"], "vid00000001");
    assert_eq!(item("A100000000000002")["metadataMine"]["artist"], json!(["The Band"]));
    assert_eq!(item("A100000000000002")["metadataMine"].get("customId"), None);
    assert_eq!(item("A100000000000004").get("metadataMine"), None);
    assert_eq!(item("A100000000000001")["type"], "web");
}

#[tokio::test]
async fn metadata_comes_only_when_asked_for() {
    let bench = bench().await;
    let reply = bench.youtube("GET", "/assets?id=A100000000000001").send().await.unwrap();
    assert_eq!(json(reply).await["items"][0].get("metadataMine"), None);
}

#[tokio::test]
async fn takes_fifty_ids_and_no_more() {
    let bench = bench().await;
    let ask = |count: usize| {
        let ids: Vec<String> = (0..count).map(|n| format!("A1000000000001{n:02}")).collect();
        bench.youtube("GET", &format!("/assets?id={}", ids.join(","))).send()
    };
    assert_eq!(ask(50).await.unwrap().status(), 200);
    assert_eq!(ask(51).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_patch_changes_the_custom_id_echoes_it_and_is_logged() {
    let bench = bench().await;
    let (status, body) =
        patch(&bench, "A100000000000001", json!({"metadataMine": {"customId": "IND-0001"}})).await;
    assert_eq!((status, &body["metadataMine"]["customId"]), (200, &json!("IND-0001")));
    let writes = bench.sandbox.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!((writes[0].old.as_deref(), writes[0].new.as_deref()), (Some("vid00000001"), Some("IND-0001")));
    assert_eq!(bench.sandbox.journal().patches_per_asset()["A100000000000001"], 1);
    assert!(bench.sandbox.score().unwrap().assets.wrong.is_empty());

    let (status, body) = patch(&bench, "A100000000000001", json!({"metadataMine": {"customId": ""}})).await;
    assert_eq!((status, body["metadataMine"].get("customId")), (200, None));
    assert_eq!(bench.sandbox.score().unwrap().assets.unplanned_writes.len(), 1);
}

#[tokio::test]
async fn a_put_replaces_all_metadata_and_labels_and_what_it_leaves_out_is_lost() {
    let asset = Asset::web("A100000000000001", "vid00000001").titled("A Song").labelled(&["catalogue"]);
    let asset = asset.with_metadata("isrc", json!("QZES71234567"));
    let bench = Bench::over(|dir| {
        let row = ReportRow::new("vid00000001", "UCaaaaaaaaaaaaaaaaaaaaaa");
        WorldBuilder::new()
            .channel("UCaaaaaaaaaaaaaaaaaaaaaa", "IND-0001", "First Channel")
            .stored(
                "UCaaaaaaaaaaaaaaaaaaaaaa",
                "UCaaaaaaaaaaaaaaaaaaaaaa",
                Some("IND-0001"),
                Some("First Channel"),
            )
            .row(row.asset("A100000000000001", "vid00000001"))
            .asset(asset)
            .build(dir)
    })
    .await;
    let put = |body: Value| bench.youtube("PUT", "/assets/A100000000000001").json(&body).send();
    let whole = json!({"metadataMine": {"customId": "IND-0001", "title": "A Song", "isrc": "QZES71234567"}, "label": ["catalogue"]});
    assert_eq!(put(whole).await.unwrap().status(), 200);
    assert!(bench.sandbox.score().unwrap().is_perfect());
    assert_eq!(bench.sandbox.journal().count(Service::YouTube, "assets.update"), 1);
    assert_eq!(bench.sandbox.journal().patches_per_asset()["A100000000000001"], 1);

    let half = json!({"metadataMine": {"customId": "IND-0001", "title": "A Song"}});
    assert_eq!(put(half).await.unwrap().status(), 200);
    let left = bench.sandbox.asset("A100000000000001").unwrap();
    assert!(left.more.is_empty() && left.labels.is_empty() && left.title == "A Song");
    let score = bench.sandbox.score().unwrap();
    assert!(!score.is_perfect());
    assert_eq!(score.assets.metadata_lost, ["A100000000000001"]);
}

#[tokio::test]
async fn a_music_asset_refuses_a_write_that_does_not_name_its_artists() {
    let bench = bench().await;
    let (status, body) =
        patch(&bench, "A100000000000002", json!({"metadataMine": {"customId": "IND-0001"}})).await;
    assert_eq!(status, 400, "{body}");
    let named = json!({"metadataMine": {"customId": "IND-0001", "artist": ["The Band"]}});
    assert_eq!(patch(&bench, "A100000000000002", named).await.0, 200);
    assert_eq!(bench.sandbox.asset("A100000000000002").unwrap().custom_id.as_deref(), Some("IND-0001"));
}

#[tokio::test]
async fn refuses_what_the_api_refuses() {
    let bench = bench().await;
    let good = json!({"metadataMine": {"customId": "IND-0001"}});
    let (status, body) = patch(&bench, "A100000000000003", good.clone()).await;
    assert_eq!((status, reason(&body)), (404, "assetNotFound"));
    assert_eq!(patch(&bench, "A100000000000005", good.clone()).await.0, 404);
    let (status, body) = patch(&bench, "A100000000000004", good).await;
    assert_eq!((status, reason(&body)), (403, "forbidden"));
    for bad in ["with space", &"x".repeat(65), "caf\u{e9}"] {
        let body = json!({"metadataMine": {"customId": bad}});
        assert_eq!(patch(&bench, "A100000000000001", body).await.0, 400, "{bad}");
    }
    // The custom ID lives inside of the metadata.
    assert_eq!(patch(&bench, "A100000000000001", json!({"customId": "IND-0001"})).await.0, 400);
    assert!(bench.sandbox.writes().is_empty());
}

#[tokio::test]
async fn wants_a_token_and_a_content_owner() {
    let bench = bench().await;
    let url = format!("{}/assets?id=A100000000000001", bench.env("YOUTUBE_API_BASE_URL"));
    let stranger = bench.client.get(&url).bearer_auth("ya29.other").send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    assert!(stranger.headers().contains_key("www-authenticate"));
    let body = json(stranger).await;
    assert_eq!((body["error"]["code"].as_u64(), reason(&body)), (Some(401), "authError"));
    let token: Value =
        serde_json::from_str(&bench.sandbox.credentials(dn_sandbox::CredentialKind::Static)).unwrap();
    let token = token["token"].as_str().unwrap();
    let ownerless = bench.client.get(&url).bearer_auth(token).send().await.unwrap();
    assert_eq!(ownerless.status(), 400);
    assert_eq!(reason(&json(ownerless).await), "contentOwnerNotProvided");
    let other = format!("{url}&onBehalfOfContentOwner=Other");
    assert_eq!(bench.client.get(&other).bearer_auth(token).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn compresses_for_a_client_that_asks_twice() {
    let bench = Bench::generated(dn_sandbox::Profile::Calm).await;
    let ids: Vec<String> = bench.sandbox.world().truth.keys().take(50).cloned().collect();
    let ask = |agent: &'static str| {
        bench
            .youtube("GET", &format!("/assets?id={}&fetchMetadata=mine", ids.join(",")))
            .header("accept-encoding", "gzip")
            .header("user-agent", agent)
            .send()
    };
    let plain = ask("test/1").await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.bytes().await.unwrap();
    let packed = ask("test/1 (gzip)").await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    assert_eq!(bench.sandbox.journal().count(Service::YouTube, "assets.list"), 2);
}
