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
import { Lab } from './support/lab.js';

describe('the REST API on a running cluster', () => {
  const lab = new Lab();
  beforeAll(() => lab.start(), 120_000);
  afterAll(() => lab.stop());

  mountContract(lab);

  describe('with data', () => {
    beforeAll(() => lab.mountData());

    serviceContract(lab);
    nodesContract(lab);
    policyContract(lab);
    loadContract(lab);
    freeContract(lab);
    rebalanceContract(lab);
    fileIndexContract(lab);
    cacheContract(lab);
    auditContract(lab);
    hostileContract(lab);
    namesContract(lab);
    outageContract(lab);
  });

  it('has given every documented answer, but for 500, which nothing may provoke', () => {
    const seen = new Set([...lab.api.seen, ...lab.offApi.seen]);
    const missing = lab.api.documented().filter((answer) => !seen.has(answer) && !answer.endsWith(' 500'));
    expect(missing).toEqual([]);
  });
});
