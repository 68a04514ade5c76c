import { type Broadcasts, type Names, type NatsLink } from '#jetstream';

/** Heartbeats as a coordinator sends and hears them: core NATS, not stored, lost without harm. */
export class Heartbeats {
  constructor(
    /** `coordinator-<uuid>`, new with every process. */
    readonly selfId: string,
    private readonly link: NatsLink,
    private readonly broadcasts: Broadcasts,
    private readonly names: Names,
  ) {}

  get connected(): boolean {
    return this.link.connected;
  }

  onWorker(listener: (message: unknown) => void): () => void {
    return this.broadcasts.subscribe(this.names.workerHeartbeats, listener);
  }

  onCoordinator(listener: (message: unknown) => void): () => void {
    return this.broadcasts.subscribe(this.names.coordinatorHeartbeats, listener);
  }

  announceCoordinator(message: { coordinatorId: string; leaving?: boolean }): void {
    this.broadcasts.publish(this.names.coordinatorHeartbeat(this.selfId), message);
  }
}
