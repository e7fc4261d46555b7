//! Tracing goes to standard error. `rmcp`'s own lines do only where the operator asks for DEBUG,
//! and then without their text: they hold whole requests and results, bodies of errors, and
//! session ids.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::log::{Lines, Redact};

/// How much is written, as the operator says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Installs the subscriber, unless the author has installed one (then the filter is the
/// author's business; the book says so), and the panic hook.
pub(crate) fn init() {
    keep_words_of_panics();
    let (filter, handle) = reload::Layer::new(LogLevel::Info.filter());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Lines::new(io::stderr()))
        .with_ansi(false);
    let lines = Redact::new(lines).with_filter(filter);
    if tracing_subscriber::registry()
        .with(lines)
        .try_init()
        .is_ok()
    {
        let _ = FILTER.set(handle);
    }
}

/// The operator's choice, once the command line is read.
pub(crate) fn set(level: LogLevel) {
    if let Some(handle) = FILTER.get() {
        let _ = handle.reload(level.filter());
    }
}

impl LogLevel {
    fn filter(self) -> Targets {
        let level = match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        };
        let all = Targets::new().with_default(level);
        // What is left of such a line is of use only to who looks for a fault.
        match level > LevelFilter::INFO {
            true => all,
            false => all.with_target("rmcp", LevelFilter::OFF),
        }
    }
}

static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// A panic may quote what a client sent or a file holds, and standard error of a stdio server
/// is in its client's log. So only the place is printed; the words of a panic in a call are
/// in the audit log. The thread that starts the server keeps the hook it had: what falls over
/// before there are clients is for the operator to read.
fn keep_words_of_panics() {
    let starter = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == starter {
            before(panic);
        } else {
            let place = panic
                .location()
                .map_or_else(|| "?".to_owned(), ToString::to_string);
            // `eprintln!` would panic again if nobody reads.
            let _ = writeln!(
                std::io::stderr(),
                "a panic at {place}; its words are kept back"
            );
        }
    }));
}
