// Tables in Markdown: median (lowest to highest) over the rounds. A ratio is taken within a round, since a machine drifts.

function printTable(rows, found) {
  const peers = [...new Set(rows.flatMap((row) => row.peers))];
  console.log(`| | ${peers.join(' | ')} |\n|---|${'---|'.repeat(peers.length)}`);
  for (const row of rows) {
    const cells = peers.map((peer) => cell(valuesOf(rows, row, peer, found)));
    console.log(`| ${row.title} | ${cells.join(' | ')} |`);
  }
}

// The points of a curve are its lines; what is measured is named above.
function printCurve(rows, found) {
  for (const metric of [rows[0].metric, rows[0].also].filter(Boolean)) {
    console.log(`${metric}\n`);
    printTable(rows.map((row) => ({ ...row, metric })), found);
    console.log('');
  }
}

// What was to be reached; and how many times as good as each of the others the first peer is.
function printBars(rows, found) {
  console.log('');
  for (const row of rows) {
    const values = Object.fromEntries(row.peers.map((peer) => [peer, valuesOf(rows, row, peer, found)]));
    const [first, ...others] = row.peers;
    for (const other of others) {
      console.log(`${row.key}: ${first} is ${cell(ratios(row, values[first], [values[other]]))} times as good as ${other}`);
    }
    for (const [name, bars] of [['bar', row.bars ?? []], ['aim', row.aims ?? []]]) {
      for (const bar of bars) printBar(row, name, bar, values);
    }
  }
}

function printBar(row, name, bar, values) {
  for (const peer of bar.peers ?? ['tokio', 'smol']) {
    if (!values[peer]) continue;
    const found = bar.times ? ratios(row, values[peer], bar.of.map((other) => values[other]).filter(Boolean)) : values[peer];
    const middle = spread(found)?.median;
    const holds = bar.most !== undefined ? middle <= bar.most : middle >= (bar.times ?? bar.least);
    const verdict = middle === undefined ? 'NOT MEASURED' : holds ? 'reached' : 'MISSED';
    console.log(`${row.key}: ${name} ${said(bar)}: ${peer} ${cell(found)}: ${verdict}`);
  }
}

function said({ times, of, least, most }) {
  if (times) return `at least ${times} times ${of.length > 1 ? `the better of ${of.join(' and ')}` : of[0]}`;
  return least !== undefined ? `at least ${least}` : `at most ${most}`;
}

// By round; what failed is undefined.
function valuesOf(rows, row, peer, found) {
  const of = (key) => found.filter((one) => one.row === key && one.peer === peer).map(({ figures }) => figures);
  if (!row.against) return of(row.key).map((figures) => figures[row.metric]);
  const others = of(row.against);
  return of(row.key).map((figures, round) => figures[row.from] / others[round]?.[row.from]);
}

// How many times as good one is as the best of others, round by round.
function ratios({ isMore }, values, others) {
  return values.map((value, round) => {
    const theirs = others.map((other) => other[round]).filter((other) => other !== undefined);
    if (theirs.length === 0) return undefined;
    return isMore ? value / Math.max(...theirs) : Math.min(...theirs) / value;
  });
}

function spread(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return { median, lowest: sorted[0], highest: sorted.at(-1) };
}

function cell(values) {
  const found = spread(values);
  if (!found) return '–';
  const { median, lowest, highest } = found;
  return `${number(median)} (${number(lowest)} to ${number(highest)})`;
}

function number(value) {
  if (value >= 10_000) return `${Math.round(value / 1000).toLocaleString('en')} k`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

module.exports = { printBars, printCurve, printTable };
