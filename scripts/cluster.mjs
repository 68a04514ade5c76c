// `npm run cluster`: `npm start` with three of everything and a balancer before them, on a data directory of its own.
const defaults = {
  LARDER_DATA_DIR: '.larder-cluster',
  LARDER_NATS_SERVERS: '3',
  LARDER_COORDINATORS: '3',
  LARDER_WORKERS: '3',
  LARDER_BALANCER_PORT: '19999',
  LARDER_PORT: '20001',
};
for (const [name, value] of Object.entries(defaults)) process.env[name] = process.env[name] || value;
import('./start.mjs');
