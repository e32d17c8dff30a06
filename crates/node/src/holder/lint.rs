//! `oblink-holder lint`: what records are like before they are sealed.

use oblink_linkage::{Place, Side};
use oblink_session::limits::SESSION_TOKENS_MAX_DEFAULT;
use oblink_session::tag::Tau;
use serde_json::Map;

use crate::cli::RecordsLintArgs;
use crate::failure::Failure;
use crate::lint::{Columns, Looker, Tally, Whose, report};
use crate::pipeline::for_each_ordered;
use crate::report::Reporter;
use crate::rows::{Field, RowReader};
use crate::tokens::ruleset_by_name;

/// What a Rice-coded tag takes beside the bits that its set's size leaves of it, in bits, its share of blocks and header included: as measured.
const TAG_BITS_BESIDE: f64 = 1.6;
/// Bytes of a set beside its tags, about.
const SET_BYTES_BESIDE: f64 = 224.0;

/// Looks at the records as `seal` would, and says what was found. Nothing is sealed.
///
/// # Errors
/// Exit 3: an input that cannot be read.
pub fn lint(args: &RecordsLintArgs, reporter: &Reporter) -> Result<(), Failure> {
    let ruleset = ruleset_by_name(&args.ruleset)?;
    let mut reader = RowReader::open(&args.csv.source(), &args.csv.options())?;
    let columns = Columns::of(&reader, &args.csv.format);
    let looker = Looker::new(ruleset, Side::Holder(Place::Quiet), reader.has(Field::Id));
    let mut tally = Tally::new(Whose::Records, ruleset, false);
    let bar = reporter.bytes_bar("reading", reader.bytes_total(), reader.bytes_read());
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| Ok(looker.look(&chunk, |_, _| Ok(()))),
        |rows| {
            rows.iter().for_each(|(seen, _)| tally.add(seen));
            bar.update();
            Ok(())
        },
    )?;
    bar.finish();
    let summary = tally.finish(ruleset);
    let set_bytes = set_bytes(summary.distinct, ruleset.tokens_per_pair());
    let mean = if summary.usable == 0 { 0.0 } else { summary.tokens as f64 / summary.usable as f64 };
    let mut members = Map::new();
    members.insert("tags_about".to_owned(), summary.distinct.into());
    members.insert("set_bytes_about".to_owned(), set_bytes.into());
    let lines = vec![format!(
        "each record gives {mean:.1} tokens on average, {} at most: about {} different tags, in a sealed set of about {:.1} MB for each verifier",
        summary.tokens_most,
        summary.distinct,
        set_bytes as f64 / 1e6,
    )];
    report(Whose::Records, ruleset, &columns, &summary, (members, lines), reporter);
    Ok(())
}

/// About how large a set of so many tags is, sealed without padding; 0 where there is none.
fn set_bytes(tags: u64, tokens_per_pair: u16) -> u64 {
    let Some(tau) = Tau::for_counts(tags, SESSION_TOKENS_MAX_DEFAULT * u64::from(tokens_per_pair)) else { return 0 };
    let bits = f64::from(tau.bits()) - (tags as f64).log2() + TAG_BITS_BESIDE;
    (tags as f64 * bits / 8.0 + SET_BYTES_BESIDE).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// README's sample is sealed so.
    #[test]
    fn a_set_is_about_as_large_as_those_that_were_sealed() {
        let near = |estimate: u64, sealed: f64| (estimate as f64 / sealed - 1.0).abs() < 0.01;
        assert!(near(set_bytes(49_424, 1), 407_863.0), "{}", set_bytes(49_424, 1));
        assert_eq!(set_bytes(0, 1), 0);
    }
}
