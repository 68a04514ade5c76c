import { connect, headers, type NatsConnection } from 'nats';
import { availableNatsVersions, natsUrlFor, startTestNats, type TestNats, testWalls, until } from '#testing';
import {
  Broadcasts,
  connectNats,
  ensureStreams,
  inboxPrefixOf,
  Names,
  type NatsLink,
  natsUser,
  type Role,
  roles,
  WorkConsumer,
  WorkQueue,
} from '../index.js';

jest.setTimeout(60_000);

const names = new Names();
const { eventStream, workStream, snapshotStream, snapshotBucket } = names;
const streams = [eventStream, workStream, snapshotStream];

/** One subject for each kind of message, stored or not. */
const said = {
  facts: 'larder.evt.batch.job-1.worker-1',
  commands: [
    ...['namespace', 'membership', 'log', 'checkpoint', 'quota', 'file-index'].map((one) => `larder.evt.${one}`),
    ...['job.job-1', 'slot.load.1a2b', 'slot.load', 'batch.job-1', 'batch.a.b.c'].map((one) => `larder.evt.${one}`),
  ],
  work: ['larder.work.worker-1.job-1', 'larder.work.worker-1.job-1.more'],
  snapshots: [`$O.${snapshotBucket}.C.1`, `$O.${snapshotBucket}.M.bmFtZQ==`],
  ofWorkers: ['larder.heartbeat.worker.worker-1', 'larder.progress.worker.worker-1'],
  toWorkers: ['larder.control.workers.log-mark', 'larder.control.worker.worker-1.abort'],
  ofCoordinators: ['larder.heartbeat.coordinator.coordinator-1'],
  toCoordinators: ['larder.control.coordinators.quota-grant', 'larder.control.coordinator.coordinator-1.any'],
  others: [
    'anything',
    'other.evt.namespace',
    'other.work.w.j',
    'larder.other',
    '$SYS.REQ.SERVER.PING',
    '$JS.API.STREAM.LIST',
  ],
};
const everything = Object.values(said).flat();

/** All calls of JetStream's API for a stream, of any role. */
const calls = (stream: string): string[] => [
  ...['INFO', 'CREATE', 'UPDATE', 'DELETE', 'PURGE', 'SNAPSHOT', 'RESTORE'].map(
    (verb) => `$JS.API.STREAM.${verb}.${stream}`,
  ),
  ...['MSG.GET', 'MSG.DELETE', 'LEADER.STEPDOWN', 'PEER.REMOVE'].map((verb) => `$JS.API.STREAM.${verb}.${stream}`),
  ...['INFO', 'DELETE', 'MSG.NEXT', 'CREATE', 'DURABLE.CREATE'].map(
    (verb) => `$JS.API.CONSUMER.${verb}.${stream}.worker-1`,
  ),
  `$JS.API.CONSUMER.CREATE.${stream}.worker-1.larder.work.worker-1.>`,
  `$JS.API.CONSUMER.CREATE.${stream}.r-1.larder.evt.job.*`,
  `$JS.API.CONSUMER.CREATE.${stream}`,
  `$JS.API.DIRECT.GET.${stream}`,
  `$JS.ACK.${stream}.worker-1.1.1.1.1.0`,
];

const creation = streams.flatMap((stream) =>
  ['INFO', 'CREATE', 'UPDATE'].map((verb) => `$JS.API.STREAM.${verb}.${stream}`),
);
const reads = (stream: string) => [
  `$JS.API.STREAM.INFO.${stream}`,
  `$JS.API.STREAM.MSG.GET.${stream}`,
  ...['INFO', 'DELETE', 'MSG.NEXT', 'CREATE'].map((verb) => `$JS.API.CONSUMER.${verb}.${stream}.worker-1`),
  `$JS.API.CONSUMER.CREATE.${stream}.worker-1.larder.work.worker-1.>`,
  `$JS.API.CONSUMER.CREATE.${stream}.r-1.larder.evt.job.*`,
];

/** Those of the subjects above that each role may publish. */
const mayPublish: Record<Role, string[]> = {
  coordinator: [
    ...said.commands.filter((subject) => !subject.startsWith('larder.evt.batch.')),
    ...[said.work, said.snapshots, said.ofCoordinators, said.toWorkers].flat(),
    ...creation,
    ...reads(eventStream),
    ...reads(snapshotStream),
    ...['MSG.GET', 'MSG.DELETE', 'PURGE'].map((verb) => `$JS.API.STREAM.${verb}.${workStream}`),
    `$JS.API.STREAM.PURGE.${snapshotStream}`,
    `$JS.API.CONSUMER.INFO.${workStream}.worker-1`,
  ],
  worker: [
    said.facts,
    ...[said.ofWorkers, said.toCoordinators].flat(),
    ...reads(eventStream),
    `$JS.API.STREAM.INFO.${workStream}`,
    ...['INFO', 'MSG.NEXT'].map((verb) => `$JS.API.CONSUMER.${verb}.${workStream}.worker-1`),
    `$JS.API.CONSUMER.CREATE.${workStream}.worker-1.larder.work.worker-1.>`,
    `$JS.ACK.${workStream}.worker-1.1.1.1.1.0`,
  ],
  admin: [
    ...everything.filter((subject) => /^[a-z]+\.evt\./.test(subject)),
    ...creation,
    ...[...streams, 'other-evt'].flatMap(reads).filter((subject) => !subject.includes('CONSUMER.INFO')),
    '$JS.API.STREAM.CREATE.other-evt',
  ],
  audit: reads(eventStream),
};

const mayHear: Record<Role, string[]> = {
  coordinator: [said.ofWorkers, said.ofCoordinators, said.toCoordinators].flat(),
  worker: said.toWorkers,
  admin: [],
  audit: [],
};

describe.each(availableNatsVersions())('the walls of nats-server %s', (version) => {
  let nats: TestNats;
  let test: NatsConnection;
  const open: NatsConnection[] = [];
  const links: NatsLink[] = [];

  beforeAll(async () => {
    nats = await startTestNats({ version, ...testWalls() });
    test = await connect({ servers: nats.url });
    const link = await linkOf('coordinator');
    await ensureStreams(link, names);
  });
  afterAll(async () => {
    for (const link of links) await link.close();
    for (const nc of [test, ...open]) await nc?.close();
    await nats?.stop();
  });

  async function linkOf(role: Role): Promise<NatsLink> {
    const link = await connectNats({ url: natsUrlFor(role, nats.url), name: role });
    links.push(link);
    return link;
  }

  /** The connection of a stranger who has a role's password, and the subjects that the server forbade it. */
  async function strangerWith(role: Role): Promise<{ nc: NatsConnection; forbidden: Set<string> }> {
    const { username: user, password: pass } = new URL(natsUrlFor(role, nats.url));
    const nc = await connect({ servers: nats.url, user, pass, inboxPrefix: inboxPrefixOf(user), reconnect: false });
    open.push(nc);
    const forbidden = new Set<string>();
    void (async () => {
      for await (const { permissionContext } of nc.status())
        if (permissionContext) forbidden.add(permissionContext.subject);
    })();
    return { nc, forbidden };
  }

  const contents = async () => {
    const jsm = await test.jetstreamManager();
    const infos = await Promise.all(streams.map((stream) => jsm.streams.info(stream)));
    return infos.map(({ config, created, state }) => ({
      config,
      created,
      first: state.first_seq,
      last: state.last_seq,
    }));
  };

  /** @returns those of the subjects that the server forbids */
  async function forbiddenTo(role: Role, act: (nc: NatsConnection) => void): Promise<Set<string>> {
    const { nc, forbidden } = await strangerWith(role);
    act(nc);
    // Forbidden to all roles: the server reports it behind everything that came before it.
    nc.publish('the.end', 'x');
    await until(() => forbidden.delete('the.end'));
    await nc.close();
    return forbidden;
  }

  it.each(roles)('let a %s publish what it needs, and nothing else', async (role) => {
    const subjects = [...everything, ...[...streams, 'other-evt'].flatMap(calls)];
    const allowed = new Set(mayPublish[role]);
    expect([...allowed].filter((subject) => !subjects.includes(subject))).toEqual([]);
    // No call of the API accepts this text as a request, so the allowed ones do no harm.
    const forbidden = await forbiddenTo(role, (nc) => {
      for (const subject of subjects) nc.publish(subject, 'no request');
    });
    expect([...forbidden].sort()).toEqual(subjects.filter((subject) => !allowed.has(subject)).sort());
  });

  it.each(roles)('let a %s receive messages for it, and no answers to others', async (role) => {
    const inboxes = roles.map((one) => `${inboxPrefixOf(natsUser(names, one))}.>`);
    const subjects = [...everything, ...inboxes, '>', 'larder.>', '*.evt.>', '_INBOX.>', '$JS.>', '$SYS.>', '_R_.>'];
    const allowed = [...mayHear[role], inboxes[roles.indexOf(role)]];
    const forbidden = await forbiddenTo(role, (nc) => {
      for (const subject of subjects) nc.subscribe(subject, { callback: () => undefined });
    });
    expect([...forbidden].sort()).toEqual(subjects.filter((subject) => !allowed.includes(subject)).sort());
  });

  /** NATS sends an answer wherever the requester says, with the server's own rights. */
  it.each(['worker', 'admin', 'audit'] as const)('let a %s write nothing through reply subjects', async (role) => {
    const { nc } = await strangerWith(role);
    const jsm = await nc.jetstreamManager({ checkAPI: false });
    await test.jetstream().publish(said.facts, JSON.stringify({ forged: true }));
    const consumer = { ack_policy: 'none', deliver_policy: 'all', mem_storage: true, inactive_threshold: 30e9 };
    const before = await contents();
    const targets = [
      ...[said.commands, said.work, said.snapshots].flat(),
      ...streams.flatMap((stream) =>
        ['DELETE', 'PURGE', 'MSG.DELETE'].map((verb) => `$JS.API.STREAM.${verb}.${stream}`),
      ),
    ];
    for (const [i, reply] of targets.entries()) {
      nc.publish('$JS.API.INFO', undefined, { reply });
      nc.publish(`$JS.API.STREAM.MSG.GET.${eventStream}`, JSON.stringify({ seq: 1 }), { reply });
      for (const filter_subject of ['larder.evt.batch.>', 'larder.evt.none']) {
        const name = `r-${role}-${i}-${filter_subject.length}`;
        await jsm.consumers.add(eventStream, { ...consumer, name, filter_subject } as never);
        const next = `$JS.API.CONSUMER.MSG.NEXT.${eventStream}.${name}`;
        nc.publish(next, JSON.stringify({ batch: 5, no_wait: true }), { reply });
      }
      // A consumer that pushes: it is refused, or delivers to no one.
      const pushed = { ...consumer, name: `p-${role}-${i}`, deliver_subject: reply };
      await jsm.consumers.add(eventStream, pushed as never).catch(() => undefined);
    }
    await nc.flush();
    await expect(jsm.streams.info(eventStream)).resolves.toBeDefined();
    expect(await contents()).toEqual(before);
  });

  it('let a worker’s facts in, and their acknowledgements only back to it', async () => {
    const { nc } = await strangerWith('worker');
    const ack = await nc.jetstream().publish(said.facts, 'a fact', { msgID: 'fact-1' });
    const before = await contents();
    for (const reply of [...said.commands, ...said.work, `$JS.API.STREAM.PURGE.${workStream}`]) {
      nc.publish(said.facts, 'a fact', { reply, headers: withId('fact-1') });
    }
    await nc.flush();
    const again = await nc.jetstream().publish(said.facts, 'a fact', { msgID: 'fact-1' });
    expect(again).toMatchObject({ duplicate: true, seq: ack.seq });
    expect(await contents()).toEqual(before);
  });

  it('carry requests and their answers between coordinators and workers', async () => {
    const [coordinator, ...workers] = await Promise.all((['coordinator', 'worker', 'worker'] as const).map(linkOf));
    for (const [i, link] of workers.entries())
      new Broadcasts(link).respond(names.workersControl('who'), () => `worker ${i}`);
    new Broadcasts(coordinator).respond(names.coordinatorsControl('grant'), (value) => ({ granted: value }));
    await Promise.all([coordinator, ...workers].map(({ nc }) => nc.flush()));
    const options = { expected: 2, timeoutMs: 5_000 };
    const answers = await new Broadcasts(coordinator).requestAll(names.workersControl('who'), {}, options);
    expect(answers).toEqual(expect.arrayContaining([{ value: 'worker 0' }, { value: 'worker 1' }]));
    const grant = new Broadcasts(workers[0]).request(names.coordinatorsControl('grant'), 7, 5_000);
    await expect(grant).resolves.toEqual({ granted: 7 });
    const beats: unknown[] = [];
    new Broadcasts(coordinator).subscribe(names.workerHeartbeats, (value) => beats.push(value));
    await coordinator.nc.flush();
    new Broadcasts(workers[0]).publish(names.workerHeartbeat('w-1'), 'beat');
    await until(() => beats.length === 1);
  });

  /** More batches than are requested over one inbox. */
  it('carry all work to a worker, each batch once', async () => {
    const [coordinator, worker] = [await linkOf('coordinator'), await linkOf('worker')];
    const count = 2_500;
    const queue = new WorkQueue(coordinator, names);
    const batches = Array.from({ length: count }, (_, i) => `batch-${i}`);
    await Promise.all(batches.map((id) => queue.publish('w-2', 'job', id, 1, Buffer.from(id))));
    const handled: string[] = [];
    const consumer = new WorkConsumer(worker, names, 'w-2');
    consumer.run({
      maxConcurrent: 1,
      prefetch: 1,
      handle: async (message) => {
        handled.push(Buffer.from(message.bytes).toString());
        await message.ack();
      },
    });
    await until(() => handled.length >= count);
    await consumer.stop({ drain: true });
    expect(handled).toEqual(batches.filter((id) => handled.includes(id)));
    expect(new Set(handled).size).toBe(count);
  });

  it('let no client in without the right password', async () => {
    const { accounts } = testWalls();
    const closed = await startTestNats({ version, accounts });
    try {
      const coordinator = natsUser(names, 'coordinator');
      for (const credentials of [{}, { token: 'x' }, { user: coordinator }, { user: coordinator, pass: 'x' }]) {
        const attempt = connect({ servers: closed.url, reconnect: false, ...credentials });
        await expect(attempt).rejects.toThrow(/authorization/i);
      }
      await (await connectNats({ url: natsUrlFor('audit', closed.url), name: 'audit' })).close();
    } finally {
      await closed.stop();
    }
  });
});

function withId(id: string) {
  const made = headers();
  made.set('Nats-Msg-Id', id);
  return made;
}
