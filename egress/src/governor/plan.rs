//! Auth0's published limits, and which plan a tenant must have to show what it shows.

use std::{fmt, num::NonZeroU32, str::FromStr};

use super::endpoint::Endpoint;

/// The rate limits that a tenant begins with: those of its subscription.
///
/// The tenant's own word corrects a wrong choice: its answers carry the size of a bucket, and a size that does not fit
/// the plan is looked up in all published ones. What cannot be told from a size – private clouds and contracts of their
/// own share sizes with slower plans – has to be said.
///
/// ```
/// # use auth0_egress::governor::RatePlan;
/// let plan: RatePlan = "enterprise".parse()?;
/// assert_eq!(plan, RatePlan::Enterprise);
/// // 30 at once, 10 per second: a share of the tenant's limits.
/// let share: RatePlan = "30:10/s".parse()?;
/// assert_eq!(share.to_string(), "30:600/min");
/// # Ok::<(), auth0_egress::governor::UnknownRatePlan>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RatePlan {
    /// As slow as the smallest plan until the first answer says which one it is. The default: two requests can overrun
    /// no tenant, and the first answer of a faster one frees the rest.
    #[default]
    Auto,
    /// 2 at once, 2 per second.
    Free,
    /// Buckets per group of endpoints; all other endpoints share 10 at once, 150 per minute.
    Essentials,
    /// The limits of [`RatePlan::Essentials`].
    Professional,
    /// 50 at once, 16 per second, and smaller buckets for some endpoints.
    Enterprise,
    /// 10 at once, 2 per second, and the endpoint buckets of [`RatePlan::Enterprise`].
    EnterpriseNonProduction,
    /// Private cloud, development: 20 at once, 20 per second.
    PrivateCloudDev,
    /// Private cloud of 100 requests per second: 50 at once, 50 per second for the Management API.
    PrivateCloud100,
    /// Private cloud of 500 requests per second: 250.
    PrivateCloud500,
    /// Private cloud of 1,500 requests per second: 750.
    PrivateCloud1500,
    /// Private cloud of 3,000 requests per second: 1,500.
    PrivateCloud3000,
    /// Private cloud of 6,000 requests per second: 3,000.
    PrivateCloud6000,
    /// Private cloud of 10,000 requests per second: 5,000.
    PrivateCloud10000,
    /// A contract of its own, or a share of the tenant's limits that this host is to keep to.
    Custom(CustomRate),
    /// No pace at all: something else keeps it. A 429 is waited for by the call that gets it, and by no other.
    Unlimited,
}

/// A tenant-wide bucket that no published plan has.
///
/// ```
/// # use std::num::NonZeroU32;
/// # use auth0_egress::governor::{CustomRate, RatePlan};
/// let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
/// let share = RatePlan::Custom(CustomRate { burst: number(30), per_minute: number(600) });
/// assert_eq!("30:10/s".parse(), Ok(share));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CustomRate {
    /// Requests at once.
    pub burst: NonZeroU32,
    /// Requests per minute, sustained.
    pub per_minute: NonZeroU32,
}

/// A bucket's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// The size that the headers show.
    pub(super) burst: f64,
    pub(super) per_second: f64,
    /// What may be missing since refills come in steps: per-second limits are refilled by the millisecond, all others
    /// once a second (facts, section 3).
    pub(super) step: f64,
}

impl Rate {
    const fn per_second(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second, step: 0.0 }
    }

    const fn per_minute(burst: f64, per_minute: f64) -> Self {
        Self { burst, per_second: per_minute / 60.0, step: per_minute / 60.0 }
    }

    /// Another size at the same proportion.
    pub(super) fn resized(self, burst: f64) -> Self {
        let factor = burst / self.burst;
        Self { burst, per_second: self.per_second * factor, step: self.step * factor }
    }
}

/// What headers can tell apart, the slowest first: where a size fits several, the slower one is safe.
const RECOGNIZED: [RatePlan; 10] = [
    RatePlan::Free,
    RatePlan::EnterpriseNonProduction,
    RatePlan::Essentials,
    RatePlan::Enterprise,
    RatePlan::PrivateCloudDev,
    RatePlan::PrivateCloud500,
    RatePlan::PrivateCloud1500,
    RatePlan::PrivateCloud3000,
    RatePlan::PrivateCloud6000,
    RatePlan::PrivateCloud10000,
];

const NAMES: [(RatePlan, &str); 14] = [
    (RatePlan::Auto, "auto"),
    (RatePlan::Free, "free"),
    (RatePlan::Essentials, "essentials"),
    (RatePlan::Professional, "professional"),
    (RatePlan::Enterprise, "enterprise"),
    (RatePlan::EnterpriseNonProduction, "enterprise-nonproduction"),
    (RatePlan::PrivateCloudDev, "private-cloud-dev"),
    (RatePlan::PrivateCloud100, "private-cloud-100"),
    (RatePlan::PrivateCloud500, "private-cloud-500"),
    (RatePlan::PrivateCloud1500, "private-cloud-1500"),
    (RatePlan::PrivateCloud3000, "private-cloud-3000"),
    (RatePlan::PrivateCloud6000, "private-cloud-6000"),
    (RatePlan::PrivateCloud10000, "private-cloud-10000"),
    (RatePlan::Unlimited, "unlimited"),
];

impl RatePlan {
    /// The tenant-wide bucket; on Essentials and Professional the one that endpoints without their own share.
    pub(super) fn tenant(self) -> Option<Rate> {
        Some(match self {
            Self::Auto | Self::Free => Rate::per_second(2.0, 2.0),
            Self::Essentials | Self::Professional => Rate::per_minute(10.0, 150.0),
            Self::Enterprise => Rate::per_second(50.0, 16.0),
            Self::EnterpriseNonProduction => Rate::per_second(10.0, 2.0),
            Self::PrivateCloudDev => Rate::per_second(20.0, 20.0),
            Self::PrivateCloud100 => Rate::per_second(50.0, 50.0),
            Self::PrivateCloud500 => Rate::per_second(250.0, 250.0),
            Self::PrivateCloud1500 => Rate::per_second(750.0, 750.0),
            Self::PrivateCloud3000 => Rate::per_second(1500.0, 1500.0),
            Self::PrivateCloud6000 => Rate::per_second(3000.0, 3000.0),
            Self::PrivateCloud10000 => Rate::per_second(5000.0, 5000.0),
            Self::Custom(CustomRate { burst, per_minute }) => {
                Rate::per_second(burst.get().into(), f64::from(per_minute.get()) / 60.0)
            }
            Self::Unlimited => return None,
        })
    }

    /// The bucket of a group of endpoints.
    pub(super) fn endpoint(self, endpoint: Endpoint) -> Option<Rate> {
        match self {
            Self::Free => free(endpoint),
            Self::Essentials | Self::Professional => essentials(endpoint),
            Self::Enterprise | Self::EnterpriseNonProduction => enterprise(endpoint),
            _ => None,
        }
    }

    /// Returns whether requests with a bucket of their own count against the tenant-wide one as well.
    pub(super) fn counts_all(self) -> bool {
        !matches!(self, Self::Essentials | Self::Professional)
    }

    /// Returns whether the headers may choose another plan.
    pub(super) fn is_a_guess(self) -> bool {
        !matches!(self, Self::Custom(_) | Self::Unlimited)
    }

    /// Finds the plan of a tenant that shows a bucket of this size, and whether it is told by an endpoint's own bucket.
    pub(super) fn showing(endpoint: Option<Endpoint>, limit: f64) -> Option<(Self, Evidence)> {
        let size = |rate: Option<Rate>| rate.is_some_and(|rate| same(rate.burst, limit));
        let own =
            RECOGNIZED.into_iter().find(|plan| size(endpoint.and_then(|endpoint| plan.endpoint(endpoint))));
        let tenant = || RECOGNIZED.into_iter().find(|plan| size(plan.tenant()));
        own.map(|plan| (plan, Evidence::Endpoint)).or_else(|| Some((tenant()?, Evidence::Tenant)))
    }
}

/// How a plan was recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The size of an endpoint's own bucket.
    Endpoint,
    /// The size of the tenant-wide bucket, or of one that Auth0 does not publish.
    Tenant,
}

/// Compares sizes, which are whole numbers.
pub(super) fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.5
}

fn free(endpoint: Endpoint) -> Option<Rate> {
    Some(match endpoint {
        Endpoint::ReadEmailTemplates => Rate::per_minute(10.0, 50.0),
        Endpoint::WriteEmailTemplates | Endpoint::ReadEmailProvider | Endpoint::WriteEmailProvider => {
            Rate::per_minute(5.0, 25.0)
        }
        _ => return None,
    })
}

fn essentials(endpoint: Endpoint) -> Option<Rate> {
    Some(match endpoint {
        Endpoint::ReadUsers | Endpoint::ReadMembers => Rate::per_minute(40.0, 500.0),
        Endpoint::WriteUsers
        | Endpoint::DeleteUsers
        | Endpoint::ReadOrganization
        | Endpoint::WriteMembers
        | Endpoint::MemberRoles
        | Endpoint::ReadTokenExchangeProfiles => Rate::per_minute(20.0, 200.0),
        Endpoint::ReadLogs | Endpoint::ReadOrganizationByName | Endpoint::ReadClientGrants => {
            Rate::per_minute(10.0, 100.0)
        }
        Endpoint::ReadEmailTemplates => Rate::per_minute(10.0, 50.0),
        Endpoint::SearchClients | Endpoint::WriteClientGrants => Rate::per_minute(5.0, 150.0),
        Endpoint::ReadClients | Endpoint::WriteDeviceCredentials | Endpoint::WriteTokenExchangeProfiles => {
            Rate::per_minute(5.0, 100.0)
        }
        Endpoint::ReadConnections | Endpoint::ReadOrganizations | Endpoint::ReadOrganizationConnections => {
            Rate::per_minute(5.0, 50.0)
        }
        Endpoint::WriteOrganizations
        | Endpoint::WriteOrganizationConnections
        | Endpoint::WriteEmailTemplates
        | Endpoint::ReadEmailProvider
        | Endpoint::WriteEmailProvider => Rate::per_minute(5.0, 25.0),
        Endpoint::VerifyCustomDomain | Endpoint::PromptPartials => Rate::per_minute(5.0, 5.0),
        Endpoint::ConnectionStatus => Rate::per_second(100.0, 15.0),
        Endpoint::RotateSigningKey => Rate::per_minute(5.0, 5.0 / MINUTES_OF_A_DAY),
        Endpoint::Invitations | Endpoint::UserOrganizations => return None,
    })
}

const MINUTES_OF_A_DAY: f64 = 24.0 * 60.0;

fn enterprise(endpoint: Endpoint) -> Option<Rate> {
    Some(match endpoint {
        Endpoint::UserOrganizations => Rate::per_minute(40.0, 500.0),
        Endpoint::ReadOrganizationByName | Endpoint::Invitations => Rate::per_minute(20.0, 200.0),
        Endpoint::ReadEmailTemplates | Endpoint::ReadEmailProvider => Rate::per_minute(15.0, 150.0),
        Endpoint::ReadOrganizations
        | Endpoint::ReadOrganization
        | Endpoint::ReadOrganizationConnections
        | Endpoint::WriteEmailTemplates
        | Endpoint::WriteEmailProvider => Rate::per_minute(10.0, 100.0),
        Endpoint::SearchClients | Endpoint::WriteOrganizations | Endpoint::WriteOrganizationConnections => {
            Rate::per_minute(5.0, 150.0)
        }
        _ => return None,
    })
}

impl fmt::Display for RatePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Custom(CustomRate { burst, per_minute }) = self {
            return write!(f, "{burst}:{per_minute}/min");
        }
        let name = NAMES.iter().find(|(plan, _)| plan == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl FromStr for RatePlan {
    type Err = UnknownRatePlan;

    /// Reads a plan's name, or `BURST:SUSTAINED` such as `30:10/s` or `30:600/min`.
    fn from_str(text: &str) -> Result<Self, UnknownRatePlan> {
        let custom = || {
            let (burst, sustained) = text.split_once(':')?;
            let (number, factor) = match (sustained.strip_suffix("/s"), sustained.strip_suffix("/min")) {
                (Some(number), _) => (number, 60),
                (None, Some(number)) => (number, 1),
                (None, None) => return None,
            };
            let per_minute = number.parse::<NonZeroU32>().ok()?.checked_mul(NonZeroU32::new(factor)?)?;
            Some(Self::Custom(CustomRate { burst: burst.parse().ok()?, per_minute }))
        };
        let named = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(plan, _)| *plan);
        named.or_else(custom).ok_or_else(|| UnknownRatePlan(text.to_owned()))
    }
}

/// A text that names no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRatePlan(String);

impl fmt::Display for UnknownRatePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = NAMES.iter().map(|(_, name)| *name).collect();
        write!(
            f,
            "`{}` is not a rate plan: use {}, or burst and rate such as 30:10/s",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownRatePlan {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        for (plan, _) in NAMES {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        let custom: RatePlan = "30:10/s".parse().unwrap();
        assert_eq!(custom.to_string(), "30:600/min");
        assert_eq!(custom.to_string().parse(), Ok(custom));
        for text in ["", "gold", "0:1/s", "1:0/s", "1:1", "1:1/h", "-1:1/s", "1:4294967295/s"] {
            assert!(text.parse::<RatePlan>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_tells_the_slowest_plan_that_has_it() {
        for (endpoint, limit, expected) in [
            (None, 2.0, Some((RatePlan::Free, Evidence::Tenant))),
            (None, 10.0, Some((RatePlan::EnterpriseNonProduction, Evidence::Tenant))),
            (None, 50.0, Some((RatePlan::Enterprise, Evidence::Tenant))),
            (None, 20.0, Some((RatePlan::PrivateCloudDev, Evidence::Tenant))),
            (None, 7.0, None),
            (Some(Endpoint::ReadUsers), 40.0, Some((RatePlan::Essentials, Evidence::Endpoint))),
            (Some(Endpoint::ReadUsers), 50.0, Some((RatePlan::Enterprise, Evidence::Tenant))),
            (Some(Endpoint::ReadEmailProvider), 5.0, Some((RatePlan::Free, Evidence::Endpoint))),
            (
                Some(Endpoint::ReadEmailProvider),
                15.0,
                Some((RatePlan::EnterpriseNonProduction, Evidence::Endpoint)),
            ),
        ] {
            assert_eq!(RatePlan::showing(endpoint, limit), expected, "{endpoint:?} {limit}");
        }
    }

    #[test]
    fn of_several_plans_the_slower_one_is_recognized() {
        let rates = RECOGNIZED.map(|plan| plan.tenant().unwrap().per_second);
        assert!(rates.is_sorted(), "{rates:?}");
    }
}
