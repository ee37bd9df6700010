//! `docs/access.md`, made of the table itself. After a change of the table or of an RPC run
//! `DESKPLANE_RENDER=1 cargo test --lib auth::tests::reference`.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use super::super::{Access, Cell, RPCS};
use crate::domain::Scope;

const HEAD: &str = "# Who may call what

Every method of the API and what each scope may do, generated from the code (`DESKPLANE_RENDER=1 cargo test --lib auth::tests::reference`). A caller may call when one of its scopes allows it.

* **yes**: about any user.
* **self**: about the user for whom the credential stands; another one is `SELF_ONLY`, whether or not that user exists.
* **explain**: as self, once the organisation allows agents to Explain themselves (`allow_agent_explain`).
* **dry**: with `validate_only`.
* `-`: `SCOPE_REQUIRED`.

Health and reflection need no credential. `ApplyChanges` needs beside its own row that of each write in it.
";

#[test]
fn the_reference_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/access.md");
    let rendered = render();
    if env::var_os("DESKPLANE_RENDER").is_some() {
        fs::write(&path, &rendered).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == rendered, "docs/access.md differs from the table of access");
}

fn render() -> String {
    let mut services: BTreeMap<&str, Vec<(String, &str)>> = BTreeMap::new();
    for rpc in RPCS {
        let path = rpc.path.strip_prefix("deskplane.v1.").unwrap();
        let (service, method) = path.split_once('/').unwrap();
        services.entry(service).or_default().push((cells(&rpc.access), method));
    }
    let mut page = HEAD.to_owned();
    for (service, methods) in services {
        let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        write!(page, "\n## {service}\n\n| Methods | {} |\n", names.join(" | ")).unwrap();
        writeln!(page, "|---|{}", "---|".repeat(names.len())).unwrap();
        let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        methods.iter().for_each(|(cells, method)| rows.entry(cells).or_default().push(method));
        for (cells, methods) in rows {
            writeln!(page, "| {} | {cells} |", methods.join(", ")).unwrap();
        }
    }
    page
}

fn cells(access: &Access) -> String {
    let word = |scope: Scope| {
        let is = |cell: Cell| access.scopes(|found| found == cell).has(scope);
        let words = [
            (Cell::Yes, "yes"),
            (Cell::Own, "self"),
            (Cell::OwnIfExplained, "explain"),
            (Cell::ValidateOnly, "dry"),
        ];
        words.into_iter().find(|(cell, _)| is(*cell)).map_or("-", |(_, word)| word)
    };
    Scope::ALL.iter().map(|scope| word(*scope)).collect::<Vec<_>>().join(" | ")
}
