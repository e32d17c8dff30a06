//! What the demo found, as the command contract's object and in words.

use oblink_linkage::RulesetClass;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::results::Meaning;

/// What the demo found. Times in seconds, sizes in bytes, memory in MB of 10^6 bytes.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The ruleset's name.
    pub ruleset: String,
    /// What a match under it means.
    pub class: RulesetClass,
    /// Tokens of a pair, T.
    pub tokens_per_pair: u16,
    /// Different tags of the set for each record that was sealed.
    pub tokens_per_record: f64,
    /// Rows of the verifier's file.
    pub pairs: u64,
    /// Rows of the holder's file.
    pub records: u64,
    /// Pairs that were asked; the others lack a field.
    pub submitted: u64,
    /// Matches of the plaintext join.
    pub expected_matches: u64,
    /// Matches that the verifier found.
    pub matches: u64,
    /// Rows that say match and should not.
    pub false_matches: u64,
    /// Rows that should say match and do not.
    pub missed_matches: u64,
    /// Wall time of writing the two files.
    pub generate_s: f64,
    /// Wall time of the holder's `seal`.
    pub seal_s: f64,
    /// Wall time of the verifier's `check`, reading and writing its files included.
    pub session_s: f64,
    /// Wall time of the plaintext join.
    pub join_s: f64,
    /// Processor time of `seal`, all its threads.
    pub seal_cpu_s: f64,
    /// Processor time of `check`, all its threads.
    pub verifier_cpu_s: f64,
    /// Processor time that `serve` spent while the session ran.
    pub holder_cpu_s: f64,
    /// What the verifier sent, frames with their headers.
    pub bytes_up: u64,
    /// What the verifier received, the sealed set apart.
    pub bytes_down: u64,
    /// The sealed set's file.
    pub set_bytes: u64,
    /// Most memory of `seal`.
    pub seal_peak_rss_mb: f64,
    /// Most memory of `serve`.
    pub serve_peak_rss_mb: f64,
    /// Most memory of `check`.
    pub verifier_peak_rss_mb: f64,
}

impl Outcome {
    /// That the result is the plaintext join.
    ///
    /// # Errors
    /// Exit 1 where it is not.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_exact() {
            return Ok(());
        }
        Err(Failure::bug(format!(
            "{} matches where {} were expected, {} false and {} missed: the result is not the plaintext join",
            self.matches, self.expected_matches, self.false_matches, self.missed_matches
        )))
    }

    fn is_exact(&self) -> bool {
        self.false_matches + self.missed_matches == 0 && self.matches == self.expected_matches
    }

    /// Most memory of the holder, sealing or serving.
    fn holder_peak_rss_mb(&self) -> f64 {
        self.seal_peak_rss_mb.max(self.serve_peak_rss_mb)
    }

    fn per(total: f64, count: u64) -> f64 {
        total * 1e6 / count.max(1) as f64
    }

    /// The object of the command contract.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "ruleset": self.ruleset,
            "tokens_per_pair": self.tokens_per_pair,
            "tokens_per_record": self.tokens_per_record,
            "pairs": self.pairs,
            "records": self.records,
            "submitted": self.submitted,
            "expected_matches": self.expected_matches,
            "matches": self.matches,
            "false_matches": self.false_matches,
            "missed_matches": self.missed_matches,
            "seal_s": self.seal_s,
            "session_s": self.session_s,
            "seal_cpu_us_per_record": Self::per(self.seal_cpu_s, self.records),
            "verifier_cpu_us_per_pair": Self::per(self.verifier_cpu_s, self.pairs),
            "holder_cpu_us_per_pair": Self::per(self.holder_cpu_s, self.pairs),
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "set_bytes": self.set_bytes,
            "holder_peak_rss_mb": self.holder_peak_rss_mb(),
            "verifier_peak_rss_mb": self.verifier_peak_rss_mb,
        })
    }

    /// For people: what was asked and found, what each side learned, what it cost.
    #[must_use]
    pub fn in_words(&self) -> String {
        let verdict = if self.is_exact() {
            format!("exactly the {} that a plaintext join of the two files gives", self.expected_matches)
        } else {
            format!(
                "NOT the plaintext join: {} expected, {} false, {} missed",
                self.expected_matches, self.false_matches, self.missed_matches
            )
        };
        let learned = match self.tokens_per_pair {
            1 => "one bit a pair: confirmed or not".to_owned(),
            tokens => {
                format!("one bit a pair in its results; in its memory, where it looks, which of up to {tokens} forms of a pair are held")
            }
        };
        format!(
            "
Asked     {pairs} pairs against {records} records ({left_out} rows could not be asked; results.csv says why)
Matched   {matches}: {verdict}
          under {ruleset} ({class}) a match says: {meaning}

What the verifier learned   {learned}; and the number of sealed tags
What the holder learned     that {submitted} pairs were asked, by whom, and nothing of whom they name
What an onlooker learned    that two machines exchanged {mb:.1} MB; the numbers of pairs and of records follow closely from that

Sealing   {seal_s:.1} s, {seal_us:.0} µs of processor time a record, once an epoch; the set is {set_mb:.1} MB, {per_tag:.2} bytes a record, {per_record:.1} tags a record
Session   {session_s:.1} s; verifier {verifier_us:.0} µs and holder {holder_us:.0} µs of processor time a pair; {per_pair:.1} bytes a pair both ways
Memory    holder {holder_rss:.0} MB, verifier {verifier_rss:.0} MB at most",
            ruleset = self.ruleset,
            class = self.class.as_str(),
            meaning = Meaning::of(self.class.as_str(), self.tokens_per_pair, true).matched,
            pairs = self.pairs,
            records = self.records,
            left_out = self.pairs - self.submitted,
            matches = self.matches,
            submitted = self.submitted,
            mb = (self.bytes_up + self.bytes_down + self.set_bytes) as f64 / 1e6,
            seal_s = self.seal_s,
            seal_us = Self::per(self.seal_cpu_s, self.records),
            per_record = self.tokens_per_record,
            set_mb = self.set_bytes as f64 / 1e6,
            per_tag = self.set_bytes as f64 / self.records.max(1) as f64,
            session_s = self.session_s,
            verifier_us = Self::per(self.verifier_cpu_s, self.pairs),
            holder_us = Self::per(self.holder_cpu_s, self.pairs),
            per_pair = (self.bytes_up + self.bytes_down) as f64 / self.submitted.max(1) as f64,
            holder_rss = self.holder_peak_rss_mb(),
            verifier_rss = self.verifier_peak_rss_mb,
        )
    }
}
