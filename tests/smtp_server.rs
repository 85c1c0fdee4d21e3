//! An SMTP server for tests: the protocol is `mailin`'s, from crates.io; sockets, TLS and the ways to fail are added here.
//!
//! `mailin-embedded` would bring its own sockets, but no TLS from the first byte, and it cannot be made to fail half-way.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder, response};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

/// The only account.
pub(crate) const USER: &str = "people";
pub(crate) const PASSWORD: &str = "canary-password";

/// What the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// No TLS, and logins in plain text.
    Plain,
}

/// How the server fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    Never,
    /// Hangs up when a command comes that begins so.
    At(&'static str),
    /// Hangs up in the middle of the text.
    InText,
    /// Takes the mail, and hangs up instead of saying so.
    AfterText,
    /// Takes the mail, says so, and hangs up without a word.
    WhenIdle,
    /// Sends more lines behind the reply to STARTTLS, as somebody in between could.
    Injecting,
}

/// A command, and whether it came through TLS.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) encrypted: bool,
    pub(crate) text: String,
}

/// A mail that the server has taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

/// What the server saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: u64,
    pub(crate) lines: Vec<Line>,
    pub(crate) mails: Vec<Received>,
}

/// A running server; dropping it stops it.
pub(crate) struct SmtpServer {
    pub(crate) address: SocketAddr,
    /// The authority that signed its certificate for `localhost`.
    pub(crate) ca_pem: String,
    seen: Arc<Mutex<Seen>>,
    stopped: Arc<AtomicBool>,
}

impl SmtpServer {
    pub(crate) fn start(offer: Offer, failing: Failing) -> Self {
        let (ca_pem, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stopped) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let server = Serving { offer, failing, tls: Arc::new(tls), seen: Arc::clone(&seen) };
        let stop = Arc::clone(&stopped);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let server = server.clone();
                thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        Self { address, ca_pem, seen, stopped }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Whether a command that begins so was seen.
    pub(crate) fn saw(&self, command: &str) -> bool {
        self.seen().lines.iter().any(|line| line.text.starts_with(command))
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the loop.
        let _ = TcpStream::connect(self.address);
    }
}

#[derive(Clone)]
struct Serving {
    offer: Offer,
    failing: Failing,
    tls: Arc<ServerConfig>,
    seen: Arc<Mutex<Seen>>,
}

/// How a conversation ended.
#[derive(PartialEq)]
enum End {
    Over,
    UpgradeTls,
}

impl Serving {
    fn serve(&self, stream: TcpStream) {
        self.seen().connections += 1;
        let mut builder = SessionBuilder::new("mail.acme.example");
        builder.enable_auth(AuthMechanism::Plain);
        match self.offer {
            Offer::StartTls => drop(builder.enable_start_tls()),
            // For `mailin` a connection that began with TLS is plain.
            Offer::Tls | Offer::Plain => drop(builder.insecure_enable_plaintext_auth()),
        }
        let handler = Mailbox { seen: Arc::clone(&self.seen), mail: Received::default() };
        let mut session = builder.build(IpAddr::from([127, 0, 0, 1]), handler);
        let greeting = session.greeting();
        if self.offer == Offer::Tls {
            let mut stream = self.encrypted(stream);
            send(&mut stream, &greeting, b"");
            self.converse(&mut session, &mut BufReader::new(stream), true);
            return;
        }
        let mut plain = BufReader::new(stream);
        send(plain.get_mut(), &greeting, b"");
        if self.converse(&mut session, &mut plain, false) == End::UpgradeTls {
            session.tls_active();
            let stream = self.encrypted(plain.into_inner());
            self.converse(&mut session, &mut BufReader::new(stream), true);
        }
    }

    fn encrypted(&self, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(Arc::clone(&self.tls)).unwrap(), stream)
    }

    fn converse<S: Read + Write>(
        &self,
        session: &mut Session<Mailbox>,
        stream: &mut BufReader<S>,
        encrypted: bool,
    ) -> End {
        let mut in_text = false;
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                return End::Over;
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let ends = in_text && text == ".";
            if !in_text {
                self.seen().lines.push(Line { encrypted, text: text.clone() });
            }
            if (!in_text && matches!(self.failing, Failing::At(command) if text.starts_with(command)))
                || (in_text && self.failing == Failing::InText)
            {
                return End::Over;
            }
            let answer = session.process(&line);
            if ends && self.failing == Failing::AfterText {
                return End::Over;
            }
            in_text = if in_text { !ends } else { answer.code == 354 };
            let more: &[u8] = match self.failing {
                Failing::Injecting if answer.action == Action::UpgradeTls => {
                    b"250-injected\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n"
                }
                _ => b"",
            };
            match answer.action {
                Action::NoReply => continue,
                Action::Reply | Action::Close | Action::UpgradeTls => send(stream.get_mut(), &answer, more),
            }
            match answer.action {
                Action::Close => return End::Over,
                Action::UpgradeTls => return End::UpgradeTls,
                _ if ends && self.failing == Failing::WhenIdle => return End::Over,
                _ => {}
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

fn send(stream: &mut impl Write, answer: &Response, more: &[u8]) {
    let mut text = answer.buffer().unwrap();
    text.extend_from_slice(more);
    // A client that has gone away is no failure of the server's.
    let _ = stream.write_all(&text).and_then(|()| stream.flush());
}

/// Decides what is taken: nobody whose address begins with `unknown`, `later` only later, no text with `spam` in it.
struct Mailbox {
    seen: Arc<Mutex<Seen>>,
    mail: Received,
}

impl Handler for Mailbox {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        self.mail = Received { from: from.to_owned(), ..Received::default() };
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if to.starts_with("unknown") {
            return response::NO_MAILBOX;
        }
        if to.starts_with("later") {
            return Response::custom(450, "4.2.0 Greylisted, come back in a minute".to_owned());
        }
        self.mail.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.mail.text.push_str(&String::from_utf8_lossy(text));
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        if self.mail.text.contains("spam") {
            return response::TRANSACTION_FAILED;
        }
        self.seen.lock().unwrap().mails.push(std::mem::take(&mut self.mail));
        response::OK
    }

    fn auth_plain(&mut self, _: &str, user: &str, password: &str) -> Response {
        if (user, password) == (USER, PASSWORD) { response::AUTH_OK } else { response::INVALID_CREDENTIALS }
    }
}

/// A certificate authority for one run, and a server certificate for `localhost`.
fn certificate() -> (String, ServerConfig) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "mail for tests");
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (ca_pem, config)
}
