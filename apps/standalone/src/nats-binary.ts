import { ConfigError } from '#config';
import { oldestNatsForReplicas } from '#jetstream';
import { compareVersions, type NatsServerBinary } from '#nats-server';

/**
 * Chooses the nats-server to run: the named one, otherwise the first one found. For a cluster of several servers, the
 * first one found that is safe with replicas.
 * @param found in order of preference, the named one first
 * @throws ConfigError with one sentence that says how to get a nats-server
 */
export function chooseNatsServer(
  found: readonly NatsServerBinary[],
  servers: number,
  named: string | undefined,
): NatsServerBinary {
  if (found.length === 0) {
    throw new ConfigError([
      'No nats-server was found: install one (`apt-get install nats-server` or `brew install nats-server`), or set LARDER_NATS_URL.',
    ]);
  }
  const newEnough = ({ version }: NatsServerBinary) => compareVersions(version, oldestNatsForReplicas) >= 0;
  const candidates = named ? found.slice(0, 1) : found;
  const chosen = servers === 1 ? found[0] : candidates.find(newEnough);
  if (chosen !== undefined) return chosen;
  const newest = [...candidates].sort((a, b) => compareVersions(b.version, a.version))[0];
  const how = named
    ? 'set LARDER_NATS_SERVER_BIN to a newer one, or unset it'
    : 'fetch one with `npm run nats-server`, or take one from https://github.com/nats-io/nats-server/releases and set LARDER_NATS_SERVER_BIN to it';
  throw new ConfigError([
    `${servers} nats-servers need release ${oldestNatsForReplicas} or later, and ${newest.binary} is ${newest.version}: ${how}.`,
  ]);
}
