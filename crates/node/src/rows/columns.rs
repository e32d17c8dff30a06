//! Which column of a file holds which field.
//!
//! Names are matched after trimming, without regard to case. Where a file has both a whole and a split form of a thing, the split one is read:
//! `given_name` and `family_name` before `name`, `street` before `address`; a `--map` for one form decides for it.

use super::options::{CsvOptions, FieldMap};
use crate::failure::Failure;

/// A field of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Field {
    /// `id`
    Id,
    /// `name`
    Name,
    /// `given_name`
    GivenName,
    /// `middle_name`
    MiddleName,
    /// `family_name`
    FamilyName,
    /// `suffix`
    Suffix,
    /// `address`
    Address,
    /// `street`
    Street,
    /// `unit`
    Unit,
    /// `city`
    City,
    /// `state`
    State,
    /// `postal_code`
    PostalCode,
    /// `order_date`
    OrderDate,
    /// `person_id`
    PersonId,
}

/// The number of fields.
pub(super) const FIELDS: usize = 14;

const ALL: [(Field, &str); FIELDS] = [
    (Field::Id, "id"),
    (Field::Name, "name"),
    (Field::GivenName, "given_name"),
    (Field::MiddleName, "middle_name"),
    (Field::FamilyName, "family_name"),
    (Field::Suffix, "suffix"),
    (Field::Address, "address"),
    (Field::Street, "street"),
    (Field::Unit, "unit"),
    (Field::City, "city"),
    (Field::State, "state"),
    (Field::PostalCode, "postal_code"),
    (Field::OrderDate, "order_date"),
    (Field::PersonId, "person_id"),
];

/// Fields that no token depends on: read for a request alone.
const OF_REQUESTS: [Field; 2] = [Field::OrderDate, Field::PersonId];

/// Names that other people give to the required columns, for the hint alone: a header is never taken for what it may not mean.
const OTHER_NAMES: [(&str, Field); 18] = [
    ("full_name", Field::Name),
    ("fullname", Field::Name),
    ("first_name", Field::GivenName),
    ("firstname", Field::GivenName),
    ("first", Field::GivenName),
    ("last_name", Field::FamilyName),
    ("lastname", Field::FamilyName),
    ("last", Field::FamilyName),
    ("surname", Field::FamilyName),
    ("street_address", Field::Address),
    ("address1", Field::Address),
    ("address_1", Field::Address),
    ("address_line_1", Field::Address),
    ("zip", Field::PostalCode),
    ("zip_code", Field::PostalCode),
    ("zipcode", Field::PostalCode),
    ("postcode", Field::PostalCode),
    ("zip5", Field::PostalCode),
];

impl Field {
    /// The field that the contract calls `name`, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(f, _)| *f)
    }

    /// What the contract calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        ALL[self as usize].1
    }

    /// The names of all fields.
    #[must_use]
    pub fn names() -> [&'static str; FIELDS] {
        ALL.map(|(_, n)| n)
    }
}

/// The fields that a file has: those whose text a chunk keeps for each row, in the order of [`Field`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowLayout {
    fields: [Field; FIELDS],
    count: usize,
    pub(super) whole_name: bool,
    /// Whether ids come from a column.
    own_id: bool,
}

impl RowLayout {
    /// The id first.
    pub(super) fn fields(&self) -> &[Field] {
        &self.fields[..self.count]
    }

    /// Whether the file itself has the field: every row has an id, but some only their number.
    pub(super) fn is_of_file(&self, field: Field) -> bool {
        field != Field::Id || self.own_id
    }
}

/// Where each field is in a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ColumnPlan {
    /// Fields a record must have.
    pub(super) width: usize,
    /// For each [`Field`], the column that holds it.
    pub(super) column: [Option<usize>; FIELDS],
}

impl ColumnPlan {
    pub(super) fn get(&self, field: Field) -> Option<usize> {
        self.column[field as usize]
    }

    /// Whether the name is in one column.
    pub(super) fn whole_name(&self) -> bool {
        self.get(Field::Name).is_some()
    }

    /// What a chunk's rows hold of a record.
    pub(super) fn layout(&self) -> RowLayout {
        let mut layout =
            RowLayout { fields: [Field::Id; FIELDS], count: 0, whole_name: self.whole_name(), own_id: self.get(Field::Id).is_some() };
        for (field, _) in ALL {
            // Every row has an id, of its own or its number.
            if field == Field::Id || self.get(field).is_some() {
                layout.fields[layout.count] = field;
                layout.count += 1;
            }
        }
        layout
    }

    /// Finds the fields in `header`, the names of the columns; `label` is what messages call the file.
    ///
    /// A header row that is in truth the first record holds personal data: so no message repeats a name out of the file unless it is one that we know.
    pub(super) fn new(header: &[String], options: &CsvOptions, label: &str) -> Result<Self, Failure> {
        let named = options.columns.is_some();
        let find = |name: &str| -> (Option<usize>, usize) {
            let mut at = header.iter().enumerate().filter(|(_, h)| same(h, name)).map(|(i, _)| i);
            let first = at.next();
            (first, usize::from(first.is_some()) + at.count())
        };
        let twice = |name: &str, count: usize| {
            Failure::input("column_twice", format!("{label} has {count} columns named {name}"))
                .with_hint("rename the ones that are not meant, or name the columns yourself with --no-header --columns")
        };
        let mut column = [None; FIELDS];
        let mut mapped = [false; FIELDS];
        for FieldMap { field, header: name } in &options.map {
            if mapped[*field as usize] {
                return Err(Failure::usage("map_twice", format!("--map names {} more than once", field.name())));
            }
            mapped[*field as usize] = true;
            match find(name) {
                (None, _) => {
                    let place = if named { "--columns" } else { "the header" };
                    return Err(Failure::input(
                        "column_missing",
                        format!("{label}: {place} has no column {name}, which --map wants for {}", field.name()),
                    )
                    .with_hint("compare the name after FIELD= with the file's first line; case and spaces around it do not matter"));
                }
                (at, 1) => column[*field as usize] = at,
                (_, count) => return Err(twice(name, count)),
            }
        }
        let unread = |field: Field| !options.of_request && OF_REQUESTS.contains(&field);
        for (field, name) in ALL {
            if !mapped[field as usize] && !unread(field) {
                // A column that a --map took for another field is not read a second time under its own name.
                match find(name) {
                    (Some(at), 1) if !column.contains(&Some(at)) => column[field as usize] = Some(at),
                    (_, 0 | 1) => {}
                    (_, count) => return Err(twice(name, count)),
                }
            }
        }
        for field in OF_REQUESTS {
            if unread(field) {
                column[field as usize] = None;
            }
        }
        let mut plan = Self { width: header.len(), column };
        plan.choose_forms(&mapped)?;
        plan.require(header, options, label)?;
        Ok(plan)
    }

    /// Leaves one form of the name and one of the address.
    fn choose_forms(&mut self, mapped: &[bool; FIELDS]) -> Result<(), Failure> {
        use Field::{Address, FamilyName, GivenName, MiddleName, Name, Street, Suffix};
        let parts = [GivenName, MiddleName, FamilyName, Suffix];
        let by_map = |f: Field| mapped[f as usize];
        if by_map(Name) && (by_map(GivenName) || by_map(FamilyName)) {
            return Err(Failure::usage("map_conflict", "--map names both name and its parts")
                .with_hint("map either name, or given_name and family_name"));
        }
        if by_map(Address) && by_map(Street) {
            return Err(Failure::usage("map_conflict", "--map names both address and street")
                .with_hint("map one of the two: both are the line with number and street"));
        }
        let split = self.get(GivenName).is_some() && self.get(FamilyName).is_some();
        if self.get(Name).is_some() {
            if split && !by_map(Name) {
                self.column[Name as usize] = None;
            } else {
                for part in parts {
                    self.column[part as usize] = None;
                }
            }
        }
        if self.get(Address).is_some() && self.get(Street).is_some() {
            self.column[if by_map(Address) { Street } else { Address } as usize] = None;
        }
        Ok(())
    }

    fn require(&self, header: &[String], options: &CsvOptions, label: &str) -> Result<(), Failure> {
        use Field::{Address, FamilyName, GivenName, Name, PostalCode, Street};
        let mut missing: Vec<(&str, &[Field])> = Vec::new();
        if self.get(Name).is_none() {
            match (self.get(GivenName), self.get(FamilyName)) {
                (Some(_), Some(_)) => {}
                (Some(_), None) => missing.push(("family_name", &[FamilyName])),
                (None, Some(_)) => missing.push(("given_name", &[GivenName])),
                (None, None) => missing.push(("name (or given_name and family_name)", &[Name, GivenName, FamilyName])),
            }
        }
        if self.get(Address).is_none() && self.get(Street).is_none() {
            missing.push(("address (or street)", &[Address]));
        }
        if self.get(PostalCode).is_none() {
            missing.push(("postal_code", &[PostalCode]));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let list = missing.iter().map(|(words, _)| *words).collect::<Vec<_>>().join(" and no ");
        if options.columns.is_some() {
            return Err(Failure::input("column_missing", format!("--columns names no {list}"))
                .with_hint("name the columns in the order in which the file has them; an empty name skips a column"));
        }
        let known = Field::names().into_iter().filter(|n| header.iter().any(|h| same(h, n))).collect::<Vec<_>>();
        let suggestions = OTHER_NAMES
            .iter()
            .filter(|(name, field)| missing.iter().any(|(_, fields)| fields.contains(field)) && header.iter().any(|h| same(h, name)))
            .map(|(name, field)| format!("{}={name}", field.name()))
            .collect::<Vec<_>>();
        if known.is_empty() && suggestions.is_empty() && options.map.is_empty() {
            return Err(Failure::input("no_header", format!("the first line of {label} does not name the columns: there is no {list}")).with_hint(format!(
                "if the first line is a row and not a header, add --no-header --columns NAME,…; if the columns have other names, add --map FIELD=HEADER{}",
                if header.len() == 1 { "; if another character divides them, add --delimiter" } else { "" }
            )));
        }
        let found = if known.is_empty() { "none of the known names".to_owned() } else { known.join(", ") };
        let hint = if suggestions.is_empty() {
            let example = match missing.first() {
                Some((_, [Field::PostalCode])) | None => "postal_code=ZIP_CD",
                Some((_, [Field::FamilyName])) => "family_name=LAST_NM",
                Some((_, [Field::GivenName])) => "given_name=FIRST_NM",
                Some((_, [Field::Address])) => "address=STREET_LINE",
                Some(_) => "name=FULL_NM",
            };
            format!("say which column it is with --map FIELD=HEADER, as in --map {example}")
        } else {
            format!("did you mean --map {}?", suggestions.join(" "))
        };
        Err(Failure::input("column_missing", format!("{label} has no column {list}; its header has {found}")).with_hint(hint))
    }
}

fn same(header: &str, name: &str) -> bool {
    header.trim().to_lowercase() == name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::render;

    fn plan(header: &[&str], map: &[&str]) -> Result<ColumnPlan, String> {
        let options = CsvOptions { map: map.iter().map(|m| m.parse().unwrap()).collect(), ..CsvOptions::default() };
        let header = header.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
        ColumnPlan::new(&header, &options, "in.csv").map_err(|e| render(&e))
    }

    fn columns_of(plan: &ColumnPlan) -> Vec<(&'static str, usize)> {
        ALL.iter().filter_map(|(f, n)| Some((*n, plan.get(*f)?))).collect()
    }

    #[test]
    fn the_table_of_fields_is_in_the_order_of_the_enum() {
        for (i, (field, name)) in ALL.iter().enumerate() {
            assert_eq!(*field as usize, i);
            assert_eq!(Field::from_name(&name.to_uppercase()), Some(*field));
        }
    }

    #[test]
    fn names_match_trimmed_and_in_any_case() {
        let p = plan(&[" ID ", "Name", "ADDRESS", "x", "Postal_Code"], &[]).unwrap();
        assert_eq!(columns_of(&p), [("id", 0), ("name", 1), ("address", 2), ("postal_code", 4)]);
        assert!(p.whole_name());
    }

    #[test]
    fn the_split_form_is_read_where_both_are_there() {
        let p = plan(&["name", "given_name", "family_name", "address", "street", "postal_code"], &[]).unwrap();
        assert_eq!(columns_of(&p), [("given_name", 1), ("family_name", 2), ("street", 4), ("postal_code", 5)]);
        // A family name alone is no split form.
        let p = plan(&["name", "family_name", "address", "postal_code"], &[]).unwrap();
        assert_eq!(columns_of(&p), [("name", 0), ("address", 2), ("postal_code", 3)]);
    }

    #[test]
    fn a_map_decides() {
        let p =
            plan(&["name", "given_name", "family_name", "address", "street", "postal_code"], &["name=NAME", "address=address"]).unwrap();
        assert_eq!(columns_of(&p), [("name", 0), ("address", 3), ("postal_code", 5)]);
        let p = plan(&["ZIP_CD", "FULL=NM", "address", "postal_code"], &["postal_code=zip_cd", "name=FULL=NM"]).unwrap();
        assert_eq!(columns_of(&p), [("name", 1), ("address", 2), ("postal_code", 0)]);
        // The column taken for postal_code is not the id as well.
        let p = plan(&["id", "name", "address"], &["postal_code=id"]).unwrap();
        assert_eq!(columns_of(&p), [("name", 1), ("address", 2), ("postal_code", 0)]);
    }

    #[test]
    fn what_a_request_alone_needs_is_not_read_for_anything_else() {
        let header = ["name", "address", "postal_code", "order_date", "CASE", "person_id", "person_id"].map(str::to_owned);
        let options = |of_request, columns: usize, map: &[&str]| {
            let map = map.iter().map(|m| m.parse().unwrap()).collect();
            ColumnPlan::new(&header[..columns], &CsvOptions { map, of_request, ..CsvOptions::default() }, "in.csv")
                .map(|plan| columns_of(&plan))
        };
        let own = [("name", 0), ("address", 1), ("postal_code", 2)];
        assert_eq!(options(false, 7, &[]).unwrap(), own, "nor is a second column of that name in the way");
        assert_eq!(options(false, 7, &["person_id=case"]).unwrap(), own);
        assert_eq!(options(true, 6, &[]).unwrap()[3..], [("order_date", 3), ("person_id", 5)]);
        assert_eq!(options(true, 7, &["person_id=case"]).unwrap()[3..], [("order_date", 3), ("person_id", 4)]);
        assert_eq!(options(true, 7, &[]).unwrap_err().code(), "column_twice");
    }

    #[test]
    fn messages() {
        type Case = (&'static str, &'static [&'static str], &'static [&'static str]);
        const CASES: [Case; 10] = [
            ("the first line is a row", &["Maria Quispe", "12 Elm St", "02134"], &[]),
            ("another delimiter", &["Maria Quispe;12 Elm St;02134"], &[]),
            ("half a name, another word for the postal code", &["id", "given_name", "address", "zip"], &[]),
            ("other words for everything", &["first_name", "last_name", "address1", "zip"], &[]),
            ("no address", &["name", "postal_code", "Maria Quispe"], &[]),
            ("a column twice", &["name", "address", "postal_code", "Name"], &[]),
            ("a mapped column that is not there", &["name", "address", "zip"], &["postal_code=ZIP_CD"]),
            ("a mapped column twice", &["name", "address", "zip", "zip"], &["postal_code=ZIP"]),
            ("a field mapped twice", &["name", "address", "zip"], &["postal_code=ZIP", "postal_code=zip"]),
            ("a name mapped whole and split", &["name", "given_name", "zip"], &["name=name", "given_name=given_name"]),
        ];
        let text = CASES.map(|(case, header, map)| format!("# {case}\n{}", plan(header, map).unwrap_err())).concat();
        assert!(!text.contains("Quispe") && !text.contains("Elm"), "a message repeats a row");
        insta::assert_snapshot!(text);
    }
}
