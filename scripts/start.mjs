// `npm start`: makes sure of dependencies, a build and a nats-server, then becomes the standalone cluster. It has no
// dependency itself: in a fresh clone there is nothing else yet.
import { ensureNatsServer } from './nats-server.mjs';
import { checkNode, ensureBuild, ensureDependencies } from './prepare.mjs';

try {
  checkNode();
  await ensureDependencies();
  await ensureBuild();
  if (!process.env.LARDER_NATS_URL && !process.env.LARDER_NATS_SERVER_BIN) await ensureNatsServer();
  await import('../dist/apps/standalone/src/main.js');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
