//! The object store over a real socket: S3 as the sandbox reads its description.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dn_core::aws::{self, AccessKey, AwsSettings, SdkConfig};
use dn_core::store::{Condition, ETag, ObjectReader, Store, StoreError, open_read};
use dn_sandbox::{Fault, Service};

use crate::services::Services;

struct Bench {
    services: Services,
    aws: SdkConfig,
    store: Store,
}

impl Bench {
    async fn start() -> Self {
        let services = Services::start().await;
        let aws = services.aws("AWS_ENDPOINT_URL_S3").await;
        let store = Store::open(&services.sandbox.state_in_s3(), &aws).unwrap();
        Self { services, aws, store }
    }

    /// Lays an object into the state bucket as if somebody else had, and gives its address.
    fn lay(&self, key: &str, content: &[u8]) -> String {
        let path = self.services.object(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        format!("s3://sandbox-state/{key}")
    }

    fn inject(&self, operation: &str, times: u64, fault: Fault) {
        self.services.sandbox.faults().inject(Service::S3, operation, times, fault);
    }

    fn count(&self, operation: &str) -> u64 {
        self.services.count(Service::S3, operation)
    }
}

async fn read(reader: ObjectReader) -> std::io::Result<Vec<u8>> {
    tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.into_sync_read().read_to_end(&mut bytes).map(|_| bytes)
    })
    .await
    .unwrap()
}

/// A report's worth of bytes that repeat nowhere near each other, so that a piece out of place shows.
fn report(lines: usize) -> Vec<u8> {
    (0..lines)
        .flat_map(|line| format!("{line},{:x}\n", line.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

fn slow_down() -> Fault {
    Fault::status(
        503,
        "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    )
}

#[tokio::test]
async fn an_object_in_s3_reads_as_it_was_written_until_it_is_deleted() {
    let bench = Bench::start().await;
    let store = &bench.store;
    assert_eq!(store.get("task/lock.json", 100).await.unwrap(), None);
    let etag = store.put("task/lock.json", "{}".into(), Condition::None).await.unwrap();
    assert_eq!(store.get("task/lock.json", 2).await.unwrap(), Some((b"{}".to_vec(), etag)));
    assert!(matches!(store.get("task/lock.json", 1).await, Err(StoreError::TooLarge { .. })));
    assert_eq!(std::fs::read(bench.services.object("state/task/lock.json")).unwrap(), b"{}");
    assert_eq!(store.uri("task/lock.json"), "s3://sandbox-state/state/task/lock.json");
    store.delete("task/lock.json").await.unwrap();
    store.delete("task/lock.json").await.unwrap();
    assert_eq!(store.get("task/lock.json", 100).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_of_many_chunks_arrives_whole() {
    let bench = Bench::start().await;
    let content = report(500_000);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content).unwrap();
    bench.store.put_file("plan.jsonl", file.path(), Condition::None).await.unwrap();
    assert!(std::fs::read(bench.services.object("state/plan.jsonl")).unwrap() == content);
    let reader = open_read(&bench.store.uri("plan.jsonl"), &bench.aws).await.unwrap();
    assert_eq!(reader.size_bytes, Some(content.len() as u64));
    assert!(reader.modified.is_some() && reader.etag.is_some());
    assert!(read(reader).await.unwrap() == content);
    bench.inject("GetObject", 2, Fault::HalfBody);
    let back = file.path().with_extension("back");
    let etag = bench.store.get_file("plan.jsonl", &back).await.unwrap().unwrap();
    assert!(std::fs::read(&back).unwrap() == content, "what broke off is resumed");
    std::fs::remove_file(&back).unwrap();
    assert_eq!(bench.store.get_file("nothing", &back).await.unwrap(), None);
    bench.store.put_file("plan.jsonl", file.path(), Condition::IfMatch(etag)).await.unwrap();
    let mut object = bench.store.begin("plan.jsonl").await.unwrap();
    object.file().write_all(b"another").unwrap();
    bench.store.finish(object).await.unwrap();
    let opened = bench.store.open_file("plan.jsonl", &back).await.unwrap().unwrap();
    assert_eq!(std::io::read_to_string(opened).unwrap(), "another");
    assert!(!back.exists() && bench.store.open_file("nothing", &back).await.unwrap().is_none());
}

#[tokio::test]
async fn e02_a_lock_in_s3_is_won_once_and_changed_by_its_holder_alone() {
    let bench = Bench::start().await;
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..8_u8 {
        let store = bench.store.clone();
        tries.spawn(async move { store.put("lock.json", vec![n].into(), Condition::IfAbsent).await });
    }
    let mut won: Vec<ETag> = Vec::new();
    for result in tries.join_all().await {
        match result {
            Ok(etag) => won.push(etag),
            Err(StoreError::Precondition { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let [first] = &won[..] else { panic!("{} have the lock", won.len()) };
    let second =
        bench.store.put("lock.json", "beat".into(), Condition::IfMatch(first.clone())).await.unwrap();
    let late = bench.store.put("lock.json", "late".into(), Condition::IfMatch(first.clone())).await;
    assert!(matches!(late, Err(StoreError::Precondition { .. })), "{late:?}");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&report(100_000)).unwrap();
    for condition in [Condition::IfAbsent, Condition::IfMatch(first.clone())] {
        let late = bench.store.put_file("lock.json", file.path(), condition).await;
        assert!(matches!(late, Err(StoreError::Precondition { .. })), "{late:?}");
    }
    bench.store.delete("lock.json").await.unwrap();
    let gone = bench.store.put("lock.json", "gone".into(), Condition::IfMatch(second)).await;
    assert!(matches!(gone, Err(StoreError::Precondition { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_listing_has_every_page_in_order_and_runs_are_listed_without_their_files() {
    let bench = Bench::start().await;
    for run in 0..1_205 {
        bench.lay(&format!("state/task/runs/{run:04}/plan.jsonl"), b"{}\n");
    }
    bench.lay("state/task-b/lock.json", b"{}");
    bench.lay("elsewhere/a", b"{}");
    let objects = bench.store.list("task/").await.unwrap();
    assert_eq!(objects.len(), 1_205);
    assert!(objects.is_sorted_by(|one, other| one.key < other.key));
    assert_eq!(objects[1_204].key, "task/runs/1204/plan.jsonl");
    assert_eq!(objects[1_204].size_bytes, 3);
    assert!(objects[1_204].etag.is_some() && objects[1_204].modified.is_some());
    let runs = bench.store.list_folders("task/runs").await.unwrap();
    assert_eq!((runs.len(), runs[0].as_str(), runs[1_204].as_str()), (1_205, "0000", "1204"));
    assert_eq!(bench.store.list_folders("").await.unwrap(), ["task", "task-b"]);
    assert_eq!(bench.store.list("nothing/").await.unwrap(), []);
}

#[tokio::test]
async fn s01_a_body_that_breaks_off_is_resumed_where_it_broke_off() {
    let bench = Bench::start().await;
    let content = report(200_000);
    let uri = bench.lay("report.csv", &content);
    bench.inject("GetObject", 3, Fault::HalfBody);
    let reader = open_read(&uri, &bench.aws).await.unwrap();
    assert!(read(reader).await.unwrap() == content, "the pieces do not fit together");
    assert_eq!(bench.count("GetObject"), 4);
}

#[tokio::test]
async fn s01_a_packed_body_that_breaks_off_is_resumed_too() {
    let bench = Bench::start().await;
    let content = report(200_000);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&content).unwrap();
    let uri = bench.lay("report.csv", &packed.finish().unwrap());
    bench.inject("GetObject", 2, Fault::HalfBody);
    let reader = open_read(&uri, &bench.aws).await.unwrap();
    assert!(read(reader).await.unwrap() == content);
}

#[tokio::test]
async fn s01_a_body_that_breaks_off_again_and_again_is_an_error_and_no_end() {
    let bench = Bench::start().await;
    let uri = bench.lay("report.csv", &report(10_000));
    bench.inject("GetObject", 100, Fault::HalfBody);
    let reader = open_read(&uri, &bench.aws).await.unwrap();
    let error = read(reader).await.unwrap_err();
    let Some(StoreError::Unreachable { reason, .. }) = StoreError::behind(&error) else {
        panic!("{error:?}")
    };
    assert!(reason.contains("again after 5 resumptions"), "{reason}");
    assert_eq!(bench.count("GetObject"), 6);
}

#[tokio::test]
async fn s02_an_object_that_is_replaced_while_it_is_read_is_found_out() {
    let bench = Bench::start().await;
    let uri = bench.lay("report.csv", &report(10_000));
    bench.inject("GetObject", 1, Fault::HalfBody);
    let reader = open_read(&uri, &bench.aws).await.unwrap();
    bench.lay("report.csv", &report(20_000));
    let error = read(reader).await.unwrap_err();
    assert!(matches!(StoreError::behind(&error), Some(StoreError::Replaced { .. })), "{error:?}");
}

#[tokio::test]
async fn s03_a_missing_an_empty_and_a_forbidden_input_each_say_what_to_do() {
    let bench = Bench::start().await;
    for (uri, said) in
        [("s3://sandbox-state/none.csv", "NoSuchKey"), ("s3://no-such-bucket/a.csv", "NoSuchBucket")]
    {
        let error = open_read(uri, &bench.aws).await.unwrap_err();
        assert!(matches!(&error, StoreError::NotFound { reason, .. } if reason.contains(said)), "{error}");
        assert!(error.to_string().starts_with(uri), "{error}");
    }
    let empty = bench.lay("empty.csv", b"");
    assert!(matches!(open_read(&empty, &bench.aws).await, Err(StoreError::Empty { uri }) if uri == empty));
    let denied =
        Fault::status(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
    bench.inject("GetObject", 1, denied);
    let error = open_read(&empty, &bench.aws).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::NotFound { reason, .. } if reason.contains("s3:GetObject")),
        "{error}"
    );
}

#[tokio::test]
async fn credentials_that_are_wrong_are_no_missing_object_and_show_nowhere() {
    let bench = Bench::start().await;
    let uri = bench.lay("report.csv", b"video_id\n");
    let wrong = bench.services.aws_with_secret("AWS_ENDPOINT_URL_S3", "not-the-secret").await;
    let error = open_read(&uri, &wrong).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Forbidden { reason, .. } if reason.contains("SignatureDoesNotMatch")),
        "{error}"
    );
    let store = Store::open("s3://sandbox-state/state", &wrong).unwrap();
    let written = store.put("a", "x".into(), Condition::None).await.unwrap_err();
    assert!(matches!(&written, StoreError::Forbidden { .. }), "{written}");
    for text in [format!("{error} {error:?} {written:?}"), format!("{wrong:?}"), format!("{store:?}")] {
        assert!(!text.contains("not-the-secret"), "{text}");
    }
}

#[tokio::test]
async fn s04_a_store_that_asks_to_slow_down_is_asked_again() {
    let bench = Bench::start().await;
    let uri = bench.lay("report.csv", b"video_id\n");
    bench.inject("GetObject", 2, slow_down());
    assert_eq!(read(open_read(&uri, &bench.aws).await.unwrap()).await.unwrap(), b"video_id\n");
    assert_eq!(bench.count("GetObject"), 3);
}

#[tokio::test]
async fn s04_a_store_that_only_asks_to_slow_down_is_given_up_after_five_tries() {
    let bench = Bench::start().await;
    bench.inject("PutObject", 100, slow_down());
    let error = bench.store.put("a", "x".into(), Condition::None).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unreachable { reason, .. } if reason.contains("SlowDown")),
        "{error}"
    );
    assert_eq!(bench.count("PutObject"), 5);
}

/// A server that carries out the first conditional write without answering it, refuses the second, and then shows an
/// object with the given writer's mark; `None` for the mark of the first write.
fn loses_the_first_answer(shown: Option<&'static str>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let mut mark = String::new();
        while seen.len() < 3 {
            let (mut stream, _) = listener.accept().unwrap();
            let head = request(&stream);
            let line = head.lines().next().unwrap_or_default().to_owned();
            let answer = match seen.len() {
                0 => {
                    let header = head.lines().find_map(|line| line.strip_prefix("x-amz-meta-write-id: "));
                    shown.unwrap_or(header.unwrap()).clone_into(&mut mark);
                    String::new()
                }
                1 => "HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    .to_owned(),
                _ => format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\netag: \"abc\"\r\nx-amz-meta-write-id: {mark}\r\nconnection: close\r\n\r\n"
                ),
            };
            stream.write_all(answer.as_bytes()).unwrap();
            seen.push(line);
        }
        seen
    });
    (address, server)
}

/// A server that sends half an object and then nothing for ever, and the rest when it is asked for it.
fn stalls_in_the_middle() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stalled, _) = listener.accept().unwrap();
        request(&stalled);
        stalled.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: \"abc\"\r\n\r\nvideo").unwrap();
        let (mut resumed, _) = listener.accept().unwrap();
        let head = request(&resumed);
        resumed
            .write_all(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 5\r\ncontent-range: bytes 5-9/10\r\netag: \"abc\"\r\n\r\n_id\n1")
            .unwrap();
        // The stalled connection stays open to the end.
        drop(stalled);
        head
    });
    (address, server)
}

#[tokio::test]
async fn a19_a_body_that_stalls_is_resumed_and_not_waited_for() {
    let (address, server) = stalls_in_the_middle();
    let begun = Instant::now();
    let reader = open_read("s3://bucket-of-reports/report.csv", &aws_at(address).await).await.unwrap();
    assert_eq!(read(reader).await.unwrap(), b"video_id\n1");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let asked = server.join().unwrap();
    assert!(asked.contains("range: bytes=5-\r\n") && asked.contains("if-match: \"abc\"\r\n"), "{asked}");
}

/// A request's head; its body is read and dropped.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap() > 2 {}
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    reader.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    head
}

async fn aws_at(address: String) -> SdkConfig {
    aws::load(&AwsSettings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(address),
        access_key: Some(AccessKey::new("AKIDEXAMPLE", "secret")),
    })
    .await
}

async fn put_lock(address: String) -> Result<ETag, StoreError> {
    let store = Store::open("s3://bucket-of-locks", &aws_at(address).await).unwrap();
    store.put("lock.json", "{}".into(), Condition::IfAbsent).await
}

#[tokio::test]
async fn a_lock_that_was_won_by_a_try_whose_answer_was_lost_is_won() {
    let (address, server) = loses_the_first_answer(None);
    assert_eq!(put_lock(address).await.unwrap(), ETag::new("\"abc\""));
    let seen = server.join().unwrap();
    assert!(
        seen[1].starts_with("PUT ") && seen[2].starts_with("HEAD /bucket-of-locks/lock.json"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_lock_that_somebody_else_won_meanwhile_is_lost() {
    let (address, server) = loses_the_first_answer(Some("another-writers"));
    let lost = put_lock(address).await;
    assert!(matches!(lost, Err(StoreError::Precondition { .. })), "{lost:?}");
    server.join().unwrap();
}
