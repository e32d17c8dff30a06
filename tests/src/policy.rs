//! A policy in the making, and how it comes into force.

use std::path::{Path, PathBuf};

use crate::call::Ended;
use crate::officials::{Cast, Official, POLICY};
use crate::{Agencies, Party};

/// What a policy says of one verifier; every member is as `policy.toml` has it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "SPEC POL-1 has them")]
pub struct VerifierRules {
    pub fingerprint: String,
    pub name: String,
    pub officials: Vec<String>,
    pub signatures_min: u32,
    pub user_presence: bool,
    pub rulesets: Vec<String>,
    pub classes: Vec<String>,
    pub pairs_per_request_max: u64,
    pub tokens_per_request_max: u64,
    pub validity_days_max: u32,
    pub required_fields: Vec<String>,
    pub required_columns: Vec<String>,
    pub order_age_days_max: u32,
    pub addresses_per_person_max: u32,
    pub set_age_days_max: u32,
    pub disclosure: Vec<String>,
    /// days, requests, pairs, tokens
    pub window: [u64; 4],
    /// requests, pairs, tokens
    pub epoch: [u64; 3],
}

/// A policy in the making: what tests need is allowed, two of three officials sign on each side, nobody countersigns.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "SPEC POL-1 has them")]
pub struct Rules {
    pub holder_officials: Vec<String>,
    pub policy_signatures_min: u32,
    pub countersignatures_min: u32,
    pub holder_user_presence: bool,
    pub epoch_days_max: u32,
    pub evaluations_max: u64,
    pub keep_key_days: u32,
    pub grace_seconds: u32,
    pub verifiers: Vec<VerifierRules>,
    /// The file of allowed signers.
    pub allowed_signers: String,
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "))
}

fn names(officials: &[Official]) -> Vec<String> {
    officials.iter().map(|official| official.principal.clone()).collect()
}

impl VerifierRules {
    /// Rules for a verifier.
    #[must_use]
    pub fn new(verifier: &Party, officials: &[Official]) -> Self {
        Self {
            fingerprint: verifier.fingerprint.clone(),
            name: "Agency".to_owned(),
            officials: names(officials),
            signatures_min: 2,
            user_presence: false,
            rulesets: vec!["us-exact-1".to_owned()],
            classes: vec!["confirm-address".to_owned()],
            pairs_per_request_max: 1_000_000,
            tokens_per_request_max: 1_000_000,
            validity_days_max: 31,
            required_fields: Vec::new(),
            required_columns: Vec::new(),
            order_age_days_max: 0,
            addresses_per_person_max: 0,
            set_age_days_max: 0,
            disclosure: ["none", "count", "matched_tags"].map(str::to_owned).to_vec(),
            window: [30, 1_000, 10_000_000, 10_000_000],
            epoch: [1_000, 10_000_000, 10_000_000],
        }
    }
}

impl Rules {
    /// Rules under which this cast's requests are admitted.
    #[must_use]
    pub fn new(cast: &Cast, verifier: &Party) -> Self {
        Self {
            holder_officials: names(&cast.holding),
            policy_signatures_min: 2,
            countersignatures_min: 0,
            holder_user_presence: false,
            epoch_days_max: 90,
            evaluations_max: 1 << 24,
            keep_key_days: 0,
            grace_seconds: 0,
            verifiers: vec![VerifierRules::new(verifier, &cast.asking)],
            allowed_signers: cast.lines(),
        }
    }

    /// The first verifier's.
    pub fn verifier(&mut self) -> &mut VerifierRules {
        &mut self.verifiers[0]
    }

    /// policy.toml.
    #[must_use]
    pub fn toml(&self) -> String {
        let mut text = format!(
            "format = \"oblink/policy/1\"\n\n[holder]\nofficials = {}\npolicy_signatures_min = {}\ncountersignatures_min = {}\nuser_presence = {}\n\n\
             [epoch]\ndays_max = {}\nevaluations_max = {}\nkeep_key_days = {}\ngrace_seconds = {}\n",
            list(&self.holder_officials),
            self.policy_signatures_min,
            self.countersignatures_min,
            self.holder_user_presence,
            self.epoch_days_max,
            self.evaluations_max,
            self.keep_key_days,
            self.grace_seconds,
        );
        for rules in &self.verifiers {
            text += &format!(
                "\n[[verifiers]]\nfingerprint = \"{}\"\nname = \"{}\"\nofficials = {}\nsignatures_min = {}\nuser_presence = {}\n\
                 rulesets = {}\nclasses = {}\npairs_per_request_max = {}\ntokens_per_request_max = {}\nvalidity_days_max = {}\n\
                 required_fields = {}\nrequired_columns = {}\norder_age_days_max = {}\naddresses_per_person_max = {}\n\
                 set_age_days_max = {}\ndisclosure = {}\n",
                rules.fingerprint,
                rules.name,
                list(&rules.officials),
                rules.signatures_min,
                rules.user_presence,
                list(&rules.rulesets),
                list(&rules.classes),
                rules.pairs_per_request_max,
                rules.tokens_per_request_max,
                rules.validity_days_max,
                list(&rules.required_fields),
                list(&rules.required_columns),
                rules.order_age_days_max,
                rules.addresses_per_person_max,
                rules.set_age_days_max,
                list(&rules.disclosure),
            );
            let [days, requests, pairs, tokens] = rules.window;
            text += &format!("window = {{ days = {days}, requests_max = {requests}, pairs_max = {pairs}, tokens_max = {tokens} }}\n");
            let [requests, pairs, tokens] = rules.epoch;
            text += &format!("epoch = {{ requests_max = {requests}, pairs_max = {pairs}, tokens_max = {tokens} }}\n");
        }
        text
    }
}

/// A directory with a proposal in it.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The directory.
    pub directory: PathBuf,
}

impl Proposed {
    /// The bytes that officials sign.
    ///
    /// # Panics
    /// Where they cannot be read.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.directory.join("proposal.json")).unwrap()
    }

    /// Puts a signature beside it.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn add(&self, name: &str, signature: &[u8]) {
        add_signature(&self.directory, name, signature);
    }

    /// These officials sign.
    #[must_use]
    pub fn signed_by(self, officials: &[Official]) -> Self {
        for official in officials {
            self.add(&official.principal, &official.sign(POLICY, &self.bytes()));
        }
        self
    }
}

/// Writes `signatures/NAME.sig` below a directory.
///
/// # Panics
/// Where it cannot be written.
pub fn add_signature(directory: &Path, name: &str, signature: &[u8]) {
    let signatures = directory.join("signatures");
    std::fs::create_dir_all(&signatures).unwrap();
    std::fs::write(signatures.join(format!("{name}.sig")), signature).unwrap();
}

impl Agencies {
    /// `policy propose` of these rules into the directory `name`.
    ///
    /// # Panics
    /// Where it fails.
    #[must_use]
    pub fn propose(&self, rules: &Rules, name: &str) -> Proposed {
        let policy = self.file(&format!("{name}.policy.toml"), rules.toml());
        let signers = self.file(&format!("{name}.allowed_signers"), &rules.allowed_signers);
        let directory = self.at(name);
        let call = self.holder.call("policy propose --reason Agreed").path("--policy", &policy).path("--allowed-signers", &signers);
        call.path("--out", &directory).ok();
        Proposed { directory }
    }

    /// `policy apply`.
    #[must_use]
    pub fn apply(&self, proposed: &Proposed) -> Ended {
        self.holder.call("policy apply --json").path("--proposal", &proposed.directory).run()
    }

    /// Proposes, signs by these officials, applies.
    ///
    /// # Panics
    /// Where one of them fails.
    pub fn put_in_force(&self, rules: &Rules, name: &str, officials: &[Official]) {
        let ended = self.apply(&self.propose(rules, name).signed_by(officials));
        assert_eq!(ended.code(), 0, "{ended}");
    }
}
