import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RunningJournal } from './running-journal.js';

describe('RunningJournal', () => {
  let directory: string;
  beforeEach(async () => void (directory = await mkdtemp(path.join(tmpdir(), 'larder-journal-'))));
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** What a process that starts after a crash finds. */
  const restart = () => RunningJournal.open(directory);

  it('fault 12: counts a crash for what was running when the process died, and for nothing else', async () => {
    const first = await restart();
    await first.begin('j', 'poison');
    await first.begin('j', 'bystander');
    const second = await restart();
    expect(second.crashes('poison')).toBe(1);
    expect(second.crashes('bystander')).toBe(1);
    await second.begin('j', 'poison');
    const third = await restart();
    expect(third.crashes('poison')).toBe(2);
    expect(third.crashes('bystander')).toBe(1);
  });

  it('forgets what was settled and does not blame an orderly stop', async () => {
    const first = await restart();
    await first.begin('j', 'settled');
    await first.begin('j', 'interrupted');
    await first.forget('settled');
    await first.interrupt('interrupted');
    expect(await readdir(directory)).toEqual([]);

    await first.begin('j', 'suspect');
    const second = await restart();
    await second.begin('j', 'suspect');
    await second.interrupt('suspect');
    expect((await restart()).suspects()).toEqual([{ jobId: 'j', batchId: 'suspect', crashes: 1, running: false }]);
  });

  it('counts failures that the process survived', async () => {
    const journal = await restart();
    await journal.begin('j', 'b');
    expect(await journal.countFailure('j', 'b')).toBe(1);
    expect(await journal.countFailure('j', 'b')).toBe(2);
    expect((await restart()).crashes('b')).toBe(2);
  });

  it('removes a note that a crash left incomplete', async () => {
    await writeFile(path.join(directory, 'b.json'), '{"jobId":');
    expect((await restart()).suspects()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });
});
