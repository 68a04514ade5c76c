import { batchSettledSchema, type WorkBatch } from '#contexts/jobs';
import { settlementOf } from './settlement.js';

const batch: WorkBatch = {
  v: 2,
  jobId: 'j1',
  kind: 'load',
  batchId: 'b1',
  pass: 'main',
  epoch: 3,
  attempt: 2,
  copy: 0,
  namespaceSequence: 1,
  options: {},
  root: 's3://bucket/',
  files: [],
};

function settle(failures: { path: string; reason: string; attempts: number }[], maxBytes: number) {
  const { event, ...rest } = settlementOf(
    batch,
    'w1',
    { counts: { failedFiles: failures.length }, failures },
    maxBytes,
  );
  const bytes = Buffer.byteLength(JSON.stringify(event.data));
  return { ...rest, data: batchSettledSchema.parse(event.data), bytes };
}

describe('settlementOf', () => {
  it('carries the batch’s own epoch and attempt, and the same ids every time', () => {
    const { boundary, dedupeId, data } = settle([], 1000);
    expect(boundary).toBe('batch.j1.w1');
    expect(dedupeId).toBe('settled.b1.2');
    expect(data).toMatchObject({ jobId: 'j1', batchId: 'b1', workerId: 'w1', epoch: 3, attempt: 2 });
  });

  it.each([2_000_000, 400_000, 120_000])('fits %i bytes by cutting reasons, never counts or paths', (maxBytes) => {
    const failures = Array.from({ length: 1000 }, (_, i) => ({
      path: `s3://bucket/${'"é'.repeat(10)}${i}`,
      reason: '”'.repeat(300),
      attempts: 5,
    }));
    const { data, bytes } = settle(failures, maxBytes);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
    expect(data.counts).toEqual({ failedFiles: 1000 });
    expect(data.failures.map(({ path }) => path)).toEqual(failures.map(({ path }) => path));
  });

  it('names as many files as fit when the paths alone are too long', () => {
    const failures = Array.from({ length: 100 }, () => ({ path: 'x'.repeat(1900), reason: 'r', attempts: 1 }));
    const { data, bytes } = settle(failures, 50_000);
    expect(bytes).toBeLessThanOrEqual(50_000);
    expect(data.failures.length).toBeGreaterThan(20);
    expect(data.counts).toEqual({ failedFiles: 100 });
  });
});
