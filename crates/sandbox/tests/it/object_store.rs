//! S3.

use crate::harness::Bench;
use crate::signing::Signed;

fn url(bench: &Bench, path: &str) -> String {
    format!("{}/{path}", bench.env("AWS_ENDPOINT_URL_S3"))
}

#[tokio::test]
async fn serves_the_report_whole_and_in_ranges_of_one_version() {
    let bench = Bench::small().await;
    let s3 = Signed::new(&bench, "s3");
    let report = url(&bench, "youtube-reporting-main/reports/video_report_Indmusic_V_v1-3.csv");
    let whole = s3.send("GET", &report, &[], "").await;
    assert_eq!(whole.status(), 200);
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert!(whole.headers()["last-modified"].to_str().unwrap().ends_with("GMT"));
    let whole = whole.bytes().await.unwrap();
    assert!(whole.starts_with(b"video_id,channel_id,"));

    let head = s3.send("HEAD", &report, &[], "").await;
    assert_eq!(head.headers()["content-length"].to_str().unwrap(), whole.len().to_string());

    let part = s3.send("GET", &report, &[("range", "bytes=9-18"), ("if-match", &etag)], "").await;
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"].to_str().unwrap(), format!("bytes 9-18/{}", whole.len()));
    assert_eq!(part.bytes().await.unwrap(), "channel_id");

    let other = s3.send("GET", &report, &[("if-match", "\"other\"")], "").await;
    assert_eq!(other.status(), 412);
    let beyond = s3.send("GET", &report, &[("range", "bytes=999999999-")], "").await;
    assert_eq!(beyond.status(), 416);
}

#[tokio::test]
async fn a_conditional_put_makes_an_honest_lock() {
    let bench = Bench::small().await;
    let s3 = Signed::new(&bench, "s3");
    let lock = url(&bench, "sandbox-state/state/lock%20file.json");
    let first = s3.send("PUT", &lock, &[("if-none-match", "*")], "one").await;
    assert_eq!(first.status(), 200);
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    let second = s3.send("PUT", &lock, &[("if-none-match", "*")], "two").await;
    assert_eq!(second.status(), 412);
    assert!(second.text().await.unwrap().contains("<Code>PreconditionFailed</Code>"));
    assert_eq!(s3.send("PUT", &lock, &[("if-match", &etag)], "three").await.status(), 200);
    assert_eq!(s3.send("PUT", &lock, &[("if-match", &etag)], "four").await.status(), 412);
    assert_eq!(s3.send("GET", &lock, &[], "").await.text().await.unwrap(), "three");
    assert_eq!(s3.send("DELETE", &lock, &[], "").await.status(), 204);
    let gone = s3.send("GET", &lock, &[], "").await;
    assert_eq!(gone.status(), 404);
    assert!(gone.text().await.unwrap().contains("<Code>NoSuchKey</Code>"));
}

#[tokio::test]
async fn lists_keys_below_a_prefix_page_by_page() {
    let bench = Bench::small().await;
    let s3 = Signed::new(&bench, "s3");
    for key in ["a/1", "a/2", "a/3", "b/1"] {
        let put = s3.send("PUT", &url(&bench, &format!("sandbox-state/{key}")), &[], "x").await;
        assert_eq!(put.status(), 200);
    }
    let page = |more: &str| url(&bench, &format!("sandbox-state?list-type=2&prefix=a%2F&max-keys=2{more}"));
    let first = s3.send("GET", &page(""), &[], "").await.text().await.unwrap();
    assert!(first.contains("<Key>a/1</Key>") && first.contains("<Key>a/2</Key>") && !first.contains("a/3"));
    assert!(first.contains("<IsTruncated>true</IsTruncated>"));
    let token = first.split("<NextContinuationToken>").nth(1).unwrap().split('<').next().unwrap();
    let more = format!("&continuation-token={}", token.replace('/', "%2F"));
    let second = s3.send("GET", &page(&more), &[], "").await.text().await.unwrap();
    assert!(second.contains("<Key>a/3</Key>") && second.contains("<IsTruncated>false</IsTruncated>"));
    let folders = url(&bench, "sandbox-state?list-type=2&delimiter=%2F");
    let folders = s3.send("GET", &folders, &[], "").await.text().await.unwrap();
    assert!(folders.contains("<Prefix>a/</Prefix>") && folders.contains("<Prefix>b/</Prefix>"));
}

#[tokio::test]
async fn refuses_who_is_not_signed_in() {
    let bench = Bench::small().await;
    let key = url(&bench, "sandbox-state/x");
    let unsigned = bench.client.get(&key).send().await.unwrap();
    assert_eq!(unsigned.status(), 403);
    assert!(unsigned.text().await.unwrap().contains("<Code>AccessDenied</Code>"));
    let mut forged = Signed::new(&bench, "s3");
    forged.secret = "wrong".to_owned();
    let forged = forged.send("GET", &key, &[], "").await;
    assert!(forged.text().await.unwrap().contains("<Code>SignatureDoesNotMatch</Code>"));
    let bucket = Signed::new(&bench, "s3").send("GET", &url(&bench, "nobody/x"), &[], "").await;
    assert!(bucket.text().await.unwrap().contains("<Code>NoSuchBucket</Code>"));
}
