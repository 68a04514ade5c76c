// The contract of a benchmark. A file of test/bench is one benchmark. It ends with
//
//   await bench({ title, options, run });
//
// and can then be run by itself (`node test/bench/NAME.mjs --files 1000`), by `npm run bench -- NAME --files 1000`, and
// with all others by `npm run bench`, which puts its tables into docs/performance.md.
//
// `options` are names with their defaults; the type of the default is the type of the option. Defaults are sized for a run
// of all benchmarks, about a minute each. `run(options, tools)` returns one table or several:
//
//   { caption, columns: ['work', 'files/s'], rows: [['16 KiB', 1900]], notes: ['what the reader must know'] }
//
// `tools.skip(reason)` reports in one line what is left out; `tools.progress(line)` shows a line while it runs.
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

/** The file that `scripts/bench.mjs` reads the result from. */
export const resultVariable = 'LARDER_BENCH_RESULT';

export async function bench({ title, options: defaults = {}, run }) {
  const name = path.basename(process.argv[1], '.mjs');
  const options = readOptions(defaults);
  const skipped = [];
  const tools = {
    skip: (reason) => {
      skipped.push(`Left out: ${reason}.`);
      console.error(`${name}: left out: ${reason}`);
    },
    progress: (line) => console.error(`${name}: ${line}`),
  };
  console.error(`${name}: ${title}; ${os.cpus().length} cores, load average ${os.loadavg()[0].toFixed(1)}`);
  const startedAt = performance.now();
  const tables = [await run(options, tools)].flat();
  const result = { name, title, seconds: (performance.now() - startedAt) / 1000, tables, notes: skipped };
  console.log(markdownOf(result));
  const file = process.env[resultVariable];
  if (file) writeFileSync(file, JSON.stringify(result));
}

/** Reads the command line by the defaults. @throws for a value that is not of its default's type */
function readOptions(defaults) {
  const declared = Object.entries(defaults).map(([name, value]) => {
    const type = typeof value === 'boolean' ? 'boolean' : 'string';
    return [name, { type, default: type === 'boolean' ? value : String(value) }];
  });
  const { values } = parseArgs({ options: Object.fromEntries(declared) });
  for (const [name, value] of Object.entries(defaults)) {
    if (typeof value !== 'number') continue;
    values[name] = Number(values[name]);
    if (Number.isNaN(values[name])) throw new Error(`--${name} must be a number`);
  }
  return values;
}

/** The tables of a result as Markdown. */
export function markdownOf({ tables, notes = [] }) {
  const parts = tables.flatMap(({ caption, columns, rows, notes: own = [] }) => [
    ...(caption ? [`${caption}:`] : []),
    [line(columns), line(columns.map(() => '---')).replaceAll(' ', ''), ...rows.map(line)].join('\n'),
    ...own,
  ]);
  return [...parts, ...notes].join('\n\n');
}

const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
