import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  clusterSuite,
  content,
  eventually,
  expectCacheEqualsSource,
  keys,
  sha256,
  type SourceFile,
  type TestCluster,
} from '#testing';
import { expectCountsToAddUp } from '../../cluster/support/counts.js';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

clusterSuite('input that is meant to do harm', { testTimeoutMs: 60_000 }, ({ cluster, s3, test }) => {
  test('fault 17, fault 20: keys that climb, and keys that look alike: the former fail one by one, the latter are all there', async () => {
    const good = [
      '🎈',
      '\u00e9',
      'e\u0301',
      'a%2Fb',
      'a/b',
      'a+b',
      'a b',
      'a%20b',
      'd',
      'd/',
      'd//',
      'n'.repeat(300),
      '%00',
    ];
    const bad = ['../up', 'a/../../up', './here', 'nul\u0000', 'a/./b'];
    const files = await s3.bucket(cluster, 'names', []);
    for (const key of good) files.push(await s3.put('names', key, content(key, 500)));
    for (const key of bad) await s3.put('names', key, content(key, 500));
    const before = filesBesideCaches(cluster);
    const id = await cluster.api.load({ paths: ['/names'] });
    const done = await cluster.api.waitForJob(id);
    expect(done).toMatchObject({ state: 'FAILED', loadedFiles: good.length, failedFiles: bad.length });
    expectCountsToAddUp(done, { files: good.length + bad.length });
    const failures = await cluster.api.failedFiles(id);
    expect(failures).toHaveLength(bad.length);
    for (const { reason } of failures) expect(reason.length).toBeGreaterThan(10);
    await expectCacheEqualsSource(cluster, files);
    expect(filesBesideCaches(cluster)).toEqual(before);
  });

  test('fault 17: links that lead out of a mount are not followed', async () => {
    const root = join(cluster.directory, 'linked');
    mkdirSync(join(root, 'inside'), { recursive: true });
    mkdirSync(join(cluster.directory, 'outside'));
    const secret = join(cluster.directory, 'outside', 'secret');
    writeFileSync(secret, 'nobody mounted this');
    writeFileSync(join(root, 'inside', 'file'), 'this is mounted');
    symlinkSync(secret, join(root, 'to-file'));
    symlinkSync(join(cluster.directory, 'outside'), join(root, 'to-directory'));
    symlinkSync('../../outside/secret', join(root, 'inside', 'relative'));
    await cluster.api.mount('/linked', `file://${root}/`);
    const done = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/linked'] }));
    expect(done).toMatchObject({ state: 'FAILED', loadedFiles: 1 });
    expectCountsToAddUp(done, { files: done.scannedFiles });
    const bytes = Buffer.from('this is mounted');
    const file: SourceFile = {
      path: `file://${root}/inside/file`,
      sizeBytes: bytes.length,
      sha256: sha256(bytes),
    };
    await expectCacheEqualsSource(cluster, [file], { others: 'any' });
    for (const path of [`file://${root}/to-file`, `file://${root}/to-directory/secret`, `file://${secret}`]) {
      expect(await cluster.readObject(path).catch(() => undefined)).toBeUndefined();
    }
  });

  test('fault 18: a filter that stalls backtracking engines costs nothing, over thousands of names made for it', async () => {
    // For a backtracking engine each name takes 2^60 steps; one of them would keep the coordinator busy for good.
    const names = keys(3000).map((key) => `${'a'.repeat(60)}${key.replace('/', '-')}!`);
    await s3.bucket(cluster, 'regex', names, 10);
    for (const pattern of ['(a+)+$', '(a|aa)+$', '(.*a){20}$', '([a-zA-Z]+)*$']) {
      const id = await cluster.api.load({ paths: ['/regex'], options: { fileFilterRegex: pattern } });
      const done = await cluster.api.waitForJob(id, { timeoutMs: 30_000 });
      expect(done).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 3000, filteredFiles: 3000, loadedFiles: 0 });
    }
    // What such an engine cannot do in linear time it does not take at all.
    for (const pattern of ['(a)\\1', '(?=a)b', '(?<=a)b', '('.repeat(2000)]) {
      const refused = await cluster.api.postLoad({ paths: ['/regex'], options: { fileFilterRegex: pattern } });
      expect({ pattern, status: refused.status }).toEqual({ pattern, status: 400 });
    }
  });

  test('fault 19: a body of 1 GB is refused before its first byte when announced, long before its last otherwise, in a memory that stays flat', async () => {
    const pid = cluster.coordinators[0].process.pid!;
    await send('Transfer-Encoding: chunked', 2 * MiB);
    const before = residentBytes(pid);
    let largest = before;
    for (const path of ['/api/v1/load', '/api/v1/mount', '/api/v1/free']) {
      const announced = await send(`Content-Length: ${GiB}`, 0, path);
      expect({ path, status: announced.status }).toEqual({ path, status: 413 });
      const { status, sentBytes } = await send('Transfer-Encoding: chunked', GiB, path);
      // Whoever goes on sending may see the connection reset before they have read the answer.
      expect([413, undefined]).toContain(status);
      expect(sentBytes).toBeLessThan(64 * MiB);
      largest = Math.max(largest, residentBytes(pid));
    }
    expect(largest - before).toBeLessThan(48 * MiB);
    expect((await cluster.api.request('GET', '/mount')).status).toBe(200);
  });

  /** Sends so much of a body unless the server ends the connection before. @returns the status, if there was one */
  async function send(length: string, bodyBytes: number, path = '/api/v1/load') {
    const socket = connect(Number(new URL(cluster.api.baseUrl).port), '127.0.0.1');
    let answer = '';
    let ended = false;
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
    socket.on('error', () => undefined); // the reset of a server that has said what it has to say
    socket.on('close', () => (ended = true));
    await once(socket, 'connect');
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`);
    const chunk = Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`);
    let sentBytes = 0;
    for (; !ended && answer === '' && sentBytes < bodyBytes; sentBytes += 0x10000) {
      if (socket.write(chunk)) await new Promise((next) => setImmediate(next));
      else await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    }
    await eventually('there is an answer or an end', () => answer.includes('\r\n\r\n') || ended);
    socket.destroy();
    const [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
    return { status: status === undefined ? undefined : Number(status), sentBytes };
  }
});

/** Of what lies in the cluster's directory, everything but the caches themselves and the logs. */
function filesBesideCaches(cluster: TestCluster): string[] {
  return readdirSync(cluster.directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^(worker-\d+|logs)\//.test(name))
    .sort();
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1024;
}
