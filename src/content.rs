//! What a profile means for its users: every reference followed, every gate tested, encoded once
//! and shared (SPEC §8).
//!
//! [`compile`] is a pure function of a catalog, a profile and the [`Gates`] of a role class. Users
//! with equal gates share the answer, and equal state gives equal bytes whatever way led to it.

mod builtin;
mod channels;
mod compiled;
mod copilot;
mod draft;
mod gates;
mod linter;
mod pane;
mod parts;
mod scripts;
mod sections;
mod sessions;
mod text;
pub(crate) mod wire;
mod workstreams;

use bytes::Bytes;
use deskplane_proto::v1;
use prost::Message;
use sha2::{Digest, Sha256};

use self::draft::Draft;
pub use self::{
    builtin::{BuiltIn, built_in_of},
    compiled::{Compiled, ContentId},
    gates::{Gate, GateReport, GateSubject, Gates},
    linter::{library_findings, object_findings},
    parts::{Differing, Pair, Parts},
    sections::changed_sections,
};
use crate::{
    catalog::Catalog,
    domain::{Finding, FindingCode, profile::Profile},
};

/// Version of the schema of the encoded content; part of the digest.
pub const SCHEMA_VERSION: i32 = 2;

/// Most bytes of an encoded resolved profile.
pub const MAX_BYTES: usize = 256 * 1024;

/// Library that a client loads to host the pages of voice providers.
pub const CHANNEL_LOADER: &str = "msdyn_channel_integration_loader";

/// Compiles the content of a profile for users with these gates.
pub fn compile(catalog: &Catalog, profile: &Profile, gates: &Gates) -> Compiled {
    #[cfg(test)]
    COMPILED.with(|compiled| compiled.set(compiled.get() + 1));
    let mut draft = Draft::new(catalog, profile, gates);
    let content = content(&mut draft).encode_to_vec();
    let digest = format!("d1:{:x}", Sha256::digest(&content));
    let (bytes, fields) = shared_fields(content.into(), &digest);
    draft.finish((bytes, fields), digest)
}

/// The fields of a resolved profile that are the same for all who get this content, encoded, and the
/// content in them.
pub(crate) fn shared_fields(content: Bytes, digest: &str) -> (Bytes, Bytes) {
    let length = content.len();
    let digest = digest.to_owned();
    let shared = v1::ResolvedProfile { content, digest, ..v1::ResolvedProfile::default() };
    let fields = Bytes::from(shared.encode_to_vec());
    if length == 0 {
        return (Bytes::new(), fields);
    }
    // Its tag takes one byte.
    let start = 1 + prost::length_delimiter_len(length);
    (fields.slice(start..start + length), fields)
}

/// Remarks on the content of a profile that hold for whatever user, as ListFindings reports them:
/// about the profile, one per code, ascending by code.
pub fn profile_findings(catalog: &Catalog, profile: &Profile) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut last: Option<FindingCode> = None;
    for finding in compile(catalog, profile, &Gates::open(catalog)).explained_findings() {
        match found.last_mut() {
            Some(same) if last == Some(finding.code) => {
                same.message = format!("{} {}", same.message, finding.message);
            }
            _ => {
                last = Some(finding.code);
                found.push(Finding { subject: profile.name().as_str().to_owned(), ..finding });
            }
        }
    }
    found
}

fn content(draft: &mut Draft<'_>) -> v1::ProfileContent {
    let chosen = sessions::chosen(draft);
    let own = own(draft);
    let effective = own.channels.as_ref().is_some_and(|channels| channels.effective);
    let conversations =
        if effective { workstreams::section(draft) } else { workstreams::Section::default() };
    let templates = chosen.iter().chain(conversations.templates.values()).copied();
    let roots = scripts::roots(draft, templates);
    let (scripts, macros) = scripts::section(draft, &roots);
    v1::ProfileContent {
        session_templates: chosen.iter().map(|t| sessions::expanded(draft, t)).collect(),
        generic_session_templates: conversations.expanded(draft),
        notification_templates: conversations.notifications(draft),
        workstreams: conversations.workstreams,
        scripts,
        macros,
        ..own
    }
}

/// The sections that no other profile shares.
fn own(draft: &mut Draft<'_>) -> v1::ProfileContent {
    let pane = pane::pane(draft);
    let copilot = copilot::features(draft);
    let channels = channels::channels(draft);
    let inbox = channels::inbox(draft, channels.effective);
    let providers = channels::providers(draft);
    let loader = (!providers.is_empty()).then(|| CHANNEL_LOADER.to_owned());
    v1::ProfileContent {
        schema_version: SCHEMA_VERSION,
        profile: Some(identity(draft.profile)),
        pane: Some(pane),
        copilot,
        inbox: Some(inbox),
        channels: Some(channels),
        providers,
        extension_libraries: loader.into_iter().collect(),
        limits: Some(limits()),
        ..v1::ProfileContent::default()
    }
}

fn identity(profile: &Profile) -> v1::ProfileIdentity {
    let common = &profile.common;
    v1::ProfileIdentity {
        unique_name: common.unique_name.as_str().to_owned(),
        display_name: common.display_name.clone(),
        description: common.description.clone(),
        origin: wire::origin(&common.origin).into(),
        app_module: profile.app_module.clone(),
    }
}

fn limits() -> v1::ClientLimits {
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    v1::ClientLimits {
        max_sessions: 9,
        max_tabs: 10,
        home_closable: false,
        notification_queue: 10,
        provider_call_timeout: seconds(10),
        inbox_refresh_interval: seconds(5 * 60),
        inbox_window: seconds(90 * 24 * 60 * 60),
        inbox_max_records: 500,
    }
}

#[cfg(test)]
thread_local! {
    /// How many contents this thread compiled: what the cost of a write is tested by.
    pub(crate) static COMPILED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests;
