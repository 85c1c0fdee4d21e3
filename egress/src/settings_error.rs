//! Why settings were refused.

use crate::{base_url::BaseUrlError, domain::DomainError, mail_provider::MailProvider, policy::PolicyError};

/// Why settings were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Not a domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// Not a base URL.
    #[error(transparent)]
    BaseUrl(#[from] BaseUrlError),
    /// The policy does not fit this component.
    #[error("the policy: {0}")]
    Policy(PolicyError),
    /// A setting is empty, or has characters that no header and no environment variable can carry.
    #[error("{name} is empty or has characters that cannot be sent")]
    Value {
        /// Which one.
        name: &'static str,
    },
    /// A number is outside its bounds.
    #[error("{name} is {given}; it must be from {least} to {most}")]
    Bounds {
        /// Which one.
        name: &'static str,
        /// What was given.
        given: u64,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// The email provider's credentials could not be used.
    #[error("the email provider's credentials: {problem}")]
    Mail {
        /// What is wrong.
        problem: String,
    },
    /// This build of the library cannot send through the provider.
    #[error("email through {provider} needs the feature `{feature}` of the library, which this build lacks")]
    Feature {
        /// The provider.
        provider: MailProvider,
        /// The feature of the crate.
        feature: &'static str,
    },
    /// The extra certificates could not be read.
    #[error("the extra CA certificates: {problem}")]
    Ca {
        /// What is wrong.
        problem: String,
    },
    /// The TLS configuration could not be made.
    #[error("TLS: {problem}")]
    Tls {
        /// What is wrong.
        problem: String,
    },
}
