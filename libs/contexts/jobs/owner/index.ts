export { JobOwners } from './job-owners.js';
export { Presence } from './presence.js';
