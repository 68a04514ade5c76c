import { type Command, InvalidArgumentError } from 'commander';
import { ConfigError, type LarderConfig } from '#config';
import {
  compareLogs,
  type Fault,
  firstFault,
  LogVerifier,
  type StoredMessage,
  type Verdict,
} from '#contexts/log/audit';
import { BackupFile } from '#contexts/log/backup';
import { parseEnvelope } from '#jetstream';
import { FoundWrong } from '../exit-codes.js';
import { type LogSource, type SourceOptions, withSource } from '../log-source.js';
import { print } from '../output.js';
import { signingKeys } from '../settings.js';
import { clusterOptions } from './options.js';

interface VerifyCommandOptions extends SourceOptions {
  readonly against?: string;
  readonly anchor?: readonly [number, string];
  readonly first: number;
  readonly keys?: boolean;
}

export function addAudit(program: Command): void {
  const audit = program.command('audit').description('Look whether the log is what was written.');
  clusterOptions(audit.command('verify'))
    .description('Walk a log and name the first event that was changed, removed or slipped in.')
    .option('--in <file>', 'verify this backup and not the log in NATS')
    .option('--against <backup>', 'also compare every message with this backup')
    .option('--anchor <sequence:root>', 'also compare with a root that was noted at a sequence', parseAnchor)
    .option('--first <sequence>', 'where the log begins, for one that was archived', parseSequence, 1)
    .option('--keys', 'insist on the keys (LARDER_SECRET_KEYS) that signed the checkpoints')
    .action((options: VerifyCommandOptions) => verify(options));
}

async function verify(options: VerifyCommandOptions): Promise<void> {
  const keys = signingKeys(options);
  if (options.keys && !keys) {
    throw new ConfigError(['--keys: set LARDER_SECRET_KEYS to the key ring of the cluster.']);
  }
  await withSource(options, async (source) => {
    const verdict = await walk(source, options, keys);
    const compared = options.against === undefined ? undefined : await compare(source, options.against);
    const faults = [verdict.fault, compared?.fault].filter((fault) => fault !== undefined);
    const fault = firstFault(faults);
    await report(source, verdict, { keys, compared: compared?.same, against: options.against });
    if (!fault) return print('no fault was found');
    await reportFault(source, fault);
    throw new FoundWrong();
  });
}

async function walk(
  source: LogSource,
  { anchor, first }: VerifyCommandOptions,
  keys: LarderConfig['secretKeys'],
): Promise<Verdict> {
  const anchors = new Map(anchor ? [anchor] : []);
  const verifier = new LogVerifier({ firstSequence: first, keys, anchors });
  const messages = source.messages();
  for (;;) {
    const { done, value } = await messages.next();
    if (done) {
      if (value) verifier.checkRoot(value.root, 'The root in the file');
      break;
    }
    if (!verifier.add(value)) break;
  }
  await messages.return?.(undefined);
  verifier.endsAt(source.lastSequence);
  return verifier.finish();
}

async function compare(source: LogSource, against: string) {
  const backup = await BackupFile.open(against);
  await BackupFile.check(against);
  return compareLogs(backup.messages(), source.messages(), `The backup ${against}`);
}

async function report(
  source: LogSource,
  verdict: Verdict,
  context: { keys: LarderConfig['secretKeys']; compared?: number; against?: string },
): Promise<void> {
  const { count, lastSequence, root, checkpoints, provenThrough, unchained, unknownKeys } = verdict;
  await print(`${source.name}: ${count} messages, through sequence ${lastSequence}`);
  await print(`root ${root}`);
  const signed = context.keys ? 'signed' : 'signatures not looked at: LARDER_SECRET_KEYS is not set';
  if (checkpoints > 0) await print(`proven through ${provenThrough} by ${checkpoints} checkpoints (${signed})`);
  if (provenThrough < lastSequence) {
    await print(`held together by its chain alone: what follows ${Math.max(0, provenThrough)}`);
  }
  if (unchained > 0) await print(`${unchained} messages are from before commits were chained`);
  if (unknownKeys.length > 0) await print(`signed with keys that were not given: ${unknownKeys.join(', ')}`);
  if (context.compared !== undefined) await print(`${context.compared} messages are those of ${context.against}`);
}

async function reportFault(source: LogSource, { kind, sequence, possible, why }: Fault): Promise<void> {
  const { from, through } = possible;
  const where = from === through ? '' : ` (or after it, through ${through})`;
  const before = from < sequence ? ` (or before it, from ${from})` : where;
  await print(`FAULT: ${kind} at ${sequence}${before}: ${why}`);
  for await (const message of source.messages({ from: sequence, through: sequence })) {
    await print(`${kind === 'removed' ? 'in its place stands' : 'there stands'} ${describe(message)}`);
    return;
  }
  await print('there stands no message');
}

function describe({ sequence, boundary, data }: StoredMessage): string {
  try {
    const events = parseEnvelope(data, sequence).events.map(({ type, at, actor }) => `${type} at ${at} by ${actor}`);
    return `on ${boundary}: ${events.join('; ')}`;
  } catch {
    return `on ${boundary}: ${data.length} bytes that are no commit`;
  }
}

function parseSequence(text: string): number {
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new InvalidArgumentError('expected a sequence.');
  return Number(text);
}

function parseAnchor(text: string): [number, string] {
  const match = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text);
  if (!match) throw new InvalidArgumentError('expected <sequence>:<root of 64 hexadecimal digits>.');
  return [Number(match[1]), match[2]];
}
