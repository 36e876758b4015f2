//! Time, and what happens when: one thread, one order of events, one seed.

use std::collections::BTreeMap;
use std::time::Duration;

use bayeux_core::{Fence, Instant, SessionId, StoreRequest, StoreTicket};

use super::browser::{Jar, jars};
use super::client::{Alarm, Client};
use super::dice::Dice;
use super::judge::{Bias, Judge, Verdict};
use super::link::{Frame, Link, Standing};
use super::node::Node;
use super::plan::{CALM, FORGOTTEN, Fault, PROBED, Plan};
use super::store::Store;
use super::story::Story;

/// Everything there is.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) now: Instant,
    pub(super) story: Story,
    pub(super) judge: Judge,
    pub(super) store: Store,
    pub(super) nodes: Vec<Node>,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) clients: Vec<Client>,
    pub(super) jars: Vec<Jar>,
    /// By client.
    pub(super) jar_numbers: Vec<usize>,
    /// Nothing breaks any more.
    pub(super) is_peaceful: bool,
    /// Since then.
    pub(super) peace: Option<Instant>,
    /// Clients do nothing of their own accord any more.
    pub(super) is_over: bool,
    pub(super) failure: Option<String>,
    pub(super) facts: u64,
    queue: BTreeMap<(Instant, u64), Happening>,
    happened: u64,
    last_link: u64,
    last_life: u64,
    last_number: u64,
    probes: Vec<u64>,
}

/// Something that will happen.
pub(super) enum Happening {
    /// A frame comes to a node.
    Arrives {
        link: u64,
        frame: Frame,
    },
    /// What a node sends is on the wire.
    Wire {
        link: u64,
    },
    /// A frame comes to a client.
    Comes {
        link: u64,
        frame: Frame,
        session: Option<SessionId>,
        standing: Standing,
    },
    /// A client sees that a connection is gone.
    ClientSees {
        link: u64,
        why: &'static str,
    },
    /// A node sees that a connection is gone.
    NodeSees {
        link: u64,
    },
    /// A node has ended a connection, and the driver has done so.
    Closed {
        link: u64,
    },
    /// A connection breaks.
    Breaks {
        link: u64,
    },
    /// A request comes to the store.
    Asked {
        life: u64,
        cuts: u64,
        ticket: StoreTicket,
        request: Box<StoreRequest>,
    },
    /// A node is told something by the store.
    Told {
        life: u64,
        input: Box<bayeux_core::Input>,
    },
    /// A claim has waited long enough for the former owner.
    Parted {
        session: SessionId,
        fence: Fence,
    },
    /// The store counts a life of a node as over.
    Detached {
        life: u64,
    },
    /// Something is due at a client.
    Alarm {
        client: usize,
        life: u64,
        alarm: Alarm,
    },
    Fault(Fault),
    /// A fault is mended.
    Mended(Mend),
    /// The store looks at the time.
    Tick,
    Stage(Stage),
}

/// The end of a fault.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mend {
    Start(usize),
    Resume(usize, u64),
    Store(u64),
    Everywhere,
}

/// What a run comes to in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Nothing breaks any more.
    Peace,
    /// Everybody has to be there again.
    Probe(u8),
    /// Everybody has to have everything, and leaves.
    Farewell,
    /// Nothing is left.
    End,
}

impl World {
    pub(super) fn new(seed: u64, story: Story, bias: Bias) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(&mut dice);
        let store = Store::new(plan.memory.clone());
        let judge = Judge::new(plan.bounds(), plan.gentle, bias);
        let mut world = Self {
            plan,
            dice,
            now: Instant::EPOCH,
            story,
            judge,
            store,
            nodes: Vec::new(),
            links: BTreeMap::new(),
            clients: Vec::new(),
            jars: Vec::new(),
            jar_numbers: Vec::new(),
            is_peaceful: false,
            peace: None,
            is_over: false,
            failure: None,
            facts: 0,
            queue: BTreeMap::new(),
            happened: 0,
            last_link: 0,
            last_life: 0,
            last_number: 0,
            probes: Vec::new(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for number in 0..self.plan.nodes {
            self.nodes.push(Node::dead(number));
            self.start_node(number);
        }
        for number in 0..self.plan.clients {
            let client = Client::new(&mut self.dice);
            self.clients.push(client);
            let after = self.dice.millis(10..4_000);
            self.alarm(number, after, Alarm::Handshake);
            self.alarm(number, after, Alarm::Whim);
        }
        if self.plan.browsers > 0 {
            let (browsers, clients) = (self.plan.browsers, self.plan.clients);
            (self.jars, self.jar_numbers) = jars(&mut self.dice, browsers, clients);
        }
        let faults = core::mem::take(&mut self.plan.faults);
        for (after, fault) in faults {
            self.after(after, Happening::Fault(fault));
        }
        let peace = self.plan.trouble;
        let probed = peace + CALM + PROBED;
        for (after, stage) in [
            (peace, Stage::Peace),
            (peace + CALM, Stage::Probe(0)),
            (peace + CALM + Duration::from_secs(3), Stage::Probe(1)),
            (probed, Stage::Farewell),
            (probed + FORGOTTEN, Stage::End),
        ] {
            self.after(after, Happening::Stage(stage));
        }
        self.after(Duration::from_millis(500), Happening::Tick);
    }

    /// Lives through everything, until the end or until a promise is broken.
    pub(super) fn run(&mut self) {
        while self.failure.is_none() {
            let happens = self.queue.first_key_value().map(|((at, _), _)| *at);
            let due = self.next_due();
            match (happens, due) {
                (Some(at), Some((due, node))) if due < at => {
                    self.now = self.now.max(due);
                    self.elapsed(node);
                }
                (Some(at), _) => {
                    self.now = self.now.max(at);
                    let Some((_, happening)) = self.queue.pop_first() else {
                        return;
                    };
                    if matches!(happening, Happening::Stage(Stage::End)) {
                        self.end();
                        return;
                    }
                    self.happen(happening);
                }
                (None, _) => return,
            }
        }
    }

    /// The node whose time comes first.
    fn next_due(&self) -> Option<(Instant, usize)> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter_map(|(number, node)| Some((node.due()?, number)))
            .min()
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives { link, frame } => self.arrives(link, frame),
            Happening::Wire { link } => self.wire(link),
            Happening::Comes {
                link,
                frame,
                session,
                standing,
            } => self.comes(link, &frame, session, standing),
            Happening::ClientSees { link, why } => self.client_sees(link, why),
            Happening::NodeSees { link } => self.node_sees(link),
            Happening::Closed { link } => self.closed(link),
            Happening::Breaks { link } => self.breaks(link),
            Happening::Asked {
                life,
                cuts,
                ticket,
                request,
            } => self.asked(life, cuts, ticket, *request),
            Happening::Told { life, input } => self.told(life, *input),
            Happening::Detached { life } => self.detach(life),
            Happening::Alarm {
                client,
                life,
                alarm,
            } => self.rings(client, life, alarm),
            Happening::Fault(fault) => self.fault(fault),
            Happening::Mended(mend) => self.mended(mend),
            Happening::Tick => {
                self.hear_store();
                let verdict = self.holds_are_few();
                self.hold(verdict);
                self.after(Duration::from_millis(500), Happening::Tick);
            }
            Happening::Parted { session, fence } => self.has_parted(session, fence),
            Happening::Stage(stage) => self.stage(stage),
        }
    }

    // Time.

    pub(super) fn at(&mut self, at: Instant, happening: Happening) {
        self.happened += 1;
        self.queue
            .insert((at.max(self.now), self.happened), happening);
    }

    pub(super) fn after(&mut self, after: Duration, happening: Happening) {
        self.at(self.now + after, happening);
    }

    pub(super) const fn new_link(&mut self) -> u64 {
        self.last_link += 1;
        self.last_link
    }

    pub(super) const fn new_life(&mut self) -> u64 {
        self.last_life += 1;
        self.last_life
    }

    /// The number of the next thing to be published.
    pub(super) const fn new_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// What is not as promised ends the run.
    pub(super) fn hold(&mut self, verdict: Verdict) {
        if let Err(why) = verdict {
            self.fail(why);
        }
    }

    pub(super) fn fail(&mut self, why: String) {
        self.story.tell(self.now, || format!("BROKEN   {why}"));
        self.failure.get_or_insert(why);
    }

    // Faults.

    fn fault(&mut self, fault: Fault) {
        if self.is_peaceful {
            return;
        }
        self.story.tell(self.now, || format!("FAULT    {fault:?}"));
        match fault {
            Fault::Crash(node) => self.crash(node),
            Fault::Stop(node) => self.stop(node),
            Fault::Pause(node, time) => self.pause(node, time),
            Fault::Cut(node, time) => {
                let life = self.life_of(node);
                self.cut_store(life, false);
                self.after(time, Happening::Mended(Mend::Store(life)));
            }
            Fault::Outage(time) => self.outage(time, false),
            Fault::Reset(time, lost) => {
                self.outage(time, true);
                self.lose_store(lost, false);
            }
            Fault::Failover(time, lost) => {
                for life in self.lives() {
                    self.cut_store(life, true);
                    let own = self.dice.millis(0..3_000);
                    self.after(time + own, Happening::Mended(Mend::Store(life)));
                }
                self.lose_store(lost, true);
            }
            Fault::Clock(node, wall) => self.set_clock(node, wall),
        }
    }

    fn outage(&mut self, time: Duration, straggles: bool) {
        for life in self.lives() {
            self.cut_store(life, straggles);
        }
        self.after(time, Happening::Mended(Mend::Everywhere));
    }

    fn mended(&mut self, mend: Mend) {
        self.story.tell(self.now, || format!("MENDED   {mend:?}"));
        match mend {
            Mend::Start(node) => self.start_node(node),
            Mend::Resume(node, life) => self.resume(node, life),
            Mend::Store(life) => self.mend_store(life),
            Mend::Everywhere => {
                for life in self.lives() {
                    self.mend_store(life);
                }
            }
        }
    }

    fn life_of(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.life)
    }

    fn lives(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.life).collect()
    }

    // The end.

    fn stage(&mut self, stage: Stage) {
        self.story.tell(self.now, || format!("STAGE    {stage:?}"));
        match stage {
            Stage::Peace => self.make_peace(),
            Stage::Probe(_) => self.probe(),
            Stage::Farewell => self.farewell(),
            Stage::End => self.end(),
        }
    }

    fn make_peace(&mut self) {
        self.is_peaceful = true;
        self.peace = Some(self.now);
        self.make_room();
        for number in 0..self.nodes.len() {
            let life = self.life_of(number);
            self.resume(number, life);
            self.mend_store(life);
            self.start_node(number);
        }
        self.end_half_open_links();
    }

    /// Within twice the timeout everybody is there, and gets what is published.
    fn probe(&mut self) {
        for number in 0..self.clients.len() {
            let client = self.clients.get(number);
            let absent = client.and_then(|client| client.absence(self.now));
            if let Some(absent) = absent {
                self.fail(format!("client {number} is not back: {absent}"));
                return;
            }
        }
        let node = self.dice.below(self.nodes.len());
        let number = self.new_number();
        self.probes.push(number);
        self.publish_on(node, "/all/probe", number);
    }

    fn farewell(&mut self) {
        self.is_over = true;
        for number in 0..self.clients.len() {
            let Some(client) = self.clients.get(number) else {
                return;
            };
            let Some(session) = client.session_id() else {
                self.fail(format!("client {number} has no session"));
                return;
            };
            let acknowledges = client.acknowledges;
            let had = self
                .probes
                .iter()
                .filter(|probe| self.judge.has(session, **probe));
            let had = had.count();
            // Without acknowledgement, what comes between two connects may be lost to a move: where they take
            // seconds, or where browsers are full, so that they are not held.
            let is_held = self.plan.browsers == 0 && self.plan.slow == 0;
            let stays = self.plan.calm || self.plan.nodes == 1 || is_held;
            let is_owed = acknowledges || stays;
            if is_owed && (had == 0 || (acknowledges && had < self.probes.len())) {
                self.fail(format!(
                    "client {number} does not get what is published now"
                ));
                return;
            }
            if is_owed && (acknowledges || self.plan.gentle) {
                let verdict = self.judge.all_came(session);
                self.hold(verdict);
            }
            let verdict = self.is_recorded(number);
            self.hold(verdict);
            self.leave(number);
        }
    }

    /// Whether the store has of a session what its client has of it.
    fn is_recorded(&self, number: usize) -> Verdict {
        let Some(client) = self.clients.get(number) else {
            return Ok(());
        };
        let session = client.session_id().and_then(SessionId::parse);
        let Some(recorded) = session.and_then(|session| self.store.patterns_of(session)) else {
            return Err(format!(
                "the store does not have the session of client {number}"
            ));
        };
        let (sure, possible) = client.subscriptions();
        if let Some(missing) = sure.iter().find(|pattern| !recorded.contains(pattern)) {
            return Err(format!(
                "the store has forgotten that client {number} wants {missing}"
            ));
        }
        match recorded.iter().find(|pattern| !possible.contains(pattern)) {
            Some(pattern) => Err(format!(
                "client {number} is subscribed to {pattern} in the store alone"
            )),
            None => Ok(()),
        }
    }

    /// Nothing is left of anybody.
    fn end(&mut self) {
        for number in 0..self.nodes.len() {
            let verdict = self.is_empty(number);
            self.hold(verdict);
        }
        let left = self.store.left();
        if left > 0 {
            self.fail(format!("the store keeps {left} sessions that nobody has"));
        }
    }
}
