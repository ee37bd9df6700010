//! A data folder that belongs to somebody else.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use deskplane::store::{Durable, durable::Settings};

/// Neither the owner of the folder, nor in any group of theirs.
const NOBODY: u32 = 65_534;

/// Every file and folder, with what it holds and who may touch it.
fn content(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        if path.is_dir() {
            found.extend(content(&path));
            found.insert(path, (mode, Vec::new()));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, (mode, bytes));
        }
    }
    found
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_told_by_name_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let unguarded = Settings { min_free_bytes: 0, ..Settings::default() };
    let store = Durable::open(&data, unguarded).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |program: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir("/").uid(NOBODY).gid(NOBODY).output()
    };
    let server = Path::new(env!("CARGO_BIN_EXE_deskplane"));
    match as_nobody(server, &["--version"]) {
        Ok(ended) if ended.status.success() => {}
        ended => {
            eprintln!("SKIPPED: the program cannot be run as another user: {ended:?}");
            return;
        }
    }
    // Closed to others, and open to their looks.
    for mode in [0o700, 0o755] {
        fs::set_permissions(&data, Permissions::from_mode(mode)).unwrap();
        let before = content(&data);
        let folder = data.to_str().unwrap();
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["doctor"]] {
            let ended = as_nobody(server, &[command, &["--data-dir", folder]].concat()).unwrap();
            let said = String::from_utf8(ended.stderr).unwrap();
            assert!(!ended.status.success(), "{command:?}: {said}");
            assert!(said.contains(folder) && said.contains("ermission denied"), "{said}");
            assert!(content(&data) == before, "{command:?}: something was touched");
        }
    }
}
