import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MarkFile } from './mark-file.js';

describe('a mark on disk', () => {
  let directory: string;
  let file: string;
  const complaints: string[] = [];
  const open = () => MarkFile.open(file, (line) => complaints.push(line));
  const onDisk = async () => JSON.parse(await readFile(file, 'utf8')) as unknown;

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'larder-mark-'));
    file = path.join(directory, 'log-mark.json');
    complaints.length = 0;
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const commit = (sequence: number, boundary: string, data: Record<string, unknown> = {}) => {
    const event = {
      id: 'e',
      type: 'LogStarted',
      v: 1,
      at: '2026-01-02T03:04:05.000Z',
      actor: 't',
      requestId: 'r',
      data,
    };
    return { sequence, boundary, events: [event] };
  };

  it('is not written before its log is known', async () => {
    const mark = await open();
    mark.saw(12);
    expect(mark.mark).toBeUndefined();
    await mark.flush();
    expect(await readdir(directory)).toEqual([]);
    mark.follow(commit(3, 'log', { logId: 'a' }));
    expect(mark.mark).toEqual({ logId: 'a', sequence: 12 });
    await mark.flush();
    expect(await onDisk()).toEqual({ logId: 'a', sequence: 12 });
  });

  it('only advances, also over restarts', async () => {
    const first = await open();
    first.identify('a');
    first.saw(100);
    await first.flush();
    const second = await open();
    expect(second.mark).toEqual({ logId: 'a', sequence: 100 });
    second.follow(commit(3, 'namespace'));
    second.follow(commit(5, 'log', { logId: 'a' }));
    await second.flush();
    expect(await onDisk()).toEqual({ logId: 'a', sequence: 100 });
    second.saw(101);
    await second.flush();
    expect(await onDisk()).toEqual({ logId: 'a', sequence: 101 });
  });

  it('begins again at the mark of a log that continues another', async () => {
    const before = await open();
    before.identify('a');
    before.saw(1200);
    await before.flush();
    const after = await open();
    after.follow(commit(1, 'log', { logId: 'a' }));
    after.follow(commit(901, 'log', { logId: 'b' }));
    expect(after.mark!.logId).toBe('b');
    after.saw(905);
    await after.flush();
    expect(await onDisk()).toEqual({ logId: 'b', sequence: 905 });
  });

  it('is written by itself within about a second', async () => {
    const mark = await open();
    mark.identify('a');
    for (let sequence = 1; sequence <= 50; sequence++) mark.saw(sequence);
    for (;;) {
      const text = await readFile(file, 'utf8').catch(() => '');
      if (text.includes('50')) break;
      await new Promise((again) => setTimeout(again, 20));
    }
    expect(await readdir(directory)).toEqual(['log-mark.json']);
  });

  it('is refused with its name when its file holds no mark', async () => {
    await writeFile(file, '{"logId": 7}');
    await expect(open()).rejects.toMatchObject({ kind: 'Malformed', code: 'log-mark-unreadable' });
    await expect(open()).rejects.toThrow(file);
  });

  it('fault 7: is reported once when it cannot be written, and leaves nothing behind', async () => {
    const mark = await MarkFile.open(path.join(directory, 'sub', 'log-mark.json'), (line) => complaints.push(line));
    mark.identify('a');
    await mark.flush();
    mark.saw(2);
    await mark.flush();
    expect(complaints).toHaveLength(1);
    expect(await readdir(directory)).toEqual([]);
    expect(mark.mark).toEqual({ logId: 'a', sequence: 2 });
  });
});
