//! One asset with its videos and claims, as it follows from the seed and the asset's number.

use crate::weeks::cast::{CAST, Role};
use crate::weeks::claim::Claim;
use crate::weeks::dice::{Dice, count};
use crate::weeks::plan::{CHANNELS_APART, Plan};
use crate::weeks::series::{Series, Shape};
use crate::world::titles::{ENDINGS, HOSTILE_TITLES, OPENINGS};

/// The asset from which on each has one of the hostile titles.
const FIRST_HOSTILE: u64 = 60;
/// Channels of people who use the music.
const STRANGERS: u64 = 4_000;

/// An asset.
pub(super) struct Asset {
    pub number: u64,
    pub role: Option<Role>,
    pub id: String,
    pub title: Vec<u8>,
    pub artist: String,
    pub isrc: String,
    pub upc: String,
    pub kind: &'static str,
    /// Its references, each claim names one.
    pub references: Vec<String>,
    /// The partner channel whose it is.
    pub channel: usize,
    /// The weeks in which it is in the reports.
    pub weeks: std::ops::Range<usize>,
    /// The partner's own video; a few assets have none.
    pub video: Option<Video>,
    pub claims: Vec<Claim>,
}

/// A partner's video.
pub(super) struct Video {
    pub id: String,
    pub seconds: u64,
    pub series: Series,
}

/// A channel of somebody who uses the music: id and name.
pub(super) fn stranger(plan: &Plan, number: u64) -> (String, String) {
    let id = format!("UC{}", Dice::at(plan.seed, &[2, number]).letters(22));
    (id, format!("Somebody's channel {number}"))
}

impl Asset {
    /// The asset of this number.
    pub(super) fn make(plan: &Plan, number: u64) -> Self {
        let mut dice = Dice::at(plan.seed, &[1, number]);
        let role = plan.role(number);
        let last = plan.story.last;
        let mut weeks = 0..plan.weeks;
        match role {
            Some(Role::Launch) => weeks.start = plan.weeks / 2,
            None if dice.chance(0.03) => weeks.start = usize_below(&mut dice, plan.weeks),
            None if dice.chance(0.006) => weeks.end = 1 + usize_below(&mut dice, plan.weeks),
            Some(_) | None => {}
        }
        let references = if role == Some(Role::ClaimsChange) { 12 } else { 1 };
        let kind = if dice.chance(0.8) { "SOUND_RECORDING" } else { "MUSIC_VIDEO" };
        let mut asset = Self {
            number,
            role,
            id: id_of(plan, number),
            title: title(&mut dice, number, role),
            artist: format!("Artist {}", number % (plan.assets / 3).max(1)),
            isrc: isrc(number),
            upc: format!("{:012}", 600_000_000_000 + number),
            kind,
            references: (0..references).map(|_| dice.letters(11)).collect(),
            channel: plan.channel_of(number),
            weeks,
            video: None,
            claims: Vec::new(),
        };
        // A few are known by their claims alone.
        if role.is_some() || !dice.chance(0.05) {
            asset.video = Some(asset.make_video(&mut dice, last));
        }
        asset.make_claims(plan, &mut dice);
        asset
    }

    fn make_video(&self, dice: &mut Dice, last: usize) -> Video {
        let rank = 0.002 + 0.998 * dice.unit();
        let base = match self.role {
            // Twenty times as many as that in its first week.
            Some(Role::Launch) => 300.0,
            Some(_) => 2_000.0 + 1_500.0 * dice.unit(),
            None => 30.0 / rank.powf(0.9),
        };
        let age_weeks = 40.0 + 160.0 * dice.unit();
        let is_new = self.weeks.start > 0;
        let shape = match self.role {
            Some(Role::Viral) => Shape::Surge(last.saturating_sub(1), 14.0),
            Some(Role::ViewsUp) => Shape::Rise(last.saturating_sub(4), 1.5),
            Some(Role::Annual) => Shape::Growth(1.1),
            _ if is_new => Shape::Launch,
            None if dice.chance(0.05) => Shape::Growth(1.03),
            _ => Shape::Steady,
        };
        let (views, from) = if is_new {
            (0, i64::try_from(self.weeks.start).unwrap_or_default())
        } else {
            (count(base * age_weeks), -i64::try_from(count(age_weeks)).unwrap_or_default())
        };
        let engaged = 0.55 + 0.35 * dice.unit();
        let series = Series { key: dice.number(), views, base, engaged, shape, from };
        Video { id: dice.letters(11), seconds: 120 + dice.below(240), series }
    }

    fn make_claims(&mut self, plan: &Plan, dice: &mut Dice) {
        let mean = plan.claims_per_asset.max(1);
        let old = match self.role {
            Some(Role::BadReference | Role::ShortMatch | Role::ClaimsUp) => 100,
            Some(Role::ReleaseRate | Role::ClaimsChange) => 150,
            Some(_) => 30,
            // From a half to one and a half of the mean, the upload's claim among them.
            None => mean / 2 + dice.below(mean + 1),
        };
        if self.video.is_some() {
            self.add_claim(plan, dice, i64::MIN, true);
        }
        // Some of other people's videos that the claims lie on are in the video report too.
        let listed = match plan.videos_per_asset.saturating_sub(1) {
            0 => 0,
            others => others / 2 + dice.below(others + 1),
        };
        let is_new = self.weeks.start > 0;
        for number in 0..old.saturating_sub(1).max(listed) {
            let created = if is_new {
                i64::try_from(self.weeks.start).unwrap_or_default()
            } else {
                -1 - i64::try_from(dice.below(100)).unwrap_or_default()
            };
            self.add_claim(plan, dice, created, false);
            if let Some(claim) = self.claims.last_mut() {
                claim.is_listed = number < listed;
            }
        }
        let rate = old as f64 * 0.012;
        for week in self.weeks.start.max(1)..self.weeks.end {
            for _ in 0..self.new_claims(plan, dice, week, rate) {
                let created = i64::try_from(week).unwrap_or_default();
                self.add_claim(plan, dice, created, false);
                self.cast_claim(plan, dice, week);
            }
        }
        self.cast_old_claims(plan, dice);
    }

    /// How many claims a week brings.
    fn new_claims(&self, plan: &Plan, dice: &mut Dice, week: usize, rate: f64) -> u64 {
        // Weeks before the last one.
        let before = plan.story.last.saturating_sub(week);
        let growing = |at_last: f64, factor: f64| count(at_last * factor.powf(-(before as f64)));
        match self.role {
            Some(Role::BadReference) => {
                if before == 0 {
                    80
                } else {
                    7 + dice.below(3)
                }
            }
            Some(Role::OwnChannel) => {
                if before == 0 {
                    12
                } else {
                    0
                }
            }
            Some(Role::ShortMatch) => 14 + dice.below(3),
            Some(Role::ViewsUp | Role::ReleaseRate) => 0,
            Some(Role::ClaimsUp) => {
                if before <= 4 {
                    growing(60.0, 1.15)
                } else {
                    dice.below(2)
                }
            }
            Some(Role::ClaimsChange) => {
                if before == 0 {
                    60
                } else {
                    dice.below(2)
                }
            }
            Some(Role::ClaimsAhead) => growing(40.0, 1.6),
            _ => {
                let whole = rate.floor();
                count(whole) + u64::from(dice.chance(rate - whole))
            }
        }
    }

    /// What is special about a claim that was just made in a week.
    fn cast_claim(&mut self, plan: &Plan, dice: &mut Dice, week: usize) {
        let before = plan.story.last.saturating_sub(week);
        let Some(claim) = self.claims.last_mut() else { return };
        match self.role {
            Some(Role::ShortMatch) => {
                let share = [0.85, 0.7, 0.5, 0.3, 0.15].get(before).copied().unwrap_or(0.04);
                claim.match_seconds =
                    if dice.chance(share) { 3 + dice.below(6) } else { 30 + dice.below(90) };
            }
            // Videos that hardly anybody watches: its views stay as they are.
            Some(Role::ClaimsUp) => claim.series.base = 1.0,
            Some(Role::OwnChannel) if before == 0 => {
                // Another partner's channel, none to which something else happens.
                let channel = (self.channel + 1) % plan.channels.len().saturating_sub(CHANNELS_APART).max(1);
                if let Some(channel) = plan.channels.get(channel) {
                    claim.channel.clone_from(&channel.id);
                    claim.channel_name.clone_from(&channel.name);
                    claim.is_misplaced = true;
                }
            }
            _ => {}
        }
    }

    /// What becomes of claims that were there from the first week on.
    fn cast_old_claims(&mut self, plan: &Plan, dice: &mut Dice) {
        let last = plan.story.last;
        if self.role == Some(Role::ReleaseRate) {
            for claim in self.claims.iter_mut().filter(|claim| !claim.is_upload).step_by(5) {
                claim.released = Some(last);
            }
        }
        let Some(dispute) = self.role.and_then(|role| plan.dispute(role, dice)) else { return };
        if let Some(claim) = self.claims.iter_mut().find(|claim| !claim.is_upload) {
            claim.dispute = Some(dispute);
            claim.released = dispute.settled;
        }
    }

    fn add_claim(&mut self, plan: &Plan, dice: &mut Dice, created: i64, is_upload: bool) {
        let number = dice.below(STRANGERS);
        let ((channel, channel_name), title, video, series) = match &self.video {
            Some(video) if is_upload => {
                let channel = plan.channels.get(self.channel);
                let names = channel.map(|one| (one.id.clone(), one.name.clone())).unwrap_or_default();
                (names, self.title.clone(), video.id.clone(), video.series.clone())
            }
            _ => {
                let rank = 0.01 + 0.99 * dice.unit();
                let base = 4.0 / rank.powf(0.7);
                let age = (-created).max(0) as f64;
                let series = Series {
                    key: dice.number(),
                    views: count(base * age),
                    base,
                    engaged: 0.5 + 0.4 * dice.unit(),
                    shape: Shape::Young,
                    from: created,
                };
                (stranger(plan, number), title_of_other(dice), dice.letters(11), series)
            }
        };
        let created = if is_upload { series.from } else { created };
        // Three in a thousand claims a week are released; what happens to the cast is told.
        let weeks = self.weeks.clone();
        let released = self
            .role
            .is_none()
            .then(|| weeks.skip(1).find(|_| dice.chance(0.003)))
            .flatten()
            .filter(|week| !is_upload && i64::try_from(*week).is_ok_and(|week| week > created));
        let video_seconds =
            self.video.as_ref().filter(|_| is_upload).map_or(15 + dice.below(600), |own| own.seconds);
        let match_seconds = if dice.chance(0.04) { 3 + dice.below(6) } else { 10 + dice.below(170) };
        self.claims.push(Claim {
            id: dice.letters(16),
            video,
            channel,
            channel_name,
            title,
            is_upload,
            is_listed: is_upload,
            is_misplaced: false,
            created,
            released,
            dispute: None,
            reference: usize::try_from(dice.below(self.references.len() as u64)).unwrap_or_default(),
            match_seconds: if is_upload { video_seconds } else { match_seconds.min(video_seconds) },
            video_seconds,
            is_short: video_seconds < 60,
            series,
        });
    }

    /// The custom ID that the reports give in a week.
    pub(super) fn custom_id<'a>(&self, plan: &'a Plan, week: usize) -> &'a str {
        let wrong = self.role == Some(Role::Mismatch) && week + 2 >= plan.story.last;
        let channel = if wrong { (self.channel + 1) % plan.channels.len() } else { self.channel };
        plan.channels.get(channel).map_or("", |channel| &channel.custom_id)
    }

    /// Whether somebody else claims to own it: who, and where.
    pub(super) fn conflict(&self, plan: &Plan, week: usize) -> Option<(&'static str, &'static str)> {
        match self.role {
            Some(Role::OwnershipConflict) => {
                (week >= plan.story.last).then_some(("Harbor Lane Music", "US|CA|MX"))
            }
            Some(_) => None,
            None => (self.number % 97 == CAST.len() as u64 + 5).then_some(("Old Mill Rights", "FR")),
        }
    }

    /// Whether platform files and rights records have it.
    pub(super) fn is_track(&self) -> bool {
        self.role.is_some() || self.number.is_multiple_of(8)
    }
}

fn usize_below(dice: &mut Dice, count: usize) -> usize {
    usize::try_from(dice.below(count as u64)).unwrap_or_default()
}

/// The id of an asset: mostly of the new kind, some of the old, one of these beginning with a hyphen.
fn id_of(plan: &Plan, number: u64) -> String {
    if number % 40 == 31 {
        let id = Dice::at(plan.seed, &[3, number]).letters(11);
        return if number == 31 { format!("-{}", &id[1..]) } else { id };
    }
    // A prime without a common factor with the range: no two numbers have one id.
    let spread = u128::from(number) * 61_803_398_874_989 % 100_000_000_000_000;
    format!("A2{spread:014}")
}

fn isrc(number: u64) -> String {
    let series = u8::try_from(number / 100_000 % 26).unwrap_or_default();
    format!("QZDN{}26{:05}", char::from(b'A' + series), number % 100_000)
}

/// A title: each of the hostile ones stands once for certain, and now and then by chance.
fn title(dice: &mut Dice, number: u64, role: Option<Role>) -> Vec<u8> {
    let chance = usize::try_from(dice.below(40 * HOSTILE_TITLES.len() as u64)).unwrap_or_default();
    let certain = number.checked_sub(FIRST_HOSTILE).and_then(|at| usize::try_from(at).ok());
    let hostile = certain.and_then(|at| HOSTILE_TITLES.get(at)).or_else(|| HOSTILE_TITLES.get(chance));
    if let Some(hostile) = hostile.filter(|_| role.is_none()) {
        return hostile.to_vec();
    }
    let word = |words: &[&'static str], at: usize| words.get(at % words.len()).copied().unwrap_or_default();
    format!("{} {} #{number}", word(&OPENINGS, chance), word(&ENDINGS, chance / OPENINGS.len())).into_bytes()
}

fn title_of_other(dice: &mut Dice) -> Vec<u8> {
    let number = dice.below(1_000_000);
    title(dice, number, None)
}
