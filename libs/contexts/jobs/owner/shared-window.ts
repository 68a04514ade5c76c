/** The batches that the jobs of one owner have in flight: together they fill the queues of the workers. */
export class SharedWindow {
  private readonly counts = new Map<string, number>();
  private total = 0;

  /** How many jobs share it. */
  get jobs(): number {
    return this.counts.size;
  }

  /** Batches in flight of all jobs but this one. */
  ofOthers(jobId: string): number {
    return this.total - (this.counts.get(jobId) ?? 0);
  }

  note(jobId: string, batches: number): void {
    this.total += batches - (this.counts.get(jobId) ?? 0);
    this.counts.set(jobId, batches);
  }

  forget(jobId: string): void {
    this.total -= this.counts.get(jobId) ?? 0;
    this.counts.delete(jobId);
  }
}
