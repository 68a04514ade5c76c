import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '#testing';
import { faultKinds, type FaultKind, type FaultName } from './faults.js';
import type { History } from './history.js';
import type { ClusterUnderHarm } from './cluster-under-harm.js';

export interface NemesisOptions {
  readonly kinds: readonly FaultName[];
  readonly durationMs: number;
  /** Maximum of concurrent faults. */
  readonly atOnce: number;
  /** Longest pause between two faults. */
  readonly pauseMs: number;
}

/** Causes faults for a while, each kind as often as its weight says, and ends all of them at the end. */
export async function unleash(
  cluster: ClusterUnderHarm,
  history: History,
  random: Random,
  { kinds, durationMs, atOnce, pauseMs }: NemesisOptions,
): Promise<void> {
  const end = performance.now() + durationMs;
  const left = () => Math.max(0, end - performance.now());
  const choices = kinds.map((name) => ({ name, ...(faultKinds[name] as FaultKind) }));
  const harm = async (): Promise<void> => {
    while (left() > 0) {
      const { name, maxMs, inflict } = random.weighted(choices);
      const holdMs = maxMs * (0.15 + 0.85 * random.next());
      const fault = history.begin(name, []);
      try {
        const inflicted = await inflict(cluster, random);
        Object.assign(fault, { victims: inflicted?.victims ?? [] });
        if (inflicted !== undefined) await delay(Math.min(holdMs, left()));
        await inflicted?.undo();
      } catch (error) {
        history.accident(`${name}: ${(error as Error).message}`);
      }
      history.end(fault);
      await delay(Math.min(random.below(pauseMs), left()));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, harm));
  await cluster.heal();
}
