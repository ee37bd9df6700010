//! What looks like a credential in a text that every agent can read (SPEC §3.11).

/// Words that stand before a credential, in lower case.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "apikey",
    "api_key",
    "api-key",
    "privatekey",
    "private_key",
    "private-key",
    "accesstoken",
    "access_token",
    "access-token",
    "bearer",
];

/// Where a text names a credential and goes on as if to give it, in characters.
pub(super) fn find(text: &str) -> Option<usize> {
    let folded: String = text.chars().map(fold).collect();
    let first = WORDS
        .iter()
        .flat_map(|word| folded.match_indices(word))
        .filter(|(at, word)| gives_a_value(&folded[at + word.len()..]))
        .map(|(at, _)| at)
        .min()?;
    Some(folded[..first].chars().count())
}

/// Lower case, with the two letters that equal an ASCII letter when case is ignored.
fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

/// Whether a closing quote and blanks may be followed by `=`, `:` or, at once, a space.
fn gives_a_value(rest: &str) -> bool {
    let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let value = rest.trim_start();
    let blanks = &rest[..rest.len() - value.len()];
    blanks.contains(' ') || value.starts_with(['=', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_credential_and_its_value_are_seen() {
        for (text, at) in [
            ("", None),
            ("region=eu", None),
            ("password", None),
            ("password-reset=on", None),
            ("passwords=3", None),
            ("secretary: Ann", None),
            ("tokens=5", None),
            ("secret\n", None),
            ("secret\"'=x", None),
            ("password=x", Some(0)),
            ("PassWord : x", Some(0)),
            ("{\"user\":\"u\",\"passwd\":\"x\"}", Some(13)),
            ("'secret' = x", Some(1)),
            ("clientSecret=x", Some(6)),
            ("my secret is safe", Some(3)),
            ("apikey:1", Some(0)),
            ("api_key:1", Some(0)),
            ("x-api-key: 1", Some(2)),
            ("api.key=1", None),
            ("privatekey=1", Some(0)),
            ("private_key=1", Some(0)),
            ("private-key=1", Some(0)),
            ("accesstoken=1", Some(0)),
            ("access_token\n\t=1", Some(0)),
            ("access-token=1", Some(0)),
            ("Authorization: Bearer abc", Some(15)),
            ("bearer\tabc", None),
            ("\u{fc} \u{17f}ecret=1", Some(2)),
            ("api\u{212a}ey=1", Some(0)),
            ("api_\u{212a}ey=1", Some(0)),
            ("secretsecret=1", Some(6)),
        ] {
            assert_eq!(find(text), at, "{text:?}");
        }
    }
}
