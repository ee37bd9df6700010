//! IdentityService: who the server takes a caller for (SPEC §12.3).

use deskplane_proto::v1;

use super::{
    Service,
    context::{CallContext, MessageAttributes},
    convert,
};
use crate::domain::Refusal;

impl Service {
    /// Says who calls.
    pub(super) async fn get_caller(
        &self,
        context: &CallContext,
        _: v1::GetCallerRequest,
    ) -> Result<v1::GetCallerResponse, Refusal> {
        let call = self.data.admit(context, MessageAttributes::default())?;
        let per_user = call.catalog.settings.max_streams_per_user.into();
        let limits = self.info.limits.iter().copied().chain([("streams_per_user", per_user)]);
        let limits =
            limits.map(|(name, limit)| (name.to_owned(), limit.try_into().unwrap_or(i64::MAX)));
        Ok(v1::GetCallerResponse {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            features: self.info.features.clone(),
            limits: limits.collect(),
            revision: call.catalog.revision,
            ..convert::caller(context.credential(), &call.actor)
        })
    }
}
