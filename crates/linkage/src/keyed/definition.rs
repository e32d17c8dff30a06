//! A ruleset's file: read, and refused where it breaks what every ruleset must keep (K-1, K-40 to K-49).

use serde::Deserialize;
use thiserror::Error;

use super::Agreement;
use super::form::{Field, Form, Part, VALUES_MAX};
use super::person::FamilyName;
use crate::ruleset::{Rule, RulesetClass};
use crate::token::DUMMY_RULE;

/// The `format` of a ruleset's file.
const FORMAT: &str = "oblink/ruleset/1";
/// Most tokens a pair.
const TOKENS_PER_PAIR_MAX: u16 = 64;
/// Most rules, and most fields of one.
const RULES_MAX: usize = 64;
const FIELDS_MAX: usize = 8;
/// Longest file, in bytes.
const FILE_BYTES_MAX: usize = 1 << 16;
/// Most records that may share a line before it is crowded.
const CROWD_MAX: u32 = 200;
/// Most combinations of values that a record may give under one rule: a rule may have one field of many values, not two.
const MANY_VALUED_FIELDS_MAX: usize = 1;

/// Why a ruleset's file is refused. It names rules by their number; the file is the operator's own, and no person's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RulesetError {
    /// Not TOML, a member that is not known, or one that is missing.
    #[error("the file is not a ruleset: {0}")]
    File(String),
    /// A member's value is out of its bounds.
    #[error("`{member}` {what}")]
    Member {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A rule that no ruleset, or none of its class, may have.
    #[error("rule {number}: {what}")]
    Rule {
        /// The rule's number.
        number: u16,
        /// What is wrong with it.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesetFile {
    format: String,
    name: String,
    class: String,
    canonicaliser: String,
    tokens_per_pair: u16,
    crowd_max: Option<u32>,
    pair_family: Option<String>,
    rule: Vec<RuleFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    number: u16,
    name: String,
    fields: Vec<String>,
    middle: Option<String>,
    suffix: Option<String>,
    unit: Option<String>,
    #[serde(rename = "type")]
    street_type: Option<String>,
    #[serde(default)]
    one_side_has: Vec<String>,
    one_side_has_min: Option<u8>,
    given: Option<String>,
    family: Option<String>,
    street: Option<String>,
    #[serde(default)]
    quiet_only: bool,
    pair_values_max: Option<u8>,
}

/// A ruleset as its file says it.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) class: RulesetClass,
    pub(super) tokens_per_pair: u16,
    pub(super) crowd_max: Option<u32>,
    /// Which pairs without a family name are asked, by the rules that do without.
    pub(super) pair_family: FamilyName,
    pub(super) rules: Vec<KeyRule>,
}

/// One rule: fields that must agree, and what must agree beside them.
#[derive(Debug)]
pub(super) struct KeyRule {
    pub(super) number: u16,
    name: String,
    pub(super) fields: Vec<Field>,
    pub(super) middle: Agreement,
    pub(super) suffix: Agreement,
    pub(super) unit: Agreement,
    pub(super) street_type: Agreement,
    /// Things of which one side has at least so many and the other none; nothing where the list is empty.
    pub(super) one_side_has: Vec<Extra>,
    pub(super) one_side_has_min: u8,
    /// Of the two given names one at least is not listed: no two names in use are taken for one (K-34).
    pub(super) given_unlisted: bool,
    /// The family name lacks on one side, and is not compared.
    pub(super) family_lacks: bool,
    /// The holder's record has a house number and no street.
    pub(super) street_lacks: bool,
    /// Of its ruleset: whether it may lack on the verifier's side.
    pub(super) pair_family_may_lack: bool,
    /// Records of crowded places emit nothing under it.
    pub(super) quiet_only: bool,
    /// Most tokens of one pair under it.
    pub(super) pair_values_max: u8,
}

impl Definition {
    pub(super) fn parse(text: &str) -> Result<Self, RulesetError> {
        if text.len() > FILE_BYTES_MAX {
            return Err(RulesetError::File(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        let file: RulesetFile = toml::from_str(text).map_err(|error| RulesetError::File(error.message().to_owned()))?;
        let member = |member, what: &str| RulesetError::Member { member, what: what.to_owned() };
        if file.format != FORMAT {
            return Err(member("format", &format!("must be {FORMAT}")));
        }
        if file.canonicaliser != "us-2" {
            return Err(member("canonicaliser", "must be us-2"));
        }
        let worded = |name: &str| (1..=64).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !worded(&file.name) {
            return Err(member("name", "must be 1 to 64 of a-z, 0-9 and -"));
        }
        let class = match file.class.as_str() {
            "confirm-address" => RulesetClass::ConfirmAddress,
            "find-person" => RulesetClass::FindPerson,
            _ => return Err(member("class", "must be confirm-address or find-person")),
        };
        if !(1..=TOKENS_PER_PAIR_MAX).contains(&file.tokens_per_pair) {
            return Err(member("tokens_per_pair", &format!("must be 1 to {TOKENS_PER_PAIR_MAX}")));
        }
        if file.crowd_max.is_some_and(|max| !(1..=CROWD_MAX).contains(&max)) {
            return Err(member("crowd_max", &format!("must be 1 to {CROWD_MAX}")));
        }
        if !(1..=RULES_MAX).contains(&file.rule.len()) {
            return Err(member("rule", &format!("must be there 1 to {RULES_MAX} times")));
        }
        let pair_family = match file.pair_family.as_deref() {
            None | Some("needed") => FamilyName::Needed,
            Some("may-be-empty") => FamilyName::MayBeEmpty,
            Some("may-lack") => FamilyName::MayLack,
            Some(_) => return Err(member("pair_family", "must be needed, may-be-empty or may-lack")),
        };
        let mut rules = Vec::with_capacity(file.rule.len());
        for rule in file.rule {
            let number = rule.number;
            let rule = KeyRule::read(rule, class, file.crowd_max, pair_family != FamilyName::Needed)
                .map_err(|what| RulesetError::Rule { number, what })?;
            if rules.iter().any(|known: &KeyRule| known.number >= number) {
                return Err(RulesetError::Rule {
                    number,
                    what: "rules must be in the order of their numbers, each number once".to_owned(),
                });
            }
            rules.push(rule);
        }
        let RulesetFile { name, tokens_per_pair, crowd_max, .. } = file;
        Ok(Definition { name, class, tokens_per_pair, crowd_max, pair_family, rules })
    }

    /// Whether some rule does without a family name.
    pub(super) fn record_family_may_lack(&self) -> bool {
        self.rules.iter().any(|rule| rule.family_lacks)
    }

    /// Whether some rule is of records without a street.
    pub(super) fn record_street_may_lack(&self) -> bool {
        self.rules.iter().any(|rule| rule.street_lacks)
    }

    /// All that the file says and tokens depend on, in one way of writing it: what the digest is over (K-2).
    pub(super) fn canonical_text(&self) -> String {
        let crowd_max = self.crowd_max.unwrap_or(0);
        let mut text = format!(
            "name={}\nclass={}\ntokens_per_pair={}\ncrowd_max={crowd_max}\npair_family={}\n",
            self.name,
            self.class.as_str(),
            self.tokens_per_pair,
            self.pair_family.word()
        );
        for rule in &self.rules {
            let fields: Vec<String> = rule.fields.iter().map(|field| field.name()).collect();
            text.push_str(&format!(
                "rule={} fields={} middle={} suffix={} unit={} type={} one_side_has={}/{} given_unlisted={} family_lacks={} street_lacks={} quiet_only={} pair_values_max={}\n",
                rule.number,
                fields.join(","),
                rule.middle.word(),
                rule.suffix.word(),
                rule.unit.word(),
                rule.street_type.word(),
                rule.one_side_has.iter().map(|extra| extra.word()).collect::<Vec<_>>().join(","),
                rule.one_side_has_min,
                rule.given_unlisted,
                rule.family_lacks,
                rule.street_lacks,
                rule.quiet_only,
                rule.pair_values_max
            ));
        }
        text
    }
}

/// What a row may have beside a name and a delivery line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    Middle,
    Suffix,
    Unit,
}

impl Extra {
    fn parse(name: &str) -> Result<Self, String> {
        [Extra::Middle, Extra::Suffix, Extra::Unit]
            .into_iter()
            .find(|extra| extra.word() == name)
            .ok_or_else(|| format!("`{name}` is none of middle, suffix and unit"))
    }

    fn word(self) -> &'static str {
        match self {
            Extra::Middle => "middle",
            Extra::Suffix => "suffix",
            Extra::Unit => "unit",
        }
    }
}

impl Agreement {
    fn parse(word: Option<&str>, default: Self) -> Result<Self, String> {
        match word {
            None => Ok(default),
            Some("ignored") => Ok(Agreement::Ignored),
            Some("equal") => Ok(Agreement::Equal),
            Some("present") => Ok(Agreement::Present),
            Some("lacking") => Ok(Agreement::Lacking),
            Some(other) => Err(format!("`{other}` is none of equal, present, lacking and ignored")),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Agreement::Ignored => "ignored",
            Agreement::Equal => "equal",
            Agreement::Present => "present",
            Agreement::Lacking => "lacking",
        }
    }
}

impl KeyRule {
    fn read(file: RuleFile, class: RulesetClass, crowd_max: Option<u32>, pair_family_may_lack: bool) -> Result<Self, String> {
        let fields = file.fields.iter().map(|name| Field::parse(name).ok_or_else(|| format!("there is no field `{name}`")));
        let fields: Vec<Field> = fields.collect::<Result<_, _>>()?;
        // A find-person rule may have no street to have a type, and a unit is part of an address.
        let has = |part| fields.iter().any(|field| field.part == part);
        let addressed = has(Part::Street) || file.street.is_some();
        let default = if addressed { Agreement::Equal } else { Agreement::Ignored };
        let mut rule = KeyRule {
            number: file.number,
            name: file.name,
            middle: Agreement::parse(file.middle.as_deref(), Agreement::Equal)?,
            suffix: Agreement::parse(file.suffix.as_deref(), Agreement::Equal)?,
            unit: Agreement::parse(file.unit.as_deref(), default)?,
            street_type: Agreement::parse(file.street_type.as_deref(), if file.street.is_some() { Agreement::Ignored } else { default })?,
            one_side_has: file.one_side_has.iter().map(|name| Extra::parse(name)).collect::<Result<_, _>>()?,
            one_side_has_min: file.one_side_has_min.unwrap_or(1),
            given_unlisted: match file.given.as_deref() {
                None => false,
                Some("one-unlisted") => true,
                Some(_) => return Err("`given` can only be `one-unlisted`".to_owned()),
            },
            family_lacks: match file.family.as_deref() {
                None => false,
                Some("lacking") => true,
                Some(_) => return Err("`family` can only be `lacking`".to_owned()),
            },
            street_lacks: match file.street.as_deref() {
                None => false,
                Some("lacking") => true,
                Some(_) => return Err("`street` can only be `lacking`".to_owned()),
            },
            pair_family_may_lack,
            quiet_only: file.quiet_only,
            pair_values_max: file.pair_values_max.unwrap_or(1),
            fields,
        };
        rule.check(class, crowd_max)?;
        // What is compared together is not compared one by one.
        for extra in rule.one_side_has.clone() {
            *rule.agreement_of(extra) = Agreement::Ignored;
        }
        Ok(rule)
    }

    fn agreement_of(&mut self, extra: Extra) -> &mut Agreement {
        match extra {
            Extra::Middle => &mut self.middle,
            Extra::Suffix => &mut self.suffix,
            Extra::Unit => &mut self.unit,
        }
    }

    fn check(&self, class: RulesetClass, crowd_max: Option<u32>) -> Result<(), String> {
        let say = |what: &str| Err(what.to_owned());
        if self.number == 0 || self.number == DUMMY_RULE {
            return say("its number must be 1 to 65534");
        }
        if !(1..=64).contains(&self.name.len()) || self.name.chars().any(char::is_control) {
            return say("its name must have 1 to 64 characters");
        }
        if !(1..=FIELDS_MAX).contains(&self.fields.len()) {
            return Err(format!("it must have 1 to {FIELDS_MAX} fields"));
        }
        if !(1..=VALUES_MAX).contains(&self.pair_values_max.into()) {
            return Err(format!("`pair_values_max` must be 1 to {VALUES_MAX}"));
        }
        for (at, field) in self.fields.iter().enumerate() {
            if self.fields.iter().take(at).any(|other| other == field) {
                return Err(format!("`{}` is there twice", field.name()));
            }
        }
        if self.fields.iter().filter(|field| matches!(field.form, Form::Less1 | Form::Open1)).count() > MANY_VALUED_FIELDS_MAX {
            return say("at most one of its fields may be one letter off");
        }
        let extras = &self.one_side_has;
        if extras.iter().enumerate().any(|(at, extra)| extras.iter().take(at).any(|other| other == extra)) {
            return say("`one_side_has` has something twice");
        }
        if !extras.is_empty() && !(1..=extras.len()).contains(&self.one_side_has_min.into()) {
            return say("`one_side_has_min` must be 1 to the number of things in `one_side_has`");
        }
        if self.quiet_only && crowd_max.is_none() {
            return say("`quiet_only` needs the ruleset's `crowd_max`");
        }
        let part = |part| self.fields.iter().find(|field| field.part == part);
        let (given, family, names) = (part(Part::Given), part(Part::Family), part(Part::Names));
        let (number, street, zip) = (part(Part::Number), part(Part::Street), part(Part::Zip));
        // Siblings and spouses share all the rest (LINKAGE: precision .41 without it).
        if given.is_none() && names.is_none() {
            return say("it has no given name: brothers, sisters and spouses would be one person");
        }
        if let Some(Form::First(2) | Form::Last(2)) = given.map(|field| field.form) {
            return say("two letters of a given name are too few: brothers, sisters and spouses would be one person");
        }
        if given.is_some_and(|field| field.form == Form::Soundex) {
            return say("Soundex joins the given names of twins: take another form");
        }
        if self.given_unlisted && ![given, names].into_iter().flatten().any(|field| field.is_weak()) {
            return say(
                "`given = \"one-unlisted\"` is for given names that are compared in part: the same name is listed on both sides or on neither",
            );
        }
        if number.is_none() && street.is_none() && zip.is_none() {
            return say("it has nothing of the address: a name alone must not be asked");
        }
        if self.family_lacks {
            if family.is_some() || names.is_some() {
                return say("where the family name lacks it cannot be compared");
            }
            if self.middle != Agreement::Present || !self.quiet_only || given.is_none_or(|field| field.is_weak()) {
                return say("without a family name it needs a whole given name, `middle = \"present\"` and `quiet_only = true`");
            }
        } else if family.is_none() && names.is_none() {
            return say("it has no family name");
        }
        if self.street_lacks {
            let whole = [given, family, names].into_iter().flatten().all(|field| !field.is_weak())
                && [number, zip].iter().all(|field| field.is_some_and(|field| !field.is_weak()));
            let loose = [self.unit, self.suffix].contains(&Agreement::Ignored);
            if street.is_some() || self.family_lacks || !whole || loose || self.middle != Agreement::Present || !self.quiet_only {
                return say(
                    "where the record lacks the street, whole names, house number and ZIP code, unit and suffix, `middle = \"present\"` and `quiet_only = true` are needed",
                );
            }
        } else if self.family_lacks || class == RulesetClass::ConfirmAddress {
            let (Some(number), Some(street), Some(zip)) = (number, street, zip) else {
                return say("it has no full delivery line and ZIP code: the answer would not be about this address");
            };
            if [number, street, zip].iter().filter(|field| field.is_weak()).count() > 1
                || self.family_lacks && (number.is_weak() || street.is_weak() || zip.is_weak())
            {
                return say("of house number, street and ZIP code only one may be compared in part");
            }
            if let Form::First(2 | 3) | Form::Last(2 | 3) = street.form {
                return say("of a street at least four letters must agree");
            }
            if [self.street_type, self.unit, self.suffix].contains(&Agreement::Ignored) {
                return say("a conflicting unit, street type or suffix must not agree: none of them can be ignored");
            }
        }
        Ok(())
    }

    /// The rule as it is published, with what it lets one test.
    pub(super) fn published(&self) -> Rule {
        let mut fields: Vec<String> = self.fields.iter().map(|field| field.name()).collect();
        fields.push("labels".to_owned());
        Rule { number: self.number, name: self.name.clone(), fields, predicate: self.predicate() }
    }

    fn predicate(&self) -> String {
        let mut says: Vec<String> = self.fields.iter().map(|field| field.in_words()).collect();
        if self.given_unlisted {
            says.push("of the two given names at most one on the list of names in use".to_owned());
        }
        if self.family_lacks {
            says.push(if self.pair_family_may_lack { "a family name on one side alone".to_owned() } else { "no family name".to_owned() });
        }
        if self.street_lacks {
            says.push("no street (the pair has one)".to_owned());
        }
        let beside =
            [(self.middle, "middle initial"), (self.suffix, "generational suffix"), (self.unit, "unit"), (self.street_type, "street type")];
        for (agreement, what) in beside {
            match agreement {
                Agreement::Ignored => {}
                Agreement::Equal => says.push(format!("the same {what}, or none on both sides")),
                Agreement::Present => says.push(format!("the same {what}, there on both sides")),
                Agreement::Lacking => says.push(format!("a {what} on one side alone")),
            }
        }
        if !self.one_side_has.is_empty() {
            let names: Vec<&str> = self.one_side_has.iter().map(|extra| extra.word()).collect();
            says.push(format!("at least {} of {} on one side, and none of them on the other", self.one_side_has_min, names.join(", ")));
        }
        let quiet = if self.quiet_only { ", and few others at that address" } else { "" };
        format!("The holder has a record with {}{quiet}.", says.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruleset(class: &str, rule: &str) -> Result<Definition, RulesetError> {
        Definition::parse(&format!(
            "format = \"oblink/ruleset/1\"\nname = \"own-1\"\nclass = \"{class}\"\ncanonicaliser = \"us-2\"\ntokens_per_pair = 4\ncrowd_max = 8\n\
             [[rule]]\nnumber = 1\nname = \"r\"\n{rule}\n"
        ))
    }

    fn refused(class: &str, rule: &str) -> String {
        ruleset(class, rule).unwrap_err().to_string()
    }

    #[test]
    fn what_a_rule_must_have() {
        let full = "\"number\", \"street\", \"zip\"";
        assert!(ruleset("confirm-address", &format!("fields = [\"given\", \"family\", {full}]")).is_ok());
        assert!(ruleset("find-person", "fields = [\"names\", \"zip\"]").is_ok());
        for (class, rule, what) in [
            ("confirm-address", format!("fields = [\"family\", {full}]"), "no given name"),
            ("find-person", "fields = [\"family\", \"zip\"]".to_owned(), "no given name"),
            ("find-person", "fields = [\"names\"]".to_owned(), "a name alone"),
            ("find-person", "fields = [\"given\", \"zip\"]".to_owned(), "no family name"),
            ("find-person", "fields = [\"given.first2\", \"family\", \"zip\"]".to_owned(), "too few"),
            ("find-person", "fields = [\"given.soundex\", \"family\", \"zip\"]".to_owned(), "Soundex"),
            ("confirm-address", "fields = [\"names\", \"number\", \"zip\"]".to_owned(), "no full delivery line"),
            ("confirm-address", "fields = [\"names\", \"number\", \"street\"]".to_owned(), "no full delivery line"),
            ("confirm-address", "fields = [\"names\", \"street\", \"zip\"]".to_owned(), "no full delivery line"),
            (
                "confirm-address",
                "fields = [\"names\", \"number.open1\", \"street.first4\", \"zip\"]".to_owned(),
                "only one may be compared in part",
            ),
            ("confirm-address", "fields = [\"names\", \"number\", \"street.first3\", \"zip\"]".to_owned(), "at least four"),
            ("confirm-address", format!("fields = [\"names\", {full}]\nunit = \"ignored\""), "none of them can be ignored"),
            ("confirm-address", format!("fields = [\"given\", {full}]\nfamily = \"lacking\""), "middle"),
            ("confirm-address", format!("fields = [\"given\", {full}]\nmiddle = \"some\""), "is none of"),
            ("confirm-address", format!("fields = [\"given\", \"given\", \"family\", {full}]"), "twice"),
            ("confirm-address", format!("fields = [\"given.less1\", \"family.less1\", {full}]"), "one letter off"),
            ("confirm-address", format!("fields = [\"given\", \"city\", {full}]"), "no field `city`"),
            ("confirm-address", format!("fields = [\"given.formal\", \"family\", {full}]\ngiven = \"one-unlisted\""), "compared in part"),
            ("confirm-address", format!("fields = [\"given.first4\", \"family\", {full}]\ngiven = \"unlisted\""), "one-unlisted"),
        ] {
            let said = refused(class, &rule);
            assert!(said.contains(what) && said.starts_with("rule 1: "), "{rule}: {said}");
        }
    }

    #[test]
    fn what_a_file_must_have() {
        let good = "format = \"oblink/ruleset/1\"\nname = \"own-1\"\nclass = \"find-person\"\ncanonicaliser = \"us-2\"\ntokens_per_pair = 4\n\
                    [[rule]]\nnumber = 1\nname = \"r\"\nfields = [\"names\", \"zip\"]\n";
        assert!(Definition::parse(good).is_ok());
        for (from, to, what) in [
            ("oblink/ruleset/1", "oblink/ruleset/2", "format"),
            ("own-1", "Own 1", "name"),
            ("find-person", "find-people", "class"),
            ("us-2", "us-1", "canonicaliser"),
            ("tokens_per_pair = 4", "tokens_per_pair = 65", "tokens_per_pair"),
            ("tokens_per_pair = 4", "tokens_per_pair = 0", "tokens_per_pair"),
            ("tokens_per_pair = 4", "tokens_per_pair = 4\nweight = 1", "weight"),
            ("tokens_per_pair = 4", "tokens_per_pair = 4\ncrowd_max = 0", "crowd_max"),
            ("number = 1", "number = 0", "number"),
            ("number = 1", "number = 65535", "number"),
            ("[[rule]]", "[[rules]]", "rules"),
            ("name = \"r\"", "name = \"\"", "name"),
        ] {
            let said = Definition::parse(&good.replace(from, to)).unwrap_err().to_string();
            assert!(said.contains(what), "{to}: {said}");
        }
        let twice = format!("{good}[[rule]]\nnumber = 1\nname = \"s\"\nfields = [\"names\", \"number\"]\n");
        assert!(Definition::parse(&twice).unwrap_err().to_string().contains("order"));
    }

    /// The digest is of what a file says, not of how it is written.
    #[test]
    fn comments_and_order_of_members_do_not_count() {
        let a = ruleset("find-person", "fields = [\"names\", \"zip\"]\nmiddle = \"equal\"").unwrap();
        let b = ruleset("find-person", "# people\nmiddle = \"equal\"\nfields = [ \"names\", \"zip\" ]").unwrap();
        let c = ruleset("find-person", "middle = \"present\"\nfields = [\"names\", \"zip\"]").unwrap();
        assert_eq!(a.canonical_text(), b.canonical_text());
        assert_ne!(a.canonical_text(), c.canonical_text());
    }
}
