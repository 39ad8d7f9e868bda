//! What happens in the weeks of claims reports, read from the files: each plant is strong, and all else is quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dn_sandbox::weeks::{Options, WeekFiles, Weeks, generate};

/// The wanted columns of every row of a file.
fn rows<const COUNT: usize>(path: &Path, columns: [&str; COUNT]) -> Vec<[String; COUNT]> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let places = columns.map(|name| header.iter().position(|column| column == name).unwrap());
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
    reader
        .byte_records()
        .map(|record| {
            let record = record.unwrap();
            places.map(|place| text(&record[place]))
        })
        .collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// A number of each asset in each week.
fn series(weeks: &Weeks, column: &str) -> BTreeMap<String, Vec<f64>> {
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (at, week) in weeks.weeks.iter().enumerate() {
        for [asset, value] in rows(&week.assets, ["asset_id", column]) {
            let values = series.entry(asset).or_insert_with(|| vec![f64::NAN; weeks.weeks.len()]);
            values[at] = if value.is_empty() { f64::NAN } else { number(&value) };
        }
    }
    series
}

struct Claims {
    asset: String,
    reference: String,
    channel: String,
    status: String,
    origin: String,
    seconds: f64,
    created: usize,
}

/// The last week's claims, with the week in which each was made; those made before the first week are left out.
fn claims(weeks: &Weeks, week: &WeekFiles) -> Vec<Claims> {
    let columns = [
        "asset_id",
        "reference_id",
        "channel_id",
        "claim_status",
        "claim_origin",
        "longest_match",
        "claim_created_date",
    ];
    rows(&week.claims, columns)
        .into_iter()
        .filter_map(|[asset, reference, channel, status, origin, seconds, created]| {
            let created: jiff::civil::Date = created.parse().unwrap();
            let created = weeks.weeks.iter().rposition(|week| week.monday <= created)?;
            Some(Claims { asset, reference, channel, status, origin, seconds: number(&seconds), created })
        })
        .collect()
}

/// The subject of the one finding of a kind in the last week, which is no consequence of another.
fn planted<'a>(weeks: &'a Weeks, kind: &str) -> Vec<&'a str> {
    let last = weeks.weeks.last().unwrap().monday;
    let of_kind = weeks.findings.iter().filter(|one| one.kind == kind && one.week == last && !one.implied);
    of_kind.map(|one| one.subject_id.as_str()).collect()
}

fn per_week(claims: &[Claims], is_asked: impl Fn(&Claims) -> bool) -> Vec<usize> {
    (0..10).map(|week| claims.iter().filter(|one| one.created == week && is_asked(one)).count()).collect()
}

fn made() -> (tempfile::TempDir, Weeks) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { assets: 400, ..Options::ending("2026-11-16".parse().unwrap()) };
    let weeks = generate(&options, dir.path()).unwrap();
    (dir, weeks)
}

#[test]
fn claims_do_what_the_findings_say_of_them() {
    let (_dir, weeks) = made();
    let last = weeks.weeks.last().unwrap();
    let claims = claims(&weeks, last);
    let partners: BTreeSet<&str> = weeks.partners.iter().map(|one| one.channel_id.as_str()).collect();

    let [reference] = planted(&weeks, "bad_reference")[..] else { panic!() };
    let new = per_week(&claims, |one| one.reference == reference);
    assert!(new[9] >= 80 && new[1..9].iter().all(|count| (5..=10).contains(count)), "{new:?}");

    let [channel] = planted(&weeks, "own_channel_claim")[..] else { panic!() };
    let is_match = |one: &Claims| one.origin == "Audio Match" && partners.contains(one.channel.as_str());
    assert_eq!(per_week(&claims, |one| is_match(one) && one.channel == channel)[9], 12);
    assert_eq!(per_week(&claims, is_match).iter().sum::<usize>(), 12, "nowhere else, never before");

    let [asset] = planted(&weeks, "short_match")[..] else { panic!() };
    let all = per_week(&claims, |one| one.asset == asset);
    let short = per_week(&claims, |one| one.asset == asset && one.seconds < 10.0);
    assert!(short[8] * 2 > all[8] && short[9] * 10 > all[9] * 6, "{short:?} of {all:?}");
    assert!(
        (1..5).map(|week| short[week]).sum::<usize>() * 5 < (1..5).map(|week| all[week]).sum(),
        "{short:?}"
    );

    let [asset] = planted(&weeks, "claims_ahead")[..] else { panic!() };
    let new = per_week(&claims, |one| one.asset == asset);
    assert!(new[4..].is_sorted() && new[9] == 40 && new[6] < 12, "{new:?}");

    let [asset] = planted(&weeks, "release_rate")[..] else { panic!() };
    let share = |week: &WeekFiles, is_asked: &dyn Fn(&str) -> bool| {
        let all = rows(&week.claims, ["asset_id", "claim_status"]);
        let all: Vec<_> = all.iter().filter(|[asset, _]| is_asked(asset)).collect();
        all.iter().filter(|row| row[1] == "INACTIVE").count() as f64 / all.len() as f64
    };
    let [before, now] = [&weeks.weeks[8], last].map(|week| share(week, &|one| one == asset));
    let base = share(last, &|one| one != asset) - share(&weeks.weeks[8], &|one| one != asset);
    assert!(before == 0.0 && now > 0.15 && now > 20.0 * base, "{before} {now}, elsewhere {base}");

    let open: BTreeSet<&str> = planted(&weeks, "dispute_deadline").into_iter().collect();
    assert_eq!(open.len(), 3);
    let pending = rows(&last.claims, ["claim_id", "claim_status", "claim_status_detail"]);
    let urgent: Vec<_> = pending.iter().filter(|[id, ..]| open.contains(id.as_str())).collect();
    assert_eq!(urgent.iter().filter(|row| row[1] == "PENDING" && row[2] == "APPEALED").count(), 1);
    assert_eq!(urgent.iter().filter(|row| row[1] == "PENDING" && row[2] == "DISPUTED").count(), 2);
    assert!(claims.iter().all(|one| ["ACTIVE", "INACTIVE", "PENDING"].contains(&one.status.as_str())));
}

#[test]
fn views_and_active_claims_of_assets_do_and_all_other_assets_are_quiet() {
    let (_dir, weeks) = made();
    let views = series(&weeks, "approx_daily_views");
    let active = series(&weeks, "active_claims");
    // The last week over the middle of the four before.
    let jump = |values: &[f64]| {
        let mut before = values[5..9].to_vec();
        before.sort_by(f64::total_cmp);
        values[9] / f64::midpoint(before[1], before[2])
    };
    let last = weeks.weeks.last().unwrap();
    let viral: Vec<&str> =
        planted(&weeks, "viral").into_iter().filter(|id| views.contains_key(*id)).collect();
    assert_eq!(viral.len(), 1, "the asset; the other subject is its video");
    assert!(jump(&views[viral[0]]) > 10.0);

    let changed = planted(&weeks, "claims_change")[0];
    let steps: Vec<f64> = active[changed].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps[8] >= 50.0 && steps[..8].iter().all(|step| step.abs() <= 3.0), "{steps:?}");

    let discrepant = planted(&weeks, "views_claims_discrepancy");
    let [up, down] = discrepant[..] else { panic!("{discrepant:?}") };
    let grown = |values: &[f64]| values[9] / values[4];
    let ratios: Vec<(f64, f64)> =
        [up, down].iter().map(|id| (grown(&views[*id]), grown(&active[*id]))).collect();
    assert!(ratios.iter().any(|(views, claims)| *views > 4.0 && *claims <= 1.01), "{ratios:?}");
    assert!(ratios.iter().any(|(views, claims)| *views < 1.5 && *claims > 2.0), "{ratios:?}");

    // Nobody of whom nothing is said: launches decay, season and noise stay below this.
    let told: BTreeSet<&str> = weeks.findings.iter().map(|one| one.subject_id.as_str()).collect();
    for (asset, values) in views.iter().filter(|(asset, _)| !told.contains(asset.as_str())) {
        if values.iter().all(|value| value.is_finite() && *value >= 20.0) {
            assert!(jump(values) < 2.0, "{asset}: {values:?}");
        }
    }
    for (asset, values) in active.iter().filter(|(asset, _)| !told.contains(asset.as_str())) {
        assert!(values[8].is_nan() || values[9].is_nan() || (values[9] - values[8]).abs() < 20.0, "{asset}");
    }

    let contested = planted(&weeks, "ownership_conflict");
    let owners = |week: &WeekFiles| {
        let all = rows(&week.conflicts, ["asset_id", "conflicting_owner"]);
        all.into_iter().map(|[asset, _]| asset).collect::<BTreeSet<_>>()
    };
    let new: Vec<String> = owners(last).difference(&owners(&weeks.weeks[8])).cloned().collect();
    assert_eq!(new, contested);
}

#[test]
fn platforms_and_rights_do() {
    let (_dir, weeks) = made();
    let mut totals: BTreeMap<(String, String, String), Vec<f64>> = BTreeMap::new();
    for (at, week) in weeks.weeks.iter().enumerate() {
        let columns = ["isrc", "streams", "saves"];
        for [isrc, streams, saves] in rows(&week.spotify().unwrap(), columns) {
            for (metric, value) in [("streams", streams), ("saves", saves)] {
                let key = ("spotify".to_owned(), metric.to_owned(), isrc.clone());
                totals.entry(key).or_insert_with(|| vec![0.0; 10])[at] += number(&value);
            }
        }
        for platform in ["tiktok", "apple_music"] {
            let path = week.analytics.join(format!("{platform}.csv"));
            for [isrc, metric, value] in rows(&path, ["isrc", "metric", "value"]) {
                let key = (platform.to_owned(), metric, isrc);
                totals.entry(key).or_insert_with(|| vec![0.0; 10])[at] += number(&value);
            }
        }
    }
    let of = |platform: &str, metric: &str, isrc: &str| {
        totals[&(platform.to_owned(), metric.to_owned(), isrc.to_owned())].clone()
    };
    let song = planted(&weeks, "cross_platform")[0];
    let tiktok = of("tiktok", "views", song);
    let spotify = of("spotify", "streams", song);
    let apple = of("apple_music", "plays", song);
    assert!(tiktok[6] > 8.0 * tiktok[5] && spotify[6] < 1.5 * spotify[5], "first on TikTok");
    assert!(spotify[7] > 5.0 * spotify[6] && apple[7] < 1.5 * apple[6], "then on Spotify");

    let loved = planted(&weeks, "engagement_spike")[0];
    let (likes, plays) = (of("tiktok", "likes", loved), of("tiktok", "views", loved));
    assert!(likes[9] > 10.0 * likes[8] && plays[9] < 1.5 * plays[8]);
    let surges = totals.iter().filter(|(_, weeks)| weeks[9] > 3.0 * weeks[8] && weeks[8] > 0.0);
    let surging: BTreeSet<&str> = surges.map(|((.., isrc), _)| isrc.as_str()).collect();
    assert!(surging.iter().all(|isrc| *isrc == song || *isrc == loved), "{surging:?}");

    let in_conflict: BTreeSet<&str> = planted(&weeks, "rights_conflict").into_iter().collect();
    assert_eq!(in_conflict.len(), 2);
    let mut shares: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut owners: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let columns = ["platform", "isrc", "territory", "owner", "share"];
    for [platform, isrc, territory, owner, share] in rows(&weeks.weeks[9].rights, columns) {
        *shares.entry((format!("{platform} {territory}"), isrc.clone())).or_default() += number(&share);
        owners.entry(isrc).or_default().entry(platform).or_default().insert(owner);
    }
    let over = shares.iter().filter(|(_, share)| **share > 100.0).map(|((_, isrc), _)| isrc.as_str());
    let differs = |by: &BTreeMap<String, BTreeSet<String>>| by.values().collect::<BTreeSet<_>>().len() > 1;
    let disagree = owners.iter().filter(|(_, by)| differs(by)).map(|(isrc, _)| isrc.as_str());
    assert_eq!(over.chain(disagree).collect::<BTreeSet<_>>(), in_conflict);
}
