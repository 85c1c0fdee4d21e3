//! From a name to a channel: addresses, handshake, certificate.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{Check, Finding, Topic, Verdict};
use crate::{
    base_url::BaseUrl,
    egress::{
        resolver::{ResolveError, Resolver},
        transport::CONNECT_TIMEOUT,
    },
};

/// A certificate that ends sooner is told of. Auth0's are renewed a month before they end; what is left when nobody
/// renews is time to ask why.
const SOON: u64 = 14;
/// How far ahead is looked for the end of a certificate: no public one lives for more than 398 days.
const FAR: u64 = 400;
const DAY: Duration = Duration::from_secs(86_400);

/// Looks the tenant's name up, by the rules by which its calls do.
pub(super) async fn resolve(
    tenant: &BaseUrl,
    resolver: &Resolver,
) -> Result<(Finding, Vec<SocketAddr>), Finding> {
    let host = tenant.host();
    let failed = |found: String, advice: &str| Finding::new(Check::Dns, Verdict::Fail, found).advise(advice);
    match tokio::time::timeout(CONNECT_TIMEOUT, resolver.server(host, tenant.port())).await {
        Ok(Ok(addresses)) => {
            let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let found = format!("{host} is at {}", list.join(", "));
            Ok((Finding::new(Check::Dns, Verdict::Ok, found), addresses))
        }
        Ok(Err(ResolveError::Prohibited(prohibited))) => {
            let advice = prohibited.remedy().map_or_else(
                || "use a domain that resolves to a public address".to_owned(),
                |remedy| format!("{}{remedy}", remedy.lead_in()),
            );
            Err(failed(format!("{}: every call is refused", prohibited.fact()), &advice))
        }
        Ok(Err(problem)) => Err(failed(
            format!("{host}: {problem}"),
            "check the domain's spelling and region (acme.eu.auth0.com), and this machine's name server and network",
        )),
        Err(_) => Err(failed(
            format!("{host}: no answer within {CONNECT_TIMEOUT:?}"),
            "check this machine's name server and network",
        )),
    }
}

/// Opens a connection of its own, and looks at what the server shows.
pub(super) async fn examine(tenant: &BaseUrl, addresses: Vec<SocketAddr>, roots: RootCertStore) -> Finding {
    let server = tenant.clone();
    // A blocking handshake needs no further crate.
    let work = tokio::task::spawn_blocking(move || {
        if server.scheme() == "https" { handshake(&server, &addresses, roots) } else { plain(&addresses) }
    });
    work.await.unwrap_or_else(|error| Finding::new(Check::Tls, Verdict::Fail, error.to_string()))
}

fn plain(addresses: &[SocketAddr]) -> Finding {
    match connect(addresses) {
        Ok(_) => Finding::new(Check::Tls, Verdict::Ok, "plain HTTP to this machine: no TLS"),
        Err(error) => unreachable(&error),
    }
}

fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
                stream.set_write_timeout(Some(CONNECT_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn unreachable(error: &io::Error) -> Finding {
    Finding::new(Check::Tls, Verdict::Fail, format!("no connection: {error}"))
        .advise("check the network, firewalls, and the port of the base URL where one is given")
        .about(Topic::BaseUrl)
}

fn handshake(server: &BaseUrl, addresses: &[SocketAddr], roots: RootCertStore) -> Finding {
    match shake_hands(server, addresses, roots) {
        Ok(finding) => finding,
        Err(Trouble::NoConnection(error)) => unreachable(&error),
        Err(Trouble::Tls(rustls::Error::InvalidCertificate(reason))) => {
            Finding::new(Check::Tls, Verdict::Fail, format!("the certificate is refused: {reason}")).advise(
                "trust the authority that issued it (a proxy of your company, the offline tenant), renew it, or correct \
                 the domain",
            )
            .about(Topic::CaCertificates)
        }
        Err(Trouble::Tls(error)) => Finding::new(Check::Tls, Verdict::Fail, format!("the handshake failed: {error}"))
            .advise("check that the port speaks TLS, and what stands between this machine and the tenant"),
    }
}

enum Trouble {
    NoConnection(io::Error),
    Tls(rustls::Error),
}

impl From<rustls::Error> for Trouble {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned();
        tls.map_or(Self::NoConnection(error), Self::Tls)
    }
}

fn shake_hands(server: &BaseUrl, addresses: &[SocketAddr], roots: RootCertStore) -> Result<Finding, Trouble> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(&roots))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(server.host().to_owned())
        .map_err(|_| rustls::Error::General("the host is no name of a server".to_owned()))?;
    let mut stream = connect(addresses)?;
    let mut tls = ClientConnection::new(Arc::new(config), name.clone())?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    let version = match tls.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    let protocol = match tls.alpn_protocol() {
        Some(b"h2") => "HTTP/2",
        _ => "HTTP/1.1",
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let days = days_left(&verifier, tls.peer_certificates().unwrap_or_default(), &name);
    let channel = format!("{version}, {protocol}");
    Ok(match days {
        Some(days) if days < SOON => {
            Finding::new(Check::Tls, Verdict::Warn, format!("{channel}; the certificate ends in {days} days"))
                .advise("have it renewed")
        }
        Some(days) => Finding::new(
            Check::Tls,
            Verdict::Ok,
            format!("{channel}; the certificate is good for {days} days"),
        ),
        None => Finding::new(
            Check::Tls,
            Verdict::Ok,
            format!("{channel}; the certificate is good for more than {FAR} days"),
        ),
    })
}

/// Finds out how many days the chain stays valid by asking the verifier about days to come, which sees the whole chain
/// and needs no parser of certificates; `None` for very long.
fn days_left(
    verifier: &WebPkiServerVerifier,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> Option<u64> {
    let (leaf, intermediates) = chain.split_first()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let valid_in = |days: u64| {
        let then = UnixTime::since_unix_epoch(now + DAY * u32::try_from(days).unwrap_or(u32::MAX));
        verifier.verify_server_cert(leaf, intermediates, name, &[], then).is_ok()
    };
    if valid_in(FAR) {
        return None;
    }
    let (mut good, mut bad) = (0, FAR);
    while bad - good > 1 {
        let middle = u64::midpoint(good, bad);
        if valid_in(middle) { good = middle } else { bad = middle }
    }
    Some(good)
}

#[cfg(test)]
mod tests {
    use auth0_policy::address::AddressRules;

    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_by_the_rules_of_the_connection() {
        let look_up = async |tenant: &str, found: &'static str, rules: AddressRules| {
            let resolver = Resolver::fake(rules, move |_| {
                found.split_terminator(' ').map(|address| address.parse().unwrap()).collect()
            });
            match resolve(&tenant.parse().unwrap(), &resolver).await {
                Ok((finding, addresses)) => (finding, addresses.len()),
                Err(finding) => (finding, 0),
            }
        };
        let private = || AddressRules { loopback: false, networks: vec!["10.0.0.0/8".parse().unwrap()] };
        let public = AddressRules::default;
        let name = "https://acme.auth0.com";
        for (tenant, found, rules, usable, hint) in [
            (name, "1.1.1.1 2606:4700::1", public(), 2, "is at 1.1.1.1, 2606:4700::1"),
            (name, "10.0.0.1 1.1.1.1", public(), 1, "is at 1.1.1.1"),
            (name, "10.0.0.1", private(), 1, "is at 10.0.0.1"),
            (name, "10.0.0.1", public(), 0, "is at 10.0.0.1, a private address"),
            (name, "127.0.0.1", public(), 0, "a loopback address"),
            (name, "169.254.169.254", private(), 0, "metadata service"),
            (name, "", public(), 0, "no usable address"),
            ("https://10.0.0.1", "1.1.1.1", public(), 0, "a private address"),
            ("https://10.0.0.1", "", private(), 1, "is at 10.0.0.1"),
            ("https://[fd00::1]", "", public(), 0, "a private address"),
        ] {
            let (finding, addresses) = look_up(tenant, found, rules).await;
            assert_eq!(addresses, usable, "{tenant} {found}: {finding:?}");
            assert_eq!(finding.verdict == Verdict::Ok, usable > 0, "{tenant} {found}: {finding:?}");
            assert!(finding.found.contains(hint), "{tenant} {found}: {finding:?}");
        }
        let (finding, _) = look_up(name, "10.0.0.1", public()).await;
        assert!(finding.advice.unwrap().contains("`allowed_networks`"));
    }
}
