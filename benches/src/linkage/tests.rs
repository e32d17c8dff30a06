use std::fs;

use oblink_node::people::expected_matches;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const PAIRS: &str = "id,name,address,postal_code\n\
    p1,Ana Ruiz,1 Elm St,02134\n\
    p2,Ana Ruiz,1 Elm St,02134\n\
    p3,Bo Li,2 Oak Ave,10001\n\
    p4,Cy Fox,,10001\n\
    p5,Di Poe,5 Ash Rd,10001\n\
    p6,Ed Orr,6 Fir Ln Apt 2,10001\n\
    p7,Gus Hay\n";
const RECORDS: &str = "id,name,address,postal_code\n\
    r1,ANA RUIZ,1 Elm Street,02134-1111\n\
    r2,Ana Cruz,9 Elm St,02134\n\
    r3,Bo Li,3 Oak Ave,10001\n\
    r4,Cy Fox,4 Oak Ave,10001\n\
    r5,Ed Orr,6 Fir Ln,10001\n\
    r6,Gus Hay,7 Fir Ln,10001\n";
/// p2 is a namesake's at one address, p5 of nobody that is held, p6 somebody who is held at another address.
const PAIRS_TRUTH: &str = "id,person,address,origin,more\n\
    p1,a,x,web,-\np2,b,y,web,-\np3,c,z,post,-\np4,d,v,post,-\np5,e,t,post,-\np6,f,q,web,-\np7,g,u,post,-\nunused,h,h,post,-\n";
const RECORDS_TRUTH: &str = "address,person,id\nx,a,r1\ny,b,r2\nz,c,r3\nv,d,r4\nw,f,r5\nu,g,r6\n";

/// A folder with the four files.
struct Files(TempDir);

impl Files {
    fn of(pairs: &str, records: &str, pairs_truth: &str, records_truth: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("pairs", pairs), ("records", records), ("pairs_truth", pairs_truth), ("records_truth", records_truth)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn options(&self, rulesets: &[&str]) -> Options {
        let at = |name: &str| self.0.path().join(name);
        Options {
            pairs: at("pairs"),
            records: at("records"),
            pairs_truth: at("pairs_truth"),
            records_truth: at("records_truth"),
            rulesets: rulesets.iter().map(|name| (*name).to_owned()).collect(),
            chart: None,
        }
    }

    fn measure(&self, rulesets: &[&str]) -> Result<Measured, Failure> {
        measure(&self.options(rulesets))
    }

    fn failure(&self) -> Failure {
        self.measure(&["us-exact-1"]).err().unwrap()
    }
}

/// Everything that is ever printed.
struct Measured {
    json: Value,
    text: String,
    page: String,
}

fn measure(options: &Options) -> Result<Measured, Failure> {
    let rulesets = rulesets(&options.rulesets)?;
    let evaluation = Evaluation::of(options, &rulesets, &Reporter::new(true, false, true))?;
    Ok(Measured { json: report::json(&evaluation), text: report::text(&evaluation), page: chart::page(&evaluation) })
}

fn exact(files: &Files) -> Value {
    files.measure(&["us-exact-1"]).unwrap().json["rulesets"][0].clone()
}

/// The members of `object` that `want` names.
#[track_caller]
fn assert_members(object: &Value, want: Value) {
    for (name, value) in want.as_object().unwrap() {
        assert_eq!(&object[name], value, "{name} of {object}");
    }
}

#[test]
fn every_figure_at_address_level() {
    let found = exact(&Files::of(PAIRS, RECORDS, PAIRS_TRUTH, RECORDS_TRUTH));
    assert_members(
        &found,
        json!({
            "name": "us-exact-1", "class": "confirm-address", "level": "address", "tokens_per_pair": 1,
            "pairs": 7, "present": 5, "matched": 3, "right": 1, "recall": 0.2, "precision": 1.0 / 3.0,
            "false": 2, "false_same_person": 1, "submitted": 5, "not_submitted": { "empty_address": 1, "wrong_field_count": 1 },
            "records": 6, "records_without_tokens": 0, "crowded_records": 0, "tokens_per_record": { "mean": 1.0, "max": 1 },
        }),
    );
    let own = json!({ "present": 5, "matched": 3, "right": 1 });
    assert_members(
        &found["rules"][0],
        json!({ "number": 1, "name": "exact", "tokens_sent": 5, "pairs_served": 5.0 / 7.0, "tokens_per_record": 1.0 }),
    );
    assert_members(&found["rules"][0]["own"], own.clone());
    assert_members(&found["rules"][0]["cumulative"], own);
    assert_members(&found["origins"][0], json!({ "name": "web", "pairs": 3, "present": 2, "matched": 3, "right": 1 }));
    assert_members(&found["origins"][1], json!({ "name": "post", "pairs": 4, "present": 3, "matched": 0, "right": 0, "precision": null }));
    assert_members(
        &found["misses"],
        json!({
            "missed": 4, "not_submitted": 2, "rarer_kinds": 0,
            "kinds": [
                { "kind": "family: two letters + number: one digit", "count": 1, "not_submitted": 0 },
                {
                    "kind": "given: missing + family: missing + number: missing + street: missing + postal code: missing",
                    "count": 1, "not_submitted": 1,
                },
                { "kind": "number: missing + street: missing", "count": 1, "not_submitted": 1 },
                { "kind": "number: one digit", "count": 1, "not_submitted": 0 },
            ],
        }),
    );
    assert_eq!(found["misses"]["fields"][0], json!({ "field": "number: missing", "count": 2, "not_submitted": 2 }));
}

#[test]
fn every_figure_at_person_level() {
    let without =
        |truth: &str| -> String { truth.lines().map(|line| line.split(',').take(2).collect::<Vec<_>>().join(",") + "\n").collect() };
    let records = "id,person\nr1,a\nr2,b\nr3,c\nr4,d\nr5,f\nr6,g\n";
    let person = json!({
        "level": "person", "present": 6, "matched": 3, "right": 2, "recall": 1.0 / 3.0, "precision": 2.0 / 3.0, "false": 1,
        "false_same_person": 0, "origins": [],
    });
    assert_members(&exact(&Files::of(PAIRS, RECORDS, &without(PAIRS_TRUTH), records)), person);
    // Addresses of one side alone, or a column that is empty, are none.
    for pairs in [PAIRS_TRUTH.to_owned(), PAIRS_TRUTH.lines().map(|line| format!("{line}\n")).collect()] {
        assert_members(&exact(&Files::of(PAIRS, RECORDS, &pairs, records)), json!({ "level": "person", "present": 6, "right": 2 }));
    }
    let empty = RECORDS_TRUTH.lines().skip(1).map(|line| format!(",{}\n", line.split_once(',').unwrap().1)).collect::<String>();
    let empty = format!("address,person,id\n{empty}");
    assert_members(&exact(&Files::of(PAIRS, RECORDS, PAIRS_TRUTH, &empty)), json!({ "level": "person", "present": 6 }));
}

#[test]
fn a_pair_is_right_when_any_record_it_meets_is() {
    let records = format!("{RECORDS}r7,Ana Ruiz,1 Elm St,02134\n");
    let found = exact(&Files::of(PAIRS, &records, PAIRS_TRUTH, &format!("{RECORDS_TRUTH}y,b,r7\n")));
    assert_members(&found, json!({ "present": 5, "matched": 3, "right": 2, "false": 1 }));
}

#[test]
fn kinds_of_address_are_told_apart() {
    let found = exact(&Files::of(PAIRS, RECORDS, PAIRS_TRUTH, RECORDS_TRUTH));
    let kind = |name: &str| found["address_kinds"].as_array().unwrap().iter().find(|kind| kind["name"] == name).cloned();
    assert_members(&kind("plain street").unwrap(), json!({ "pairs": 5, "matched": 3 }));
    assert_members(&kind("empty").unwrap(), json!({ "pairs": 2, "present": 2, "matched": 0 }));
    assert_members(&kind("with a unit").unwrap(), json!({ "pairs": 1, "matched": 1, "right": 0 }));
    assert_eq!(kind("PO box"), None, "kinds of no pair are not told");
}

/// Halves and origins are parts of the whole; the last of the samples is the whole list.
#[test]
fn parts_add_up_and_absent_people_are_counted() {
    let (mut pairs, mut records, mut truth) = ("id,name,address,postal_code\n".to_owned(), String::new(), "id,person,address\n".to_owned());
    records.push_str(&pairs);
    let mut records_truth = truth.clone();
    // Of 400 people the list holds 200; every fourth pair bears somebody else's name and address.
    for n in 1_000..1_400 {
        let of = if n % 4 == 3 { n - 3 } else { n };
        pairs.push_str(&format!("{n},Ann Lee,{of} Elm St,02134\n"));
        truth.push_str(&format!("{n},person {n},address {n}\n"));
        if n % 2 == 0 {
            records.push_str(&format!("{n},Ann Lee,{n} Elm St,02134\n"));
            records_truth.push_str(&format!("{n},person {n},address {n}\n"));
        }
    }
    let found = exact(&Files::of(&pairs, &records, &truth, &records_truth));
    let sum = |member: &str| found["halves"]["even"][member].as_u64().unwrap() + found["halves"]["odd"][member].as_u64().unwrap();
    for member in ["pairs", "present", "matched", "right"] {
        assert_eq!(sum(member), found[member], "{member}");
    }
    let even = found["halves"]["even"]["pairs"].as_u64().unwrap();
    assert!((150..250).contains(&even), "{even}");
    let absent = found["absent"].as_array().unwrap();
    let column = |name: &str| absent.iter().map(|of| of[name].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((column("records")[3], column("absent")[3]), (200, 200));
    assert_eq!((column("matched")[3], &found["false"]), (100, &json!(100)));
    assert!((absent[3]["per_1000"].as_f64().unwrap() - column("matched")[3] as f64 * 5.0).abs() < 1e-9);
    for name in ["records", "matched"] {
        assert!(column(name).is_sorted() && column(name)[0] < column(name)[3], "{name}");
    }
    assert!(column("absent").iter().rev().is_sorted());
}

/// A rule that does without the family name, at quiet places alone: at most eight records.
const QUIET: &str = r#"
    format = "oblink/ruleset/1"
    name = "quiet-1"
    class = "confirm-address"
    canonicaliser = "us-2"
    tokens_per_pair = 4
    crowd_max = 8
    pair_family = "may-be-empty"
    rule = [
        { number = 1, name = "names", fields = ["names.formal", "number", "street", "zip"] },
        { number = 2, name = "no family", fields = ["given.formal", "number", "street", "zip"], middle = "present", family = "lacking", quiet_only = true },
    ]
"#;

#[test]
fn a_crowded_place_is_counted_as_the_programs_count_it() {
    const HEADER: &str = "id,given_name,middle_name,family_name,address,postal_code\n";
    for (count, crowded) in [(8, 0), (9, 9)] {
        let (mut records, mut truth) = (HEADER.to_owned(), "id,person,address\n".to_owned());
        for (n, given) in ["Ann", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gil", "Hope", "Ian"].into_iter().take(count).enumerate() {
            records.push_str(&format!("{n},{given},M,Lee,12 Elm St,02134\n"));
            truth.push_str(&format!("{n},{n},x\n"));
        }
        let files = Files::of(&format!("{HEADER}0,Ann,M,,12 Elm St,02134\n"), &records, "id,person,address\n0,0,x\n", &truth);
        let own = files.0.path().join("quiet.toml");
        fs::write(&own, QUIET).unwrap();
        let found = files.measure(&[own.to_str().unwrap()]).unwrap().json["rulesets"][0].clone();
        let is_quiet = u64::from(crowded == 0);
        assert_members(&found, json!({ "crowded_records": crowded, "present": 1, "submitted": 1, "matched": is_quiet, "right": is_quiet }));
        assert_members(&found["rules"][0]["cumulative"], json!({ "matched": 0 }));
        assert_members(&found["rules"][1]["own"], json!({ "matched": is_quiet }));
    }
}

#[test]
fn a_truth_that_does_not_fit_is_refused() {
    let with = |pairs_truth: &str, records_truth: &str| Files::of(PAIRS, RECORDS, pairs_truth, records_truth).failure();
    let pairs_truth = |text: &str| with(text, RECORDS_TRUTH);
    let without_p3 = PAIRS_TRUTH.replace("p3,c,z,post,-\n", "");
    for (failure, code, part) in [
        (pairs_truth("id,who\n1,a\n"), "bad_truth", "no column person"),
        (pairs_truth("person\na\n"), "bad_truth", "no column id"),
        (pairs_truth(""), "bad_truth", "no column id"),
        (pairs_truth("id,person\np1,a,b\n"), "bad_truth", "row 1"),
        (pairs_truth("id,person\np1,a\np2,\n"), "bad_truth", "row 2"),
        (pairs_truth("id,person\np1,a\np1,b\n"), "bad_truth", "row 2"),
        (pairs_truth(&without_p3), "no_truth", "row 3"),
        (with(PAIRS_TRUTH, &RECORDS_TRUTH.replace("u,g,r6\n", "")), "no_truth", "row 6"),
        (Files::of(&format!("{PAIRS}p1,x,y,z\n"), RECORDS, PAIRS_TRUTH, RECORDS_TRUTH).failure(), "duplicate_id", "row 8"),
        (Files::of(PAIRS, &format!("{RECORDS}r1,x,y,z\n"), PAIRS_TRUTH, RECORDS_TRUTH).failure(), "duplicate_id", "row 7"),
    ] {
        assert_eq!((failure.code(), failure.exit().code()), (code, 3), "{failure}");
        assert!(failure.what().contains(part), "{failure}");
    }
    let files = Files::of(PAIRS, RECORDS, PAIRS_TRUTH, RECORDS_TRUTH);
    fs::remove_file(files.0.path().join("records_truth")).unwrap();
    assert_eq!(files.failure().code(), "cannot_read");
}

#[test]
fn rulesets_are_named_or_in_a_file() {
    let files = Files::of(PAIRS, RECORDS, PAIRS_TRUTH, RECORDS_TRUTH);
    let all = files.measure(&[]).unwrap().json;
    let names: Vec<&str> = all["rulesets"].as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
    assert_eq!(names, Ruleset::all().iter().map(Ruleset::name).collect::<Vec<_>>());
    assert_eq!(files.measure(&["us-exact-0"]).err().unwrap().code(), "unknown_ruleset");
    let own = files.0.path().join("own.toml");
    let own_name = own.to_str().unwrap();
    assert_eq!(files.measure(&[own_name]).err().unwrap().code(), "cannot_read");
    fs::write(&own, "nonsense").unwrap();
    assert_eq!(files.measure(&[own_name]).err().unwrap().code(), "bad_ruleset");
    let text = include_str!("../../../protocol-spec/rulesets/us-confirm-1.toml");
    fs::write(&own, text.replace("name = \"us-confirm-1\"", "name = \"own-1\"")).unwrap();
    let both = files.measure(&["us-confirm-1", own_name]).unwrap().json;
    assert_eq!((both["rulesets"][0]["name"].as_str(), both["rulesets"][1]["name"].as_str()), (Some("us-confirm-1"), Some("own-1")));
    assert_eq!(both["rulesets"][0]["right"], both["rulesets"][1]["right"]);
}

/// Every member of an object, with the first element of a list standing for all.
fn shape(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| shape(value, &format!("{at}.{name}"), out)),
        Value::Array(elements) => match elements.first() {
            Some(first) => shape(first, &format!("{at}[]"), out),
            None => out.push(format!("{at}[]")),
        },
        _ => out.push(at.to_owned()),
    }
}

#[test]
fn the_shape_of_the_object() {
    let mut found = Vec::new();
    let files = Files::of(PAIRS, RECORDS, PAIRS_TRUTH, RECORDS_TRUTH);
    shape(&files.measure(&["us-exact-1"]).unwrap().json, "", &mut found);
    let tally = ["pairs", "present", "matched", "right", "recall", "precision", "recall_interval[]", "precision_interval[]"];
    let mut want: Vec<String> = [".pairs", ".records"].map(str::to_owned).to_vec();
    let of = |part: &str| tally.map(|member| format!(".rulesets[]{part}.{member}"));
    for part in ["", ".address_kinds[]", ".halves.even", ".halves.odd", ".origins[]", ".rules[].own", ".rules[].cumulative"] {
        want.extend(of(part));
    }
    let more = "name class level tokens_per_pair submitted false false_same_person records records_without_tokens crowded_records \
                not_submitted.empty_address not_submitted.wrong_field_count tokens_per_record.mean tokens_per_record.max rules[].number \
                rules[].name rules[].tokens_sent rules[].pairs_served rules[].tokens_per_record address_kinds[].name origins[].name \
                absent[].share absent[].records absent[].absent absent[].matched absent[].per_1000 misses.missed misses.not_submitted \
                misses.rarer_kinds misses.kinds[].kind misses.kinds[].count misses.kinds[].not_submitted misses.fields[].field \
                misses.fields[].count misses.fields[].not_submitted";
    want.extend(more.split_whitespace().map(|member| format!(".rulesets[].{member}")));
    want.sort();
    // An interval of nothing is null and no list.
    let mut found: Vec<String> =
        found.into_iter().map(|path| if path.ends_with("_interval") { format!("{path}[]") } else { path }).collect();
    found.sort();
    assert_eq!(found, want);
}

#[test]
fn no_value_of_a_row_is_ever_told() {
    let values = ["Sentinela", "Sentinelb", "77315", "Sentinelc", "77316", "sentineld", "sentinele", "sentinelf", "77317"];
    let pairs = "id,given_name,middle_name,family_name,address,unit,city,state,postal_code\n\
        sentineld1,Sentinela,Sentinelb,Sentinelc,77315 Sentinelb St,Sentinela,Sentinelb,Sentinelc,77316\n\
        sentineld2,Sentinelc,,Sentinelb,77317 Sentinela St,,,,77316\nsentineld3,Sentinelc\n";
    let records = pairs.replace("77315", "77317").replace(",Sentinela,Sentinelb,Sentinelc,7", ",Sentinela,Sentinelb,Sentinelb,7");
    let truth = "id,person,address\nsentineld1,sentinele1,sentinelf1\nsentineld2,sentinele2,sentinelf2\nsentineld3,sentinele3,sentinelf3\n";
    let shown = |text: &str| {
        let text = text.to_lowercase();
        values.iter().find(|value| text.contains(&value.to_lowercase())).copied()
    };
    let files = Files::of(pairs, &records, truth, truth);
    let found = files.measure(&[]).unwrap();
    for text in [found.json.to_string(), found.text, found.page] {
        assert_eq!(shown(&text), None, "{text}");
    }
    for (pairs, truth) in [
        (format!("{pairs}sentineld1,,,,,,,,\n"), truth.to_owned()),
        (pairs.to_owned(), format!("{truth}sentineld1,sentinele1,\n")),
        (pairs.to_owned(), format!("{truth}sentineld4,sentinele1\n")),
        (pairs.to_owned(), truth.replace("sentineld2", "sentineld5")),
        (pairs.to_owned(), truth.replace("person", "sentinele")),
    ] {
        let failure = Files::of(&pairs, &records, &truth, &truth).failure();
        assert_eq!(shown(&format!("{failure:?} {failure}")), None, "{failure:?}");
    }
}

#[test]
fn the_tables_and_the_page_have_the_figures() {
    let found = Files::of(PAIRS, RECORDS, PAIRS_TRUTH, RECORDS_TRUTH).measure(&[]).unwrap();
    for part in ["recall 0.2000", "precision 0.3333", "us-exact-1", "number: one digit", "wrong_field_count 1", "odd half", "web"] {
        assert!(found.text.contains(part), "{part} in\n{}", found.text);
        assert!(found.page.contains(part), "{part}");
    }
    let (begin, end) = (found.page.find("<svg").unwrap(), found.page.find("</svg>").unwrap());
    crate::plot::assert_well_formed(&found.page[begin..end + "</svg>".len()]);
}

/// On simulated people, where they are there: the join is the programs' own, and figures are what they have been.
#[test]
#[allow(clippy::print_stderr)]
fn simulated_people() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    for (set, level, recall) in [("households", "address", 0.78), ("movers", "address", 0.78), ("febrl4", "person", 0.17)] {
        let dir = data.join(set);
        if !dir.join("pairs.csv").exists() {
            eprintln!("skipped: no data set {set}");
            continue;
        }
        let at = |name: &str| dir.join(format!("{name}.csv"));
        let options = Options {
            pairs: at("pairs"),
            records: at("records"),
            pairs_truth: at("pairs_truth"),
            records_truth: at("records_truth"),
            rulesets: Vec::new(),
            chart: None,
        };
        let found = measure(&options).unwrap();
        eprintln!("{set}\n{}", found.text);
        let found = &found.json["rulesets"];
        assert_eq!(found[0]["level"], level, "{set}");
        assert!(found[0]["recall"].as_f64().unwrap() >= recall && found[0]["precision"].as_f64().unwrap() >= 0.998, "{set}");
        for (ruleset, found) in Ruleset::all().iter().zip(found.as_array().unwrap()) {
            let expected = expected_matches(&options.pairs, &options.records, ruleset).unwrap();
            assert_eq!(
                (&found["matched"], &found["submitted"]),
                (&json!(expected.matches), &json!(expected.submitted)),
                "{}",
                ruleset.name()
            );
            let last = found["rules"].as_array().unwrap().last().unwrap();
            assert_eq!(last["cumulative"]["right"], found["right"], "{}", ruleset.name());
        }
    }
}
