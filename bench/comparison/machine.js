// What the figures were measured on, and with.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { JVM } = require('./peers.js');

const root = path.join(__dirname, '..', '..');

function machine({ rounds, scale }) {
  const [load] = os.loadavg();
  const lines = [
    `${os.cpus().length} cores of ${os.cpus()[0].model}, ${os.type()} ${os.release()}, ${rounds} rounds`,
    `ours at ${first('git', ['-C', root, 'describe', '--always', '--dirty'])}, Faye ${faye()} on Node.js ${process.version}, `
      + `CometD ${cometd()} on ${first('java', ['-version'])}`,
    `JVM flags: ${JVM.load.join(' ')}; when idle: ${JVM.idle.join(' ')}`,
    `descriptors: ${descriptors()} a process`,
  ];
  if (load > 0.5) lines.push(`NOT A QUIET MACHINE: its load is ${load.toFixed(1)}, so these figures are not to be published`);
  if (scale !== 1) lines.push(`SCALED by ${scale}: these are no figures`);
  return lines.map((line) => `${line}\n`).join('');
}

// The hard limit, which all processes that are started here raise theirs to.
function descriptors() {
  const line = fs.readFileSync('/proc/self/limits', 'utf8').match(/^Max open files +\S+ +(\S+)/m);
  return line[1] === 'unlimited' ? Infinity : Number(line[1]);
}

function faye() {
  return JSON.parse(fs.readFileSync(path.join(root, 'tests/peers/faye/package.json'), 'utf8')).dependencies.faye;
}

function cometd() {
  const pom = fs.readFileSync(path.join(root, 'tests/peers/cometd/pom.xml'), 'utf8');
  return pom.match(/<cometd.version>(.*)<\/cometd.version>/)[1];
}

// Java says its version where others say what went wrong.
function first(command, words) {
  try {
    const said = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', command, ...words], { encoding: 'utf8' });
    return said.split('\n')[0];
  } catch {
    return 'unknown';
  }
}

module.exports = { descriptors, machine };
