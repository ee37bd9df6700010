//! The generated services, one line per call.

use deskplane_proto::v1;
use tonic::{Request, Response, Status};

use super::Service;

/// Implements a generated service. `write`, `get` and `list` are generic; `own` calls a method of
/// [`Service`] of the same name.
macro_rules! service {
    ($module:ident :: $service:ident { $($way:ident $method:ident $rpc:literal: $request:ident => $response:ident $(.$field:ident)?;)+ }) => {
        #[tonic::async_trait]
        impl v1::$module::$service for Service {
            $(
                async fn $method(
                    &self,
                    request: Request<v1::$request>,
                ) -> Result<Response<v1::$response>, Status> {
                    const PATH: &str = concat!("deskplane.v1.", stringify!($service), "/", $rpc);
                    service!(@$way self, PATH, request, $method, $response $($field)?)
                }
            )+
        }
    };
    (@write $self:ident, $path:ident, $request:ident, $method:ident, $response:ident) => {
        $self.write($path, $request).await
    };
    (@get $self:ident, $path:ident, $request:ident, $method:ident, $response:ident) => {
        $self.get($path, $request.metadata(), &$request.get_ref().name)
    };
    (@list $self:ident, $path:ident, $request:ident, $method:ident, $response:ident $field:ident) => {{
        let (metadata, q) = ($request.metadata(), $request.get_ref());
        let asked = (q.page_size, q.page_token.as_str(), q.filter.as_str(), q.order_by.as_str());
        let (rows, next_page_token, revision) = $self.list($path, metadata, asked)?;
        Ok(Response::new(v1::$response { $field: rows, next_page_token, revision }))
    }};
    (@own $self:ident, $path:ident, $request:ident, $method:ident, $response:ident) => {
        Service::$method($self, $path, $request).await
    };
}

service! { profile_service_server::ProfileService {
    get get_profile "GetProfile": GetProfileRequest => Profile;
    list list_profiles "ListProfiles": ListProfilesRequest => ListProfilesResponse.profiles;
    write create_profile "CreateProfile": CreateProfileRequest => CreateProfileResponse;
    write clone_profile "CloneProfile": CloneProfileRequest => CloneProfileResponse;
    write update_profile "UpdateProfile": UpdateProfileRequest => UpdateProfileResponse;
    write delete_profile "DeleteProfile": DeleteProfileRequest => DeleteProfileResponse;
    write activate_profile "ActivateProfile": ActivateProfileRequest => ActivateProfileResponse;
    write deactivate_profile "DeactivateProfile":
        DeactivateProfileRequest => DeactivateProfileResponse;
    write set_default "SetDefault": SetDefaultRequest => SetDefaultResponse;
    write remove_default "RemoveDefault": RemoveDefaultRequest => RemoveDefaultResponse;
    write set_rank_and_roles "SetRankAndRoles": SetRankAndRolesRequest => SetRankAndRolesResponse;
    write remove_rank_and_roles "RemoveRankAndRoles":
        RemoveRankAndRolesRequest => RemoveRankAndRolesResponse;
    write add_users "AddUsers": AddUsersRequest => AddUsersResponse;
    write remove_users "RemoveUsers": RemoveUsersRequest => RemoveUsersResponse;
    write add_session_template "AddSessionTemplate":
        AddSessionTemplateRequest => AddSessionTemplateResponse;
    write link_providers "LinkProviders": LinkProvidersRequest => LinkProvidersResponse;
    write unlink_providers "UnlinkProviders": UnlinkProvidersRequest => UnlinkProvidersResponse;
    write set_pane "SetPane": SetPaneRequest => SetPaneResponse;
    write set_inbox "SetInbox": SetInboxRequest => SetInboxResponse;
    write set_copilot "SetCopilot": SetCopilotRequest => SetCopilotResponse;
    write set_channels "SetChannels": SetChannelsRequest => SetChannelsResponse;
} }

service! { session_template_service_server::SessionTemplateService {
    get get_session_template "GetSessionTemplate": GetSessionTemplateRequest => SessionTemplate;
    list list_session_templates "ListSessionTemplates":
        ListSessionTemplatesRequest => ListSessionTemplatesResponse.session_templates;
    write create_session_template "CreateSessionTemplate":
        CreateSessionTemplateRequest => CreateSessionTemplateResponse;
    write clone_session_template "CloneSessionTemplate":
        CloneSessionTemplateRequest => CloneSessionTemplateResponse;
    write update_session_template "UpdateSessionTemplate":
        UpdateSessionTemplateRequest => UpdateSessionTemplateResponse;
    write delete_session_template "DeleteSessionTemplate":
        DeleteSessionTemplateRequest => DeleteSessionTemplateResponse;
    write activate_session_template "ActivateSessionTemplate":
        ActivateSessionTemplateRequest => ActivateSessionTemplateResponse;
    write deactivate_session_template "DeactivateSessionTemplate":
        DeactivateSessionTemplateRequest => DeactivateSessionTemplateResponse;
} }

service! { application_tab_template_service_server::ApplicationTabTemplateService {
    get get_application_tab_template "GetApplicationTabTemplate":
        GetApplicationTabTemplateRequest => ApplicationTabTemplate;
    list list_application_tab_templates "ListApplicationTabTemplates":
        ListApplicationTabTemplatesRequest
            => ListApplicationTabTemplatesResponse.application_tab_templates;
    write create_application_tab_template "CreateApplicationTabTemplate":
        CreateApplicationTabTemplateRequest => CreateApplicationTabTemplateResponse;
    write clone_application_tab_template "CloneApplicationTabTemplate":
        CloneApplicationTabTemplateRequest => CloneApplicationTabTemplateResponse;
    write update_application_tab_template "UpdateApplicationTabTemplate":
        UpdateApplicationTabTemplateRequest => UpdateApplicationTabTemplateResponse;
    write delete_application_tab_template "DeleteApplicationTabTemplate":
        DeleteApplicationTabTemplateRequest => DeleteApplicationTabTemplateResponse;
    write activate_application_tab_template "ActivateApplicationTabTemplate":
        ActivateApplicationTabTemplateRequest => ActivateApplicationTabTemplateResponse;
    write deactivate_application_tab_template "DeactivateApplicationTabTemplate":
        DeactivateApplicationTabTemplateRequest => DeactivateApplicationTabTemplateResponse;
} }

service! { productivity_tool_service_server::ProductivityToolService {
    get get_productivity_tool "GetProductivityTool": GetProductivityToolRequest => ProductivityTool;
    list list_productivity_tools "ListProductivityTools":
        ListProductivityToolsRequest => ListProductivityToolsResponse.productivity_tools;
    write create_productivity_tool "CreateProductivityTool":
        CreateProductivityToolRequest => CreateProductivityToolResponse;
    write clone_productivity_tool "CloneProductivityTool":
        CloneProductivityToolRequest => CloneProductivityToolResponse;
    write update_productivity_tool "UpdateProductivityTool":
        UpdateProductivityToolRequest => UpdateProductivityToolResponse;
    write delete_productivity_tool "DeleteProductivityTool":
        DeleteProductivityToolRequest => DeleteProductivityToolResponse;
    write activate_productivity_tool "ActivateProductivityTool":
        ActivateProductivityToolRequest => ActivateProductivityToolResponse;
    write deactivate_productivity_tool "DeactivateProductivityTool":
        DeactivateProductivityToolRequest => DeactivateProductivityToolResponse;
} }

service! { provider_service_server::ProviderService {
    get get_channel_provider "GetChannelProvider": GetChannelProviderRequest => ChannelProvider;
    list list_channel_providers "ListChannelProviders":
        ListChannelProvidersRequest => ListChannelProvidersResponse.channel_providers;
    write create_channel_provider "CreateChannelProvider":
        CreateChannelProviderRequest => CreateChannelProviderResponse;
    write clone_channel_provider "CloneChannelProvider":
        CloneChannelProviderRequest => CloneChannelProviderResponse;
    write update_channel_provider "UpdateChannelProvider":
        UpdateChannelProviderRequest => UpdateChannelProviderResponse;
    write delete_channel_provider "DeleteChannelProvider":
        DeleteChannelProviderRequest => DeleteChannelProviderResponse;
    write activate_channel_provider "ActivateChannelProvider":
        ActivateChannelProviderRequest => ActivateChannelProviderResponse;
    write deactivate_channel_provider "DeactivateChannelProvider":
        DeactivateChannelProviderRequest => DeactivateChannelProviderResponse;
    own report_provider_health "ReportProviderHealth":
        ReportProviderHealthRequest => ReportProviderHealthResponse;
    own verify_provider "VerifyProvider": VerifyProviderRequest => VerifyProviderResponse;
    own list_adapters "ListAdapters": ListAdaptersRequest => ListAdaptersResponse;
    write rotate_secret_keys "RotateSecretKeys":
        RotateSecretKeysRequest => RotateSecretKeysResponse;
} }

service! { directory_service_server::DirectoryService {
    get get_user "GetUser": GetUserRequest => User;
    list list_users "ListUsers": ListUsersRequest => ListUsersResponse.users;
    write upsert_user "UpsertUser": UpsertUserRequest => UpsertUserResponse;
    write batch_upsert_users "BatchUpsertUsers":
        BatchUpsertUsersRequest => BatchUpsertUsersResponse;
    write set_user_roles "SetUserRoles": SetUserRolesRequest => SetUserRolesResponse;
    write disable_user "DisableUser": DisableUserRequest => DisableUserResponse;
    write enable_user "EnableUser": EnableUserRequest => EnableUserResponse;
    write delete_user "DeleteUser": DeleteUserRequest => DeleteUserResponse;
    get get_team "GetTeam": GetTeamRequest => Team;
    list list_teams "ListTeams": ListTeamsRequest => ListTeamsResponse.teams;
    write upsert_team "UpsertTeam": UpsertTeamRequest => UpsertTeamResponse;
    write delete_team "DeleteTeam": DeleteTeamRequest => DeleteTeamResponse;
    get get_security_role "GetSecurityRole": GetSecurityRoleRequest => SecurityRole;
    list list_security_roles "ListSecurityRoles":
        ListSecurityRolesRequest => ListSecurityRolesResponse.security_roles;
    write upsert_role "UpsertRole": UpsertRoleRequest => UpsertRoleResponse;
    write delete_role "DeleteRole": DeleteRoleRequest => DeleteRoleResponse;
} }

service! { settings_service_server::SettingsService {
    get get_settings "GetSettings": GetSettingsRequest => OrganizationSettings;
    write update_settings "UpdateSettings": UpdateSettingsRequest => UpdateSettingsResponse;
} }

service! { insight_service_server::InsightService {
    own explain "Explain": ExplainRequest => ExplainResponse;
    own search_by_user "SearchByUser": SearchByUserRequest => SearchByUserResponse;
    own list_findings "ListFindings": ListFindingsRequest => ListFindingsResponse;
} }
