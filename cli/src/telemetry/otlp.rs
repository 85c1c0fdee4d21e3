//! Traces and metrics to a collector, by OTLP over HTTP with protobuf.
//!
//! What the variables mean is the SDK's to say: endpoints, headers, service name and resource attributes, sampler, batch
//! sizes, intervals. Decided here is only whether there is anything to export to: no endpoint, no exporter, since a
//! command line that looks for a collector on every laptop would be a nuisance.
//!
//! No context is propagated: Auth0 gets no `traceparent`.

use std::{env, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    metrics::{Aggregation, Instrument, SdkMeterProvider, Stream},
    trace::SdkTracerProvider,
};
use tokio::runtime::Handle;
use tracing_opentelemetry::MetricsLayer;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
};

use super::{BoxedLayer, METRICS, is_ours};

/// How long a collector may take for one request: the specification's default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a command waits at its end. A collector next door answers in milliseconds; a command must not hang for one
/// that is gone.
const FLUSH_TIME: Duration = Duration::from_secs(3);
/// A collector answers with a few bytes.
const MOST_ANSWER_BYTES: usize = 1024 * 1024;
/// Bounds of the buckets of durations, in seconds: those that the semantic conventions advise for HTTP clients.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What exports. Empty where nothing asks for it.
#[derive(Debug, Default)]
pub(super) struct Exporters {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// Looks at the environment and makes the exporters that it asks for, with the layer that feeds them.
pub(super) fn begin() -> (Exporters, Option<BoxedLayer>) {
    let wanted = Wanted::from(|name: &str| env::var(name).ok().filter(|value| !value.is_empty()));
    if wanted == Wanted::default() {
        return (Exporters::default(), None);
    }
    let Some(collector) = usable("traces and metrics", Collector::new()) else {
        return (Exporters::default(), None);
    };
    let mut exporters = Exporters::default();
    let mut layers: Vec<BoxedLayer> = Vec::new();
    if wanted.traces {
        let built = SpanExporter::builder().with_http().with_http_client(collector.clone()).build();
        if let Some(exporter) = usable("traces", built) {
            let provider =
                SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
            let layer = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("auth0-host"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_filter(filter_fn(is_ours).with_max_level_hint(LevelFilter::DEBUG));
            layers.push(layer.boxed());
            exporters.traces = Some(provider);
        }
    }
    if wanted.metrics {
        let built = MetricExporter::builder().with_http().with_http_client(collector).build();
        if let Some(exporter) = usable("metrics", built) {
            let provider = SdkMeterProvider::builder()
                .with_periodic_exporter(exporter)
                .with_resource(resource())
                .with_view(units)
                .build();
            let only = filter_fn(|metadata| metadata.target() == METRICS);
            layers.push(MetricsLayer::new(provider.clone()).with_filter(only).boxed());
            exporters.metrics = Some(provider);
        }
    }
    (exporters, Some(layers.boxed()))
}

impl Exporters {
    /// Delivers what waits, and gives up after some seconds.
    pub(super) async fn end(self) {
        let Self { traces, metrics } = self;
        let mut deliveries = tokio::task::JoinSet::new();
        if let Some(traces) = traces {
            deliveries.spawn_blocking(move || traces.shutdown_with_timeout(FLUSH_TIME).is_ok());
        }
        if let Some(metrics) = metrics {
            deliveries.spawn_blocking(move || metrics.shutdown_with_timeout(FLUSH_TIME).is_ok());
        }
        let _ =
            tokio::time::timeout(FLUSH_TIME, async { while deliveries.join_next().await.is_some() {} }).await;
    }
}

/// Which signals the environment asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    traces: bool,
    metrics: bool,
}

impl Wanted {
    fn from(variable: impl Fn(&str) -> Option<String>) -> Self {
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::default();
        }
        let everything = variable("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
        let signal = |endpoint: &str, exporter: &str| match variable(exporter).as_deref() {
            None => everything || variable(endpoint).is_some(),
            Some(list) => list.split(',').any(|name| name.trim() == "otlp"),
        };
        Self {
            traces: signal("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"),
            metrics: signal("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRICS_EXPORTER"),
        }
    }
}

/// A command goes on without what cannot be exported.
fn usable<T>(signal: &str, built: Result<T, impl fmt::Display>) -> Option<T> {
    built
        .map_err(|error| crate::print::stderr(format_args!("warning: no {signal} are exported: {error}")))
        .ok()
}

/// Describes this program. Name and attributes of the environment come first.
fn resource() -> Resource {
    let named = env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|attributes| attributes.contains("service.name="));
    let builder = Resource::builder();
    if named { builder.build() } else { builder.with_service_name("auth0-host").build() }
}

/// Gives instruments their units, which a metric that is an event cannot have.
fn units(instrument: &Instrument) -> Option<Stream> {
    let unit = match instrument.name() {
        "http.client.request.duration" | "auth0.call.duration" | "auth0.rate_limit.wait" => "s",
        "auth0.calls" => "{call}",
        "auth0.token.fetches" => "{fetch}",
        "auth0.connections.opened" => "{connection}",
        "auth0.instances" => "{instance}",
        _ => return None,
    };
    let stream = Stream::builder().with_unit(unit);
    let stream = if unit == "s" {
        let boundaries = SECONDS.to_vec();
        stream.with_aggregation(Aggregation::ExplicitBucketHistogram { boundaries, record_min_max: true })
    } else {
        stream
    };
    stream.build().ok()
}

/// Speaks HTTP to the collector. The exporters' threads have no runtime, so the work is done on ours.
#[derive(Clone, Debug)]
struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

impl Collector {
    fn new() -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        // The machine's certificates take some milliseconds to read. A collector on this machine needs none.
        let over_tls = env::vars_os().any(|(name, value)| {
            name.to_string_lossy().starts_with("OTEL_") && value.to_string_lossy().starts_with("https:")
        });
        if over_tls {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::current(),
        })
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let work = self.runtime.spawn(async move {
            tokio::time::timeout(ANSWER_TIMEOUT, async move {
                let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
                let body = Limited::new(body, MOST_ANSWER_BYTES).collect().await?.to_bytes();
                Ok::<_, HttpError>(Response::from_parts(head, body))
            })
            .await
        });
        Box::pin(async move { work.await?? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_exported_unless_a_collector_is_named() {
        let both = Wanted { traces: true, metrics: true };
        let traces = Wanted { traces: true, metrics: false };
        let none = Wanted::default();
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for (variables, expected) in [
            (&[][..], none),
            (&[("OTEL_SERVICE_NAME", "x")], none),
            (&[endpoint], both),
            (&[endpoint, ("OTEL_SDK_DISABLED", "true")], none),
            (&[endpoint, ("OTEL_SDK_DISABLED", "false")], both),
            (&[endpoint, ("OTEL_METRICS_EXPORTER", "none")], traces),
            (&[endpoint, ("OTEL_METRICS_EXPORTER", "console")], traces),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")], traces),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], traces),
        ] {
            let find = |name: &str| {
                variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(Wanted::from(find), expected, "{variables:?}");
        }
    }
}
