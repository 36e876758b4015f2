//! Headless Chromium, driven through its own debugging socket: real keys, real clicks, no driver in between.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::{Process, WebSocket};

/// A page open in a browser of its own; dropping it ends the browser and removes its profile.
#[derive(Debug)]
pub struct Page {
    browser: Process,
    socket: WebSocket,
    session: String,
    number: u64,
    loaded: bool,
    /// Dropped last, when nobody writes to it any more.
    _profile: Profile,
}

/// A folder of the browser's own.
#[derive(Debug)]
struct Profile(PathBuf);

impl Page {
    /// Starts Chromium and opens that URL.
    ///
    /// `CHROMIUM` names the program, otherwise it is `chromium`.
    pub fn open(url: &str) -> Self {
        let program = std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
        let profile = Profile::new();
        let mut command = Command::new(program);
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.0.display()))
            .arg("about:blank");
        let mut browser = Process::start("Chromium", &mut command);
        let (address, path) = browser.wait_for("open its debugging socket", |line| {
            let rest = line.strip_prefix("DevTools listening on ws://")?;
            let (address, path) = rest.split_once('/')?;
            Some((address.parse().ok()?, format!("/{path}")))
        });
        let mut page = Self {
            browser,
            socket: WebSocket::open(address, &path, &[]),
            session: String::new(),
            number: 0,
            loaded: false,
            _profile: profile,
        };
        let target = page.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = page.call("Target.attachToTarget", target);
        session["sessionId"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut page.session);
        page.call("Page.enable", json!({}));
        page.loaded = false;
        page.call("Page.navigate", json!({"url": url}));
        while !page.loaded {
            page.message();
        }
        page
    }

    /// Waits until this JavaScript expression is true in the page.
    pub fn wait_for(&mut self, condition: &str) {
        let watched = format!(
            "new Promise((done) => {{
               const look = () => {{ if ({condition}) done(true); else requestAnimationFrame(look); }};
               look();
             }})"
        );
        let seen = self.evaluate(&watched);
        assert_eq!(seen, true, "{condition}");
    }

    /// The value of a JavaScript expression.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true
        });
        let mut answer = self.call("Runtime.evaluate", parameters);
        if answer.get("exceptionDetails").is_some() {
            self.browser
                .fail(&format!("has no value for {expression}: {answer}"));
        }
        answer["result"]["value"].take()
    }

    /// Replaces what stands in an input field, as a person who marks it all and types.
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.click(selector);
        self.evaluate(&format!("document.querySelector({selector:?}).select()"));
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Clicks into the middle of an element.
    pub fn click(&mut self, selector: &str) {
        let middle = self.evaluate(&format!(
            "(() => {{
               const element = document.querySelector({selector:?});
               element.scrollIntoView();
               const box = element.getBoundingClientRect();
               return [box.x + box.width / 2, box.y + box.height / 2];
             }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1
            });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut request = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            request["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(&request);
        loop {
            let mut message = self.message();
            if message["id"] != self.number {
                continue;
            }
            if let Some(error) = message.get("error") {
                self.browser.fail(&format!("refuses {method}: {error}"));
            }
            return message["result"].take();
        }
    }

    fn message(&mut self) -> Value {
        match self.socket.frame() {
            Some(frame) if frame.last => {
                let message: Value =
                    serde_json::from_slice(&frame.payload).expect("a message in JSON");
                self.loaded |= message["method"] == "Page.loadEventFired";
                message
            }
            other => self.browser.fail(&format!("sent no message: {other:?}")),
        }
    }
}

impl Profile {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bayeux-tests-chromium-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the browser's profile");
        Self(path)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
