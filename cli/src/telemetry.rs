//! Where the spans, events and metrics of the library go: to stderr where `RUST_LOG` asks for them, and to a collector
//! where the standard `OTEL_*` variables name one. Nowhere by default.
//!
//! Only what this program tells of itself is let through. What libraries below it trace – frames, host calls with their
//! arguments – may hold bodies and credentials.

#[cfg(feature = "otlp")]
mod otlp;

use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, filter_fn},
    fmt::{self, format::FmtSpan},
    layer::SubscriberExt as _,
    registry::LookupSpan,
};

/// Begins the targets of the library's spans and events.
const OURS: &str = "auth0_host";
/// Target of its metrics, which are events too.
const METRICS: &str = "auth0_host::metrics";

/// What has to be ended with the process.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    #[cfg(feature = "otlp")]
    exporters: otlp::Exporters,
}

impl Telemetry {
    /// Looks at the environment and begins. Called inside the runtime, once.
    pub(crate) fn begin() -> Self {
        let printing = std::env::var("RUST_LOG").ok().filter(|wanted| !wanted.is_empty());
        let printer = printing.and_then(|wanted| match EnvFilter::builder().parse(&wanted) {
            Ok(filter) => Some(printer(filter)),
            Err(error) => {
                crate::print::stderr(format_args!(
                    "warning: RUST_LOG is not understood and has no effect: {error}"
                ));
                None
            }
        });
        #[cfg(feature = "otlp")]
        {
            let (exporters, layer) = otlp::begin();
            install(printer, layer);
            Self { exporters }
        }
        #[cfg(not(feature = "otlp"))]
        {
            install(printer, None);
            Self {}
        }
    }

    /// Delivers what waits to be delivered, for some seconds at most.
    pub(crate) async fn end(self) {
        #[cfg(feature = "otlp")]
        self.exporters.end().await;
    }
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn install(printer: Option<BoxedLayer>, exporter: Option<BoxedLayer>) {
    let layers: Vec<BoxedLayer> = printer.into_iter().chain(exporter).collect();
    if !layers.is_empty() {
        // Nobody else in this process sets one.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers));
    }
}

/// Prints spans when they end, and events when they happen.
fn printer<S: Subscriber + for<'span> LookupSpan<'span>>(
    wanted: EnvFilter,
) -> Box<dyn Layer<S> + Send + Sync> {
    fmt::layer()
        .compact()
        .with_ansi(false)
        .with_writer(|| crate::print::Log)
        .with_span_events(FmtSpan::CLOSE)
        .with_filter(wanted.and(filter_fn(is_ours)))
        .boxed()
}

/// Whether a span or an event is one of the library's own.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target != METRICS && (target == OURS || target.starts_with("auth0_host::"))
}
