// Bayeux clients, down to the bytes: HTTP/1.1 and websocket frames on lines of a world.

const PATH = "/bayeux";
const HOST = "page.example";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The client's end of a line that asks over HTTP: one request, one response, and again. */
class Exchanges {
  constructor(world, number) {
    this.world = world;
    this.number = number;
    this.isBusy = false;
  }

  ask(method, target, cookie, body) {
    this.isBusy = true;
    const lines = [`${method} ${target} HTTP/1.1`, `Host: ${HOST}`];
    if (cookie) lines.push(`Cookie: ${cookie}`);
    const bytes = encoder.encode(body);
    if (method === "POST") lines.push("Content-Type: application/json", `Content-Length: ${bytes.length}`);
    const head = encoder.encode(lines.join("\r\n") + "\r\n\r\n");
    this.world.send(this.number, Uint8Array.of(...head, ...bytes));
  }

  /** What the server has written: whole responses, as nothing here is cut up. */
  read(bytes) {
    this.isBusy = false;
    const text = decoder.decode(bytes);
    const end = text.indexOf("\r\n\r\n");
    const [first, ...lines] = text.slice(0, end).split("\r\n");
    const headers = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const status = Number(first.split(" ")[1]);
    const body = text.slice(end + 4);
    const messages = status === 200 ? JSON.parse(body.slice(body.indexOf("["), body.lastIndexOf("]") + 1)) : [];
    return { status, messages, cookie: headers.get("set-cookie")?.split(";")[0], isLast: headers.get("connection") === "close" };
  }
}

/** The client's end of a websocket. */
class Frames {
  constructor(world, number) {
    this.world = world;
    this.number = number;
    this.isOpen = false;
    this.waiting = [];
    this.unread = new Uint8Array();
    const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
    const head = [
      `GET ${PATH} HTTP/1.1`, `Host: ${HOST}`, "Connection: Upgrade", "Upgrade: websocket",
      "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`,
    ];
    world.send(number, encoder.encode(head.join("\r\n") + "\r\n\r\n"));
  }

  say(text) {
    if (!this.isOpen) {
      this.waiting.push(text);
      return;
    }
    const payload = encoder.encode(text);
    const mask = crypto.getRandomValues(new Uint8Array(4));
    const length = payload.length < 126
      ? [0x80 | payload.length]
      : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
    if (payload.length > 0xffff) throw new Error("too long for a page");
    const masked = payload.map((byte, place) => byte ^ mask[place % 4]);
    this.world.send(this.number, Uint8Array.of(0x81, ...length, ...mask, ...masked));
  }

  /** The messages in what the server has written, and whether it says goodbye. */
  read(bytes) {
    let rest = Uint8Array.of(...this.unread, ...bytes);
    const found = { messages: [], isLast: false };
    if (!this.isOpen) {
      const end = decoder.decode(rest).indexOf("\r\n\r\n");
      this.isOpen = decoder.decode(rest).startsWith("HTTP/1.1 101");
      if (!this.isOpen) return { ...found, isLast: true };
      rest = rest.slice(end + 4);
      this.waiting.splice(0).forEach((text) => this.say(text));
    }
    for (let frame = this.frame(rest); frame; frame = this.frame(rest)) {
      if (frame.opcode === 0x1) found.messages.push(...JSON.parse(decoder.decode(frame.payload)));
      if (frame.opcode === 0x8) found.isLast = true;
      rest = rest.slice(frame.end);
    }
    this.unread = rest;
    return found;
  }

  frame(bytes) {
    if (bytes.length < 2) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const short = bytes[1] & 0x7f;
    const start = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (bytes.length < start) return null;
    const length = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
    const end = start + length;
    return bytes.length < end ? null : { opcode: bytes[0] & 0xf, payload: bytes.slice(start, end), end };
  }
}

/** A Bayeux client that does what it is told to, one thing at a time. */
class Client {
  constructor(world, name, transport) {
    Object.assign(this, { world, name, transport });
    this.state = "new";
    this.session = null;
    this.cookie = null;
    this.patterns = new Set();
    this.events = [];
    this.lines = new Map(); // number to end
    this.numbers = new Set(); // of all lines it ever had
    this.lastId = 0;
    this.connectId = null; // of the connect that is not answered
    this.connectsAt = null;
    this.acknowledges = false; // asks for the extension
    this.acknowledged = null; // the last number it saw, once the extension is agreed on
    this.reads = true; // takes what the server writes
    this.losesNext = false; // what it takes next is lost on the way
    this.staysConnected = false;
  }

  handshake() {
    this.forget("handshaking");
    const message = { version: "1.0", supportedConnectionTypes: ["websocket", "long-polling", "callback-polling"] };
    if (this.acknowledges) message.ext = { ack: true };
    this.tell([this.message("/meta/handshake", message)]);
  }

  connect() {
    this.connectsAt = null;
    const message = this.message("/meta/connect", { connectionType: this.transport });
    if (this.acknowledged !== null) message.ext = { ack: this.acknowledged };
    this.connectId = message.id;
    this.tell([message]);
  }

  subscribe(pattern) {
    this.tell([this.message("/meta/subscribe", { subscription: pattern })]);
  }

  publish(channel, data) {
    this.tell([this.message(channel, { data })]);
  }

  /** Both in one request: the event that it causes for itself comes in the same response. */
  subscribeAndPublish(channel, data) {
    this.tell([
      this.message("/meta/subscribe", { subscription: channel }),
      this.message(channel, { data }),
    ]);
  }

  disconnect() {
    this.tell([this.message("/meta/disconnect", {})]);
  }

  /** Its cable is pulled: every line is gone, and what was on the way. */
  drop() {
    for (const number of this.lines.keys()) this.world.hang_up(number);
    this.lines.clear();
    this.connectId = null;
  }

  /** Takes what the server has written; whether there was anything. */
  take() {
    if (!this.reads) return false;
    let took = false;
    for (const [number, end] of [...this.lines]) {
      if (this.world.waiting(number) > 0) {
        const bytes = this.world.take(number);
        took = true;
        if (this.losesNext) {
          this.losesNext = false;
          continue;
        }
        this.hear(number, end.read(bytes));
      }
      if (this.world.has_ended(number)) {
        this.world.hang_up(number);
        this.lines.delete(number);
      }
    }
    return took;
  }

  /** What it does of its own accord as time passes; whether it did anything. */
  wake() {
    if (this.connectsAt === null || this.connectsAt > this.world.now()) return false;
    this.connect();
    return true;
  }

  hear(number, { status, messages, cookie, isLast }) {
    if (cookie) this.cookie = cookie;
    if (status === 500) this.notice = "an older connect was answered with 500";
    for (const message of messages) this.receive(message);
    if (isLast) {
      this.world.hang_up(number);
      this.lines.delete(number);
    }
  }

  receive(message) {
    if (message.channel === "/meta/handshake" && message.successful) {
      this.session = message.clientId;
      this.state = "handshaken";
      this.acknowledged = message.ext?.ack ? 0 : null;
    } else if (message.channel === "/meta/connect") {
      this.connected(message);
    } else if (message.channel === "/meta/subscribe" && message.successful) {
      [message.subscription].flat().forEach((pattern) => this.patterns.add(pattern));
    } else if (message.channel === "/meta/disconnect" && message.successful) {
      this.forget("disconnected");
    } else if (message.successful === undefined) {
      this.events.push(message);
    }
    if (message.advice?.reconnect === "handshake") this.forget("unknown to the server");
  }

  connected(reply) {
    if (reply.id !== this.connectId) return;
    this.connectId = null;
    if (!reply.successful) return;
    this.state = "connected";
    if (this.acknowledged !== null && reply.ext) this.acknowledged = reply.ext.ack;
    if (this.staysConnected) this.connectsAt = this.world.now() + (reply.advice?.interval ?? 0);
  }

  forget(state) {
    this.state = state;
    this.session = null;
    this.acknowledged = null;
    this.connectsAt = null;
    this.patterns.clear();
  }

  message(channel, members) {
    this.lastId += 1;
    const message = { id: String(this.lastId), channel, ...members };
    if (channel !== "/meta/handshake") message.clientId = this.session ?? "none";
    return message;
  }

  tell(messages) {
    const text = JSON.stringify(messages);
    if (this.transport === "websocket") {
      this.line(Frames, () => true).say(text);
      return;
    }
    const end = this.line(Exchanges, (end) => !end.isBusy);
    if (this.transport === "long-polling") {
      end.ask("POST", PATH, this.cookie, text);
    } else {
      end.ask("GET", `${PATH}?jsonp=f&message=${encodeURIComponent(text)}`, this.cookie, "");
    }
  }

  /** An end that is free, or a new one. */
  line(Kind, isFree) {
    const free = [...this.lines.values()].find(isFree);
    if (free) return free;
    const number = this.world.open();
    this.numbers.add(number);
    const end = new Kind(this.world, number);
    this.lines.set(number, end);
    return end;
  }
}
