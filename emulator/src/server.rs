//! Start and stop: the two listeners, the state they share, and the handle that owns them.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::control::{Control, Listener, SeenRequest};
use crate::faults::Faults;
use crate::keys::Keys;
use crate::limits::Plan;
use crate::mail::MailAccounts;
use crate::seed::{Seed, SeedError};
use crate::tenant::Tenant;
use crate::tls::Certificate;
use crate::tokens::Tokens;
use crate::{http_server, ids, seeding};

/// The domain of a tenant whose seed names none.
const DOMAIN: &str = "acme.eu.auth0.localhost";

/// Requests kept for `Control::requests`: enough for any test, bounded for a server that runs for weeks.
const SEEN: usize = 20_000;

/// Why a tenant could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The port could not be taken.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port asked for; 0 for any.
        port: u16,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The seed cannot be used.
    #[error("the seed cannot be used")]
    Seed(#[from] SeedError),
    /// No signing key could be made.
    #[error("cannot make a signing key")]
    Key,
    /// No server certificate could be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

/// What all connections share.
pub(crate) struct Shared {
    tenant: Mutex<Tenant>,
    faults: Mutex<Faults>,
    seen: Mutex<VecDeque<SeenRequest>>,
    connections: AtomicU64,
    /// How far the clock of the `Date` header is ahead, in seconds.
    pub(crate) clock_offset: AtomicI64,
    /// The tenant's own origin, for links and for the control surface.
    pub(crate) base_url: String,
    pub(crate) mail_base_url: String,
    pub(crate) plan: Plan,
}

impl Shared {
    // A handler that panicked leaves state that is still good enough to look at.
    pub(crate) fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, VecDeque<SeenRequest>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts and keeps a request.
    pub(crate) fn record(&self, request: SeenRequest) {
        {
            let mut tenant = self.tenant();
            let counts = &mut tenant.counts;
            counts.requests += 1;
            let route = request.route.as_deref().unwrap_or(&request.path);
            *counts.by_route.entry(format!("{} {route}", request.method)).or_default() += 1;
            *counts.by_status.entry(request.status.unwrap_or(0)).or_default() += 1;
        }
        let mut seen = self.seen();
        if seen.len() >= SEEN {
            seen.pop_front();
        }
        seen.push_back(request);
    }
}

/// Settings of a tenant to start.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    port: u16,
    tls: bool,
    certificate_days: Option<i64>,
    seed: Option<Seed>,
    plan: Plan,
    certificate_names: Option<Vec<String>>,
    keys: Option<Arc<Keys>>,
}

impl Builder {
    /// Listens on this port of 127.0.0.1; 0, the default, takes any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Serves HTTPS, with a certificate for `localhost`, `127.0.0.1` and the tenant's domain.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// With TLS: serves a certificate for these names and addresses only, as a server does that was set up wrong.
    #[must_use]
    pub fn certificate_for(mut self, names: &[&str]) -> Self {
        self.certificate_names = Some(names.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// Signs with the key of another tenant instead of a fresh one. Making an RSA key takes longer than all the rest of
    /// a start, which counts for tests that start hundreds. Where domain and audience are the same too, each of the two
    /// tenants takes the other's tokens.
    #[must_use]
    pub fn signing_key_of(mut self, other: &Emulator) -> Self {
        self.keys = Some(other.control().keys());
        self
    }

    /// Lets the certificate end in so many days; a negative number makes one that has ended. Good for long by default.
    #[must_use]
    pub fn certificate_days(mut self, days: i64) -> Self {
        self.certificate_days = Some(days);
        self
    }

    /// Starts with these contents; [`Seed::empty`] by default.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Keeps the rate limits of this plan; none by default.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Starts the tenant on the current tokio runtime.
    ///
    /// # Errors
    /// The seed names something that it does not define, the port is taken, or no key or certificate could be made.
    pub async fn start(self) -> Result<Emulator, Error> {
        let seed = self.seed.unwrap_or_default();
        seed.check()?;
        let domain = seed.domain.clone().unwrap_or_else(|| DOMAIN.to_owned());
        let (listener, address) = listen(self.port).await?;
        let (mail_listener, mail_address) = listen(0).await?;
        let names = self
            .certificate_names
            .unwrap_or_else(|| vec![domain.clone(), "localhost".to_owned(), "127.0.0.1".to_owned()]);
        let certificate =
            if self.tls { Some(Certificate::generate(names, self.certificate_days)?) } else { None };
        let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let origin = |address: SocketAddr| match self.tls {
            true => format!("https://localhost:{}", address.port()),
            false => format!("http://127.0.0.1:{}", address.port()),
        };
        let keys = match self.keys {
            Some(keys) => keys,
            None => Arc::new(Keys::generate()?),
        };
        let mut tenant =
            Tenant::new(domain.clone(), Tokens::new(keys), self.plan, format!("key-{}", ids::secret(32)));
        seeding::apply(&mut tenant, &seed);
        tenant.counts = crate::control::Counters::default();
        let client_id = tenant.management_client.clone();
        let mail_api_key = tenant.mail_api_key.clone();
        let audience = tenant.audience();
        let client_secret = tenant
            .client(&client_id)
            .and_then(|client| client.text("client_secret"))
            .unwrap_or_default()
            .to_owned();
        let shared = Arc::new(Shared {
            tenant: Mutex::new(tenant),
            faults: Mutex::default(),
            seen: Mutex::default(),
            connections: AtomicU64::new(0),
            clock_offset: AtomicI64::new(0),
            base_url: origin(address),
            mail_base_url: origin(mail_address),
            plan: self.plan,
        });
        let (stop, stopped) = watch::channel(false);
        let serve = |listener: TcpListener, kind: Listener, acceptor: Option<TlsAcceptor>| {
            tokio::spawn(http_server::accept(listener, kind, acceptor, Arc::clone(&shared), stopped.clone()))
        };
        let tasks = vec![
            serve(listener, Listener::Tenant, acceptor.clone()),
            serve(mail_listener, Listener::Mail, acceptor),
        ];
        Ok(Emulator {
            domain,
            audience,
            client_id,
            client_secret,
            mail_api_key,
            ca_pem: certificate.map(|certificate| certificate.ca_pem),
            shared,
            stop,
            tasks,
        })
    }
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let error = |source| Error::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok((listener, address))
}

/// A running tenant; dropping it stops it.
pub struct Emulator {
    domain: String,
    audience: String,
    client_id: String,
    client_secret: String,
    mail_api_key: String,
    ca_pem: Option<String>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator")
            .field("domain", &self.domain)
            .field("base_url", &self.shared.base_url)
            .finish_non_exhaustive()
    }
}

impl Emulator {
    /// Starts with the defaults: any port, plain HTTP, an empty tenant, no limits.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The tenant's domain, e.g. `acme.eu.auth0.localhost`; tokens are issued by `https://{domain}/`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Where it listens: `http://127.0.0.1:PORT`, or `https://localhost:PORT` with TLS.
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// The audience of the Management API: `https://{domain}/api/v2/`.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The machine-to-machine application that is granted every scope.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The secret that this application started with; rotating it makes this one useless, as it should.
    pub fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// Where the stand-ins for the email providers listen.
    pub fn mail_base_url(&self) -> &str {
        &self.shared.mail_base_url
    }

    /// The key that the stand-ins accept.
    pub fn mail_api_key(&self) -> &str {
        &self.mail_api_key
    }

    /// What the stand-ins know of email providers that want more than a key.
    pub fn mail_accounts(&self) -> MailAccounts {
        MailAccounts::new(&self.shared.mail_base_url, &self.mail_api_key)
    }

    /// With TLS: the PEM of the CA that signed the server's certificate.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// A handle for faults, logins, counters and a look at the state.
    pub fn control(&self) -> Control {
        Control { shared: Arc::clone(&self.shared) }
    }

    /// Lets open requests finish, then stops.
    pub async fn shutdown(mut self) {
        // Nobody listens any more only when all tasks have ended already.
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
