import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { messageDigest, Names } from '#jetstream';
import { eventually, FileTree, startCluster, type TestCluster } from '#testing';
import { larder } from '../cli/support/run-larder.js';

jest.setTimeout(180_000);

const keys = { LARDER_SECRET_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}` };
const names = new Names();
const namespace = names.eventSubject('namespace');

let directory: string;
let cluster: TestCluster;
/** Has the credentials of the coordinators, and none of the keys. */
let stranger: NatsConnection;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'larder-forgeries-'));
  for (const name of ['source', 'other']) {
    FileTree.create(path.join(directory, name), { seed: 3, smallFiles: 5, smallMaxBytes: 10 });
  }
  cluster = await startCluster();
  stranger = await connect({
    servers: cluster
      .natsUrlFor('coordinator')
      .split(',')
      .map((url) => url.replace(/.*@/, '')),
    user: 'larder-coordinator',
    pass: 'password-of-coordinator',
    inboxPrefix: '_INBOX_larder-coordinator',
  });
  await cluster.api.mount('/true', `file://${directory}/source`);
});
afterAll(async () => {
  await stranger?.close();
  await cluster?.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const audit = (...args: string[]) => larder(['audit', ...args, '--nats', cluster.natsUrlFor('admin')], keys);

async function lastOnNamespace(): Promise<Buffer> {
  const jsm = await stranger.jetstreamManager();
  const { data } = await jsm.streams.getMessage(names.eventStream, { last_by_subj: namespace });
  return Buffer.from(data);
}

/** A mount of `/forged` that looks like the real one, without a signature. */
function forgedMount(real: Buffer, prev: string): string {
  const text = real.toString();
  const envelope = JSON.parse(text.slice(0, text.lastIndexOf('}') + 1)) as Record<string, unknown>;
  const { sig: _sig, ...unsigned } = envelope;
  return JSON.stringify({ ...unsigned, id: `forged-${prev.slice(0, 8)}`, prev }).replaceAll('/true/', '/forged/');
}

it('what a stranger publishes is void, bricks nothing, and is named until it is on record', async () => {
  const real = await lastOnNamespace();
  const js = stranger.jetstream();
  const sequences: number[] = [];
  const publish = async (boundary: string, data: string | Buffer) =>
    sequences.push((await js.publish(names.eventSubject(boundary), data)).seq);
  await publish('namespace', forgedMount(real, messageDigest('namespace', real)));
  await publish('namespace', forgedMount(real, '0'.repeat(64)));
  await publish('namespace', real);
  await publish('membership', real);
  for (const boundary of ['namespace', 'log', 'membership', 'checkpoint']) await publish(boundary, 'not json');

  await eventually('the quarantine has them all', async () => {
    const answer = await fetch(`${cluster.api.baseUrl}/readyz`);
    const body = (await answer.json()) as { quarantine?: { count: number } };
    return body.quarantine?.count === sequences.length;
  });
  const mounts = await cluster.api.request('GET', '/mount');
  expect(JSON.stringify(mounts.body)).toContain('/true');
  expect(JSON.stringify(mounts.body)).not.toContain('/forged');

  await cluster.api.mount('/after', `file://${directory}/other`);
  await cluster.api.waitForJob(await cluster.api.load({ paths: ['/after'] }));

  const found = await audit('verify');
  for (const sequence of sequences) expect(found.stdout).toContain(`VOID at ${sequence} on `);
  expect(found.code).toBe(1);
  expect(await audit('void', '--reason', 'published by a test')).toMatchObject({ code: 0 });
  expect(await audit('verify')).toMatchObject({ code: 0 });
  expect(await audit('verify', '--anchor', `999999:${'0'.repeat(64)}`)).toMatchObject({ code: 1 });
});
