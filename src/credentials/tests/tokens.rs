//! Opaque tokens and their file.

use std::fs;

use super::world::*;
use crate::{
    credentials::{Credentials, NewToken, Settings, TokenFile, TokenFileError},
    domain::{Scope, Scopes, Time, UserId},
};

fn new(name: &str) -> NewToken {
    let scopes = Some(Scopes::of(&[Scope::Reader]));
    NewToken { name: name.to_owned(), scopes, user: None, expires: None }
}

fn at(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

#[tokio::test]
async fn a_token_lives_from_its_making_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let (file, hands) = (TokenFile::new(path.clone()), Hands::new());
    let settings = Settings { tokens: Some(path.clone()), ..Settings::default() };
    let credentials = Credentials::load(settings, hands.clock()).unwrap();
    assert!(credentials.are_required(), "a file that is not there yet is an empty one");

    let ci = file.add(new("ci"), at(NOW)).unwrap();
    let user = Some(UserId::parse("Ann").unwrap());
    let ann = NewToken { user, scopes: None, expires: Some(at(NOW + 10)), ..new("ann") };
    let ann = file.add(ann, at(NOW)).unwrap();
    assert!(ci.starts_with("dsk_") && ci.len() == 47 && *ci != *ann, "{} characters", ci.len());
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&ci[4..]) && !text.contains(&ann[4..]));

    assert_eq!(judge(&credentials, &ci).await, Err("CREDENTIAL_INVALID TOKEN_UNKNOWN".to_owned()));
    credentials.reload();
    assert_eq!(judge(&credentials, &ci).await, Ok("token:ci".to_owned()));
    assert_eq!(judge(&credentials, &ann).await, Ok("Ann".to_owned()));
    hands.set(NOW + 10);
    assert_eq!(judge(&credentials, &ann).await, Err("TOKEN_EXPIRED".to_owned()));

    credentials.close();
    let uses = file.uses().unwrap();
    assert_eq!(uses["ci"], at(NOW).to_string());
    assert_eq!(uses.len(), 2);

    let mut changes = credentials.changes().unwrap();
    changes.mark_unchanged();
    file.remove("ann").unwrap();
    credentials.reload();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    credentials.reload();
    assert!(!changes.has_changed().unwrap(), "nothing changed");
    assert_eq!(judge(&credentials, &ci).await, Ok("token:ci".to_owned()));
    assert_eq!(judge(&credentials, &ann).await, Err("CREDENTIAL_INVALID TOKEN_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let file = TokenFile::new(path.clone());
    let token = file.add(new("ci"), at(NOW)).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let settings = Settings { tokens: Some(path.clone()), ..Settings::default() };
    let credentials = Credentials::load(settings.clone(), Hands::new().clock()).unwrap();
    let bad = [
        good[..good.len() / 2].to_owned(),
        good.replace("\"format\": 1", "\"format\": 2"),
        good.replace("reader", "emperor"),
        good.replace("\"name\"", "\"nome\""),
        good.replace("\"ci\"", "\"c i\""),
        String::new(),
    ];
    for text in bad {
        fs::write(&path, &text).unwrap();
        credentials.reload();
        assert_eq!(judge(&credentials, &token).await, Ok("token:ci".to_owned()), "{text}");
        let start = Credentials::load(settings.clone(), Hands::new().clock()).unwrap_err();
        assert!(start.to_string().contains("tokens.json"), "{start}");
        assert!(file.add(new("other"), at(NOW)).is_err(), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is left for a person to mend");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_change_is_refused() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let file = TokenFile::new(path.clone());
    drop(file.add(new("ci"), at(NOW)).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = file.read().unwrap_err();
        assert!(matches!(refused, TokenFileError::File(_)), "{mode:o}: {refused}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(file.read().unwrap().len(), 1);
}

#[test]
fn names_are_unique_and_legal() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::new(folder.path().join("tokens.json"));
    drop(file.add(new("ci"), at(NOW)).unwrap());
    assert!(matches!(file.add(new("ci"), at(NOW)), Err(TokenFileError::NameTaken(_))));
    for name in ["", "c i", "c/i", &"a".repeat(65), "\u{e9}"] {
        assert!(matches!(file.add(new(name), at(NOW)), Err(TokenFileError::Name(_))), "{name}");
    }
    assert!(matches!(file.remove("other"), Err(TokenFileError::NoSuchToken(_))));
    let record = file.read().unwrap().remove(0);
    assert_eq!((record.name.as_str(), record.created), ("ci", at(NOW)));
}
