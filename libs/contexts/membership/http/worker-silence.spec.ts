import type { Worker } from '../index.js';
import { WorkerSilence } from './worker-silence.js';

const timeoutMs = 1000;
const graceMs = 500;
let nowMs: number;
let silence: WorkerSilence;

beforeEach(() => {
  nowMs = 0;
  silence = new WorkerSilence(timeoutMs, () => nowMs);
});

const worker = (status: Worker['status'], bootId = 'b1'): Worker => ({
  workerId: 'w',
  address: 'h:1',
  bootId,
  capacityBytes: 1,
  version: '1',
  status,
});

it('a worker that is known only from the log is silent since this process began to listen', () => {
  silence.learn([worker('online')]);
  nowMs = timeoutMs;
  expect(silence.isSilent('w')).toBe(false);
  nowMs = timeoutMs + 1;
  expect([silence.isSilent('w'), silence.isSilent('w', graceMs)]).toEqual([true, false]);
  nowMs = timeoutMs + graceMs + 1;
  expect(silence.isSilent('w', graceMs)).toBe(true);
});

it('a heartbeat at another process counts, from its event in the log on', () => {
  silence.learn([worker('online')]);
  nowMs = 2000;
  silence.learn([worker('offline')]);
  expect(silence.isSilent('w')).toBe(true);
  silence.learn([worker('online')]);
  expect(silence.isSilent('w')).toBe(false);
});

it('each contradiction doubles the patience, up to a bound; a heartbeat ends it', () => {
  silence.learn([worker('online')]);
  const patience = [1, 2, 4, 8, 8, 8].map((times) => {
    nowMs += timeoutMs * times;
    const before = silence.isSilent('w');
    nowMs += 1;
    const after = silence.isSilent('w');
    // The worker was silent and came back: between two looks, or with a look at each state.
    if (times % 2 === 0) silence.learn([worker('offline')]);
    silence.learn([worker('online')]);
    return [before, after];
  });
  expect(patience).toEqual(Array(6).fill([false, true]));
  silence.hear('w');
  nowMs += timeoutMs + 1;
  expect(silence.isSilent('w')).toBe(true);
});

it('another process of the worker, or one that is also heard here, is no contradiction', () => {
  silence.learn([worker('online')]);
  silence.learn([worker('offline')]);
  silence.learn([worker('online', 'b2')]);
  silence.hear('w');
  silence.learn([worker('offline', 'b2')]);
  silence.learn([worker('online', 'b2')]);
  nowMs = timeoutMs + 1;
  expect(silence.isSilent('w')).toBe(true);
});

it('the same state again changes nothing', () => {
  const same = worker('online');
  silence.learn([same]);
  nowMs = timeoutMs + 1;
  silence.learn([same]);
  expect(silence.isSilent('w')).toBe(true);
});

it('no worker becomes silent while this process hears nothing', () => {
  silence.learn([worker('online')]);
  silence.suspend();
  nowMs = 10 * timeoutMs;
  expect(silence.isSilent('w')).toBe(false);
  silence.resume();
  nowMs += timeoutMs;
  expect(silence.isSilent('w')).toBe(false);
  silence.forgive(timeoutMs);
  nowMs += timeoutMs;
  expect(silence.isSilent('w')).toBe(false);
  nowMs += 1;
  expect(silence.isSilent('w')).toBe(true);
});
