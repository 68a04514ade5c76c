import type { Counts } from '#contexts/jobs';
import type { WorkerPorts } from '#contexts/jobs/kinds';
import { z } from 'zod';

const countsSchema = z.record(z.string(), z.number());
const noteSchema = z.object({ counts: countsSchema, intended: z.array(z.tuple([z.string(), countsSchema])) });

/** Where removals are noted, and where the copies are looked for. */
type RemovalPorts = Pick<WorkerPorts, 'checkpoint'> & { cache: Pick<WorkerPorts['cache'], 'get'> };

/**
 * Counts what a batch removes. The counts outlive the process, or a stop of the job, as removed copies cannot be found
 * and counted again. Each group is noted before it is removed. A process that continues the batch counts those of the
 * last group that are gone, and finds the others in place.
 */
export class RemovalTally {
  private constructor(
    private readonly checkpoint: WorkerPorts['checkpoint'],
    readonly counts: Counts,
  ) {}

  /** @param initial the names of all counts, with zeros */
  static async open({ checkpoint, cache }: RemovalPorts, initial: Counts): Promise<RemovalTally> {
    const tally = new RemovalTally(checkpoint, { ...initial });
    const saved: unknown = await checkpoint.load();
    if (saved === undefined) return tally;
    const { counts, intended } = noteSchema.parse(saved);
    tally.add(counts);
    for (const [path, worth] of intended) if (!cache.get(path)) tally.add(worth);
    return tally;
  }

  /** Call this before the copies are removed, with what each of them counts for. */
  async intend(intended: readonly (readonly [path: string, worth: Counts])[]): Promise<void> {
    if (intended.length > 0) await this.checkpoint.save({ counts: this.counts, intended });
  }

  add(worth: Counts): void {
    for (const [name, value] of Object.entries(worth)) this.counts[name] = (this.counts[name] ?? 0) + value;
  }
}
