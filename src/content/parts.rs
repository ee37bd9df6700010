//! Content measured and compared part by part: nothing is compiled, encoded or hashed.
//!
//! Writes are judged by the size of every content that they reach, and answered with how many users
//! get another one. Both follow from the parts that a content is put together of. A session template
//! with its tabs, the dearest part, is made once for all profiles that show it.

use std::collections::{BTreeSet, HashMap};

use deskplane_proto::v1;
use prost::{
    Message,
    encoding::{encoded_len_varint, key_len},
};

use super::{
    Gates, channels, copilot, draft::Draft, identity, own, pane, scripts, sessions, workstreams,
};
use crate::{
    catalog::{Catalog, Delta},
    domain::{
        Common, Kind, UniqueName,
        profile::Profile,
        session_template::SessionTemplate,
        tool::{SCRIPTS_TOOL, SMART_ASSIST_TOOL},
    },
};

/// The highest number of a field that is measured part by part. Keys of all below take one byte.
const LAST_FIELD: u32 = 15;

/// Encoded size of a part in its field.
fn framed(part: usize) -> usize {
    key_len(LAST_FIELD) + encoded_len_varint(part as u64) + part
}

/// Parts of the contents of one catalog, made when they are asked for.
#[derive(Debug)]
pub struct Parts<'a> {
    catalog: &'a Catalog,
    templates: HashMap<UniqueName, Template>,
    /// What the work streams come to, without and with their bots.
    conversations: [Option<Conversations>; 2],
    scripts: HashMap<UniqueName, Script>,
    macros: HashMap<UniqueName, usize>,
    /// Sizes of the scripts and macros that are reached from some scripts.
    reached: HashMap<BTreeSet<UniqueName>, usize>,
}

/// Work streams with all that they name.
#[derive(Debug)]
struct Conversations {
    content: v1::ProfileContent,
    size: usize,
    /// The scripts that their session templates begin with.
    scripts: BTreeSet<UniqueName>,
}

/// A script, and its encoded size with every step that could be left out to cut a cycle.
#[derive(Debug)]
struct Script {
    size: usize,
    /// The scripts that it goes on to.
    goes_on: Vec<UniqueName>,
    /// The macros that it runs.
    runs: Vec<UniqueName>,
}

/// What a profile shows of what profiles share.
#[derive(Debug)]
struct Shown {
    /// Whether it shows work streams, and then whether their bots.
    conversations: Option<bool>,
    /// The scripts that its sessions begin with.
    scripts: BTreeSet<UniqueName>,
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
    /// Whether the work streams differ, by whether each side shows them and their bots.
    conversations: HashMap<[Option<bool>; 2], bool>,
    /// Whether scripts and macros differ, by where each side begins.
    scripts: HashMap<[BTreeSet<UniqueName>; 2], bool>,
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
    /// Work streams, and the templates that they name.
    conversations: bool,
    /// Scripts and macros.
    scripts: bool,
}

impl Differing {
    /// Those that a commit may change for a profile whose content it reaches.
    pub fn by(delta: &Delta) -> Self {
        let mut parts = Self::default();
        for changed in delta {
            match changed.key.kind {
                Kind::SessionTemplate | Kind::Script => {
                    (parts.templates, parts.conversations, parts.scripts) = (true, true, true);
                }
                Kind::TabTemplate => (parts.templates, parts.conversations) = (true, true),
                Kind::NotificationTemplate | Kind::Bot => parts.conversations = true,
                Kind::Workstream => (parts.conversations, parts.scripts) = (true, true),
                Kind::Macro => parts.scripts = true,
                Kind::Tool | Kind::Role => parts = parts.with_pane(),
                Kind::Provider => parts.providers = true,
                Kind::Channel => parts = parts.with_channels(),
                Kind::Settings => parts = parts.with_gates(),
                Kind::Queue | Kind::User | Kind::Team => {}
                _ => return Self::all(),
            }
        }
        parts
    }

    fn all() -> Self {
        Self { identity: true, templates: true, providers: true, ..Self::default().with_gates() }
    }

    /// Tools show scripts and what bots suggest.
    fn with_pane(self) -> Self {
        Self { pane: true, scripts: true, conversations: true, ..self }
    }

    /// Open channels lead to work streams, and to the scripts of their sessions.
    fn with_channels(self) -> Self {
        Self { channels: true, scripts: true, conversations: true, ..self }
    }

    /// The same with those that depend on gates.
    #[must_use]
    pub fn with_gates(self) -> Self {
        self.with_pane().with_channels()
    }
}

impl<'a> Parts<'a> {
    /// Nothing made yet.
    pub fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            templates: HashMap::new(),
            conversations: [None, None],
            scripts: HashMap::new(),
            macros: HashMap::new(),
            reached: HashMap::new(),
        }
    }

    /// Encoded size of the content of a profile with every gate open, and its work streams where it
    /// opens channels: no setting and no role can make it larger, so what fits now still fits when
    /// one of them changes.
    pub fn largest(&mut self, profile: &Profile) -> usize {
        let gates = Gates::open(self.catalog);
        let mut draft = Draft::with_every_gate_open(self.catalog, profile, &gates);
        let chosen = sessions::chosen(&mut draft);
        let mut size = own(&mut draft).encoded_len();
        for template in &chosen {
            size += framed(self.template(&mut draft, template).size);
        }
        let mut roots = scripts::roots(&draft, chosen.into_iter());
        if profile.all_active_channels {
            let conversations = self.conversations(&mut draft);
            size += conversations.size;
            if draft.shows(SCRIPTS_TOOL) {
                roots.extend(conversations.scripts.iter().cloned());
            }
        }
        size + self.reached(&mut draft, roots)
    }

    /// What a profile shows, of which nothing was drafted yet or the pane was.
    fn shown(&mut self, draft: &mut Draft<'_>) -> Shown {
        if draft.tools.is_empty() {
            pane::pane(draft);
        }
        let chosen = sessions::chosen(draft);
        let mut scripts = scripts::roots(draft, chosen.into_iter());
        let effective = channels::channels(draft).effective;
        if effective && draft.shows(SCRIPTS_TOOL) {
            scripts.extend(self.conversations(draft).scripts.iter().cloned());
        }
        let conversations = effective.then(|| draft.shows(SMART_ASSIST_TOOL));
        Shown { conversations, scripts }
    }

    fn conversations(&mut self, draft: &mut Draft<'_>) -> &Conversations {
        let with_bots = draft.shows(SMART_ASSIST_TOOL);
        self.conversations[usize::from(with_bots)].get_or_insert_with(|| {
            let section = workstreams::section(draft);
            let scripts = section.templates.values().flat_map(|template| &template.scripts);
            let scripts = scripts.cloned().collect();
            let content = v1::ProfileContent {
                generic_session_templates: section.expanded(draft),
                notification_templates: section.notifications(draft),
                workstreams: section.workstreams,
                ..v1::ProfileContent::default()
            };
            Conversations { size: content.encoded_len(), content, scripts }
        })
    }

    /// Encoded size of the scripts that are reached from some, and of their macros.
    fn reached(&mut self, draft: &mut Draft<'_>, roots: BTreeSet<UniqueName>) -> usize {
        if let Some(size) = self.reached.get(&roots) {
            return *size;
        }
        let (mut seen, mut macros) = (BTreeSet::new(), BTreeSet::new());
        let mut open: Vec<_> = roots.iter().cloned().collect();
        let mut size = 0;
        while let Some(name) = open.pop() {
            if seen.contains(&name) {
                continue;
            }
            if let Some(script) = self.script(draft, &name) {
                size += framed(script.size);
                open.extend(script.goes_on.iter().cloned());
                macros.extend(script.runs.iter().cloned());
            }
            seen.insert(name);
        }
        size += macros.iter().map(|name| framed(self.run(draft, name))).sum::<usize>();
        self.reached.insert(roots, size);
        size
    }

    fn script(&mut self, draft: &mut Draft<'_>, name: &UniqueName) -> Option<&Script> {
        if !self.scripts.contains_key(name) {
            let stored = scripts::active(draft.catalog, name)?;
            let names = |common: &Common| common.unique_name.clone();
            let whole = scripts::whole(draft, stored, |_| false);
            let script = Script {
                size: whole.message.encoded_len(),
                goes_on: whole.goes_on.iter().map(|script| names(&script.common)).collect(),
                runs: whole.runs.iter().map(|found| names(&found.common)).collect(),
            };
            self.scripts.insert(name.clone(), script);
        }
        self.scripts.get(name)
    }

    fn run(&mut self, draft: &mut Draft<'_>, name: &UniqueName) -> usize {
        let stored = draft.catalog.tables.macros.get(name);
        let measure = || stored.map_or(0, |found| scripts::run(draft, found).encoded_len());
        *self.macros.entry(name.clone()).or_insert_with(measure)
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
        Self {
            old: Parts::new(old),
            new: Parts::new(new),
            templates: HashMap::new(),
            conversations: HashMap::new(),
            scripts: HashMap::new(),
        }
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
            || self.shared_differs(parts, &mut old, &mut new)
    }

    /// Compares what profiles share: work streams, scripts and macros.
    fn shared_differs(
        &mut self,
        parts: Differing,
        old: &mut Draft<'_>,
        new: &mut Draft<'_>,
    ) -> bool {
        if !(parts.conversations || parts.scripts) {
            return false;
        }
        let (before, after) = (self.old.shown(old), self.new.shown(new));
        (parts.conversations && {
            let key = [before.conversations, after.conversations];
            let Self { old: olds, new: news, conversations, .. } = self;
            let compare = || {
                let [one, other] = key.map(|shown| shown.is_some());
                let (one, other) = (
                    one.then(|| &olds.conversations(old).content),
                    other.then(|| &news.conversations(new).content),
                );
                let empty = v1::ProfileContent::default();
                one.unwrap_or(&empty) != other.unwrap_or(&empty)
            };
            *conversations.entry(key).or_insert_with(compare)
        }) || (parts.scripts && {
            let [one, other] = [before.scripts, after.scripts];
            let compare = || scripts::section(old, &one) != scripts::section(new, &other);
            *self.scripts.entry([one.clone(), other.clone()]).or_insert_with(compare)
        })
    }

    fn templates_differ(&mut self, old: &mut Draft<'_>, new: &mut Draft<'_>) -> bool {
        let (before, after) = (sessions::chosen(old), sessions::chosen(new));
        before.len() != after.len()
            || before.into_iter().zip(after).any(|(one, other)| {
                let name = &one.common.unique_name;
                if other.common.unique_name != *name {
                    return true;
                }
                let Self { old: olds, new: news, templates, .. } = self;
                let compare =
                    || olds.template(old, one).message != news.template(new, other).message;
                *templates.entry(name.clone()).or_insert_with(compare)
            })
    }
}
