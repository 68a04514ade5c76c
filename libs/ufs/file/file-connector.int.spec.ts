import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { describeConnectorContract, type UfsFixture } from '../connector.contract.js';
import { FileConnector } from './file-connector.js';

const tuning = { idleTimeoutMs: 10_000, connectTimeoutMs: 1000, maxConnections: 8 };
const fileOf = (uri: string): string => uri.slice('file://'.length);
let base: string;

const fixture: UfsFixture = {
  name: 'file',
  freeNames: false,
  propertyRuns: 40,
  start: async () => {
    base = await fs.mkdtemp(path.join(os.tmpdir(), 'larder-ufs-'));
  },
  stop: () => fs.rm(base, { recursive: true, force: true }),
  makeRoot: async () => `file://${await fs.mkdtemp(path.join(base, 'root-'))}/`,
  put: async (uri, bytes) => {
    await fs.mkdir(path.dirname(fileOf(uri)), { recursive: true });
    await fs.writeFile(fileOf(uri), bytes);
  },
  remove: (uri) => fs.rm(fileOf(uri)),
  connect: () => new FileConnector(`file://${base}/`, tuning),
};

describeConnectorContract(fixture);
describeConnectorContract({
  ...fixture,
  name: 'file, blocking reads',
  propertyRuns: 1,
  connect: () => new FileConnector(`file://${base}/`, { ...tuning, blockingReads: true }),
});
