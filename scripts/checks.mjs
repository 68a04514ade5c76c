// Checks beside the tests, one line each: for `npm run check` and `npm test`.
import { runTool } from './prepare.mjs';

/** Names of checks of the sources, and what answers whether they hold. */
export const sourceChecks = [
  ['format', () => runTool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.'], { quiet: true })],
  ['lint', () => runTool('eslint/bin/eslint.js', ['.'], { quiet: true })],
  ['types', () => runTool('typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json'], { quiet: true })],
];

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
