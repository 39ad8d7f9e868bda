//! The arrows between the crates, and the purity of the domain.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use dn_tests::root;

const TASKS: [&str; 3] = ["channelbackfill", "cms-customid-cleanup", "claims-report"];

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("cargo metadata")
}

/// Package → the packages that its code (not its tests) depends on.
fn arrows(metadata: &Metadata, with_dev: bool) -> BTreeMap<String, BTreeSet<String>> {
    metadata
        .packages
        .iter()
        .map(|package| {
            let counts = |kind| kind == DependencyKind::Normal || kind == DependencyKind::Build || with_dev;
            let targets = package
                .dependencies
                .iter()
                .filter(|arrow| counts(arrow.kind))
                .map(|arrow| arrow.name.clone());
            (package.name.to_string(), targets.collect())
        })
        .collect()
}

#[test]
fn arrows_point_down_only() {
    let metadata = metadata();
    let workspace: BTreeSet<String> =
        metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let mut allowed: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        ("dn-domain", vec![]),
        ("dn-core", vec!["dn-domain"]),
        ("dn-sandbox", vec!["dn-domain"]),
        (
            "dn-tests",
            vec![
                "dn-sandbox",
                "dn-domain",
                "dn-core",
                "channelbackfill",
                "cms-customid-cleanup",
                "claims-report",
            ],
        ),
    ]);
    for task in TASKS {
        allowed.insert(task, vec!["dn-core", "dn-domain"]);
    }
    for (package, targets) in arrows(&metadata, true) {
        let allowed = allowed
            .get(package.as_str())
            .unwrap_or_else(|| panic!("{package} has no place in the architecture"));
        for target in targets.intersection(&workspace) {
            assert!(allowed.contains(&target.as_str()), "{package} must not depend on {target}");
        }
    }
}

#[test]
fn the_domain_depends_on_nothing_that_does_io_and_aws_stands_in_core_alone() {
    let arrows = arrows(&metadata(), false);
    // jiff for plain dates alone: what tells the time is banned below and by clippy.
    let pure = BTreeSet::from([
        "blake3",
        "csv",
        "csv-core",
        "hashbrown",
        "jiff",
        "memchr",
        "serde",
        "serde_json",
        "sha2",
        "thiserror",
        "toml",
        "wide",
    ]);
    for dependency in &arrows["dn-domain"] {
        assert!(pure.contains(dependency.as_str()), "dn-domain must stay pure, and depends on {dependency}");
    }
    for (package, dependencies) in &arrows {
        let outside = ["aws-config", "aws-sdk-", "aws-sigv4", "reqwest", "yup-oauth2"];
        for dependency in
            dependencies.iter().filter(|name| outside.iter().any(|start| name.starts_with(start)))
        {
            assert_eq!(
                package, "dn-core",
                "{package} must not depend on {dependency}: what talks stands in dn-core"
            );
        }
    }
}

#[test]
fn the_domains_code_opens_nothing_waits_for_nothing_and_knows_no_time() {
    let forbidden = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "tokio",
        "::now()",
    ];
    let mut seen = 0;
    for file in rust_files(&root().join("crates/domain/src")) {
        let text = std::fs::read_to_string(&file).expect("a source file");
        seen += 1;
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for word in forbidden {
                assert!(
                    !line.contains(word),
                    "{}:{}: the domain is pure, and says {word}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
    assert!(seen > 5, "the domain's sources were not found");
}

#[test]
fn a_tasks_main_is_thin() {
    for task in TASKS {
        let text =
            std::fs::read_to_string(root().join("crates").join(task).join("src/main.rs")).expect("a main.rs");
        assert!(text.lines().count() < 25, "{task}: main.rs only starts the library");
    }
}

#[test]
fn only_the_transport_waits_and_only_the_task_harness_reads_the_environment() {
    // Clippy bans the calls; this holds that nobody lifts the ban elsewhere.
    let mut places = BTreeSet::new();
    for crate_name in ["core", "channelbackfill", "cms-customid-cleanup", "claims-report", "domain"] {
        for file in rust_files(&root().join("crates").join(crate_name).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            if text.contains("clippy::disallowed_methods") {
                places.insert(file.strip_prefix(root()).expect("inside the workspace").display().to_string());
            }
        }
    }
    let expected = BTreeSet::from(
        [
            "crates/core/src/task/clock.rs",
            "crates/core/src/task/settings.rs",
            "crates/core/src/transport/client.rs",
            "crates/core/src/transport/mod.rs",
        ]
        .map(str::to_owned),
    );
    assert_eq!(places, expected);
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a source directory") {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
