//! The same component, embedded as wasmtime's examples do it, over a transport such as wasmtime's default.
//!
//! The default itself (`default_send_request` of wasmtime-wasi-http 48) trusts the roots that it was built with and no
//! others, so it cannot be pointed at a server with a certificate made for this run. What it does is done here, step by
//! step, with one root more: for each request a new TCP connection, a new TLS configuration with all of Mozilla's roots
//! (and thus no session to resume), no ALPN, a handshake of HTTP/1.1, and a connection that is used once. Its timers
//! are left out, which makes it a little faster.
//!
//! It is given a token, so that it does not fetch one for each call as it would with a client secret.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use auth0_contract::wasmtime::{PluginPre, exports::connector::auth0::types::Error as ActionFailure};
use auth0_host::{Credentials, Host, bench::NativeClient};
use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as WasiError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::tenant::Address;

/// An embedding of the component. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DefaultTransport {
    pre: PluginPre<Guest>,
    environment: Arc<[(String, String)]>,
    extra_root: CertificateDer<'static>,
}

impl DefaultTransport {
    pub(crate) async fn open(address: &Address) -> Result<Self> {
        // The pool has the host's sizes, and the guest is interrupted as often: limits, policy and records are missing
        // here, besides the transport.
        let mut pool = PoolingAllocationConfig::default();
        pool.max_memory_size(128 << 20)
            .linear_memory_keep_resident(2 << 20)
            .async_stack_keep_resident(128 << 10)
            .table_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).epoch_interruption(true);
        let engine = Engine::new(&config).map_err(|error| anyhow!("{error:#}"))?;
        let pre = link(&engine).map_err(|error| anyhow!("{error:#}"))?;
        let environment = [
            ("AUTH0_DOMAIN", address.domain.clone()),
            ("AUTH0_BASE_URL", address.base_url.clone()),
            ("AUTH0_TOKEN", token(address).await?),
        ];
        Ok(Self {
            pre,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            extra_root: CertificateDer::from_pem_file(&address.ca_cert)?,
        })
    }

    /// Runs the action in an instance of its own.
    pub(crate) async fn get_user(&self, user: &str) -> Result<Value> {
        let input = serde_json::json!({"user_id": user}).to_string();
        let answer = self.run("get-user", &input).await.map_err(|error| anyhow!("{error:#}"))?;
        Ok(serde_json::from_str(&answer.map_err(|error| anyhow!("{error:?}"))?)?)
    }

    async fn run(&self, action: &str, input: &String) -> wasmtime::Result<Result<String, ActionFailure>> {
        let guest = Guest {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().envs(&self.environment).build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks { extra_root: self.extra_root.clone() },
        };
        let mut store = Store::new(self.pre.engine(), guest);
        // Nobody moves this engine's clock.
        store.set_epoch_deadline(1);
        let plugin = self.pre.instantiate_async(&mut store).await?;
        plugin.connector_auth0_actions().call_run_action(&mut store, action, input).await
    }
}

fn link(engine: &Engine) -> wasmtime::Result<PluginPre<Guest>> {
    let component = Component::from_binary(engine, auth0_embedded_component::COMPONENT)?;
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    PluginPre::new(linker.instantiate_pre(&component)?)
}

async fn token(address: &Address) -> Result<String> {
    let host = Host::builder().build_async().await?;
    let connection = host.tenant(address.settings(1)?.credentials(Credentials::None)).await?;
    let request = serde_json::json!({
        "grant_type": "client_credentials",
        "client_id": address.client_id,
        "client_secret": address.client_secret,
        "audience": address.audience,
    });
    let uri: Uri = format!("{}/oauth/token", address.base_url).parse()?;
    let (status, body) = NativeClient::new(&connection)
        .send(Method::POST, uri, Bytes::from(request.to_string()))
        .await
        .map_err(anyhow::Error::msg)?;
    let answer: Value = serde_json::from_slice(&body)?;
    let token = answer.get("access_token").and_then(Value::as_str);
    Ok(token.with_context(|| format!("no token ({status})"))?.to_owned())
}

struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

struct Hooks {
    extra_root: CertificateDer<'static>,
}

type Driver = Box<dyn Future<Output = Result<(), WasiError>> + Send>;
type Sent = Result<(Response<WasiBody>, Driver), WasiError>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Driver,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(send(request, self.extra_root.clone()))
    }
}

/// Sends one request on a connection of its own.
async fn send(mut request: Request<WasiBody>, extra_root: CertificateDer<'static>) -> Sent {
    let authority = request.uri().authority().ok_or(WasiError::HttpRequestUriInvalid)?.clone();
    let address = (authority.host(), authority.port_u16().unwrap_or(443));
    let stream = TcpStream::connect(address).await.map_err(WasiError::Connect)?;
    let name = ServerName::try_from(authority.host().to_owned());
    let name = name.map_err(|_| WasiError::HttpRequestUriInvalid)?;
    let stream = TlsConnector::from(Arc::new(tls(extra_root)?)).connect(name, stream).await;
    let stream = TokioIo::new(stream.map_err(WasiError::Tls)?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // Origin form: the authority is in the header.
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|_| WasiError::HttpRequestUriInvalid)?;
    let mut connection = Box::pin(connection);
    let mut sending = std::pin::pin!(sender.send_request(request));
    // Whoever waits for the answer drives the connection.
    let response = tokio::select! {
        biased;
        response = &mut sending => response?,
        ended = &mut connection => {
            ended?;
            let response = sending.await?;
            return Ok((response.map(boxed), Box::new(async { Ok(()) })));
        }
    };
    Ok((response.map(boxed), Box::new(async move { Ok(connection.await?) })))
}

fn boxed(body: hyper::body::Incoming) -> WasiBody {
    body.map_err(WasiError::from).boxed_unsync()
}

fn tls(extra_root: CertificateDer<'static>) -> Result<ClientConfig, WasiError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    roots.add(extra_root).map_err(|_| WasiError::ConfigurationError)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| WasiError::ConfigurationError)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
