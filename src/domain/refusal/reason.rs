//! The reasons of refusals, and the canonical code of each (SPEC §7.3).

/// The canonical code that a reason stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A value is bad.
    InvalidArgument,
    /// An addressed or referred object is missing.
    NotFound,
    /// A thing with the same key exists.
    AlreadyExists,
    /// The state forbids it.
    FailedPrecondition,
    /// Lost a race.
    Aborted,
    /// The caller may not.
    PermissionDenied,
    /// The caller is not authenticated.
    Unauthenticated,
    /// A limit of the server is reached.
    ResourceExhausted,
    /// What is named lies beyond what is kept.
    OutOfRange,
    /// The server cannot answer now.
    Unavailable,
    /// The caller's deadline passed.
    DeadlineExceeded,
    /// The server has no such method, or not in this form.
    Unimplemented,
    /// A mistake of the server.
    Internal,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $code:ident;)+) => {
        /// The machine-readable reason of a refusal; each belongs to one code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that SPEC gives it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The canonical code that it stands under.
            pub const fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)+ }
            }
        }
    };
}

reasons! {
    /// A unique name breaks SPEC §2.2 rule 1.
    UniqueNameInvalid = "UNIQUE_NAME_INVALID", InvalidArgument;
    /// The prefix of built-in names.
    ReservedPrefix = "RESERVED_PREFIX", InvalidArgument;
    /// Length, range, pattern, enum or control characters.
    FieldInvalid = "FIELD_INVALID", InvalidArgument;
    /// The message does not decode.
    RequestMalformed = "REQUEST_MALFORMED", InvalidArgument;
    /// A page token is made up, expired or from another call.
    PageTokenInvalid = "PAGE_TOKEN_INVALID", InvalidArgument;
    /// A filter or order has an unknown field or wrong syntax.
    FilterInvalid = "FILTER_INVALID", InvalidArgument;
    /// A resource would be larger than 128 KiB.
    ResourceTooLarge = "RESOURCE_TOO_LARGE", InvalidArgument;
    /// An immutable field would change.
    FieldImmutable = "FIELD_IMMUTABLE", InvalidArgument;
    /// An update mask names no field.
    UnknownField = "UNKNOWN_FIELD", InvalidArgument;
    /// A slug is malformed or stands where none may.
    SlugSyntax = "SLUG_SYNTAX", InvalidArgument;
    /// SetRankAndRoles without a rank or without roles.
    RankAndRolesRequired = "RANK_AND_ROLES_REQUIRED", InvalidArgument;
    /// A rank outside 0 to 100.
    RankOutOfRange = "RANK_OUT_OF_RANGE", InvalidArgument;
    /// A team given where a role is required.
    TeamNotSupported = "TEAM_NOT_SUPPORTED", InvalidArgument;
    /// A tab parameter that its page type does not know.
    TabParameterUnknown = "TAB_PARAMETER_UNKNOWN", InvalidArgument;
    /// A tab parameter that its page type requires is missing.
    TabParameterRequired = "TAB_PARAMETER_REQUIRED", InvalidArgument;
    /// A step of a script that goes on to the script itself.
    ScriptSelfReference = "SCRIPT_SELF_REFERENCE", InvalidArgument;
    /// A macro action lacks a mandatory input.
    MacroInputRequired = "MACRO_INPUT_REQUIRED", InvalidArgument;
    /// `auto_accept` without `auto_assign`.
    AutoAcceptNeedsAutoAssign = "AUTO_ACCEPT_NEEDS_AUTO_ASSIGN", InvalidArgument;
    /// A provider URL that is not an absolute https URL with a host.
    ProviderUrlInvalid = "PROVIDER_URL_INVALID", InvalidArgument;
    /// Something that looks like a credential where every agent can read it.
    SecretInCustomParameters = "SECRET_IN_CUSTOM_PARAMETERS", InvalidArgument;
    /// Outbound calling with a declared set of capabilities that cannot dial.
    OutboundNeedsDial = "OUTBOUND_NEEDS_DIAL", InvalidArgument;
    /// A configuration that the adapter does not accept.
    AdapterConfigInvalid = "ADAPTER_CONFIG_INVALID", InvalidArgument;
    /// A secret that the adapter needs is missing.
    AdapterSecretMissing = "ADAPTER_SECRET_MISSING", InvalidArgument;
    /// A secret that the adapter does not know.
    AdapterSecretUnknown = "ADAPTER_SECRET_UNKNOWN", InvalidArgument;
    /// An address that is neither an E.164 number nor a SIP URI.
    AddressInvalid = "ADDRESS_INVALID", InvalidArgument;
    /// The channel has several active work streams.
    WorkstreamAmbiguous = "WORKSTREAM_AMBIGUOUS", InvalidArgument;
    /// A request id was used with another payload.
    RequestIdReused = "REQUEST_ID_REUSED", InvalidArgument;
    /// A thing of that name exists.
    UniqueNameTaken = "UNIQUE_NAME_TAKEN", AlreadyExists;
    /// The profile has another template for the entity.
    EntityTemplateExists = "ENTITY_TEMPLATE_EXISTS", AlreadyExists;
    /// No such profile.
    ProfileNotFound = "PROFILE_NOT_FOUND", NotFound;
    /// No such user.
    UserNotFound = "USER_NOT_FOUND", NotFound;
    /// No such role.
    RoleNotFound = "ROLE_NOT_FOUND", NotFound;
    /// No such team.
    TeamNotFound = "TEAM_NOT_FOUND", NotFound;
    /// No such session, tab or notification template.
    TemplateNotFound = "TEMPLATE_NOT_FOUND", NotFound;
    /// The profile opens no session for the record type or the work stream.
    NoSessionTemplate = "NO_SESSION_TEMPLATE", NotFound;
    /// No such provider.
    ProviderNotFound = "PROVIDER_NOT_FOUND", NotFound;
    /// No such object of another kind.
    ObjectNotFound = "OBJECT_NOT_FOUND", NotFound;
    /// No adapter of that kind is part of this server.
    AdapterNotFound = "ADAPTER_NOT_FOUND", NotFound;
    /// A health check names a service that is not served.
    ServiceUnknown = "SERVICE_UNKNOWN", NotFound;
    /// No such call.
    CallNotFound = "CALL_NOT_FOUND", NotFound;
    /// A built-in object cannot be changed.
    BuiltInReadOnly = "BUILT_IN_READ_ONLY", FailedPrecondition;
    /// A managed object cannot be changed here.
    ManagedReadOnly = "MANAGED_READ_ONLY", FailedPrecondition;
    /// Something refers to the object.
    ObjectInUse = "OBJECT_IN_USE", FailedPrecondition;
    /// The profile has users, a rank, roles or the default flag.
    ProfileInUse = "PROFILE_IN_USE", FailedPrecondition;
    /// A count limit.
    LimitReached = "LIMIT_REACHED", FailedPrecondition;
    /// Built-in profiles were adopted before, or there are custom profiles.
    AlreadyAdopted = "ALREADY_ADOPTED", FailedPrecondition;
    /// An import would change the pinned URL of a provider.
    ProviderUrlDrift = "PROVIDER_URL_DRIFT", FailedPrecondition;
    /// The profile is inactive.
    ProfileInactive = "PROFILE_INACTIVE", FailedPrecondition;
    /// Another profile is the default.
    DefaultExists = "DEFAULT_EXISTS", FailedPrecondition;
    /// Becoming the default would drop rank and roles.
    DefaultDropsRankAndRoles = "DEFAULT_DROPS_RANK_AND_ROLES", FailedPrecondition;
    /// The default can carry no rank and no roles.
    ProfileIsDefault = "PROFILE_IS_DEFAULT", FailedPrecondition;
    /// Another profile holds the rank.
    RankTaken = "RANK_TAKEN", FailedPrecondition;
    /// Several profiles hold the rank.
    RankAmbiguous = "RANK_AMBIGUOUS", FailedPrecondition;
    /// Nothing to swap: the profile has no rank.
    SwapNeedsRank = "SWAP_NEEDS_RANK", FailedPrecondition;
    /// A shift would push a profile past rank 100.
    RankSpaceExhausted = "RANK_SPACE_EXHAUSTED", FailedPrecondition;
    /// A user has a direct link to another profile.
    UserAssignedElsewhere = "USER_ASSIGNED_ELSEWHERE", FailedPrecondition;
    /// Only templates of type entity can be linked to a profile.
    TemplateNotEntity = "TEMPLATE_NOT_ENTITY", FailedPrecondition;
    /// More than ten providers.
    TooManyProviders = "TOO_MANY_PROVIDERS", FailedPrecondition;
    /// A Copilot feature needs the pane tool `copilot`.
    CopilotNeedsPaneTool = "COPILOT_NEEDS_PANE_TOOL", FailedPrecondition;
    /// A Copilot feature needs another feature.
    CopilotNeedsParent = "COPILOT_NEEDS_PARENT", FailedPrecondition;
    /// A chat view needs all active channels.
    InboxViewNeedsChannels = "INBOX_VIEW_NEEDS_CHANNELS", FailedPrecondition;
    /// A resolved profile would be larger than 256 KiB.
    ProfileTooLarge = "PROFILE_TOO_LARGE", FailedPrecondition;
    /// The key ring cannot be used as it now is.
    KeyRingUnusable = "KEY_RING_UNUSABLE", FailedPrecondition;
    /// Profiles do not apply in the app.
    AppNotApplicable = "APP_NOT_APPLICABLE", FailedPrecondition;
    /// Channels are not open for the user, or not this one.
    ChannelsOff = "CHANNELS_OFF", FailedPrecondition;
    /// The provider is not in the user's resolved profile.
    ProviderNotInProfile = "PROVIDER_NOT_IN_PROFILE", FailedPrecondition;
    /// The adapter does not offer what is requested.
    CapabilityUnsupported = "CAPABILITY_UNSUPPORTED", FailedPrecondition;
    /// The provider may not start calls.
    OutboundDisabled = "OUTBOUND_DISABLED", FailedPrecondition;
    /// The vendor refused.
    ProviderRefused = "PROVIDER_REFUSED", FailedPrecondition;
    /// The state of the call forbids it.
    CallState = "CALL_STATE", FailedPrecondition;
    /// The reported content was not delivered to this client.
    NotSent = "NOT_SENT", FailedPrecondition;
    /// The object has no such revision, or it is not kept any more.
    RevisionNotFound = "REVISION_NOT_FOUND", OutOfRange;
    /// The feed of changes does not go back so far any more.
    RevisionCompacted = "REVISION_COMPACTED", OutOfRange;
    /// The vendor may have carried out the request.
    OutcomeUnknown = "OUTCOME_UNKNOWN", Aborted;
    /// The sent etag is not the current one.
    EtagMismatch = "ETAG_MISMATCH", Aborted;
    /// Another write came in between.
    Conflict = "CONFLICT", Aborted;
    /// A newer stream of the same client took over.
    Replaced = "REPLACED", Aborted;
    /// The call carries no credential.
    CredentialRequired = "CREDENTIAL_REQUIRED", Unauthenticated;
    /// The credential cannot be verified; what is wrong with it stands in the metadata `problem`.
    CredentialInvalid = "CREDENTIAL_INVALID", Unauthenticated;
    /// The credential ran out, or the key or record that it was verified by is gone.
    TokenExpired = "TOKEN_EXPIRED", Unauthenticated;
    /// The keys of the issuer of a token cannot be fetched.
    IssuerUnavailable = "ISSUER_UNAVAILABLE", Unavailable;
    /// The caller lacks a scope.
    ScopeRequired = "SCOPE_REQUIRED", PermissionDenied;
    /// A directory sync would give or take a role that grants ADMIN, or change a holder of one.
    PrivilegedRole = "PRIVILEGED_ROLE", PermissionDenied;
    /// An agent names another user.
    SelfOnly = "SELF_ONLY", PermissionDenied;
    /// The request names an authority that this server does not answer for.
    AuthorityRefused = "AUTHORITY_REFUSED", PermissionDenied;
    /// A web page sent the call, and its origin is not allowed.
    OriginRefused = "ORIGIN_REFUSED", PermissionDenied;
    /// The caller's own user is disabled, so every call is refused.
    CallerDisabled = "USER_DISABLED", PermissionDenied;
    /// The vendor refused the server's credentials.
    ProviderCredentials = "PROVIDER_CREDENTIALS", PermissionDenied;
    /// The caller's rights were lost during a stream.
    ScopeRevoked = "SCOPE_REVOKED", PermissionDenied;
    /// The watched user was deleted.
    UserDeleted = "USER_DELETED", NotFound;
    /// The user has too many streams.
    TooManyStreams = "TOO_MANY_STREAMS", ResourceExhausted;
    /// A sync would disable, delete or take roles from too many users.
    MassChange = "MASS_CHANGE", ResourceExhausted;
    /// The server admits no further stream or call now, or the address sent too many bad credentials.
    ServerBusy = "SERVER_BUSY", ResourceExhausted;
    /// The next part of an upload does not come.
    UploadStalled = "UPLOAD_STALLED", ResourceExhausted;
    /// The message is longer than the server accepts.
    RequestTooLarge = "REQUEST_TOO_LARGE", ResourceExhausted;
    /// The headers of the call are longer than the server accepts.
    HeadersTooLarge = "HEADERS_TOO_LARGE", ResourceExhausted;
    /// The vendor accepts no more requests now.
    ProviderRateLimited = "PROVIDER_RATE_LIMITED", ResourceExhausted;
    /// The vendor cannot be used now; nothing was carried out.
    ProviderDown = "PROVIDER_DOWN", Unavailable;
    /// The vendor did not answer in time; nothing was carried out.
    ProviderTimeout = "PROVIDER_TIMEOUT", Unavailable;
    /// The server ends; reconnect elsewhere or later.
    Draining = "DRAINING", Unavailable;
    /// The stream reached its age.
    MaxAge = "MAX_AGE", Unavailable;
    /// The client does not read.
    SlowConsumer = "SLOW_CONSUMER", Unavailable;
    /// The store does not answer; whether the write took effect is not known.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable;
    /// The caller's deadline passed before the answer was there.
    DeadlineExceeded = "DEADLINE_EXCEEDED", DeadlineExceeded;
    /// The server has no such method.
    MethodUnknown = "METHOD_UNKNOWN", Unimplemented;
    /// The request is compressed in a way that the server does not read.
    EncodingUnsupported = "ENCODING_UNSUPPORTED", Unimplemented;
    /// A mistake of the server.
    Internal = "INTERNAL", Internal;
}
