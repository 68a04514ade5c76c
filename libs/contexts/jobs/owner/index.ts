export { JobConnectors } from './job-connectors.js';
export { JobOwners } from './job-owners.js';
export { JobWriter } from './job-writer.js';
export { JobRunPorts } from './ports.js';
export { Presence } from './presence.js';
export { QuotaGates } from './quota-gates.js';
