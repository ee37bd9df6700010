//! The token of a caller.

use std::{fmt, fs, path::PathBuf};

use tonic::metadata::{Ascii, MetadataValue};

use super::super::{Error, Result, address::Address};

/// Where the token of a caller comes from.
#[derive(Clone, Default, clap::Args)]
pub struct Bearer {
    /// Bearer token to call with: a JWT, or an opaque token of the server. Better given by the
    /// variable or a file, for other users of this machine see command lines.
    #[arg(
        long,
        global = true,
        help_heading = super::super::GLOBAL,
        env = "DESKPLANE_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub token: Option<String>,
    /// File with the bearer token.
    #[arg(
        long,
        global = true,
        help_heading = super::super::GLOBAL,
        env = "DESKPLANE_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "token"
    )]
    pub token_file: Option<PathBuf>,
}

/// Leaves out the token.
impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer")
            .field("token", &self.token.as_ref().map(|_| "[redacted]"))
            .field("token_file", &self.token_file)
            .finish()
    }
}

impl Bearer {
    /// The value of `authorization`; no token goes where others can read it on the way.
    pub(super) fn header(&self, address: &Address) -> Result<Option<MetadataValue<Ascii>>> {
        let (option, token) = match (&self.token, &self.token_file) {
            (Some(token), _) => ("--token", token.clone()),
            (None, Some(path)) => {
                let read = fs::read_to_string(path);
                let unreadable = |why| {
                    Error::Usage(format!("--token-file: {} cannot be read: {why}", path.display()))
                };
                ("--token-file", read.map_err(unreadable)?)
            }
            (None, None) => return Ok(None),
        };
        if address.is_exposed() {
            return Err(Error::Usage(format!(
                "{option}: {address} is not encrypted, so others could read the token on its way; \
                 use https"
            )));
        }
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.trim())
            .parse()
            .map_err(|_| Error::Usage(format!("{option}: this is no token")))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::address::Scheme;
    use super::*;

    fn to(server: &str) -> Address {
        Address::parse("--server", server, &Scheme::ALL).unwrap()
    }

    #[test]
    fn a_token_goes_only_where_nobody_reads_it_on_the_way() {
        let bearer = Bearer { token: Some(" dsk_abc\n".into()), token_file: None };
        for server in ["https://desk.example.com", "http://127.0.0.1:7700", "unix:/run/d.sock"] {
            let header = bearer.header(&to(server)).unwrap().unwrap();
            assert_eq!(header.to_str().unwrap(), "Bearer dsk_abc", "{server}");
        }
        let refused = bearer.header(&to("http://desk.example.com")).unwrap_err();
        assert!(refused.exit_code() == 2 && !refused.to_string().contains("abc"), "{refused}");
        assert!(!format!("{bearer:?}").contains("abc"));
    }

    #[test]
    fn a_token_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let bearer = Bearer { token: None, token_file: Some(path.clone()) };
        let missing = bearer.header(&to("http://127.0.0.1:1")).unwrap_err();
        assert!(missing.to_string().contains("--token-file"), "{missing}");
        fs::write(&path, "a.b.c\n").unwrap();
        let header = bearer.header(&to("http://127.0.0.1:1")).unwrap().unwrap();
        assert_eq!(header.to_str().unwrap(), "Bearer a.b.c");
        fs::write(&path, "a\nb").unwrap();
        assert!(bearer.header(&to("http://127.0.0.1:1")).is_err());
    }
}
