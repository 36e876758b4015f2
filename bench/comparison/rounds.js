// Measures: each server is started anew for each measurement, one after the other, in another order each round.

const { execFile, spawn } = require('node:child_process');
const net = require('node:net');

const { PEERS, binary, isSlow } = require('./peers.js');

// Everything is measured within this, or has failed.
const SECONDS = 900;
// A process may raise its limit of descriptors as far as that.
const RAISED = ['sh', '-c', 'ulimit -n "$(ulimit -Hn)" && exec "$@"', 'sh'];

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

async function measureAll(rows, rounds) {
  const found = [];
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      for (let turn = 0; turn < row.peers.length; turn++) {
        const peer = row.peers[(round + turn) % row.peers.length];
        const isAside = row.aside?.includes(peer);
        // Once is enough for a figure that nothing depends on.
        if (isAside && round > 0) continue;
        const args = isAside && isSlow(peer) ? shortened(row.args) : row.args;
        const figures = await measure(peer, { ...row, args }).catch((error) => ({ error: error.message.trim() }));
        console.error(`round ${round + 1} ${row.key} ${peer}: ${figures.error ?? brief(row, figures)}`);
        found.push({ round, row: row.key, peer, figures });
      }
    }
  }
  return found;
}

// A quarter of the events: what a peer takes a minute for is known after fifteen seconds too.
function shortened(args) {
  const isCount = (index) => ['--events', '--warm-up'].includes(args[index - 1]);
  return args.map((word, index) => (isCount(index) ? String(Math.ceil(word / 4)) : word));
}

function brief(row, figures) {
  // Of a quotient, what is divided.
  const metric = row.from ?? row.metric;
  const said = [`${metric} ${figures[metric]}`];
  if (figures.generator_busy !== undefined) said.push(`generator busy ${figures.generator_busy}`);
  return said.join(', ');
}

async function measure(peer, { args, restart, serverArgs = [] }) {
  const port = await freePort();
  const [scenario, ...rest] = args;
  const command = PEERS[peer](port, scenario, serverArgs);
  const options = ['--url', `ws://127.0.0.1:${port}/bayeux`, '--json', '--timeout', `${SECONDS}`, ...rest];
  if (restart) return generate([scenario, '--restart', command.join(' '), ...options]);
  const server = start([...RAISED, ...command]);
  try {
    await listening(port, server);
    return await generate([scenario, '--pid', `${server.pid}`, ...options]);
  } finally {
    await end(server);
  }
}

function start([command, ...words]) {
  const child = spawn(command, words, { stdio: ['pipe', 'ignore', 'ignore'] });
  running.add(child);
  child.on('error', () => running.delete(child));
  child.on('exit', () => running.delete(child));
  return child;
}

function end(child) {
  return new Promise((resolve) => {
    if (!running.has(child)) return resolve();
    child.on('exit', resolve);
    child.kill('SIGKILL');
  });
}

function generate(words) {
  return new Promise((resolve, reject) => {
    const [command, ...prefix] = RAISED;
    const child = execFile(command, [...prefix, binary('bayeux-bench'), ...words], (error, output, said) => {
      running.delete(child);
      // What it says last is why.
      if (error) return reject(new Error(said.trim().split('\n').at(-1) || error.message));
      resolve(JSON.parse(output));
    });
    running.add(child);
  });
}

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function listening(port, server) {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (!running.has(server)) throw new Error(`${server.spawnargs.join(' ')} has ended`);
    const is = await new Promise((resolve) => {
      const probe = net.connect(port, '127.0.0.1', () => probe.end(() => resolve(true)));
      probe.on('error', () => resolve(false));
    });
    if (is) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nobody listens at ${port}`);
}

module.exports = { measureAll };
