import { type TestCluster } from '#testing';
import { NatsSieve } from './nats-sieve.js';

/** From now on, the cluster's first worker receives from NATS only what a test lets through. The cluster has one server. */
export async function sieveFirstWorker(cluster: TestCluster): Promise<NatsSieve> {
  const sieve = await NatsSieve.start(cluster.nats.port);
  const [worker] = cluster.workers;
  worker.process.overrides['LARDER_NATS_URL'] = sieve.url;
  try {
    await worker.process.restart();
    await cluster.untilListed(worker);
  } catch (error) {
    await sieve.stop();
    throw error;
  }
  return sieve;
}

/** The events of a job, of one type. */
export async function eventsOf<Data>(
  cluster: TestCluster,
  jobId: string,
  type: string,
): Promise<{ sequence: number; data: Data }[]> {
  interface Page {
    results: { sequence: number; data: Data }[];
  }
  return (await cluster.api.request<Page>('GET', `/events?id=${jobId}&type=${type}`)).body.results;
}
