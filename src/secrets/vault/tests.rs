use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{super::file::tests::write_secret, *};
use crate::domain::{
    Change, Object, Time, provider::ChannelProvider, settings::Settings as Organisation,
};

const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
const OTHER: &str = "old:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

fn environment(pairs: &[(&str, &str)]) -> Environment {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let map: HashMap<String, String> = pairs.iter().map(own).collect();
    Environment::new(move |name| map.get(name).cloned())
}

fn vault(ring: &str) -> Vault {
    let environment = environment(&[(KEY_RING_VARIABLE, ring)]);
    Vault::new(Settings { environment, ..Settings::default() }).unwrap()
}

fn stored(value: SecretValue) -> StoredSecret {
    StoredSecret { set_time: Time::default(), value }
}

fn one(name: &str, value: SecretValue) -> BTreeMap<String, StoredSecret> {
    BTreeMap::from([(name.to_owned(), stored(value))])
}

fn opens_as(vault: &Vault, provider: &str, name: &str, sealed: &Sealed) -> Result<String, Cause> {
    let secrets = vault.open(provider, &one(name, SecretValue::Sealed(sealed.clone())));
    let secrets = secrets.map_err(|error| {
        assert_eq!((&*error.provider, &*error.secret), (provider, name));
        error.cause
    })?;
    Ok(secrets[name].as_str().to_owned())
}

/// A catalog with one provider that has these secrets.
fn catalog(secrets: &BTreeMap<String, StoredSecret>) -> Catalog {
    let seeded = crate::catalog::builtin::objects(1, Time::default());
    let catalog = Catalog::from_objects(seeded, 1, Time::default());
    let built_in = catalog.tables.providers.iter().next().unwrap();
    let mut provider = ChannelProvider::clone(built_in);
    provider.secrets.clone_from(secrets);
    catalog.apply(&[Change::Put(Object::Provider(Arc::new(provider)))], 2, Time::default())
}

#[test]
fn the_cipher_is_the_published_one() {
    // draft-irtf-cfrg-xchacha-03, A.3.1; the nonce stands in front.
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
    let nonce: Vec<u8> = (0x40..0x58).collect();
    let text = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
                731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
                2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
                21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    let digits = text.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
    let text = digits.map(|two| u8::from_str_radix(two, 16).unwrap());
    let sealed: Vec<u8> = nonce.into_iter().chain(text).collect();
    let plain = envelope::decrypt(&key, &aad, &sealed).unwrap();
    let expected = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
                    the future, sunscreen would be it.";
    assert_eq!(plain.as_slice(), expected.as_bytes());
}

#[test]
fn a_secret_opens_where_it_belongs_and_nowhere_else() {
    let vault = vault(OLD);
    for plain in ["", "x", "p\u{e4}ss\nword", &"y".repeat(MAX_SECRET)] {
        let sealed = vault.seal("contoso_Voice", "token", plain).unwrap();
        assert_eq!(sealed.key, "old");
        let again = vault.seal("contoso_voice", "token", plain).unwrap();
        assert!(sealed.data != again.data && sealed.wrapped != again.wrapped);
        for name in ["contoso_Voice", "CONTOSO_VOICE"] {
            assert_eq!(opens_as(&vault, name, "token", &sealed).unwrap(), plain);
        }
        for (provider, name) in [("contoso_other", "token"), ("contoso_voice", "pin")] {
            assert_eq!(opens_as(&vault, provider, name, &sealed), Err(Cause::Damaged));
        }
    }
}

#[test]
fn no_byte_of_a_sealed_secret_can_change() {
    let vault = vault(OLD);
    let sealed = vault.seal("contoso_voice", "token", "hunter2").unwrap();
    let flipped = |text: &str, at: usize, bit: u8| {
        let mut bytes = STANDARD.decode(text).unwrap();
        bytes[at] ^= 1 << bit;
        STANDARD.encode(bytes)
    };
    let (data, wrapped) = (STANDARD.decode(&sealed.data), STANDARD.decode(&sealed.wrapped));
    for at in 0..data.unwrap().len() {
        for bit in 0..8 {
            let bad = Sealed { data: flipped(&sealed.data, at, bit), ..sealed.clone() };
            let outcome = opens_as(&vault, "contoso_voice", "token", &bad);
            assert_eq!(outcome, Err(Cause::Damaged), "{at}");
        }
    }
    for at in 0..wrapped.unwrap().len() {
        for bit in 0..8 {
            let bad = Sealed { wrapped: flipped(&sealed.wrapped, at, bit), ..sealed.clone() };
            let outcome = opens_as(&vault, "contoso_voice", "token", &bad);
            assert_eq!(outcome, Err(Cause::WrongKey("old".to_owned())), "{at}");
        }
    }
    for text in ["", "!", "AAAA"] {
        let bad = Sealed { data: text.to_owned(), ..sealed.clone() };
        assert_eq!(opens_as(&vault, "contoso_voice", "token", &bad), Err(Cause::Damaged));
        let bad = Sealed { wrapped: text.to_owned(), ..sealed.clone() };
        assert!(opens_as(&vault, "contoso_voice", "token", &bad).is_err());
    }
}

#[test]
fn a_missing_key_and_a_wrong_one_are_told_apart() {
    let sealed = vault(OLD).seal("contoso_voice", "token", "hunter2").unwrap();
    let outcome = |vault: &Vault| opens_as(vault, "contoso_voice", "token", &sealed).unwrap_err();
    assert_eq!(outcome(&vault(NEW)), Cause::KeyMissing("old".to_owned()));
    assert_eq!(outcome(&vault(OTHER)), Cause::WrongKey("old".to_owned()));
    assert_eq!(outcome(&Vault::default()), Cause::KeyMissing("old".to_owned()));

    let catalog = catalog(&one("token", SecretValue::Sealed(sealed)));
    let text = vault(OTHER).check(&catalog).unwrap_err().to_string();
    for part in ["msdyn_omnichannel", "token", "old", "wrong key"] {
        assert!(text.contains(part) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn rings_are_read_line_by_line() {
    let ring = KeyRing::read(&format!("# keys\n\n  {NEW}  \r\n{OLD}\n")).unwrap();
    assert_eq!(ring.primary().unwrap().id, "new");
    assert_eq!(format!("{ring:?}"), r#"["new", "old"]"#);
    for (text, why) in [
        (String::new(), "no key"),
        ("# none\n".to_owned(), "no key"),
        ("old".to_owned(), "line 1"),
        (format!("\n{}", OLD.replace("old", "")), "line 2"),
        (OLD.replace("old", "a b"), "line 1"),
        (OLD.replace("old", &"x".repeat(65)), "line 1"),
        (format!("{OLD}\n{OLD}"), "line 2"),
        ("old:AAAA".to_owned(), "32 bytes"),
        ("old:%%%".to_owned(), "32 bytes"),
    ] {
        let outcome = KeyRing::read(&text).unwrap_err().to_string();
        assert!(outcome.contains(why), "{text:?}: {outcome}");
        assert!(!outcome.contains("AAAA") && !outcome.contains("%%%"), "{outcome}");
    }
    let line = new_key("k.1_2-3").unwrap().unwrap();
    assert!(KeyRing::read(&line).is_ok() && line.starts_with("k.1_2-3:"));
    assert_ne!(line, new_key("k.1_2-3").unwrap().unwrap());
    assert_eq!(new_key("a:b").unwrap(), None);
}

#[test]
fn references_lead_to_few_places_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { secrets_dir: Some(folder.path().to_owned()), ..Settings::default() };
    let vault = Vault::new(settings).unwrap();
    for (value, good) in [
        ("env:DESKPLANE_SECRET_X", true),
        ("env:DESKPLANE_SECRET_", false),
        ("env:DESKPLANE_KEY_RING", false),
        ("env:HOME", false),
        ("env:desk_secret_x", false),
        ("env:DESKPLANE_SECRET_A=B", false),
        ("env:", false),
        ("file:token", true),
        ("file:twilio/token", true),
        ("file:", false),
        ("file:/etc/passwd", false),
        ("file:../token", false),
        ("file:a/../../token", false),
        ("file:./token", false),
        ("file:a\0b", false),
    ] {
        let kept = vault.keep("contoso_voice", "token", value);
        assert_eq!(kept.is_ok(), good, "{value}: {kept:?}");
        if good {
            assert_eq!(kept.unwrap(), SecretValue::Reference(value.to_owned()));
        }
    }
    assert!(vault.keep("contoso_voice", "token", &format!("file:{}", "x".repeat(1_024))).is_err());
    let outcome = vault.keep("contoso_voice", "token", "hunter2").unwrap_err();
    assert!(outcome.contains("voice.key_ring") && !outcome.contains("hunter2"), "{outcome}");
    let outcome = Vault::default().keep("contoso_voice", "token", "file:token").unwrap_err();
    assert!(outcome.contains("voice.secrets_dir"), "{outcome}");
}

fn read(folder: Option<&Path>, reference: &str) -> Result<String, Cause> {
    let settings = Settings {
        secrets_dir: folder.map(Path::to_owned),
        environment: environment(&[
            ("DESKPLANE_SECRET_X", "from env"),
            ("DESKPLANE_SECRET_EMPTY", ""),
        ]),
        ..Settings::default()
    };
    let secrets = one("token", SecretValue::Reference(reference.to_owned()));
    let opened = Vault::new(settings).unwrap().open("contoso_voice", &secrets);
    opened.map(|s| s["token"].as_str().to_owned()).map_err(|e| e.cause)
}

#[test]
fn references_are_read_when_they_are_used() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("secrets");
    fs::create_dir_all(folder.join("in")).unwrap();
    fs::write(outside.path().join("other"), "hidden").unwrap();
    for (name, text) in [
        ("plain", "token".to_owned()),
        ("line", "token\n".to_owned()),
        ("dos", "token\r\n".to_owned()),
        ("two", "token\n\n".to_owned()),
        ("in/deep", "deep".to_owned()),
        ("empty", "\n".to_owned()),
        ("most", format!("{}\n", "x".repeat(MAX_SECRET))),
        ("more", "x".repeat(MAX_SECRET + 1)),
    ] {
        write_secret(folder.join(name), text);
    }
    write_secret(folder.join("binary"), [0xff, 0xfe]);
    std::os::unix::fs::symlink("in/deep", folder.join("link")).unwrap();
    std::os::unix::fs::symlink("../other", folder.join("out")).unwrap();
    let read = |reference: &str| read(Some(&folder), reference);
    for (name, expected) in [
        ("plain", "token"),
        ("line", "token"),
        ("dos", "token"),
        ("two", "token\n"),
        ("in/deep", "deep"),
        ("link", "deep"),
    ] {
        assert_eq!(read(&format!("file:{name}")).as_deref(), Ok(expected), "{name}");
    }
    assert_eq!(read("file:most").unwrap().len(), MAX_SECRET);
    for name in ["empty", "more", "binary", "out", "in"] {
        let outcome = read(&format!("file:{name}"));
        assert!(matches!(outcome, Err(Cause::Unfit(_))), "{name}: {outcome:?}");
    }
    let mode = |mode| fs::set_permissions(folder.join("plain"), fs::Permissions::from_mode(mode));
    mode(0o644).unwrap();
    let exposed = read("file:plain");
    assert!(matches!(&exposed, Err(Cause::Exposed(text)) if text.contains("0644")), "{exposed:?}");
    assert_eq!(read("file:none"), Err(Cause::Unreadable(io::ErrorKind::NotFound)));
    // What was stored before is checked as well.
    assert_eq!(read("file:../other"), Err(Cause::Damaged));
    assert_eq!(read("env:HOME"), Err(Cause::Damaged));
    assert_eq!(super::tests::read(None, "file:plain"), Err(Cause::NoFolder));

    assert_eq!(read("env:DESKPLANE_SECRET_X").as_deref(), Ok("from env"));
    // Set to nothing is not set.
    for unset in ["DESKPLANE_SECRET_EMPTY", "DESKPLANE_SECRET_NONE"] {
        assert_eq!(read(&format!("env:{unset}")), Err(Cause::Unset(unset.to_owned())));
    }
}

#[test]
fn the_ring_lies_outside_of_the_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let ring = folder.path().join("ring");
    write_secret(&ring, OLD);
    let (key_ring, secrets_dir) = (Some(ring), Some(folder.path().to_owned()));
    let exposed = Settings { key_ring: key_ring.clone(), secrets_dir, ..Settings::default() };
    assert!(Vault::new(exposed).unwrap_err().to_string().contains("secrets_dir"));
    assert!(Vault::new(Settings { key_ring, ..Settings::default() }).is_ok());
    let missing = Settings { key_ring: Some(folder.path().join("none")), ..Settings::default() };
    assert!(Vault::new(missing).unwrap_err().to_string().contains("none"));
}

#[test]
fn a_ring_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ring = folder.path().join("ring");
    write_secret(&ring, OLD);
    let settings = Settings { key_ring: Some(ring.clone()), ..Settings::default() };
    let vault = Vault::new(settings.clone()).unwrap();
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o644)).unwrap();
    for refused in [
        Vault::new(settings).unwrap_err().to_string(),
        vault.rotate(&Catalog::empty()).unwrap_err().to_string(),
    ] {
        assert!(refused.contains("ring") && refused.contains("0644"), "{refused}");
    }
}

#[test]
fn rotation_moves_everything_to_the_first_key() {
    let folder = tempfile::tempdir().unwrap();
    let ring = folder.path().join("ring");
    write_secret(&ring, OLD);
    let settings = Settings { key_ring: Some(ring.clone()), ..Settings::default() };
    let vault = Vault::new(settings).unwrap();
    let of = "msdyn_omnichannel";
    let sealed = vault.seal(of, "token", "hunter2").unwrap();
    let mut secrets = one("token", SecretValue::Sealed(sealed.clone()));
    let reference = SecretValue::Reference("env:DESKPLANE_SECRET_X".to_owned());
    secrets.insert("pin".to_owned(), stored(reference));
    let before = catalog(&secrets);
    assert_eq!(vault.rotate(&before).unwrap(), [], "all on the primary key");

    write_secret(&ring, NEW);
    let refused = vault.rotate(&before).unwrap_err().to_string();
    assert!(refused.contains("key old is not in the key ring"), "{refused}");
    write_secret(&ring, "no ring");
    assert!(matches!(vault.rotate(&before), Err(RotateError::Ring(_))));
    assert_eq!(vault.seal(of, "token", "x").unwrap().key, "old", "the ring stayed");

    write_secret(&ring, format!("{NEW}\n{OLD}\n"));
    let resealed = vault.rotate(&before).unwrap();
    let [one_of] = resealed.as_slice() else { panic!("{resealed:?}") };
    assert_eq!((&*one_of.provider, &*one_of.secret, &one_of.old), (of, "token", &sealed));
    assert_eq!((&*one_of.new.key, &one_of.new.data), ("new", &sealed.data));
    assert_eq!(vault.seal(of, "token", "x").unwrap().key, "new");

    secrets.insert("token".to_owned(), stored(SecretValue::Sealed(one_of.new.clone())));
    let after = catalog(&secrets);
    assert_eq!(vault.rotate(&after).unwrap(), []);
    write_secret(&ring, NEW);
    assert_eq!(vault.rotate(&after).unwrap(), []);
    assert_eq!(opens_as(&vault, of, "token", &one_of.new).unwrap(), "hunter2");
}

#[test]
fn fingerprints_depend_on_the_key_of_the_store_and_not_on_the_ring() {
    let (old, new) = (vault(OLD), vault(&format!("{NEW}\n{OLD}")));
    let key = old.new_fingerprint_key().unwrap().unwrap();
    let of =
        |vault: &Vault, key: &Sealed, request: &[u8]| vault.fingerprint(Some(key), request).current;
    assert_eq!(of(&old, &key, b"a"), of(&new, &key, b"a"));
    assert_ne!(of(&old, &key, b"a"), of(&old, &key, b"b"));

    // Rotation puts the key under another one of the ring.
    let mut catalog = Catalog::empty();
    let settings = Organisation::clone(&catalog.settings);
    catalog.settings = Arc::new(Organisation { fingerprint_key: Some(key.clone()), ..settings });
    let [resealed] = &new.rotate(&catalog).unwrap()[..] else { panic!("one key") };
    assert_eq!((&*resealed.provider, &resealed.old), (SETTINGS, &key));
    assert_eq!(of(&vault(NEW), &resealed.new, b"a"), of(&old, &key, b"a"));
    // A ring without the key that it is under is not taken, but a server can start with it.
    assert!(matches!(vault(NEW).rotate(&catalog), Err(RotateError::Open(_))));
    assert!(vault(NEW).check(&catalog).is_ok() && !vault(NEW).opens_fingerprint_key(&key));
    assert!(new.opens_fingerprint_key(&key) && vault(NEW).opens_fingerprint_key(&resealed.new));

    // Another store has another key.
    let other = old.new_fingerprint_key().unwrap().unwrap();
    assert_ne!(of(&old, &key, b"a"), of(&old, &other, b"a"));
}

#[test]
fn what_was_hashed_before_the_store_had_a_key_is_recognised() {
    let before = vault(OLD).fingerprint(None, b"a").current;
    let unkeyed = Vault::default();
    assert_eq!(unkeyed.new_fingerprint_key().unwrap(), None, "without a ring");
    let unkeyed = unkeyed.fingerprint(None, b"a").current;
    let now = vault(&format!("{NEW}\n{OLD}"));
    let key = now.new_fingerprint_key().unwrap().unwrap();
    let known = now.fingerprint(Some(&key), b"a");
    assert!(known.former.contains(&before) && known.former.contains(&unkeyed));
    assert!(![before, unkeyed].contains(&known.current));
}

#[test]
fn nothing_prints_a_value() {
    let vault = vault(OLD);
    let sealed = vault.keep("contoso_voice", "token", "hunter2").unwrap();
    let SecretValue::Sealed(inner) = &sealed else { panic!("not sealed") };
    let reference = SecretValue::Reference("env:DESKPLANE_SECRET_X".to_owned());
    let text = format!("{vault:?} {sealed:?} {reference:?} {:?}", stored(sealed.clone()));
    for hidden in [&inner.data, &inner.wrapped, "hunter2", "SECRET_X", "AAEC"] {
        assert!(!text.contains(hidden), "{text}");
    }
    assert!(text.contains("old"), "{text}");
}
