// What a process has used so far, as Linux counts it.
import fs from 'node:fs';

/** The kernel counts in ticks of 10 ms (`getconf CLK_TCK` is 100 on every Linux that Node runs on). */
const ticksPerSecond = 100;

/** CPU seconds of all threads of a process since its start. */
export function cpuSecondsOf(pid) {
  const [user, system] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ').slice(11, 13);
  return (Number(user) + Number(system)) / ticksPerSecond;
}

/** Bytes of memory that are resident now. */
export function residentBytesOf(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
