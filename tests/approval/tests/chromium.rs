//! A real browser, spoken to over a pipe (the Chrome DevTools Protocol, `--remote-debugging-pipe`).
//! From the system's package `chromium`.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// A browser without a window; it is gone with the value.
pub(crate) struct Chromium {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

/// One tab, in a session of its own or of another one.
#[derive(Clone, Debug)]
pub(crate) struct Tab {
    session: String,
    context: String,
}

impl Chromium {
    /// `None`, with a word on standard error, where the package is missing; on CI that is a
    /// failure.
    pub(crate) fn start() -> Option<Self> {
        if Command::new("chromium").arg("--version").output().is_err() {
            let missing = "Chromium is missing: install the package `chromium`, or run \
                           `cargo xtask test`, which does";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            return None;
        }
        let profile = tempfile::Builder::new()
            .prefix("chromium-")
            .tempdir()
            .unwrap();
        // It reads commands from descriptor 3 and writes to 4; a shell puts our pipes there.
        let mut process = Command::new("sh")
            .args([
                "-c",
                "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null",
                "sh",
            ])
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                // Nothing but this machine: names are not asked for.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            ])
            // A container has no user namespaces to put it into.
            .arg("--no-sandbox")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Some(Self {
            process,
            input,
            output,
            next: 1,
            events: Vec::new(),
            _profile: profile,
        })
    }

    fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        let said = self.ask(session, method, params);
        assert!(said.get("error").is_none(), "{method}: {said}");
        said["result"].clone()
    }

    fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        self.input
            .write_all(message.to_string().as_bytes())
            .unwrap();
        self.input.write_all(b"\0").unwrap();
        self.input.flush().unwrap();
        loop {
            let mut bytes = Vec::new();
            let read = self.output.read_until(0, &mut bytes).unwrap();
            assert!(read > 0, "the browser is gone at {method}");
            bytes.pop();
            let said: Value = serde_json::from_slice(&bytes).unwrap();
            if said["id"] == id {
                return said;
            }
            // It holds the page up until somebody has seen it.
            if said["method"] == "Page.javascriptDialogOpening" {
                let seen = json!({
                    "id": 0, "method": "Page.handleJavaScriptDialog",
                    "params": { "accept": false }, "sessionId": said["sessionId"],
                });
                self.input.write_all(seen.to_string().as_bytes()).unwrap();
                self.input.write_all(b"\0").unwrap();
                self.input.flush().unwrap();
            }
            self.events.push(said);
        }
    }

    /// A tab in a session that shares nothing with the others.
    pub(crate) fn fresh(&mut self) -> Tab {
        let context = self.call(None, "Target.createBrowserContext", json!({}));
        let context = context["browserContextId"].as_str().unwrap().to_owned();
        self.tab(&context)
    }

    /// A second tab of the same session.
    pub(crate) fn beside(&mut self, tab: &Tab) -> Tab {
        let context = tab.context.clone();
        self.tab(&context)
    }

    fn tab(&mut self, context: &str) -> Tab {
        let target = self.call(
            None,
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context }),
        );
        let attached = self.call(
            None,
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        );
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        self.call(Some(&session), "Page.enable", json!({}));
        self.call(Some(&session), "Runtime.enable", json!({}));
        self.call(Some(&session), "Log.enable", json!({}));
        Tab {
            session,
            context: context.to_owned(),
        }
    }

    /// As the page is seen by whoever has switched scripts off: all pages of the server are.
    pub(crate) fn without_scripts(&mut self, tab: &Tab) {
        let off = json!({ "value": true });
        self.call(
            Some(&tab.session),
            "Emulation.setScriptExecutionDisabled",
            off,
        );
    }

    /// Takes certificates that nobody vouches for.
    pub(crate) fn trusting(&mut self, tab: &Tab) {
        let all = json!({ "ignore": true });
        self.call(
            Some(&tab.session),
            "Security.setIgnoreCertificateErrors",
            all,
        );
    }

    pub(crate) fn go(&mut self, tab: &Tab, url: &str) {
        self.call(Some(&tab.session), "Page.navigate", json!({ "url": url }));
    }

    /// Shows this text as a page of this origin-less kind, as an attacker's page would be.
    pub(crate) fn value(&mut self, tab: &Tab, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let said = self.ask(Some(&tab.session), "Runtime.evaluate", asked);
        if let Some(error) = said.get("error") {
            // A page that goes while it is asked has nothing to say yet.
            let gone = error["message"] == "Inspected target navigated or closed";
            assert!(gone, "{expression}: {error}");
        }
        said["result"]["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, tab: &Tab) -> String {
        // With its style sheet: before, what is clicked moves away under the mouse.
        let text = self.value(
            tab,
            "document.readyState == 'complete' ? document.body.innerText : ''",
        );
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    #[track_caller]
    pub(crate) fn until(&mut self, tab: &Tab, words: &str) {
        let begun = Instant::now();
        loop {
            let text = self.text(tab);
            if text.contains(words) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "`{words}` is not there, but: {text}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks with the mouse in the middle of what is found, so that what lies over it counts.
    #[track_caller]
    pub(crate) fn click(&mut self, tab: &Tab, selector: &str, times: u32) {
        let find = format!(
            "(() => {{ const it = document.querySelector({selector:?}); if (!it) return null; \
             it.scrollIntoView({{block: 'center'}}); const box = it.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let at = self.value(tab, &find);
        assert!(at.is_array(), "`{selector}` is not there");
        for count in 1..=times {
            for kind in ["mousePressed", "mouseReleased"] {
                let event = json!({
                    "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": count,
                });
                self.call(Some(&tab.session), "Input.dispatchMouseEvent", event);
            }
        }
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, tab: &Tab, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": key,
                "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code,
            });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call(Some(&tab.session), "Input.dispatchKeyEvent", event);
        }
    }

    pub(crate) fn back(&mut self, tab: &Tab) {
        let history = self.call(Some(&tab.session), "Page.getNavigationHistory", json!({}));
        let at = history["currentIndex"].as_u64().unwrap() as usize;
        let entry = &history["entries"][at - 1]["id"];
        self.call(
            Some(&tab.session),
            "Page.navigateToHistoryEntry",
            json!({ "entryId": entry }),
        );
    }

    pub(crate) fn cookies(&mut self, tab: &Tab) -> Vec<Value> {
        let asked = json!({ "browserContextId": tab.context });
        let cookies = self.call(None, "Storage.getCookies", asked);
        cookies["cookies"].as_array().unwrap().clone()
    }

    /// What the console was told, and dialogs that were opened.
    pub(crate) fn ran_a_script(&mut self, tab: &Tab) -> bool {
        self.value(tab, "1");
        let mine = |event: &&Value| event["sessionId"] == json!(tab.session);
        self.events.iter().filter(mine).any(|event| {
            event["method"] == "Page.javascriptDialogOpening"
                || event["method"] == "Runtime.consoleAPICalled"
        })
    }

    /// How the page looks, in light or dark, at this width.
    pub(crate) fn picture(&mut self, tab: &Tab, scheme: &str, width: u32, to: &Path) {
        let session = Some(tab.session.as_str());
        self.call(
            session,
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        self.call(
            session,
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 }),
        );
        let shot = self.call(
            session,
            "Page.captureScreenshot",
            json!({ "format": "png", "captureBeyondViewport": true }),
        );
        let png = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(to, png).unwrap();
    }

    pub(crate) fn width_of_content(&mut self, tab: &Tab) -> (u64, u64) {
        let widths = self.value(
            tab,
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
        );
        (widths[0].as_u64().unwrap(), widths[1].as_u64().unwrap())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where pictures are left to be looked at.
pub(crate) fn artefacts() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("approval-pages");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
