// `npm start`, `npm run cluster`: makes sure of dependencies, a build and a nats-server, then becomes the standalone cluster. It has no
// dependency itself: in a fresh clone there is nothing else yet.
import './check-node.mjs';
import { ensureNatsServer } from './nats-server.mjs';
import { ensureBuild, ensureDependencies } from './prepare.mjs';

try {
  await ensureDependencies();
  await ensureBuild();
  const { LARDER_NATS_URL, LARDER_NATS_SERVER_BIN, LARDER_NATS_SERVERS = '1' } = process.env;
  const replicated = !['', '1'].includes(LARDER_NATS_SERVERS);
  if (!LARDER_NATS_URL && !LARDER_NATS_SERVER_BIN) await ensureNatsServer({ replicated });
  await import('../dist/apps/standalone/src/main.js');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
