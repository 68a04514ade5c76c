// Loaded before a process of Larder with `node --import`: its wall clock is off by as many milliseconds as the file
// that LARDER_TEST_CLOCK_FILE names says, and jumps when that changes. What it goes by stands in `<file>.<pid>`.
// The monotonic clock is left alone, as a set wall clock leaves it.
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.LARDER_TEST_CLOCK_FILE;
const RealDate = Date;
let offsetMs = 0;

function look() {
  const found = Number(readFileSync(file, 'utf8'));
  if (found === offsetMs) return;
  offsetMs = found;
  if (isMainThread) writeFileSync(`${file}.${process.pid}`, String(offsetMs));
}

const now = () => RealDate.now() + offsetMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
});

look();
setInterval(look, 20).unref();
