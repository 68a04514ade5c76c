// Checks beside the tests, one line each: for `npm run check` and `npm test`.
import { runTool } from './prepare.mjs';

/** Files that are as they were in the last run need no second look. Lint has no such memory: it goes by the types of other files. */
const remembering = {
  format: ['--cache', '--cache-strategy=content', '--cache-location=.cache/prettier'],
  types: ['--incremental', '--tsBuildInfoFile', '.cache/types.tsbuildinfo'],
};

/** Names of checks of the sources, and what answers whether they hold. */
export const sourceChecks = [
  ['format', () => tool('prettier/bin/prettier.cjs', '--check', '--log-level=warn', ...remembering.format, '.')],
  ['lint', () => tool('eslint/bin/eslint.js', '.')],
  ['types', () => tool('typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json', ...remembering.types)],
];

function tool(script, ...args) {
  return runTool(script, args, { quiet: true });
}

/**
 * Runs a check that answers false or throws when it fails, and prints how it went.
 * @returns {Promise<boolean>} whether it passed
 */
export async function runCheck(name, check) {
  const startedAt = performance.now();
  let passed;
  try {
    passed = (await check()) !== false;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    passed = false;
  }
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  return passed;
}
