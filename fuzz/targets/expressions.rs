//! See `deskplane_fuzz::expressions`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deskplane_fuzz::expressions(data));
