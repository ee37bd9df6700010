//! The services of library kinds are one text: `templates/library_service.proto.in`, rendered for every
//! kind of the table below. What is checked in is what is rendered.
//!
//! To add a kind, or to change all of them: edit the table or the template, then run
//! `DESKPLANE_RENDER=1 cargo test -p deskplane-proto --test library_services`.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{env, fs, path::Path};

/// What a service says of its kind. Texts that stand in a sentence begin and end as the template needs.
struct Kind {
    /// Name of the resource: `ProductivityTool`. Other spellings follow from it.
    message: &'static str,
    /// `a` or `an`.
    article: &'static str,
    /// What stands in the examples.
    example: &'static str,
    /// What the objects are, behind their plural.
    about: &'static str,
    /// Reason of NOT_FOUND.
    missing: &'static str,
    /// Reasons of INVALID_ARGUMENT that only this kind has, each behind a comma.
    invalid: &'static str,
    /// Further errors of Create, behind a semicolon.
    create_rest: &'static str,
    /// Reasons of FAILED_PRECONDITION of Update that only this kind has, each behind a comma.
    update_precondition: &'static str,
    /// What is to be known of Update.
    update: &'static str,
    /// An example of a mask.
    mask: &'static str,
    /// Fields of the filter that only this kind has, each behind a comma.
    filters: &'static str,
    /// Row of the table of operations and scopes that its writes have.
    write: Write,
}

/// Who may write a kind.
#[derive(Clone, Copy)]
enum Write {
    /// Administrators.
    Admin,
    /// Administrators of productivity tools too.
    Productivity,
}

const KINDS: &[Kind] = &[
    Kind {
        message: "AgentScript",
        article: "an",
        example: "contoso_greeting",
        about: "the library objects that guide agents step by step",
        missing: "OBJECT_NOT_FOUND",
        invalid: ", SLUG_SYNTAX, SCRIPT_SELF_REFERENCE",
        create_rest: "; NOT_FOUND / OBJECT_NOT_FOUND for a macro or script it names; FAILED_PRECONDITION / LIMIT_REACHED",
        update_precondition: ", LIMIT_REACHED",
        update: "`steps` is replaced whole",
        mask: "display_name,steps",
        filters: "",
        write: Write::Productivity,
    },
    Kind {
        message: "ApplicationTabTemplate",
        article: "an",
        example: "contoso_orders_tab",
        about: "the library objects that say what a tab shows",
        missing: "TEMPLATE_NOT_FOUND",
        invalid: ", TAB_PARAMETER_UNKNOWN, TAB_PARAMETER_REQUIRED, SLUG_SYNTAX",
        create_rest: "; FAILED_PRECONDITION / LIMIT_REACHED",
        update_precondition: ", LIMIT_REACHED",
        update: "`page_type` is immutable",
        mask: "title,can_close",
        filters: "",
        write: Write::Admin,
    },
    Kind {
        message: "Channel",
        article: "a",
        example: "contoso_webchat",
        about: "the library objects through which customers reach the organization",
        missing: "OBJECT_NOT_FOUND",
        invalid: "",
        create_rest: "",
        update_precondition: "",
        update: "`kind` is immutable",
        mask: "display_name,description",
        filters: "",
        write: Write::Admin,
    },
    Kind {
        message: "Macro",
        article: "a",
        example: "contoso_close_case",
        about: "the library objects that clients run for agents",
        missing: "OBJECT_NOT_FOUND",
        invalid: ", SLUG_SYNTAX, MACRO_INPUT_REQUIRED",
        create_rest: "; FAILED_PRECONDITION / LIMIT_REACHED",
        update_precondition: ", LIMIT_REACHED",
        update: "`actions` is replaced whole",
        mask: "display_name,actions",
        filters: "",
        write: Write::Productivity,
    },
    Kind {
        message: "NotificationTemplate",
        article: "a",
        example: "contoso_chat_alert",
        about: "the library objects that say how work is announced",
        missing: "TEMPLATE_NOT_FOUND",
        invalid: ", SLUG_SYNTAX, AUTO_ACCEPT_NEEDS_AUTO_ASSIGN",
        create_rest: "; FAILED_PRECONDITION / LIMIT_REACHED",
        update_precondition: ", LIMIT_REACHED",
        update: "`fields` is replaced whole",
        mask: "title,countdown_seconds",
        filters: "",
        write: Write::Admin,
    },
    Kind {
        message: "ProductivityTool",
        article: "a",
        example: "contoso_loyalty_card",
        about: "the library of what can stand in the pane. Custom tools are never gated",
        missing: "OBJECT_NOT_FOUND",
        invalid: "",
        create_rest: "",
        update_precondition: "",
        update: "watchers whose content changes get a new snapshot",
        mask: "icon,category",
        filters: "",
        write: Write::Admin,
    },
    Kind {
        message: "Queue",
        article: "a",
        example: "contoso_billing",
        about: "the library objects in which work of one kind waits for agents",
        missing: "OBJECT_NOT_FOUND",
        invalid: "",
        create_rest: "",
        update_precondition: "",
        update: "`kind` may change",
        mask: "display_name,kind",
        filters: "",
        write: Write::Admin,
    },
    Kind {
        message: "SessionTemplate",
        article: "a",
        example: "contoso_case_session",
        about: "the library objects that say how a session opens: title, panel and tabs",
        missing: "TEMPLATE_NOT_FOUND",
        invalid: ", SLUG_SYNTAX",
        create_rest: "; NOT_FOUND / TEMPLATE_NOT_FOUND or OBJECT_NOT_FOUND for a tab or script it \
                      names; FAILED_PRECONDITION / LIMIT_REACHED",
        update_precondition: ", LIMIT_REACHED",
        update: "`type` and `entity` are immutable",
        mask: "title,panel_mode",
        filters: ", `type`, `entity`",
        write: Write::Admin,
    },
    Kind {
        message: "SmartAssistBot",
        article: "a",
        example: "contoso_advisor",
        about: "the library objects that suggest answers to agents",
        missing: "OBJECT_NOT_FOUND",
        invalid: "",
        create_rest: "; NOT_FOUND / USER_NOT_FOUND",
        update_precondition: "",
        update: "a user that does not exist is NOT_FOUND / USER_NOT_FOUND",
        mask: "knowledge",
        filters: "",
        write: Write::Admin,
    },
    Kind {
        message: "Workstream",
        article: "a",
        example: "contoso_chat",
        about: "the library objects that say how work of a channel reaches agents",
        missing: "OBJECT_NOT_FOUND",
        invalid: "",
        create_rest: "; NOT_FOUND / TEMPLATE_NOT_FOUND or OBJECT_NOT_FOUND for what it names; FAILED_PRECONDITION / LIMIT_REACHED",
        update_precondition: ", LIMIT_REACHED",
        update: "`channel` is immutable",
        mask: "session_template,queues",
        filters: ", `channel`",
        write: Write::Admin,
    },
];

impl Write {
    fn access(self) -> &'static str {
        match self {
            Self::Admin => "ACCESS_WRITE",
            Self::Productivity => "ACCESS_WRITE_PRODUCTIVITY",
        }
    }

    fn scopes(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Productivity => "PRODUCTIVITY or ADMIN",
        }
    }
}

/// Columns of a line.
const WIDTH: usize = 100;

#[test]
fn services_of_library_kinds_are_rendered_from_their_template() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let template = fs::read_to_string(package.join("templates/library_service.proto.in")).unwrap();
    for kind in KINDS {
        let file = format!("deskplane/v1/{}_service.proto", snake(kind.message));
        let (path, rendered) = (package.join(&file), render(&template, kind));
        if env::var_os("DESKPLANE_RENDER").is_some() {
            fs::write(&path, &rendered).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        let differs = rendered.lines().zip(found.lines()).find(|(ours, theirs)| ours != theirs);
        assert!(found == rendered, "{file} is not what the template gives: {differs:?}");
    }
}

#[test]
fn comments_are_wrapped_between_what_belongs_together() {
    let long = "word ".repeat(17);
    let wrapped = |text: &str| wrap(&format!("  // {text}"));
    assert_eq!(wrapped("One line."), "  // One line.\n");
    let reason = wrapped(&format!("{long}NOT_FOUND / OBJECT_NOT_FOUND."));
    assert_eq!(reason, format!("  // {}\n  // NOT_FOUND / OBJECT_NOT_FOUND.\n", long.trim_end()));
    let code = wrapped(&format!("{long}joined by ` AND `."));
    assert!(code.ends_with("\n  // ` AND `.\n"), "{code}");
}

fn render(template: &str, kind: &Kind) -> String {
    let noun = snake(kind.message).replace('_', " ");
    let collection = kind.message[..1].to_ascii_lowercase() + &kind.message[1..];
    let mut text = template.to_owned();
    for (name, value) in [
        ("message", kind.message),
        ("messages", &format!("{}s", kind.message)),
        ("field", &snake(kind.message)),
        ("fields", &format!("{}s", snake(kind.message))),
        ("noun", &noun),
        ("nouns", &format!("{noun}s")),
        ("collection", &format!("{collection}s")),
        ("article", kind.article),
        ("example", kind.example),
        ("about", kind.about),
        ("missing", kind.missing),
        ("create_invalid", kind.invalid),
        ("create_rest", kind.create_rest),
        ("update_invalid", kind.invalid),
        ("update_precondition", kind.update_precondition),
        ("update", kind.update),
        ("mask", kind.mask),
        ("filters", kind.filters),
        ("access", kind.write.access()),
        ("writers", kind.write.scopes()),
    ] {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text.lines().map(wrap).collect()
}

/// A line of the file: a comment, which is one paragraph in the template, in lines of [`WIDTH`].
fn wrap(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let Some(text) = line.trim_start().strip_prefix("// ") else { return format!("{line}\n") };
    let start = format!("{}//", &line[..indent]);
    let (mut lines, mut current) = (String::new(), start.clone());
    for word in words(text) {
        if current.len() + 1 + word.len() > WIDTH {
            lines += &current;
            lines.push('\n');
            current.clone_from(&start);
        }
        current.push(' ');
        current += &word;
    }
    lines + &current + "\n"
}

/// Words, with what stands between backticks and a code with its reason kept together.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut join = false;
    for word in text.split(' ') {
        match words.last_mut().filter(|last| join || word == "/" || is_open(last)) {
            Some(last) => {
                last.push(' ');
                last.push_str(word);
            }
            None => words.push(word.to_owned()),
        }
        join = word == "/";
    }
    words
}

/// Whether a backtick is not closed.
fn is_open(text: &str) -> bool {
    text.matches('`').count() % 2 == 1
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
