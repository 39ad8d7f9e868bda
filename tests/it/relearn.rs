//! The dispute weights fitted anew, from week after week of the real program to the table that a run takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dn_sandbox::WorldBuilder;
use dn_tests::{Rehearsal, Run, run};
use serde_json::Value;

/// Claims of every week.
const CLAIMS: u64 = 2_400;

/// Claims noted in the first weeks have their outcome after twelve more, and so have those that the weights are tried on.
const WEEKS: u64 = 28;

/// A report is made every third week: no dispute is over before it is seen.
const STEP: usize = 3;

const HEADER: &str = "claim_id,channel_id,asset_id,video_id,claim_status,claim_status_detail,claim_origin,views,\
                      longest_match,claim_created_date,video_upload_date,claim_policy_block,is_shorts_eligible";

/// A number below `of` that looks like chance.
fn chance(claim: u64, what: u64, of: u64) -> u64 {
    let mut hash = claim.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash ^ (hash >> 32)) % of
}

fn is_short(claim: u64) -> bool {
    chance(claim, 1, 4) == 0
}

/// Contrary to the table that is built in, Shorts are disputed most, and a claim that blocks is like any other.
fn begins_dispute(claim: u64, week: u64) -> bool {
    chance(claim, 100 + week, 1_000) < if is_short(claim) { 40 } else { 2 }
}

fn report(week: u64) -> String {
    let mut text = format!("{HEADER}\n");
    for claim in 0..CLAIMS {
        let is_disputed = (week.saturating_sub(2)..=week).any(|week| begins_dispute(claim, week));
        let status = if is_disputed { "PENDING,DISPUTED" } else { "ACTIVE," };
        let block = if chance(claim, 2, 2) == 0 { "US" } else { "" };
        let shorts = if is_short(claim) { "Yes" } else { "No" };
        writeln!(
            text,
            "CLM{claim:06},UC{claim:022},A{:015},v{claim:010},{status},Audio Match,{},60,2019-01-01,2019-01-01,{block},{shorts}",
            claim / 10,
            (claim + 1) * 10_000
        )
        .unwrap();
    }
    text
}

struct Desk {
    rehearsal: Rehearsal,
    environment: BTreeMap<String, String>,
}

impl Desk {
    async fn new() -> Self {
        let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
        let mut environment = rehearsal.environment();
        environment.remove("VIDEO_REPORT_URI");
        let claims = rehearsal.directory().join("claims.csv").display().to_string();
        environment.insert("CLAIM_REPORT_URI".to_owned(), claims);
        Self { rehearsal, environment }
    }

    fn path(&self, name: &str) -> String {
        self.rehearsal.directory().join(name).display().to_string()
    }

    async fn good(&self, arguments: &[&str]) -> Run {
        let run = run("claims-report", &self.environment, arguments).await.unwrap();
        assert_eq!(run.code, Some(0), "{run:?}");
        run
    }

    async fn week(&self, week: u64, more: &[&str]) {
        std::fs::write(self.path("claims.csv"), report(week)).unwrap();
        let monday: jiff::civil::Date = "2020-01-06".parse().unwrap();
        let monday = monday.saturating_add(jiff::Span::new().weeks(i64::try_from(week).unwrap())).to_string();
        self.good(&[&["--json", "--week", &monday], more].concat()).await;
    }

    async fn learn(&self, more: &[&str]) -> Value {
        let run = self.good(&[&["backtest", "--json"], more].concat()).await;
        run.summary().unwrap()["disputeWeights"].clone()
    }

    /// How likely a dispute of a claim was held to be when it was noted last, by its reasons.
    async fn noted(&self) -> BTreeMap<String, f64> {
        let to = self.path("export");
        self.good(&["history", "export", "--to", &to]).await;
        let mut rows = csv::Reader::from_path(format!("{to}/candidates.csv")).unwrap();
        let headers = rows.headers().unwrap().clone();
        let place = |name| headers.iter().position(|header| header == name).unwrap();
        let (signs, probability) = (place("signs"), place("probability"));
        let rows = rows.records().map(Result::unwrap);
        rows.map(|row| (row[signs].to_owned(), row[probability].parse().unwrap())).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_learnt_from_what_became_of_claims_and_are_a_table_that_the_next_run_takes() {
    let desk = Desk::new().await;
    let weights = desk.path("weights.toml");
    desk.week(0, &[]).await;
    let learnt = desk.learn(&["--weights-out", &weights]).await;
    assert_eq!((&learnt["isFitted"], &learnt["weightsOut"]), (&Value::Bool(false), &Value::Null), "{learnt}");
    assert_eq!(learnt["missing"]["outcomes"], 300, "{learnt}");
    assert!(learnt["fates"]["open"].as_u64().unwrap() > 50, "{learnt}");
    assert!(!std::path::Path::new(&weights).exists());
    let told = desk.good(&["backtest"]).await.stdout;
    assert!(told.contains("too few to fit weights to: 300 outcomes are needed"), "{told}");

    for week in (0..WEEKS).step_by(STEP).skip(1) {
        desk.week(week, &[]).await;
    }
    let learnt = desk.learn(&["--weights-out", &weights]).await;
    assert_eq!((&learnt["isFitted"], &learnt["isRecommended"]), (&true.into(), &true.into()), "{learnt:#}");
    let of = |reason: &str, name: &str| {
        let weights = learnt["weights"].as_array().unwrap();
        weights.iter().find(|one| one["reason"] == reason).unwrap()[name].as_f64().unwrap()
    };
    assert!(of("shorts", "before") < 0.0 && of("shorts", "now") > 1.5, "{learnt:#}");
    assert!(of("block_policy", "now") < 0.4, "{learnt:#}");
    let viral = &learnt["weights"].as_array().unwrap()[7];
    assert_eq!((&viral["reason"], &viral["now"]), (&"viral".into(), &viral["before"]), "nothing was viral");
    let held_out = &learnt["heldOut"];
    let loss = |table: &str| held_out[table]["logLoss"].as_f64().unwrap();
    assert!(loss("fitted") < loss("present"), "{held_out:#}");

    let shorts = desk.noted().await["shorts"];
    assert!(shorts < 0.0054, "no run takes new weights by itself: {shorts}");
    desk.week(WEEKS, &["--dispute-weights", &weights]).await;
    let shorts = desk.noted().await["shorts"];
    let odds = 0.0054 / (1.0 - 0.0054) * of("shorts", "now").exp();
    assert!((shorts - odds / (1.0 + odds)).abs() < 1e-9, "{shorts}");
    let again = desk.learn(&["--dispute-weights", &weights]).await;
    assert_eq!(
        again["weights"][9]["before"], learnt["weights"][9]["now"],
        "held against the table that is given"
    );
}

#[tokio::test]
async fn weights_are_not_learnt_from_a_panel() {
    let desk = Desk::new().await;
    let arguments = ["backtest", "--panel", "p.csv", "--alerts", "a.csv", "--weights-out", "w.toml"];
    let run = run("claims-report", &desk.environment, &arguments).await.unwrap();
    assert_eq!(run.code, Some(2), "{run:?}");
}
