import { S3Fixture, startCluster, type TestCluster } from '#testing';
import { NatsSieve } from './nats-sieve.js';

/** A cluster whose first worker hears of NATS what a test lets through, and an S3 store for it. */
export class SievedCluster {
  private constructor(
    readonly cluster: TestCluster,
    readonly lab: S3Fixture,
    readonly sieve: NatsSieve,
  ) {}

  static async start(options: Parameters<typeof startCluster>[0]): Promise<SievedCluster> {
    const lab = await S3Fixture.start();
    const cluster = await startCluster(options).catch(async (error: unknown) => {
      await lab.stop();
      throw error;
    });
    const sieve = await NatsSieve.start(cluster.nats.port);
    const world = new SievedCluster(cluster, lab, sieve);
    await world.putBetween().catch(async (error: unknown) => {
      await world.dispose();
      throw error;
    });
    return world;
  }

  private async putBetween(): Promise<void> {
    const { cluster, sieve } = this;
    const [worker] = cluster.workers;
    worker.process.overrides['LARDER_NATS_URL'] = sieve.url;
    await worker.process.restart();
    await cluster.untilListed(worker);
  }

  /** The events of a job, of one type. */
  async eventsOf<Data>(jobId: string, type: string): Promise<{ sequence: number; data: Data }[]> {
    interface Page {
      results: { sequence: number; data: Data }[];
    }
    return (await this.cluster.api.request<Page>('GET', `/events?id=${jobId}&type=${type}`)).body.results;
  }

  async dispose(): Promise<void> {
    await this.cluster.dispose();
    await this.sieve.stop();
    await this.lab.stop();
  }
}
