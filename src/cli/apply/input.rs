//! Reads the files of a call, each once and within a limit.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::document::Source;
use crate::cli::{Error, Result, tree::MAX_BYTES};

/// What stands for standard input.
const STDIN: &str = "-";

/// Reads all files, and nothing of a call in which one cannot be read.
pub(in crate::cli) fn read(files: &[PathBuf], stdin: &mut dyn Read) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut left = MAX_BYTES;
    for file in files {
        let name = file.display().to_string();
        let refuse = |why: String| Error::Usage(format!("{name}: {why}"));
        if name == STDIN && sources.iter().any(|source: &Source| source.name == STDIN) {
            return Err(refuse("standard input can be read only once".to_owned()));
        }
        let bytes = match name.as_str() {
            STDIN => bytes(stdin, left),
            _ => open(file).and_then(|mut file| bytes(&mut file, left)),
        };
        let bytes = bytes.map_err(|error| refuse(error.to_string()))?;
        left = left.checked_sub(bytes.len()).ok_or_else(|| {
            refuse(format!("all files of a call hold at most {} MiB", MAX_BYTES / 1024 / 1024))
        })?;
        let text = text(bytes).map_err(refuse)?;
        sources.push(Source { name, text });
    }
    Ok(sources)
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    match file.metadata()?.is_dir() {
        true => Err(io::Error::other("is a folder; name the files in it")),
        false => Ok(file),
    }
}

/// Reads to the end, or one byte more than there may be.
fn bytes(from: &mut dyn Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file, which is UTF-8.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    let wide = match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Some("UTF-16"),
        _ => None,
    };
    if let Some(encoding) = wide {
        return Err(format!("is {encoding}; save it as UTF-8"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        format!("line {line}, column {column}: this byte is no UTF-8; save the file as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refusal(files: &[PathBuf], stdin: &str) -> String {
        let error = read(files, &mut stdin.as_bytes()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    fn utf16(text: &str, little: bool) -> Vec<u8> {
        let order = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn files_are_read_in_order_and_standard_input_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "kind: User").unwrap();
        let sources = read(&[STDIN.into(), file.clone()], &mut "x".as_bytes()).unwrap();
        let texts: Vec<_> = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["x", "kind: User"]);
        let twice = refusal(&[STDIN.into(), file, STDIN.into()], "x");
        assert_eq!(twice, "-: standard input can be read only once");
    }

    #[test]
    fn what_is_no_text_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let text = "\u{feff}kind: User\n";
        let utf32 = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        let table: [(Vec<u8>, &str); 7] = [
            (utf16(text, true), "is UTF-16; save it as UTF-8"),
            (utf16(text, false), "is UTF-16; save it as UTF-8"),
            (utf16(&text[3..], true), "is UTF-16; save it as UTF-8"),
            (utf16(&text[3..], false), "is UTF-16; save it as UTF-8"),
            (utf32, "is UTF-32; save it as UTF-8"),
            (b"kind: User\nid: \xfcber\n".to_vec(), "line 2, column 5: this byte is no UTF-8"),
            (b"\xc3".to_vec(), "line 1, column 1: this byte is no UTF-8"),
        ];
        for (at, (bytes, expected)) in table.into_iter().enumerate() {
            let file = folder.path().join(format!("{at}.yaml"));
            fs::write(&file, bytes).unwrap();
            let refused = refusal(std::slice::from_ref(&file), "");
            assert!(refused.starts_with(&format!("{}: {expected}", file.display())), "{refused}");
        }
        let refused = refusal(&[folder.path().to_owned()], "");
        assert!(refused.ends_with(": is a folder; name the files in it"), "{refused}");
        let refused = refusal(&[folder.path().join("missing")], "");
        assert!(refused.contains("/missing: No such file"), "{refused}");
    }

    #[test]
    fn what_is_too_large_is_refused_without_being_read_to_its_end() {
        let mut endless = io::repeat(b'#');
        let error = read(&[STDIN.into()], &mut endless).unwrap_err().to_string();
        assert_eq!(error, "-: all files of a call hold at most 64 MiB");
    }
}
