//! Mail over SMTP.
//!
//! What matters to a workflow is one fact: may the server have the email? Until the text begins to go out it has not,
//! whatever goes wrong; from then on a connection that ends without a reply leaves that unknown, and nothing is sent
//! again. lettre speaks the protocol; the steps are taken one by one here, since its `send` does not tell them apart.
//!
//! The server is the tenant's setting. TLS is not an option of the server's: one that does not offer STARTTLS gets
//! neither email nor password, and what it sends in plain text before the handshake is not read after it (RFC 3207,
//! section 4.2; lettre alone would keep it in its buffer).

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lettre::transport::smtp::{
    Error as LettreError,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::{ClientId, Extension},
};
use tokio::{net::TcpStream, time::timeout};

use super::mime::MimeMessage;
use crate::{
    echo::Echo,
    mail_credentials::{SmtpSecurity, SmtpServer},
    resolver::Resolver,
    settings_error::SettingsError,
    transport::{CONNECT_TIMEOUT, TransmitState, TransportError, causes},
};

use self::lines::LineByLine;

mod lines;

/// How long a connection is kept for the next email. Servers give 5 minutes (RFC 5321, section 4.5.3.2.7); the large
/// ones less: Amazon SES closes after 10 s. One that closes first costs nothing but a new connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(9);
/// Idle connections that are kept. Providers allow few at once from one account (Gmail 15, Exchange Online 3).
const MAX_IDLE: usize = 3;
/// "Service not available, closing": how a server ends a connection that was kept too long.
const CLOSING: u16 = 421;

/// A tenant's SMTP server.
pub(crate) struct Smtp {
    server: SmtpServer,
    tls: TlsParameters,
    resolver: Resolver,
    idle: Mutex<VecDeque<(AsyncSmtpConnection, Instant)>>,
    opened: AtomicU64,
    echo: Option<Arc<Echo>>,
}

/// How long to wait for what, from the call of [`Smtp::send`].
#[derive(Clone, Copy, Debug)]
pub(super) struct SmtpTimeouts {
    /// For everything before the text.
    pub(super) to_send: Duration,
    /// For the server's word on it.
    pub(super) to_answer: Duration,
}

/// What came of an email.
#[derive(Debug)]
pub(super) enum Delivery {
    /// The server has spoken.
    Answered {
        /// What an HTTP API would say.
        status: u16,
        /// The server's reply.
        text: String,
    },
    /// The server would take it in plain text only.
    NoTls,
}

/// Why a step did not go well.
enum StepError {
    /// The server refused: the email is not taken.
    Refused {
        code: u16,
        text: String,
        step: Step,
    },
    NoTls,
    /// No reply.
    Lost(TransportError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    LogIn,
    Mail,
}

impl StepError {
    fn of(error: &LettreError, step: Step) -> Self {
        let mut reply = String::new();
        if let Some(code) = error.status() {
            if let Some(text) = std::error::Error::source(error) {
                reply = text.to_string();
            }
            return Self::Refused { code: code.into(), text: format!("{code} {reply}"), step };
        }
        for cause in causes(error) {
            if let Some(cause) = cause.downcast_ref::<rustls::Error>() {
                return Self::Lost(match cause {
                    rustls::Error::InvalidCertificate(reason) => {
                        TransportError::Certificate(reason.to_string())
                    }
                    _ => TransportError::Tls(cause.to_string()),
                });
            }
        }
        Self::Lost(TransportError::Connect(error.to_string()))
    }

    /// Returns whether it may be because the connection was kept for too long.
    fn is_stale(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Refused { code: CLOSING, .. })
    }

    fn before_the_text(self) -> Result<Delivery, TransportError> {
        match self {
            Self::Refused { code, text, step } => Ok(Delivery::Answered { status: status(code, step), text }),
            Self::NoTls => Ok(Delivery::NoTls),
            Self::Lost(error) => Err(error),
        }
    }
}

/// Returns what an HTTP API would say for an SMTP reply.
fn status(code: u16, step: Step) -> u16 {
    match (code, step) {
        (200..=299, _) => 200,
        // For now: the server asks to come back.
        (400..=499, _) => 429,
        // Said to `MAIL` where there is no login: "authentication required", or, since the order of our commands is
        // right otherwise, "bad sequence of commands".
        (530 | 503, _) | (_, Step::LogIn) => 401,
        _ => 422,
    }
}

impl Smtp {
    /// Makes the server's client; it connects with the first email.
    pub(super) fn new(
        server: SmtpServer,
        ca_pem: Option<&[u8]>,
        resolver: Resolver,
    ) -> Result<Self, SettingsError> {
        let tls = tls_parameters(&server.host, ca_pem)?;
        let echo = server.login.as_ref().and_then(|(_, password)| Echo::of(&[password.expose()]));
        Ok(Self { server, tls, resolver, idle: Mutex::default(), opened: AtomicU64::new(0), echo })
    }

    /// Returns whether a reply repeats the password.
    pub(super) fn is_echo(&self, reply: &str) -> bool {
        self.echo.as_ref().is_some_and(|echo| echo.is_in(reply.as_bytes()))
    }

    pub(super) fn authority(&self) -> String {
        self.server.authority()
    }

    pub(super) fn connections_opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Hands a mail over. `follow` is called, with the size of the text, when the server may have it from then on.
    pub(super) async fn send(
        &self,
        message: &MimeMessage,
        timeouts: SmtpTimeouts,
        follow: impl Fn(TransmitState, usize),
    ) -> Result<Delivery, TransportError> {
        let begun = Instant::now();
        let ready = match timeout(timeouts.to_send, self.ready(message)).await {
            Ok(ready) => ready,
            Err(_) => return Err(TransportError::ConnectTimeout),
        };
        let mut connection = match ready {
            Ok(connection) => connection,
            Err(error) => return error.before_the_text(),
        };
        follow(TransmitState::OnConnection, message.text.len());
        let left = timeouts.to_answer.saturating_sub(begun.elapsed());
        match timeout(left, connection.message(&message.text)).await {
            Ok(Ok(reply)) => {
                let text: Vec<&str> = reply.message().collect();
                let (code, text) = (u16::from(reply.code()), text.join(" "));
                self.keep(connection);
                Ok(Delivery::Answered { status: status(code, Step::Mail), text: format!("{code} {text}") })
            }
            Ok(Err(error)) => match StepError::of(&error, Step::Mail) {
                refused @ StepError::Refused { .. } => refused.before_the_text(),
                _ => Err(TransportError::Terminated(error.to_string())),
            },
            Err(_) => Err(TransportError::ResponseTimeout),
        }
    }

    /// Returns a connection on which the server waits for the text.
    async fn ready(&self, message: &MimeMessage) -> Result<AsyncSmtpConnection, StepError> {
        if let Some(mut connection) = self.idle() {
            match send_envelope(&mut connection, message).await {
                Ok(()) => return Ok(connection),
                Err(error) if error.is_stale() => {}
                Err(error) => return Err(error),
            }
        }
        let mut connection = match timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(connection) => connection?,
            Err(_) => return Err(StepError::Lost(TransportError::ConnectTimeout)),
        };
        send_envelope(&mut connection, message).await?;
        Ok(connection)
    }

    /// Opens a connection, makes it private, and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, StepError> {
        let SmtpServer { host, port, security, login } = &self.server;
        let greeted = |error: LettreError| StepError::of(&error, Step::Mail);
        let found = self.resolver.server(host, *port).await;
        let addresses = found.map_err(|error| StepError::Lost(error.into()))?;
        // An address literal, since the name of this machine is nobody's business (RFC 5321, section 4.1.4).
        let hello = ClientId::default();
        let mut connection = match security {
            SmtpSecurity::Tls => {
                let tls = Some(self.tls.clone());
                AsyncSmtpConnection::connect_tokio1(&addresses[..], None, &hello, tls, None)
                    .await
                    .map_err(greeted)?
            }
            SmtpSecurity::StartTls | SmtpSecurity::PlainLoopback => {
                let stream = TcpStream::connect(&addresses[..]).await.map_err(|error| {
                    StepError::Lost(match error.kind() {
                        std::io::ErrorKind::ConnectionRefused => TransportError::Refused,
                        _ => TransportError::Connect(error.to_string()),
                    })
                })?;
                let stream = Box::new(LineByLine::new(stream));
                AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(greeted)?
            }
        };
        if *security == SmtpSecurity::StartTls {
            if !connection.server_info().supports_feature(Extension::StartTls) {
                return Err(StepError::NoTls);
            }
            connection.starttls(self.tls.clone(), &hello).await.map_err(greeted)?;
        }
        self.opened.fetch_add(1, Ordering::Relaxed);
        if let Some((user, password)) = login {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(|error| {
                match error.is_client() {
                    // RFC 4954: 504 is a mechanism that the server does not have.
                    true => StepError::Refused {
                        code: 504,
                        text: "the server offers neither AUTH PLAIN nor AUTH LOGIN".to_owned(),
                        step: Step::LogIn,
                    },
                    false => StepError::of(&error, Step::LogIn),
                }
            })?;
        }
        Ok(connection)
    }

    /// Takes the connection that was used last.
    fn idle(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE_TIMEOUT);
        idle.pop_back().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back((connection, Instant::now()));
        if idle.len() > MAX_IDLE {
            idle.pop_front();
        }
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Names sender and recipients, and asks to send the text. An email with one recipient that is refused is sent to none:
/// the action has one verdict.
async fn send_envelope(connection: &mut AsyncSmtpConnection, message: &MimeMessage) -> Result<(), StepError> {
    let refused = |error: LettreError| StepError::of(&error, Step::Mail);
    let from = message.envelope.from().cloned();
    connection.command(Mail::new(from, Vec::new())).await.map_err(refused)?;
    for to in message.envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(refused)?;
    }
    connection.command(Data).await.map_err(refused).map(drop)
}

/// Trusts what the HTTP transport trusts: the machine's authorities, those that this program was built with where the
/// machine has none, and the tenant's own.
fn tls_parameters(host: &str, ca_pem: Option<&[u8]>) -> Result<TlsParameters, SettingsError> {
    let machine = rustls_native_certs::load_native_certs().certs;
    let store = if machine.is_empty() { CertificateStore::WebpkiRoots } else { CertificateStore::Default };
    let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(store);
    if let Some(pem) = ca_pem {
        let certificate =
            Certificate::from_pem(pem).map_err(|error| SettingsError::Ca { problem: error.to_string() })?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| SettingsError::Tls { problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_become_the_statuses_that_the_component_knows() {
        for (code, step, expected) in [
            (250, Step::Mail, 200),
            (421, Step::Mail, 429),
            (450, Step::Mail, 429),
            (452, Step::Mail, 429),
            (454, Step::LogIn, 429),
            (503, Step::Mail, 401),
            (530, Step::Mail, 401),
            (534, Step::LogIn, 401),
            (535, Step::LogIn, 401),
            (550, Step::Mail, 422),
            (552, Step::Mail, 422),
            (554, Step::Mail, 422),
        ] {
            assert_eq!(status(code, step), expected, "{code}");
        }
    }
}
