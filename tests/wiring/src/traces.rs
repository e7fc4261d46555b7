//! Where user code says that it ran.

use std::{fs::File, io::Write, sync::Arc};

/// Appends lines to the file named by `WIRING_TRACES`, which is opened before the sandbox
/// closes. A test is the only one who may do this: a tool of a real server has no business
/// outside of its handles.
#[derive(Clone)]
pub(crate) struct Traces(Arc<Option<File>>);

impl Traces {
    pub(crate) fn from_env() -> Self {
        let path = std::env::var_os("WIRING_TRACES").unwrap_or_default();
        let file = File::options().append(true).create(true).open(path);
        Self(Arc::new(file.ok()))
    }

    pub(crate) fn leave(&self, line: &str) {
        if let Some(mut file) = self.0.as_ref().as_ref() {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

/// Work that leaves `name:finished` or, if its future is dropped, `name:dropped`.
pub(crate) struct Running {
    traces: Traces,
    name: &'static str,
    finished: bool,
}

impl Running {
    pub(crate) fn start(traces: &Traces, name: &'static str) -> Self {
        traces.leave(&format!("{name}:started"));
        Self {
            traces: traces.clone(),
            name,
            finished: false,
        }
    }

    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let how = if self.finished { "finished" } else { "dropped" };
        self.traces.leave(&format!("{}:{how}", self.name));
    }
}
