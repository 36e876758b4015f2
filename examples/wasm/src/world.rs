//! One server: the loop of every driver, with the page's clock and the page's lines.

use std::collections::BTreeMap;
use std::time::Duration;

use bayeux_core::http::{BrowserCookie, CookieOptions, Options, Origins};
use bayeux_core::{
    Config, Engine, Input, Instant, MemoryOptions, MemoryStore, NodeId, Output, Seed,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::journal::{Entry, meant_for, milliseconds, told_of};
use crate::line::Line;
use crate::net::{Fact, Net};

/// A server at `/bayeux` with the default configuration, and the lines to it.
///
/// Whatever is done to it is done at once and to its end: when a method returns, the engine has nothing more to do
/// before time passes or bytes come.
///
/// ```
/// use bayeux_example_wasm::World;
///
/// let mut world = World::new(7, None)?;
/// let line = world.open();
/// world.send(line, b"GET /elsewhere HTTP/1.1\r\nHost: page\r\n\r\n");
/// assert!(world.take(line).starts_with(b"HTTP/1.1 404"));
/// # Ok::<(), String>(())
/// ```
#[wasm_bindgen]
pub struct World {
    engine: Engine,
    store: MemoryStore,
    node: NodeId,
    now: Instant,
    net: Net,
    lines: BTreeMap<u32, Line>,
    opened: u32,
    journal: Vec<Entry>,
}

#[wasm_bindgen]
impl World {
    /// A server that nobody has talked to. Its secrets come from `seed`: the same seed and the same bytes give the
    /// same answers. Pages of `origin` may use it too.
    ///
    /// # Errors
    ///
    /// If `origin` is none.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: u32, origin: Option<String>) -> Result<Self, String> {
        let mut options = Options::default();
        if let Some(origin) = origin {
            let origin = origin
                .parse()
                .map_err(|error| format!("{origin}: {error}"))?;
            options.origins = Origins::Listed([origin].into());
        }
        let cookie = BrowserCookie::new(&CookieOptions::default());
        let cookie = cookie.map_err(|error| error.to_string())?;
        let config = Config::default();
        let mut store = MemoryStore::new(MemoryOptions::for_config(&config));
        let node = store.attach();
        let mut secret = [0; 32];
        for (byte, from) in secret.iter_mut().zip(seed.to_be_bytes()) {
            *byte = from;
        }
        let mut world = Self {
            engine: Engine::new(config, Seed::new(secret)),
            store,
            node,
            now: Instant::EPOCH,
            net: Net::new(options, cookie),
            lines: BTreeMap::new(),
            opened: 0,
            journal: Vec::new(),
        };
        world.settle();
        Ok(world)
    }

    /// A new line, by its number.
    pub fn open(&mut self) -> u32 {
        self.opened += 1;
        self.lines.insert(self.opened, Line::new(self.opened));
        self.opened
    }

    /// A client sends bytes. On a line that is not there they are lost.
    pub fn send(&mut self, line: u32, bytes: &[u8]) {
        if let Some(line) = self.lines.get_mut(&line) {
            line.send(bytes, &mut self.net);
        }
        self.settle();
    }

    /// A client takes what the server has written, which the engine learns by that.
    pub fn take(&mut self, line: u32) -> Vec<u8> {
        let line = self.lines.get_mut(&line);
        let taken = line.map(|line| line.take(&mut self.net));
        self.settle();
        taken.unwrap_or_default()
    }

    /// How many bytes there are to take.
    #[must_use]
    pub fn waiting(&self, line: u32) -> usize {
        self.lines.get(&line).map_or(0, Line::waiting)
    }

    /// Whether the server has ended the line, or it is not there.
    #[must_use]
    pub fn has_ended(&self, line: u32) -> bool {
        self.lines.get(&line).is_none_or(Line::has_ended)
    }

    /// A client goes away, and what was not taken is lost.
    pub fn hang_up(&mut self, line: u32) {
        if let Some(mut line) = self.lines.remove(&line) {
            line.hang_up(&mut self.net);
        }
        self.settle();
    }

    /// Lets time pass: whatever falls due on the way is done at its time.
    pub fn advance(&mut self, milliseconds: f64) {
        let passing = Duration::try_from_secs_f64(milliseconds / 1_000.0).unwrap_or_default();
        let end = self.now + passing;
        while self.engine.poll_timeout().is_some_and(|due| due <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until something falls due, if anything ever does.
    pub fn step(&mut self) {
        let Some(due) = self.engine.poll_timeout() else {
            return;
        };
        self.now = self.now.max(due);
        self.net.say(Input::Elapsed);
        self.settle();
    }

    /// The time, in milliseconds since the beginning.
    #[must_use]
    pub fn now(&self) -> f64 {
        milliseconds(self.now)
    }

    /// When something falls due, if nothing else happens before.
    #[must_use]
    pub fn due(&self) -> Option<f64> {
        self.engine.poll_timeout().map(milliseconds)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.engine.load().sessions
    }

    /// What has happened since this was last asked: facts and orders, in order, as an array in JSON.
    pub fn journal(&mut self) -> String {
        let entries = std::mem::take(&mut self.journal);
        serde_json::to_string(&entries).unwrap_or_default()
    }
}

impl World {
    /// Tells the engine all facts, and carries out its orders, until there are none.
    fn settle(&mut self) {
        loop {
            while let Some(fact) = self.store.poll(self.node, self.now) {
                self.net.say(fact);
            }
            let Some(fact) = self.net.facts.pop_front() else {
                return;
            };
            self.handle(fact);
            while let Some(order) = self.engine.poll_output() {
                self.carry_out(order);
            }
        }
    }

    fn handle(&mut self, fact: Fact) {
        let Fact { input, texts } = fact;
        let line = told_of(&input).and_then(|it| self.net.line_of(it));
        let entry = Entry::fact(self.now, &input, &texts, line);
        self.journal.push(entry);
        self.net.forget(&input);
        self.engine.handle(self.now, input);
    }

    fn carry_out(&mut self, order: Output) {
        let number = meant_for(&order).and_then(|it| self.net.line_of(it));
        self.journal.push(Entry::order(self.now, &order, number));
        let line = number.and_then(|number| self.lines.get_mut(&number));
        match (order, line) {
            (Output::Receive { .. }, Some(line)) => line.receive(&mut self.net),
            (Output::Send { batch, .. }, Some(line)) => line.deliver(&batch, &self.net),
            (Output::Close { reason, .. }, Some(line)) => line.close(reason, &mut self.net),
            (Output::Store { ticket, request }, _) => {
                self.store.submit(self.node, self.now, ticket, request);
            }
            // A connection that has gone: the fact that says so is on its way. There is no application to be asked.
            (_, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::World;

    #[test]
    fn a_held_connect_is_answered_at_its_deadline_and_not_before() {
        let (mut world, alice) = connected();
        let line = ask(&mut world, &connect(&alice));
        assert_eq!(world.due(), Some(30_000.0));

        world.advance(29_999.0);
        assert_eq!(world.waiting(line), 0);

        world.step();
        assert_eq!(world.now(), 30_000.0);
        assert!(answer(&mut world, line).contains("/meta/connect"));
    }

    #[test]
    fn what_nobody_took_is_not_written_and_comes_again() {
        let (mut world, alice) = connected();
        let subscribe =
            json!({"channel": "/meta/subscribe", "clientId": alice, "subscription": "/a"});
        let line = ask(&mut world, &subscribe);
        answer(&mut world, line);
        let held = ask(&mut world, &connect(&alice));
        let publish = json!({"channel": "/a", "clientId": alice, "data": "once"});
        world.hang_up(line);
        world.journal();

        let publishing = ask(&mut world, &publish);
        world.hang_up(publishing);
        world.hang_up(held);

        let told = names(&mut world);
        assert!(told.contains(&"Closed".to_owned()) && !told.contains(&"Written".to_owned()));
        let back = ask(&mut world, &connect(&alice));
        assert!(answer(&mut world, back).contains("once"));
    }

    #[test]
    fn a_request_may_come_byte_by_byte_and_two_at_once() {
        let mut world = world();
        let line = world.open();
        let request = b"OPTIONS /bayeux HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n";

        for byte in request {
            assert_eq!(world.waiting(line), 0);
            world.send(line, &[*byte]);
        }
        let one = world.take(line);
        world.send(line, &[&request[..], &request[..]].concat());

        assert!(!one.is_empty() && !world.has_ended(line));
        assert_eq!(world.take(line), [&one[..], &one[..]].concat());
    }

    fn world() -> World {
        World::new(7, None).expect("no origin is no error")
    }

    /// A session whose first connect was answered.
    fn connected() -> (World, Value) {
        let mut world = world();
        let line = ask(&mut world, &json!({"channel": "/meta/handshake"}));
        let response = answer(&mut world, line);
        let (_, body) = response.split_once("\r\n\r\n").expect("a response");
        let replies: Value = serde_json::from_str(body).expect("replies");
        let alice = replies.pointer("/0/clientId").cloned().expect("a session");
        let line = ask(&mut world, &connect(&alice));
        answer(&mut world, line);
        (world, alice)
    }

    fn connect(session: &Value) -> Value {
        json!({"channel": "/meta/connect", "clientId": session, "connectionType": "long-polling"})
    }

    /// On a line of its own.
    fn ask(world: &mut World, message: &Value) -> u32 {
        let body = json!([message]).to_string();
        let length = body.len();
        let request =
            format!("POST /bayeux HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let line = world.open();
        world.send(line, request.as_bytes());
        line
    }

    fn answer(world: &mut World, line: u32) -> String {
        String::from_utf8(world.take(line)).expect("text")
    }

    fn names(world: &mut World) -> Vec<String> {
        let journal: Vec<Value> = serde_json::from_str(&world.journal()).expect("a journal");
        let name = |entry: &Value| Some(entry.get("name")?.as_str()?.to_owned());
        journal.iter().filter_map(name).collect()
    }
}
