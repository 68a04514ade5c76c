import { type ConnectionOptions, createInbox, type NatsConnection } from 'nats';

/** A new inbox with the prefix of the connection, as the client library's own requests have it. */
export function newInbox(nc: NatsConnection): string {
  // Its interface does not show the options; its JetStream part reads them here, too.
  const { options } = nc as { options?: ConnectionOptions };
  return createInbox(options?.inboxPrefix);
}
