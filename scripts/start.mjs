// `npm start`, `npm run cluster`: makes sure of dependencies, a build and a nats-server, then becomes the standalone cluster. It has no
// dependency itself: in a fresh clone there is nothing else yet.
import './check-node.mjs';
import { ensureOwnNatsServer } from './nats-server.mjs';
import { ensureBuild, ensureDependencies } from './prepare.mjs';

try {
  await ensureDependencies();
  await ensureBuild();
  await ensureOwnNatsServer();
  await import('../dist/bin/standalone.js');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
