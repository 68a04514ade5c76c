/** Merges streams in ascending order of sequence into one in that order. Holds one message of each. */
export async function* mergeBySequence<Message extends { readonly sequence: number }>(
  streams: readonly AsyncGenerator<Message>[],
): AsyncGenerator<Message> {
  if (streams.length === 1) {
    yield* streams[0];
    return;
  }
  try {
    const heads = await Promise.all(streams.map((stream) => stream.next()));
    for (;;) {
      let least: number | undefined;
      for (const [i, { done, value }] of heads.entries()) {
        if (!done && (least === undefined || value.sequence < (heads[least].value as Message).sequence)) least = i;
      }
      if (least === undefined) return;
      yield heads[least].value as Message;
      heads[least] = await streams[least].next();
    }
  } finally {
    await Promise.all(streams.map((stream) => stream.return(undefined)));
  }
}
