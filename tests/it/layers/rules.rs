//! What may import what, and what does not hold yet: each row is checked to be needed.

/// Every module of the first level, with those that its files may import beside their own.
pub(super) const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Rules of single fields parse slugs and expressions.
    ("domain", &["render"]),
    ("descriptors", &[]),
    ("process", &[]),
    ("executor", &[]),
    ("tasks", &[]),
    ("trace", &[]),
    // Requests carry the certificates of their connection, as credentials are made of them.
    ("transport", &["auth", "executor", "process", "secrets", "tasks"]),
    ("web", &[]),
    ("clock", &["domain"]),
    ("render", &[]),
    ("catalog", &["domain"]),
    ("resolve", &["catalog", "domain"]),
    ("content", &["catalog", "domain", "render"]),
    ("impact", &["catalog", "content", "domain", "resolve"]),
    ("command", &["catalog", "content", "domain", "impact", "render"]),
    ("auth", &["catalog", "domain"]),
    ("secrets", &["catalog", "domain"]),
    ("credentials", &["auth", "clock", "domain", "secrets", "tasks"]),
    ("transfer", &["catalog", "command", "domain"]),
    ("store", &["domain"]),
    ("audit", &["clock", "domain", "store", "tasks"]),
    ("history", &["domain", "store"]),
    (
        "ledger",
        &["catalog", "clock", "command", "domain", "history", "impact", "store", "tasks", "trace"],
    ),
    ("read", &["catalog", "content", "domain", "resolve"]),
    (
        "live",
        &[
            "catalog", "clock", "content", "domain", "executor", "impact", "ledger", "read",
            "resolve", "store", "tasks",
        ],
    ),
    (
        "voice",
        &[
            "audit", "catalog", "clock", "command", "domain", "live", "resolve", "secrets",
            "store", "tasks", "trace",
        ],
    ),
    (
        "service",
        &[
            "audit",
            "auth",
            "catalog",
            "clock",
            "command",
            "content",
            "credentials",
            "descriptors",
            "domain",
            "history",
            "impact",
            "ledger",
            "live",
            "read",
            "render",
            "resolve",
            "secrets",
            "trace",
            "transfer",
            "voice",
        ],
    ),
    (
        "scim",
        &[
            "audit",
            "auth",
            "catalog",
            "clock",
            "command",
            "credentials",
            "domain",
            "ledger",
            "trace",
        ],
    ),
    (
        "server",
        &[
            "audit",
            "auth",
            "clock",
            "command",
            "credentials",
            "domain",
            "ledger",
            "live",
            "read",
            "scim",
            "secrets",
            "service",
            "store",
            "tasks",
            "trace",
            "transport",
            "voice",
            "web",
        ],
    ),
    (
        "config",
        &[
            "audit",
            "auth",
            "command",
            "credentials",
            "domain",
            "live",
            "process",
            "scim",
            "secrets",
            "store",
            "telemetry",
            "transport",
            "voice",
            "web",
        ],
    ),
    ("telemetry", &["process", "tasks", "trace"]),
    // A client of the public API, and what starts a server or looks after its folder.
    (
        "cli",
        &[
            "audit",
            "auth",
            "clock",
            "config",
            "credentials",
            "descriptors",
            "domain",
            "live",
            "process",
            "secrets",
            "server",
            "store",
            "tasks",
            "telemetry",
            "trace",
            "transport",
            "voice",
        ],
    ),
];

/// What a vendor of the package of voice providers imports of that package: none knows another one.
pub(super) const VENDORS: &[&str] = &["asterisk", "external", "fake", "twilio", "widget"];

/// The files of the command line that start a server or look after the folder of one; the others
/// speak to a server as any client does.
pub(super) const HOSTS: (&[&str], &[&str]) = (
    &["serve", "demo", "backup", "restore", "doctor", "token"],
    &["audit", "auth", "clock", "credentials", "live", "server", "store", "tasks", "voice"],
);

/// The file of the command line that reads the list of kinds and their field tables, which are data.
pub(super) const KINDS: &str = "deskplane::cli::kind";

/// Modules that do nothing but compute.
pub(super) const PURE: &[&str] =
    &["domain", "catalog", "resolve", "content", "impact", "render", "command", "auth", "transfer"];

/// What they name nothing of: I/O, executors, the network, clocks and chance.
pub(super) const IMPURE: &[&str] = &[
    "fastrand",
    "getrandom",
    "hyper",
    "reqwest",
    "sled",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "tonic",
    "uuid::Uuid::new_v4",
];

/// What reads a status, or takes the one that `service::status` makes of a refusal.
pub(super) const MAKES_NO_STATUS: &[&str] = &["code", "from", "from_header_map", "message"];

/// The modules that make one: the table of refusals, and both ends that speak to other servers.
pub(super) const MAKES_STATUS: &[&str] =
    &["deskplane::service::status", "deskplane::cli", "deskplane_providers::external"];

/// What is named in few places only: the path, and the modules that may.
pub(super) const ONLY_IN: &[(&str, &[&str])] = &[
    ("chacha20poly1305", &["deskplane::secrets::vault"]),
    (
        "deskplane_proto",
        &[
            // The table of access is expanded from the table of RPCs; it knows no message.
            "deskplane::auth::table",
            "deskplane::cli",
            "deskplane::content",
            "deskplane::descriptors",
            "deskplane::server",
            "deskplane::service",
            "deskplane_providers::external",
        ],
    ),
    // What an adapter can do is no concern of the rules; pure layers know their kinds alone.
    (
        "deskplane_providers",
        &[
            "deskplane::catalog",
            "deskplane::cli",
            "deskplane::command::library::provider",
            "deskplane::config",
            // The guarded way to other servers.
            "deskplane::credentials",
            "deskplane::ledger",
            "deskplane::server",
            "deskplane::service::convert::voice",
            "deskplane::service::voice",
            "deskplane::voice",
        ],
    ),
    (
        "metrics",
        &[
            "deskplane::transport::meters",
            "deskplane::server::gate::meters",
            "deskplane::server::monitor",
            "deskplane::server::shed",
            "deskplane::store::durable::meters",
        ],
    ),
    ("metrics_exporter_prometheus", &["deskplane::server::monitor"]),
    ("sled", &["deskplane::store::durable::index"]),
];

/// Files that see both generated messages and domain types, beside `service::convert`, each with
/// its reason. What it names of messages has to become an argument of a conversion.
pub(super) const SEE_BOTH: &[(&str, &str)] = &[
    ("deskplane::service::audit", "written by hand: like no other call"),
    ("deskplane::service::agent", "written by hand: like no other call"),
    ("deskplane::service::fleet", "written by hand: like no other call"),
    ("deskplane::service::history", "written by hand: like no other call"),
    ("deskplane::service::history::feed", "written by hand: like no other call"),
    ("deskplane::service::identity", "written by hand: like no other call"),
    ("deskplane::service::insight", "written by hand: like no other call"),
    ("deskplane::service::preview", "written by hand: like no other call"),
    ("deskplane::service::transfer", "written by hand: a bundle comes and goes in pieces"),
    ("deskplane::service::transfer::export", "cuts what goes into messages"),
    ("deskplane::service::transfer::upload", "puts together what came in messages"),
    ("deskplane::service::voice", "written by hand: like no other call"),
];
