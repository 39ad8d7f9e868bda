//! What other platforms count, in whatever form it comes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::{fixture, program, run, summary};

/// An analytics folder, a folder of mappings and the week's assets.
struct Folders {
    dir: TempDir,
}

impl Folders {
    fn new(analytics: &[(&str, &str)], mappings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (folder, files) in [("analytics", analytics), ("mappings", mappings)] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
            for (name, text) in files {
                let path = dir.path().join(folder).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        std::fs::write(
            dir.path().join("assets.csv"),
            "asset_id,active_claims,asset_type\nA000000000000001,1,WEB\n",
        )
        .unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, more: &[&str]) -> crate::Run {
        let (assets, analytics) = (self.path("assets.csv"), self.path("analytics"));
        let mut arguments = vec!["--json", "--assets", &assets, "--analytics", &analytics];
        arguments.extend(more);
        run(program(&arguments).env("REPORT_WEEK", "2020-11-16"))
    }
}

/// The files of the analytics folder as the summary tells of them, with the rows that were used.
fn files(summary: &Value) -> Vec<(String, String, Option<u64>)> {
    let sources = summary["sources"].as_array().unwrap().iter();
    let named = sources.map(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        (text("name"), text("state"), one["facts"]["rows"].as_u64())
    });
    named.filter(|(name, ..)| name.contains(".csv")).collect()
}

const NORMAL: &str = "date,platform,isrc,metric,value\n2020-11-22,deezer,USABC2600001,streams,5\n";
const SPOTIFY: &str = "song,isrc,listeners,streams,saves,release_date\nBlue,USABC2600001,3,70,4,2020-01-01\n\
                       Sea,USABC2600002,3,7,n/a,2020-01-01\n";
const UNKNOWN: &str = "song,plays on air\nBlue,7\n";

#[test]
fn t07_an_export_is_read_beside_the_normal_form_and_one_that_nothing_knows_is_put_aside() {
    let folders = Folders::new(
        &[("deezer.csv", NORMAL), ("label-songs-2020-11-22.csv", SPOTIFY), ("radio.csv", UNKNOWN)],
        &[],
    );
    let run = folders.run(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let summary = summary(&run);
    let named = |name: &str, state: &str, rows| (name.to_owned(), state.to_owned(), rows);
    assert_eq!(
        files(&summary),
        [
            named("deezer.csv", "used", Some(1)),
            named("label-songs-2020-11-22.csv", "used", Some(2)),
            named("radio.csv", "refused", None),
        ]
    );
    assert_eq!((&summary["refusedCount"], &summary["badRowCount"]), (&Value::from(1), &Value::from(0)));
    assert!(run.stderr.contains("\"mapping\":\"spotify_for_artists\""), "{}", run.stderr);
    let quarantine = summary["quarantineUris"][0].as_str().unwrap();
    let reason = std::fs::read_to_string(Path::new(quarantine).join("reason.json")).unwrap();
    let reason: Value = serde_json::from_str(&reason).unwrap();
    assert_eq!(reason["column"], "streams", "{reason}");
    assert_eq!(
        reason["problem"],
        "no mapping knows it; found: \"song\", \"plays on air\"; nearest is \"spotify_for_artists\" \
         (mappings/spotify_for_artists.toml), and it misses \"streams\", \"listeners\""
    );
}

#[test]
fn t07_files_of_one_name_in_two_folders_are_kept_apart() {
    let text = "Content,Video title,Views,Watch time (hours)\nTotal,,7,1\nvid,Blue,7,1\n";
    let assets = "Asset,Views,Watch time (hours)\nTotal,8,1\nA000000000000001,7,1\nB,1,0\n";
    let files = [
        ("Content 2020-11-16_2020-11-23 One/Table data.csv", assets),
        ("Content 2020-11-16_2020-11-23 Two/Table data.csv", text),
        ("Content 2020-11-16_2020-11-23 Six/Table data.csv", assets),
    ];
    let run = Folders::new(&files, &[]).run(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let summary = summary(&run);
    assert_eq!((&summary["refusedCount"], &summary["badRowCount"]), (&Value::from(1), &Value::from(2)));
    let rejects: BTreeSet<&str> =
        summary["rejectsUris"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()).collect();
    assert_eq!(rejects.len(), 2);
    for uri in rejects {
        let text = std::fs::read_to_string(uri).unwrap();
        assert!(
            text.starts_with("Asset,Views,Watch time (hours),code,reason\nB,1,0,asset_id_invalid,"),
            "{text}"
        );
    }
}

#[test]
fn t07_an_export_that_has_titles_alone_is_put_aside() {
    let text = "song,listeners,streams,saves,release_date\nBlue,3,70,4,2020-01-01\n";
    let run = Folders::new(&[("songs-2020-11-22.csv", text)], &[]).run(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(summary(&run)["refusedCount"], 1);
    assert!(run.stderr.contains("titles are never used to join"), "{}", run.stderr);
}

/// The block of a language that stands so many blocks of it into the document.
fn block(language: &str, number: usize) -> String {
    let document = std::fs::read_to_string(fixture("../docs/PLATFORMS.md")).unwrap();
    let rest = document.split(format!("```{language}\n").as_str()).nth(number).unwrap().to_owned();
    rest.split("```").next().unwrap().to_owned()
}

#[test]
fn a_users_mapping_as_the_document_has_it_reads_what_nothing_else_does() {
    let (export, mapping) = (block("csv", 1), block("toml", 1));
    let folders = Folders::new(&[("boomplay-kw47.csv", &export)], &[("boomplay.toml", &mapping)]);
    assert_eq!(folders.run(&[]).code, 3, "without its mapping it is refused");
    let run = folders.run(&["--mappings", &folders.path("mappings")]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let named = ("boomplay-kw47.csv".to_owned(), "used".to_owned(), Some(3));
    assert_eq!(files(&summary(&run)), [named]);
}

#[test]
fn a_faulty_mapping_ends_the_run_with_2_and_names_file_line_key_and_remedy() {
    let mapping = block("toml", 1);
    for (fault, message) in [
        (mapping.replace("%d.%m.%Y", "%d.%m."), "key \"date.format\": \"%d.%m.\" tells no whole day"),
        (mapping.replace("platform =", "plattform ="), "boomplay.toml:2: unknown field `plattform`"),
        ("\u{0}".to_owned(), "boomplay.toml:1: "),
    ] {
        let folders = Folders::new(&[("deezer.csv", NORMAL)], &[("boomplay.toml", &fault)]);
        let run = folders.run(&["--mappings", &folders.path("mappings")]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        let error = summary(&run)["error"].as_str().unwrap().to_owned();
        assert!(error.contains("--mappings (MAPPINGS_URI)") && error.contains(message), "{error}");
    }
    let folders = Folders::new(&[("deezer.csv", NORMAL)], &[]);
    for folder in [folders.path("mappings"), folders.path("nowhere")] {
        let run = folders.run(&["--mappings", &folder]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("there is no file that ends in .toml"), "{}", run.stderr);
    }
}

#[test]
fn a_check_says_which_mappings_there_are_or_what_is_wrong_with_one() {
    let mapping = block("toml", 1);
    for (text, state, told) in [
        (mapping.clone(), "PASS", "boomplay, generic"),
        (mapping.replace("semicolon", "colon"), "FAIL", "unknown variant `colon`"),
    ] {
        let folders = Folders::new(&[], &[("boomplay.toml", &text)]);
        let (assets, mappings) = (folders.path("assets.csv"), folders.path("mappings"));
        let run = run(&mut program(&["check", "--assets", &assets, "--mappings", &mappings]));
        let row = run.stdout.lines().find(|line| line.contains("mappings")).unwrap();
        assert!(row.contains(state) && row.contains(told), "{}", run.stdout);
    }
}
