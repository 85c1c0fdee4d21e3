//! Which resolved addresses a connection may be opened to.
//!
//! A name says nothing about where it leads: whoever controls its DNS can point it at this machine, at the network
//! behind it or at the cloud's metadata service, and can do so between a check and a connection. So a name is looked up
//! once, what it resolves to is filtered here, and the connection is opened to what is left. An address that is written
//! in a URL passes here too.
//!
//! What is allowed is written down, not what is forbidden: of IPv6 only global unicast (`2000::/3`), without the parts
//! of it that carry an IPv4 address or are nobody's.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use crate::denial::{Denial, Remedy};

/// A range of addresses: `10.20.0.0/16`, `fd12:3456::/48`.
///
/// ```
/// # use auth0_policy::address::Network;
/// let network: Network = "10.20.0.0/16".parse()?;
/// assert!(network.contains([10, 20, 3, 4].into()) && !network.contains([10, 21, 0, 1].into()));
/// // Public addresses are allowed anyway, and metadata services never.
/// assert!("1.1.1.0/24".parse::<Network>().is_err() && "169.254.169.254/32".parse::<Network>().is_err());
/// # Ok::<(), auth0_policy::address::NetworkError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u32,
}

/// Why a text is not a network that can be allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address and a length.
    #[error(
        "`{0}` is not a network: write an address and a prefix length, such as 10.20.0.0/16 or fd12:3456::/48"
    )]
    Syntax(String),
    /// The address has bits behind the length.
    #[error("`{given}` is not a network: with that prefix length it begins at {base}")]
    HostBits {
        /// What was given.
        given: String,
        /// Where a network of that length begins.
        base: IpAddr,
    },
    /// Nothing in it is refused.
    #[error("`{0}` has only public addresses, which are always allowed")]
    Public(String),
    /// Nothing in it can be allowed.
    #[error(
        "`{0}` is an address of a cloud's metadata service, which hands out credentials: it is never allowed"
    )]
    Metadata(String),
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32) -> Self {
        Self { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u32) -> Self {
        Self { base: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), prefix }
    }

    /// Returns whether an address is in it. An IPv6 address that carries an IPv4 address is an IPv6 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address| match address {
            IpAddr::V4(address) => (32_u32, u128::from(address.to_bits())),
            IpAddr::V6(address) => (128, address.to_bits()),
        };
        let ((width, base), (other_width, address)) = (bits(self.base), bits(address));
        let behind = width.saturating_sub(self.prefix);
        width == other_width && first_bits(base, behind) == first_bits(address, behind)
    }

    /// Returns whether it has every address of its kind.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }
}

/// Drops the bits behind a prefix.
fn first_bits(address: u128, behind: u32) -> u128 {
    address.checked_shr(behind).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let syntax = || NetworkError::Syntax(text.to_owned());
        let (base, prefix) = text.split_once('/').ok_or_else(syntax)?;
        let base: IpAddr = base.parse().map_err(|_| syntax())?;
        let width: u32 = if base.is_ipv4() { 32 } else { 128 };
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|prefix| digits && *prefix <= width).ok_or_else(syntax)?;
        let behind = width - prefix;
        let clear = |bits: u128| first_bits(bits, behind).checked_shl(behind).unwrap_or(0);
        let begins = match base {
            IpAddr::V4(address) => {
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(clear(address.to_bits().into())).unwrap_or(0)))
            }
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(clear(address.to_bits()))),
        };
        if begins != base {
            return Err(NetworkError::HostBits { given: text.to_owned(), base: begins });
        }
        let network = Self { base, prefix };
        if prefix == width && METADATA.contains(&base) {
            return Err(NetworkError::Metadata(text.to_owned()));
        }
        let public = match base {
            IpAddr::V4(_) => !SPECIAL_V4.iter().any(|(special, _)| special.overlaps(&network)),
            IpAddr::V6(_) => {
                GLOBAL_V6.contains(base)
                    && prefix >= GLOBAL_V6.prefix
                    && !SPECIAL_V6.iter().any(|(special, _)| special.overlaps(&network))
            }
        };
        if public { Err(NetworkError::Public(text.to_owned())) } else { Ok(network) }
    }
}

/// What kind of address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193).
    Private,
    /// The link itself.
    LinkLocal,
    /// Shared by carriers (RFC 6598).
    Shared,
    /// A cloud's metadata service.
    Metadata,
    /// Many machines at once.
    Multicast,
    /// No machine.
    Unspecified,
    /// For documentation.
    Documentation,
    /// For benchmarks (RFC 2544, RFC 5180).
    Benchmarking,
    /// An IPv6 address that carries an IPv4 address.
    CarriesV4,
    /// Nobody's yet.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "an address of a carrier's shared network",
            Self::Metadata => "the address of a cloud's metadata service",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "an unspecified address",
            Self::Documentation => "an address for documentation",
            Self::Benchmarking => "an address for benchmarks",
            Self::CarriesV4 => "an IPv6 address that carries an IPv4 address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Metadata services of AWS, Azure, Google and others (`169.254.169.254`, `fd00:ec2::254`), of ECS tasks
/// (`169.254.170.2`), of EKS pods (`169.254.170.23`, `fd00:ec2::23`), of Google over IPv6 (`fd20:ce::254`), of Alibaba
/// (`100.100.100.200`), of Oracle (`192.0.0.192`), and Azure's platform address (`168.63.129.16`), which is a public
/// one. They hand out credentials to whoever asks from the machine.
const METADATA: [IpAddr; 9] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// IANA's registry of special-purpose IPv4 addresses (RFC 6890), and multicast (RFC 5771).
const SPECIAL_V4: [(Network, AddressClass); 15] = [
    (Network::v4(0, 0, 0, 0, 8), AddressClass::Unspecified),
    (Network::v4(10, 0, 0, 0, 8), AddressClass::Private),
    (Network::v4(100, 64, 0, 0, 10), AddressClass::Shared),
    (Network::v4(127, 0, 0, 0, 8), AddressClass::Loopback),
    (Network::v4(169, 254, 0, 0, 16), AddressClass::LinkLocal),
    (Network::v4(172, 16, 0, 0, 12), AddressClass::Private),
    (Network::v4(192, 0, 0, 0, 24), AddressClass::Reserved),
    (Network::v4(192, 0, 2, 0, 24), AddressClass::Documentation),
    (Network::v4(192, 88, 99, 0, 24), AddressClass::Reserved),
    (Network::v4(192, 168, 0, 0, 16), AddressClass::Private),
    (Network::v4(198, 18, 0, 0, 15), AddressClass::Benchmarking),
    (Network::v4(198, 51, 100, 0, 24), AddressClass::Documentation),
    (Network::v4(203, 0, 113, 0, 24), AddressClass::Documentation),
    (Network::v4(224, 0, 0, 0, 4), AddressClass::Multicast),
    (Network::v4(240, 0, 0, 0, 4), AddressClass::Reserved),
];

/// All that IANA has given out for global unicast (RFC 4291, section 2.4; registry of IPv6 address space).
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 0, 0, 3);
/// Translation to IPv4 (RFC 6052): where a network has no IPv4, public servers are reached at these addresses, so the
/// address within decides. The prefix must not be used for addresses that are not global (section 3.1).
const NAT64: Network = Network::v6(0x64, 0xff9b, 0, 0, 96);

/// Outside global unicast only to say what it is; within it, IANA's registry of special-purpose IPv6 addresses: Teredo
/// and the other protocol assignments (`2001::/23`), documentation, 6to4.
const SPECIAL_V6: [(Network, AddressClass); 14] = [
    (Network { base: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 }, AddressClass::Loopback),
    (Network { base: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 128 }, AddressClass::Unspecified),
    // IPv4-compatible and, in the next line, IPv4-mapped.
    (Network::v6(0, 0, 0, 0, 96), AddressClass::CarriesV4),
    (
        Network { base: IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)), prefix: 96 },
        AddressClass::CarriesV4,
    ),
    (Network::v6(0xfc00, 0, 0, 0, 7), AddressClass::Private),
    (Network::v6(0xfe80, 0, 0, 0, 10), AddressClass::LinkLocal),
    (Network::v6(0xfec0, 0, 0, 0, 10), AddressClass::Private),
    (Network::v6(0xff00, 0, 0, 0, 8), AddressClass::Multicast),
    (Network::v6(0x2001, 0, 0, 0, 32), AddressClass::CarriesV4),
    (Network::v6(0x2001, 2, 0, 0, 48), AddressClass::Benchmarking),
    (Network::v6(0x2001, 0, 0, 0, 23), AddressClass::Reserved),
    (Network::v6(0x2001, 0xdb8, 0, 0, 32), AddressClass::Documentation),
    (Network::v6(0x2002, 0, 0, 0, 16), AddressClass::CarriesV4),
    (Network::v6(0x3fff, 0, 0, 0, 20), AddressClass::Documentation),
];

/// Returns what is special about an address; `None` for a public one.
pub fn classify(address: IpAddr) -> Option<AddressClass> {
    let mapped = match address {
        IpAddr::V6(address) => address.to_ipv4().map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    if METADATA.contains(&address) || mapped.is_some_and(|mapped| METADATA.contains(&mapped)) {
        return Some(AddressClass::Metadata);
    }
    let among = |table: &[(Network, AddressClass)]| {
        table.iter().find(|(network, _)| network.contains(address)).map(|(_, class)| *class)
    };
    match address {
        IpAddr::V4(_) => among(&SPECIAL_V4),
        IpAddr::V6(v6) if NAT64.contains(address) => {
            let [.., a, b, c, d] = v6.octets();
            classify(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(_) => {
            let outside = (!GLOBAL_V6.contains(address)).then_some(AddressClass::Reserved);
            among(&SPECIAL_V6).or(outside)
        }
    }
}

/// Which addresses are allowed besides public ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// Names may resolve to this machine.
    pub loopback: bool,
    /// Names may resolve into these networks, but for metadata services.
    pub networks: Vec<Network>,
}

/// An address that no connection is opened to.
///
/// ```
/// # use auth0_policy::address::AddressRules;
/// let rules = AddressRules::default();
/// let prohibited = rules.check("gateway.acme.example", [10, 20, 0, 1].into()).unwrap_err();
/// assert_eq!(
///     prohibited.to_string(),
///     "gateway.acme.example is at 10.20.0.1, a private address; to allow it, add its network to `allowed_networks` of the policy"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prohibited {
    /// The name that was looked up.
    pub host: String,
    /// What it resolved to.
    pub address: IpAddr,
    /// Why that is refused.
    pub class: AddressClass,
}

impl Prohibited {
    /// Returns what was found: the name, its address and what is special about that.
    pub fn fact(&self) -> String {
        let Self { host, address, class } = self;
        let never = if *class == AddressClass::Metadata { ", which is never allowed" } else { "" };
        format!("{host} is at {address}, {class}{never}")
    }

    /// Returns what would allow the connection; nothing for a metadata service.
    pub fn remedy(&self) -> Option<Remedy> {
        match self.class {
            AddressClass::Metadata => None,
            AddressClass::Loopback => Some(Remedy::AllowLoopback),
            _ => Some(Remedy::AllowNetwork),
        }
    }
}

impl std::error::Error for Prohibited {}

/// Writes it as the [`Denial`] that it becomes.
impl fmt::Display for Prohibited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Denial::from(self.clone()).fmt(f)
    }
}

impl AddressRules {
    /// Checks that a connection may be opened to an address that a host was resolved to, or that it is. A base URL
    /// whose host is `localhost` or a loopback address is itself the wish for loopback.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), Prohibited> {
        let Some(class) = classify(address) else { return Ok(()) };
        let listed = || self.networks.iter().any(|network| network.contains(address));
        let allowed = match class {
            AddressClass::Metadata => false,
            AddressClass::Loopback => self.loopback || is_loopback(host) || listed(),
            _ => listed(),
        };
        if allowed { Ok(()) } else { Err(Prohibited { host: host.to_owned(), address, class }) }
    }
}

/// Returns whether a host says by itself that it is this machine.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || literal(host).is_some_and(|address| classify(address) == Some(AddressClass::Loopback))
}

/// Reads an address that stands for a host, in brackets or without.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_that_is_not_public_is_known_for_what_it_is() {
        use AddressClass as Class;
        for (address, expected) in [
            ("1.1.1.1", None),
            ("104.18.0.1", None),
            ("9.255.255.255", None),
            ("11.0.0.0", None),
            ("100.63.255.255", None),
            ("100.128.0.0", None),
            ("172.15.255.255", None),
            ("172.32.0.0", None),
            ("198.17.255.255", None),
            ("198.20.0.0", None),
            ("223.255.255.255", None),
            ("0.0.0.0", Some(Class::Unspecified)),
            ("0.1.2.3", Some(Class::Unspecified)),
            ("10.0.0.1", Some(Class::Private)),
            ("100.64.0.1", Some(Class::Shared)),
            ("100.127.255.255", Some(Class::Shared)),
            ("100.100.100.200", Some(Class::Metadata)),
            ("127.0.0.1", Some(Class::Loopback)),
            ("127.255.255.254", Some(Class::Loopback)),
            ("169.254.1.1", Some(Class::LinkLocal)),
            ("169.254.169.254", Some(Class::Metadata)),
            ("169.254.170.2", Some(Class::Metadata)),
            ("168.63.129.16", Some(Class::Metadata)),
            ("172.16.0.1", Some(Class::Private)),
            ("172.31.255.255", Some(Class::Private)),
            ("192.0.0.8", Some(Class::Reserved)),
            ("192.0.2.1", Some(Class::Documentation)),
            ("192.88.99.1", Some(Class::Reserved)),
            ("192.168.1.1", Some(Class::Private)),
            ("198.18.0.1", Some(Class::Benchmarking)),
            ("198.19.255.255", Some(Class::Benchmarking)),
            ("198.51.100.1", Some(Class::Documentation)),
            ("203.0.113.1", Some(Class::Documentation)),
            ("224.0.0.1", Some(Class::Multicast)),
            ("239.255.255.255", Some(Class::Multicast)),
            ("240.0.0.1", Some(Class::Reserved)),
            ("255.255.255.255", Some(Class::Reserved)),
            ("2606:4700::1", None),
            ("2a00:1450::1", None),
            ("2001:4860::1", None),
            ("2001:200::1", None),
            ("::", Some(Class::Unspecified)),
            ("::1", Some(Class::Loopback)),
            ("::2", Some(Class::CarriesV4)),
            ("::127.0.0.1", Some(Class::CarriesV4)),
            ("::ffff:127.0.0.1", Some(Class::CarriesV4)),
            ("::ffff:10.0.0.1", Some(Class::CarriesV4)),
            ("::ffff:1.1.1.1", Some(Class::CarriesV4)),
            ("::ffff:169.254.169.254", Some(Class::Metadata)),
            ("::169.254.169.254", Some(Class::Metadata)),
            ("::ffff:0:127.0.0.1", Some(Class::Reserved)),
            ("64:ff9b::1.1.1.1", None),
            ("64:ff9b::127.0.0.1", Some(Class::Loopback)),
            ("64:ff9b::169.254.169.254", Some(Class::Metadata)),
            ("64:ff9b::10.0.0.1", Some(Class::Private)),
            ("64:ff9b:1::10.0.0.1", Some(Class::Reserved)),
            ("100::1", Some(Class::Reserved)),
            ("2001::1", Some(Class::CarriesV4)),
            ("2001:0:4136:e378::1", Some(Class::CarriesV4)),
            ("2001:2::1", Some(Class::Benchmarking)),
            ("2001:20::1", Some(Class::Reserved)),
            ("2001:db8::1", Some(Class::Documentation)),
            ("2002:7f00:1::1", Some(Class::CarriesV4)),
            ("3fff::1", Some(Class::Documentation)),
            ("4000::1", Some(Class::Reserved)),
            ("5f00::1", Some(Class::Reserved)),
            ("fc00::1", Some(Class::Private)),
            ("fd12::1", Some(Class::Private)),
            ("fd00:ec2::254", Some(Class::Metadata)),
            ("fe80::1", Some(Class::LinkLocal)),
            ("fec0::1", Some(Class::Private)),
            ("ff02::1", Some(Class::Multicast)),
        ] {
            assert_eq!(classify(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn loopback_is_wanted_by_a_host_that_says_so_or_by_the_policy() {
        let rules = |loopback| AddressRules { loopback, networks: Vec::new() };
        for (host, address, by_itself, by_policy) in [
            ("127.0.0.1", "127.0.0.1", true, true),
            ("[::1]", "::1", true, true),
            ("localhost", "127.0.0.1", true, true),
            ("LOCALHOST", "::1", true, true),
            ("localhost", "10.0.0.1", false, false),
            ("acme.auth0.com", "127.0.0.1", false, true),
            ("localhost.evil.com", "127.0.0.1", false, true),
            ("127.0.0.1.evil.com", "127.0.0.1", false, true),
            ("acme.auth0.com", "::ffff:127.0.0.1", false, false),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1", false, false),
            ("acme.auth0.com", "169.254.169.254", false, false),
            ("acme.auth0.com", "10.0.0.1", false, false),
            ("acme.auth0.com", "1.1.1.1", true, true),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(rules(false).check(host, address).is_ok(), by_itself, "{host} {address}");
            assert_eq!(rules(true).check(host, address).is_ok(), by_policy, "{host} {address}, allowed");
        }
    }

    #[test]
    fn a_network_is_allowed_by_name_and_metadata_never() {
        let networks = ["10.20.0.0/16", "169.254.0.0/16", "fd00::/8", "100.64.0.0/10", "::ffff:0:0/96"];
        let rules = AddressRules {
            loopback: false,
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        };
        for (address, expected) in [
            ("10.20.0.1", true),
            ("10.20.255.255", true),
            ("10.21.0.1", false),
            ("::ffff:10.21.0.1", true),
            ("64:ff9b::10.20.0.1", false),
            ("169.254.1.1", true),
            ("169.254.169.254", false),
            ("::ffff:169.254.169.254", false),
            ("fd12::1", true),
            ("fd00:ec2::254", false),
            ("100.100.100.200", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(
                rules.check("gateway.acme.example", address.parse().unwrap()).is_ok(),
                expected,
                "{address}"
            );
        }
        let error = rules.check("acme.auth0.com", "192.168.0.1".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("a private address") && error.contains("allowed_networks"), "{error}");
    }

    #[test]
    fn a_network_that_would_not_do_what_it_says_is_refused() {
        for (text, hint) in [
            ("", "an address and a prefix length"),
            ("10.0.0.1", "an address and a prefix length"),
            ("10.0.0.0/33", "an address and a prefix length"),
            ("10.0.0.0/+8", "an address and a prefix length"),
            ("10.0.0.0/8/8", "an address and a prefix length"),
            ("10.0.0/8", "an address and a prefix length"),
            ("gateway.example/8", "an address and a prefix length"),
            ("fd00::/129", "an address and a prefix length"),
            ("10.1.2.3/8", "begins at 10.0.0.0"),
            ("fd00::1/64", "begins at fd00::"),
            ("1.1.1.0/24", "public"),
            ("2606:4700::/32", "public"),
            ("169.254.169.254/32", "metadata"),
            ("fd00:ec2::254/128", "metadata"),
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/8", "192.168.7.4/32", "127.0.0.0/8"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }
}
