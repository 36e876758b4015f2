// One unmodified Faye client, on Node.js or a page. Options: {"url", "transport", "ext": what each message carries,
// "cookie": what it has before the server gives it others}.

import faye from 'faye';
import { obey, options, say } from './lines.mjs';

const client = new faye.Client(options.url, { retry: 0.2 });
const others = {
  websocket: [],
  'long-polling': ['websocket'],
  'callback-polling': ['websocket', 'long-polling', 'cross-origin-long-polling'],
}[options.transport];
others.forEach((transport) => client.disable(transport));

if (options.cookie) client.setHeader('Cookie', options.cookie);

client.addExtension({
  incoming(message, callback) {
    if (message.channel?.startsWith('/meta/')) say({ meta: message });
    callback(message);
  },
  outgoing(message, callback) {
    say({ sent: message.channel });
    if (options.ext) message.ext = { ...message.ext, ...options.ext };
    if (message.channel === '/meta/connect') say({ connecting: message.connectionType });
    callback(message);
  },
});
client.on('transport:down', () => say({ lost: true }));

const subscriptions = new Map();

function report(deferred, done) {
  deferred.then(
    () => done({ successful: true }),
    (error) => done({ successful: false, error: `${error.code}:${error.params}:${error.message}` }),
  );
}

obey({
  handshake(_, done) {
    client.connect(() => done({ successful: true }));
  },
  subscribe({ channel }, done) {
    const subscription = client.subscribe(channel).withChannel((name, data) => {
      say({ event: { channel: name, data }, by: channel });
    });
    subscriptions.set(channel, subscription);
    report(subscription, done);
  },
  unsubscribe({ channel }, done) {
    subscriptions.get(channel).cancel();
    // Faye tells nobody when it is through; the reply on /meta/unsubscribe is in the output.
    done({ successful: true });
  },
  publish({ channel, data }, done) {
    report(client.publish(channel, data), done);
  },
  burst({ channel, count }, done) {
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    report(Promise.all(numbers.map((number) => client.publish(channel, number))), done);
  },
  renew({ ext }, done) {
    options.ext = ext;
    done({ successful: true });
  },
  disconnect(_, done) {
    report(client.disconnect(), done);
  },
});
