// The steering of all clients, whatever they are written in: commands come in on standard input, one JSON object a
// line, and what happens to the client goes out on standard output the same way. The end of the input ends the process.
// The options are the first argument. On a page, page/lines.mjs takes the place of this file.
//
//   out:  {"ready":true}                                            commands can come
//   in:   {"number":3, "do":"subscribe", "channel":"/news/*"}
//   out:  {"reply":3, "successful":true}                            that command is through
//         {"event":{"channel":"/news/a", "data":1}, "by":"/news/*"} an event reached this subscription
//         {"meta":{"channel":"/meta/handshake", "successful":true}} any reply on a meta channel, as it arrived
//         {"sent":"/chat"}                                          a message goes out on this channel
//         {"connecting":"websocket"}                                a connect goes out over this transport
//         {"lost":true}                                             the client noticed that the server is away
//
//   do:   handshake, subscribe, unsubscribe, disconnect; publish with "data"; burst: publishes 1 to "count" at once;
//         renew: has another "ext" from now on

import { Console } from 'node:console';
import { createInterface } from 'node:readline';

// Libraries log to the console; standard output belongs to the steering.
globalThis.console = new Console(process.stderr, process.stderr);

export const options = JSON.parse(process.argv[2]);

export function say(what) {
  process.stdout.write(JSON.stringify(what) + '\n');
}

// Each handler gets the command and a function to call with {successful, error} when it is through.
export function obey(handlers) {
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    const command = JSON.parse(line);
    if (command.do === 'settle') say({ reply: command.number, successful: true });
    else handlers[command.do](command, (outcome) => say({ reply: command.number, ...outcome }));
  });
  input.on('close', () => process.exit(0));
  say({ ready: true });
}
