//! Claims behind the Content ID API, asked by a bare client.

use dn_sandbox::{ClaimEvent, ClaimRecord, Fault, Service};
use serde_json::{Value, json};

use crate::harness::{Bench, json};

fn claim(id: &str, status: &str, modified: &str) -> ClaimRecord {
    ClaimRecord {
        id: id.to_owned(),
        asset_id: "A100000000000001".to_owned(),
        video_id: format!("video{id:_>6}"),
        video_title: format!("=Song {id}\n<b>"),
        uploader_channel_id: "UCzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        reference_id: Some("reference-1".to_owned()),
        status: status.to_owned(),
        content_type: "audio".to_owned(),
        origin: "audioMatch".to_owned(),
        created: "2026-10-01T10:00:00Z".parse().unwrap(),
        status_modified: modified.parse().unwrap(),
        views: 9_007_199_254_740_993,
        engaged_views: 12,
        is_partner_uploaded: false,
        is_shorts_eligible: true,
        events: vec![
            ClaimEvent::new("2026-10-01T10:00:00Z".parse().unwrap(), "claim_create"),
            ClaimEvent::new(modified.parse().unwrap(), "dispute_create")
                .by("uploader")
                .mail("someone@example.com")
                .detail("disputeReason", "license"),
        ],
    }
}

async fn bench() -> Bench {
    let bench = Bench::small().await;
    for (id, status, modified) in [
        ("late", "disputed", "2026-11-20T10:00:00Z"),
        ("soon", "disputed", "2026-11-01T10:00:00Z"),
        ("held", "active", "2026-10-01T10:00:00Z"),
    ] {
        bench.sandbox.add_claim(claim(id, status, modified));
    }
    let mut appealed = claim("call", "appealed", "2026-11-02T10:00:00Z");
    appealed.events.push(ClaimEvent::new("2026-11-19T10:00:00Z".parse().unwrap(), "dispute_appeal"));
    bench.sandbox.add_claim(appealed);
    bench
}

async fn get(bench: &Bench, path: &str) -> (u16, Value) {
    let reply = bench.youtube("GET", path).send().await.unwrap();
    (reply.status().as_u16(), json(reply).await)
}

fn ids(body: &Value) -> Vec<&str> {
    let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn disputes_come_in_the_order_in_which_their_time_runs_out_page_by_page() {
    let bench = bench().await;
    let (status, body) = get(&bench, "/claimSearch?status=disputed").await;
    assert_eq!((status, ids(&body)), (200, vec!["soon", "late"]));
    assert_eq!(body["items"][0]["videoViews"], json!("9007199254740993"), "64 bits are a text");
    assert_eq!(body["items"][0].get("events"), None, "when the time runs out is not told");
    bench.sandbox.set_claim_page_size(1);
    let (_, first) = get(&bench, "/claimSearch?status=DISPUTED").await;
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, second) = get(&bench, &format!("/claimSearch?status=disputed&pageToken={token}")).await;
    assert_eq!((ids(&first), ids(&second)), (vec!["soon"], vec!["late"]));
    assert_eq!(second.get("nextPageToken"), None);
    let (status, _) = get(&bench, "/claimSearch?status=disputed&pageToken=other").await;
    assert_eq!(status, 400);
    let searches = bench.sandbox.journal().entries();
    assert!(searches.iter().all(|entry| entry.operation == "claimSearch.list"));
}

#[tokio::test]
async fn a_status_without_claims_has_no_items_at_all() {
    let bench = bench().await;
    let (status, body) = get(&bench, "/claimSearch?status=routedForReview").await;
    assert_eq!((status, body.get("items"), body.get("nextPageToken")), (200, None, None));
}

#[tokio::test]
async fn a_search_is_by_one_thing_alone_and_by_dates_besides() {
    let bench = bench().await;
    for (query, expected) in [
        ("assetId=A100000000000001&status=appealed", vec!["call"]),
        ("videoId=video__held,video__late", vec!["held", "late"]),
        ("referenceId=reference-2", vec![]),
        ("q=song%20soon", vec!["soon"]),
        ("status=disputed&statusModifiedAfter=2026-11-20", vec!["late"]),
        ("status=disputed&statusModifiedBefore=2026-11-20", vec!["soon"]),
        ("status=disputed&createdAfter=2026-10-02", vec![]),
    ] {
        let (status, body) = get(&bench, &format!("/claimSearch?{query}")).await;
        assert_eq!((status, ids(&body)), (200, expected), "{query}");
    }
    for query in [
        "",
        "assetId=A1&videoId=v1",
        "q=a&referenceId=r&status=active",
        "status=undecided",
        "status=disputed&createdAfter=yesterday",
        "status=disputed&createdAfter=20261002",
        "status=disputed&statusModifiedAfter=2016-06-29",
    ] {
        let (status, body) = get(&bench, &format!("/claimSearch?{query}")).await;
        assert_eq!((status, body["error"]["code"].as_u64()), (400, Some(400)), "{query}: {body}");
    }
}

#[tokio::test]
async fn a_history_tells_what_happened_when_and_by_whom() {
    let bench = bench().await;
    let (status, body) = get(&bench, "/claimHistory/call").await;
    assert_eq!((status, body["id"].as_str()), (200, Some("call")));
    let events = body["event"].as_array().unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["claim_create", "dispute_create", "dispute_appeal"]);
    assert_eq!(events[1]["source"], json!({"type": "uploader", "userEmail": "someone@example.com"}));
    assert_eq!(events[1]["typeDetails"], json!({"disputeReason": "license"}));
    assert_eq!(events[2]["time"], "2026-11-19T10:00:00.000Z");
    let (status, body) = get(&bench, "/claimHistory/nobody").await;
    assert_eq!((status, body["error"]["errors"][0]["reason"].as_str()), (404, Some("claimNotFound")));
    let (_, cut) = get(&bench, "/claimHistory/call?fields=id,event(type)").await;
    assert_eq!((cut["event"][0].clone(), cut.get("kind")), (json!({"type": "claim_create"}), None));
    let entries = bench.sandbox.journal().entries();
    assert_eq!(
        (entries[0].operation.as_str(), &entries[0].ids[..]),
        ("claimHistory.get", &["call".to_owned()][..])
    );
}

#[tokio::test]
async fn faults_are_played_on_searches_and_only_the_owner_may_ask() {
    let bench = bench().await;
    bench.sandbox.faults().inject(Service::YouTube, "claimSearch.list", 1, Fault::status(503, "{}"));
    assert_eq!(get(&bench, "/claimSearch?status=disputed").await.0, 503);
    assert_eq!(get(&bench, "/claimSearch?status=disputed").await.0, 200);
    let url = format!("{}/claimSearch?status=disputed", bench.env("YOUTUBE_API_BASE_URL"));
    assert_eq!(bench.client.get(&url).send().await.unwrap().status(), 401);
    let (status, _) = get(&bench, "/claimSearch/more").await;
    assert_eq!(status, 404);
}
