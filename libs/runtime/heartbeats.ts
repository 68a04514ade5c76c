import { type Broadcasts, type Names, type NatsLink } from '#jetstream';

/** Heartbeats that a coordinator sends and receives: core NATS, not stored, may be lost without harm. */
export class Heartbeats {
  constructor(
    /** `coordinator-<uuid>`, new in every process. */
    readonly selfId: string,
    private readonly link: NatsLink,
    private readonly broadcasts: Broadcasts,
    private readonly names: Names,
  ) {}

  get connected(): boolean {
    return this.link.connected;
  }

  /** Why there is no connection, one sentence. */
  get trouble(): string | undefined {
    return this.link.trouble;
  }

  onWorker(listener: (message: unknown) => void): () => void {
    return this.broadcasts.subscribe(this.names.workerHeartbeats, listener);
  }

  onCoordinator(listener: (message: unknown) => void): () => void {
    return this.broadcasts.subscribe(this.names.coordinatorHeartbeats, listener);
  }

  /** Answers requests that go to all coordinators; `noAnswer` leaves one to another coordinator. */
  onCoordinatorsRequest(verb: string, answer: (value: unknown) => unknown): () => void {
    return this.broadcasts.respond(this.names.coordinatorsControl(verb), answer);
  }

  /** Asks all workers, and collects the answers that come within the time. */
  askWorkers(verb: string, options: { expected: number; timeoutMs: number }): ReturnType<Broadcasts['requestAll']> {
    return this.broadcasts.requestAll(this.names.workersControl(verb), {}, options);
  }

  announceCoordinator(message: { coordinatorId: string } & Record<string, unknown>): void {
    this.broadcasts.publish(this.names.coordinatorHeartbeat(this.selfId), message);
  }
}
