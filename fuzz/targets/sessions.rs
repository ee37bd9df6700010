//! See `deskplane_fuzz::sessions`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deskplane_fuzz::sessions(data));
