//! The table of operations and scopes (SPEC §12.2).

use crate::domain::{Scope, Scopes};

/// What one scope may do with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    No,
    /// Call it, about anybody.
    Yes,
    /// Call it about the user for whom the credential stands.
    Own,
    /// The same, once the organisation allows agents to Explain themselves.
    OwnIfExplained,
    /// Ask what it would do.
    ValidateOnly,
}

/// One row of the table: a cell per scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// AGENT.
    pub agent: Cell,
    /// READER.
    pub reader: Cell,
    /// ADMIN.
    pub admin: Cell,
    /// SERVICE.
    pub service: Cell,
    /// PRODUCTIVITY: what AGENT may, and reading the library.
    pub productivity: Cell,
}

impl Access {
    /// The scopes whose cell fulfils a condition.
    pub fn scopes(&self, holds: impl Fn(Cell) -> bool) -> Scopes {
        let mut scopes = Scopes::default();
        for (scope, cell) in [
            (Scope::Agent, self.agent),
            (Scope::Reader, self.reader),
            (Scope::Admin, self.admin),
            (Scope::Service, self.service),
            (Scope::Productivity, self.productivity),
        ] {
            if holds(cell) {
                scopes.insert(scope);
            }
        }
        scopes
    }
}

/// An operation and who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rpc {
    /// Service and method: `deskplane.v1.ProfileService/SetDefault`.
    pub path: &'static str,
    /// Its row.
    pub access: Access,
}

impl Rpc {
    /// The operation of that path, with or without the slash that requests put in front.
    pub fn find(path: &str) -> Option<&'static Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        RPCS.binary_search_by(|rpc| rpc.path.cmp(path)).ok().and_then(|at| RPCS.get(at))
    }
}

const fn row(agent: Cell, reader: Cell, admin: Cell, service: Cell, productivity: Cell) -> Access {
    Access { agent, reader, admin, service, productivity }
}

use Cell::{No, Own, OwnIfExplained, ValidateOnly, Yes};

// Columns: AGENT, READER, ADMIN, SERVICE, PRODUCTIVITY.
const RESOLVE: Access = row(Own, Yes, Yes, Yes, Own);
const BULK: Access = row(No, Yes, Yes, Yes, No);
const EXPLAIN: Access = row(OwnIfExplained, Yes, Yes, Yes, OwnIfExplained);
const READ: Access = row(No, Yes, Yes, No, No);
const READ_LIBRARY: Access = row(No, Yes, Yes, No, Yes);
const READ_DIRECTORY: Access = row(No, Yes, Yes, Yes, No);
const WRITE: Access = row(No, ValidateOnly, Yes, No, No);
const WRITE_DIRECTORY: Access = row(No, No, Yes, Yes, No);
const REPORT_HEALTH: Access = row(No, No, Yes, Yes, No);
const ADAPTERS: Access = row(No, Yes, Yes, Yes, No);
const VOICE: Access = row(Own, No, No, Yes, Own);
const LIST_CALLS: Access = row(Own, Yes, Yes, Yes, Own);
const ROTATE_KEYS: Access = row(No, No, Yes, No, No);

macro_rules! rpcs {
    ($($service:literal { $($method:ident: $access:ident,)+ })+) => {
        /// Every operation of the API, ascending by path.
        pub static RPCS: &[Rpc] = &[$($(
            Rpc {
                path: concat!("deskplane.v1.", $service, "/", stringify!($method)),
                access: $access,
            },
        )+)+];
    };
}

rpcs! {
    "AgentService" {
        BulkResolve: BULK,
        ResolveProfile: RESOLVE,
        WatchProfile: RESOLVE,
    }
    "ApplicationTabTemplateService" {
        ActivateApplicationTabTemplate: WRITE,
        CloneApplicationTabTemplate: WRITE,
        CreateApplicationTabTemplate: WRITE,
        DeactivateApplicationTabTemplate: WRITE,
        DeleteApplicationTabTemplate: WRITE,
        GetApplicationTabTemplate: READ_LIBRARY,
        ListApplicationTabTemplates: READ_LIBRARY,
        UpdateApplicationTabTemplate: WRITE,
    }
    "DirectoryService" {
        BatchUpsertUsers: WRITE_DIRECTORY,
        DeleteRole: WRITE_DIRECTORY,
        DeleteTeam: WRITE_DIRECTORY,
        DeleteUser: WRITE_DIRECTORY,
        DisableUser: WRITE_DIRECTORY,
        EnableUser: WRITE_DIRECTORY,
        GetSecurityRole: READ_DIRECTORY,
        GetTeam: READ_DIRECTORY,
        GetUser: READ_DIRECTORY,
        ListSecurityRoles: READ_DIRECTORY,
        ListTeams: READ_DIRECTORY,
        ListUsers: READ_DIRECTORY,
        SetUserRoles: WRITE_DIRECTORY,
        UpsertRole: WRITE_DIRECTORY,
        UpsertTeam: WRITE_DIRECTORY,
        UpsertUser: WRITE_DIRECTORY,
    }
    "InsightService" {
        Explain: EXPLAIN,
        ListFindings: READ,
        SearchByUser: READ,
    }
    "ProductivityToolService" {
        ActivateProductivityTool: WRITE,
        CloneProductivityTool: WRITE,
        CreateProductivityTool: WRITE,
        DeactivateProductivityTool: WRITE,
        DeleteProductivityTool: WRITE,
        GetProductivityTool: READ_LIBRARY,
        ListProductivityTools: READ_LIBRARY,
        UpdateProductivityTool: WRITE,
    }
    "ProfileService" {
        ActivateProfile: WRITE,
        AddSessionTemplate: WRITE,
        AddUsers: WRITE,
        CloneProfile: WRITE,
        CreateProfile: WRITE,
        DeactivateProfile: WRITE,
        DeleteProfile: WRITE,
        GetProfile: READ,
        LinkProviders: WRITE,
        ListProfiles: READ,
        RemoveDefault: WRITE,
        RemoveRankAndRoles: WRITE,
        RemoveUsers: WRITE,
        SetChannels: WRITE,
        SetCopilot: WRITE,
        SetDefault: WRITE,
        SetInbox: WRITE,
        SetPane: WRITE,
        SetRankAndRoles: WRITE,
        UnlinkProviders: WRITE,
        UpdateProfile: WRITE,
    }
    "ProviderService" {
        ActivateChannelProvider: WRITE,
        CloneChannelProvider: WRITE,
        CreateChannelProvider: WRITE,
        DeactivateChannelProvider: WRITE,
        DeleteChannelProvider: WRITE,
        GetChannelProvider: READ_LIBRARY,
        ListAdapters: ADAPTERS,
        ListChannelProviders: READ_LIBRARY,
        ReportProviderHealth: REPORT_HEALTH,
        RotateSecretKeys: ROTATE_KEYS,
        UpdateChannelProvider: WRITE,
        VerifyProvider: REPORT_HEALTH,
    }
    "SessionTemplateService" {
        ActivateSessionTemplate: WRITE,
        CloneSessionTemplate: WRITE,
        CreateSessionTemplate: WRITE,
        DeactivateSessionTemplate: WRITE,
        DeleteSessionTemplate: WRITE,
        GetSessionTemplate: READ_LIBRARY,
        ListSessionTemplates: READ_LIBRARY,
        UpdateSessionTemplate: WRITE,
    }
    "SettingsService" {
        GetSettings: READ,
        UpdateSettings: WRITE,
    }
    "VoiceService" {
        EndCall: VOICE,
        GetCall: VOICE,
        HoldCall: VOICE,
        ListCalls: LIST_CALLS,
        MintClientToken: VOICE,
        ResumeCall: VOICE,
        SetPresence: VOICE,
        StartCall: VOICE,
        TransferCall: VOICE,
        WatchCalls: VOICE,
    }
}
