// What is measured: the rows of the table, with the bars to reach, and the points of the curves.
//
// A row has a key, a title, the words for bayeux-bench, the peers, the metric and whether more of it is better. `from` and
// `against` say that its metric is a quotient: its figure by that of another row with the same peer in the same round.
// `aside` are the peers that no bar or aim of it speaks of: they are measured in the first round only, the slow ones with
// fewer events.

const { descriptors } = require('./machine.js');
const { PEERS, offers } = require('./peers.js');

const OURS = ['tokio', 'smol'];
const METRICS = {
  idle: ['kib_per_session', false],
  storm: ['sessions_per_cpu_second', true],
  poll: ['requests_per_cpu_second', true],
};

// Words of a scenario, with the first number scaled, and what follows it.
const counted = (scale, least) => (count) => String(Math.round(Math.max(Math.min(least, count), count * scale)));

function table({ scale, peers, only }) {
  const many = counted(scale, 10);
  const events = counted(scale, 20);
  const fanout = (subscribers, count, ...rest) => [
    'fanout', '--subscribers', many(subscribers), '--events', events(count), '--warm-up', events(count), ...rest,
  ];
  const rooms = (transport, count) => [
    'rooms', '--transport', transport, '--clients', String(Math.max(100, Math.round(1000 * scale))),
    '--events', events(count), '--warm-up', events(count / 2),
  ];
  const idle = (transport) => ['idle', '--transport', transport, '--sessions', many(5000), '--rest', '5'];
  const storm = (transport) => ['storm', '--transport', transport, '--sessions', many(5000), '--warm-up', many(3000)];
  const perDelivery = { metric: 'deliveries_per_cpu_second', isMore: true };
  const perSession = { metric: 'kib_per_session', isMore: false };
  const perStart = { metric: 'sessions_per_cpu_second', isMore: true, bars: [{ least: 10_000 }], aims: [{ least: 20_000 }] };
  const perRoom = { ...perDelivery, bars: [{ times: 3, of: ['cometd'] }], aims: [{ times: 5, of: ['cometd'] }] };

  const rows = [
    {
      key: 'fanout',
      title: '1 publisher to 1,000 websockets, 200 B, one event in flight: deliveries per CPU-second',
      args: fanout(1000, 1000),
      ...perDelivery,
      bars: [{ times: 2, of: ['faye', 'cometd'] }, { times: 0.65, of: ['bare'] }],
      aims: [{ times: 0.8, of: ['bare'] }],
    },
    {
      key: 'fanout-8',
      title: 'the same with 8 in flight',
      args: fanout(1000, 2000, '--in-flight', '8'),
      ...perDelivery,
      bars: [{ least: 1e6 }],
      aims: [{ least: 2e6 }],
    },
    {
      key: 'fanout-8-publishers',
      title: 'the same with 8 publishers, one event of each in flight',
      args: fanout(1000, 2000, '--in-flight', '8', '--publishers', '8'),
      ...perDelivery,
      bars: [{ least: 1e6 }],
      aims: [{ least: 2e6 }],
    },
    {
      key: 'fanout-5000',
      title: 'one in flight to 5,000: cost of a delivery by that of one to 1,000',
      args: fanout(5000, 200),
      metric: 'cost_by_that_at_1000',
      from: 'server_cpu_us_each',
      against: 'fanout',
      isMore: false,
      bars: [{ most: 1.3 }],
      aims: [{ most: 1.1 }],
    },
    { key: 'rooms', title: "CometD's benchmark by websocket: deliveries per CPU-second", args: rooms('websocket', 10_000), ...perRoom },
    { key: 'rooms-polling', title: 'the same by long-polling', args: rooms('long-polling', 5000), ...perRoom },
    {
      key: 'p99',
      title: '10 publishes a second to 1,000 websockets: p99 in ms, from when a publish was due',
      args: ['fanout', '--subscribers', many(1000), '--rate', '10', '--events', events(300), '--warm-up', events(20)],
      metric: 'latency_p99_ms',
      isMore: false,
      bars: [{ most: 20 }],
      aims: [{ most: 5 }],
    },
    { key: 'idle', title: 'idle websocket, 2 subscriptions: KiB', args: idle('websocket'), ...perSession, bars: [{ most: 8 }], aims: [{ most: 4 }] },
    {
      key: 'idle-polling',
      title: 'held long-poll, 2 subscriptions: KiB',
      args: idle('long-polling'),
      ...perSession,
      bars: [{ most: 14, peers: ['tokio'] }, { most: 28, peers: ['smol'] }],
      aims: [{ most: 12, peers: ['tokio'] }, { most: 16, peers: ['smol'] }],
    },
    { key: 'storm', title: 'accept, handshake, first connect, subscribe by websocket: sessions per CPU-second', args: storm('websocket'), ...perStart },
    { key: 'storm-polling', title: 'the same by long-polling', args: storm('long-polling'), ...perStart },
    {
      key: 'comeback',
      title: 'websockets come back to a server that was killed and started again: sessions per CPU-second',
      args: ['storm', '--sessions', many(5000)],
      restart: true,
      ...perStart,
      bars: [],
      aims: [],
    },
    {
      key: 'poll',
      title: 'connects by long-polling that are answered at once: requests per CPU-second',
      args: ['poll', '--requests', events(50_000), '--warm-up', events(30_000)],
      metric: 'requests_per_cpu_second',
      isMore: true,
    },
    { key: 'fanout-polling', title: '1 publisher to 1,000 held long-polls: deliveries per CPU-second', args: fanout(1000, 300, '--transport', 'long-polling'), ...perDelivery },
    { key: 'ack', title: '1 publisher to 1,000 websockets with acknowledgement: deliveries per CPU-second', args: ['ack', ...fanout(1000, 500).slice(1)], ...perDelivery },
    { key: 'faye', title: '1 publisher to 1,000 websockets that were handshaken over HTTP: deliveries per CPU-second', args: ['faye', ...fanout(1000, 1000).slice(1)], ...perDelivery },
  ];
  const wanted = only?.split(',');
  // A row that another is compared with is measured with it.
  const needed = rows.filter(({ key }) => !wanted || wanted.includes(key));
  const keys = new Set(needed.flatMap(({ key, against }) => [key, against]));
  return rows.filter(({ key }) => keys.has(key)).map((row) => {
    const present = able(row.args, peers);
    return { ...row, peers: present, aside: present.filter((peer) => !isParty(peer, row)) };
  });
}

// Whether a bar or an aim of the row speaks of the peer.
function isParty(peer, { bars = [], aims = [] }) {
  return OURS.includes(peer) || [...bars, ...aims].some(({ of }) => of?.includes(peer));
}

function single(args, { peers }) {
  const [metric, isMore] = METRICS[args[0]] ?? ['deliveries_per_cpu_second', true];
  const hasRate = args.includes('--rate');
  return {
    key: args[0],
    title: args.join(' '),
    args,
    metric: hasRate ? 'latency_p99_ms' : metric,
    isMore: !hasRate && isMore,
    peers: able(args, peers),
  };
}

const able = (args, peers = Object.keys(PEERS)) => peers.filter((peer) => offers(peer, args));

const CURVES = {
  subscribers: ({ many }) => {
    const events = (subscribers) => Math.min(20_000, Math.max(50, Math.round(1e6 / subscribers)));
    const point = (count) => ['fanout', '--subscribers', `${count}`, '--events', many(events(count)), '--warm-up', many(events(count) / 4)];
    return fit([10, 100, 1000, 5000, 10_000, 20_000], many).map((count) => cost(count, point(count)));
  },
  idle: ({ many }) => idleCurve('websocket', many),
  'idle-polling': ({ many }) => idleCurve('long-polling', many),
  channels: ({ many }) => otherCurve('--channels', many),
  patterns: ({ many }) => otherCurve('--patterns', many),
  size: ({ many }) => [10, 100, 1000, 10_000, 100_000].map((size) => {
    const events = Math.min(2000, Math.max(40, Math.round(4e7 / size / 20)));
    return cost(size, ['fanout', '--subscribers', '200', '--size', `${size}`, '--events', many(events), '--warm-up', many(events / 4)]);
  }),
  shards: ({ many }) => [1, 2].flatMap((shards) => {
    const point = (...words) => ({
      ...cost(`${words[0]}${words.includes('8') ? ', 8 in flight' : ''}, ${shards}`, [...words, '--events', many(1000), '--warm-up', many(200)]),
      peers: OURS,
      serverArgs: ['--shards', `${shards}`],
    });
    return [point('fanout'), point('fanout', '--in-flight', '8'), point('rooms'), point('faye')];
  }),
};

const curves = () => Object.keys(CURVES);

function curve(name, { scale, peers }) {
  const rows = CURVES[name]({ many: counted(scale, 20) });
  return rows.map((row) => ({ ...row, peers: able(row.args, peers ?? row.peers) }));
}

const cost = (point, args) => ({ key: `${point}`, title: `${point}`, args, metric: 'server_cpu_us_each', isMore: false });

function idleCurve(transport, many) {
  return fit([1000, 5000, 10_000, 20_000, 50_000, 100_000], many).map((count) => ({
    ...cost(count, ['idle', '--transport', transport, '--sessions', `${count}`, '--rest', '5']),
    metric: 'kib_per_session',
  }));
}

// Few subscribers, so that it is the matching that is seen.
function otherCurve(option, many) {
  const scaled = [1, 1000, 10_000, 100_000, 1_000_000].map((count) => many(count));
  return [...new Set(scaled)].map((count) => ({
    ...cost(count, ['fanout', '--subscribers', '10', '--events', many(20_000), '--warm-up', many(1000), option, count]),
    also: 'server_rss_kib_before',
    peers: OURS,
  }));
}

// So many connections as the limit of descriptors allows, of the generator and the server alike.
function fit(points, many) {
  const most = Math.floor((descriptors() - 1000) / 1000) * 1000;
  const scaled = points.map((point) => Number(many(point)));
  if (scaled.every((point) => point <= most)) return [...new Set(scaled)];
  console.log(`${descriptors()} descriptors are for ${most} connections: there are no points beyond.\n`);
  return [...new Set(scaled.map((point) => Math.min(point, most)))];
}

module.exports = { curve, curves, single, table };
