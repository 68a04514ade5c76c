import type { ConnectorOpening } from '../opening.js';
import { FileConnector } from './file-connector.js';
import { MountRoot, probeFileRoot } from './mount-root.js';

export const fileOpening: ConnectorOpening = {
  validate: ({ ufs }) => void new MountRoot(ufs),
  open: ({ ufs }, tuning) => new FileConnector(ufs, tuning),
  probe: ({ ufs }) => probeFileRoot(ufs),
};
