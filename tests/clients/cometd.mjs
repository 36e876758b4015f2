// One unmodified CometD client, on Node.js or a page. Options: {"url", "transport", "ack": bool, "ext": what each message
// carries, "cookie": what each request has when it polls}.

import { obey, options, say } from './lines.mjs';
import { adapt } from 'cometd-nodejs-client';

adapt();
const { AckExtension, CometD } = await import('cometd');

const client = new CometD();
for (const type of client.getTransportTypes()) {
  if (type !== options.transport) client.unregisterTransport(type);
}
const requestHeaders = options.cookie ? { Cookie: options.cookie } : {};
client.configure({ url: options.url, logLevel: 'warn', backoffIncrement: 100, requestHeaders });
if (options.ack) client.registerExtension('ack', new AckExtension());

client.registerExtension('observer', {
  incoming(message) {
    if (message.channel?.startsWith('/meta/')) say({ meta: message });
    return message;
  },
  outgoing(message) {
    say({ sent: message.channel });
    if (options.ext) message.ext = { ...message.ext, ...options.ext };
    if (message.channel === '/meta/connect') say({ connecting: message.connectionType });
    return message;
  },
});

const wanted = new Set();
const subscriptions = new Map();

function subscribe(channel, done) {
  const receive = (message) => say({ event: { channel: message.channel, data: message.data }, by: channel });
  subscriptions.set(channel, client.subscribe(channel, receive, done));
}

// A new session has no subscriptions: every CometD application has a listener like this one.
client.addListener('/meta/handshake', (message) => {
  if (message.successful) client.batch(() => wanted.forEach((channel) => subscribe(channel, () => {})));
});
for (const channel of ['/meta/handshake', '/meta/connect']) {
  client.addListener(channel, ({ successful }) => {
    if (!successful) say({ lost: true });
  });
}

function outcome({ successful, error }) {
  return successful ? { successful } : { successful: false, error: error ?? 'the request failed' };
}

obey({
  handshake(_, done) {
    client.handshake((message) => done(outcome(message)));
  },
  subscribe({ channel }, done) {
    wanted.add(channel);
    subscribe(channel, (message) => done(outcome(message)));
  },
  unsubscribe({ channel }, done) {
    wanted.delete(channel);
    client.unsubscribe(subscriptions.get(channel), (message) => done(outcome(message)));
  },
  publish({ channel, data }, done) {
    client.publish(channel, data, (message) => done(outcome(message)));
  },
  burst({ channel, count }, done) {
    let waiting = count;
    for (let number = 1; number <= count; number++) {
      client.publish(channel, number, (message) => {
        if (!message.successful) done(outcome(message));
        else if (--waiting === 0) done({ successful: true });
      });
    }
  },
  renew({ ext }, done) {
    options.ext = ext;
    done({ successful: true });
  },
  disconnect(_, done) {
    client.disconnect((message) => done(outcome(message)));
  },
});
