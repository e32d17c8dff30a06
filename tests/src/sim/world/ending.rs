//! The end of a run: everything is looked at.

use std::path::Path;

use oblink_session::statement::CertifiedKey;
use oblink_store::ledger::SessionState;

use super::{Report, World};
use crate::sim::book::{Book, BookRates};
use crate::sim::check;
use crate::sim::disk::{DiskRates, Machine};
use crate::sim::oracle::results_of;
use crate::sim::parties::{self, START};

impl World {
    /// Nothing goes wrong any more: everything is looked at.
    pub(super) fn end(mut self, events: u64) -> Report {
        let quiet = (DiskRates::default(), BookRates::default());
        self.holder_machine.set_rates(quiet.0);
        self.verifier_machines.iter().for_each(|machine| machine.set_rates(quiet.0));
        if self.ctx.oracle.violations().is_empty() {
            self.look_at_files();
        }
        if let Some(mut holder) = self.holder.take() {
            // With nobody there, nothing is kept for anybody.
            let reserved: u64 = holder.book().look().epochs().unwrap_or_default().iter().map(|row| row.reserved_tokens).sum();
            if holder.is_idle() && !holder.is_dead() && reserved > 0 {
                self.ctx.oracle.violation(format!("{reserved} evaluations are still reserved, and nobody is there"));
            }
            let (_, mut book, disk) = holder.into_parts();
            // Whatever is committed is there after a loss of power.
            book.lose_power();
            self.close_book(book, &disk, false);
        }
        if self.ctx.oracle.violations().is_empty() {
            self.look_at_the_ledger();
        }
        for standing in &self.standing {
            self.ctx.counts.add(standing.over.unwrap_or("outcome: not finished"), 1);
        }
        let mut counts = self.ctx.counts.clone();
        counts.merge(&self.ctx.network.counts);
        counts.merge(&self.holder_machine.counts());
        self.verifier_machines.iter().for_each(|machine| counts.merge(&machine.counts()));
        if let Some(shelf) = &self.shelf {
            counts.merge(&shelf.counts);
        }
        Report {
            seed: self.ctx.plan.seed,
            violations: self.ctx.oracle.violations().to_vec(),
            counts,
            events,
            virtual_ms: self.ctx.now - START,
            trace: self.ctx.trace.take().unwrap_or_default(),
        }
    }

    /// The verifiers' files after the power went on every machine.
    fn look_at_files(&mut self) {
        self.verifier_machines.iter().for_each(Machine::lose_power);
        for number in 0..self.standing.len() {
            if self.standing[number].over != Some("outcome: results exact") {
                continue;
            }
            let machine = &self.verifier_machines[self.ctx.plan.checks[number].verifier];
            if machine.peek(&Path::new(check::OUT).join(format!("results-{number}.csv")))
                != Some(results_of(&self.ctx.plan.expected(number)))
            {
                self.ctx.oracle.violation(format!("check {number} said that it was done, and its results are not on the disk"));
            }
            if machine.peek(&Path::new(check::RECEIPTS).join(format!("{number}.json"))).is_none() {
                self.ctx.oracle.violation(format!("check {number} said that it was done, and its receipt is not on the disk"));
            }
        }
    }

    fn look_at_the_ledger(&mut self) {
        let Some(mut shelf) = self.shelf.take() else { return };
        shelf.rates = BookRates::default();
        let path = shelf.path();
        let clock = self.ctx.holder_clock();
        let mut book = match shelf.open(std::mem::take(&mut self.charges), true, clock) {
            Ok(book) => book,
            Err((shelf, error)) => {
                self.shelf = Some(*shelf);
                return self.ctx.oracle.violation(format!("the ledger cannot be opened: {error}"));
            }
        };
        book.charges.reread(&path);
        book.charges.take_wrong().into_iter().for_each(|what| self.ctx.oracle.violation(what));
        let (key, fingerprint) = parties::holder();
        let key = CertifiedKey::check(key.certificate(), &fingerprint).unwrap();
        if let Err(error) = book.look().verify(&key, &fingerprint, &[]) {
            self.ctx.oracle.violation(format!("the ledger does not verify: {error}"));
        }
        let reserved: u64 = book.look().epochs().unwrap_or_default().iter().map(|row| row.reserved_tokens).sum();
        if reserved > 0 {
            self.ctx.oracle.violation(format!("{reserved} evaluations are still reserved after a restart"));
        }
        let mut finished = 0;
        for number in 0..self.standing.len() {
            let done = self.standing[number].over == Some("outcome: results exact");
            finished += usize::from(done);
            for drawn in 0..self.ctx.requests[number] {
                let of_it = self.ctx.oracle.has_results_of(number, &self.ctx.plan.request(number, drawn).0);
                self.look_at_a_session(&book, number, drawn, done && of_it);
            }
        }
        if finished == 0 && self.ctx.plan.operations.is_empty() && self.standing.iter().all(|standing| standing.over.is_some()) {
            self.ctx.oracle.violation("of all that asked, nobody got results".to_owned());
        }
        if book.charges.tokens() > self.ctx.plan.evaluations_max * self.ctx.plan.verifiers as u64 * 2 {
            let epochs: Vec<_> = book.look().epochs().unwrap_or_default().iter().map(|row| (row.charged_tokens, row.sessions)).collect();
            self.ctx
                .oracle
                .violation(format!("more is charged than the epochs allow: {epochs:?} of {} each", self.ctx.plan.evaluations_max));
        }
        self.ctx.counts.add("batches sent again, free", book.charges.repeats());
        let (shelf, charges) = book.close(true);
        (self.shelf, self.charges) = (Some(shelf), charges);
    }

    fn look_at_a_session(&mut self, book: &Book, number: usize, drawn: u32, done: bool) {
        let (request, _) = self.ctx.plan.request(number, drawn);
        let Some(session) = self.ctx.oracle.session_of(&request) else {
            if done {
                self.ctx.oracle.violation(format!("check {number} has results without a session"));
            }
            return;
        };
        let heard_closed = self.ctx.oracle.heard_closed(number);
        let finished = self.standing[number].over == Some("outcome: results exact");
        let mut wrong = |what: &str| self.ctx.oracle.violation(format!("check {number}, request {drawn}: {what}"));
        let Ok(Some(row)) = book.look().session(&session) else {
            return if done {
                wrong("its session is not in the ledger")
            };
        };
        let (tokens, batches) = book.charges.of_session(&session);
        if (row.charged_tokens, row.charged_batches) != (tokens, batches) || tokens > row.tokens {
            wrong("its account and its charges differ");
        }
        if !done {
            // What an operator began anew because its epoch had ended stays charged; nothing else is ever charged in vain.
            if tokens > 0 && finished && self.ctx.plan.operations.is_empty() {
                wrong("its list has results of another session, and it was charged all the same");
            }
            return;
        }
        if (row.tokens, row.batches) != (request.tokens(), request.batches()) || (tokens, batches) != (request.tokens(), request.batches())
        {
            wrong("it is not charged for exactly its batches, once");
        }
        if row.state != SessionState::Complete {
            wrong("it has results, and its session is not complete");
        }
        let verifier = &self.verifier_machines[self.ctx.plan.checks[number].verifier];
        let kept = verifier.peek(&Path::new(check::RECEIPTS).join(format!("{number}.json"))).unwrap_or_default();
        let kept = String::from_utf8(kept).ok().and_then(|json| oblink_session::receipt::Receipt::from_json(&json).ok());
        let Ok(Some(receipt)) = book.look().receipt(&session) else { return wrong("its receipt is not in the ledger") };
        match kept {
            None => wrong("its receipt is not one"),
            Some(kept) if kept.body != receipt.body || kept.holder_signature != receipt.holder_signature => {
                wrong("the two sides have different receipts");
            }
            Some(_) => {}
        }
        if heard_closed && !row.acknowledged {
            wrong("Closed was said, and the verifier's signature is not in the ledger");
        }
    }
}
