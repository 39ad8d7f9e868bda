//! The new weights as the file that a run takes.

use std::fmt::Write as _;

use super::{Counts, Fitted, HeldOut};
use crate::claims::risk::weights::Sign;

/// The table as TOML, with what speaks for it.
pub fn table(fitted: &Fitted) -> String {
    let Counts { disputed, kept } = fitted.counts;
    let mut text = format!(
        "# Weights fitted anew to {} claims twelve weeks after they were noted: {disputed} disputed, {kept} not.\n",
        fitted.counts.all()
    );
    let verdict = match &fitted.held_out {
        None => "They could not be tried on newer weeks yet: not recommended.".to_owned(),
        Some(held_out) => verdict(held_out),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# {verdict}");
    let base = fitted.weights.base();
    let _ = writeln!(text, "\n[base]\n# As they were: nothing was learnt of them.");
    let _ = writeln!(text, "automatic = {:?}\nmanual = {:?}\n\n[weights]", base.automatic, base.manual);
    for (sign, learnt) in Sign::ALL.into_iter().zip(&fitted.signs) {
        let Counts { disputed, .. } = learnt.counts;
        let all = learnt.counts.all();
        let _ = writeln!(
            text,
            "# {disputed} of {all} claims disputed; it was {:?}, ± {:.2}.",
            learnt.before, learnt.error
        );
        let _ = writeln!(text, "{} = {:?}", sign.name(), learnt.now);
    }
    text
}

fn verdict(held_out: &HeldOut) -> String {
    let HeldOut { from, present, fitted, .. } = held_out;
    let verdict = if held_out.is_better() { "recommended" } else { "not recommended" };
    format!(
        "On claims noted from {from} on their log loss is {:.5}, that of the table in use {:.5}: {verdict}.",
        fitted.log_loss, present.log_loss
    )
}
