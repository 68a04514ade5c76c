import os from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { ConfigError, type LarderConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { log, logBoundary } from '#contexts/log';
import {
  compareLogs,
  type Fault,
  firstFault,
  LogVerifier,
  type StoredMessage,
  type Verdict,
} from '#contexts/log/audit';
import { BackupFile } from '#contexts/log/backup';
import { type SequenceRange } from '#contexts/trust';
import { LogGate, signingKeyUnknown } from '#contexts/trust/gate';
import { EventCodec, type Gate, parseEnvelope, type StoredCommit, type VoidMessage } from '#jetstream';
import { DomainError } from '#kernel';
import { ownContext, Recorder } from '#runtime';
import { FoundWrong } from '../exit-codes.js';
import { type LogSource, type SourceOptions, withSource } from '../log-source.js';
import { withLog } from '../open-log.js';
import { print } from '../output.js';
import { type ClusterOptions, clusterSettings, coordinatorRing, signingKeys } from '../settings.js';
import { clusterOptions } from './options.js';

interface VerifyCommandOptions extends SourceOptions {
  readonly against?: string;
  readonly anchor?: readonly [number, string];
  readonly first: number;
  readonly keys?: boolean;
}

/** Fits easily into a message of NATS: each range takes about twenty bytes. */
const rangesPerEvent = 10_000;
const rangesTold = 20;

interface VoidCommandOptions extends ClusterOptions {
  readonly reason: string;
}

export function addAudit(program: Command): void {
  const audit = program.command('audit').description('Check whether the log was changed after it was written.');
  clusterOptions(audit.command('verify'))
    .description('Walk a log and name the first event that was changed, removed or inserted.')
    .option('--in <file>', 'verify this backup and not the log in NATS')
    .option('--against <backup>', 'also compare every message with this backup')
    .option('--anchor <sequence:root>', 'also compare with a root that was recorded at a sequence', parseAnchor)
    .option('--first <sequence>', 'where the log begins, for one that was archived', parseSequence, 1)
    .option('--keys', 'insist on the keys (LARDER_SECRET_KEYS) that signed the checkpoints')
    .action((options: VerifyCommandOptions) => verify(options));
  clusterOptions(audit.command('void'))
    .description('Record that an operator has looked at the void messages. They stay void in any case.')
    .requiredOption('--reason <text>', 'what these messages are, for later readers of the log')
    .action((options: VoidCommandOptions) => recordVoid(options));
}

async function verify(options: VerifyCommandOptions): Promise<void> {
  const keys = signingKeys(options);
  if (options.keys && !keys) {
    throw new ConfigError(['--keys: set LARDER_SECRET_KEYS to the key ring of the cluster.']);
  }
  await withSource(options, async (source) => {
    const ring = options.first === 1 ? coordinatorRing(options) : undefined;
    const gate = ring && new LenientGate(new LogGate({ codec: new EventCodec([allEvents]), ring }));
    const verdict = await walk(source, options, { keys, gate });
    const compared = options.against === undefined ? undefined : await compare(source, options.against);
    const faults = [verdict.fault, compared?.fault].filter((fault) => fault !== undefined);
    const fault = firstFault(faults);
    await report(source, verdict, { keys, compared: compared?.same, against: options.against });
    if (gate?.refusal) await print(`signatures of messages are not verified: ${gate.refusal.message}`);
    if (fault) await reportFault(source, fault);
    // A changed message makes later ones look void. So void messages are reported only when there is no fault.
    const open = fault || !gate || gate.refusal ? [] : await reportVoid(source, verdict.void, gate.strict);
    if (fault || open.length > 0) throw new FoundWrong();
    await print('no fault was found');
  });
}

/** A gate that admits every message once it finds that the log is signed with unknown keys. */
class LenientGate implements Gate {
  refusal: DomainError | undefined;

  constructor(readonly strict: LogGate) {}

  admit(message: StoredCommit): ReturnType<Gate['admit']> {
    const { sequence, boundary } = message;
    const passed = { commit: { sequence, boundary, commitId: '', events: [] } };
    if (this.refusal) return passed;
    try {
      return this.strict.admit(message);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== signingKeyUnknown) throw error;
      this.refusal = error;
      return passed;
    }
  }
}

/** Reports the void messages. @returns those that no operator has recorded as void */
async function reportVoid(
  source: LogSource,
  messages: readonly VoidMessage[],
  gate: LogGate,
): Promise<SequenceRange[]> {
  const open = gate.quarantine.unacknowledged();
  for (const { sequence, boundary, reason } of messages) {
    const known = open.some(([first, last]) => first <= sequence && sequence <= last) ? '' : ', as was recorded';
    await print(`VOID at ${sequence} on ${boundary}: ${reason}; it has no effect${known}`);
    for await (const message of source.messages({ from: sequence, through: sequence })) {
      await print(`the message there is ${describe(message)}`);
    }
  }
  if (open.length > 0) await print('record that they are void with: larder audit void --reason <text>');
  return open;
}

/** Records that an operator has looked at the void messages. */
async function recordVoid(options: VoidCommandOptions): Promise<void> {
  const ring = coordinatorRing(options);
  if (!ring?.canSign) {
    throw new ConfigError(['LARDER_SIGNING_KEYS: set it (or LARDER_SECRET_KEYS) to the keys of the coordinators.']);
  }
  const codec = new EventCodec([allEvents]);
  await withLog(clusterSettings(options), async ({ store }) => {
    const gate = new LogGate({ codec, ring });
    let end = 0;
    for await (const message of store.readMessages('>')) {
      gate.admit(message);
      if (message.boundary === logBoundary.name) end = message.sequence;
    }
    const ranges = gate.quarantine.unacknowledged().map(([first, last]): [number, number] => [first, last]);
    if (ranges.length === 0) return print('the log has no void message that is not recorded yet');
    const context = ownContext(`operator:${os.userInfo().username}`);
    const recorder = new Recorder(allEvents);
    for (let i = 0; i < ranges.length; i += rangesPerEvent) {
      const some = ranges.slice(i, i + rangesPerEvent);
      const decided = log.decide(log.initial, { type: 'VoidMessages', ranges: some, reason: options.reason });
      ({ sequence: end } = await store.append(logBoundary.name, end, recorder.record(decided, context)));
    }
    await print(`recorded as void: ${tellRanges(ranges)}`);
  });
}

function tellRanges(ranges: readonly [number, number][]): string {
  const told = ranges
    .slice(0, rangesTold)
    .map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`));
  const more = ranges.length - told.length;
  return told.join(', ') + (more > 0 ? ` and ${more} further ranges` : '');
}

async function walk(
  source: LogSource,
  { anchor, first }: VerifyCommandOptions,
  { keys, gate }: { keys: LarderConfig['secretKeys']; gate: Gate | undefined },
): Promise<Verdict> {
  const anchors = new Map(anchor ? [anchor] : []);
  const verifier = new LogVerifier({ firstSequence: first, keys, anchors, gate });
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
  const signed = context.keys ? 'signed' : 'signatures not verified: LARDER_SECRET_KEYS is not set';
  if (checkpoints > 0) await print(`proven through ${provenThrough} by ${checkpoints} checkpoints (${signed})`);
  if (provenThrough < lastSequence) {
    await print(`protected only by its chain: the messages after ${Math.max(0, provenThrough)}`);
  }
  if (unchained > 0) await print(`${unchained} messages are from before commits were chained`);
  if (unknownKeys.length > 0) await print(`signed with keys that were not given: ${unknownKeys.join(', ')}`);
  if (context.compared !== undefined) await print(`${context.compared} messages are the same as in ${context.against}`);
}

async function reportFault(source: LogSource, { kind, sequence, possible, why }: Fault): Promise<void> {
  const { from, through } = possible;
  const where = from === through ? '' : ` (or after it, through ${through})`;
  const before = from < sequence ? ` (or before it, from ${from})` : where;
  await print(`FAULT: ${kind} at ${sequence}${before}: ${why}`);
  for await (const message of source.messages({ from: sequence, through: sequence })) {
    await print(`${kind === 'removed' ? 'in its place is' : 'the message there is'} ${describe(message)}`);
    return;
  }
  await print('there is no message there');
}

function describe({ sequence, boundary, data }: StoredMessage): string {
  try {
    const events = parseEnvelope(data, sequence).events.map(({ type, at, actor }) => `${type} at ${at} by ${actor}`);
    return `on ${boundary}: ${events.join('; ')}`;
  } catch {
    return `on ${boundary}: ${data.length} bytes that are not a commit`;
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
