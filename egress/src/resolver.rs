//! From a name to the addresses that a connection may be opened to.
//!
//! Each connection is opened from one lookup, whose answer is filtered and then used. A second lookup could answer
//! something else (DNS rebinding), so there is none.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::{
    address::{AddressRules, Prohibited, literal},
    transport::TransportError,
};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Lookup = dyn Fn(String) -> BoxFuture<io::Result<Vec<IpAddr>>> + Send + Sync;

/// Looks names up, and keeps back what the connection's rules refuse.
#[derive(Clone)]
pub struct Resolver {
    rules: Arc<AddressRules>,
    lookup: Arc<Lookup>,
}

/// Why there is no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The system could not look it up.
    #[error("{0}")]
    Lookup(#[from] io::Error),
    /// It has no address that could be used.
    #[error("no usable address")]
    NoAddress,
    /// It leads where no connection may be opened to.
    #[error(transparent)]
    Prohibited(#[from] Prohibited),
}

impl Resolver {
    /// Asks the system.
    pub fn new(rules: AddressRules) -> Self {
        let lookup = |name: String| -> BoxFuture<io::Result<Vec<IpAddr>>> {
            // The port is the connector's to set.
            Box::pin(async move {
                Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.map(|address| address.ip()).collect())
            })
        };
        Self { rules: Arc::new(rules), lookup: Arc::new(lookup) }
    }

    /// Answers from a table, for tests.
    #[cfg(any(test, feature = "test-support"))]
    pub fn fake(rules: AddressRules, answer: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        let lookup = move |name: String| -> BoxFuture<io::Result<Vec<IpAddr>>> {
            let found = answer(&name);
            Box::pin(async move { Ok(found) })
        };
        Self { rules: Arc::new(rules), lookup: Arc::new(lookup) }
    }

    /// Checks a host that is an address, which is not looked up.
    pub fn check_literal(&self, host: &str) -> Result<(), Prohibited> {
        literal(host).map_or(Ok(()), |address| self.rules.check(host, address))
    }

    /// Looks a name up once, and returns what of the answer may be connected to.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let found = (self.lookup)(name.to_owned()).await?;
        let local = name.eq_ignore_ascii_case("localhost");
        let (mut usable, mut refused) = (Vec::new(), None);
        for address in found {
            match self.rules.check(name, address) {
                // Plain HTTP is allowed to `localhost`, so it must not lead elsewhere.
                Ok(()) if local && !address.is_loopback() => {}
                Ok(()) => usable.push(address),
                Err(prohibited) => refused = Some(prohibited),
            }
        }
        match (usable.is_empty(), refused) {
            (false, _) => Ok(usable),
            (true, Some(prohibited)) => Err(prohibited.into()),
            (true, None) => Err(ResolveError::NoAddress),
        }
    }
}

impl Resolver {
    /// Finds a server of a protocol other than HTTP by the same rules.
    pub async fn server(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let usable = match literal(host) {
            Some(address) => {
                self.check_literal(host)?;
                vec![address]
            }
            None => self.resolve(host).await?,
        };
        Ok(usable.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl From<ResolveError> for TransportError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Prohibited(prohibited) => Self::Prohibited(prohibited),
            ResolveError::Lookup(_) | ResolveError::NoAddress => Self::Dns(error.to_string()),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = BoxFuture<Result<Self::Response, ResolveError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let usable = resolver.resolve(name.as_str()).await?;
            Ok(usable.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(rules: AddressRules, name: &str, found: &[&str]) -> Result<Vec<IpAddr>, String> {
        let found: Vec<IpAddr> = found.iter().map(|address| address.parse().unwrap()).collect();
        let resolver = Resolver::fake(rules, move |_| found.clone());
        resolver.resolve(name).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn of_several_addresses_the_refused_ones_are_left_out() {
        let found = ["10.0.0.1", "1.1.1.1", "::ffff:127.0.0.1", "2606:4700::1", "169.254.169.254"];
        let usable = resolve(AddressRules::default(), "acme.auth0.com", &found).await.unwrap();
        assert_eq!(usable, ["1.1.1.1", "2606:4700::1"].map(|address| address.parse::<IpAddr>().unwrap()));
    }

    #[tokio::test]
    async fn a_name_with_refused_addresses_only_is_refused_with_the_reason() {
        let error = resolve(AddressRules::default(), "acme.auth0.com", &["10.0.0.1"]).await.unwrap_err();
        assert!(error.contains("acme.auth0.com is at 10.0.0.1, a private address"), "{error}");
        let error = resolve(AddressRules::default(), "acme.auth0.com", &[]).await.unwrap_err();
        assert_eq!(error, "no usable address");
    }

    #[tokio::test]
    async fn localhost_stays_on_this_machine_whatever_the_system_says() {
        let rules = AddressRules { loopback: true, networks: vec!["10.0.0.0/8".parse().unwrap()] };
        let usable = resolve(rules, "localhost", &["10.0.0.1", "1.1.1.1", "127.0.0.1"]).await.unwrap();
        assert_eq!(usable, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}
