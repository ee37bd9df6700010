//! Writes the RPC table: a macro that hands every service of a package, with its methods, to another
//! macro. What is the same for every RPC is expanded from it, so a new one cannot be forgotten.

use std::fmt::Write as _;

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    Value,
};

/// What stands before the macro.
const HEAD: &str = r#"/// Expands to `callback! { … }` with every service of the API, ascending by name, and their methods:
///
/// ```text
/// service SettingsService {
///     name: "deskplane.v1.SettingsService",
///     rpc UpdateSettings {
///         path: "deskplane.v1.SettingsService/UpdateSettings",
///         method: update_settings,
///         way: write [one settings],
///         verb: other [],
///         request: UpdateSettingsRequest,
///         response: UpdateSettingsResponse,
///         access: WRITE,
///         audit: None,
///         secrets: false,
///     }
///     …
/// }
/// …
/// ```
///
/// `access` is the option `(deskplane.v1.access)`, `audit` the option `(deskplane.v1.audit)`: `None`,
/// `Always` or `Others`. `secrets` says whether the request may hold a field with `debug_redact`.
/// `way` follows from the form of the messages:
///
/// * `get [Resource]`: answers a resource that has an `etag`, by its `name`;
/// * `list [Resource field]`: answers a page of them in that field, by filter and order;
/// * `write [one field]`, `write [many field]`, `write [none]`: answers what it did, beside the
///   resource or the resources in that field, if any; `write [own]`: beside something else;
/// * `stream []`: answers a stream;
/// * `upload []`: takes a stream of messages and answers one;
/// * `own []`: everything else.
///
/// `verb` is one of the six writes of a library kind, by the form of the name: `create [Profile]` for
/// `CreateProfile`; so `clone`, `update`, `delete`, `activate` and `deactivate`. A resource has a
/// library kind when its service has all six. For all other methods it is `other []`.
///
/// Tokens behind the name of the callback stand in front of the services:
/// `for_each_service!(callback with these)`.
"#;

/// What stands before the macro of operations.
const OPERATIONS_HEAD: &str = r#"/// Expands to `callback! { … }` with every write that a list of writes may hold, in the order of the
/// message `Operation`: its variant, its request and the path of its method.
///
/// ```text
/// SetDefault: SetDefaultRequest = "deskplane.v1.ProfileService/SetDefault";
/// …
/// ```
"#;

type Error = Box<dyn std::error::Error>;

/// The options of methods that the table hands on.
struct Options {
    access: ExtensionDescriptor,
    audit: ExtensionDescriptor,
}

impl Options {
    fn find(pool: &DescriptorPool, package: &str) -> Result<Self, Error> {
        let find = |name: &str| {
            let found = pool.get_extension_by_name(&format!("{package}.{name}"));
            found.ok_or_else(|| format!("there is no option `{name}`"))
        };
        Ok(Self { access: find("access")?, audit: find("audit")? })
    }
}

/// The source of the macro `for_each_service` over the services of a package.
pub(crate) fn render(pool: &DescriptorPool, package: &str) -> Result<String, Error> {
    let options = Options::find(pool, package)?;
    let of_package =
        pool.services().filter(|service| service.parent_file().package_name() == package);
    let mut services: Vec<_> = of_package.collect();
    services.sort_by_key(|service| service.name().to_owned());

    let mut code = format!(
        "{HEAD}#[macro_export]\nmacro_rules! for_each_service {{\n    ($callback:ident $($with:tt)*) => {{\n        \
         $callback! {{\n            $($with)*\n"
    );
    for service in services {
        let name = service.name();
        writeln!(code, "            service {name} {{")?;
        writeln!(code, "                name: \"{package}.{name}\",")?;
        let mut methods: Vec<_> = service.methods().collect();
        methods.sort_by_key(|method| method.name().to_owned());
        for method in &methods {
            code.push_str(&rpc(method, &options)?);
        }
        code.push_str("            }\n");
    }
    code.push_str("        }\n    };\n}\n");
    Ok(code)
}

/// The source of the macro `for_each_operation` over the fields of the message `Operation`.
pub(crate) fn render_operations(pool: &DescriptorPool, package: &str) -> Result<String, Error> {
    let operation = pool
        .get_message_by_name(&format!("{package}.Operation"))
        .ok_or("there is no message `Operation`")?;
    let mut code = format!(
        "{OPERATIONS_HEAD}#[macro_export]\nmacro_rules! for_each_operation {{\n    \
         ($callback:ident) => {{\n        $callback! {{\n"
    );
    for field in operation.fields() {
        let Kind::Message(request) = field.kind() else {
            return Err(format!("{} is no request", field.full_name()).into());
        };
        let mut methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let method = methods.find(|method| method.input() == request);
        let method = method.ok_or_else(|| format!("no method takes {}", request.full_name()))?;
        let (name, service) = (method.name(), method.parent_service());
        if snake(name) != field.name() {
            return Err(format!("{} must be called {}", field.full_name(), snake(name)).into());
        }
        let (request, path) = (request.name(), service.full_name());
        writeln!(code, "            {name}: {request} = \"{path}/{name}\";")?;
    }
    code.push_str("        }\n    };\n}\n");
    Ok(code)
}

fn rpc(method: &MethodDescriptor, options: &Options) -> Result<String, Error> {
    let (name, service) = (method.name(), method.parent_service());
    let (request, response) = (method.input(), method.output());
    let (request_name, response_name) = (request.name(), response.name());
    let way = match (method.is_server_streaming(), method.is_client_streaming()) {
        (true, true) => return Err(format!("{name} streams in both directions").into()),
        (true, false) => "stream []".to_owned(),
        (false, true) => "upload []".to_owned(),
        (false, false) => way(method),
    };
    Ok(format!(
        r#"                rpc {name} {{
                    path: "{path}/{name}",
                    method: {method_name},
                    way: {way},
                    verb: {verb},
                    request: {request_name},
                    response: {response_name},
                    access: {access},
                    audit: {audit},
                    secrets: {secrets},
                }}
"#,
        path = service.full_name(),
        method_name = snake(name),
        verb = verb(method),
        access = access_of(method, &options.access)?,
        audit = audit_of(method, &options.audit)?,
        secrets = may_hold_secrets(&request, &mut Vec::new()),
    ))
}

/// How a unary method is answered, by the form of its name and messages.
fn way(method: &MethodDescriptor) -> String {
    let (name, request, response) = (method.name(), method.input(), method.output());
    let has = |message: &MessageDescriptor, fields: &[&str]| {
        fields.iter().all(|field| message.get_field_by_name(field).is_some())
    };
    if name.starts_with("Get") && has(&request, &["name"]) && has(&response, &["etag"]) {
        return format!("get [{}]", response.name());
    }
    // The fields of the response that hold a resource, with its name.
    let resources: Vec<_> = response
        .fields()
        .filter_map(|field| match field.kind() {
            Kind::Message(held) if has(&held, &["etag"]) => {
                Some((field.name().to_owned(), held.name().to_owned(), field.is_list()))
            }
            _ => None,
        })
        .collect();
    let paged = has(&request, &["page_size", "page_token", "filter", "order_by"])
        && has(&response, &["next_page_token", "revision"]);
    match &resources[..] {
        [(field, resource, true)] if name.starts_with("List") && paged => {
            return format!("list [{resource} {}]", identifier(field));
        }
        _ => {}
    }
    if !has(&response, &["write"]) || !has(&request, &["request_id", "validate_only", "reason"]) {
        return "own []".to_owned();
    }
    match (&resources[..], response.fields().len()) {
        ([], 1) => "write [none]".to_owned(),
        ([(field, _, false)], 2) => format!("write [one {}]", identifier(field)),
        ([(field, _, true)], 2) => format!("write [many {}]", identifier(field)),
        _ => "write [own]".to_owned(),
    }
}

/// The name of a field in the generated code, where a keyword is escaped.
fn identifier(field: &str) -> String {
    if field == "macro" { format!("r#{field}") } else { field.to_owned() }
}

/// The verb in the name of a method that is one of the writes of a library kind, with its resource.
fn verb(method: &MethodDescriptor) -> String {
    const VERBS: [&str; 6] = ["Create", "Clone", "Update", "Delete", "Activate", "Deactivate"];
    let service = method.parent_service();
    let found = VERBS.iter().find_map(|verb| {
        let noun = method.name().strip_prefix(verb)?;
        let has = |verb: &&str| service.methods().any(|m| m.name() == format!("{verb}{noun}"));
        VERBS.iter().all(has).then(|| format!("{} [{noun}]", verb.to_ascii_lowercase()))
    });
    found.unwrap_or_else(|| "other []".to_owned())
}

/// Who may call the method: the name of the option's value, without its prefix.
fn access_of(method: &MethodDescriptor, access: &ExtensionDescriptor) -> Result<String, Error> {
    let given = value_of(method, access, "ACCESS_")?;
    given.ok_or_else(|| format!("{} does not say who may call it", method.full_name()).into())
}

/// Which calls of the method are audited: `AUDIT_ALWAYS` as `Always`, and `None` where it says nothing.
fn audit_of(method: &MethodDescriptor, audit: &ExtensionDescriptor) -> Result<String, Error> {
    let given = value_of(method, audit, "AUDIT_")?.unwrap_or_else(|| "NONE".to_owned());
    let (first, rest) = given.split_at(1);
    Ok(format!("{first}{}", rest.to_ascii_lowercase()))
}

/// The name of the value that a method gives an option, without its prefix; none for the zero value.
fn value_of(
    method: &MethodDescriptor,
    option: &ExtensionDescriptor,
    prefix: &str,
) -> Result<Option<String>, Error> {
    let options: DynamicMessage = method.options();
    let value = match (option.kind(), options.get_extension(option).as_ref()) {
        (Kind::Enum(kind), Value::EnumNumber(number)) => kind.get_value(*number),
        _ => return Err(format!("the option `{}` must be an enum", option.name()).into()),
    };
    let Some(value) = value.filter(|value| value.number() != 0) else { return Ok(None) };
    let name = value.name().strip_prefix(prefix);
    let name = name.ok_or_else(|| format!("a value of `{}` has another prefix", option.name()))?;
    Ok(Some(name.to_owned()))
}

/// Whether a message, or one that it holds, has a field that is not to be printed.
fn may_hold_secrets(message: &MessageDescriptor, seen: &mut Vec<String>) -> bool {
    if seen.iter().any(|name| name == message.full_name()) {
        return false;
    }
    seen.push(message.full_name().to_owned());
    message.fields().any(|field| {
        let options = field.options();
        let redacted = options.get_field_by_name("debug_redact");
        redacted.is_some_and(|value| matches!(value.as_ref(), Value::Bool(true)))
            || matches!(field.kind(), Kind::Message(held) if may_hold_secrets(&held, seen))
    })
}

/// `BulkResolve` as `bulk_resolve`.
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
