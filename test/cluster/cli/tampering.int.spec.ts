import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageDigest } from '#jetstream';
import { connect } from 'nats';
import { clusterKeys, clusterSuite, eventually, FileTree } from '#testing';
import { changed, type Forged, readBackupText, writeForgedBackup, writeForgedLog } from './support/forgery.js';
import { larder, larderWell } from './support/run-larder.js';

jest.setTimeout(180_000);

const env = { LARDER_CHECKPOINT_EVERY: '20', LARDER_CHECKPOINT_MS: '86400000' };

clusterSuite('the audit of a log after tampering', { env, testTimeoutMs: 180_000 }, ({ cluster, test }) => {
  let directory: string;
  let backup: string;
  let header: Record<string, unknown>;
  let messages: Forged[];
  /** A message in the middle, which checkpoints cover, and the last one that only its chain protects. */
  let covered: number;
  let uncovered: number;

  /** The log of a cluster that did some work, read from its own backup. */
  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'larder-tampering-'));
    backup = path.join(directory, 'true.gz');
    FileTree.create(path.join(directory, 'source'), { seed: 2, smallFiles: 60, smallMaxBytes: 10 });
    await cluster.api.mount('/data', `file://${path.join(directory, 'source')}`);
    const id = await cluster.api.load({ paths: ['/data'], options: { batchSize: 1 } });
    await cluster.api.waitForJob(id);
    // The speed of the job decides how much one checkpoint covers. So this writes more until there are three checkpoints
    // and room for two messages before the next.
    let filler = 0;
    await eventually('three checkpoints are there, and the next one is not due', async () => {
      const text = await larderWell(['audit', 'verify', '--nats', cluster.natsUrlFor('admin')]);
      const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
      const behind = number(/: (\d+) messages/) - number(/proven through (\d+)/);
      if (number(/by (\d+) checkpoints/) >= 3 && behind <= 15) return true;
      filler += 1;
      await cluster.api.mount(`/filler-${filler}`, `file://${directory}/filler-${filler}`);
      return false;
    });
    // Two more commits on one boundary, behind the last checkpoint.
    for (const name of ['x', 'y']) await cluster.api.mount(`/${name}`, `file://${directory}/${name}`);
    await larderWell(['backup', '--nats', cluster.natsUrlFor('admin'), '--out', backup]);
    ({ header, messages } = readBackupText(backup));
    covered = 30;
    uncovered = messages.findIndex(({ text }) => text.includes('"path":"/x/"')) + 1;
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const before = (sequence: number) => messages.slice(0, sequence - 1);

  /** A made-up commit that names the digest of the commit before it. */
  function slippedInAt(sequence: number): Forged[] {
    const model = messages[sequence - 1];
    const last = before(sequence).findLast(({ boundary }) => boundary === model.boundary);
    const prev = last ? messageDigest(last.boundary, Buffer.from(last.text)) : '';
    const envelope = { ...(JSON.parse(model.text) as { events: { id: string }[] }), id: 'never', prev };
    envelope.events[0].id = 'never';
    return messages.toSpliced(sequence - 1, 0, { ...model, text: JSON.stringify(envelope) });
  }

  const tamperings: [string, () => Forged[], () => string][] = [
    ['changed', () => messages.with(covered - 1, changed(messages[covered - 1])), () => `changed at ${covered}`],
    ['removed', () => messages.toSpliced(covered - 1, 1), () => `removed at ${covered}`],
    ['inserted', () => slippedInAt(covered), () => `inserted at ${covered}`],
    [
      'changed behind the last checkpoint',
      () => messages.with(uncovered - 1, changed(messages[uncovered - 1])),
      () => `altered at ${uncovered} (or after it, through ${uncovered + 1})`,
    ],
    ['inserted behind the last checkpoint', () => slippedInAt(uncovered), () => `inserted at ${uncovered}`],
  ];

  describe.each(tamperings)('finds a message that was %s', (name, tampered, expected) => {
    test('in a backup with matching count, root and checksum', async () => {
      const file = path.join(directory, `${name.replaceAll(' ', '-')}.gz`);
      writeForgedBackup(file, { header, messages: tampered() });
      const { code, stdout } = await larder(['audit', 'verify', '--in', file, '--keys'], clusterKeys);
      expect(stdout).toContain(`FAULT: ${expected()}`);
      expect(stdout).toMatch(/the message there is on \S+: [A-Z]\w+ at \S+ by \S+|in its place is on /);
      expect(code).toBe(1);
      // A restore refuses it.
      const restore = await larder([
        'restore',
        '--nats',
        cluster.natsUrlFor('admin'),
        '--cluster',
        'never',
        '--in',
        file,
      ]);
      expect(restore).toMatchObject({ code: 1, stderr: expect.stringContaining('was tampered with') as string });
    });

    test('in a log that was rewritten in NATS, also by comparison with a backup', async () => {
      const other = `forged-${name.replaceAll(' ', '-').slice(0, 24)}`;
      await writeForgedLog(cluster.nats.url, other, tampered());
      const command = ['audit', 'verify', '--nats', cluster.natsUrlFor('admin'), '--cluster', other];
      const { code, stdout } = await larder([...command, '--keys'], clusterKeys);
      expect(stdout).toContain(`FAULT: ${expected()}`);
      expect(code).toBe(1);
      const against = await larder([...command, '--against', backup]);
      expect(against.stdout).toMatch(new RegExp(`FAULT: \\w+ at ${/\d+/.exec(expected())![0]}:`));
      expect(against.code).toBe(1);
    });
  });

  test('finds a lost end by comparison with a backup and with a root that was recorded elsewhere', async () => {
    await writeForgedLog(cluster.nats.url, 'shortened', messages.slice(0, -1));
    const command = ['audit', 'verify', '--nats', cluster.natsUrlFor('admin'), '--cluster', 'shortened'];
    await larderWell([...command, '--keys'], clusterKeys);
    const { code, stdout } = await larder([...command, '--against', backup]);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringContaining(`FAULT: removed at ${messages.length}`) as string,
    });
    const sequence = messages.length - 1;
    const root = /root (\S+)/.exec(await larderWell(command))![1];
    await larderWell([...command, '--anchor', `${sequence}:${root}`]);
    const wrong = await larder([...command, '--anchor', `${sequence}:${root.replace(/./g, '0')}`]);
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringContaining('The root noted elsewhere') as string });
  });

  test('names the gap after a message was removed from the stream by hand', async () => {
    await writeForgedLog(cluster.nats.url, 'gap', messages);
    const nc = await connect({ servers: cluster.nats.url });
    try {
      const jsm = await nc.jetstreamManager();
      // Our streams forbid it, but the operator of NATS can create one that allows it. This test removes the beginning.
      await jsm.streams.purge('gap-evt', { seq: 3 });
    } finally {
      await nc.close();
    }
    const { code, stdout } = await larder([
      'audit',
      'verify',
      '--nats',
      cluster.natsUrlFor('admin'),
      '--cluster',
      'gap',
    ]);
    expect(stdout).toContain('FAULT: removed at 1: The sequences from here through 2 are missing');
    expect(code).toBe(1);
  });

  test('finds no fault in the true log, nor in a rewritten backup of it', async () => {
    const file = path.join(directory, 'copy.gz');
    writeForgedBackup(file, { header, messages });
    for (const which of [
      ['--in', file],
      ['--nats', cluster.natsUrlFor('admin'), '--against', file],
    ]) {
      expect(await larderWell(['audit', 'verify', ...which, '--keys'], clusterKeys)).toContain('(signed)');
    }
  });
});
