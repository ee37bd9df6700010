//! Names of the variables of the environment.

/// What the name of every environment variable of the program begins with.
pub const PREFIX: &str = "DESKPLANE_";

/// Variables that are no settings of the server, without the prefix: the command line, the key ring
/// and tests read them.
pub(super) const NO_SETTING: &[&str] = &[
    "CONFIG",
    "SERVER",
    "USER",
    "SCOPES",
    "TOKEN",
    "TOKEN_FILE",
    "TLS_CA",
    "TLS_CERT",
    "TLS_KEY",
    "CASES_DIR",
    "KEY_RING",
];

/// What the names of variables begin with that secrets of providers refer to, without the prefix.
pub(super) const SECRET: &str = "SECRET_";
