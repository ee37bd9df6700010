//! What speaks against an import, in the order in which it is said.

use crate::domain::{Kind, Reason, Refusal, UniqueName, Violations, refusal::Preconditions};

/// Most refusals of one sort that an import names.
const MAX_REFUSALS: usize = 100;

/// Everything that speaks against an import, by the order of SPEC §7.2.
#[derive(Debug, Default)]
pub struct Refused {
    pub(super) fields: Violations,
    pub(super) taken: Limited,
    pub(super) origin: Limited,
    pub(super) references: Limited,
    pub(super) states: Limited,
}

/// Preconditions that fail, up to a limit.
#[derive(Debug, Default)]
pub(super) struct Limited {
    failed: Preconditions,
    count: usize,
}

// ===== impl Refused =====

impl Refused {
    /// Where bad fields are noted.
    pub(super) fn violations(&mut self) -> &mut Violations {
        &mut self.fields
    }

    /// Notes the refusal of an object by its origin.
    pub(super) fn origin(&mut self, judged: Result<(), Refusal>) {
        self.origin.note(judged);
    }

    /// Notes a reference that leads nowhere.
    pub(super) fn reference(&mut self, judged: Result<(), Refusal>) {
        self.references.note(judged);
    }

    /// Notes what `judge` finds to be forbidden by the state.
    pub(super) fn state(&mut self, judge: impl FnOnce(&mut Preconditions)) {
        let mut failed = Preconditions::new();
        judge(&mut failed);
        self.states.note(failed.finish());
    }

    pub(super) fn pinned(&mut self, provider: &UniqueName) {
        let message = format!("The URL of provider {provider} is pinned and would change.");
        self.states.fail(
            Refusal::new(Reason::ProviderUrlDrift, message)
                .precondition("PROVIDER_URL_DRIFT", provider, "the URL is pinned")
                .resource(Kind::Provider.as_str(), provider, "the URL is pinned"),
        );
    }

    /// Refuses for what needs no look at other objects.
    pub(super) fn first(&mut self) -> Result<(), Refusal> {
        std::mem::take(&mut self.fields).finish()?;
        std::mem::take(&mut self.taken).failed.finish()?;
        std::mem::take(&mut self.origin).failed.finish()
    }

    pub(super) fn finish(mut self) -> Result<(), Refusal> {
        // What is bad in a field only beside others comes behind what does not exist.
        self.references.failed.finish()?;
        std::mem::take(&mut self.fields).finish()?;
        self.states.failed.finish()
    }
}

impl Limited {
    pub(super) fn fail(&mut self, refusal: Refusal) {
        self.count += 1;
        if self.count <= MAX_REFUSALS {
            self.failed.fail(refusal);
        }
    }

    pub(super) fn note(&mut self, judged: Result<(), Refusal>) {
        if let Err(refusal) = judged {
            self.fail(refusal);
        }
    }
}
