//! The table of operations and scopes (SPEC §12.2): which row an operation has stands in the
//! definition of the API, what a row allows stands here.

use crate::domain::{Scope, Scopes};

/// What one scope may do with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    No,
    /// Call it, about any user.
    Yes,
    /// Call it about the user for whom the credential stands.
    Own,
    /// The same, once the organisation allows agents to Explain themselves.
    OwnIfExplained,
    /// Call it with `validate_only`.
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
    /// DIRECTORY.
    pub directory: Cell,
    /// PRODUCTIVITY: what AGENT may, reading the library, and writing scripts and macros.
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
            (Scope::Directory, self.directory),
            (Scope::Productivity, self.productivity),
        ] {
            if holds(cell) {
                scopes.insert(scope);
            }
        }
        scopes
    }
}

/// Which calls of an operation are audited as reads (SPEC §11.3), by the names that the option
/// `(deskplane.v1.audit)` gives. A write is audited by its own record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// None.
    None,
    /// Every call.
    Always,
    /// Calls of READER and ADMIN about another user than the caller's own.
    Others,
}

/// An operation of the API, as its definition describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rpc {
    /// Service and method: `deskplane.v1.ProfileService/SetDefault`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Which of its calls are audited, beside refusals by scope.
    pub audit: Audit,
    /// Whether its requests may hold secrets.
    pub may_hold_secrets: bool,
    /// Whether it answers a stream.
    pub streams: bool,
}

impl Rpc {
    /// Name of the method: `SetDefault`.
    pub fn method(&self) -> &'static str {
        self.path.rsplit_once('/').map_or(self.path, |(_, method)| method)
    }

    /// The operation of that path, with or without the slash that requests put in front.
    pub fn find(path: &str) -> Option<&'static Self> {
        Self::position(path).and_then(|at| RPCS.get(at))
    }

    /// The place of that operation in [`RPCS`].
    pub fn position(path: &str) -> Option<usize> {
        let path = path.strip_prefix('/').unwrap_or(path);
        RPCS.binary_search_by(|rpc| rpc.path.cmp(path)).ok()
    }
}

/// A row of the table, its cells in the order of the columns below.
const fn row([agent, reader, admin, service, directory, productivity]: [Cell; 6]) -> Access {
    Access { agent, reader, admin, service, directory, productivity }
}

use Cell::{No, Own, OwnIfExplained, ValidateOnly, Yes};

// Columns: AGENT, READER, ADMIN, SERVICE, DIRECTORY, PRODUCTIVITY.
const RESOLVE: Access = row([Own, Yes, Yes, Yes, No, Own]);
const BULK: Access = row([No, Yes, Yes, Yes, No, No]);
const EXPLAIN: Access = row([OwnIfExplained, Yes, Yes, Yes, No, OwnIfExplained]);
const READ: Access = row([No, Yes, Yes, No, No, No]);
const READ_LIBRARY: Access = row([No, Yes, Yes, No, No, Yes]);
const READ_DIRECTORY: Access = row([No, Yes, Yes, Yes, Yes, No]);
const WRITE: Access = row([No, ValidateOnly, Yes, No, No, No]);
const WRITE_PRODUCTIVITY: Access = row([No, ValidateOnly, Yes, No, No, Yes]);
const WRITE_DIRECTORY: Access = row([No, No, Yes, No, Yes, No]);
const REPORT_HEALTH: Access = row([No, No, Yes, Yes, No, No]);
const ADAPTERS: Access = row([No, Yes, Yes, Yes, No, No]);
const VOICE: Access = row([Own, No, No, Yes, No, Own]);
const LIST_CALLS: Access = row([Own, Yes, Yes, Yes, No, Own]);
const REPORT_STATUS: Access = row([Own, No, No, No, No, Own]);
const CALLER: Access = row([Yes; 6]);
const ROTATE_KEYS: Access = row([No, No, Yes, No, No, No]);

/// Whether a way of answering is a stream.
macro_rules! streams {
    (stream) => {
        true
    };
    ($way:ident) => {
        false
    };
}

/// Expands to [`RPCS`], a row per RPC of the API's definition. The rows above have the names that the
/// option `(deskplane.v1.access)` gives.
macro_rules! rpcs {
    ($(service $service:ident {
        name: $name:literal,
        $(rpc $rpc:ident {
            path: $path:literal,
            method: $method:ident,
            way: $way:ident $detail:tt,
            verb: $verb:ident $noun:tt,
            request: $request:ident,
            response: $response:ident,
            access: $access:ident,
            audit: $audit:ident,
            secrets: $secrets:literal,
        })+
    })+) => {
        /// Every operation of the API, ascending by path.
        pub static RPCS: &[Rpc] = &[$($(
            Rpc {
                path: $path,
                access: $access,
                audit: Audit::$audit,
                may_hold_secrets: $secrets,
                streams: streams!($way),
            },
        )+)+];
    };
}

deskplane_proto::for_each_service!(rpcs);
