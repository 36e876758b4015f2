//! Headless Chromium, driven through its own debugging socket: real keys, real clicks, no driver in between.
//!
//! One browser serves all tests of a process. Each page is in a context of its own, as in a private window: it shares
//! neither cookies nor connections with another.

mod pages;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

use super::{Process, WebSocket};
pub use pages::Pages;

/// Ends with its standard input, which is the end of the test process, and leaves nothing behind.
const BROWSER: &str = r#"
profile=$(mktemp -d) || exit 1
TMPDIR=$profile "$0" "$@" --user-data-dir="$profile" about:blank &
read -r _
kill $!
wait $!
rm -rf "$profile"
"#;

/// A running browser.
#[derive(Debug)]
struct Browser {
    address: SocketAddr,
    path: String,
    /// To hold its standard input.
    _process: Mutex<Process>,
}

/// A page open in the browser; dropping it closes it and forgets what belongs to it.
#[derive(Debug)]
pub struct Page {
    socket: WebSocket,
    session: String,
    number: u64,
    loaded: bool,
    /// What scripts said to `tell` and nobody has asked for yet.
    told: VecDeque<String>,
}

impl Browser {
    /// `CHROMIUM` names the program, otherwise it is `chromium`.
    fn running() -> &'static Self {
        static BROWSER: OnceLock<Browser> = OnceLock::new();
        BROWSER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let program = std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
        let mut command = Command::new("sh");
        command
            .args(["-c", BROWSER])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            // All pages are in use at once, though one alone can be in front.
            .args(["--disable-background-timer-throttling"])
            .args(["--disable-renderer-backgrounding"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"]);
        let mut process = Process::start("Chromium", &mut command);
        let (address, path) = process.wait_for("open its debugging socket", |line| {
            let rest = line.strip_prefix("DevTools listening on ws://")?;
            let (address, path) = rest.split_once('/')?;
            Some((address.parse().ok()?, format!("/{path}")))
        });
        Self {
            address,
            path,
            _process: Mutex::new(process),
        }
    }
}

impl Page {
    /// Opens that URL.
    pub fn open(url: &str) -> Self {
        let mut page = Self::blank();
        page.load(url);
        page
    }

    /// Opens that URL below `/clients/`: the files there come from [`Pages`] at whatever origin, and scripts find a
    /// function `tell`, whose argument [`Page::told`] gives.
    pub fn open_client(url: &str) -> Self {
        let mut page = Self::blank();
        page.call("Runtime.addBinding", json!({"name": "tell"}));
        let pattern = format!("*{}*", Pages::PATH);
        page.call(
            "Fetch.enable",
            json!({"patterns": [{"urlPattern": pattern}]}),
        );
        page.load(url);
        page
    }

    fn blank() -> Self {
        let browser = Browser::running();
        let mut page = Self {
            socket: WebSocket::open(browser.address, &browser.path, &[]),
            session: String::new(),
            number: 0,
            loaded: false,
            told: VecDeque::new(),
        };
        let context = page.call(
            "Target.createBrowserContext",
            json!({"disposeOnDetach": true}),
        );
        let target = json!({"url": "about:blank", "browserContextId": context["browserContextId"]});
        let target = page.call("Target.createTarget", target);
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = page.call("Target.attachToTarget", target);
        session["sessionId"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut page.session);
        page.call("Page.enable", json!({}));
        page.call("Runtime.enable", json!({}));
        page
    }

    fn load(&mut self, url: &str) {
        self.loaded = false;
        self.call("Page.navigate", json!({"url": url}));
        while !self.loaded {
            self.message();
        }
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
        assert!(
            answer.get("exceptionDetails").is_none(),
            "no value for {expression}: {answer}"
        );
        answer["result"]["value"].take()
    }

    /// Waits for what a script says to `tell`.
    pub fn told(&mut self) -> String {
        loop {
            if let Some(told) = self.told.pop_front() {
                return told;
            }
            self.message();
        }
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
        let number = self.order(method, parameters);
        loop {
            let mut message = self.message();
            if message["id"] != number {
                continue;
            }
            let error = message.get("error");
            assert_eq!(error, None, "Chromium refuses {method}");
            return message["result"].take();
        }
    }

    /// Sends an order without waiting for its answer.
    fn order(&mut self, method: &str, parameters: Value) -> u64 {
        self.number += 1;
        let mut request = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            request["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(&request);
        self.number
    }

    fn message(&mut self) -> Value {
        let message: Value = match self.socket.frame() {
            Some(frame) if frame.last => {
                serde_json::from_slice(&frame.payload).expect("a message in JSON")
            }
            other => panic!("Chromium sent no message: {other:?}"),
        };
        let parameters = &message["params"];
        match message["method"].as_str() {
            Some("Page.loadEventFired") => self.loaded = true,
            Some("Fetch.requestPaused") => self.fetch(parameters),
            Some("Runtime.bindingCalled") => {
                let told = parameters["payload"].as_str().unwrap_or_default();
                eprintln!("a page tells {told}");
                self.told.push_back(told.to_owned());
            }
            Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled") => {
                eprintln!("a page logs {parameters}");
            }
            _ => {}
        }
        message
    }

    /// Lets a request below `/clients/` reach [`Pages`], unseen by the page.
    fn fetch(&mut self, paused: &Value) {
        let url = paused["request"]["url"].as_str().unwrap_or_default();
        let Some((_, file)) = url.split_once(Pages::PATH) else {
            panic!("a request that should not pause: {paused}");
        };
        let from = Pages::served().other_origin() + Pages::PATH + file;
        let request = json!({"requestId": paused["requestId"], "url": from});
        self.order("Fetch.continueRequest", request);
    }
}
