import { type StreamConfig, type StreamInfo, DiscardPolicy, RetentionPolicy, StorageType, nanos } from 'nats';
import { DomainError } from '#kernel';

/** One token of a subject that is also used as an id: no dots, no wildcards, no white space. */
const token = /^[A-Za-z0-9_-]+$/;
const clusterName = /^[a-z0-9-]{1,32}$/;

/** How long JetStream remembers a `Nats-Msg-Id`. Retries of one publish must end well before that. */
export const duplicateWindowMs = 120_000;

function checked(value: string): string {
  if (!token.test(value)) {
    throw new DomainError('Bug', 'invalid-subject-token', `"${value}" cannot stand in a subject as one token`);
  }
  return value;
}

/**
 * Names of every stream, subject, consumer and bucket. The cluster's name comes first in each, so that two clusters can
 * share a NATS.
 *
 * A *boundary* is the part of an event's subject after `<cluster>.evt.`: one or more tokens of `[A-Za-z0-9_-]`, such as
 * `namespace` or `job.<id>`. Filters may hold wildcards (`*`, a last `>`).
 */
export class Names {
  readonly eventStream: string;
  readonly eventSubjects: string;
  readonly workStream: string;
  readonly workSubjects: string;
  /** Object store. */
  readonly snapshotBucket: string;
  /** The stream behind the object store, as the client library names it. */
  readonly snapshotStream: string;
  /** Subjects of the object store's chunks, and of the descriptions of its objects. */
  readonly snapshotSubjects: string[];
  private readonly eventPrefix: string;

  constructor(readonly cluster = 'larder') {
    if (!clusterName.test(cluster)) {
      throw new DomainError(
        'Malformed',
        'invalid-cluster-name',
        `cluster name "${cluster}" must be 1 to 32 characters of a-z, 0-9 and "-"`,
      );
    }
    this.eventStream = `${cluster}-evt`;
    this.eventPrefix = `${cluster}.evt.`;
    this.eventSubjects = `${this.eventPrefix}>`;
    this.workStream = `${cluster}-work`;
    this.workSubjects = `${cluster}.work.>`;
    this.snapshotBucket = `${cluster}-snapshots`;
    this.snapshotStream = `OBJ_${this.snapshotBucket}`;
    this.snapshotSubjects = [`$O.${this.snapshotBucket}.C.>`, `$O.${this.snapshotBucket}.M.>`];
  }

  eventSubject(boundary: string): string {
    boundary.split('.').forEach(checked);
    return this.eventPrefix + boundary;
  }

  /** @param filter a boundary in which tokens may be `*` and the last one `>`. */
  eventFilter(filter: string): string {
    const tokens = filter.split('.');
    tokens.forEach((one, i) => {
      if (one !== '*' && !(one === '>' && i === tokens.length - 1)) checked(one);
    });
    return this.eventPrefix + filter;
  }

  boundaryOf(subject: string): string {
    if (!subject.startsWith(this.eventPrefix)) {
      throw new DomainError('Bug', 'foreign-subject', `subject "${subject}" is not one of cluster "${this.cluster}"`);
    }
    return subject.slice(this.eventPrefix.length);
  }

  workSubject(workerId: string, jobId: string): string {
    return `${this.cluster}.work.${checked(workerId)}.${checked(jobId)}`;
  }

  /** All work of one worker. */
  workOfWorker(workerId: string): string {
    return `${this.cluster}.work.${checked(workerId)}.>`;
  }

  /** All work of one job, of whichever worker. */
  workOfJob(jobId: string): string {
    return `${this.cluster}.work.*.${checked(jobId)}`;
  }

  /** Durable consumer on the work stream. */
  workerConsumer(workerId: string): string {
    return checked(workerId);
  }

  workerHeartbeat(workerId: string): string {
    return `${this.cluster}.heartbeat.worker.${checked(workerId)}`;
  }

  get workerHeartbeats(): string {
    return `${this.cluster}.heartbeat.worker.*`;
  }

  coordinatorHeartbeat(coordinatorId: string): string {
    return `${this.cluster}.heartbeat.coordinator.${checked(coordinatorId)}`;
  }

  get coordinatorHeartbeats(): string {
    return `${this.cluster}.heartbeat.coordinator.*`;
  }

  /** Every request to workers, to one or to all. */
  get workerControls(): string[] {
    return [`${this.cluster}.control.worker.*.*`, `${this.cluster}.control.workers.*`];
  }

  /** Every request to coordinators, to one or to all. */
  get coordinatorControls(): string[] {
    return [`${this.cluster}.control.coordinator.*.*`, `${this.cluster}.control.coordinators.*`];
  }

  /** Progress within batches. It is not stored. */
  workerProgress(workerId: string): string {
    return `${this.cluster}.progress.worker.${checked(workerId)}`;
  }

  get workersProgress(): string {
    return `${this.cluster}.progress.worker.*`;
  }

  /** A request to one worker, `verb` such as `abort` or `stat`. */
  workerControl(workerId: string, verb: string): string {
    return `${this.cluster}.control.worker.${checked(workerId)}.${checked(verb)}`;
  }

  /** A request to all workers. */
  workersControl(verb: string): string {
    return `${this.cluster}.control.workers.${checked(verb)}`;
  }

  /** A request to one coordinator. */
  coordinatorControl(coordinatorId: string, verb: string): string {
    return `${this.cluster}.control.coordinator.${checked(coordinatorId)}.${checked(verb)}`;
  }

  /** A message to all coordinators. */
  coordinatorsControl(verb: string): string {
    return `${this.cluster}.control.coordinators.${checked(verb)}`;
  }
}

/** Key in a stream's metadata. Its value tells the stream from any other, even from a later one of the same name. */
export const streamIdKey = 'larder-stream-id';

/**
 * Tells a stream from any other. A replicated stream has an id in its metadata, because its creation time is not
 * reliable: when two clients create it at once, its servers can differ for ever about the time, which would then change
 * with the leader.
 */
export function streamIdOf({ config, created }: StreamInfo): string {
  return `${config.name}@${config.metadata?.[streamIdKey] ?? created}`;
}

/** What all streams have in common: they are on disk, and no message expires or is dropped for a newer one. */
function keptStream(replicas: number): Partial<StreamConfig> {
  return {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    max_msg_size: -1,
    max_consumers: -1,
    num_replicas: replicas,
    duplicate_window: nanos(duplicateWindowMs),
  };
}

/**
 * The wanted configuration of all streams. The work stream has limits retention, not workqueue: the owner of a job
 * deletes a message once its batch is settled. Messages that were not delivered stay readable when a job is stopped, so
 * that a resumed job can send them again. The object store's configuration is the client library's own. It is repeated
 * here because servers since 2.12 refuse that library's way of creating it with replicas.
 */
export function streamConfigs(names: Names, replicas: number): (Partial<StreamConfig> & { name: string })[] {
  const kept = keptStream(replicas);
  return [
    { ...kept, name: names.eventStream, subjects: [names.eventSubjects], deny_delete: true },
    { ...kept, name: names.workStream, subjects: [names.workSubjects] },
    {
      ...kept,
      name: names.snapshotStream,
      subjects: names.snapshotSubjects,
      allow_rollup_hdrs: true,
      allow_direct: true,
    },
  ];
}
