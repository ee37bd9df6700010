//! The executable cases of the specification.

mod ask;
mod import;
mod resolution;
mod send;
mod state;
mod writes;

use std::path::PathBuf;

use serde::de::DeserializeOwned;

/// The cases of one file: of the folder that `DESKPLANE_CASES_DIR` names, else the carried ones.
fn load<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let carried = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cases");
    let folder =
        std::env::var_os("DESKPLANE_CASES_DIR").map_or_else(|| carried.into(), PathBuf::from);
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cases: Vec<T> =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(!cases.is_empty(), "{} holds no case", path.display());
    cases
}
