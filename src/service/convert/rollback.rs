//! Rollback: the earlier states that a request asks for, and what came of it.

use deskplane_proto::v1;
use prost::Message as _;

use super::{Answer, Envelope, Reader, WriteRequest, any};
use crate::{
    command::{Command, MAX_ROLLBACK_TARGETS, Rollback, RollbackFlags, RollbackTarget},
    domain::{ObjectKey, Reason, Refusal},
};

impl WriteRequest for v1::RollbackRequest {
    fn take_envelope(&mut self) -> Envelope {
        Envelope {
            request_id: std::mem::take(&mut self.request_id),
            validate_only: self.validate_only,
            reason: std::mem::take(&mut self.reason),
        }
    }

    fn recalls(&self, reader: &mut Reader<'_>) -> (Vec<ObjectKey>, i64) {
        let named = self.names.iter().take(MAX_ROLLBACK_TARGETS);
        (named.map(|name| reader.any_key("names", name)).collect(), self.revision)
    }

    fn payload(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    fn read(self: Box<Self>, reader: &mut Reader<'_>) -> Box<dyn Command> {
        let count = self.names.len();
        if !(1..=MAX_ROLLBACK_TARGETS).contains(&count) {
            let rule = format!("must name 1 to {MAX_ROLLBACK_TARGETS} objects, names {count}");
            reader.v.invalid("names", rule);
        }
        if self.revision < 1 {
            reader.v.invalid("revision", format!("must be 1 or more, is {}", self.revision));
        }
        if !self.etag.is_empty() && count != 1 {
            reader.v.invalid("etag", "goes with one object");
        }
        let etag = reader.etag(&self.etag);
        let mut targets: Vec<RollbackTarget> = Vec::new();
        for (at, name) in self.names.iter().take(MAX_ROLLBACK_TARGETS).enumerate() {
            let field = format!("names[{at}]");
            let key = reader.any_key(&field, name);
            if targets.iter().any(|target| target.key == key) {
                reader.v.invalid(field, "names an object that is named already");
                continue;
            }
            let old = reader.recalled(&key).unwrap_or_else(|| {
                Err(Refusal::new(Reason::Internal, "An earlier state was not read."))
            });
            targets.push(RollbackTarget { key, etag: etag.clone(), old });
        }
        let flags = RollbackFlags {
            replace_current: self.replace_current,
            drop_rank_and_roles: self.drop_rank_and_roles,
            displace: reader.choice("displace", self.displace).unwrap_or_default(),
            override_managed: self.override_managed,
            move_users: self.r#move,
        };
        Box::new(Rollback { targets, flags })
    }
}

impl From<Answer<'_>> for v1::RollbackResponse {
    fn from(answer: Answer<'_>) -> Self {
        let objects = answer.outcome.objects.iter();
        Self {
            resources: objects.filter_map(|object| any(object, answer.context)).collect(),
            write: answer.write(),
        }
    }
}
