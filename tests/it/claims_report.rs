//! claims-report against S3.

use std::io::Write as _;

use dn_sandbox::{Fault, Service};
use dn_tests::run;

use crate::services::Services;

const REPORT: &str = "claim_id,channel_id,claim_status,claim_type\nc,UCalpha00000000000000000,ACTIVE,AUDIO\n";

#[tokio::test]
async fn s01_a_packed_report_in_s3_is_counted_though_its_body_breaks_off() {
    let services = Services::start().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(REPORT.as_bytes()).expect("memory");
    std::fs::write(services.object("claims.csv"), packed.finish().expect("memory"))
        .expect("the bucket's folder");
    services.sandbox.faults().inject(Service::S3, "GetObject", 1, Fault::HalfBody);
    let arguments = ["--json", "--claims", "s3://sandbox-state/claims.csv"];
    let mut environment = services.sandbox.env();
    environment.remove("VIDEO_REPORT_URI");
    let run = run("claims-report", &environment, &arguments).await.expect("the program");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let summary = run.summary().expect("a summary");
    assert_eq!(summary["claims"]["byStatus"]["ACTIVE"], 1);
    assert_eq!(services.count(Service::S3, "GetObject"), 2);
}

#[tokio::test]
async fn s01_a_report_that_cannot_be_read_to_its_end_is_a_passing_fault() {
    let services = Services::start().await;
    std::fs::write(services.object("claims.csv"), REPORT).expect("the bucket's folder");
    services.sandbox.faults().inject(Service::S3, "GetObject", 100, Fault::HalfBody);
    let mut environment = services.sandbox.env();
    environment.remove("VIDEO_REPORT_URI");
    let arguments = ["--json", "--claims", "s3://sandbox-state/claims.csv"];
    let run = run("claims-report", &environment, &arguments).await.expect("the program");
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("broke off after"), "{}", run.stderr);
}
