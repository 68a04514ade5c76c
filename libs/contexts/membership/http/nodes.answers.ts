import { count, listOf, oneOfTexts, ref, text, wholeAnswer, type AnswerOf } from '#schema';

/** The answers of `/api/v1/nodes`. */

export const nodeAnswer = wholeAnswer(
  {
    identity: text('worker-<uuid>, kept across restarts.'),
    address: text('host:port of its read path.'),
    status: oneOfTexts(['ONLINE', 'OFFLINE'], 'Whether it is heard of.'),
    capacityBytes: count('Size of its cache.'),
    version: text('Version of its software.'),
    usedBytes: count('Bytes cached, by its last heartbeat.'),
    cachedObjects: count('Objects cached, by its last heartbeat.'),
    unmountedBytes: count('Of the bytes cached, those that no mount covers.'),
    unmountedObjects: count('Of the objects cached, those that no mount covers.'),
  },
  ['usedBytes', 'cachedObjects', 'unmountedBytes', 'unmountedObjects'],
);
export type NodeAnswer = AnswerOf<typeof nodeAnswer>;

/** The reference has `result` here, although every other list has `results`. */
export const nodesAnswer = wholeAnswer({ result: listOf(ref<NodeAnswer>('Node')) });
export type NodesAnswer = AnswerOf<typeof nodesAnswer>;
