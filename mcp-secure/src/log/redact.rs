//! The layer: gives what is inside the same events and spans, with other values.

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, FieldSet, Value},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::values::{Recorded, Values};

/// Stands in front of a layer of a `tracing` subscriber: what is withheld does not reach it. See
/// [the module](super) for what that is.
///
/// A filter belongs around it: `Redact::new(layer).with_filter(filter)`.
pub struct Redact<L> {
    inner: L,
    withheld: Vec<&'static str>,
}

impl<L> Redact<L> {
    /// In front of `inner`.
    pub fn new(inner: L) -> Self {
        Self {
            inner,
            withheld: Vec::new(),
        }
    }

    /// Withholds the text of another crate that carries messages: a driver that logs statements,
    /// say. `target` is the beginning of its targets.
    #[must_use]
    pub fn withhold(mut self, target: &'static str) -> Self {
        self.withheld.push(target);
        self
    }

    fn values(&self, metadata: &'static Metadata<'static>) -> Values {
        let target = metadata.target();
        let of = |name: &&str| {
            let rest = target.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        Values {
            withheld: CARRIERS.iter().any(of) || self.withheld.iter().any(of),
            place: metadata.file().zip(metadata.line()),
            all: Vec::new(),
        }
    }
}

/// Names are the program's own, but a bridge from another logger can make them of anything.
fn is_printable(metadata: &Metadata<'_>) -> bool {
    let plain = |name: &str| name.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    plain(metadata.target())
        && plain(metadata.name())
        && metadata.fields().iter().all(|field| plain(field.name()))
}

/// Calls `then` with a set of `values`.
fn with_set<T>(
    fields: &FieldSet,
    values: &Values,
    then: impl FnOnce(&tracing::field::ValueSet<'_>) -> T,
) -> T {
    let recorded: Vec<(&Field, Recorded<'_>)> = values
        .all
        .iter()
        .map(|(field, shown)| (field, shown.record()))
        .collect();
    let Some((first, _)) = recorded.first() else {
        let none: [(&Field, Option<&dyn Value>); 0] = [];
        return then(&fields.value_set(&none));
    };
    // A set is made of an array; there are no more fields than this in one (`tracing` itself does
    // not compile with more).
    let slots: [(&Field, Option<&dyn Value>); 32] =
        std::array::from_fn(|at| match recorded.get(at) {
            Some((field, value)) => (*field, Some(value.as_value())),
            None => (*first, None),
        });
    then(&fields.value_set(&slots))
}

impl<S, L> Layer<S> for Redact<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_register_dispatch(&self, subscriber: &tracing::Dispatch) {
        self.inner.on_register_dispatch(subscriber);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.inner.enabled(metadata, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.inner.max_level_hint()
    }

    fn event_enabled(&self, event: &Event<'_>, context: Context<'_, S>) -> bool {
        // Asked with the values as they are, and so not with the inner layer's eyes.
        let _ = (event, context);
        true
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        let mut values = self.values(metadata);
        if is_printable(metadata) {
            attributes.record(&mut values);
        }
        with_set(metadata.fields(), &values, |set| {
            let shown = match attributes.parent() {
                Some(parent) => Attributes::child_of(parent.clone(), metadata, set),
                None if attributes.is_root() => Attributes::new_root(metadata, set),
                None => Attributes::new(metadata, set),
            };
            self.inner.on_new_span(&shown, id, context);
        });
    }

    fn on_record(&self, span: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(metadata) = context.metadata(span) else {
            return;
        };
        let mut values = self.values(metadata);
        record.record(&mut values);
        with_set(metadata.fields(), &values, |set| {
            self.inner.on_record(span, &Record::new(set), context);
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if !is_printable(metadata) {
            return;
        }
        let mut values = self.values(metadata);
        event.record(&mut values);
        with_set(metadata.fields(), &values, |set| {
            let shown = match event.parent() {
                Some(parent) => Event::new_child_of(parent.clone(), metadata, set),
                None if event.is_root() => Event::new_child_of(None, metadata, set),
                None => Event::new(metadata, set),
            };
            self.inner.on_event(&shown, context);
        });
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        self.inner.on_follows_from(span, follows, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.inner.on_close(id, context);
    }

    fn on_id_change(&self, old: &Id, new: &Id, context: Context<'_, S>) {
        self.inner.on_id_change(old, new, context);
    }
}

/// Crates whose lines hold what travels.
const CARRIERS: [&str; 17] = [
    "rmcp",
    "hyper",
    "hyper_util",
    "h2",
    "rustls",
    "tokio_rustls",
    "axum",
    "tower_http",
    "tower",
    "reqwest",
    "sse_stream",
    "hickory_proto",
    "hickory_net",
    "hickory_resolver",
    "tokio_postgres",
    "redis",
    "process_wrap",
];
