import type { FaultHook, Random } from '#testing';
import type { ClusterUnderHarm } from './cluster-under-harm.js';
import type { Inflicted } from './faults.js';

const partBytes = 8 * 1024 * 1024;

function inflict(cluster: ClusterUnderHarm, what: string, hook: FaultHook): Inflicted {
  return { victims: [`s3 (${what})`], undo: cluster.harmS3(hook) };
}

/** Refuses what goes beyond a rate, as stores do that want to be asked less: workers must find out how much it gives. */
export function limitRate(cluster: ClusterUnderHarm, random: Random): Inflicted {
  const perSecond = random.pick([20, 60, 150, 400]);
  let second = 0;
  let inSecond = 0;
  return inflict(cluster, `at most ${perSecond} requests a second`, ({ operation }) => {
    if (operation !== 'GetObject' && operation !== 'ListObjectsV2') return undefined;
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) [second, inSecond] = [now, 0];
    return ++inSecond > perSecond ? { kind: 'status', status: 503 } : undefined;
  });
}

/** Breaks the connection somewhere within a part of a large object. */
export function breakParts(cluster: ClusterUnderHarm, random: Random): Inflicted {
  const share = 0.1 + 0.4 * random.next();
  return inflict(cluster, 'parts break off', (asked) => {
    if (!cluster.large.isOne(asked) || asked.headers.range === undefined || !random.chance(share)) return undefined;
    const how = random.pick(['end', 'reset'] as const);
    return { kind: 'truncate', afterBytes: random.below(partBytes), how };
  });
}

/** Replaces a large object while a worker asks for one of its parts. */
export function replaceObjects(cluster: ClusterUnderHarm, random: Random): Inflicted {
  const share = 0.2 + 0.4 * random.next();
  return inflict(cluster, 'large objects change', (asked) => {
    if (cluster.large.isOne(asked) && random.chance(share)) cluster.large.replace(asked.key);
    return undefined;
  });
}
