//! The Reporting API as its description has it, asked by a bare client.

use dn_sandbox::{CredentialKind, ReportFile};
use serde_json::{Value, json};

use crate::harness::Bench;

fn report(id: &str, created: &str, path: &std::path::Path) -> ReportFile {
    ReportFile {
        report_type: "content_owner_asset_a3".to_owned(),
        id: id.to_owned(),
        start: "2026-11-16T08:00:00Z".parse().unwrap(),
        end: "2026-11-17T08:00:00Z".parse().unwrap(),
        created: created.parse().unwrap(),
        path: path.to_owned(),
    }
}

async fn get(bench: &Bench, address: &str, query: &str) -> reqwest::Response {
    let base = &bench.sandbox.env()["YOUTUBE_REPORTING_BASE_URL"];
    let url =
        if address.starts_with("http") { address.to_owned() } else { format!("{base}/{address}?{query}") };
    let key: Value = serde_json::from_str(&bench.sandbox.credentials(CredentialKind::Static)).unwrap();
    bench.client.get(url).bearer_auth(key["token"].as_str().unwrap()).send().await.unwrap()
}

async fn list(bench: &Bench, address: &str, query: &str) -> Value {
    let owner = "onBehalfOfContentOwner=SandboxContentOwner&includeSystemManaged=true";
    get(bench, address, &format!("{owner}&{query}")).await.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_by_type_and_a_job_without_a_report_answers_nothing_at_all() {
    let bench = Bench::small().await;
    bench.sandbox.add_report_job("content_owner_asset_a3");
    let jobs = list(&bench, "jobs", "").await;
    assert_eq!(jobs["jobs"][0]["reportTypeId"], json!("content_owner_asset_a3"), "{jobs}");
    let id = jobs["jobs"][0]["id"].as_str().unwrap();
    assert_eq!(list(&bench, &format!("jobs/{id}/reports"), "").await, json!({}));
    let hidden: Value =
        get(&bench, "jobs", "onBehalfOfContentOwner=SandboxContentOwner").await.json().await.unwrap();
    assert_eq!(hidden, json!({}), "jobs of the system are listed for whoever asks for them");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_come_in_pages_and_files_in_parts() {
    let bench = Bench::small().await;
    let file = bench.sandbox.dir().join("asset.csv");
    std::fs::write(&file, "asset_id\nA1\n").unwrap();
    bench.sandbox.add_report(report("r1", "2026-11-18T10:00:00Z", &file));
    bench.sandbox.add_report(report("r2", "2026-11-19T10:00:00Z", &file));
    bench.sandbox.set_report_page_size(1);
    let address = "jobs/job-content_owner_asset_a3/reports";
    let first = list(&bench, address, "").await;
    let second =
        list(&bench, address, &format!("pageToken={}", first["nextPageToken"].as_str().unwrap())).await;
    let ids = [&first["reports"][0]["id"], &second["reports"][0]["id"]];
    assert_eq!((ids, second.get("nextPageToken")), ([&json!("r2"), &json!("r1")], None));
    let later = list(&bench, address, "createdAfter=2026-11-18T12:00:00Z").await;
    assert_eq!(later["reports"].as_array().unwrap().len(), 1);

    let url = first["reports"][0]["downloadUrl"].as_str().unwrap();
    assert_eq!(get(&bench, url, "").await.text().await.unwrap(), "asset_id\nA1\n");
    let token: Value = serde_json::from_str(&bench.sandbox.credentials(CredentialKind::Static)).unwrap();
    let part =
        bench.client.get(url).bearer_auth(token["token"].as_str().unwrap()).header("range", "bytes=9-");
    let part = part.send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.text().await.unwrap()), (206, "A1\n".to_owned()));
}
