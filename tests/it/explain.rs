//! `explain`: one asset or video, from the report's row to what past runs did to it.

use dn_sandbox::{Asset, Fault, Match, ReportRow, Service, Standing, WorldBuilder};
use dn_tests::{Rehearsal, asset, video};
use serde_json::{Value, json};

const ONE: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";
const TWO: &str = "UCbbbbbbbbbbbbbbbbbbbbbb";
const FOREIGN: &str = "UCzzzzzzzzzzzzzzzzzzzzzz";

/// Two partner channels and one asset for every way in which a decision can end.
fn world() -> WorldBuilder {
    WorldBuilder::new()
        .stored(ONE, ONE, Some("artist-one"), Some("Artist \u{202e}One"))
        .stored(TWO, TWO, Some("artist-two"), None)
        .row(ReportRow::new(video(1), ONE).asset(asset(1), video(1)).viewed(90))
        .asset(Asset::web(asset(1), video(1)))
        .row(ReportRow::new(video(2), ONE).asset(asset(2), "by-hand"))
        .asset(Asset::web(asset(2), "by-hand"))
        .row(ReportRow::new(video(3), ONE).asset(asset(3), ""))
        .row(ReportRow::new(video(4), TWO).asset(asset(3), ""))
        .asset(Asset::web(asset(3), ""))
        .row(ReportRow::new(video(5), ONE).asset(asset(5), ""))
        .asset(Asset::web(asset(5), "").standing(Standing::Merged { into: asset(1) }))
        .row(ReportRow::new(video(6), FOREIGN).asset(asset(6), ""))
        .row(ReportRow::new(video(7), ONE))
        // A video ID that looks like a flag.
        .row(ReportRow::new("-json000008", ONE).asset(asset(8), "artist-one"))
        .asset(Asset::web(asset(8), "artist-one"))
}

async fn explain(rehearsal: &Rehearsal, id: &str) -> Value {
    let run = rehearsal.cleanup(&["explain", id, "--json"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    run.summary().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn explains_each_decision_by_the_report_the_channel_and_the_live_value() {
    let rehearsal = Rehearsal::of(world()).await.unwrap();
    for (id, kind, reason, decided_by) in [
        (asset(1), "update", json!("default_video_id"), json!("live")),
        (asset(2), "skipped", json!("set_by_hand"), json!("report")),
        (asset(3), "conflict", json!("two_partner_channels"), json!("report")),
        (video(4), "conflict", json!("two_partner_channels"), json!("report")),
        (asset(5), "failed", json!("merged"), json!("live")),
        (asset(6), "none", json!("not_partner"), json!(null)),
        ("-json000008".to_owned(), "already_right", json!(null), json!("report")),
        (asset(99), "none", json!("not_in_report"), json!(null)),
    ] {
        let answer = explain(&rehearsal, &id).await;
        let decision = &answer["assets"][0]["decision"];
        let found = (&decision["kind"], &decision["reason"], &decision["decidedBy"]);
        assert_eq!(found, (&json!(kind), &reason, &decided_by), "{id}: {answer}");
    }
    let answer = explain(&rehearsal, &video(1)).await;
    let row = &answer["rows"][0];
    let found =
        [&row["record"], &row["videoId"], &row["channelId"], &row["assetId"], &row["reportedCustomId"]];
    assert_eq!(found, [&json!(1), &json!(video(1)), &json!(ONE), &json!(asset(1)), &json!(video(1))]);
    let explained = &answer["assets"][0];
    assert_eq!(explained["partnerChannel"]["customId"], json!("artist-one"));
    assert_eq!(explained["live"]["customId"], json!(video(1)));
    assert_eq!(explained["decision"]["new"], json!("artist-one"));

    let answer = explain(&rehearsal, &asset(3)).await;
    assert_eq!(answer["rowCount"], json!(2), "both rows of the conflict: {answer}");
    assert!(answer["assets"][0]["decision"]["detail"].as_str().unwrap().contains("artist-two"), "{answer}");
    let without = explain(&rehearsal, &video(7)).await;
    assert_eq!((&without["rowCount"], &without["assets"]), (&json!(1), &json!([])), "{without}");

    let enforce = rehearsal.cleanup(&["explain", &asset(2), "--json", "--policy", "enforce"]).await.unwrap();
    let decision = enforce.summary().unwrap()["assets"][0]["decision"].clone();
    assert_eq!((&decision["kind"], &decision["old"]), (&json!("update"), &json!("by-hand")), "{decision}");
    let filtered =
        rehearsal.cleanup(&["explain", &asset(1), "--json", "--filter-target", TWO]).await.unwrap();
    assert_eq!(filtered.summary().unwrap()["assets"][0]["decision"]["reason"], json!("outside_filter"));

    assert!(rehearsal.sandbox.writes().is_empty() && rehearsal.sandbox.events().is_empty());
    let state = rehearsal.sandbox.env().remove("STATE_URI").unwrap();
    assert!(!std::path::Path::new(&state).join("cms-customid-cleanup/lock.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn explains_what_past_runs_did_newest_first() {
    let rehearsal = Rehearsal::of(world()).await.unwrap();
    let planned = rehearsal.cleanup(&["plan", "--json"]).await.unwrap().summary().unwrap();
    let refused =
        json!({"error": {"code": 400, "message": "no\u{1b}[31m", "errors": [{"reason": "invalidValue"}]}});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        Match::operation("assets.patch").id(asset(1)),
        1,
        Fault::status(400, refused.to_string()),
    );
    let failed = rehearsal.cleanup(&["--json"]).await.unwrap().summary().unwrap();
    let done = rehearsal.cleanup(&["--json"]).await.unwrap().summary().unwrap();
    let id = done["runId"].as_str().unwrap();
    let undone = rehearsal.cleanup(&["undo", "--run", id, "--json"]).await.unwrap().summary().unwrap();

    let writes = rehearsal.sandbox.write_count();
    let answer = explain(&rehearsal, &asset(1)).await;
    let past = answer["pastRuns"]["writes"].as_array().unwrap();
    let told: Vec<_> = past.iter().map(|one| (&one["runId"], &one["outcome"], &one["new"])).collect();
    let (new, old) = (json!("artist-one"), json!(video(1)));
    assert_eq!(
        told,
        [
            (&undone["runId"], &json!("updated"), &old),
            (&done["runId"], &json!("updated"), &new),
            (&failed["runId"], &json!("failed"), &new),
            (&planned["runId"], &json!("only_planned"), &new),
        ],
        "{answer}"
    );
    assert_eq!(past[2]["code"], json!("invalidValue"));
    assert_eq!(answer["pastRuns"]["searchedCount"], json!(4));

    let text = rehearsal.cleanup(&["explain", &video(1)]).await.unwrap().stdout;
    for part in [ONE, "custom ID artist-one", "decision         update", "invalidValue", "row 1 (line 2)", id]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "hostile text is escaped: {text}");
    assert_eq!(rehearsal.sandbox.write_count(), writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_the_report_does_not_know_is_said_to_be_unknown_and_one_of_no_kind_is_refused() {
    let rehearsal = Rehearsal::of(world()).await.unwrap();
    let run = rehearsal.cleanup(&["explain", "unknown-vid"]).await.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("the report does not know it"), "{}", run.stdout);
    assert!(run.stdout.contains("none planned a write to it"), "{}", run.stdout);
    for nonsense in ["A12", "", "not an id at all", "UCaaaaaaaaaaaaaaaaaaaaaa"] {
        let run = rehearsal.cleanup(&["explain", nonsense]).await.unwrap();
        assert_eq!(run.code, Some(2), "{nonsense}: {run:?}");
        assert!(run.stderr.contains("neither an asset ID"), "{}", run.stderr);
    }
    assert!(rehearsal.sandbox.events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn past_runs_are_found_in_s3_and_a_run_that_was_cut_off_is_told_as_unknown() {
    let rehearsal = Rehearsal::of(world()).await.unwrap();
    let state = rehearsal.sandbox.state_in_s3();
    let run = rehearsal.cleanup(&["--json", "--state-uri", &state]).await.unwrap();
    let id = run.summary().unwrap()["runId"].as_str().unwrap().to_owned();
    let explain = ["explain", &asset(1), "--json", "--state-uri", &state];
    let answer = rehearsal.cleanup(&explain).await.unwrap().summary().unwrap();
    let write = &answer["pastRuns"]["writes"][0];
    assert_eq!((&write["runId"], &write["outcome"]), (&json!(id), &json!("updated")), "{answer}");

    // The same run as a kill would have left it: the plan alone.
    let plan = rehearsal.cleanup(&["plan", "--json", "--policy", "enforce"]).await.unwrap();
    let plan = plan.summary().unwrap();
    let folder = plan["planUri"].as_str().unwrap().strip_suffix("plan.jsonl").unwrap();
    std::fs::remove_file(std::path::Path::new(folder).join("summary.json")).unwrap();
    let answer = self::explain(&rehearsal, &asset(2)).await;
    let write = &answer["pastRuns"]["writes"][0];
    assert_eq!((&write["command"], &write["outcome"]), (&json!(null), &json!("unknown")), "{answer}");
}
