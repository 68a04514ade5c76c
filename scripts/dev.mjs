// `npm run dev`: `npm start`, which compiles whenever a source changes and restarts the processes whose code that was.
import './check-node.mjs';
import path from 'node:path';
import { ensureOwnNatsServer } from './nats-server.mjs';
import { ensureDependencies, root } from './prepare.mjs';

const say = (line) => console.log(line);
/** Until the cluster runs there is nothing to restart. */
const ignore = () => {};
let restart = ignore;

try {
  await ensureDependencies();
  await ensureOwnNatsServer();
  await new Promise((built, failed) => void compile(built).catch(failed));
  // As apps/standalone/src/main.ts has it.
  process.umask(0o077);
  const compiled = path.join(root, 'dist/apps/standalone/src');
  const { run } = await import(path.join(compiled, 'run.js'));
  await run(compiled, (restartRoles) => (restart = restartRoles));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

/** @param {() => void} built called when the sources have compiled for the first time */
async function compile(built) {
  // Only now: they need the dependencies.
  const { compileOnChange } = await import('./dev/compile.mjs');
  const { affectedRoles, affectsStandalone } = await import('./dev/affected.mjs');
  compileOnChange({
    say,
    built(changed) {
      built();
      const roles = affectedRoles(changed);
      if (roles.length > 0) restart(roles);
      if (restart !== ignore && affectsStandalone(changed))
        say('apps/standalone has changed: start `npm run dev` again to use it.');
    },
  });
}
