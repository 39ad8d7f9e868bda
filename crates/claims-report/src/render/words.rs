//! The words that people read for what the digest says in names.

use dn_domain::claims::alert::{Kind, Severity, State};
use dn_domain::claims::changes::{ChangeState, Metric};
use dn_domain::claims::digest::SourceState;
use dn_domain::claims::movers::Measure;

/// A state said by word, by shape and by colour, so that none of the three is needed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Badge {
    /// The word.
    pub word: &'static str,
    /// The shape.
    pub shape: &'static str,
    /// The class of the style sheet that gives the colour.
    pub class: &'static str,
    /// The colour where there are no style sheets; dark enough on white.
    pub colour: &'static str,
}

const CRITICAL: Badge = Badge { word: "critical", shape: "◆", class: "critical", colour: "#b42318" };
const HIGH: Badge = Badge { word: "high", shape: "▲", class: "high", colour: "#8a4b00" };
const INFO: Badge = Badge { word: "to know", shape: "●", class: "info", colour: "#475467" };
const GOOD: Badge = Badge { word: "resolved", shape: "✓", class: "good", colour: "#17693a" };

/// How much a finding asks for.
pub(super) fn severity(severity: Severity, state: State) -> Badge {
    match (severity, state) {
        (_, State::Resolved) => GOOD,
        (Severity::Critical, _) => CRITICAL,
        (Severity::High, _) => HIGH,
        (Severity::Info, _) => INFO,
    }
}

/// How much a dispute asks for.
pub(super) fn dispute(is_critical: bool) -> Badge {
    if is_critical { CRITICAL } else { Badge { word: "open", ..INFO } }
}

/// What became of an input.
pub(super) fn source(state: SourceState) -> Badge {
    match state {
        SourceState::Used => Badge { word: "used", ..GOOD },
        SourceState::Missing => Badge { word: "missing", ..HIGH },
        SourceState::Refused => Badge { word: "refused, in quarantine", ..CRITICAL },
    }
}

/// Whether a finding is news.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Ongoing => "ongoing",
        State::Resolved => "resolved",
    }
}

/// How an asset's number changed, with its shape.
pub(super) fn change(state: ChangeState) -> &'static str {
    match state {
        ChangeState::New => "+ new",
        ChangeState::Gone => "× gone",
        ChangeState::Up => "▲ up",
        ChangeState::Down => "▼ down",
    }
}

/// What is compared of an asset.
pub(super) fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::ActiveClaims => "active claims",
        Metric::DailyViews => "daily views",
        Metric::DailyEngagedViews => "daily engaged views",
    }
}

/// What a trend shows: its title, and a sentence on how to read it.
pub(super) fn measure(measure: Measure) -> (&'static str, &'static str) {
    match measure {
        Measure::Views => {
            ("Views gained", "The gain of the lifetime counters of all videos over the week before.")
        }
        Measure::EngagedViews => (
            "Engaged views gained",
            "Counted apart from views, and never added to them or compared with them.",
        ),
        Measure::ActiveClaims => {
            ("Active claims", "At the end of each week, over all assets. The scale does not begin at zero.")
        }
    }
}

/// What a finding is.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Viral => "Viral",
        Kind::CrossPlatform => "Spreading across platforms",
        Kind::BadReference => "Bad reference",
        Kind::OwnChannelClaim => "Claim on an own channel",
        Kind::ShortMatch => "Short matches",
        Kind::ReleaseRate => "Claims released too often",
        Kind::OwnershipConflict => "Ownership conflict",
        Kind::ViewsClaimsDiscrepancy => "Views and claims part",
        Kind::ClaimsChange => "Unusual change of claims",
        Kind::ClaimsAhead => "Claims ahead",
        Kind::RightsConflict => "Rights conflict",
        Kind::EngagementSpike => "Engagement spike",
        Kind::DisputeDeadline => "Dispute runs out",
        Kind::DisputeRisk => "Likely dispute",
        Kind::CustomIdMismatch => "Wrong custom ID",
        Kind::ReportDoubled => "Report doubled",
        Kind::ReportPartial => "Report partial",
        Kind::ReportStale => "Report out of date",
        Kind::ReportMissing => "Report missing",
        Kind::ChannelDoubled => "Channel doubled",
        Kind::ChannelMissing => "Channel missing",
        Kind::ColumnMissing => "Column missing",
        Kind::WrongReportType => "Wrong report",
        Kind::RowsRejected => "Rows rejected",
        Kind::DuplicateRows => "Duplicate rows",
    }
}

/// A name in camel or snake case as words: `claimsExpected` as `claims expected`.
pub(super) fn from_name(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        match character {
            '_' | '.' => words.push(' '),
            'A'..='Z' => {
                if !words.is_empty() && !words.ends_with([' ', ':']) {
                    words.push(' ');
                }
                words.push(character.to_ascii_lowercase());
            }
            _ => words.push(character),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        let shown = ["claimsExpected", "short_match", "views", "impact.engagedViews"].map(from_name);
        assert_eq!(shown, ["claims expected", "short match", "views", "impact engaged views"]);
    }

    #[test]
    fn what_is_resolved_asks_for_nothing_whatever_it_was() {
        assert_eq!(severity(Severity::Critical, State::Resolved).word, "resolved");
        assert_eq!(severity(Severity::Critical, State::Ongoing).word, "critical");
    }
}
