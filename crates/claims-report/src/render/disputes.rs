//! `disputes.csv`: the queue for people's spreadsheets.

use std::fmt::Display;

use anyhow::Context as _;
use dn_domain::claims::changes::neutral;
use dn_domain::claims::digest::Dispute;

/// The columns of `disputes.csv`.
const COLUMNS: [&str; 13] = [
    "claim_id",
    "asset_id",
    "video_id",
    "status",
    "deadline",
    "days_left",
    "estimate",
    "critical",
    "value_at_risk",
    "risk",
    "reasons",
    "action",
    "link",
];

/// The queue in its working order. Several reasons stand in one cell, parted by `|`.
pub(super) fn csv(disputes: &[Dispute]) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(COLUMNS)?;
    for dispute in disputes {
        // Digits alone after a minus sign are a number and no formula.
        csv.write_record([
            neutral(dispute.claim_id.as_str()),
            neutral(&shown(dispute.asset_id.as_ref())),
            neutral(&shown(dispute.video_id.as_ref())),
            neutral(&dispute.status),
            shown(dispute.deadline),
            shown(dispute.days_left),
            yes_no(dispute.estimate).to_owned(),
            yes_no(dispute.critical).to_owned(),
            shown(dispute.value_at_risk),
            shown(dispute.risk),
            neutral(&dispute.reasons.join("|")),
            neutral(&dispute.action),
            neutral(&dispute.link),
        ])?;
    }
    csv.into_inner().context("disputes.csv")
}

/// A value as text, nothing where there is none.
fn shown(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A truth as a sheet says it.
pub(super) fn yes_no(truth: bool) -> &'static str {
    if truth { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v15_the_sheet_of_disputes_is_these_bytes_and_nothing_in_it_is_evaluated() {
        let full = Dispute {
            claim_id: "claim_1".parse().unwrap(),
            asset_id: Some("A000000000000001".parse().unwrap()),
            video_id: Some("-bcdefghijk".parse().unwrap()),
            status: "appealed".to_owned(),
            deadline: Some("2026-11-20".parse().unwrap()),
            days_left: Some(-3),
            estimate: true,
            critical: true,
            value_at_risk: Some("1234.56".parse().unwrap()),
            risk: Some("0.65".parse().unwrap()),
            reasons: vec!["=short_match".to_owned(), "block, policy".to_owned()],
            action: "@release\nit".to_owned(),
            link: "https://studio.youtube.com/video/-bcdefghijk".to_owned(),
        };
        let bare = Dispute {
            asset_id: None,
            video_id: None,
            deadline: None,
            days_left: None,
            estimate: false,
            critical: false,
            value_at_risk: None,
            risk: None,
            reasons: Vec::new(),
            ..full.clone()
        };
        let written = String::from_utf8(csv(&[full, bare]).unwrap()).unwrap();
        assert_eq!(
            written,
            "claim_id,asset_id,video_id,status,deadline,days_left,estimate,critical,value_at_risk,risk,reasons,action,link\n\
             claim_1,A000000000000001,'-bcdefghijk,appealed,2026-11-20,-3,yes,yes,1234.56,0.65,\"'=short_match|block, policy\",\"'@release\nit\",https://studio.youtube.com/video/-bcdefghijk\n\
             claim_1,,,appealed,,,no,no,,,,\"'@release\nit\",https://studio.youtube.com/video/-bcdefghijk\n"
        );
    }
}
