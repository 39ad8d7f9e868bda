use super::*;
use crate::claim_report::{ClaimLine, ClaimReport};
use crate::claims::snapshot::{Gather, Source};
use crate::claims::world::week;
use proptest::prelude::*;

fn weights() -> Weights {
    let base = Base { automatic: 0.0054, manual: 0.0113 };
    Weights::new(base, [0.9, 0.6, 0.8, 1.4, 1.1, 0.7, 0.6, 0.5, 0.7, -0.4]).checked().unwrap()
}

const HEADER: &str = "claim_id,channel_id,asset_id,video_id,claim_status,claim_status_detail,claim_origin,views,\
                      longest_match,claim_created_date,video_upload_date,claim_policy_block,is_shorts_eligible,content_type";

fn gathered(lines: &[String]) -> Snapshot {
    let partner = "UC0000000000000000000009".parse().unwrap();
    let mut gather = Gather::new(week(0), [partner]);
    gather.rank_risks(weights());
    let text = format!("{HEADER}\n{}\n", lines.join("\n"));
    let mut report = ClaimReport::open("claims.csv", text.as_bytes()).unwrap();
    gather.begin(Source::Claims, &report.missing_columns());
    while let Some(ClaimLine::Row(row)) = report.next_row().unwrap() {
        gather.claim(&row).unwrap();
    }
    gather.finish()
}

fn line(id: &str, channel: u32, status: &str, origin: &str, views: u64, more: &str) -> String {
    // Uploaded 100 days before the week's Sunday, the first and the last counted.
    format!("{id},UC{channel:022},A000000000000001,vid00000001,{status},{origin},{views},{more}")
}

fn context(weights: &Weights) -> Context<'_> {
    Context {
        weights,
        rpm: Decimal::whole(2),
        has_disputed: &|_| false,
        is_viral_video: &|_| false,
        is_viral_asset: &|_| false,
    }
}

const PLAIN: &str = "60,2026-01-01,2026-08-15,,No,UGC";

#[test]
fn a_claim_without_a_reason_has_the_base_rate_and_each_reason_moves_its_odds() {
    let weights = weights();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    close(weights.probability(false, Signs::default()), 0.0054);
    close(weights.probability(true, Signs::default()), 0.0113);
    let mut signs = Signs::default();
    signs.add(Sign::ShortMatch);
    signs.add(Sign::Shorts);
    let odds = 0.0054 / 0.9946 * f64::exp(0.5);
    close(weights.probability(false, signs), odds / (1.0 + odds));
}

#[test]
fn what_a_row_says_are_the_reasons_of_its_claim() {
    let snapshot = gathered(&[
        line("plain", 1, "ACTIVE,", "Audio Match", 100_000, PLAIN),
        line("short", 1, "ACTIVE,", "Audio Match", 100_000, "9,2026-11-17,2026-08-15,US|DE,Yes,UGC"),
        line("ours", 9, "ACTIVE,", "Manual Claim", 100_000, PLAIN),
        line("upload", 9, "ACTIVE,", "Web Upload by Owner", 100_000, PLAIN),
        line("open", 1, "PENDING,DISPUTED", "Audio Match", 100_000, PLAIN),
        line("gone", 1, "INACTIVE,", "Audio Match", 100_000, PLAIN),
        line("unseen", 1, "ACTIVE,", "Audio Match", 0, PLAIN),
    ]);
    let found: Vec<_> = snapshot
        .candidates
        .iter()
        .map(|one| {
            let signs: Vec<_> = one.signs.iter().map(Sign::name).collect();
            (one.claim_id.as_str(), one.is_manual, one.views_a_day, signs.join(" "))
        })
        .collect();
    assert_eq!(
        found,
        [
            ("ours", true, 1_000, "uploader_partner".to_owned()),
            ("plain", false, 1_000, String::new()),
            ("short", false, 1_000, "short_match block_policy young_claim shorts".to_owned()),
        ]
    );
    // The week adds that the uploader disputes, and that a claim of the asset was given up.
    let weights = weights();
    let risks = assess(&snapshot, &context(&weights));
    let of = |id: &str| risks.iter().find(|risk| risk.claim_id.as_str() == id).unwrap();
    assert!(of("plain").signs.has(Sign::UploaderDisputed) && of("plain").signs.has(Sign::AssetReleased));
    assert!(!of("ours").signs.has(Sign::UploaderDisputed));
    assert_eq!(of("plain").at_stake, Decimal::whole(60), "thirty days of a thousand views at two");
    let viral = Context { is_viral_video: &|_| true, has_disputed: &|_| true, ..context(&weights) };
    let risks = assess(&snapshot, &viral);
    assert!(risks.iter().all(|risk| risk.signs.has(Sign::Viral) && risk.signs.has(Sign::UploaderDisputed)));
}

#[test]
fn an_open_claim_has_the_risk_of_its_reasons_and_its_own_dispute_is_none_of_them() {
    let snapshot = gathered(&[
        line("alone", 1, "PENDING,DISPUTED", "Manual Claim", 100_000, "9,2026-11-17,2026-08-15,US|DE,No,UGC"),
        line("plain", 2, "PENDING,APPEALED", "Audio Match", 100_000, PLAIN),
        line("other", 2, "PENDING,DISPUTED", "Audio Match", 100_000, PLAIN),
        line("routed", 2, "PENDING,ROUTED_FOR_REVIEW", "Audio Match", 100_000, PLAIN),
    ]);
    let weights = weights();
    let context = Context { has_disputed: &|_| true, ..context(&weights) };
    let ids = snapshot.open_claims.iter().map(|claim| claim.claim_id.as_str());
    let open: Vec<_> = ids.zip(open::of_all_open(&snapshot, &context)).collect();
    let of = |names: &[&str], is_manual| {
        let signs = Signs::named(names.iter().copied());
        (signs, decimal(weights.probability(is_manual, signs)))
    };
    assert_eq!(
        open,
        [
            ("alone", of(&["short_match", "block_policy", "young_claim"], true)),
            ("other", of(&["uploader_disputed"], false)),
            ("plain", of(&["uploader_disputed"], false)),
            ("routed", of(&["uploader_disputed"], false)),
        ],
        "a week before it may have been the same dispute"
    );
}

#[test]
fn the_highest_expected_losses_are_told_with_their_reasons_and_none_near_the_base_rate() {
    let mut lines: Vec<String> = (0..9)
        .map(|n| {
            line(
                &format!("c{n}"),
                1,
                "ACTIVE,",
                "Audio Match",
                100_000 * (n + 1),
                "5,2026-11-17,2026-08-15,US,No,UGC",
            )
        })
        .collect();
    lines.push(line("huge", 2, "ACTIVE,", "Audio Match", 900_000_000, PLAIN));
    let snapshot = gathered(&lines);
    let weights = weights();
    let risks = assess(&snapshot, &context(&weights));
    assert_eq!(risks[0].claim_id.as_str(), "huge", "in the order of what is at stake");
    let alerts = alerts(&risks, &weights, &|_| "A title".to_owned());
    let told: Vec<_> = alerts.iter().map(|alert| (alert.subject.id.as_str(), alert.severity)).collect();
    let info = |id| (id, Severity::Info);
    assert_eq!(told, [info("c8"), info("c7"), info("c6"), info("c5"), info("c4")]);
    let disputing = Context { has_disputed: &|_| true, ..context(&weights) };
    let graver = super::alerts(&assess(&snapshot, &disputing), &weights, &|_| "A title".to_owned());
    assert!(graver.iter().all(|alert| alert.severity == Severity::High), "one reason more");
    insta::assert_snapshot!(alerts[0].reason, @"a dispute is likelier than usual (5.6 %): short match, block policy, young claim");
    let evidence = &alerts[0].evidence;
    assert_eq!(evidence["reasons"], json!(["short_match", "block_policy", "young_claim"]));
    assert_eq!((evidence["risk"].clone(), evidence["valueAtStake"].clone()), (json!(0.0565), json!(540)));
}

#[test]
fn a_table_with_a_rate_or_a_weight_that_is_none_is_refused() {
    let base = weights().base();
    let with = |base: Base, weight: f64| Weights::new(base, [weight; 10]).checked();
    assert!(with(base, 10.0).is_ok());
    assert!(with(base, f64::NAN).unwrap_err().to_string().contains("short_match"));
    assert!(with(Base { manual: 1.0, ..base }, 0.0).unwrap_err().to_string().contains("manual"));
    assert!(with(Base { automatic: 0.0, ..base }, 0.0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn of_many_claims_those_with_the_most_at_stake_are_kept_whatever_their_order(seed in any::<u64>()) {
        let count = KEPT_CANDIDATES as u64 + 500;
        let mut order: Vec<u64> = (0..count).collect();
        order.sort_by_key(|n| (n + 1).wrapping_mul(seed | 1).rotate_left(23));
        let mut candidates = Candidates::new(weights(), week(0));
        for n in order {
            let candidate = Candidate {
                claim_id: format!("c{n}").parse().unwrap(),
                asset: None,
                video_id: None,
                channel_id: "UC0000000000000000000001".parse().unwrap(),
                views_a_day: n + 1,
                signs: Signs::default(),
                is_manual: false,
                is_ranked: false,
                is_drawn: false,
            };
            let key = claim_key(&candidate.claim_id);
            if candidates.may_take(candidate.views_a_day, key) {
                candidates.add(candidate, key);
            }
        }
        let kept = candidates.into_vec();
        let ranked = kept.iter().filter(|one| one.is_ranked);
        prop_assert_eq!(ranked.clone().count(), KEPT_CANDIDATES);
        prop_assert!(ranked.clone().all(|one| one.views_a_day > 500));
        // A twelfth of all claims has its week now; so few are all drawn, those with little at stake among them.
        let drawn = kept.iter().filter(|one| one.is_drawn);
        let due = (0..count).filter(|n| outcome::is_due(claim_key(&format!("c{n}").parse().unwrap()), week(0)));
        prop_assert_eq!(drawn.clone().count(), due.count());
        prop_assert!(drawn.clone().any(|one| one.views_a_day <= 500 && !one.is_ranked));
    }
}
