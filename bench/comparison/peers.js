// How each server is started: unmodified, with its defaults.

const path = require('node:path');

const root = path.join(__dirname, '..', '..');
const cometd = path.join(root, 'tests', 'peers', 'cometd', 'target');
// Where our binaries are.
let binaries = path.join(root, 'target', 'release');
const binary = (name) => path.join(binaries, name);

function takeBinariesFrom(folder) {
  binaries = path.resolve(folder);
}

// A heap that is large from the start, as whoever measures speed has it; and one that gives back what it does not need,
// once a second, as whoever measures memory has to have it.
const JVM = {
  load: ['-XX:+UseG1GC', '-Xms1g', '-Xmx4g'],
  idle: [
    '-XX:+UseG1GC', '-Xms16m', '-Xmx4g', '-XX:MinHeapFreeRatio=5', '-XX:MaxHeapFreeRatio=10',
    '-XX:G1PeriodicGCInterval=1000', '-XX:-G1PeriodicGCInvokesConcurrent',
  ],
};

const ours = (runtime) => (port, scenario, more) =>
  [binary(`bayeux-server-${runtime}`), '--listen', `127.0.0.1:${port}`, ...more];

// Each is told its port, the scenario, and what our servers are told besides.
const PEERS = {
  tokio: ours('tokio'),
  smol: ours('smol'),
  faye: (port) => [process.execPath, path.join(root, 'tests/peers/faye/main.mjs'), '--port', `${port}`],
  cometd: (port, scenario) => [
    'java', ...(scenario === 'idle' ? JVM.idle : JVM.load), '-cp', `${cometd}/classes:${cometd}/lib/*`, 'Main',
    '--port', `${port}`,
  ],
  bare: (port) => [binary('bayeux-bench'), 'bare', '--listen', `127.0.0.1:${port}`, '--timeout', '3600'],
};

// What a peer does not have is left out.
function offers(peer, [scenario, ...rest]) {
  const isPolling = scenario === 'poll' || rest.includes('long-polling');
  const isAcknowledged = scenario === 'ack' || rest.includes('--ack');
  switch (peer) {
    case 'bare':
      return !isPolling && !isAcknowledged && scenario !== 'faye' && !rest.includes('--patterns');
    case 'faye':
      return !isAcknowledged;
    default:
      return true;
  }
}

// Those that need a minute for what others need seconds for.
const isSlow = (peer) => peer === 'faye' || peer === 'cometd';

module.exports = { JVM, PEERS, binary, isSlow, offers, takeBinariesFrom };
