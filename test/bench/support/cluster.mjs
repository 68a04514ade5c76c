import { startCluster as startTestCluster } from '../../../dist/libs/testing/index.js';

/** Clusters of tests beat more often than those of users. */
const asInProduction = { LARDER_HEARTBEAT_MS: '1000', LARDER_DRAIN_MS: '2000' };

/** As `startCluster` of the tests, with the settings that users have. */
export const startCluster = (options = {}) =>
  startTestCluster({ ...options, env: { ...asInProduction, ...options.env } });
