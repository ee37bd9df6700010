use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use super::*;

/// Writes a file that its owner alone can read, for tests of what reads it.
pub(crate) fn write_secret(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// A file of that mode.
fn file(folder: &TempDir, name: &str, mode: u32) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, "secret\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn each_mode_is_judged_by_owner_and_use() {
    const USER: u32 = 7_700;
    for (mode, of_user, of_root, trusted) in [
        (0o400, true, true, true),
        (0o600, true, true, true),
        (0o700, true, true, true),
        (0o440, false, true, true),
        (0o640, false, true, true),
        (0o660, false, false, false),
        (0o620, false, false, false),
        (0o610, false, false, true),
        (0o644, false, false, true),
        (0o604, false, false, true),
        (0o601, false, false, true),
        (0o444, false, false, true),
        (0o646, false, false, false),
        (0o666, false, false, false),
        (0o777, false, false, false),
    ] {
        // The kind of the file is part of what the operating system says.
        for kind in [0, 0o100_000] {
            let may = |access, owner| permits(access, kind | mode, owner).is_ok();
            assert_eq!(may(Access::Secret, USER), of_user, "{mode:o} of a user");
            assert_eq!(may(Access::Secret, ROOT), of_root, "{mode:o} of root");
            assert_eq!(may(Access::Trusted, USER), trusted, "{mode:o} trusted");
            assert_eq!(may(Access::Trusted, ROOT), trusted, "{mode:o} trusted, of root");
        }
    }
}

#[test]
fn a_refusal_names_file_mode_and_remedy_and_nothing_of_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "key.pem", 0o644);
    let text = read(&path, Access::Secret, 100).unwrap_err().to_string();
    for part in ["key.pem", "0644", "0600"] {
        assert!(text.contains(part) && !text.contains("secret"), "{text}");
    }
    assert!(read(&path, Access::Trusted, 100).is_ok() && exposure(&path, Access::Secret).is_some());
    let path = file(&folder, "tokens.json", 0o664);
    let text = read(&path, Access::Trusted, 100).unwrap_err().to_string();
    assert!(text.contains("tokens.json") && text.contains("0664"), "{text}");
    let path = file(&folder, "fine", 0o600);
    assert_eq!(**read(&path, Access::Secret, 100).unwrap(), *b"secret\n");
    assert!(exposure(&path, Access::Secret).is_none());
}

#[test]
fn links_of_a_volume_lead_to_what_is_judged() {
    // As the kubelet lays out a volume: NAME -> ..data/NAME, ..data -> ..DATE.
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("..2026_11_30");
    fs::create_dir(&data).unwrap();
    symlink("..2026_11_30", folder.path().join("..data")).unwrap();
    symlink("..data/tls.key", folder.path().join("tls.key")).unwrap();
    let link = folder.path().join("tls.key");
    fs::write(data.join("tls.key"), "secret").unwrap();
    for (mode, good) in [(0o400, true), (0o600, true), (0o644, false)] {
        fs::set_permissions(data.join("tls.key"), Permissions::from_mode(mode)).unwrap();
        assert_eq!(read(&link, Access::Secret, 100).is_ok(), good, "{mode:o}");
    }
}

#[test]
fn what_is_no_short_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "key", 0o600);
    assert_eq!(read(&path, Access::Secret, 7).unwrap().len(), 7);
    let long = read(&path, Access::Secret, 6).unwrap_err();
    assert!(matches!(long.cause, Cause::TooLong(6)) && !long.is_missing(), "{long}");
    // A file that says it is empty, and is not.
    let endless = read(Path::new("/proc/self/maps"), Access::Trusted, 16).unwrap_err();
    assert!(matches!(endless.cause, Cause::TooLong(16)), "{endless}");
    for other in [folder.path(), Path::new("/dev/zero")] {
        let refused = read(other, Access::Secret, 100).unwrap_err();
        assert!(matches!(refused.cause, Cause::NoFile), "{refused}");
        assert!(exposure(other, Access::Secret).is_none());
    }
    let missing = read(&folder.path().join("none"), Access::Secret, 100).unwrap_err();
    assert!(missing.is_missing() && missing.to_string().contains("none"), "{missing}");
    fs::write(&path, [0xff]).unwrap();
    assert!(read_text(&path, Access::Secret, 100).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_pipe_is_read_and_judged_like_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
    let writer = || {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(&pipe, "secret"))
    };
    let first = writer();
    assert_eq!(**read(&pipe, Access::Secret, 100).unwrap(), *b"secret");
    first.join().unwrap().unwrap();
    fs::set_permissions(&pipe, Permissions::from_mode(0o644)).unwrap();
    let second = writer();
    let exposed = read(&pipe, Access::Secret, 100).unwrap_err();
    assert!(matches!(exposed.cause, Cause::Exposed { mode: 0o644, .. }), "{exposed}");
    // It may not have been read, which is an error of its own.
    drop(second.join().unwrap());
}

#[test]
fn exposed_files_of_a_folder_are_found_at_every_depth() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("deep/er")).unwrap();
    fs::create_dir_all(folder.path().join("..2026")).unwrap();
    for (name, mode) in
        [("a", 0o600), ("b", 0o644), ("deep/c", 0o604), ("deep/er/d", 0o400), ("..2026/e", 0o644)]
    {
        file(&folder, name, mode);
    }
    symlink("..2026/e", folder.path().join("e")).unwrap();
    let found = exposed_below(folder.path()).unwrap();
    let names = found.iter().map(|one| one.path.strip_prefix(folder.path()).unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["b", "deep/c", "e"].map(Path::new));
    assert!(exposed_below(&folder.path().join("none")).is_err());
}
