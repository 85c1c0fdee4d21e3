//! The settings of one tenant's egress.

use std::time::Duration;

use rustls::RootCertStore;

use crate::{
    base_url::BaseUrl, credentials::Credentials, domain::Domain, governor::RatePlan, limits::RequestLimits,
    mail_credentials::MailCredentials, policy::Policy, secrets::Sink,
};

/// Everything that decides what leaves, where to and with which credentials.
#[derive(Clone, Debug)]
pub struct EgressSettings {
    /// The tenant.
    pub domain: Domain,
    /// Where it is reached.
    pub tenant: BaseUrl,
    /// How the host proves to it who it is.
    pub credentials: Credentials,
    /// The audience of its tokens.
    pub audience: String,
    /// The application that acts, kept out of its guests' reach.
    pub application: Option<String>,
    /// How the host proves to the email provider who it is.
    pub email_credentials: Option<MailCredentials>,
    /// What stands in for the email providers.
    pub email_base_url: Option<BaseUrl>,
    /// Certificate authorities (PEM) to trust besides `roots`.
    pub ca_pem: Option<Vec<u8>>,
    /// Certificate authorities to trust.
    pub roots: RootCertStore,
    /// What may leave.
    pub policy: Policy,
    /// What the requests of one call may use.
    pub limits: RequestLimits,
    /// Bytes of the headers of an answer.
    pub header_bytes: usize,
    /// Where secrets go that the tenant makes.
    pub secret_sink: Option<Sink>,
    /// The rate limits to begin with.
    pub rate_plan: RatePlan,
    /// How much of each bucket, in percent, is left to others.
    pub rate_headroom: u32,
    /// How long to wait for an answer where the guest does not say.
    pub deadline: Duration,
}
