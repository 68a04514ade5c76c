import fs from 'node:fs';
import { consoleLine, ProcessLog } from './process-log.js';
import { temporaryDirectory } from './spec-support/temporary-directory.js';

describe('consoleLine', () => {
  it.each([
    ['stdout', '{"level":"info","msg":"routine"}', undefined],
    ['stdout', '{"level":"warn","msg":"the disk is nearly full"}', 'worker-1  WARN   the disk is nearly full'],
    ['stderr', '{"level":"error","msg":"broken"}', 'worker-1  ERROR  broken'],
    ['stdout', 'plain text', undefined],
    ['stderr', 'plain text', 'worker-1  plain text'],
    ['stderr', '{ not JSON', 'worker-1  { not JSON'],
    ['stderr', '  ', undefined],
  ] as const)('shows of %s %s: %s', (stream, line, expected) => {
    expect(consoleLine('worker-1', stream, line)).toBe(expected);
  });
});

describe('ProcessLog', () => {
  const directory = temporaryDirectory();

  it('keeps every line in the file, and the latest complaints at hand', () => {
    const printed: string[] = [];
    const log = new ProcessLog(directory.path, 'worker-1', (line) => printed.push(line));
    log.write('stdout', '{"level":"info","msg":"routine"}');
    for (let i = 1; i <= 25; i++) log.write('stderr', `complaint ${i}`);
    expect(printed).toHaveLength(25);
    const errors = log.takeErrors();
    expect(errors).toHaveLength(20);
    expect(errors.at(-1)).toBe('complaint 25');
    expect(log.takeErrors()).toEqual([]);
    log.close();
    expect(fs.readFileSync(log.file, 'utf8').split('\n')).toHaveLength(27);
  });

  it('puts a large file aside', () => {
    fs.writeFileSync(`${directory.path}/nats.log`, Buffer.alloc(11 * 2 ** 20, 'x'));
    const log = new ProcessLog(directory.path, 'nats', () => {});
    log.write('stdout', 'first of the new file');
    log.close();
    expect(fs.readFileSync(log.file, 'utf8')).toBe('first of the new file\n');
    expect(fs.statSync(`${log.file}.1`).size).toBe(11 * 2 ** 20);
  });
});
