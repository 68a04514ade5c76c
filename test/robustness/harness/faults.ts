import { type Fault as S3Fault, type ProxyMode, type Random } from '#testing';
import type { Member, World } from './world.js';

/** Something that can be done to a world, and undone. */
export interface Inflicted {
  /** Names of the processes and links it was done to. */
  readonly victims: readonly string[];
  readonly undo: () => Promise<void> | void;
}

export interface FaultKind {
  readonly weight: number;
  /** Longest time it is left on. */
  readonly maxMs: number;
  /** Undefined: not possible now. */
  readonly inflict: (world: World, random: Random) => Promise<Inflicted | undefined> | Inflicted | undefined;
}

const linkModes = (random: Random): ProxyMode[] => [
  { kind: 'cut' },
  { kind: 'blackhole' },
  { kind: 'blackhole', direction: random.pick(['forth', 'back'] as const) },
  { kind: 'latency', latencyMs: 50 + random.below(400), jitterMs: 200 },
  { kind: 'bandwidth', bytesPerSecond: 20_000 + random.below(100_000) },
  { kind: 'slice', maxBytes: 30 },
];

/** Fault kinds by the names that `--faults` takes. */
export const faultKinds = {
  'kill-coordinator': { weight: 4, maxMs: 4_000, inflict: (world, random) => kill(world.coordinators, random) },
  'kill-worker': { weight: 4, maxMs: 9_000, inflict: (world, random) => kill(world.workers, random) },
  'roll-coordinator': { weight: 3, maxMs: 1_000, inflict: (world, random) => terminate(world.coordinators, random) },
  'roll-worker': { weight: 2, maxMs: 1_000, inflict: (world, random) => terminate(world.workers, random) },
  'pause-coordinator': { weight: 3, maxMs: 6_000, inflict: (world, random) => pause(world.coordinators, random) },
  'pause-worker': { weight: 3, maxMs: 9_000, inflict: (world, random) => pause(world.workers, random) },
  'kill-nats': {
    weight: 3,
    maxMs: 5_000,
    inflict: (world, random) => killNats(world, [world.nats.indexes, 1, random]),
  },
  'kill-two-nats': {
    weight: 1,
    maxMs: 5_000,
    inflict: (world, random) => killNats(world, [world.nats.indexes, 2, random]),
  },
  'pause-nats': { weight: 2, maxMs: 8_000, inflict: pauseNats },
  'split-nats': { weight: 2, maxMs: 10_000, inflict: splitNats },
  'link-coordinator-nats': {
    weight: 3,
    maxMs: 8_000,
    inflict: (world, random) => disturbNatsLinks(world.coordinators, random),
  },
  'link-worker-nats': { weight: 3, maxMs: 8_000, inflict: (world, random) => disturbNatsLinks(world.workers, random) },
  'link-worker': { weight: 2, maxMs: 8_000, inflict: disturbWorker },
  'link-s3': { weight: 2, maxMs: 5_000, inflict: disturbS3Link },
  's3-errors': { weight: 3, maxMs: 5_000, inflict: s3Errors },
  's3-throttle-one': { weight: 2, maxMs: 8_000, inflict: (world) => oneStore(world, throttled) },
  's3-hang-one': { weight: 2, maxMs: 8_000, inflict: (world) => oneStore(world, { kind: 'hang' }) },
  'disk-full': { weight: 2, maxMs: 5_000, inflict: fillDisk },
  forge: { weight: 4, maxMs: 500, inflict: forge },
  blackout: { weight: 1, maxMs: 1_000, inflict: blackout },
} as const satisfies Record<string, FaultKind>;

/** Asleep or asked to end: who sleeps cannot do as it is asked. */
const busy = new WeakSet<Member>();

export type FaultName = keyof typeof faultKinds;
export const faultNames = Object.keys(faultKinds) as FaultName[];

async function kill(members: readonly Member[], random: Random): Promise<Inflicted | undefined> {
  const victim = random.pick(members);
  if (!victim.process.running) return undefined;
  await victim.process.kill9();
  return { victims: [victim.name], undo: () => start(victim) };
}

/** SIGTERM, as a rolling restart sends it. */
async function terminate(members: readonly Member[], random: Random): Promise<Inflicted | undefined> {
  const victim = random.pick(members);
  if (!victim.process.running || busy.has(victim)) return undefined;
  busy.add(victim);
  await victim.process.stop().finally(() => busy.delete(victim));
  return { victims: [victim.name], undo: () => start(victim) };
}

/** Without waiting until it is ready: with the log away it never would be. */
function start({ process }: Member): void {
  if (!process.running) process.launch();
}

function pause(members: readonly Member[], random: Random): Inflicted | undefined {
  const victim = random.pick(members);
  if (!victim.process.running || busy.has(victim)) return undefined;
  busy.add(victim);
  victim.process.pause();
  const undo = () => {
    busy.delete(victim);
    victim.process.resume();
  };
  return { victims: [victim.name], undo };
}

async function killNats({ nats }: World, [from, count, random]: [number[], number, Random]): Promise<Inflicted> {
  const first = random.pick(from);
  const victims = Array.from({ length: count }, (_, i) => (first + i) % from.length);
  await Promise.all(victims.map((index) => nats.kill(index, random.chance(0.8) ? 'SIGKILL' : 'SIGTERM')));
  return { victims: victims.map((index) => `nats-${index}`), undo: () => nats.startAll() };
}

function pauseNats({ nats }: World, random: Random): Inflicted {
  const index = random.pick(nats.indexes);
  nats.signal(index, 'SIGSTOP');
  return { victims: [`nats-${index}`], undo: () => nats.signal(index, 'SIGCONT') };
}

/** One server without the others; its clients stay. */
function splitNats({ nats }: World, random: Random): Inflicted {
  const index = random.pick(nats.indexes);
  const routes = nats.routesOf(index);
  const mode: ProxyMode = random.pick([{ kind: 'cut' }, { kind: 'blackhole' }, { kind: 'latency', latencyMs: 300 }]);
  for (const route of routes) route.setMode(mode);
  return {
    victims: [`nats-${index} (${mode.kind})`],
    undo: () => routes.forEach((route) => route.setMode({ kind: 'pass' })),
  };
}

/** All links of one process to NATS, or those to one server. */
function disturbNatsLinks(members: readonly Member[], random: Random): Inflicted {
  const victim = random.pick(members);
  const links = random.chance(0.6) ? victim.toNats : [random.pick(victim.toNats)];
  const mode = random.pick(linkModes(random));
  for (const link of links) link.setMode(mode);
  return {
    victims: [`${victim.name} (${mode.kind}, ${links.length} links)`],
    undo: () => links.forEach((link) => link.setMode({ kind: 'pass' })),
  };
}

function disturbWorker({ workers }: World, random: Random): Inflicted {
  const { name, inbound } = random.pick(workers);
  const mode = random.pick(linkModes(random));
  inbound.setMode(mode);
  return { victims: [`${name} (${mode.kind})`], undo: () => inbound.setMode({ kind: 'pass' }) };
}

function disturbS3Link({ toS3 }: World, random: Random): Inflicted {
  const mode = random.pick([...linkModes(random), { kind: 'truncate', afterBytes: random.below(100_000) } as const]);
  toS3.setMode(mode);
  return { victims: [`s3 (${mode.kind})`], undo: () => toS3.setMode({ kind: 'pass' }) };
}

function s3Errors(world: World, random: Random): Inflicted {
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
  world.s3Fault = () => (random.chance(share) ? fault : undefined);
  return { victims: [`s3 (${fault.kind})`], undo: () => void (world.s3Fault = undefined) };
}

const throttled: S3Fault = { kind: 'status', status: 503, headers: { 'retry-after': '1' } };
/** The other S3 mount is well: see the check `neighboursGoOn`. */
const sickBucket = 'freed';

/** Every request to one of the two buckets. */
function oneStore(world: World, fault: S3Fault): Inflicted {
  world.s3Fault = ({ bucket }) => (bucket === sickBucket ? fault : undefined);
  return { victims: [`s3://${sickBucket}/ (${fault.kind})`], undo: () => void (world.s3Fault = undefined) };
}

function fillDisk({ smallDisk }: World): Inflicted | undefined {
  if (smallDisk === undefined) return undefined;
  smallDisk.fill();
  return { victims: ['worker-3'], undo: () => smallDisk.makeRoom() };
}

/** There is nothing to undo: what a stranger has put into the log stays there. */
async function forge({ stranger }: World, random: Random): Promise<Inflicted> {
  return { victims: [`the log (${await stranger.forge(random)})`], undo: () => undefined };
}

/** Everything at once, as when the power fails; only that what was written stays written. */
async function blackout({ nats, members }: World): Promise<Inflicted> {
  await Promise.all([
    ...nats.indexes.map((index) => nats.kill(index, 'SIGKILL')),
    ...members.map(({ process }) => process.kill9()),
  ]);
  return {
    victims: ['everything'],
    undo: async () => {
      await nats.startAll();
      members.forEach(start);
    },
  };
}
