//! See `deskplane_fuzz::bodies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deskplane_fuzz::bodies(data));
