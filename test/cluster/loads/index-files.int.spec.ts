import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSuite, expectCacheEqualsSource, FileTree } from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from '../support/counts.js';

const MiB = 1024 * 1024;

clusterSuite(
  'load of an index file',
  {
    // V8 collects garbage late when there is much memory. The test must measure what the process needs.
    env: { NODE_OPTIONS: '--max-old-space-size=96' },
    testTimeoutMs: 120_000,
  },
  ({ cluster, test }) => {
    let scratch: string;
    let tree: FileTree;

    beforeAll(async () => {
      scratch = mkdtempSync(join(tmpdir(), 'larder-index-'));
      tree = FileTree.create(join(scratch, 'tree'), {
        seed: 2,
        smallFiles: 4000,
        smallMaxBytes: 300,
        withOddNames: true,
      });
      await cluster.api.mount('/files', `file://${scratch}/`);
    });

    afterAll(() => rmSync(scratch, { recursive: true, force: true }));

    test('fault 16: counts exactly with CRLF, a byte-order mark, blank, repeated, foreign and missing lines', async () => {
      const files = tree.below(tree.fileRoot);
      const good = files.map(({ path }) => path);
      const doubles = good.slice(0, 300);
      // The path of a file in the namespace means the same file as its UFS path.
      const aliases = good.slice(300, 350).map((path) => path.replace(`file://${scratch}/`, '/files/'));
      const outside = Array.from({ length: 150 }, (_, i) => `file:///elsewhere/${i}`);
      const climbing = Array.from({ length: 50 }, (_, i) => `${tree.fileRoot}../../${i}`);
      const missing = Array.from({ length: 100 }, (_, i) => `${tree.fileRoot}small/00/missing-${i}`);
      const blank = [...Array.from({ length: 200 }, () => ''), ...Array.from({ length: 136 }, () => '  ')];
      const rest = [...doubles, ...aliases, ...outside, ...climbing, ...missing, ...blank];
      const lines = interleave(good, rest);
      expect(lines).toHaveLength(5000);
      const text = lines.map((line, i) => line + (i % 3 === 0 ? '\r\n' : '\n')).join('');
      // The last line has no newline.
      writeFileSync(join(scratch, 'mixed.idx'), `\ufeff${text.trimEnd()}`);

      const id = await cluster.api.load({ index: '/files/mixed.idx' });
      const done = await cluster.api.waitForJob(id, { seen: expectProgressToGrow() });

      const failed = [...outside, ...climbing, ...missing];
      expect(done).toMatchObject({ state: 'FAILED', loadedFiles: good.length, failedFiles: failed.length });
      expectCountsToAddUp(done, { files: good.length + failed.length, bytes: tree.totalBytes });
      const named = (await cluster.api.failedFiles(id)).map(({ path }) => path);
      expect(named.sort()).toEqual(failed.sort());
      await expectCacheEqualsSource(cluster, files);
    });

    test('fault 16: reads a million lines as a stream while the coordinator keeps answering', async () => {
      const index = join(scratch, 'million.idx');
      const wanted = tree.below(tree.fileRoot).slice(0, 100);
      const out = createWriteStream(index);
      out.write('\ufeff');
      for (let i = 0; i < 1_000_000; i += 10_000) {
        const lines = Array.from({ length: 9_999 }, (_, j) => `${tree.fileRoot}no/such/directory/${i + j}.skip\r\n`);
        // Blank lines, and a line that occurred before.
        const odd = `\r\n   \n${wanted[Math.floor(i / 20_000)].path}\n`;
        if (!out.write(`${lines.join('')}${i === 0 ? '' : odd}${wanted[i / 10_000].path}`)) await once(out, 'drain');
        // The last line has no newline.
        if (i < 990_000) out.write('\n');
      }
      out.end();
      await once(out, 'close');
      const { pid } = cluster.coordinators[0].process;
      const before = residentBytes(pid!);
      let largest = before;
      let answers = 0;

      const id = await cluster.api.load({ index: '/files/million.idx', options: { fileFilterRegex: '.*\\.dat' } });
      const done = await cluster.api.waitForJob(id, {
        timeoutMs: 110_000,
        seen: (progress) => {
          largest = Math.max(largest, residentBytes(pid!));
          if (progress.state === 'RUNNING' && progress.scannedFiles > 0) answers++;
        },
      });

      expect(done).toMatchObject({
        state: 'SUCCEEDED',
        scannedFiles: 1_000_000,
        filteredFiles: 999_900,
        loadedFiles: 100,
      });
      expect(answers).toBeGreaterThan(3);
      expect((largest - before) / MiB).toBeLessThan(64);
    });
  },
);

/** The items of `a` in order, with the items of `b` spread between them. */
function interleave(a: readonly string[], b: readonly string[]): string[] {
  const result = a.slice(0, 1);
  let taken = 0;
  for (let i = 1; i < a.length; i++) {
    while (taken < Math.ceil((i * b.length) / a.length)) result.push(b[taken++]);
    result.push(a[i]);
  }
  return [...result.slice(0, -1), ...b.slice(taken), ...result.slice(-1)];
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1024;
}
