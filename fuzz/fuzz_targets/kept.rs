#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oblink_tests::fuzz::kept(bytes));
