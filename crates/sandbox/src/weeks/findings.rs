//! What must be found, by what was done.

use crate::weeks::cast::{Finding, Role};
use crate::weeks::model::Asset;
use crate::weeks::plan::Plan;

/// Gathers what is to be found.
pub(super) struct Findings<'a> {
    plan: &'a Plan,
    found: Vec<Finding>,
}

/// What a finding is about: type and id.
type Subject<'a> = (&'static str, &'a str);

impl<'a> Findings<'a> {
    /// With what happens to channels and whole reports.
    pub(super) fn new(plan: &'a Plan) -> Self {
        let mut all = Self { plan, found: Vec::new() };
        if !plan.has_story {
            return all;
        }
        let story = plan.story;
        for (at, week, kind, note) in [
            (
                plan.doubled_channel(),
                story.channel_doubled,
                "channel_doubled",
                "all its videos have twice their views",
            ),
            (
                plan.absent_channel(),
                story.channel_absent,
                "channel_missing",
                "the video report has none of its rows",
            ),
        ] {
            if let Some(channel) = plan.channels.get(at) {
                all.must(week, kind, ("channel", &channel.id), note);
            }
        }
        if plan.report_faults {
            for report in ["asset report", "claim report"] {
                all.must(story.reports_doubled, "report_doubled", ("file", report), "each row stands twice");
            }
            let note = "all views are twice what they are";
            all.must(story.reports_doubled, "report_doubled", ("file", "video report"), note);
            for report in ["asset report", "claim report", "conflict report"] {
                all.may(story.reports_doubled, "duplicate_rows", ("file", report), "each row stands twice");
            }
            // Conflicts are few, and few are no measure.
            let note = "each of its few rows stands twice";
            all.may(story.reports_doubled, "report_doubled", ("file", "conflict report"), note);
            for report in ["claim report", "video report"] {
                all.must(
                    story.reports_partial,
                    "report_partial",
                    ("file", report),
                    "it breaks off after 60 %",
                );
            }
        }
        all
    }

    /// Adds what happens to an asset.
    pub(super) fn add(&mut self, asset: &Asset) {
        // The rights records know nothing of the other owner.
        for week in asset.weeks.clone().filter(|_| asset.is_track() && self.plan.has_story) {
            if asset.conflict(self.plan, week).is_some() {
                let note = "the rights records name an owner, YouTube another";
                self.may(week, "rights_conflict", ("isrc", &asset.isrc), note);
            }
        }
        let Some(role) = asset.role else { return };
        let last = self.plan.story.last;
        let (id, isrc) = (("asset", &*asset.id), ("isrc", &*asset.isrc));
        let video = ("video", asset.video.as_ref().map_or("", |video| &*video.id));
        match role {
            Role::Viral => {
                for week in [last - 1, last] {
                    let note = "14 times its views, then 28 times";
                    self.must(week, "viral", video, note);
                    self.must(week, "viral", id, note);
                    self.may(week, "views_claims_discrepancy", id, "many more views, claims as before");
                }
                for week in last - 2..=last {
                    let note =
                        "12 times on TikTok, a week later 8 times on Spotify, then 14 times on YouTube";
                    self.must(week, "cross_platform", isrc, note);
                }
                self.may(last - 3, "cross_platform", isrc, "one platform alone");
                self.may_engage(isrc);
            }
            Role::BadReference => {
                let reference = ("reference", asset.references.first().map_or("", String::as_str));
                self.must(last, "bad_reference", reference, "80 new claims, 7 to 9 in every week before");
                self.may_claim(last, id);
            }
            Role::OwnChannel => {
                for claim in asset.claims.iter().filter(|claim| claim.is_misplaced).take(1) {
                    let note = format!("12 claims of asset {} on another partner's channel", asset.id);
                    self.must(last, "own_channel_claim", ("channel", &claim.channel), &note);
                }
                self.may(last, "own_channel_claim", id, "the same, by the asset");
                self.may(
                    last,
                    "bad_reference",
                    ("reference", asset.references.first().map_or("", String::as_str)),
                    "12 new claims, none in the weeks before",
                );
                self.may_claim(last, id);
            }
            Role::ShortMatch => {
                for week in last - 1..=last {
                    self.must(
                        week,
                        "short_match",
                        id,
                        "of about 15 new claims a week 70 %, then 85 % are shorter than 10 s",
                    );
                }
                for week in last - 4..last - 1 {
                    self.may(week, "short_match", id, "15 to 50 % are short");
                }
            }
            Role::ReleaseRate => {
                self.must(last, "release_rate", id, "a fifth of its claims are released in one week");
                self.may_claim(last, id);
            }
            Role::OwnershipConflict => {
                self.must(
                    last,
                    "ownership_conflict",
                    id,
                    "Harbor Lane Music claims to own it in three countries",
                );
            }
            Role::ViewsUp => {
                self.must(
                    last,
                    "views_claims_discrepancy",
                    id,
                    "half as many views more every week for five weeks, no new claim",
                );
                for week in last - 4..last {
                    self.may(week, "views_claims_discrepancy", id, "its views rise");
                }
                for week in last - 3..=last {
                    self.may(week, "viral", video, "its views rise");
                    self.may(week, "viral", id, "its views rise");
                }
            }
            Role::ClaimsUp => {
                self.must(
                    last,
                    "views_claims_discrepancy",
                    id,
                    "34 to 60 new claims a week for five weeks, no more views",
                );
                let reference = ("reference", asset.references.first().map_or("", String::as_str));
                for week in last - 4..=last {
                    self.may_claim(week, id);
                    self.may(week, "bad_reference", reference, "many new claims");
                }
            }
            Role::ClaimsChange => {
                self.must(last, "claims_change", id, "60 claims more, one at most in every week before");
                self.may_claim(last, id);
                for reference in &asset.references {
                    self.may(last, "bad_reference", ("reference", reference), "a twelfth of the 60 claims");
                }
            }
            Role::ClaimsAhead => {
                self.must(last, "claims_ahead", id, "40 new claims, 1.6 times as many every week");
                let reference = ("reference", asset.references.first().map_or("", String::as_str));
                for week in last - 4..=last {
                    self.may_claim(week, id);
                    self.may(week, "bad_reference", reference, "many new claims");
                }
            }
            Role::RightsOver | Role::RightsDisagree => {
                let note = if role == Role::RightsOver {
                    "two owners of 60 % each in Germany besides"
                } else {
                    "another owner on Spotify than on YouTube"
                };
                for week in last - 1..=last {
                    self.must(week, "rights_conflict", isrc, note);
                }
            }
            Role::Engagement => {
                self.must(last, "engagement_spike", isrc, "15 times the likes and shares on TikTok");
            }
            Role::DisputeNear
            | Role::Appeal
            | Role::DisputeFresh
            | Role::DisputeSettled
            | Role::Potential => {
                self.add_dispute(asset, role);
            }
            Role::Mismatch => {
                for week in last - 2..=last {
                    self.must(week, "custom_id_mismatch", id, "it has the custom ID of another channel");
                }
            }
            Role::Annual | Role::Launch => {}
        }
    }

    fn add_dispute(&mut self, asset: &Asset, role: Role) {
        let last = self.plan.story.last;
        for claim in asset.claims.iter().filter(|claim| claim.dispute.is_some()) {
            let subject = ("claim", &*claim.id);
            match role {
                Role::DisputeNear => {
                    self.must(last, "dispute_deadline", subject, "disputed 27 days ago: three days are left");
                }
                Role::Appeal => {
                    self.must(
                        last,
                        "dispute_deadline",
                        subject,
                        "appealed four days ago: three days are left",
                    );
                }
                _ => {}
            }
            // It is open in every week in which the claim report says so, and is worth a word by then.
            for week in 0..=last {
                let end = self.plan.ends.get(week).copied().unwrap_or_default();
                let is_open = claim.state(week, end).is_some_and(|state| state.words().0 == "PENDING");
                if is_open && !(week == last && matches!(role, Role::DisputeNear | Role::Appeal)) {
                    self.may(week, "dispute_deadline", subject, "it is open");
                }
            }
        }
    }

    /// What more claims than usual, or fewer, may be called besides.
    fn may_claim(&mut self, week: usize, id: Subject<'_>) {
        for kind in ["claims_change", "claims_ahead", "views_claims_discrepancy"] {
            let is_there = |known: &Finding| known.kind == kind && known.subject_id == id.1;
            let monday = self.plan.mondays.get(week).copied();
            if !self.found.iter().any(|known| is_there(known) && Some(known.week) == monday) {
                self.may(week, kind, id, "its claims change");
            }
        }
    }

    /// Likes, shares and saves rise with how often a song is played.
    fn may_engage(&mut self, isrc: Subject<'_>) {
        let last = self.plan.story.last;
        for week in last - 3..=last {
            self.may(week, "engagement_spike", isrc, "it is played more");
        }
    }

    fn must(&mut self, week: usize, kind: &'static str, subject: Subject<'_>, note: &str) {
        self.push(week, kind, subject, note, false);
    }

    fn may(&mut self, week: usize, kind: &'static str, subject: Subject<'_>, note: &str) {
        self.push(week, kind, subject, note, true);
    }

    fn push(&mut self, week: usize, kind: &'static str, subject: Subject<'_>, note: &str, implied: bool) {
        let Some(monday) = self.plan.mondays.get(week).copied() else { return };
        // Nothing is found in a week without reports.
        if self.plan.missing == Some(week) {
            return;
        }
        let (subject_type, subject_id) = (subject.0, subject.1.to_owned());
        self.found.push(Finding {
            week: monday,
            kind,
            subject_type,
            subject_id,
            note: note.to_owned(),
            implied,
        });
    }

    /// All of them, by week, kind and subject.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        self.found.sort_by(|a, b| {
            (a.week, a.kind, a.implied, &a.subject_id).cmp(&(b.week, b.kind, b.implied, &b.subject_id))
        });
        self.found
    }
}
