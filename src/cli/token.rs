//! `token`: opaque tokens of a server, and JWTs for development.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::json;

use super::{Error, Format, Io, Result, output::table};
use crate::{
    auth::scope_named,
    clock::Clock,
    credentials::{NewToken, TokenFile},
    domain::{Scope, Scopes, Time, UserId},
    secrets::file::{self, Access},
};

/// Most bytes of the key of development.
const MAX_KEY: u64 = 16 << 10;
/// Id of the key of development.
const DEV_KEY_ID: &str = "dev";

/// What can be done with tokens.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes an opaque token and prints it; only its hash is kept.
    New(New),
    /// Lists the opaque tokens of a server.
    List(InFile),
    /// Takes an opaque token out: it is refused from then on, and its streams end.
    Revoke(Revoke),
    /// Prints a JWT for development, signed with a key on this machine.
    Dev(Dev),
}

/// The file of tokens.
#[derive(Debug, clap::Args)]
pub(super) struct InFile {
    /// File of tokens, the setting `auth.tokens` of the server; made when it is not there.
    #[arg(long, env = "DESKPLANE_AUTH__TOKENS", value_name = "FILE")]
    file: PathBuf,
}

/// Whom a token stands for.
#[derive(Debug, clap::Args)]
pub(super) struct Holder {
    /// The user for whom the token stands.
    #[arg(long = "for", value_name = "USER")]
    user: Option<String>,
    /// What the caller may do: admin, reader, agent, service, directory; comma list. Without it, what
    /// the user's roles grant.
    #[arg(long, value_name = "SCOPES", required_unless_present = "user")]
    grant: Option<String>,
}

/// Arguments of `token new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The token is printed once and kept nowhere. A server whose setting \
`auth.tokens` names the file takes it within two seconds; SIGHUP makes it look at once.")]
pub(super) struct New {
    /// Name by which audit and `token list` know it: 1 to 64 letters, digits, dots, dashes or
    /// underscores.
    name: String,
    #[command(flatten)]
    file: InFile,
    #[command(flatten)]
    holder: Holder,
    /// Days until it ends.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// It never ends.
    #[arg(long, conflicts_with = "days")]
    forever: bool,
}

/// Arguments of `token revoke`.
#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// Name of the token.
    name: String,
    #[command(flatten)]
    file: InFile,
}

/// Arguments of `token dev`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The key is made when it is not there, with its key set beside it, in \
FILE.jwks.json. A server takes these tokens by the section:

  [[auth.issuers]]
  issuer = \"deskplane-dev\"
  audiences = \"deskplane\"
  keys = \"FILE.jwks.json\"

Who has the key can be anybody: for development only.")]
pub(super) struct Dev {
    /// File of the private key.
    #[arg(long, value_name = "FILE", default_value = "deskplane-dev.pem")]
    key: PathBuf,
    #[command(flatten)]
    holder: Holder,
    /// Minutes until the token ends.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    minutes: u32,
    /// The claim `iss`.
    #[arg(long, value_name = "TEXT", default_value = "deskplane-dev")]
    issuer: String,
    /// The claim `aud`.
    #[arg(long, value_name = "TEXT", default_value = "deskplane")]
    audience: String,
}

/// Makes, lists or revokes tokens.
pub(super) fn run(command: Command, format: Format, io: &mut Io<'_>) -> Result<()> {
    match command {
        Command::New(args) => new(args, io),
        Command::List(args) => list(&args, format, io),
        Command::Revoke(args) => {
            let file = TokenFile::new(args.file.file);
            file.remove(&args.name).map_err(|why| Error::start("revoke the token", why))?;
            io.note(format!("revoked: {}", args.name))
        }
        Command::Dev(args) => dev(&args, io),
    }
}

fn new(args: New, io: &mut Io<'_>) -> Result<()> {
    let now = Clock::system().now();
    let (user, scopes) = args.holder.read()?;
    let expires = (!args.forever).then(|| after(now, u64::from(args.days) * 86_400));
    let token = NewToken { name: args.name, scopes, user, expires };
    let made = TokenFile::new(args.file.file).add(token, now);
    io.line(made.map_err(|why| Error::start("make a token", why))?.as_str())
}

fn list(args: &InFile, format: Format, io: &mut Io<'_>) -> Result<()> {
    let file = TokenFile::new(args.file.clone());
    let failed = |why| Error::start("list the tokens", why);
    let (records, uses) = (file.read().map_err(failed)?, file.uses().map_err(failed)?);
    let text = |time: Option<Time>| time.map(|time| time.to_string()).unwrap_or_default();
    let rows = records.iter().map(|record| {
        let scopes = record.scopes.map_or_else(|| "of roles".to_owned(), names);
        let user = record.user.as_ref().map(ToString::to_string).unwrap_or_default();
        let used = uses.get(&record.name).cloned().unwrap_or_default();
        [record.name.clone(), user, scopes, record.created.to_string(), text(record.expires), used]
    });
    if format != Format::Table {
        let keys = ["name", "user", "scopes", "created", "expires", "lastUsed"];
        let object = |row: [String; 6]| {
            let fields = keys.iter().zip(row).filter(|(_, value)| !value.is_empty());
            fields.map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
        };
        let rows: Vec<serde_json::Map<_, _>> = rows.map(object).collect();
        return io.value(format, &rows);
    }
    io.line(table(&["NAME", "USER", "SCOPES", "CREATED", "EXPIRES", "LAST USED"], rows))
}

fn dev(args: &Dev, io: &mut Io<'_>) -> Result<()> {
    let (user, scopes) = args.holder.read()?;
    let key = dev_key(&args.key, io)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let end = now + Duration::from_secs(u64::from(args.minutes) * 60);
    let mut claims = json!({
        "iss": args.issuer,
        "aud": args.audience,
        "sub": user.map_or_else(|| "deskplane-dev".to_owned(), |user| user.to_string()),
        "iat": now.as_secs(),
        "exp": end.as_secs(),
    });
    if let Some(scopes) = scopes {
        let scopes = names(scopes);
        let prefixed: Vec<_> =
            scopes.split(", ").map(|scope| format!("deskplane.{scope}")).collect();
        claims["scope"] = json!(prefixed.join(" "));
    }
    let header = Header { kid: Some(DEV_KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
    let token = jsonwebtoken::encode(&header, &claims, &key);
    io.line(token.map_err(|why| Error::start("sign the token", why))?)
}

impl Holder {
    fn read(&self) -> Result<(Option<UserId>, Option<Scopes>)> {
        let user = self.user.as_deref().map(|text| {
            UserId::parse(text).map_err(|rule| Error::Usage(format!("--for: a user id {rule}")))
        });
        let scopes = self.grant.as_deref().map(|text| {
            let names = text.split(',').map(str::trim);
            names.map(scope).collect::<Result<Vec<_>>>().map(|scopes| Scopes::of(&scopes))
        });
        Ok((user.transpose()?, scopes.transpose()?))
    }
}

fn scope(name: &str) -> Result<Scope> {
    scope_named(name).ok_or_else(|| {
        Error::Usage(format!("--grant: `{name}` is no scope that a credential may carry"))
    })
}

fn names(scopes: Scopes) -> String {
    let held = Scope::ALL.iter().filter(|scope| scopes.has(**scope));
    held.map(|scope| scope.as_str().to_ascii_lowercase()).collect::<Vec<_>>().join(", ")
}

fn after(now: Time, seconds: u64) -> Time {
    Time::from_micros(now.micros().saturating_add_unsigned(seconds * 1_000_000))
}

/// The key of development; made, with its key set beside it, when it is not there.
fn dev_key(path: &Path, io: &mut Io<'_>) -> Result<EncodingKey> {
    let failed =
        |why: &dyn std::fmt::Display| Error::start(&format!("use the key {}", path.display()), why);
    let read = |pem: &[u8]| EncodingKey::from_ec_pem(pem).map_err(|why| failed(&why));
    match file::read(path, Access::Secret, MAX_KEY) {
        Ok(pem) => return read(&pem),
        Err(error) if error.is_missing() => {}
        Err(error) => return Err(failed(&error.cause)),
    }
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let der = der.map_err(|why| failed(&why))?;
    let body = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    let key = read(pem.as_bytes())?;
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(|why| failed(&why))?;
    jwk.common.key_id = Some(DEV_KEY_ID.to_owned());
    let set = PathBuf::from(format!("{}.jwks.json", path.display()));
    let keys = serde_json::to_vec_pretty(&json!({ "keys": [jwk] }))?;
    write_secret(path, pem.as_bytes()).map_err(|why| failed(&why))?;
    write_trusted(&set, &keys)?;
    io.note(format!("made {} and {}", path.display(), set.display()))?;
    Ok(key)
}

/// Writes a file that its owner alone can read.
fn write_secret(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text)
}

/// Writes a file that everybody can read and its owner alone can change, whatever the process's mask.
fn write_trusted(path: &Path, text: &[u8]) -> std::io::Result<()> {
    fs::write(path, text)?;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(())
}
