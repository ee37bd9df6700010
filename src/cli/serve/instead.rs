//! What `serve` answers instead of a server: the settings in effect, whether they can be used, and
//! their schema.

use std::path::Path;

use crate::{
    cli::{Format, Io, Result},
    clock::Clock,
    config::{Config, Mistakes, Sources},
    credentials::Credentials,
    secrets::{file, vault::Vault},
    telemetry,
    transport::Tls,
};

/// Flags with which nothing is started; one of them at a time.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(id = "instead", multiple = false)]
pub(super) struct Instead {
    /// Print the settings in effect, and end; as a configuration file unless -o names another format.
    #[arg(long)]
    print_config: bool,
    /// Judge the configuration with the files that it names, print `ok` or every mistake, and end.
    #[arg(long)]
    check_config: bool,
    /// Print the JSON Schema of the configuration file, and end.
    #[arg(long)]
    config_schema: bool,
}

impl Instead {
    /// Answers the flag that is given; false when there is none.
    pub(super) fn answer(self, sources: &Sources, format: Format, io: &mut Io<'_>) -> Result<bool> {
        if self.config_schema {
            let format = if format == Format::Yaml { Format::Yaml } else { Format::Json };
            io.value(format, &Config::schema())?;
        } else if self.check_config {
            check_files(&Config::load(sources)?)?;
            io.line("ok")?;
        } else if self.print_config {
            let config = Config::load(sources)?;
            match format {
                Format::Table => write!(io.out, "{}", config.to_toml()?)?,
                _ => io.value(format, &config)?,
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

/// Judges every file and folder that a configuration names, as a start would; nothing is made or
/// locked.
fn check_files(config: &Config) -> Result<(), Mistakes> {
    let mut mistakes = Vec::new();
    let no_folder = |key: &str, path: &Path| format!("`{key}`: {} is no folder", path.display());
    if config.data_dir.exists() && !config.data_dir.is_dir() {
        mistakes.push(no_folder("data_dir", &config.data_dir));
    }
    if let Some(Err(why)) = config.tls.settings().map(Tls::load) {
        mistakes.push(format!("`tls`: {why}"));
    }
    let credentials = config.auth.settings().and_then(|settings| {
        Credentials::load(settings, Clock::system()).map_err(|why| why.to_string())
    });
    if let Err(why) = credentials {
        mistakes.push(format!("`auth`: {why}"));
    }
    if let Err(why) = Vault::new(config.voice.vault()) {
        mistakes.push(format!("`voice.key_ring`: {why}"));
    }
    if let Err(why) = telemetry::traces::check_files(config.telemetry.settings().as_ref()) {
        mistakes.push(format!("`telemetry`: {why}"));
    }
    let secrets = &config.voice.secrets_dir;
    if !secrets.as_os_str().is_empty() {
        match file::exposed_below(secrets) {
            Ok(exposed) => {
                mistakes.extend(exposed.iter().map(|why| format!("`voice.secrets_dir`: {why}")));
            }
            Err(_) if !secrets.is_dir() => mistakes.push(no_folder("voice.secrets_dir", secrets)),
            Err(why) => {
                mistakes.push(format!("`voice.secrets_dir`: {}: {why}", secrets.display()));
            }
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes)) }
}
