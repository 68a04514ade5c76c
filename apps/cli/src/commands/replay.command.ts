import { type Command, Option } from 'commander';
import { allEvents } from '#contexts/catalogue';
import { LogGate } from '#contexts/trust/gate';
import { believesAll, EventCodec } from '#jetstream';
import { type LogSource, type SourceOptions, withSource } from '../log-source.js';
import { note, print } from '../output.js';
import { aggregateNames, replayed } from '../replay/aggregates.js';
import { masked } from '../replay/mask.js';
import { type ReplayLimits, replaySteps, type Step } from '../replay/replay.js';
import { stateDiff } from '../replay/state-diff.js';
import { coordinatorRing } from '../settings.js';
import { clusterOptions, type LogPoint, parseLogPoint } from './options.js';

interface ReplayCommandOptions extends SourceOptions {
  readonly until?: LogPoint;
  readonly from?: LogPoint;
  readonly of: string;
  readonly format: 'text' | 'jsonl';
}

export function addReplay(program: Command): void {
  clusterOptions(program.command('replay'))
    .description('Print the state of an aggregate step by step, one event after another.')
    .option('--until <time|sequence>', 'last event to replay (default: the end of the log)', parseLogPoint)
    .option('--from <time|sequence>', 'first event to print; what came before is applied', parseLogPoint)
    .option('--of <aggregate>', aggregateNames, 'all')
    .option('--in <file>', 'replay this backup and not the log in NATS')
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'jsonl']).default('text'))
    .action(async (options: ReplayCommandOptions) => {
      await withSource(options, (source) => replay(source, options));
    });
}

async function replay(source: LogSource, options: ReplayCommandOptions): Promise<void> {
  const aggregate = replayed(options.of);
  if (source.firstSequence > 1)
    note(`${source.name} begins at ${source.firstSequence}: what came before is not in any state`);
  const through = options.until && 'sequence' in options.until ? options.until.sequence : undefined;
  const codec = new EventCodec([allEvents]);
  const ring = source.firstSequence > 1 ? undefined : coordinatorRing(options);
  const gate = ring && new LogGate({ codec, ring });
  // The gate needs the whole log in order to find void messages, even if only a part is replayed.
  const messages = source.messages({ filter: gate ? '>' : aggregate.filter, through });
  const admit = admissionOf(gate, codec);
  if (options.of === 'all') {
    await printLastState(messages, admit, options);
    return;
  }
  let before: unknown = null;
  for await (const step of replaySteps(messages, admit, aggregate, options)) {
    await print(options.format === 'jsonl' ? jsonLine(step) : text(step, before));
    before = step.state;
  }
}

type Admission = Parameters<typeof replaySteps>[1];

/** Admits valid messages. Without keys, or if the log's beginning was archived, it admits all that can be decoded. */
function admissionOf(gate: LogGate | undefined, codec: EventCodec): Admission {
  if (!gate) return believesAll(codec).inOrder();
  return (message) =>
    new Promise((resolve) => {
      const judged = gate.admit(message);
      resolve('commit' in judged ? judged.commit : undefined);
    });
}

async function printLastState(
  messages: ReturnType<LogSource['messages']>,
  admit: Admission,
  { until, format }: ReplayCommandOptions,
): Promise<void> {
  const aggregate = replayed('all');
  let sequence = 0;
  // Ask for no steps: to copy every state after every event would take most of the time.
  const nothing: ReplayLimits = { until, from: { sequence: Infinity } };
  const counted = (async function* () {
    for await (const message of messages) {
      yield message;
      sequence = message.sequence;
    }
  })();
  for await (const step of replaySteps(counted, admit, aggregate, nothing)) void step;
  const state = { sequence, ...(masked(JSON.parse(JSON.stringify(aggregate.state()))) as object) };
  await print(format === 'jsonl' ? JSON.stringify(state) : JSON.stringify(state, null, 2));
}

function jsonLine({ sequence, recordedAt, event, state }: Step): string {
  return JSON.stringify({ sequence, recordedAt, ...event, state });
}

function text({ sequence, recordedAt, event, state }: Step, before: unknown): string {
  const { type, actor, data } = event;
  const changes = stateDiff(before, state);
  const lines = changes.length === 0 ? ['(no change)'] : changes;
  return [
    `${sequence}  ${recordedAt}  ${actor}  ${type} ${JSON.stringify(data)}`,
    ...lines.map((line) => `    ${line}`),
  ].join('\n');
}
