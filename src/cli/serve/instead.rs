//! `serve --check-config`: the files that a configuration names, judged as a start would.

use std::path::Path;

use crate::{
    config::{Config, Mistakes},
    transport::Tls,
    voice::vault::Vault,
};

/// Judges every file and folder that a configuration names; nothing is made or locked.
pub(super) fn files(config: &Config) -> Result<(), Mistakes> {
    let mut mistakes = Vec::new();
    let folder = |key: &str, path: &Path, mistakes: &mut Vec<String>| {
        mistakes.push(format!("`{key}`: {} is no folder", path.display()));
    };
    if config.data_dir.exists() && !config.data_dir.is_dir() {
        folder("data_dir", &config.data_dir, &mut mistakes);
    }
    if let Some(Err(why)) = config.tls.settings().map(Tls::load) {
        mistakes.push(format!("`tls`: {why}"));
    }
    if let Err(why) = Vault::new(config.voice.vault()) {
        mistakes.push(format!("`voice.key_ring`: {why}"));
    }
    let secrets = &config.voice.secrets_dir;
    if !secrets.as_os_str().is_empty() && !secrets.is_dir() {
        folder("voice.secrets_dir", secrets, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes)) }
}
