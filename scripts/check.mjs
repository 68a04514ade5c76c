// `npm run check`: format, lint and types, without a test.
import './check-node.mjs';
import { runCheck, sourceChecks } from './checks.mjs';
import { ensureDependencies } from './prepare.mjs';

const passed =
  (await runCheck('dependencies', ensureDependencies)) &&
  (await Promise.all(sourceChecks.map(([name, check]) => runCheck(name, check)))).every(Boolean);
process.exitCode = passed ? 0 : 1;
