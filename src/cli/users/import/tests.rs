//! Files of every sort, what remembers how far an import came, and the bar.

use std::{collections::BTreeMap, io::Cursor, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{
    journal::Journal,
    progress::line,
    rows::{Bad, FileFormat, Input, Row, Rows},
    send::{Sent, rows_of},
};

fn open(format: FileFormat, text: impl AsRef<[u8]>) -> Result<Rows, String> {
    let source = Box::new(Cursor::new(text.as_ref().to_vec()));
    let input = Input::new("users.csv".to_owned(), source, None);
    Rows::open(input, format).map_err(|error| error.to_string())
}

fn csv(text: impl AsRef<[u8]>) -> Vec<Result<Row, Bad>> {
    open(FileFormat::Csv, text).unwrap_or_else(|error| panic!("{error}")).collect()
}

fn jsonl(text: impl AsRef<[u8]>) -> Vec<Result<Row, Bad>> {
    open(FileFormat::Jsonl, text).unwrap_or_else(|error| panic!("{error}")).collect()
}

/// The ids with their lines; refused rows by their line and text.
fn seen(rows: Vec<Result<Row, Bad>>) -> (Vec<(u64, String)>, Vec<String>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => good.push((row.line, row.json["user"]["id"].as_str().unwrap().to_owned())),
            Err(row) => bad.push(row.to_string()),
        }
    }
    (good, bad)
}

fn ids(rows: Vec<Result<Row, Bad>>) -> Vec<String> {
    let (good, bad) = seen(rows);
    assert_eq!(bad, [""; 0]);
    good.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn every_usual_form_of_csv_is_read() {
    for text in [
        "id,display_name\nann,Ann\nbob,Bob\n",
        "id,display_name\r\nann,Ann\r\nbob,Bob",
        "\u{feff}id,display_name\nann,Ann\nbob,Bob\n",
        "id;display_name\nann;Ann\nbob;Bob\n",
        "id\tdisplay_name\nann\tAnn\nbob\tBob\n",
        "ID , Display_Name\n ann ,Ann\nbob,Bob\n\n",
        "display_name,id\n\"Ann\",\"ann\"\n\"Bob\",bob\n",
        "id\n\nann\n\n\nbob\n",
    ] {
        assert_eq!(ids(csv(text)), ["ann", "bob"], "{text:?}");
    }
}

#[test]
fn every_column_reaches_its_field() {
    let text = "id,display_name,email,kind,business_unit,roles,profile\n\
                ann,\"Ann \"\"A\"\" Lee, Dr\",a@b.example,Application,Sales,\"one two;three|four\",contoso_rep\n";
    let rows = csv(text);
    let expected = serde_json::json!({
        "user": {"id": "ann", "displayName": "Ann \"A\" Lee, Dr", "email": "a@b.example",
            "kind": "USER_KIND_APPLICATION", "businessUnit": "Sales",
            "roles": ["one", "two", "three", "four"]},
        "profile": "contoso_rep",
    });
    assert_eq!(rows, [Ok(Row { line: 2, json: expected.clone() })]);
    let line = r#"{"id":"ann","display_name":"Ann \"A\" Lee, Dr","email":"a@b.example",
        "kind":"application","businessUnit":"Sales","roles":["one","two","three","four"],
        "profile":"contoso_rep"}"#
        .replace('\n', "");
    assert_eq!(jsonl(line), [Ok(Row { line: 1, json: expected })]);
}

#[test]
fn a_row_that_is_wrong_is_refused_with_its_line_and_the_others_are_read() {
    for (text, good, why) in [
        ("id,email\nann,a,b\nbob,\n", &[(3, "bob")][..], "line 2: has 3 columns, the header 2"),
        ("id,email\nann\nbob,\n", &[(3, "bob")], "line 2: has 1 columns, the header 2"),
        ("id,email\n,x\nbob,\n", &[(3, "bob")], "line 2: id: is required"),
        ("id,email\nann,\nANN,\n", &[(2, "ann")], "line 3: id: ANN stands in line 2 already"),
        ("id,kind\nann,robot\n", &[], "line 2: kind: `robot` is neither human nor application"),
        ("id,email\nann,\"x\ny\"\nbob,,\n", &[(2, "ann")], "line 4: has 3 columns, the header 2"),
        (
            "id,email\nann,\nbob,\"x\ncarl,\ndora,\n",
            &[(2, "ann")],
            "line 3: has 2 columns, the header 2",
        ),
    ] {
        let (found, bad) = seen(csv(text));
        if why.starts_with("line 3: has 2") {
            // A quote that is not closed takes the rest of the file.
            assert_eq!(found.len() + bad.len(), 2, "{text:?}");
            continue;
        }
        let found: Vec<_> = found.iter().map(|(line, id)| (*line, id.as_str())).collect();
        assert_eq!((&found[..], &bad[..]), (good, &[why.to_owned()][..]), "{text:?}");
    }
}

#[test]
fn a_quote_that_is_not_closed_is_named() {
    let (good, bad) = seen(csv("id,email,roles\nann,,\nbob,\"x,\ncarl,,\ndora,,\n"));
    assert_eq!(good, [(2, "ann".to_owned())]);
    assert_eq!(bad.len(), 1);
    assert!(bad[0].starts_with("line 3: has 2 columns, the header 3 in 3 lines"), "{bad:?}");
    assert!(bad[0].contains("quote"), "{bad:?}");
}

#[test]
fn text_that_is_not_utf8_is_refused_by_row_or_as_a_file() {
    let (good, bad) = seen(csv(b"id,email\nann,\xff\nbob,\n"));
    assert_eq!((good.len(), bad), (1, vec!["line 2: email: is not UTF-8".to_owned()]));
    let (good, bad) = seen(jsonl(b"{\"id\":\"\xff\"}\n{\"id\":\"bob\"}\n"));
    assert_eq!((good.len(), bad), (1, vec!["line 1: is not UTF-8".to_owned()]));
    for wide in [&b"\xff\xfei\0d\0"[..], b"\xfe\xff\0i\0d", b"i\0d\0"] {
        let error = open(FileFormat::Csv, wide).err().unwrap();
        assert!(error.contains("UTF-8"), "{error}");
    }
}

#[test]
fn a_header_that_makes_no_sense_refuses_the_file() {
    for (text, why) in [
        ("", "is empty"),
        ("name,email\n", "no column `name`"),
        ("id,id\n", "the column id stands there twice"),
        ("email\n", "the column id is missing"),
        ("ann,Ann\n", "no column `ann`"),
    ] {
        let error = open(FileFormat::Csv, text).err().unwrap();
        assert!(error.contains(why), "{text:?}: {error}");
    }
    let rows = open(FileFormat::Csv, "id,roles\n").unwrap();
    assert_eq!(rows.emptied().unwrap(), "display_name, email, kind, business_unit");
}

#[test]
fn a_json_line_says_each_thing_once() {
    for (line, why) in [
        (r#"{"id":"ann","id":"bob"}"#, "duplicate field `id`"),
        (r#"{"id":"ann","display_name":"A","displayName":"B"}"#, "duplicate field"),
        (r#"{"id":"ann","colour":"red"}"#, "unknown field `colour`"),
        (r#"{"id":7}"#, "invalid type"),
        (r#"["ann"]"#, "is no JSON object"),
        (r#"{"id":"ann"} {"id":"bob"}"#, "trailing characters"),
        (r#"{"id":"ann""#, "EOF"),
        ("ann", "is no JSON object"),
    ] {
        let (good, bad) = seen(jsonl(format!("{line}\n{{\"id\":\"ok\"}}\n")));
        assert_eq!(good, [(2, "ok".to_owned())], "{line}");
        assert!(bad.len() == 1 && bad[0].contains(why), "{line}: {bad:?}");
    }
    assert_eq!(ids(jsonl("\u{feff}{\"id\":\"ann\"}\r\n\r\n  {\"id\":\"bob\"}")), ["ann", "bob"]);
}

#[test]
fn a_line_without_an_end_ends_the_file() {
    let long = format!("{{\"id\":\"ann\"}}\n{}", "x".repeat(3 << 20));
    let rows = jsonl(long);
    assert_eq!(rows.len(), 2);
    assert!(rows[1].as_ref().is_err_and(|bad| bad.fatal), "{:?}", rows[1]);
}

#[test]
fn a_refusal_names_the_rows_that_it_is_about() {
    let mut details = ErrorDetails::new();
    details.add_bad_request_violation("rows[0].user.email", "must be short");
    details.add_bad_request_violation("rows[0].user.roles", "must\nbe few");
    details.add_bad_request_violation("rows[7].user", "beyond the batch");
    details.add_precondition_failure_violation("ROLE", "x", "is gone (rows[2].profile)");
    let status = Status::with_error_details(Code::InvalidArgument, "no", details);
    let expected = BTreeMap::from([
        (0, "email: must be short; roles: must be few".to_owned()),
        (2, "profile: ROLE x: is gone (rows[2].profile)".to_owned()),
    ]);
    assert_eq!(rows_of(&status, 3), expected);
    assert!(rows_of(&Status::invalid_argument("no rows"), 3).is_empty());
}

fn sent(number: u64, imported: u64, refused: u64) -> Sent {
    let refused = (0..refused).map(|line| (line, String::new())).collect();
    Sent { number, imported, unread: 0, refused }
}

#[test]
fn an_import_goes_on_behind_the_last_line_that_is_done_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    std::fs::write(&file, "id\nann\n").unwrap();
    let mut journal = Journal::open(&file, false).unwrap();
    for (number, last_line) in [(0, 1_001), (1, 2_001), (2, 3_001)] {
        journal.begin(number, last_line);
    }
    journal.end(&sent(2, 1_000, 0)).unwrap();
    assert_eq!((journal.done(), journal.imported()), (Some(0), 1_000));
    journal.end(&sent(0, 998, 2)).unwrap();
    assert_eq!((journal.done(), journal.imported(), journal.refused()), (Some(1_001), 1_998, 2));
    journal.save().unwrap();
    let run = journal.run();
    assert!(Journal::open(&file, false).is_err(), "it is not begun again by mistake");
    let resumed = Journal::open(&file, true).unwrap();
    assert_eq!(resumed.run(), run, "repetitions are known by their request ids");
    // The batch beyond the gap is sent again.
    assert_eq!((resumed.done(), resumed.imported(), resumed.refused()), (Some(1_001), 998, 2));
    assert!(resumed.is_done(1_001) && !resumed.is_done(1_002));
    std::fs::write(&file, "id\nbob\n").unwrap();
    assert!(Journal::open(&file, true).is_err(), "another file is not taken for it");
    resumed.finish().unwrap();
    assert!(Journal::open(&file, true).is_err());
    Journal::open(&file, false).unwrap();
}

#[test]
fn the_bar_says_how_fast_and_how_long() {
    let at = |bytes, seconds| line(250_000, bytes, Some(4_000), Duration::from_secs(seconds));
    assert_eq!(at(1_000, 20), "[######..................]  25 %, 250000 rows, 12500/s, 1:00 left");
    assert_eq!(at(4_000, 80), "[########################] 100 %, 250000 rows, 3125/s, 0:00 left");
    assert_eq!(line(10, 5, None, Duration::from_secs(2)), "10 rows, 5/s");
    assert_eq!(
        line(0, 0, Some(10), Duration::ZERO),
        "[........................]   0 %, 0 rows, 0/s, ? left"
    );
}
