//! Reading a bundle: everything that can be said of it without a look into its resources.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{FORMAT_VERSION, Header, MAX_BUNDLE_BYTES, MAX_RESOURCES, MAX_VERSION, kinds, strict};
use crate::domain::{Kind, Reason, Refusal, UniqueName, Violations, check};

/// Most bytes of the text of one resource: one of the largest size, every character escaped.
const MAX_RESOURCE_TEXT: usize = 6 * 128 * 1024;

/// A bundle whose outer form is right.
#[derive(Debug)]
pub struct Document<'a> {
    /// What it is called.
    pub header: Header,
    /// Its hash as given; none where it was left out.
    pub content_hash: Option<String>,
    /// Its resources in canonical order: ascending by collection, then by unique name.
    pub resources: Vec<Resource<'a>>,
}

/// One resource of a bundle, not read yet.
#[derive(Debug)]
pub struct Resource<'a> {
    /// Its kind, by the collection that it stands in.
    pub kind: Kind,
    /// Its name, whose form is right.
    pub name: UniqueName,
    /// Its place in the list that it stands in.
    at: usize,
    text: &'a str,
}

impl<'a> Document<'a> {
    /// Reads the outer form of a bundle.
    ///
    /// # Errors
    /// `FIELD_INVALID` for what is no JSON, cut off, of another format version, has unknown or
    /// repeated keys, an unknown collection or an object twice; `UNIQUE_NAME_INVALID` for its name
    /// and those of resources; `RESOURCE_TOO_LARGE` beyond the limits.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        check_size(bytes.len())?;
        let text = std::str::from_utf8(bytes)
            .map_err(|error| malformed(format!("is no UTF-8 text: {error}")))?;
        // Lists would pass for objects whose keys are left out.
        if !text.trim_start().starts_with('{') {
            return Err(malformed("is no JSON object".to_owned()));
        }
        check_format(text)?;
        let outer: Outer<'a> =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let mut v = Violations::new();
        let name = UniqueName::parse(&outer.name)
            .map_err(|rule| v.add(Reason::UniqueNameInvalid, "name", rule));
        check::line(&mut v, "version", &outer.version, 1..=MAX_VERSION);
        let resources = resources(outer.objects, &mut v)?;
        v.finish()?;
        let name = name.map_err(|()| malformed("has no name".to_owned()))?;
        let header = Header { name, version: outer.version.into_owned() };
        Ok(Self { header, content_hash: outer.content_hash.map(Cow::into_owned), resources })
    }
}

/// Refuses a bundle of so many bytes.
pub fn check_size(size: usize) -> Result<(), Refusal> {
    if size <= MAX_BUNDLE_BYTES {
        return Ok(());
    }
    let text = format!("has more than the {MAX_BUNDLE_BYTES} bytes that a bundle may have");
    Err(Refusal::new(Reason::ResourceTooLarge, format!("The bundle {text}; split it."))
        .with("limit", MAX_BUNDLE_BYTES)
        .with("size", size)
        .violation("chunk", text))
}

/// Refuses a bundle of another format, whatever else that one may hold.
fn check_format(text: &str) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Format<'a> {
        #[serde(borrow)]
        format_version: Option<&'a RawValue>,
    }

    let format: Format<'_> = serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?;
    let found = format.format_version.map_or("missing", RawValue::get);
    if found.parse() == Ok(FORMAT_VERSION) {
        return Ok(());
    }
    let mut v = Violations::new();
    let shown: String = found.chars().take(40).collect();
    v.invalid("format_version", format!("is {shown}; this server reads {FORMAT_VERSION}"));
    v.finish()
}

fn malformed(why: String) -> Refusal {
    let shown: String = why.chars().take(300).collect();
    Refusal::new(Reason::FieldInvalid, format!("The bundle cannot be read: {shown}."))
        .violation("bundle", shown)
}

/// The resources in canonical order; names that are bad or occur twice are noted.
fn resources<'a>(objects: Objects<'a>, v: &mut Violations) -> Result<Vec<Resource<'a>>, Refusal> {
    let mut resources = Vec::new();
    for (kind, list) in objects.0 {
        let mut seen: HashMap<UniqueName, usize> = HashMap::new();
        for (at, raw) in list.into_iter().enumerate() {
            let path = path_of(kind, at);
            let text = raw.get();
            if text.len() > MAX_RESOURCE_TEXT {
                let rule = format!("has {} bytes of at most {MAX_RESOURCE_TEXT}", text.len());
                let message = format!("{path} {rule}; make it smaller.");
                return Err(Refusal::new(Reason::ResourceTooLarge, message)
                    .with("limit", MAX_RESOURCE_TEXT)
                    .with("size", text.len())
                    .violation(&path, rule));
            }
            let Some(name) = name(text, &path, v) else { continue };
            if let Some(first) = seen.insert(name.clone(), at) {
                let rule = format!("{name} occurs twice; see {}", path_of(kind, first));
                v.invalid(&path, rule);
                continue;
            }
            resources.push(Resource { kind, name, at, text });
        }
    }
    resources.sort_by(|a, b| (a.kind.collection(), &a.name).cmp(&(b.kind.collection(), &b.name)));
    Ok(resources)
}

/// The unique name of a resource; what is wrong with it is noted.
fn name(text: &str, path: &str, v: &mut Violations) -> Option<UniqueName> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        unique_name: Option<Cow<'a, str>>,
    }

    let named: Named<'_> = match serde_json::from_str(text) {
        Ok(named) => named,
        Err(error) => {
            v.invalid(path, error.to_string());
            return None;
        }
    };
    let field = format!("{path}.unique_name");
    let Some(given) = named.unique_name else {
        v.add(Reason::UniqueNameInvalid, field, "is required");
        return None;
    };
    UniqueName::parse(&given).map_err(|rule| v.add(Reason::UniqueNameInvalid, field, rule)).ok()
}

fn path_of(kind: Kind, at: usize) -> String {
    format!("objects.{}[{at}]", kind.collection())
}

impl Resource<'_> {
    /// Its path in the document: `objects.profiles[3]`.
    pub fn path(&self) -> String {
        path_of(self.kind, self.at)
    }

    /// Its value, or what is wrong with it as JSON.
    pub fn value(&self) -> Result<Value, String> {
        strict::parse(self.text).map_err(|error| error.to_string())
    }
}

// ===== the outer form =====

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer<'a> {
    #[serde(rename = "format_version")]
    _format_version: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow, default)]
    content_hash: Option<Cow<'a, str>>,
    #[serde(borrow)]
    objects: Objects<'a>,
}

/// The lists of resources by kind, no more than a bundle may have in all.
struct Objects<'a>(Vec<(Kind, Vec<&'a RawValue>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Objects<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Lists).map(Self)
    }
}

struct Lists;

impl<'de> Visitor<'de> for Lists {
    type Value = Vec<(Kind, Vec<&'de RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of lists of resources")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let known = kinds();
        let mut lists: Self::Value = Vec::new();
        let mut left = MAX_RESOURCES;
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            let shown = || key.chars().take(60).collect::<String>();
            let Some(kind) = known.iter().find(|kind| kind.collection() == key) else {
                return Err(de::Error::custom(format!("`{}` is no kind that travels", shown())));
            };
            if lists.iter().any(|(there, _)| there == kind) {
                return Err(de::Error::custom(format!("the key `{}` occurs twice", shown())));
            }
            let list = entries.next_value_seed(List { left })?;
            left -= list.len();
            lists.push((*kind, list));
        }
        Ok(lists)
    }
}

/// A list of at most so many resources.
struct List {
    left: usize,
}

impl<'de> de::DeserializeSeed<'de> for List {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of resources")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(resource) = elements.next_element()? {
            if list.len() == self.left {
                let rule = format!("a bundle holds at most {MAX_RESOURCES} resources");
                return Err(de::Error::custom(rule));
            }
            list.push(resource);
        }
        Ok(list)
    }
}
