// Faye's server, as it comes: `node faye.mjs PORT`. It ends itself after ten minutes.

import http from 'node:http';
import faye from 'faye';

const server = http.createServer();
new faye.NodeAdapter({ mount: '/bayeux', timeout: 45 }).attach(server);
server.listen(Number(process.argv[2]), '127.0.0.1');
setTimeout(() => process.exit(0), 600_000);
