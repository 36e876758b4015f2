// Faye's server, as it comes: `node main.mjs [--port N] [--timeout SECONDS]`. It prints where it listens; the end of
// standard input ends it.

import http from 'node:http';
import { parseArgs } from 'node:util';
import faye from 'faye';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, timeout: { type: 'string', default: '45' } },
});

const server = http.createServer();
new faye.NodeAdapter({ mount: '/bayeux', timeout: Number(values.timeout) }).attach(server);
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/bayeux`);
});

// When a page goes that polls by callback, Faye answers the poll twice: 400 as it goes, the reply when the hold ends. The
// second is thrown at nobody and would end the process. A suite goes like that all the time.
process.on('uncaughtException', (error) => {
  if (error.code !== 'ERR_HTTP_HEADERS_SENT') throw error;
  console.error('an answer was written twice');
});
process.stdin.resume().on('end', () => process.exit(0));
