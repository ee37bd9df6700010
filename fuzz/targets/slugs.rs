//! See `deskplane_fuzz::slugs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deskplane_fuzz::slugs(data));
