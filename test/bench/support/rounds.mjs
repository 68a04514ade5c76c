// Rounds in which participants take turns, and what is made of their figures.

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** @param sorted ascending */
export const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/**
 * Runs all participants in each round. Who goes first changes with each round, so that what else the machine does, and a
 * cold page cache, meets each of them.
 *
 * @param participants functions by name; one that returns undefined takes no further part
 * @returns results by name, in the order of the rounds
 */
export async function inTurn(rounds, participants) {
  const names = Object.keys(participants);
  const results = Object.fromEntries(names.map((name) => [name, []]));
  const gone = new Set();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length];
      if (gone.has(name)) continue;
      const result = await participants[name](round);
      if (result === undefined) gone.add(name);
      else results[name].push(result);
    }
  }
  return Object.fromEntries(Object.entries(results).filter(([name]) => !gone.has(name)));
}

/** `1.02 (0.98, 1.02, 1.10)`: the median, and in brackets all rounds in their order. */
export function spread(numbers, digits = 2) {
  const shown = numbers.map((one) => rounded(one, digits));
  return numbers.length === 1 ? shown[0] : `${rounded(median(numbers), digits)} (${shown.join(', ')})`;
}

/** Thousands with separators; small numbers with as many digits as given. */
export function rounded(number, digits = 0) {
  return number >= 1000 ? Math.round(number).toLocaleString('en-US') : number.toFixed(digits);
}

/**
 * Rows of a comparison of one amount of work: rate, CPU seconds for each unit, and Larder's speed by the participant's.
 *
 * @param results `{ seconds, cpu? }` by participant
 * @param work what the first column says
 * @param amount in units of the rate
 * @param cpuPer what the CPU seconds are divided by
 */
export function comparisonRows(results, { work, amount, unit, cpuPer, own = 'Larder' }) {
  return Object.entries(results).map(([name, all]) => {
    const ratios = all.map(({ seconds }, i) => seconds / results[own][i].seconds);
    const cpu = all.map((one) => one.cpu).filter((one) => one !== undefined);
    return [
      work,
      name,
      `${spread(all.map(({ seconds }) => amount / seconds))} ${unit}`,
      cpu.length === 0 ? '' : `${((median(cpu) / cpuPer.count) * cpuPer.scale).toFixed(2)} ${cpuPer.unit}`,
      name === own ? '' : spread(ratios),
    ];
  });
}

export const comparisonColumns = ['work', 'who', 'rate, median (rounds)', 'CPU', 'Larder’s ratio'];
export const cpuPerFile = (count) => ({ count, scale: 1000, unit: 'ms a file' });
export const cpuPerGigabyte = (bytes) => ({ count: bytes / 1e9, scale: 1, unit: 's a GB' });
