// Stories: what clients do, step by step, and what the server's answer shows of the protocol.
//
// A step `does` something with the clients by name, then looks for what it `shows`: the entry of the journal that a
// rule is about. One that is not there is said on the page, so that no story tells what is not so.

/** What the server sends to a client, when its messages are like this. */
const sends = (client, messages) => (entry) =>
  entry.name === "Send" && entry.client === client && messages(entry.messages);
const receives = (client, messages) => (entry) =>
  entry.name === "Received" && entry.client === client && messages(entry.messages);
const asks = (channel) => (messages) => messages.some((message) => message.channel === channel);
const replies = (channel, test = (reply) => reply.successful) => (messages) =>
  messages.some((message) => message.channel === channel && message.successful !== undefined && test(message));
const events = (channel) => (messages) =>
  messages.some((message) => message.channel === channel && message.data !== undefined);
const alone = (test) => (messages) => messages.length === 1 && test(messages);
const both = (one, other) => (messages) => one(messages) && other(messages);

const GREETS = {
  says: "Alice shakes hands. The server makes a session and names it: whoever knows this name is Alice.",
  does: ({ alice }) => alice.handshake(),
  shows: [{ what: sends("alice", replies("/meta/handshake")), rules: ["HS-3", "MO-1"] }],
};
const CONNECTS = {
  says: "Her first connect is answered at once, with advice how to go on.",
  does: ({ alice }) => alice.connect(),
  shows: [{ what: sends("alice", replies("/meta/connect", (reply) => reply.successful && reply.advice)), rules: ["CN-2", "AD-3"] }],
};
const subscribes = (pattern) => ({
  says: `She subscribes to ${pattern}.`,
  does: ({ alice }) => alice.subscribe(pattern),
  shows: [{ what: sends("alice", replies("/meta/subscribe")), rules: ["SU-9"] }],
});
const WAITS = {
  says: "She connects again. There is nothing to say, so the server keeps the request: this is the held connect.",
  does: ({ alice }) => alice.connect(),
  shows: [{ what: receives("alice", asks("/meta/connect")), rules: ["CN-4"] }],
  leaves: ({ alice }) => alice.connectId !== null,
};
const BOB = {
  says: "Bob shakes hands too, over a transport of his own.",
  does: ({ bob }) => bob.handshake(),
  shows: [{ what: sends("bob", replies("/meta/handshake")), rules: ["HS-3"] }],
};

const STORIES = [
  {
    id: "held",
    title: "A held connect",
    about: "How a server that can only answer comes to speak first.",
    clients: { alice: "long-polling", bob: "websocket" },
    steps: [
      GREETS, CONNECTS, subscribes("/news/*"), WAITS, BOB,
      {
        says: "Bob publishes. That ends the wait: the held connect is answered with the event, and last in the array stands the reply.",
        does: ({ bob }) => bob.publish("/news/today", "It rains."),
        shows: [
          { what: sends("alice", both(events("/news/today"), replies("/meta/connect"))), rules: ["CN-6", "RC-2", "PB-11"] },
          { what: sends("bob", replies("/news/today")), rules: ["PB-1", "PB-10"] },
        ],
        leaves: ({ alice }) => alice.events.length === 1,
      },
      {
        says: "Alice connects at once again, and waits for what comes next.",
        does: ({ alice }) => alice.connect(),
        shows: [{ what: receives("alice", asks("/meta/connect")), rules: ["MO-4", "CN-1"] }],
        leaves: ({ alice }) => alice.connectId !== null,
      },
    ],
  },
  {
    id: "expires",
    title: "A session expires",
    about: "What the server does about a client that stays away.",
    clients: { alice: "long-polling" },
    steps: [
      GREETS, CONNECTS, WAITS,
      {
        says: "Thirty seconds pass and nobody has said anything. The connect is answered without news, to show that both are there.",
        does: (_, clock) => clock.until(({ alice }) => alice.connectId === null),
        shows: [{ what: sends("alice", alone(replies("/meta/connect", (reply) => reply.successful && !reply.advice))), rules: ["CN-5", "CN-7"] }],
      },
      {
        says: "Alice does not come back. Ten seconds later her session is swept.",
        does: (_, clock) => clock.advance(11_000),
        shows: [{ what: (entry) => entry.name === "Report" && entry.text.includes("Removed"), rules: ["TM-3"] }],
        leaves: (_, world) => world.sessions() === 0,
      },
      {
        says: "When she connects after all, she is unknown, and told to shake hands: not an error of hers, and not the end.",
        does: ({ alice }) => alice.connect(),
        shows: [{ what: sends("alice", replies("/meta/connect", (reply) => reply.error?.startsWith("402") && reply.advice.reconnect === "handshake")), rules: ["CN-10", "AD-6"] }],
      },
    ],
  },
  {
    id: "lost",
    title: "A lost response, with ack",
    about: "The server has sent an event, the network has taken it, and nobody got it.",
    clients: { alice: "long-polling", bob: "websocket" },
    steps: [
      {
        says: "Alice shakes hands and asks for acknowledgement; the server agrees.",
        does: ({ alice }) => {
          alice.acknowledges = true;
          alice.handshake();
        },
        shows: [{ what: sends("alice", replies("/meta/handshake", (reply) => reply.ext?.ack === true)), rules: ["AK-1"] }],
      },
      {
        says: "Replies to her connects bear a number now, and she repeats the last one that she saw.",
        does: ({ alice }) => alice.connect(),
        shows: [{ what: sends("alice", replies("/meta/connect", (reply) => reply.successful && reply.ext?.ack !== undefined)), rules: ["AK-4"] }],
      },
      subscribes("/news/*"), WAITS, BOB,
      {
        says: "Bob publishes. The response leaves the server, which learns that it is written, and is lost on the way.",
        does: ({ alice, bob }) => {
          alice.losesNext = true;
          bob.publish("/news/today", "It rains.");
        },
        shows: [
          { what: sends("alice", events("/news/today")), rules: ["AK-3"] },
          { what: (entry) => entry.name === "Written" && entry.client === "alice", rules: ["MO-5"] },
        ],
        leaves: ({ alice }) => alice.events.length === 0,
      },
      {
        says: "Alice gives up on that request and connects with the old number. The event was never acknowledged, so she is answered at once, with it.",
        does: ({ alice }) => {
          alice.drop();
          alice.connect();
        },
        shows: [{ what: sends("alice", both(events("/news/today"), replies("/meta/connect"))), rules: ["AK-5", "AK-6"] }],
        leaves: ({ alice }) => alice.events.length === 1,
      },
      {
        says: "Her next connect bears the new number. The server forgets the event, and holds the connect.",
        does: ({ alice }) => alice.connect(),
        shows: [{ what: receives("alice", (messages) => messages[0]?.ext?.ack > 0), rules: ["AK-5"] }],
        leaves: ({ alice }) => alice.connectId !== null && alice.events.length === 1,
      },
    ],
  },
  {
    id: "breaks",
    title: "A connection breaks in between",
    about: "What was not written yet is not lost, even without acknowledgement.",
    clients: { alice: "long-polling", bob: "websocket" },
    steps: [
      GREETS, CONNECTS, subscribes("/news/*"), WAITS, BOB,
      {
        says: "Alice's network stalls, and Bob publishes. The server answers her connect, but the bytes get no further than its own door.",
        does: ({ alice, bob }) => {
          alice.reads = false;
          bob.publish("/news/today", "It rains.");
        },
        shows: [{ what: sends("alice", events("/news/today")), rules: ["CN-6"] }],
        leaves: ({ alice }) => alice.events.length === 0,
      },
      {
        says: "The connection breaks. The server hears Closed where it waited for Written, and puts the event back to the front of her queue.",
        does: ({ alice }) => alice.drop(),
        shows: [{ what: (entry) => entry.name === "Closed" && entry.client === "alice", rules: ["QU-9", "CN-15"] }],
      },
      {
        says: "She is back, and her next connect brings what the broken one should have.",
        does: ({ alice }) => {
          alice.reads = true;
          alice.connect();
        },
        shows: [{ what: sends("alice", both(events("/news/today"), replies("/meta/connect"))), rules: ["QU-9"] }],
        leaves: ({ alice }) => alice.events.length === 1,
      },
    ],
  },
  {
    id: "once",
    title: "Two subscriptions, one delivery",
    about: "However many patterns match, an event comes once. Alice polls by scripts here.",
    clients: { alice: "callback-polling", bob: "long-polling" },
    steps: [
      GREETS, CONNECTS, subscribes("/news/*"),
      {
        says: "She subscribes to /news/** as well, which matches all that /news/* does, and more.",
        does: ({ alice }) => alice.subscribe("/news/**"),
        shows: [{ what: sends("alice", replies("/meta/subscribe")), rules: ["SU-2"] }],
      },
      WAITS, BOB,
      {
        says: "Bob publishes to /news/today. Both patterns match; Alice gets one event, under the name of the channel.",
        does: ({ bob }) => bob.publish("/news/today", "It rains."),
        shows: [{
          what: sends("alice", (messages) => messages.filter((it) => it.channel === "/news/today").length === 1),
          rules: ["SU-4", "PB-11", "CB-6"],
        }],
        leaves: ({ alice }) => alice.events.length === 1,
      },
    ],
  },
  {
    id: "push",
    title: "A websocket need not wait",
    about: "Where the server can speak at any time, the connect is but a heartbeat.",
    clients: { alice: "websocket", bob: "long-polling" },
    steps: [
      GREETS, CONNECTS, subscribes("/news/*"), WAITS, BOB,
      {
        says: "Bob publishes. The event goes out at once in a frame of its own, and the connect is held on.",
        does: ({ bob }) => bob.publish("/news/today", "It rains."),
        shows: [{ what: sends("alice", alone(events("/news/today"))), rules: ["WS-6", "QU-1"] }],
        leaves: ({ alice }) => alice.events.length === 1 && alice.connectId !== null,
      },
      {
        says: "When its time is over, the connect is answered, and nothing but that is said by it.",
        does: (_, clock) => clock.until(({ alice }) => alice.connectId === null),
        shows: [{ what: sends("alice", alone(replies("/meta/connect", (reply) => reply.successful))), rules: ["WS-8", "CN-7"] }],
      },
    ],
  },
  {
    id: "overtaken",
    title: "A newer connect overtakes",
    about: "A page was loaded anew, and its old request is still there.",
    clients: { alice: "long-polling" },
    steps: [
      GREETS, CONNECTS, WAITS,
      {
        says: "A second connect comes for the same session. The older one is ended with status 500 and no body, so that nothing is given to a reader that may be gone; the newer one is held.",
        does: ({ alice }) => alice.connect(),
        shows: [
          { what: (entry) => entry.name === "Close" && entry.client === "alice" && entry.text.includes("Duplicate"), rules: ["CN-9", "CN-1"] },
        ],
        leaves: ({ alice }) => alice.connectId !== null,
      },
    ],
  },
  {
    id: "breath",
    title: "Subscribe and publish in one breath",
    about: "Messages of one request are processed in order, and what they cause comes with their replies.",
    clients: { alice: "long-polling" },
    steps: [
      GREETS, CONNECTS, WAITS,
      {
        says: "Alice subscribes and publishes in one request. Her own event is in its response, before both replies, and her held connect sleeps on.",
        does: ({ alice }) => alice.subscribeAndPublish("/diary", "Up early."),
        shows: [{
          what: sends("alice", (messages) => messages.map((it) => it.channel).join() === "/diary,/meta/subscribe,/diary"),
          rules: ["SU-11", "RC-2", "QU-2"],
        }],
        leaves: ({ alice }) => alice.events.length === 1 && alice.connectId !== null,
      },
    ],
  },
];

const FREE = {
  id: "free",
  title: "On your own",
  about: "Three clients, one of each transport. Make them talk, and see what the server makes of it.",
  clients: { alice: "websocket", bob: "long-polling", carol: "callback-polling" },
  steps: [],
};
