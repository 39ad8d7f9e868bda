//! `backtest`'s other half: the weights of the dispute risk, fitted anew to what became of the claims that were noted.
//!
//! Nothing is ever applied: what is written is a candidate for `--dispute-weights`, and the answer says whether it did
//! better on weeks that it had not seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dn_domain::claims::risk::refit::{
    Counts, Fitted, HeldOut, LEAST_OF_EACH, LEAST_OUTCOMES, Rate, Refit, Score, refit, table,
};
use dn_domain::claims::risk::{Fate, Sign, Weights};
use dn_domain::printable::printable;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::history::{Fates, History};

/// What was learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Relearnt {
    /// What became of the claims that were noted.
    pub fates: BTreeMap<Fate, usize>,
    /// The weights, or that there is too little.
    pub refit: Refit,
    /// Where the new table was written, if it was asked for and there is one.
    pub weights_out: Option<PathBuf>,
    /// Whether it was asked for.
    pub is_asked: bool,
}

/// Learns from the history, and writes the new table where it is asked for.
pub(crate) async fn relearn(
    history: &History,
    present: Weights,
    to: Option<&Path>,
) -> anyhow::Result<Relearnt> {
    let Fates { outcomes, counts } = history.fates().await?;
    let refit = tokio::task::spawn_blocking(move || refit(&outcomes, &present)).await?;
    let weights_out = match (&refit, to) {
        (Refit::Fitted(fitted), Some(to)) => {
            write(to, &table(fitted)).with_context(|| format!("{} could not be written", to.display()))?;
            Some(to.to_owned())
        }
        _ => None,
    };
    Ok(Relearnt { fates: counts, refit, weights_out, is_asked: to.is_some() })
}

/// Writes the file whole or not at all.
fn write(to: &Path, text: &str) -> anyhow::Result<()> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(to).map_err(|error| error.error)?;
    Ok(())
}

/// The fates, in the order in which they are told.
const FATES: [(Fate, &str, &str); 6] = [
    (Fate::Disputed, "disputed", "disputed"),
    (Fate::Kept, "kept", "not disputed"),
    (Fate::Released, "released", "released"),
    (Fate::Gone, "gone", "gone from the reports"),
    (Fate::Open, "open", "not twelve weeks old"),
    (Fate::Overlooked, "overlooked", "not looked after for weeks"),
];

impl Relearnt {
    fn count(&self, fate: Fate) -> usize {
        self.fates.get(&fate).copied().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        let fates: serde_json::Map<String, Value> =
            FATES.iter().map(|(fate, name, _)| ((*name).to_owned(), self.count(*fate).into())).collect();
        let mut learnt = match &self.refit {
            Refit::TooFew(counts) => {
                let missing = missing(*counts);
                json!({
                    "isFitted": false,
                    "missing": {"outcomes": missing.outcomes, "disputed": missing.disputed, "kept": missing.kept},
                })
            }
            Refit::Fitted(fitted) => fitted_json(fitted),
        };
        learnt["fates"] = fates.into();
        learnt["weightsOut"] = json!(self.weights_out.as_ref().map(|path| path.display().to_string()));
        learnt
    }

    pub(crate) fn text(&self) -> String {
        let noted: usize = self.fates.values().sum();
        let told = FATES.iter().filter(|(fate, ..)| self.count(*fate) > 0);
        let told: Vec<String> =
            told.map(|(fate, _, words)| format!("{} {words}", self.count(*fate))).collect();
        // Writing to a String cannot fail.
        let mut text = format!("dispute weights: {noted} claims noted");
        let _ = match told.as_slice() {
            [] => writeln!(text),
            told => writeln!(text, ": {}", told.join(", ")),
        };
        match &self.refit {
            Refit::TooFew(counts) => {
                let Missing { outcomes, disputed, kept } = missing(*counts);
                let _ = writeln!(
                    text,
                    "  too few to fit weights to: {LEAST_OUTCOMES} outcomes are needed, {LEAST_OF_EACH} of them disputed \
                     and {LEAST_OF_EACH} not; {outcomes}, {disputed} and {kept} are missing"
                );
            }
            Refit::Fitted(fitted) => fitted_text(&mut text, fitted),
        }
        match (&self.weights_out, self.is_asked) {
            (Some(path), _) => {
                let path = path.display().to_string();
                let _ = writeln!(text, "  weights: {}", printable(path.as_bytes()));
            }
            (None, true) => text.push_str("  no weights were written\n"),
            (None, false) => {}
        }
        text
    }
}

/// What is missing before weights can be fitted.
struct Missing {
    outcomes: usize,
    disputed: usize,
    kept: usize,
}

fn missing(counts: Counts) -> Missing {
    Missing {
        outcomes: LEAST_OUTCOMES.saturating_sub(counts.all()),
        disputed: LEAST_OF_EACH.saturating_sub(counts.disputed),
        kept: LEAST_OF_EACH.saturating_sub(counts.kept),
    }
}

fn fitted_json(fitted: &Fitted) -> Value {
    let weights = Sign::ALL.iter().zip(&fitted.signs).map(|(sign, learnt)| {
        json!({
            "reason": sign.name(), "before": learnt.before, "now": learnt.now, "error": short(learnt.error),
            "outcomes": learnt.counts.all(), "disputed": learnt.counts.disputed,
        })
    });
    let rate = |rate: Rate| json!({"claims": rate.counts.all(), "disputed": rate.counts.disputed, "expected": short(rate.expected)});
    json!({
        "isFitted": true,
        "isRecommended": fitted.is_recommended(),
        "weights": weights.collect::<Vec<_>>(),
        "drawn": {"automatic": rate(fitted.drawn.automatic), "manual": rate(fitted.drawn.manual)},
        "heldOut": fitted.held_out.as_ref().map(held_out_json),
    })
}

fn held_out_json(held_out: &HeldOut) -> Value {
    let counts = |counts: Counts| json!({"claims": counts.all(), "disputed": counts.disputed});
    let score = |score: &Score| {
        let tenths = score.tenths.iter().map(|tenth| {
            json!({
                "claims": tenth.counts.all(), "disputed": tenth.counts.disputed,
                "predicted": short(tenth.predicted),
            })
        });
        json!({
            "logLoss": short(score.log_loss), "brier": short(score.brier), "tenths": tenths.collect::<Vec<_>>(),
        })
    };
    json!({
        "from": held_out.from,
        "older": counts(held_out.older),
        "newer": counts(held_out.newer),
        "present": score(&held_out.present),
        "fitted": score(&held_out.fitted),
        "gain": short(held_out.gain),
        "gainError": short(held_out.error),
    })
}

/// A number with six places: more of them say nothing.
fn short(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn fitted_text(text: &mut String, fitted: &Fitted) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "  {:<20} {:>8} {:>8} {:>7} {:>8} {:>8}",
        "reason", "in use", "new", "±", "claims", "disputed"
    );
    for (sign, learnt) in Sign::ALL.iter().zip(&fitted.signs) {
        let _ = writeln!(
            text,
            "  {:<20} {:>8.2} {:>8.2} {:>7.2} {:>8} {:>8}",
            sign.name(),
            learnt.before,
            learnt.now,
            learnt.error,
            learnt.counts.all(),
            learnt.counts.disputed
        );
    }
    for (name, Rate { counts, expected }) in
        [("automatic", fitted.drawn.automatic), ("manual", fitted.drawn.manual)]
    {
        if counts.all() == 0 {
            continue;
        }
        let _ = writeln!(
            text,
            "  of {} {name} claims drawn by lot {} were disputed; the table in use says {expected:.1}",
            counts.all(),
            counts.disputed
        );
    }
    let Some(held_out) = &fitted.held_out else {
        text.push_str("  the new weights are not recommended: no newer weeks to try them on yet\n");
        return;
    };
    let _ = writeln!(
        text,
        "  fitted to {} older claims ({} disputed) and tried on {} noted from {} on ({} disputed):",
        held_out.older.all(),
        held_out.older.disputed,
        held_out.newer.all(),
        held_out.from,
        held_out.newer.disputed
    );
    for (name, score) in [("in use", &held_out.present), ("new", &held_out.fitted)] {
        let _ = writeln!(text, "  {name:<7} log loss {:.5}, Brier {:.5}", score.log_loss, score.brier);
    }
    let _ = writeln!(text, "  {:>15} {:>9} {:>9}", "claims by tenth", "new says", "disputed");
    for tenth in &held_out.fitted.tenths {
        let all = tenth.counts.all();
        let seen = tenth.counts.disputed as f64 / all.max(1) as f64;
        let _ = writeln!(text, "  {all:>15} {:>7.2} % {:>7.2} %", tenth.predicted * 100.0, seen * 100.0);
    }
    let verdict = if held_out.is_better() { "recommended" } else { "not recommended" };
    let _ = writeln!(
        text,
        "  the new weights are {verdict}: the loss is {:.5} less, ± {:.5}",
        held_out.gain, held_out.error
    );
}
