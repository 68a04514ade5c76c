import { type ConnectionOptions, createInbox, type NatsConnection } from 'nats';

/** A new inbox with the prefix of the connection, as in the client library's own requests. */
export function newInbox(nc: NatsConnection): string {
  // The interface does not declare the options; the library's JetStream part reads them here, too.
  const { options } = nc as { options?: ConnectionOptions };
  return createInbox(options?.inboxPrefix);
}
