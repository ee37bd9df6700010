//! Content measured and compared part by part: nothing is compiled, encoded or hashed.
//!
//! Writes are judged by the size of every content that they reach, and answered with how many users
//! get another one. Both follow from the parts that a content is put together of. A session template
//! with its tabs, the dearest part, is made once for all profiles that show it.

use std::collections::HashMap;

use deskplane_proto::v1;
use prost::{
    Message,
    encoding::{encoded_len_varint, key_len},
};

use super::{Gates, channels, copilot, draft::Draft, identity, pane, sessions, without_templates};
use crate::{
    catalog::{Catalog, Delta},
    domain::{Kind, UniqueName, profile::Profile, session_template::SessionTemplate},
};

/// Number of the field that holds the session templates.
const SESSION_TEMPLATES: u32 = 3;

/// Parts of the contents of one catalog, made when they are asked for.
#[derive(Debug)]
pub struct Parts<'a> {
    catalog: &'a Catalog,
    templates: HashMap<UniqueName, Template>,
}

/// A session template with its tabs, and its encoded size.
#[derive(Debug)]
struct Template {
    message: v1::ResolvedSessionTemplate,
    size: usize,
}

/// Two catalogs, whose contents are compared.
#[derive(Debug)]
pub struct Pair<'a> {
    old: Parts<'a>,
    new: Parts<'a>,
    /// Whether a session template differs that profiles show in both.
    templates: HashMap<UniqueName, bool>,
}

/// Parts of content in which two catalogs may differ.
#[derive(Debug, Clone, Copy, Default)]
pub struct Differing {
    /// The name and texts of the profile.
    identity: bool,
    templates: bool,
    /// The pane, and the features that depend on its tools.
    pane: bool,
    /// Channels, and the inbox that depends on them.
    channels: bool,
    providers: bool,
}

impl Differing {
    /// Those that a commit may change for a profile whose content it reaches.
    pub fn by(delta: &Delta) -> Self {
        let mut parts = Self::default();
        for changed in delta {
            match changed.key.kind {
                Kind::SessionTemplate | Kind::TabTemplate => parts.templates = true,
                Kind::Tool | Kind::Role => parts.pane = true,
                Kind::Provider => parts.providers = true,
                Kind::Channel => parts.channels = true,
                Kind::Settings => (parts.pane, parts.channels) = (true, true),
                Kind::User | Kind::Team => {}
                _ => return Self::all(),
            }
        }
        parts
    }

    fn all() -> Self {
        Self { identity: true, templates: true, pane: true, channels: true, providers: true }
    }

    /// The same with those that depend on gates.
    #[must_use]
    pub fn with_gates(self) -> Self {
        Self { pane: true, channels: true, ..self }
    }
}

impl<'a> Parts<'a> {
    /// Nothing made yet.
    pub fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, templates: HashMap::new() }
    }

    /// Encoded size of the content of a profile with every gate open: no setting, role or switch of
    /// the profile can make it larger, so what fits now still fits when one of them changes.
    pub fn largest(&mut self, profile: &Profile) -> usize {
        let gates = Gates::open(self.catalog);
        let mut draft = Draft::with_every_gate_open(self.catalog, profile, &gates);
        let content = without_templates(&mut draft);
        let mut size = content.encoded_len();
        for template in sessions::chosen(&mut draft) {
            let part = self.template(&mut draft, template).size;
            size += key_len(SESSION_TEMPLATES) + encoded_len_varint(part as u64) + part;
        }
        size
    }

    fn template(&mut self, draft: &mut Draft<'_>, template: &SessionTemplate) -> &Template {
        let make = || {
            let message = sessions::expanded(draft, template);
            Template { size: message.encoded_len(), message }
        };
        self.templates.entry(template.common.unique_name.clone()).or_insert_with(make)
    }
}

impl<'a> Pair<'a> {
    /// Nothing compared yet.
    pub fn new(old: &'a Catalog, new: &'a Catalog) -> Self {
        Self { old: Parts::new(old), new: Parts::new(new), templates: HashMap::new() }
    }

    /// Whether a profile has other content in the new catalog than in the old one, each for its
    /// gates. Only the given parts are compared.
    pub fn differ(&mut self, sides: [(&Profile, &Gates); 2], parts: Differing) -> bool {
        let [(profile, gates), (new_profile, new_gates)] = sides;
        let mut old = Draft::without_findings(self.old.catalog, profile, gates);
        let mut new = Draft::without_findings(self.new.catalog, new_profile, new_gates);
        // The features that are on depend on the tools that the pane shows.
        let pane = |draft: &mut Draft<'_>| (pane::pane(draft), copilot::features(draft));
        let channels = |draft: &mut Draft<'_>| {
            let channels = channels::channels(draft);
            (channels::inbox(draft, channels.effective), channels)
        };
        let providers = channels::providers;
        (parts.identity && identity(profile) != identity(new_profile))
            || (parts.pane && pane(&mut old) != pane(&mut new))
            || (parts.channels && channels(&mut old) != channels(&mut new))
            || (parts.providers && providers(&mut old) != providers(&mut new))
            || (parts.templates && self.templates_differ(&mut old, &mut new))
    }

    fn templates_differ(&mut self, old: &mut Draft<'_>, new: &mut Draft<'_>) -> bool {
        let (before, after) = (sessions::chosen(old), sessions::chosen(new));
        before.len() != after.len()
            || before.into_iter().zip(after).any(|(one, other)| {
                let name = &one.common.unique_name;
                if other.common.unique_name != *name {
                    return true;
                }
                let Self { old: olds, new: news, templates } = self;
                let compare =
                    || olds.template(old, one).message != news.template(new, other).message;
                *templates.entry(name.clone()).or_insert_with(compare)
            })
    }
}
