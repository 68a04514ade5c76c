import { clusterSuite } from '#testing';
import { auditContract } from './suites/audit.js';
import { cacheContract } from './suites/cache.js';
import { fileIndexContract } from './suites/file-index.js';
import { freeContract } from './suites/free.js';
import { hostileContract } from './suites/hostile.js';
import { loadContract } from './suites/load.js';
import { mountContract } from './suites/mount.js';
import { namesContract } from './suites/names.js';
import { nodesContract } from './suites/nodes.js';
import { outageContract } from './suites/outages.js';
import { policyContract } from './suites/policies.js';
import { rebalanceContract } from './suites/rebalance.js';
import { serviceContract } from './suites/service.js';
import { ContractFixture } from './support/contract-fixture.js';

clusterSuite('the REST API on a running cluster', {}, ({ cluster }) => {
  const fixture = new ContractFixture(cluster);
  beforeAll(() => fixture.start(), 120_000);
  afterAll(() => fixture.stop());

  mountContract(fixture);

  describe('with data', () => {
    beforeAll(() => fixture.mountData());

    serviceContract(fixture);
    nodesContract(fixture);
    policyContract(fixture);
    loadContract(fixture);
    freeContract(fixture);
    rebalanceContract(fixture);
    fileIndexContract(fixture);
    cacheContract(fixture);
    auditContract(fixture);
    hostileContract(fixture);
    namesContract(fixture);
    outageContract(fixture);
  });

  it('has given every documented answer except 500, which no request may cause', () => {
    const seen = new Set([...fixture.api.seen, ...fixture.offApi.seen]);
    const missing = fixture.api.documented().filter((answer) => !seen.has(answer) && !answer.endsWith(' 500'));
    expect(missing).toEqual([]);
  });
});
