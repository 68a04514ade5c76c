import { type NatsConnection, type StreamInfo } from 'nats';
import { eventually } from '../cluster/until.js';

/**
 * Asks for a stream's information until the stream has a leader that will do, also while no server answers.
 * @param found what is sought in the information, such as the leader's name; undefined asks again
 */
export async function untilLed<T>(
  nc: NatsConnection,
  stream: string,
  found: (info: StreamInfo) => T | undefined,
): Promise<T> {
  const jsm = await nc.jetstreamManager({ timeout: 2_000, checkAPI: false });
  return eventually(`stream ${stream} has a leader`, async () => {
    const info = await jsm.streams.info(stream).catch(() => undefined);
    return info?.cluster?.leader ? found(info) : undefined;
  });
}
