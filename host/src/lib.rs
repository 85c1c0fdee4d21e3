//! Runs the Auth0 connector, a WebAssembly component, for an engine that does not have to trust it.
//!
//! The component knows Auth0; the host holds what must not be lost: the credentials, the connections, the limits. A
//! guest gets an environment without secrets and one way out, on which the host decides where a request may go, adds
//! the credential that belongs there, and writes down what was sent.
//!
//! ```
//! use auth0_emulator::{Emulator, Seed};
//! use auth0_host::{Credentials, Host, Settings};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The offline tenant. One of your own has a domain and credentials, and no base URL.
//! let offline = Emulator::builder().seed(Seed::demo()).start().await?;
//! let settings = Settings::new(offline.domain().parse()?)
//!     .base_url(offline.base_url().parse()?)
//!     .credentials(Credentials::client_secret(offline.client_id(), offline.client_secret()));
//! let host = Host::builder().build_async().await?; // once per process
//! let tenant = host.tenant(settings).await?; // once per tenant
//! let users = tenant.run("list-users", json!({"limit": 2})).await?;
//! let first: String = users.get("/items/0/email").ok_or("no user")?.deserialize()?;
//! assert!(first.contains('@'));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! `embedded-component`, on by default, brings the connector itself: then [`Host::new`] and [`Host::builder`] need nothing
//! beside the library. Without it ([`default-features = false`]) a component is given, as bytes
//! ([`Host::with_trusted_component`]) or as a file ([`Host::with_trusted_component_file`]); `cargo xtask component` in the repository
//! builds one.
//!
//! [`default-features = false`]: https://doc.rust-lang.org/cargo/reference/features.html#dependency-features
//!
//! # Errors
//!
//! An error that the action answered is [`Error::Action`]: branch on its [`Disposition`], and on its [`ErrorCode`] where
//! that says more. The other errors are the host's own; [`Error::disposition`] has an answer for each.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

mod action;
mod action_error;
mod audit;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
#[cfg(test)]
mod canary;
mod code_cache;
mod component;
mod disposition;
mod doctor;
mod engine_error;
mod error;
mod error_code;
mod host;
mod json;
mod limits;
mod manifest;
mod outcome;
mod reach;
mod runtime;
mod secret_inputs;
mod settings;
mod tenant;
mod verdict;

use auth0_egress::{
    self as egress, call, credentials, mail_credentials, private_key, secret, secrets, telemetry,
};
use auth0_policy::{base_url, denial, domain, policy, scopes};

pub use action::{
    ActionDescription, ActionFilter, ActionKind, ActionSummary, ApiRequest, CUSTOM_REQUEST, Effect,
    Pagination, ScopeRequirement, Stage,
};
pub use audit::{
    AuditError, AuditFile, AuditOutcome, AuditRecord, AuditRequest, AuditReservation, AuditSink,
    AuditUnavailable, Decision, StopReason,
};
pub use auth0_policy::{
    address::{AddressClass, Prohibited},
    mail_provider::MailProvider,
    printable,
    reach::{Judgement, OperationReach, Reach, ReachSet, UnknownReach},
};
pub use base_url::{BaseUrl, BaseUrlError};
pub use call::{CallOptions, RequestRecord};
pub use code_cache::{CodeCache, CodeOrigin, CodeReport};
pub use component::{ComponentInfo, MAX_COMPONENT_BYTES};
pub use credentials::{Credential, CredentialError, CredentialFuture, CredentialSource, Credentials};
pub use denial::{Denial, DeniedBy, Malformed, Remedy, RequestLine};
pub use doctor::{Check, Finding, Topic, Verdict};
pub use domain::{Domain, DomainError};
pub use egress::governor::{CustomRate, Priority, RatePlan, UnknownRatePlan};
pub use egress::request_observer::RequestObserver;
pub use engine_error::EngineError;
pub use error::{
    ActionError, BusyScope, Disposition, Error, ErrorCode, InvalidErrorCode, OtherCode, SettingsError,
};
pub use host::{Host, HostBuilder};
pub use json::{Json, JsonError, JsonView};
pub use limits::{Limit, Limits};
pub use mail_credentials::{
    ApiKeyProvider, MailCredentials, SmtpSecurity, SmtpServer, UnknownApiKeyProvider,
};
pub use manifest::{DataHandling, EgressRule, Manifest, ManifestAction, ManifestReach};
pub use outcome::Outcome;
pub use policy::{
    ActionPattern, ActionPatternError, DeniedRequest, FieldProblem, Policy, PolicyBuilder, PolicyError,
    PolicyReport,
};
pub use private_key::{PrivateKey, PrivateKeyError, SigningAlgorithm};
pub use runtime::{HostStats, InstancePolicy};
pub use scopes::{OptionalScope, PlannedScope, Reason, ScopeDiff, ScopePlan, SourceError, parse_action_ids};
pub use secret::Secret;
pub use secret_inputs::is_secret_name;
pub use secrets::{
    CommandSink, FileSink, PendingSecret, SecretName, SecretSink, SecretUndelivered, SinkError, SinkFuture,
    StagedSink,
};
pub use settings::Settings;
pub use tenant::{Stats, Tenant};
