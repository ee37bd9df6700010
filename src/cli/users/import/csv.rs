//! CSV with a header.

use std::io::BufRead;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::user::{COLUMNS, User, Users, Wrong};

/// What may stand between columns: the first of these that the header holds.
const DELIMITERS: [u8; 3] = [b';', b'\t', b','];

/// The users of a file, and its columns.
pub(super) fn open(
    mut reader: impl BufRead + Send + 'static,
) -> Result<(Users, Vec<&'static str>), String> {
    let head = reader.fill_buf().map_err(|error| error.to_string())?;
    let first = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let delimiter = DELIMITERS.into_iter().find(|byte| first.contains(byte)).unwrap_or(b',');
    let mut csv = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(reader);
    let mut header = ByteRecord::new();
    match csv.read_byte_record(&mut header) {
        Ok(true) => {}
        Ok(false) => return Err("is empty; the first line names the columns".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    let columns = columns(&header)?;
    let rows = Csv { csv, columns: columns.clone(), record: ByteRecord::new() };
    Ok((Box::new(rows), columns))
}

/// The columns by the first line.
fn columns(header: &ByteRecord) -> Result<Vec<&'static str>, String> {
    let mut columns = Vec::new();
    for name in header {
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        let known = COLUMNS.into_iter().find(|column| *column == name);
        let known = known.ok_or_else(|| {
            format!("line 1: there is no column `{name}`; there are {}", COLUMNS.join(", "))
        })?;
        if columns.contains(&known) {
            return Err(format!("line 1: the column {known} stands there twice"));
        }
        columns.push(known);
    }
    match columns.contains(&"id") {
        true => Ok(columns),
        false => Err("line 1: the column id is missing".to_owned()),
    }
}

struct Csv<R> {
    csv: Reader<R>,
    columns: Vec<&'static str>,
    record: ByteRecord,
}

// === impl Csv ===

impl<R> Csv<R> {
    fn user(&self, lines: u64) -> Result<User, String> {
        let (wanted, found) = (self.columns.len(), self.record.len());
        if wanted != found {
            let quote = match lines {
                0 | 1 => String::new(),
                _ => format!(" in {lines} lines; is a quote not closed?"),
            };
            return Err(format!("has {found} columns, the header {wanted}{quote}"));
        }
        let mut user = User::default();
        for (&column, bytes) in self.columns.iter().zip(&self.record) {
            let text = std::str::from_utf8(bytes).map_err(|_| format!("{column}: is not UTF-8"))?;
            let text = text.trim();
            match column {
                "id" => user.id = text.to_owned(),
                "display_name" => user.display_name = text.to_owned(),
                "email" => user.email = text.to_owned(),
                "kind" => user.kind = text.to_owned(),
                "business_unit" => user.business_unit = text.to_owned(),
                "profile" => user.profile = text.to_owned(),
                _ => user.roles = roles(text),
            }
        }
        Ok(user)
    }
}

impl<R: BufRead> Iterator for Csv<R> {
    type Item = (u64, Result<User, Wrong>);

    fn next(&mut self) -> Option<Self::Item> {
        let begin = self.csv.position().line();
        match self.csv.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                // Blank lines in front of the record are no part of it.
                let line = self.record.position().map_or(begin, csv::Position::line);
                let lines = self.csv.position().line().saturating_sub(line);
                Some((line, self.user(lines).map_err(Wrong::Row)))
            }
            Err(error) => Some((begin, Err(Wrong::File(error.to_string())))),
        }
    }
}

/// The roles of a cell.
fn roles(text: &str) -> Vec<String> {
    let between = |letter: char| letter.is_whitespace() || matches!(letter, ';' | '|' | ',');
    text.split(between).filter(|role| !role.is_empty()).map(str::to_owned).collect()
}
