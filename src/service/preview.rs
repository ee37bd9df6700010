//! Previews: what a list of writes would do, and what a user would get who need not exist (SPEC
//! §11.1). Nothing is committed.

use deskplane_proto::v1;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::{
    Service,
    context::{Admitted, CallContext, MessageAttributes},
    convert::{self, Reader},
    no_user,
    page::{self, Position},
};
use crate::{
    command::{self, ApplyChanges},
    domain::{Refusal, Time, UserId},
    resolve::{self, Outcome},
};

impl Service {
    /// Says what a list of writes would do: on a thread for blocking work, for a list may be long.
    pub(super) async fn preview_changes(
        &self,
        context: &CallContext,
        q: v1::PreviewChangesRequest,
    ) -> Result<v1::PreviewChangesResponse, Refusal> {
        let turn = self.previews.turn(context.subject()).await?;
        let call = self.data.admit(context, MessageAttributes::default())?;
        let (service, path) = (self.clone(), context.rpc().path);
        turn.run(move |_| service.preview(path, &call, q)).await?
    }

    fn preview(
        &self,
        path: &str,
        call: &Admitted,
        q: v1::PreviewChangesRequest,
    ) -> Result<v1::PreviewChangesResponse, Refusal> {
        let catalog = call.catalog.as_ref();
        let list =
            v1::PreviewChangesRequest { page_size: 0, page_token: String::new(), ..q.clone() };
        let list = format!("{:x}", Sha256::digest(list.encode_to_vec()));
        let arguments = [path, list.as_str()];
        let asked = self.page_request(&arguments, q.page_size, &q.page_token);
        let mut reader = Reader::new(catalog).sealing(&self.vault);
        let (size, after) = (asked.rows(&mut reader.v), asked.after(&mut reader.v));
        let operations = convert::operations(q.operations, &mut reader);
        let command = ApplyChanges { operations, expected_revision: None };
        if let Some(bad) = self.bad_fields(reader.v, &command, call) {
            return Err(bad);
        }
        let revision = catalog.revision;
        if let Some(made_at) =
            after.as_ref().and_then(Position::number).filter(|at| *at != revision)
        {
            return Err(command::moved_on(made_at, revision));
        }
        let after = after.and_then(|position| UserId::parse(position.name()).ok());
        let context = command::Context {
            actor: call.actor.clone(),
            revision: revision + 1,
            time: Time::next_commit(self.clock.now(), catalog.time),
            uid: self.clock.uid(),
            policy: self.data.policy(),
        };
        // One more than the page holds, to know whether there are more.
        let (plan, preview) =
            command::preview(&command, catalog, &context, after.as_ref(), size + 1)?;
        let rows = preview.affected.users.iter().map(|user| {
            (Position::numbered(revision, user.user.as_str()), convert::affected_user(user))
        });
        let page = page::cut(&asked, size, rows);
        Ok(convert::previewed(&plan, &preview, page.rows, page.next, revision))
    }

    /// Explains what a user would get who holds the given roles and link.
    pub(super) async fn preview_user(
        &self,
        context: &CallContext,
        q: v1::PreviewUserRequest,
    ) -> Result<v1::PreviewUserResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let mut reader = Reader::new(&call.catalog);
        let (user, app) = convert::hypothetical_user(&q, &mut reader);
        reader.v.finish()?;
        let (catalog, id) = user.seat(&call.catalog)?;
        let unknown = || no_user(id.as_str());
        let seated = catalog.user(&id).ok_or_else(unknown)?;
        let explanation = resolve::explain(&catalog, &id, app).ok_or_else(unknown)?;
        let compiled = |profile: &_| self.contents.get(&catalog, profile, seated.class);
        let digest = match &explanation.outcome {
            Outcome::Resolved(found) => compiled(&found.profile).map(|c| c.digest.clone()),
            _ => None,
        };
        let answer = convert::explanation(&seated, &explanation, compiled, catalog.revision);
        Ok(convert::previewed_user(answer, digest.unwrap_or_default()))
    }
}
