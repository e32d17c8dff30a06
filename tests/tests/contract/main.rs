//! The command contract, as operators and their scripts use it: real programs, real QUIC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod checking;
mod files;
mod looking;
mod metrics;
mod parties;
mod resealing;
mod resuming;
mod serving;
mod several;

use oblink_tests::Ended;

/// A family name and a street that are in every row of these tests and in no word of the programs.
const NAME: &str = "Quispe";
const STREET: &str = "Zanzibar";

/// Three people whom the holder has.
const RECORDS: &str = "id,given_name,middle_name,family_name,suffix,address,unit,city,state,postal_code
r1,José,Ángel,Quispe,,12 North Zanzibar Street,Apt 4,Boston,MA,02134
r2,Ana,,Quispe,Jr,7 Zanzibar Ave,,Springfield,MA,01103
r3,Bo,,Quispe,,PO Box 77,,Zanzibar,MA,01104
";

/// Held, elsewhere, held, incomplete, nobody.
const PAIRS: &str = "id,name,address,postal_code
p1,jose quispe,12 N ZANZIBAR ST,2134
p2,Ana Quispe,8 Zanzibar Avenue,01103
p3,Quispe Bo,P.O. Box 77,01104
p3b,\"Quispe, Bo\",P.O. Box 77,01104
p4,Ana Quispe,Zanzibar Avenue,01103
p5,,7 Zanzibar Ave,01103
";
const PAIRS_SHORT: &str = "+ - - + incomplete_address empty_name";

/// No value out of a row in anything that was said.
fn silent(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        silent_text(text);
    }
}

fn silent_text(text: &str) {
    let lower = text.to_lowercase();
    for value in [NAME, STREET] {
        assert!(!lower.contains(&value.to_lowercase()), "a row's {value} in: {text}");
    }
}
