//! The configuration of the server: defaults, then a file, then the environment, then flags; a
//! later source wins. It is validated as a whole, and every mistake is named at once.

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use figment::{
    Figment,
    providers::{Format, Serialized, Toml},
    value::{Dict, Value},
};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::{live, transport::Endpoint};

mod audit;
mod auth;
mod differences;
mod injected;
mod layer;
mod limits;
mod list;
mod names;
mod range;
mod schema;
mod scim;
mod store;
mod telemetry;
mod tls;
pub mod voice;

pub use audit::{Audit, ResolutionLog};
pub use auth::Auth;
use layer::Layer;
pub use limits::Limits;
pub use list::List;
pub use names::PREFIX;
use range::{DAY_S, HOUR_S};
pub use scim::Scim;
pub use store::Store;
pub use telemetry::Telemetry;
pub use tls::{Tls, TlsVersion, Web};
pub use voice::Voice;

#[cfg(test)]
mod tests;

/// Whether the server knows what a variable is for: a setting, or none of its own.
#[cfg(test)]
pub(crate) fn is_known_variable(name: &str) -> bool {
    let Some(name) = name.strip_prefix(PREFIX) else { return true };
    let key = name.to_ascii_lowercase().replace("__", ".");
    let defaults = Value::serialize(Config::default()).ok().and_then(Value::into_dict);
    let is_setting = defaults.is_some_and(|all| layer::leaves(&all).contains_key(&key));
    is_setting || names::NO_SETTING.contains(&name) || name.starts_with(names::SECRET)
}

/// All settings of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen: one or several of `ADDRESS:PORT`, of which port 0 means a free one,
    /// `unix:/PATH`, and `systemd` for the sockets that the service manager hands over. Loopback
    /// addresses only, unless credentials are configured.
    pub listen: List<Endpoint>,
    /// Address and port for probes and metrics; without it there is no such listener.
    pub metrics_listen: Option<SocketAddr>,
    /// Folder of the embedded store; made when it is not there.
    pub data_dir: PathBuf,
    /// What is logged: a level, or directives such as `warn,deskplane=debug`.
    pub log: String,
    /// TLS of the main port.
    pub tls: Tls,
    /// What callers have to show.
    pub auth: Auth,
    /// What web pages may do.
    pub web: Web,
    /// SCIM.
    pub scim: Scim,
    /// Limits of the transport.
    pub limits: Limits,
    /// Live updates.
    pub watch: Watch,
    /// The embedded store.
    pub store: Store,
    /// Voice providers.
    pub voice: Voice,
    /// Audited reads and refusals.
    pub audit: Audit,
    /// The resolution log.
    pub resolution_log: ResolutionLog,
    /// Traces.
    pub telemetry: Telemetry,
}

/// Settings of live updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// Milliseconds a client must be without a change before gathered ones go out; 0 gathers none.
    #[schemars(range(min = 0, max = 60_000))]
    pub quiet_ms: u64,
    /// Milliseconds that a change waits at most for further ones; 0 gathers none.
    #[schemars(range(min = 0, max = 60_000))]
    pub longest_ms: u64,
    /// Seconds of silence after which a bookmark says that a stream lives, give or take a tenth;
    /// `deskplane watch --silence` goes with it.
    #[schemars(range(min = 1, max = DAY_S))]
    pub bookmark_s: u64,
    /// Minutes after which a stream is asked to reconnect, give or take a tenth.
    #[schemars(range(min = 1, max = DAY_S / 60))]
    pub max_age_min: u64,
    /// Seconds over which the reconnects of drained streams are spread.
    #[schemars(range(min = 0, max = HOUR_S))]
    pub drain_window_s: u64,
    /// Seconds after which drained streams that did not end are cut.
    #[schemars(range(min = 0, max = HOUR_S))]
    pub drain_deadline_s: u64,
    /// Seconds that a client may take nothing while something waits for it.
    #[schemars(range(min = 1, max = HOUR_S))]
    pub stalled_s: u64,
    /// Most streams of profiles, and most of calls; a further one is refused with SERVER_BUSY.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_streams: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: List(vec![Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], 7700)))]),
            metrics_listen: None,
            data_dir: PathBuf::from("./deskplane-data"),
            log: "info".to_owned(),
            tls: Tls::default(),
            auth: Auth::default(),
            web: Web::default(),
            scim: Scim::default(),
            limits: Limits::default(),
            watch: Watch::default(),
            store: Store::default(),
            voice: Voice::default(),
            audit: Audit::default(),
            resolution_log: ResolutionLog::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        let hub = live::Settings::default();
        let ms = |time: Duration| time.as_millis().try_into().unwrap_or(u64::MAX);
        Self {
            quiet_ms: ms(hub.quiet),
            longest_ms: ms(hub.longest),
            bookmark_s: hub.bookmark.as_secs(),
            max_age_min: hub.max_age.as_secs() / 60,
            drain_window_s: hub.drain_window.as_secs(),
            drain_deadline_s: hub.drain_deadline.as_secs(),
            stalled_s: hub.stalled.as_secs(),
            max_streams: hub.max_streams.try_into().unwrap_or(u64::MAX),
        }
    }
}

/// Settings that have a flag; the names are those of [`Config`].
#[derive(Debug, Clone, Default, Serialize, clap::Args)]
pub struct Flags {
    /// Where to listen, e.g. `127.0.0.1:7700,unix:/run/deskplane.sock`, or `systemd`; port 0 means a
    /// free one.
    #[arg(long, value_name = "ENDPOINTS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<List<Endpoint>>,
    /// Address and port for probes and metrics, e.g. `127.0.0.1:9700`; none without.
    #[arg(long, value_name = "ADDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// Folder of the embedded store; made when it is not there.
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// What to log; the flag `--log` stands at the program.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Flags of voice.
    #[command(flatten)]
    #[serde(skip_serializing_if = "voice::Flags::is_empty")]
    pub voice: voice::Flags,
}

/// Where settings come from, beside the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// Variables of the environment.
    pub env: Vec<(OsString, OsString)>,
    /// Flags of the command line.
    pub flags: Flags,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

impl Config {
    /// Reads all sources and judges the outcome.
    pub fn load(sources: &Sources) -> Result<Self, Mistakes> {
        let one = |error: figment::Error| Mistakes(vec![error.to_string()]);
        let defaults = Figment::from(Serialized::defaults(Self::default()));
        let known = layer::leaves(&defaults.extract::<Dict>().map_err(one)?);
        let mut given = Figment::new();
        if let Some(file) = &sources.file {
            given = given.merge(Toml::file_exact(file));
        }
        let mut mistakes = Vec::new();
        given = given.merge(Layer::environment(&sources.env, &known, &mut mistakes));
        let flags = Value::serialize(&sources.flags).map_err(one)?;
        given = given.merge(Layer::flags(flags.into_dict().unwrap_or_default()));

        for (key, value) in layer::leaves(&given.extract::<Dict>().map_err(one)?) {
            let alone = defaults.clone().merge(Layer::single(&key, value));
            let problem = match alone.extract::<Self>() {
                _ if !known.contains_key(&key) => "there is no such setting".to_owned(),
                Err(error) => error.kind.to_string(),
                Ok(_) => continue,
            };
            let source = given.find_metadata(&key).map(layer::describe).unwrap_or_default();
            mistakes.push(format!("`{key}`{source}: {problem}"));
        }
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes));
        }
        let config = defaults.merge(given).extract::<Self>().map_err(one)?;
        config.check()
    }

    /// The JSON Schema of a configuration file, with a default and a meaning for each setting.
    pub fn schema() -> Schema {
        schema::schema::<Self>()
    }

    /// The configuration as a file that [`Config::load`] reads.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// What is kept of reads, refusals and deliveries, for the server.
    pub fn audit(&self) -> crate::audit::Settings {
        audit::settings(&self.audit, &self.resolution_log)
    }

    /// Judges what no single value shows.
    fn check(self) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        if self.listen.0.is_empty() {
            mistakes.push("`listen`: must name where to listen".to_owned());
        }
        let open = !self.auth.is_configured() && !self.auth.anonymous;
        for endpoint in self.listen.0.iter().filter(|endpoint| open && endpoint.is_remote()) {
            mistakes.push(format!(
                "`listen`: {endpoint} can be reached from other machines, and without credentials \
                 every caller is an administrator. Configure some (`auth.issuers`, `auth.tokens`, \
                 `auth.certificates`), or use a loopback address such as 127.0.0.1:7700"
            ));
        }
        self.tls.check(&mut mistakes);
        self.auth.check(self.tls.client_ca.is_some(), &mut mistakes);
        if self.data_dir.as_os_str().is_empty() {
            mistakes.push("`data_dir`: must name a folder".to_owned());
        }
        if let Err(error) = crate::telemetry::filter(&self.log) {
            mistakes.push(format!("`log`: {error}"));
        }
        self.watch.check(&mut mistakes);
        self.voice.check(&mut mistakes);
        self.scim.check(&mut mistakes);
        self.telemetry.check(&mut mistakes);
        schema::check_ranges(&self, &mut mistakes);
        mistakes.sort();
        if mistakes.is_empty() { Ok(self) } else { Err(Mistakes(mistakes)) }
    }
}

impl Watch {
    fn check(&self, mistakes: &mut Vec<String>) {
        if self.longest_ms != 0 && self.longest_ms < self.quiet_ms {
            mistakes.push(format!(
                "`watch.longest_ms`: {} is less than `watch.quiet_ms`, {}",
                self.longest_ms, self.quiet_ms
            ));
        }
    }

    /// The times, for the hub.
    pub fn settings(&self) -> live::Settings {
        live::Settings {
            quiet: Duration::from_millis(self.quiet_ms),
            longest: Duration::from_millis(self.longest_ms),
            bookmark: Duration::from_secs(self.bookmark_s),
            max_age: Duration::from_secs(self.max_age_min * 60),
            drain_window: Duration::from_secs(self.drain_window_s),
            drain_deadline: Duration::from_secs(self.drain_deadline_s),
            stalled: Duration::from_secs(self.stalled_s),
            max_streams: self.max_streams.try_into().unwrap_or(usize::MAX),
        }
    }
}
