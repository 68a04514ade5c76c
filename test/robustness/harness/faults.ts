import { type Fault as S3Fault, type MemberHandle, type ProxyMode, type Random, type TestNatsNode } from '#testing';
import type { ClusterUnderHarm } from './cluster-under-harm.js';
import { breakParts, limitRate, replaceObjects } from './store-faults.js';

/** A fault of a cluster that can begin and end. */
export interface Inflicted {
  /** Names of the affected processes and links. */
  readonly victims: readonly string[];
  readonly undo: () => Promise<void> | void;
}

export interface FaultKind {
  readonly weight: number;
  /** Longest duration. */
  readonly maxMs: number;
  /** Undefined if the fault is not possible now. */
  readonly inflict: (
    cluster: ClusterUnderHarm,
    random: Random,
  ) => Promise<Inflicted | undefined> | Inflicted | undefined;
}

const linkModes = (random: Random): ProxyMode[] => [
  { kind: 'cut' },
  { kind: 'blackhole' },
  { kind: 'blackhole', direction: random.pick(['forth', 'back'] as const) },
  { kind: 'latency', latencyMs: 50 + random.below(400), jitterMs: 200 },
  { kind: 'bandwidth', bytesPerSecond: 20_000 + random.below(100_000) },
  { kind: 'slice', maxBytes: 30 },
];

/** Fault kinds by their names in `--faults`. */
export const faultKinds = {
  'kill-coordinator': { weight: 4, maxMs: 4_000, inflict: (cluster, random) => kill(cluster.coordinators, random) },
  'kill-worker': { weight: 4, maxMs: 9_000, inflict: (cluster, random) => kill(cluster.workers, random) },
  'roll-coordinator': {
    weight: 3,
    maxMs: 1_000,
    inflict: (cluster, random) => terminate(cluster.coordinators, random),
  },
  'roll-worker': { weight: 2, maxMs: 1_000, inflict: (cluster, random) => terminate(cluster.workers, random) },
  'pause-coordinator': { weight: 3, maxMs: 6_000, inflict: (cluster, random) => pause(cluster.coordinators, random) },
  'pause-worker': { weight: 3, maxMs: 9_000, inflict: (cluster, random) => pause(cluster.workers, random) },
  'kill-nats': {
    weight: 3,
    maxMs: 5_000,
    inflict: (cluster, random) => killNats(cluster, 1, random),
  },
  'kill-two-nats': {
    weight: 1,
    maxMs: 5_000,
    inflict: (cluster, random) => killNats(cluster, 2, random),
  },
  'pause-nats': { weight: 2, maxMs: 8_000, inflict: pauseNats },
  'split-nats': { weight: 2, maxMs: 10_000, inflict: splitNats },
  'link-coordinator-nats': {
    weight: 3,
    maxMs: 8_000,
    inflict: (cluster, random) => disturbNatsLinks(cluster.coordinators, random),
  },
  'link-worker-nats': {
    weight: 3,
    maxMs: 8_000,
    inflict: (cluster, random) => disturbNatsLinks(cluster.workers, random),
  },
  'link-worker': { weight: 2, maxMs: 8_000, inflict: disturbWorker },
  'link-s3': { weight: 2, maxMs: 5_000, inflict: disturbS3Link },
  's3-errors': { weight: 3, maxMs: 5_000, inflict: s3Errors },
  's3-throttle-one': { weight: 2, maxMs: 8_000, inflict: (cluster) => oneStore(cluster, throttled) },
  's3-hang-one': { weight: 2, maxMs: 8_000, inflict: (cluster) => oneStore(cluster, { kind: 'hang' }) },
  's3-rate': { weight: 2, maxMs: 8_000, inflict: limitRate },
  's3-break-parts': { weight: 2, maxMs: 8_000, inflict: breakParts },
  's3-replace': { weight: 3, maxMs: 8_000, inflict: replaceObjects },
  'disk-full': { weight: 2, maxMs: 5_000, inflict: fillDisk },
  forge: { weight: 4, maxMs: 500, inflict: forge },
  blackout: { weight: 1, maxMs: 1_000, inflict: blackout },
} as const satisfies Record<string, FaultKind>;

/** Paused or told to stop: a paused process cannot stop. */
const busy = new WeakSet<MemberHandle>();

export type FaultName = keyof typeof faultKinds;
export const faultNames = Object.keys(faultKinds) as FaultName[];

async function kill(members: readonly MemberHandle[], random: Random): Promise<Inflicted | undefined> {
  const victim = random.pick(members);
  if (!victim.process.running) return undefined;
  await victim.process.kill9();
  return { victims: [victim.process.name], undo: () => start(victim) };
}

/** SIGTERM, as in a rolling restart. */
async function terminate(members: readonly MemberHandle[], random: Random): Promise<Inflicted | undefined> {
  const victim = random.pick(members);
  if (!victim.process.running || busy.has(victim)) return undefined;
  busy.add(victim);
  await victim.process.stop().finally(() => busy.delete(victim));
  return { victims: [victim.process.name], undo: () => start(victim) };
}

/** Starts a process without waiting until it is ready: without the log it never would be. */
function start({ process }: MemberHandle): void {
  if (!process.running) process.launch();
}

function pause(members: readonly MemberHandle[], random: Random): Inflicted | undefined {
  const victim = random.pick(members);
  if (!victim.process.running || busy.has(victim)) return undefined;
  busy.add(victim);
  victim.process.pause();
  const undo = () => {
    busy.delete(victim);
    victim.process.resume();
  };
  return { victims: [victim.process.name], undo };
}

async function killNats({ nats }: ClusterUnderHarm, count: number, random: Random): Promise<Inflicted> {
  const first = random.pick(nats.nodes).index;
  const victims = Array.from({ length: count }, (_, i) => nats.nodes[(first + i) % nats.nodes.length]);
  await Promise.all(victims.map((node) => (random.chance(0.8) ? node.kill9() : node.stop())));
  return { victims: victims.map(nameOf), undo: () => nats.startAll() };
}

const nameOf = ({ index }: TestNatsNode): string => `nats-${index}`;

function pauseNats({ nats }: ClusterUnderHarm, random: Random): Inflicted {
  const node = random.pick(nats.nodes);
  node.pause();
  return { victims: [nameOf(node)], undo: () => node.resume() };
}

/** Separates one server from the others. Its clients stay connected. */
function splitNats({ nats }: ClusterUnderHarm, random: Random): Inflicted {
  const node = random.pick(nats.nodes);
  const { routes } = node;
  const mode: ProxyMode = random.pick([{ kind: 'cut' }, { kind: 'blackhole' }, { kind: 'latency', latencyMs: 300 }]);
  for (const route of routes) route.setMode(mode);
  return {
    victims: [`${nameOf(node)} (${mode.kind})`],
    undo: () => routes.forEach((route) => route.setMode({ kind: 'pass' })),
  };
}

/** All links of one process to NATS, or those to one server. */
function disturbNatsLinks(members: readonly MemberHandle[], random: Random): Inflicted {
  const victim = random.pick(members);
  const links = random.chance(0.6) ? victim.toNats : [random.pick(victim.toNats)];
  const mode = random.pick(linkModes(random));
  for (const link of links) link.setMode(mode);
  return {
    victims: [`${victim.process.name} (${mode.kind}, ${links.length} links)`],
    undo: () => links.forEach((link) => link.setMode({ kind: 'pass' })),
  };
}

function disturbWorker({ workers }: ClusterUnderHarm, random: Random): Inflicted {
  const { process, inbound } = random.pick(workers);
  const mode = random.pick(linkModes(random));
  inbound?.setMode(mode);
  return { victims: [`${process.name} (${mode.kind})`], undo: () => inbound?.setMode({ kind: 'pass' }) };
}

function disturbS3Link({ toS3 }: ClusterUnderHarm, random: Random): Inflicted {
  const mode = random.pick([...linkModes(random), { kind: 'truncate', afterBytes: random.below(100_000) } as const]);
  toS3.setMode(mode);
  return { victims: [`s3 (${mode.kind})`], undo: () => toS3.setMode({ kind: 'pass' }) };
}

function s3Errors(cluster: ClusterUnderHarm, random: Random): Inflicted {
  const share = 0.2 + random.next() * 0.7;
  const fault: S3Fault = random.pick([
    { kind: 'status', status: 500 },
    { kind: 'status', status: 503 },
    { kind: 'hang' },
    { kind: 'reset' },
    { kind: 'slow', bytesPerSecond: 50_000 },
    { kind: 'truncate', afterBytes: 100, how: random.pick(['end', 'reset'] as const) },
    { kind: 'length', offBy: -1 },
    { kind: 'etag', etag: 'other' },
  ] as const);
  const undo = cluster.harmS3(() => (random.chance(share) ? fault : undefined));
  return { victims: [`s3 (${fault.kind})`], undo };
}

const throttled: S3Fault = { kind: 'status', status: 503, headers: { 'retry-after': '1' } };
/** The other S3 mount works: see the check `neighboursGoOn`. */
const sickBucket = 'freed';

/** Affects every request to one of the two buckets. */
function oneStore(cluster: ClusterUnderHarm, fault: S3Fault): Inflicted {
  const undo = cluster.harmS3(({ bucket }) => (bucket === sickBucket ? fault : undefined));
  return { victims: [`s3://${sickBucket}/ (${fault.kind})`], undo };
}

function fillDisk({ smallDisk }: ClusterUnderHarm): Inflicted | undefined {
  if (smallDisk === undefined) return undefined;
  smallDisk.fill();
  return { victims: ['worker-3'], undo: () => smallDisk.makeRoom() };
}

/** This fault cannot be undone: the stranger's messages stay in the log. */
async function forge({ stranger }: ClusterUnderHarm, random: Random): Promise<Inflicted> {
  return { victims: [`the log (${await stranger.forge(random)})`], undo: () => undefined };
}

/** Kills all processes at once, like a power failure, except that no written data is lost. */
async function blackout({ nats, members }: ClusterUnderHarm): Promise<Inflicted> {
  await Promise.all([...nats.nodes.map((node) => node.kill9()), ...members.map(({ process }) => process.kill9())]);
  return {
    victims: ['everything'],
    undo: async () => {
      await nats.startAll();
      members.forEach(start);
    },
  };
}
