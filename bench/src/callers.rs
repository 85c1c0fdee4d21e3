//! The four ways to ask for a user.

use anyhow::{Context as _, Result, bail, ensure};
use auth0_host::{Error, ErrorCode, Host, InstancePolicy, Tenant, bench::NativeClient};
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    default_transport::DefaultTransport,
    tenant::{Address, BenchTenant, any_user},
};

/// Callers at once where throughput is measured.
pub(crate) const CALLERS: usize = 32;

/// A way to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A client without a sandbox, over the host's transport.
    Native,
    /// An instance that served earlier calls.
    Warm,
    /// An instance for each call.
    Fresh,
    /// The same, over a transport that does what wasmtime's default does.
    WasmtimeDefault,
}

/// One figure for each way.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Each<T> {
    pub(crate) native: T,
    pub(crate) warm: T,
    pub(crate) fresh: T,
    pub(crate) wasmtime_default: T,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Native, Self::Warm, Self::Fresh, Self::WasmtimeDefault];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let names = ["native", "warm", "fresh", "wasmtime-default"];
        names.iter().zip(Self::ALL).find(|(known, _)| **known == name).map(|(_, way)| way)
    }
}

impl<T> Each<T> {
    pub(crate) fn get_mut(&mut self, way: Way) -> &mut T {
        match way {
            Way::Native => &mut self.native,
            Way::Warm => &mut self.warm,
            Way::Fresh => &mut self.fresh,
            Way::WasmtimeDefault => &mut self.wasmtime_default,
        }
    }

    pub(crate) fn map<U>(&self, mut figure: impl FnMut(&T) -> U) -> Each<U> {
        Each {
            native: figure(&self.native),
            warm: figure(&self.warm),
            fresh: figure(&self.fresh),
            wasmtime_default: figure(&self.wasmtime_default),
        }
    }
}

/// Callers of all ways, each with its own connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Callers {
    host: Host,
    user: String,
    address: Address,
    native: NativeClient,
    warm: Tenant,
    fresh: Tenant,
    default_transport: DefaultTransport,
}

impl Callers {
    pub(crate) async fn open(tenant: &BenchTenant) -> Result<Self> {
        let address = tenant.address.clone();
        let host = Host::builder().build_async().await?;
        let settings = || address.settings(CALLERS);
        let fresh = host.tenant(settings()?).await?;
        let user = any_user(&fresh).await?;
        Ok(Self {
            native: NativeClient::new(&host.tenant(settings()?).await?),
            warm: host.tenant(settings()?.instances(InstancePolicy::warm())).await?,
            default_transport: DefaultTransport::open(&address).await?,
            host,
            user,
            address,
            fresh,
        })
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the id of the user that is asked for.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Asks for the user, and makes sure that it is the right one.
    pub(crate) async fn call(&self, way: Way) -> Result<()> {
        let found = match way {
            Way::Native => self.natively().await?,
            Way::Warm => self.warm.run("get-user", json!({"user_id": self.user})).await?.to_value()?,
            Way::Fresh => self.fresh.run("get-user", json!({"user_id": self.user})).await?.to_value()?,
            Way::WasmtimeDefault => self.default_transport.get_user(&self.user).await?,
        };
        let id = found.get("user_id").and_then(Value::as_str).context("an answer without an id")?;
        ensure!(id == self.user, "{way:?} answered another user");
        Ok(())
    }

    /// Makes a call whose input the component refuses.
    pub(crate) async fn refused(&self, way: Way) -> Result<()> {
        let connection = if way == Way::Warm { &self.warm } else { &self.fresh };
        match connection.run("get-user", json!({"id": self.user})).await {
            Err(Error::Action(error)) if error.code == ErrorCode::InvalidInput => Ok(()),
            other => bail!("{way:?} answered {other:?} for an invalid input"),
        }
    }

    async fn natively(&self) -> Result<Value> {
        let uri = self.address.user(&self.user).parse()?;
        let (status, body) =
            self.native.send(Method::GET, uri, Bytes::new()).await.map_err(anyhow::Error::msg)?;
        ensure!(status.is_success(), "the tenant answered {status}");
        Ok(serde_json::from_slice(&body)?)
    }
}
