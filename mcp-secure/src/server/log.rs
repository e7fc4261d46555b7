//! Tracing goes to standard error, and `rmcp`'s own lines not at all: at its DEBUG level
//! they hold whole requests and results, at WARN the bodies of errors, at INFO session ids.

use std::io::{self, Write};

use tracing::Metadata;
use tracing_subscriber::{Layer, filter::FilterFn, layer::SubscriberExt, util::SubscriberInitExt};

use crate::layer::guard::for_log;

/// Installs the subscriber, unless the author has installed one (then the filter is the
/// author's business; the book says so), and the panic hook.
pub(crate) fn init() {
    keep_words_of_panics();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Lines(io::stderr()))
        .with_ansi(false)
        .with_filter(FilterFn::new(is_ours));
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// Lines of the log. An event is written at once, and may quote what a client sent or a file
/// holds: it stays one line, without what a terminal obeys and without secrets.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = for_log(text).replace('\n', "\\n");
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

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

fn is_ours(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("rmcp") && *metadata.level() <= tracing::Level::INFO
}
